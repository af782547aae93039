# SPDX-License-Identifier: MIT
"""A machine that changes for good half way: found where it does, and seldom where not."""

import math
import types

import numpy as np
import pytest
from scipy import stats

from artifact import notebook, steps
from artifact.cells import REPLICAS, TWIN, Cell
from artifact.samples import Samples

BASE, OTHER, THIRD = "serial:bulk:libc", "serial:page:libc", "serial:bulk:movsq"
ROUNDS = 6


def remembering(rng, correlation, *shape):
    """AR(1) of variance 1 along the last axis."""
    values = rng.normal(size=shape)
    for i in range(1, shape[-1]):
        values[..., i] *= math.sqrt(1 - correlation ** 2)
        values[..., i] += correlation * values[..., i - 1]
    return values


def samples(rng, processes=32, weather=0.05, noise=0.01, factors=None, others=(OTHER, THIRD)):
    """A cell of a machine whose speed wanders by ``weather``, and each ratio by ``noise``.

    factors: of an arm, or "all", how many times longer each process's copies take.
    """
    cell = Cell("test", "made", (f"--rounds={ROUNDS}",), (BASE, *others), processes)
    arms = [*(BASE + again for again in (*REPLICAS, TWIN)), *others]
    factors = factors or {}
    host = weather * remembering(rng, 0.3, processes) + np.log(factors.get("all", 1))
    seconds = {}
    for arm in arms:
        own = noise * remembering(rng, 0.3, processes) if arm in others else 0
        level = host + own + np.log(factors.get(arm, 1))
        seconds[arm] = 1e-4 * np.exp(level[:, np.newaxis] + rng.normal(0, 0.002, (processes, ROUNDS)))
    facts = {"steal_seconds": 0.0, "quiet": "yes", "huge_share": 1.0, "overhead_ns": 30.0}
    return Samples(cell, seconds, {}, {}, {}, dict.fromkeys(arms, 1), {}, [facts] * processes)


def from_process(first, factor, processes=32):
    return np.where(np.arange(processes) >= first, factor, 1.0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("first", [10, 16, 21])
def test_a_step_of_time_is_found_at_its_place(seed, first):
    made = samples(np.random.default_rng(seed), factors={"all": from_process(first, 1.3)})
    found = steps.step(made)
    assert found.what == "time" and found.arm == "" and abs(found.first - first) <= 1
    assert found.ratio == pytest.approx(1.3, rel=0.07) and found.processes == 32


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("arm", [OTHER, THIRD])
def test_a_step_of_a_ratio_is_found_with_its_arm(seed, arm):
    made = samples(np.random.default_rng(seed), factors={arm: from_process(14, 1 / 1.05)})
    found = steps.step(made)
    assert (found.what, found.arm) == ("ratio", arm) and abs(found.first - 14) <= 1
    assert found.ratio == pytest.approx(1.05, rel=0.015)


def test_of_both_the_ratio_is_told():
    both = {"all": from_process(12, 2.0), OTHER: from_process(20, 1.1)}
    assert steps.step(samples(np.random.default_rng(1), factors=both)).arm == OTHER


def test_a_step_that_does_not_matter_is_none():
    """Both as clear as can be, and below what is said."""
    rng = np.random.default_rng(2)
    factors = {"all": from_process(16, 1.04)}
    assert steps.step(samples(rng, weather=1e-4, factors=factors)) is None
    factors = {"all": from_process(16, 1.06)}
    assert steps.step(samples(rng, weather=1e-4, factors=factors)).what == "time"


def test_a_ratio_must_move_by_more_than_its_interval(monkeypatch):
    made = samples(np.random.default_rng(3), factors={OTHER: from_process(16, 1.1)})
    assert steps.step(made).arm == OTHER
    widths = []

    def wide(values):
        widths.append(values)
        return math.log(1.2)
    monkeypatch.setattr(steps.estimate, "half_width", wide)
    assert steps.step(made) is None
    # It was asked for the interval that there would be without the step.
    assert len(widths) == 1 and np.ptp(widths[0]) < 0.06


@pytest.mark.parametrize("processes", [0, 1, 5, steps.FEWEST - 1])
def test_of_few_processes_nothing_is_said(processes):
    factors = {"all": from_process(processes // 2, 3.0, processes)}
    assert steps.step(samples(np.random.default_rng(4), processes, factors=factors)) is None


def test_of_fewer_nothing_could_be():
    """Where all of one half are above all of the other."""
    def clearest(processes):
        return (processes // 2) * ((processes + 1) // 2)
    assert steps.critical(steps.FEWEST - 1, 1) == clearest(steps.FEWEST - 1)
    assert steps.critical(steps.FEWEST, 1) < clearest(steps.FEWEST)


def test_what_never_changes_has_no_step():
    assert steps.step(samples(np.random.default_rng(5), weather=0, noise=0)) is None
    still = samples(np.random.default_rng(5))
    for times in still.seconds.values():
        times[:] = 1e-4
    assert steps.step(still) is None
    for times in still.seconds.values():
        times[-3:] = 2e-4       # no more than chance, whatever the order of equals
    assert steps.step(still) is None


def test_a_few_bad_processes_are_no_step():
    bad = np.ones(32)
    bad[20:23] = 4
    assert steps.step(samples(np.random.default_rng(6), factors={"all": bad, OTHER: bad})) is None


def test_its_place_does_not_lean_to_the_middle():
    rng, off = np.random.default_rng(11), []
    for _ in range(200):
        line = remembering(rng, 0.3, 32) + 5 * (np.arange(32) >= 10)
        off.append([abs(steps._place(line) - 10) > 1,
                    abs(steps.pettitt(stats.rankdata(line)[np.newaxis]).argmax() + 1 - 10) > 1])
    assert np.mean(off, axis=0)[0] < 0.05 and np.mean(off, axis=0)[1] > 0.15


def test_pettitt_counts_pairs():
    values = np.random.default_rng(7).integers(0, 9, (3, 11))
    ranks = stats.rankdata(values, axis=1)
    pairs = [[abs(sum(np.sign(b - a) for a in line[:at] for b in line[at:])) for at in range(1, 11)]
             for line in values]
    assert steps.pettitt(ranks).tolist() == pairs


def statistics(rng, correlation, cells, lines, processes):
    """The clearest of the lines of each cell, in which there is no step."""
    noise = remembering(rng, correlation, cells * lines, processes)
    ranks = noise.argsort(axis=1).argsort(axis=1) + 1
    return steps.pettitt(ranks).max(axis=1).reshape(cells, lines).max(axis=1)


@pytest.mark.parametrize("processes, lines", [(16, 1), (20, 4), (24, 1), (32, 1), (32, 12),
                                              (32, 48), (64, 1), (64, 6)])
def test_chance_makes_a_step_as_often_as_it_may(processes, lines):
    """The simulation that the critical values are from, with other noise."""
    cells = 120_000 // lines
    found = statistics(np.random.default_rng(8), 0.3, cells, lines, processes)
    share = np.mean(found > steps.critical(processes, lines))
    allowed = steps.CHANCE / 2
    assert share <= allowed + 4 * math.sqrt(allowed / cells)
    # No more cautious than whole numbers make it.
    assert share >= allowed / (10 if processes < 24 else 3)


def test_pettitts_own_formula_would_see_too_many():
    """What CORRELATION mends."""
    n = 32
    found = statistics(np.random.default_rng(9), 0.3, 20_000, 1, n)
    p = 2 * np.exp(-6 * found ** 2 / (n ** 3 + n ** 2))
    assert np.mean(p <= steps.CHANCE) > 2 * steps.CHANCE


@pytest.mark.parametrize("processes", [16, 24, 32])
def test_a_cell_without_a_step_is_seldom_noted(processes):
    rng = np.random.default_rng(10)
    noted = sum(steps.step(samples(rng, processes)) is not None for _ in range(400))
    assert noted <= 0.02 * 400


@pytest.mark.parametrize("arm", ["all", OTHER])
def test_a_step_of_three_sigma_is_seldom_missed(arm):
    sigma = 0.05
    found = 0
    for seed in range(100):
        made = samples(np.random.default_rng(seed), 24, weather=sigma, noise=sigma, factors={
            arm: from_process(12, math.exp(3 * sigma), 24)})
        step = steps.step(made)
        found += step is not None and step.arm == arm.removeprefix("all") and abs(step.first - 12) <= 2
    assert found >= 90


def test_it_is_told_in_a_sentence():
    assert str(steps.Step(16, 1.3123, 32)) == "from process 17 of 32 on, times are 1.31 times as long"
    assert str(steps.Step(16, 0.9598, 32, OTHER)) == \
        f"from process 17 of 32 on, the ratio of {OTHER} is 0.96 times as large"


STEPPED = {"all": from_process(16, 2.0)}


def test_the_row_of_a_cell_has_it():
    still, stepped = (samples(np.random.default_rng(12), factors=f) for f in (None, STEPPED))
    assert notebook._cell_row(still)["step"] == ""
    assert notebook._cell_row(stepped)["step"] == str(steps.step(stepped)) != ""


def test_a_figure_says_so_in_one_line(monkeypatch):
    still, stepped = (samples(np.random.default_rng(12), factors=f) for f in (None, STEPPED))
    assert notebook._steps([still, still]) == ""
    told = f"\na step in made: {steps.step(stepped)}"
    assert notebook._steps([still, stepped]) == told
    assert notebook._steps([stepped, still, stepped, stepped]) == f"{told}; steps in 2 more"
    monkeypatch.setattr(notebook.machine, "summary", lambda found: "a machine")
    opened = types.SimpleNamespace(changes=[], run=types.SimpleNamespace(name="one"),
                                   measured=types.SimpleNamespace(machine={}))
    assert notebook.Notebook._footer(opened, [still, stepped]).endswith(told)
