# SPDX-License-Identifier: MIT
"""The gate that a process waits at until the machine is fit to measure on."""

import collections
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from artifact import ctools, machine
from artifact.cells import Cell

BUSY = 0.10             # share of a CPU's time above which a parallel cell waits
QUIET_SECONDS = 0.05    # looked at before a process of such a cell
IDLE_SECONDS = 3.0      # between two such looks, where the last one found all CPUs idle
SHARED = 1.3            # times the reference: somebody else is on this core
# The reference: what the quicker tenth of the last probes took. The least would
# do for one machine and not for all: a single lucky probe, or a clock that has
# slowed down since, would have every later process called disturbed.
QUICKER, PROBES = 0.1, 50
HARDLY, LOOKS = 0.25, 20    # a lesser share of the last looks was quiet: not worth a wait
# For quiet: so many seconds to begin with, and a share of all that is measured;
# after that it is only noted. On a machine that is never quiet all of it is lost.
FIRST_PATIENCE_SECONDS, PATIENCE = 2.0, 0.06
MOST_PATIENCE_SECONDS = 30.0    # so that a quiet beginning does not pay for all of a noisy end


class QuietGate:
    """Waits, within reason, until the machine is fit to measure on.

    Two signs, both independent of what is measured: a byte loop in the first
    cache, which takes up to twice as long when another virtual machine or
    process has the other thread of the core; and for parallel cells, how
    busy the CPUs are. The first is looked at after a process too: whoever has
    come in between may have doubled all of its times, and not all alike.

    say: is told, once, where waiting is given up.
    """

    PROBE = ["--json", "--processes=1", "--rounds=20", "--huge=4K", "--pairs=4", "--backing=base",
             "--source=warm", "--destination=warm", "serial:bulk:byte"]

    def __init__(self, say: Callable[[str], None]):
        self.say = say
        self.patience = FIRST_PATIENCE_SECONDS
        self.took = collections.deque((self._probe() for _ in range(5)), PROBES)
        self.looks: collections.deque[bool] = collections.deque(maxlen=LOOKS)
        self.told = False
        self.idle_until = 0.0   # by the monotonic clock

    def wait(self, cell: Cell) -> bool:
        """Whether it is quiet now, or still not when patience has run out."""
        quiet = self.is_alone() and self._is_idle(cell)
        self.looks.append(quiet)
        if quiet or self._is_in_vain():
            return quiet
        started = time.monotonic()
        while not quiet and time.monotonic() - started < self.patience:
            time.sleep(0.1)
            # Not remembered: one long wait would soon be all that there was.
            quiet = not self._is_shared(self._probe()) and self._is_idle(cell)
        self.patience -= time.monotonic() - started
        return quiet

    def earn(self, seconds: float) -> None:
        """Patience for having measured for so long."""
        self.patience = min(self.patience + PATIENCE * seconds, MOST_PATIENCE_SECONDS)

    def spend(self, seconds: float) -> bool:
        """Pays for a process that was in vain; False where too little is left."""
        if self.patience < seconds:
            return False
        self.patience -= seconds
        return True

    def is_alone(self) -> bool:
        """Whether nobody else has the other thread of this core just now."""
        took = self._probe()
        self.took.append(took)
        return not self._is_shared(took)

    def stayed_alone(self) -> bool:
        """The same after a process. A neighbour that is gone at a second look was there for
        a moment at most, which is not worth another process of seconds."""
        return self.is_alone() or self.is_alone()

    def _is_shared(self, took: float) -> bool:
        return took >= SHARED * float(np.quantile(self.took, QUICKER))

    def _is_idle(self, cell: Cell) -> bool:
        """Whether nobody else is on our CPUs; not asked again for a while where so."""
        if not cell.quiet or time.monotonic() < self.idle_until:
            return True
        if machine.busiest_cpu(QUIET_SECONDS) >= BUSY:
            return False
        self.idle_until = time.monotonic() + IDLE_SECONDS
        return True

    def _is_in_vain(self) -> bool:
        """Whether hardly any of the last looks found the machine quiet."""
        quiet = sum(self.looks)
        if len(self.looks) < LOOKS or quiet >= HARDLY * LOOKS:
            return False
        if not self.told:
            self.say(f"{LOOKS - quiet} of the last {LOOKS} processes found the machine not quiet: "
                     "while that is so none waits any longer, and each records what it found")
            self.told = True
        return True

    def _probe(self) -> float:
        arm, = json.loads(ctools.run(self.PROBE))["arms"]
        return statistics.median(arm["ns"])
