# SPDX-License-Identifier: MIT
"""The estimator on samples whose truth is known."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from artifact import answer, estimate
from artifact.cells import REPLICAS, TWIN, Cell
from artifact.samples import Samples
from tests.conftest import tiny_cell

BASE, OTHER = "serial:bulk:libc", "serial:page:libc"


def samples(rng, slower=1.0, processes=32, rounds=48, noise=0.15):
    """A machine whose speed wanders; OTHER takes ``slower`` times as long.

    The noise is skewed, as times are: they have a floor and no ceiling.
    """
    cell = Cell("test", "synthetic", ("--huge=2M", "--base=4K", f"--rounds={rounds}"),
                (BASE, OTHER), processes)
    weather = rng.normal(0, 0.3, (processes, 1)) + rng.normal(0, 0.05, (processes, rounds))

    def times(factor):
        return 2e-4 * factor * np.exp(weather + rng.exponential(noise, (processes, rounds)))
    seconds = {name: times(1) for name in
               (BASE + again for again in (*REPLICAS, TWIN))}
    seconds[OTHER] = times(slower)
    return Samples(cell, seconds, {}, {}, {}, dict.fromkeys(seconds, 2 << 20), {},
                   [{"huge_share": 1.0}] * processes)


def test_a_known_ratio_is_found_however_the_machine_wanders():
    found = estimate.speedup(samples(np.random.default_rng(1), slower=1.25), OTHER, BASE)
    assert found.low < 0.8 < found.high and found.differs_from_1
    assert found.high / found.low < 1.06


def test_bytes_count_not_calls():
    made = samples(np.random.default_rng(2), slower=3.0)
    made.bytes[OTHER] = 3 * (2 << 20)
    assert not estimate.speedup(made, OTHER, BASE).differs_from_1


def test_the_same_kernel_twice_covers_1():
    rng = np.random.default_rng(3)
    covered = sum(not estimate.same_kernel_ratio(samples(rng, rounds=24)).differs_from_1
                  for _ in range(100))
    assert covered >= 93


def test_another_arm_of_the_same_speed_covers_1():
    """The baseline has replicas and an arm has none: no bias may come of it."""
    rng = np.random.default_rng(11)
    covered = sum(not estimate.speedup(samples(rng, rounds=24), OTHER, BASE).differs_from_1
                  for _ in range(100))
    assert covered >= 93


def test_arms_of_two_cells_are_compared_by_bytes_per_second():
    rng = np.random.default_rng(12)
    fast, slow = samples(rng, slower=0.5), samples(rng, slower=2.0)
    slow.bytes[OTHER] = 2 * (2 << 20)
    found = estimate.between(fast, OTHER, slow, OTHER)
    assert found.low < 2 < found.high < 4 and found.differs_from_1
    assert estimate.between(slow, OTHER, fast, OTHER).value == pytest.approx(1 / found.value)


@pytest.mark.parametrize("arm", [BASE, OTHER])
def test_the_interval_between_cells_holds_the_result_of_another_run(arm):
    """The baseline too, of whose replicas there are more; and hardly wider than it must be."""
    rng, held, half = np.random.default_rng(13), 0, []
    for _ in range(300):
        one, again = (estimate.between(samples(rng, processes=16, rounds=8), arm,
                                       samples(rng, processes=16, rounds=8), arm)
                      for _ in range(2))
        held += one.low <= again.value <= one.high
        half.append(np.log(one.high / one.value))
    assert held >= 0.93 * 300
    # Two runs of two cells of 16 processes, each 0.3 away: 0.3 (4 / 16) ** 0.5 is one deviation.
    assert np.median(half) < 3.6 * 0.3 * (4 / 16) ** 0.5


def ar1(rng, count, correlation):
    """A drifting host: each value remembers the one before."""
    values = [rng.normal()]
    for _ in range(count - 1):
        values.append(correlation * values[-1] + rng.normal() * (1 - correlation ** 2) ** 0.5)
    return np.array(values)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6])
def test_the_interval_holds_the_result_of_another_run(correlation):
    rng = np.random.default_rng(4)
    held = sum((found := estimate.interval(ar1(rng, 32, correlation))).low
               <= ar1(rng, 32, correlation).mean() <= found.high for _ in range(400))
    assert held >= 0.93 * 400


def test_a_plain_confidence_interval_would_not_hold_it():
    """What interval() mends: without it a drifting host makes liars of us."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        one, other = ar1(rng, 32, 0.6), ar1(rng, 32, 0.6)
        held += abs(one.mean() - other.mean()) <= 2.04 * one.std(ddof=1) / 32 ** 0.5
    assert held < 0.75 * 400


@pytest.mark.parametrize("processes", [12, 20, 40, 60])
def test_of_independent_processes_the_interval_hardly_ever_misses_the_mean(processes):
    """So that thirty claims may be judged by it as they are."""
    values = np.random.default_rng(14).normal(0, 1, (4000, processes))
    missed = np.abs(values.mean(axis=1)) > estimate.half_width(values)
    assert missed.mean() < 0.01


def test_a_share_of_no_gain_is_no_number():
    nothing = np.random.default_rng(6).normal(0, 0.1, 32)
    assert estimate.share(nothing, nothing) is None


def test_a_share_is_part_over_whole():
    rng = np.random.default_rng(7)
    found = estimate.share(0.2 + rng.normal(0, 0.01, 32), 0.8 + rng.normal(0, 0.01, 32))
    assert found.low < 0.25 < found.high and found.high - found.low < 0.05


def test_the_best_of_many_equals_is_flattered_by_the_largest_of_their_errors():
    """Of 16 means with a deviation of 0.01 each it is 1.77 of these."""
    rng = np.random.default_rng(16)
    found = [estimate.flattery(rng.normal(0, 0.06, (16, 36))) for _ in range(20)]
    assert np.mean(found) == pytest.approx(0.0177, rel=0.05)


def test_what_all_arms_have_in_common_flatters_none():
    """And one arm is not chosen, nor does one process tell."""
    rng = np.random.default_rng(17)
    host = rng.normal(0, 0.1, 36)
    apart = rng.normal(0, 0.06, (3, 36))
    assert estimate.flattery(apart + host) == pytest.approx(estimate.flattery(apart), abs=1e-3)
    assert estimate.flattery(apart[:1]) == pytest.approx(0) == estimate.flattery(apart[:, :1])


def test_none_seen_is_not_never():
    none = estimate.rate(np.zeros(8), np.full(8, 10))
    assert (none.value, none.low) == (0, 0) and 0.03 < none.high < 0.1
    uneven = estimate.rate(np.array([0, 9, 0, 1]), np.array([10, 10, 0, 20]))
    assert uneven.value == 0.25 and (uneven.low, uneven.high) == (0, 1)


@pytest.mark.parametrize("hits, tries", [(0, 1), (1, 1), (0, 80), (3, 80), (80, 80)])
def test_the_exact_interval_is_that_of_scipy_stats(hits, tries):
    theirs = stats.binomtest(hits, tries).proportion_ci(estimate.LEVEL)
    assert estimate._clopper_pearson(hits, tries) == pytest.approx(tuple(theirs))


def test_a_rate_covers_what_it_was_drawn_from():
    rng = np.random.default_rng(11)
    found = [estimate.rate(rng.binomial(40, 0.02, 8), np.full(8, 40)) for _ in range(400)]
    assert sum(each.low <= 0.02 <= each.high for each in found) >= 0.94 * 400


def test_one_process_promises_nothing():
    found = estimate.interval(np.array([0.1]))
    assert found.low == -np.inf and found.high == np.inf


def test_a_cell_that_contradicts_itself_is_unstable():
    made = samples(np.random.default_rng(8))
    assert estimate.is_stable(made)
    made.seconds[BASE + TWIN] *= 1.03
    assert not estimate.is_stable(made) and estimate.contradicts_itself(made)


def test_best_serial_is_the_fastest_bulk_copy():
    made = samples(np.random.default_rng(9), slower=0.5)
    assert estimate.best_serial(made) == BASE      # OTHER is faster, but per page


def test_table_has_one_row_per_variant():
    frame = estimate.table(samples(np.random.default_rng(10), slower=2.0))
    assert list(frame["arm"]) == [BASE, OTHER]
    assert frame.loc[1, "speedup"] == pytest.approx(0.5, rel=0.05)


def test_tiny_cell_is_a_cell():
    assert tiny_cell().rounds == 3 and len(tiny_cell().arms) == 5


def test_an_answer_tells_a_cell_that_contradicts_itself_from_one_that_is_not_sharp():
    good, bad = (samples(np.random.default_rng(6)) for _ in range(2))
    bad.seconds[BASE + TWIN][:] *= 10
    blunt = dataclasses.replace(good, cell=dataclasses.replace(good.cell, resolution=1e-9))

    def said(*cells):
        return answer.with_warnings("So.", {"test": list(cells)})
    assert said(good) == "So."
    assert said(good, bad) == ("So. Inconclusive where it rests on cells in which a routine differs "
                               "from itself: test synthetic.")
    assert said(good, blunt, blunt) == "So. Intervals are wider than planned in 2 of 3 cells."
