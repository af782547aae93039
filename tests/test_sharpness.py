# SPDX-License-Identifier: MIT
"""How many processes a cell gets: by its spread, and at no cost to the interval.

The noise is a function of time on a fine grid, at which processes are taken:
a cell that is stopped has fewer of them, over the same run.
"""

import dataclasses
import math

import numpy as np
import pytest

from artifact import estimate, sharpness
from artifact.cells import REPLICAS, TWIN, Cell
from artifact.samples import Samples
from tests.noise import bimodal, drifting, heavy_tailed, independent, remembering, stepping

MOST = 40               # processes
GRID = 6 * MOST         # moments of a run
LOOKS = (0.5, 0.75)     # at which a run decides, in parts of it
RUNS = 10_000           # of each kind, twice
ALLOWED = 0.01          # coverage that stopping may cost
CHANCE = 0.005          # three standard errors of the difference of two such counts
BASE, OTHER, THIRD = "serial:bulk:libc", "serial:page:libc", "serial:bulk:movsq"


KINDS = (independent, remembering, drifting, stepping, heavy_tailed, bimodal)


def of_runs(kind, rng):
    return kind(rng, RUNS, GRID, GRID / MOST)


def moments(start, end, count):
    """So many, evenly spread over a part of the run, as places on the grid."""
    return (GRID * (start + (end - start) * (np.arange(count) + 0.5) / max(count, 1))).astype(int)


@dataclasses.dataclass
class Results:
    """Of many runs: processes, mean, half-width."""

    count: np.ndarray
    mean: np.ndarray
    half: np.ndarray

    @classmethod
    def of(cls, runs):
        """runs: the numbers of some runs, and the values of their processes."""
        count, mean, half = np.empty(RUNS), np.empty(RUNS), np.empty(RUNS)
        for which, values in runs:
            count[which], mean[which] = values.shape[1], values.mean(axis=1)
            half[which] = estimate.half_width(values)
        return cls(count, mean, half)


def unstopped(noise, count=MOST):
    return Results.of([(np.arange(RUNS), noise[:, moments(0, 1, count)])])


def stopped(noise, wanted):
    """Decided at each look how many there will be, the rest of them spread evenly."""
    groups = [(np.arange(RUNS), np.array([], int), MOST)]
    for start, end in zip((0, *LOOKS), (*LOOKS, 1)):
        decided = []
        for which, done, total in groups:
            left = moments(start, 1, total - len(done))
            done = np.concatenate([done, left[left < end * GRID]])
            totals = needed_of(noise[which][:, done], wanted, end) if end < 1 else \
                np.full(len(which), total)
            decided += [(which[totals == each], done, each) for each in np.unique(totals)]
        groups = decided
    return Results.of((which, noise[which][:, done]) for which, done, _ in groups)


def needed_of(values, wanted, end):
    """Of each line; at the last look the least or the most, as looks.goals() has it."""
    totals = np.minimum(sharpness.processes_for(values[:, np.newaxis], wanted, MOST), MOST)
    least = max(values.shape[1], math.ceil(sharpness.LEAST * MOST))
    return np.where(totals > least, MOST, totals) if end == LOOKS[-1] else totals


def stopped_at_first_sight(noise, wanted):
    """What must not be done: a look after every process, and none after the first success."""
    places, left, found = moments(0, 1, MOST), np.arange(RUNS), []
    for count in range(2, MOST + 1):
        values = noise[left][:, places[:count]]
        sharp = (estimate.half_width(values) <= wanted) | (count == MOST)
        found.append((left[sharp], values[sharp]))
        left = left[~sharp]
    return Results.of(found)


def repeated(one, other):
    """Share of repeats inside: each run is the other's repeat."""
    apart = np.abs(one.mean - other.mean)
    return float(np.mean([apart <= one.half, apart <= other.half]))


def lost(kind, stop, reached):
    """Coverage that stopping costs. reached: processes after which about half of
    the runs would be sharp."""
    rng = np.random.default_rng(18)
    runs = of_runs(kind, rng), of_runs(kind, rng)
    wanted = float(np.median(unstopped(runs[0], reached).half))
    return repeated(*map(unstopped, runs)) - repeated(*(stop(noise, wanted) for noise in runs))


@pytest.mark.parametrize("reached", [10, 20, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_interval_holds_the_repeat_as_often(kind, reached):
    assert lost(kind, stopped, reached) <= ALLOWED + CHANCE


def test_without_the_least_it_would_not(monkeypatch):
    """What LEAST is for: half of a run is not the whole of it."""
    monkeypatch.setattr(sharpness, "LEAST", 0.0)
    assert lost(remembering, stopped, 20) > 2 * ALLOWED


@pytest.mark.parametrize("kind", [independent, remembering, heavy_tailed, bimodal])
def test_nor_with_a_look_after_every_process(kind):
    assert lost(kind, stopped_at_first_sight, 20) > 2 * ALLOWED


def test_stopping_saves_what_it_may_and_no_more():
    noise = of_runs(independent, np.random.default_rng(5))
    for reached, least, most in ((10, 30, 31), (20, 30, 34), (60, 38, 40)):
        wanted = float(np.median(unstopped(noise, reached).half))
        assert least <= stopped(noise, wanted).count.mean() <= most


def samples(spread, processes=20, most=40, twin=0.001, resolution=0.02, others=(OTHER, THIRD)):
    """A cell with that spread between processes, of each arm, and of its twin."""
    rng = np.random.default_rng(7)
    cell = Cell("test", "made", ("--rounds=4",), (BASE, *others), most, resolution)

    def times(sd):
        return np.exp(np.repeat(rng.normal(0, sd, (processes, 1)), 4, axis=1))
    seconds = {BASE + replica: times(0) for replica in REPLICAS}
    seconds |= {BASE + TWIN: times(twin), **{arm: times(spread) for arm in others}}
    return Samples(cell, seconds, {}, {}, {}, dict.fromkeys(seconds, 1), {}, [])


def test_sharpness_is_the_median_half_width_of_the_arms():
    found = samples(0.05)
    halves = [estimate.interval(estimate.log_speedups(found, arm, BASE)) for arm in (OTHER, THIRD)]
    assert sharpness.half_width(found) == pytest.approx(
        sum(each.high - each.low for each in halves) / 4)


def test_what_counts_is_not_part_of_it():
    """An arm that is observed otherwise is in no table and in no sharpness."""
    plain, more = samples(0.05), samples(0.05, others=(OTHER, THIRD))
    stretch = f"{OTHER}:observe=stretch"
    cell = dataclasses.replace(more.cell, variants=(*more.cell.variants, stretch))
    noisy = more.seconds[OTHER] * np.exp(np.random.default_rng(1).normal(0, 9, (20, 4)))
    more = dataclasses.replace(more, cell=cell, seconds={**more.seconds, stretch: noisy},
                               bytes={**more.bytes, stretch: 1})
    assert sharpness.half_width(more) == sharpness.half_width(plain)


def needed(found, wanted):
    return sharpness.needed(as_sharp_as(found, wanted))


def is_sharp(found, wanted):
    return sharpness.is_sharp(as_sharp_as(found, wanted))


def as_sharp_as(found, wanted):
    return dataclasses.replace(found, cell=dataclasses.replace(found.cell, sharpness=wanted))


def test_of_a_cell_without_other_arms_it_is_the_twins():
    found = samples(0.05, others=())
    twin = estimate.interval(estimate.log_speedups(found, BASE + TWIN, BASE))
    assert sharpness.half_width(found) == pytest.approx((twin.high - twin.low) / 2)


@pytest.mark.parametrize("processes", [0, 1])
def test_of_less_than_two_processes_nothing_is_known(processes):
    found = samples(0.05, processes)
    assert sharpness.half_width(found) == math.inf
    assert needed(found, 1e9) == 40 and not is_sharp(found, 1e9)


def test_where_one_process_is_the_most_it_is_never_sharp():
    assert not is_sharp(samples(0.05, processes=1, most=1), 1e9)


def test_half_the_width_takes_four_times_the_processes():
    found = samples(0.05)
    now = sharpness.half_width(found)
    assert needed(found, now / 2) == pytest.approx(80, abs=1)
    assert needed(found, now / 1.3) == pytest.approx(20 * 1.69, abs=1)


def test_a_sharp_cell_gets_the_least_and_then_no_more():
    for processes, wanted in ((20, 30), (29, 30), (30, 30), (35, 35), (40, 40)):
        found = samples(0.001, processes)
        assert needed(found, 1.0) == wanted
        assert is_sharp(found, 1.0) and sharpness.least(found) == wanted


@pytest.mark.parametrize("most, least", [(4, 4), (8, 8), (12, 12), (13, 12), (16, 12), (17, 13)])
def test_a_cell_of_few_processes_is_not_stopped(most, least):
    assert needed(samples(0.001, processes=2, most=most), 1e9) == least


def test_the_twin_must_reach_the_resolution():
    found = samples(0.001, twin=0.05, resolution=0.01)
    twin = estimate.same_kernel_ratio(found)
    factor = ((twin.high - twin.low) / 2 / 0.01) ** 2
    assert factor > 2 and needed(found, 1.0) == pytest.approx(20 * factor, rel=0.02)
    assert not is_sharp(found, 1.0)


def test_it_does_not_ask_where_the_interval_lies():
    """Times of an arm, and with them its ratio: nothing is decided by them."""
    found = samples(0.05)
    before = [needed(found, wanted) for wanted in (0.001, 0.02, 1.0)]
    found.seconds[OTHER] *= 5
    assert [needed(found, wanted) for wanted in (0.001, 0.02, 1.0)] == before


def test_what_cannot_be_reached_is_more_than_the_most():
    found = samples(0.05, resolution=0.0)
    assert needed(found, 1.0) == sharpness.BEYOND_REACH and not is_sharp(found, 1.0)


@pytest.mark.filterwarnings("error")     # of numbers that are none
def test_what_does_not_vary_is_as_sharp_as_anybody_wants():
    found = samples(0.0, twin=0.0, resolution=0.0)
    assert sharpness.half_width(found) == 0 and needed(found, 1e-9) == 30


def test_many_runs_at_once_are_as_each_alone():
    logs = np.random.default_rng(9).normal(0, 1, (6, 3, 20))
    together = sharpness.processes_for(logs, 0.3, 40)
    assert list(together) == [sharpness.processes_for(each, 0.3, 40) for each in logs]
