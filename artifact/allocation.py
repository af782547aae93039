# SPDX-License-Identifier: MIT
"""How a run's time is best divided between processes and rounds.

A process costs its start, and a round its copies. The variance of a process's
log-ratio is that between processes, which no round lessens, and that of its
median over rounds, which falls with their number. The number of rounds for
which a given sharpness costs least is Kalibera and Jones's (2013): the root
of the one quotient times the other. How many processes of so many rounds are
as sharp as those measured follows from it.
"""

import dataclasses
import math

import numpy as np

from artifact import estimate, sharpness
from artifact.cells import Cell
from artifact.samples import Samples

FEWER = 4               # times fewer rounds: how far the law of their number is trusted


@dataclasses.dataclass(frozen=True)
class Allocation:
    """What a cell's processes and rounds were, and what would be best.

    half_width: of the cell as it is. between, within: standard deviations of a
    process's log-ratio between processes, and by the chance of its rounds;
    medians over the arms. start, round: seconds.
    """

    cell: Cell
    processes: int
    half_width: float
    between: float
    within: float
    start: float
    round: float
    best_rounds: int
    best_processes: int

    @property
    def seconds(self) -> float:
        """Of all processes as they were measured."""
        return self.processes * (self.start + self.cell.rounds * self.round)

    @property
    def best_seconds(self) -> float:
        return self.best_processes * (self.start + self.best_rounds * self.round)


def of(samples: Samples, start: float) -> Allocation:
    """start: seconds that a process takes to start, where its file does not say."""
    between, within = variances(samples)
    start, each = costs(samples, start)
    cell = samples.cell
    rounds, processes = best(between, within, start / each, samples.processes, cell.rounds)
    return Allocation(cell, samples.processes, sharpness.half_width(samples),
                      math.sqrt(between), math.sqrt(within), start, each, rounds, processes)


def variances(samples: Samples) -> tuple[float, float]:
    """Of a process's log-ratio: between processes, and of the median over its
    rounds. Medians over the arms that are timed.

    The second is told by the two halves of each process. They are halves in a
    row: rounds near in time are alike, and halves drawn at random would both
    have the drift that tells a short process from a long one. One round has no
    halves, and all its variance counts as between processes.
    """
    half = samples.cell.rounds // 2
    first, second = _of_rounds(samples, 0, half), _of_rounds(samples, half, 2 * half)
    found = []
    for arm in sharpness.ratios(samples):
        total = np.var(_logs(samples, arm), ddof=1) if samples.processes > 1 else 0.0
        # Each half has twice the variance of both together.
        within = np.mean((_logs(first, arm) - _logs(second, arm)) ** 2) / 4 if half else 0.0
        within = min(float(within), total)
        found.append((total - within, within))
    between, within = np.median(found, axis=0)
    return float(between), float(within)


def _logs(samples: Samples, arm: str) -> np.ndarray:
    return estimate.log_speedups(samples, arm, samples.cell.baseline)


def _of_rounds(samples: Samples, begin: int, end: int) -> Samples:
    return dataclasses.replace(samples, seconds={
        arm: times[:, begin:end] for arm, times in samples.seconds.items()})


def costs(samples: Samples, start: float) -> tuple[float, float]:
    """Seconds of a process's start and of one round.

    Where older files do not tell, the start is as given, and of a round what
    its samples say: without pauses, and for a victim without its windows.
    """
    facts, rounds = samples.facts, samples.cell.rounds
    if facts and all({"seconds_started", "seconds_sampled"} <= set(fact) for fact in facts):
        return (float(np.mean([fact["seconds_started"] for fact in facts])),
                float(np.mean([fact["seconds_sampled"] for fact in facts])) / rounds)
    return start, float(sum(times.mean() for times in samples.seconds.values()))


def best(between: float, within: float, starts: float, processes: int,
         rounds: int) -> tuple[int, int]:
    """Rounds and processes that are as sharp for the least time.

    between, within: variances, the second of so many rounds. starts: rounds
    that a start costs as much as. Of fewer than sharpness.FEWEST processes no
    interval is worth much, so that there are as many, or those there were. Of
    very few rounds the median varies more than by the root of their number.
    """
    one = within * rounds
    variance = between + within
    if variance == 0:
        return rounds, processes
    fewest = min(sharpness.FEWEST, processes)
    # With so many rounds the fewest processes are as sharp; more would be for nothing.
    left = fewest / processes * variance - between
    most = one / left if left > 0 else math.inf
    wanted = min(math.sqrt(starts * one / between) if between else math.inf, most)
    found = max(round(wanted), math.ceil(rounds / FEWER))
    # As is, but for the rounding: 1e-9 lets a number that is whole stay so.
    needed = math.ceil(processes * (between + one / found) / variance - 1e-9)
    return found, max(fewest, needed)


def table(found: list[Allocation]) -> list[str]:
    """A line for each cell, for a terminal."""
    lines = [f"{'cell':30} {'processes':>9} {'rounds':>6} {'half-width':>10} {'between':>8} "
             f"{'within':>7} {'start s':>7} {'round ms':>8} {'s':>6} | best: "
             f"{'processes':>9} {'rounds':>6} {'s':>6}"]
    for each in found:
        cell = each.cell
        lines.append(
            f"{cell.experiment + ' ' + cell.label:30} {each.processes:>9} {cell.rounds:>6} "
            f"{each.half_width:>10.2%} {each.between:>8.2%} {each.within:>7.2%} {each.start:>7.2f} "
            f"{1e3 * each.round:>8.2f} {each.seconds:>6.1f} |       {each.best_processes:>9} "
            f"{each.best_rounds:>6} {each.best_seconds:>6.1f}")
    now, then = (sum(getattr(each, key) for each in found) for key in ("seconds", "best_seconds"))
    return [*lines, f"{now / 60:.1f} minutes as measured, {then / 60:.1f} at best"]
