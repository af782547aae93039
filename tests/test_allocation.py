# SPDX-License-Identifier: MIT
"""Processes against rounds, on samples whose spread is known, and the two commands."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest

from artifact import allocation, measured, paths, sharpness
from artifact.cells import REPLICAS, TWIN, Cell
from artifact.estimate import Estimate
from artifact.samples import Samples
from artifact.verdicts import claims, compare
from tests.conftest import one_line

RECORDED = [f"recorded/{folder.name}" for folder in sorted(paths.RECORDED.glob("*/"))]
BASE, OTHER = "serial:bulk:libc", "serial:page:libc"


def samples(between, within, processes=400, rounds=40, facts=None):
    """within: standard deviation of one round's log-ratio."""
    rng = np.random.default_rng(3)
    cell = Cell("test", "made", (f"--rounds={rounds}",), (BASE, OTHER), processes)
    seconds = {BASE + again: np.full((processes, rounds), 0.001) for again in (*REPLICAS, TWIN)}
    seconds[OTHER] = 0.001 * np.exp(rng.normal(0, between, (processes, 1))
                                    + rng.normal(0, within, (processes, rounds)))
    return Samples(cell, seconds, {}, {}, {}, dict.fromkeys(seconds, 1), {},
                   [facts or {}] * processes)


def of_a_median(variance, rounds):
    """Variance of the median of so many normal values."""
    return math.pi / 2 * variance / rounds


@pytest.mark.parametrize("between, within", [(0.02, 0.1), (0.1, 0.1), (0.05, 0.01)])
def test_the_two_parts_of_the_spread_are_found(between, within):
    found = allocation.variances(samples(between, within))
    assert found[0] == pytest.approx(between ** 2, rel=0.2)
    assert found[1] == pytest.approx(of_a_median(within ** 2, 40), rel=0.2)


def test_an_odd_round_is_left_out_of_the_halves():
    """Halves of one round each, whose difference has twice the variance of a round."""
    _, within = allocation.variances(samples(0.1, 0.1, processes=2000, rounds=3))
    assert within == pytest.approx(2 * 0.1 ** 2 / 4, rel=0.1)


def test_rounds_that_are_alike_for_a_while_are_no_more_certain_for_their_number():
    """Both halves of a process drift apart: a longer one would know more."""
    plain, slow = samples(0.0, 0.1), samples(0.0, 0.1)
    slow.seconds[OTHER][:, :20] *= np.exp(np.random.default_rng(6).normal(0, 0.1, (400, 1)))
    assert allocation.variances(slow)[1] > 2 * allocation.variances(plain)[1]


def test_of_one_round_all_is_between_processes():
    between, within = allocation.variances(samples(0.02, 0.1, rounds=1))
    assert within == 0 and between == pytest.approx(0.0104, rel=0.2)


def test_of_one_process_nothing_is_known():
    assert allocation.variances(samples(0.02, 0.1, processes=1)) == (0, 0)


def test_a_process_that_tells_its_times_is_believed():
    told = samples(0.01, 0.1, facts={"seconds_started": 0.75, "seconds_sampled": 2.0})
    assert allocation.costs(told, 0.4) == pytest.approx((0.75, 0.05))
    assert allocation.costs(samples(0.01, 0.0), 0.4) == pytest.approx((0.4, 0.005), rel=0.01)


def test_one_that_does_not_makes_it_a_guess():
    told = samples(0.01, 0.1, facts={"seconds_started": 0.75, "seconds_sampled": 2.0})
    told.facts[-1] = {}
    assert allocation.costs(told, 0.4)[0] == 0.4


def time(starts, processes, rounds):
    return processes * (starts + rounds)


@pytest.mark.parametrize("between, within, starts", [
    (1.0, 1.0, 10.0), (1.0, 0.1, 5.0), (0.2, 1.0, 50.0), (3.0, 0.5, 100.0)])
def test_no_other_division_is_as_sharp_in_less_time(between, within, starts):
    rounds, processes = allocation.best(between, within, starts, 100, 40)

    def exact(r):
        return 100 * (between + 40 * within / r) / (between + within)
    assert processes == math.ceil(exact(rounds) - 1e-9)
    assert time(starts, exact(rounds), rounds) <= 1.001 * min(
        time(starts, exact(r), r) for r in range(10, 2000) if exact(r) >= sharpness.FEWEST)


def test_far_fewer_rounds_than_were_measured_are_not_advised():
    """By the formula one would do; nobody has seen what it varies by."""
    assert allocation.best(1.0, 1e-6, 1.0, 20, 40) == (10, 21)


def test_there_are_never_fewer_processes_than_an_interval_needs():
    """Where all is chance of the rounds, one process would do by the formula."""
    assert allocation.best(0.0, 1.0, 10.0, 48, 10) == (40, 12)
    assert allocation.best(0.0, 1.0, 10.0, 8, 10) == (10, 8)


def test_what_does_not_vary_stays_as_it_is():
    assert allocation.best(0.0, 0.0, 10.0, 8, 10) == (10, 8)


def test_the_table_has_a_line_for_each_cell_and_the_sum():
    each = allocation.Allocation(samples(0, 1, 6, 10).cell, 6, 0.05, 0.03, 0.01, 1.0, 0.1, 20, 3)
    _, *lines, last = allocation.table([each, dataclasses.replace(each, best_processes=1)])
    assert len(lines) == 2
    assert lines[0].split() == ["test", "made", "6", "10", "5.00%", "3.00%", "1.00%", "1.00", "100.00",
                                "12.0", "|", "3", "20", "9.0"]
    assert last == "0.4 minutes as measured, 0.2 at best"


def test_every_cell_of_a_recorded_run_is_in_it(artifact):
    done = artifact("allocation", "--run", RECORDED[0])
    assert done.returncode == 0, done.stderr
    everything = measured.of(paths.run(RECORDED[0]))
    for found in everything.timed:
        assert f"{found.cell.experiment} {found.cell.label} " in done.stdout


@pytest.mark.parametrize("start", ["0", "-1", "x", "inf", "nan"])
def test_a_start_is_a_time(start):
    done = subprocess.run([sys.executable, "-m", "artifact", "allocation", f"--start={start}"],
                          cwd=paths.ROOT, capture_output=True, text=True)
    one_line(done, "is not a time in seconds")
    assert done.returncode == 2


def test_neither_command_draws(results):
    """Numbers never need matplotlib."""
    for command in (["allocation", "--run", RECORDED[0]], ["sharpness", RECORDED[0], RECORDED[0]]):
        done = subprocess.run([sys.executable, "-X", "importtime", "-m", "artifact", *command],
                              cwd=paths.ROOT, capture_output=True, text=True)
        assert done.returncode == 0 and "matplotlib" not in done.stderr, command


def judged(*estimates):
    return [claims.Verdict(claim, "holds", "", each)
            for claim, each in zip(claims.published_claims(), estimates)]


def around(half):
    return Estimate(1.0, 1 - half, 1 + half)


@pytest.mark.parametrize("mine, theirs, said", [
    (around(0.1), around(0.2), True), (around(0.2), around(0.1), False),
    (around(0.1), around(0.1), True), (None, around(0.1), False), (around(0.1), None, None),
    (None, None, None), (None, around(0.0), None)])
def test_wider_is_what_is_wider_or_missing(monkeypatch, mine, theirs, said):
    """None: nothing to compare it with, as where a count is exact."""
    runs = [paths.run(name) for name in RECORDED[:2]]
    found = {runs[0].name: judged(mine), runs[1].name: judged(theirs)}
    monkeypatch.setattr(claims, "verdicts", lambda measured: found[measured.run.name])
    lines, as_sharp = compare.sharpness(*runs)
    assert as_sharp == (said is not False) and len(lines) == 2 + (said is not None)
    assert said is None or lines[1].endswith("as sharp" if said else "WIDER")


def test_a_run_is_as_sharp_as_itself_and_the_status_tells(artifact):
    done = artifact("sharpness", RECORDED[0], RECORDED[0])
    assert done.returncode == 0 and done.stdout.count("as sharp") >= 8 and "WIDER" not in done.stdout
    assert "1.00 times as wide in the middle" in done.stdout
    statuses = {artifact("sharpness", *pair).returncode
                for pair in (RECORDED[:2], RECORDED[1::-1])}
    assert statuses == {1}      # each of the two is sharper in some verdict
