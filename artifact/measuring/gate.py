# SPDX-License-Identifier: MIT
"""The gate that a process waits at until the machine is fit to measure on."""

import json
import statistics
import time

from artifact import ctools, machine
from artifact.cells import Cell

BUSY = 0.10             # share of a CPU's time above which a parallel cell waits
QUIET_SECONDS = 0.2     # looked at before each process of such a cell
SHARED = 1.3            # times the least time: somebody else is on this core
PATIENCE_SECONDS = 0.2  # for quiet, earned with each process; after that it is only noted
MOST_PATIENCE_SECONDS = 30.0    # so that a quiet beginning does not pay for all of a noisy end


class QuietGate:
    """Waits, within reason, until the machine is fit to measure on.

    Two signs, both independent of what is measured: a byte loop in the first
    cache, which takes up to twice as long when another virtual machine or
    process has the other thread of the core; and for parallel cells, how
    busy the CPUs are. The first is looked at after a process too: whoever has
    come in between may have doubled all of its times, and not all alike.
    """

    PROBE = ["--json", "--processes=1", "--rounds=20", "--huge=4K", "--pairs=4", "--backing=base",
             "--source=warm", "--destination=warm", "serial:bulk:byte"]

    def __init__(self):
        self.patience = 0.0     # seconds
        self.least = min(self._probe() for _ in range(5))

    def wait(self, cell: Cell) -> bool:
        """Whether it is quiet now, or still not when patience has run out."""
        started = time.monotonic()
        while not (quiet := self._is_quiet(cell)):
            if time.monotonic() - started > self.patience:
                break
            time.sleep(0.1)
        self.patience -= max(0.0, time.monotonic() - started - 0.5)
        return quiet

    def earn(self) -> None:
        """Patience for one more process."""
        self.patience = min(self.patience + PATIENCE_SECONDS, MOST_PATIENCE_SECONDS)

    def spend(self, seconds: float) -> bool:
        """Pays for a process that was in vain; False where nothing is left."""
        if self.patience <= 0:
            return False
        self.patience -= seconds
        return True

    def _is_quiet(self, cell: Cell) -> bool:
        return self.is_alone() and \
            (not cell.quiet or machine.busiest_cpu(QUIET_SECONDS) < BUSY)

    def is_alone(self) -> bool:
        """Whether nobody else has the other thread of this core just now."""
        took = self._probe()
        self.least = min(self.least, took)
        return took < SHARED * self.least

    def _probe(self) -> float:
        arm, = json.loads(ctools.run(self.PROBE))["arms"]
        return statistics.median(arm["ns"])
