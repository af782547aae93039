# SPDX-License-Identifier: MIT
"""Whether a machine changed for good while a cell was measured.

A cell samples the whole run. Where the clock, a neighbour or the host became
another half way, its processes are of two machines, and its ratios between
those of either. An interval is wider for it, but does not say why.

Looked for is one step by Pettitt's test (1979, "A non-parametric approach to the
change-point problem", Applied Statistics 28), which asks the ranks of the
processes only, so that a few bad ones make no step. Its own formula is for
processes independent of each other and too often sees a step in neighbours that
are alike, so what chance does is simulated instead. A step in the first or last
quarter it seldom finds.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from artifact import estimate, sharpness
from artifact.samples import Samples

CHANCE = 0.01           # share of cells without a step in which one is seen, at most
# Between neighbours. Of the cells of our runs half have less than 0.25 in their
# times, and hardly any correlation in their ratios.
CORRELATION = 0.3
SIMULATED = 40_000
# Processes. Of 13 even the clearest step, all of one half above all of the other,
# is chance more often than it may be.
FEWEST = 14
# Time is shown and never judged. The same processes differ by some 10 % of it from
# each other anyway; what moves it less than half of that is not worth a word.
LEAST_OF_TIME = math.log(1.05)


@dataclasses.dataclass(frozen=True)
class Step:
    """The machine before it and after it."""

    first: int          # process after it, counted from 0
    ratio: float        # after over before
    processes: int
    arm: str = ""       # whose speed-up over the baseline changed; none of the baseline's time

    @property
    def what(self) -> str:
        return "ratio" if self.arm else "time"

    def __str__(self) -> str:
        start = f"from process {self.first + 1} of {self.processes} on,"
        if self.arm:
            return f"{start} the ratio of {self.arm} is {self.ratio:.3g} times as large"
        return f"{start} times are {self.ratio:.3g} times as long"


def step(samples: Samples) -> Step | None:
    """The clearest step that is large enough to matter: one in a ratio, as ratios are
    judged, else one in the baseline's time.

    A step in a ratio matters if it exceeds the interval that the cell would have
    without it: the actual interval already includes the step, and is the wider
    the clearer the step is.
    """
    first, arms = samples.cell.baseline, sharpness.ratios(samples)
    times = np.log(np.median(samples.seconds[first], axis=1))
    if len(times) < FEWEST:
        return None
    ratios = np.array([estimate.log_speedups(samples, arm, first) for arm in arms])
    return _clearest(ratios, arms, estimate.half_width) or \
        _clearest(times[np.newaxis], [""], lambda without: LEAST_OF_TIME)


def _clearest(lines: np.ndarray, arms: list[str], least: Callable) -> Step | None:
    """lines: (arms, processes), natural logarithms. least: how much matters, of a
    line without its step."""
    count = lines.shape[1]
    clear = pettitt(pd.DataFrame(lines).rank(axis=1).to_numpy()).max(axis=1)
    for which in np.argsort(-clear, kind="stable"):
        if clear[which] <= critical(count, len(lines)):
            break
        line, first = lines[which], _place(lines[which])
        height = np.median(line[first:]) - np.median(line[:first])
        if abs(height) > least(line - height * (np.arange(count) >= first)):
            return Step(first, math.exp(height), count, arms[which])
    return None


def _place(line: np.ndarray) -> int:
    """Where a step is, given that there is one: the place at which the deviations from
    the medians of both sides are smallest.

    The place of Pettitt's statistic leans to the middle: of 5 sigma after a third
    of 32 processes it is more than one off in a fifth of simulated cells, this in
    a fiftieth.
    """
    def left(at: int) -> float:
        return sum(np.abs(side - np.median(side)).sum() for side in (line[:at], line[at:]))
    return min(range(1, len(line)), key=left)


def pettitt(ranks: np.ndarray) -> np.ndarray:
    """For each place between two processes: how many more pairs across it rise than
    fall, or the other way round.

    ranks: (lines, processes) from 1; returns (lines, processes - 1).
    """
    count = ranks.shape[1]
    expected = np.arange(1, count) * (count + 1) / 2
    return np.abs(2 * (ranks.cumsum(axis=1)[:, :-1] - expected))


def critical(processes: int, lines: int) -> float:
    """What the statistic of the clearest of some lines must exceed.

    Half of CHANCE is for the ratios, half for the time. The share of each line is
    Bonferroni's: lines that are alike, as ratios to one baseline, are noted more
    rarely still.
    """
    return float(np.quantile(_without_step(processes), 1 - CHANCE / 2 / lines, method="higher"))


@functools.cache
def _without_step(processes: int) -> np.ndarray:
    """The statistic of SIMULATED lines without a step."""
    noise = np.random.default_rng(1979).normal(size=(processes, SIMULATED))
    for before, now in zip(noise, noise[1:]):
        now *= math.sqrt(1 - CORRELATION ** 2)
        now += CORRELATION * before
    ranks = noise.T.argsort(axis=1).argsort(axis=1) + 1
    return pettitt(ranks).max(axis=1)
