# SPDX-License-Identifier: MIT
"""The first screen: eight ways on one axis, and three answers in a word each."""

import dataclasses
import math

import pytest

from artifact import ctools, eras, estimate, headline, measured, paths, teams
from artifact.estimate import Estimate
from artifact.experiments import serial_ladder
from artifact.verdicts.tests import Absent, Evidence

RECORDED = "recorded/kvm-epyc-2cpu"


@pytest.fixture(scope="module")
def evidence():
    return Evidence(measured.of(paths.run(RECORDED)))


@pytest.fixture(scope="module")
def ladder(evidence):
    return evidence.samples("serial-ladder", "cold-cold")


def test_the_loop_is_one_and_everything_is_over_it(evidence, ladder):
    found = headline.rows(evidence)
    assert len({row.label for row in found}) == len(found) == 8
    loop, = (row for row in found if row.speed == Estimate(1.0, 1.0, 1.0))
    assert loop.is_loop and loop.label == eras.label(ladder.cell.baseline)
    bulk, = (row for row in found if row.label.startswith("one call, same routine"))
    assert bulk.speed == estimate.speedup(ladder, serial_ladder.LADDER[-1].format(ladder.cell.own),
                                          ladder.cell.baseline)
    assert len(bulk.published) > 1


def test_teams_are_put_on_the_axis_by_the_call_beside_them(evidence, ladder):
    idle, = (row for row in headline.rows(evidence) if "idle" in row.label)
    threads = evidence.samples("threads", "spread-1-folio")
    (arm, _), own = teams.fastest(threads, "wake"), ladder.cell.own
    over_call = estimate.log_speedups(threads, arm, f"serial:bulk:{own}").mean()
    over_loop = estimate.log_speedups(ladder, f"serial:bulk:{own}",
                                      ladder.cell.baseline).mean()
    assert math.log(idle.speed.value) == pytest.approx(over_call + over_loop)


def test_errors_of_two_cells_add_as_variances_do():
    found = estimate.product(Estimate(2.0, 2 / 1.3, 2 * 1.3), Estimate(0.5, 0.5 / 1.4, 0.5 * 1.4))
    assert found.value == pytest.approx(1)
    half = math.hypot(math.log(1.3), math.log(1.4))
    assert (found.low, found.high) == pytest.approx((math.exp(-half), math.exp(half)))
    endless = estimate.product(Estimate(2.0, 0.0, math.inf), Estimate(1.0, 0.9, 1.1))
    assert (endless.low, endless.high) == (0, math.inf)


def test_a_kernel_may_call_the_best_without_fpu(ladder):
    routine = ladder.cell.of(estimate.best_serial(ladder)).primitive
    said = ctools.listed()["primitives"][routine]
    assert not said["fpu"] and "libc" not in said["roles"]
    assert ctools.listed()["primitives"]["nt-avx2"]["fpu"]
    ceiling = estimate.best_serial(ladder, ceiling=True)
    assert estimate.log_speedups(ladder, ceiling, f"serial:bulk:{routine}").mean() >= 0


@pytest.mark.parametrize("ratio, word, kind", [
    (Estimate(1.2, 1.1, 1.3), "faster", "gain"), (Estimate(0.8, 0.7, 0.9), "slower", "loss"),
    (Estimate(1.006, 1.002, 1.01), "barely faster", "open"),
    (Estimate(0.97, 0.96, 0.98), "barely slower", "open"),
    (Estimate(1.2, 0.9, 1.6), "no clear difference", "open")])
def test_a_card_says_it_in_a_word(ratio, word, kind):
    card = headline._card("", ratio, "")
    assert (card.word, card.kind) == (word, kind)


@pytest.mark.parametrize("factor, light", [(1.01, "sharp"), (1.06, "fair"), (1.5, "rough"),
                                           (math.inf, "rough")])
def test_the_widest_ratio_tells_how_sharp_it_is(evidence, factor, light):
    ratios = [Estimate(1.0, 1.0, 1.0), Estimate(2.0, 2 / factor, 2 * factor)]
    assert headline.quality(evidence.measured.timed, ratios).light == light


def test_a_run_without_a_ladder_has_no_first_screen(evidence):
    bare = Evidence(evidence.measured.part(type(evidence.measured.plan)(())))
    for of in (headline.rows, headline.cards):
        with pytest.raises(Absent):
            of(bare)


@pytest.mark.parametrize("ours, theirs, told", [
    (("a", 1.0, 1.2), ("a", 1.1, 1.3), "meet"), (("a", 1.1, 1.3), ("a", 1.0, 1.1), "meet"),
    (("a", 1.0, 1.2), ("a", 1.3, 1.4), "apart"), (("a", 1.3, 1.4), ("a", 1.0, 1.2), "apart"),
    (("a", 1.0, 1.2), ("b", 1.0, 1.2), "another routine")])
def test_ways_of_two_runs_are_compared_where_the_routine_is_the_same(ours, theirs, told):
    one, other = (headline.Row(label, Estimate(low, low, high), way="best")
                  for label, low, high in (ours, theirs))
    assert [pair.told for pair in headline.beside([one], [other])] == [told]


def test_ways_that_one_run_lacks_are_left_out(evidence):
    found = headline.rows(evidence)
    assert len({row.way for row in found} - {""}) == len(found)
    pairs = headline.beside(found, found[::-1][2:])
    assert [pair.ours for pair in pairs] == [pair.theirs for pair in pairs] == found[:-2]
    assert [pair.told for pair in pairs].count("the loop") == 1
    loop, = (row for row in found if row.is_loop)
    assert headline.beside([loop], [dataclasses.replace(loop, label="x")])[0].told == "another loop"


def test_the_bars_of_a_hasty_run_leave_the_dots_in_sight():
    fig = headline.figure([headline.Row("loop", Estimate(1.0, 1.0, 1.0), is_loop=True),
                           headline.Row("hasty", Estimate(2.0, 1e-9, 1e9), ((3.0, "elsewhere"),)),
                           headline.Row("endless", Estimate(1.5, 0.0, math.inf))])
    low, high = fig.axes[0].get_xlim()
    assert low == 0 and 3 < high < 5
