# SPDX-License-Identifier: MIT
"""Fresh processes, one after another, until somebody stops them."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator

import numpy as np

from artifact import ctools
from artifact.cells import Cell
from artifact.explore import choice as choices
from artifact.explore.choice import Choice
from artifact.host import Host
from artifact.problem import Problem, WrongCopy, one_line
from artifact.samples import Samples
from artifact.sizes import parse_size

DRAFT_BYTES = 128 << 20     # of the first pool, which is made in a twentieth of a second
CACHES = 4                  # times all last-level caches: a pool
MOST_PROCESSES = 1000       # somebody went away


class Measurement:
    """Of one choice, in whatever thread iterates over processes(); any other may stop it."""

    def __init__(self, host: Host, choice: Choice):
        self.host, self.choice = host, choice
        self.stopped = False
        self.child: subprocess.Popen | None = None
        self.lock = threading.Lock()    # a child is either not begun or known to stop()

    def stop(self) -> None:
        """At once: the process that pagecopy measures in dies with it."""
        with self.lock:
            self.stopped = True
            if self.child:
                self.child.kill()

    def processes(self) -> Iterator[Samples]:
        """All that is measured so far, again and again with one more process, until stop().

        Where caches are large, the first pool is smaller than four times them: a draft, and
        forgotten once there is a process of the whole pool. Raises Problem, WrongCopy.
        """
        pairs = max(self.choice.folios, DRAFT_BYTES // parse_size(self.choice.huge))
        cell, told = choices.cell(self.host, self.choice, pairs), []
        for seed in range(1, MOST_PROCESSES + 1):
            if (one := self._process(cell, seed)) is None:
                return
            told.append(one)
            samples = as_samples(cell, told)
            yield samples
            if seed == 1 and draft_bytes(samples) and self.host.fits(CACHES * cache_bytes(samples)):
                cell, told = choices.cell(self.host, self.choice), []

    def _process(self, cell: Cell, seed: int) -> dict | None:
        """What one told; None where it was stopped. Raises Problem with its own words."""
        with self.lock:
            if self.stopped:
                return None
            self.child = subprocess.Popen(
                [ctools.PAGECOPY, *cell.command(seed)], stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_as_child)
        out, err = self.child.communicate()
        if self.stopped:
            return None
        if self.child.returncode == 0:
            return json.loads(out)
        if self.child.returncode == -signal.SIGINT:
            raise Problem("measuring", "the kernel was interrupted", "press Measure to begin anew")
        kind = WrongCopy if self.child.returncode == ctools.WRONG_COPY else Problem
        said = ctools.complaint(err) or f"it ended with status {self.child.returncode}"
        raise kind("pagecopy", one_line(said), "turn a knob")


def cache_bytes(samples: Samples) -> int:
    """Of the last-level caches of all its CPUs."""
    return samples.facts[-1]["last_level_caches"]


def draft_bytes(samples: Samples) -> int:
    """Of a pool that is smaller than four times the last-level caches; else 0."""
    pool = samples.facts[-1]["pool_bytes"]
    return pool if pool < CACHES * cache_bytes(samples) else 0


def as_samples(cell: Cell, told: list[dict]) -> Samples:
    """told: what pagecopy --json said, by process."""
    arms = [dict(zip(cell.arms, one["arms"], strict=True)) for one in told]
    return Samples(
        cell, {name: np.array([max(ns, 1) / 1e9 for one in arms for ns in one[name]["ns"]])
               .reshape(len(told), -1) for name in cell.arms},
        {}, {}, {}, {name: arms[0][name]["bytes"] for name in cell.arms}, {},
        [_facts(one) for one in told],
        finished=False)


def _facts(one: dict) -> dict:
    huge = one["source_huge_bytes"] + one["destination_huge_bytes"]
    return {"pool_bytes": one["pool_bytes"], "last_level_caches": one["last_level_caches"],
            "huge_share": huge / (2 * one["pool_bytes"])}


def _as_child() -> None:
    """Whoever interrupts the notebook's kernel, which itself is deaf to it between two
    cells, means this child too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctools.die_with_parent()
