# SPDX-License-Identifier: MIT
"""Does an interval hold what it promises: another run's ratio, 95 times of 100?"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from scipy import special

from artifact import estimate, likeness
from artifact.estimate import Estimate
from artifact.measured import Measured
from artifact.planning import answered
from artifact.problem import Lacking, Misuse
from artifact.samples import Samples
from artifact.verdicts.state import at_one_state

ENOUGH = 0.93           # of ratios, where 95 of 100 are promised
SURE = 0.99             # that runs which keep the promise are said to agree

WAYS = "DIFFER", "one way", "agree"     # by in how many of the two one ratio is in the other's interval

Key = tuple[str, ...]   # of an arm: experiment, label, and all else that makes it the same


@dataclasses.dataclass(frozen=True)
class Count:
    """How many ratios there were, how many of them inside as they were measured, and how
    many at one state of the machine."""

    tried: int = 0
    measured: int = 0
    at_one_state: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.tried + other.tried, self.measured + other.measured,
                     self.at_one_state + other.at_one_state)

    @property
    def share(self) -> float:
        """Of those at one state of the machine, 0..1."""
        return self.at_one_state / self.tried


def counted(runs: Sequence[Measured]) -> dict[str, Count]:
    """Of each experiment: every arm's ratio to its baseline in one run against the interval
    in another, each way round, for all pairs.

    Raises Misuse where the runs are of several machines, or fewer than two, and Lacking
    where they have no cell in common.
    """
    check(runs)
    every, found = [_ratios(run) for run in runs], dict[str, Count]()
    for one, other in itertools.combinations(every, 2):
        for key in one.keys() & other.keys():
            found[key[0]] = found.get(key[0], Count()) + _both_ways(one[key], other[key])
    if not found:
        raise Lacking("runs " + " and ".join(run.run.name for run in runs),
                      "have no cell in common, measured by the same protocol",
                      "measure both with the same parameters and version")
    return found


def check(runs: Sequence[Measured]) -> None:
    """Raises Misuse where these are no runs to be set against each other."""
    records = {run.run.full_name: run.machine for run in runs}
    if len(records) < 2 or len(records) < len(runs):
        raise Misuse("runs to compare", "two or more different ones are needed",
                     'give them: RUNS="this-machine another"')
    likeness.refuse_unlike(records)
    for one, other in itertools.combinations(runs, 2):
        if (began := _began(one)) and began == _began(other):
            raise Misuse(f"runs {one.run.full_name} and {other.run.full_name}",
                         "are one run under two names", "give each run once")


def _began(run: Measured) -> list[str]:
    """When the processes of its first cell began."""
    return [facts["date"] for facts in run.timed[0].facts if "date" in facts] if run.timed else []


def _ratios(run: Measured) -> dict[Key, Estimate]:
    return {key: estimate.speedup(samples, arm, samples.cell.baseline)
            for samples in run.timed if samples.processes > 1 for key, arm in _arms(samples)}


def _arms(samples: Samples) -> Iterator[tuple[Key, str]]:
    """All that are timed as whole copies, but the baseline. Not its twin, which has no state
    and would flatter the count."""
    cell = samples.cell
    asked = [option for option in cell.options if not option.startswith("--rounds=")]
    for arm in cell.variants[1:]:
        if cell.of(arm).observe != "stretch":
            yield (cell.experiment, cell.label, str(cell.protocol), cell.baseline, *asked, arm), arm


def _both_ways(one: Estimate, other: Estimate) -> Count:
    return Count(2, inside(one, other), inside(*at_one_state([one, other])))


def inside(one: Estimate, other: Estimate) -> int:
    """In how many of the two ways round the one lies in the other's interval."""
    return (one.low <= other.value <= one.high) + (other.low <= one.value <= other.high)


def table(runs: Sequence[Measured], found: dict[str, Count]) -> list[str]:
    """A line that names the runs, one for each experiment, and one for all."""
    lines = [f"{len(runs)} runs: {', '.join(run.run.name for run in runs)}",
             "of 100 ratios of one run, how many lie in the interval of another:",
             f"{'experiment':16} {'ratios':>7} {'as measured':>13} {'at one state':>13}"]
    for name, count in [*sorted(found.items()), ("all", total(found))]:
        note = "" if count.share >= ENOUGH else f"  below {100 * ENOUGH:.0f}"
        lines.append(f"{name:16} {count.tried:>7} {100 * count.measured / count.tried:>13.1f} "
                     f"{100 * count.share:>13.1f}{note}")
    return lines


def total(found: dict[str, Count]) -> Count:
    """Of all experiments."""
    return sum(found.values(), Count())


def agreement(one: Measured, other: Measured) -> tuple[list[str], bool]:
    """The headline ratios of two runs at one state of the machine: lines to print, and
    whether no more of them are outside than chance puts there.

    Counts are exact and not judged; what only one run has is told. Raises as counted().
    """
    check((one, other))
    here, there = (headlines(run) for run in (one, other))
    lines, ways = [f"{one.run.name} and {other.run.name}; ratios within a cell are brought to one "
                   "state of the machine"], []
    for key in [key for key in here if key in there]:
        pair = at_one_state([here[key], there[key]])
        exact = all(ratio.low == ratio.high for ratio in pair)
        held = inside(*pair)
        ways += [] if exact else [held]
        word = "exact" if exact else WAYS[held]
        lines.append(f"{word:7}  {pair[0]}  {pair[1]}  {key}")
    if not ways:
        raise Lacking(f"runs {one.run.name} and {other.run.name}", "have no ratio in common",
                      "measure both with the same parameters")
    lines += [f"only in one run: {key}" for key in sorted(here.keys() ^ there.keys())]
    outside, most = len(ways) - sum(ways) / 2, most_outside(len(ways))
    return [*lines, f"{outside:g} of {len(ways)} lie outside; one way counts as half. If they were "
            f"independent, chance would put no more than {most} there in {100 * SURE:.0f} of 100 pairs "
            "of runs."], outside <= most


def headlines(run: Measured) -> dict[str, Estimate]:
    """Every ratio that an answer of the run rests on, by its name."""
    return {key: ratio for found in answered(run).values() for key, ratio in found.headlines.items()}


def most_outside(ratios: int) -> int:
    """Of so many ratios that keep the promise no more than this are outside, SURE times."""
    outside = 1 - estimate.LEVEL
    return next(k for k in range(ratios + 1) if special.bdtr(k, ratios, outside) >= SURE)
