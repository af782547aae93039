# SPDX-License-Identifier: MIT
"""Measuring in stages: what each cell gets between two looks, however often it is stopped.

Nothing is timed here: processes are made up from their seeds, and so is the clock.
"""

import builtins
import collections
import contextlib
import functools
import io
import os
import shutil
import time

import numpy as np
import pyperf
import pytest

from artifact import kept, measured, paths, plan, report, samples
from artifact.cells import KernelCell
from artifact.measuring import gate, looks, passes, process
from artifact.notebook import Notebook
from artifact.plan import Entry, Plan, PlanFile
from artifact.problem import Damaged, Problem
from artifact.questions import QUESTIONS
from tests.conftest import tiny_cell

pytestmark = pytest.mark.usefixtures("nobody_else")

RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))[0]
SECONDS = 10            # that a made-up process takes
CELLS = [tiny_cell("few", 2), tiny_cell("sharp", 20, sharpness=1.0),
         tiny_cell("noisy", 24, sharpness=1e-9), tiny_cell("all", 16)]


@pytest.fixture
def clock(monkeypatch):
    """A clock that only processes move, or whoever calls it."""
    now = [0.0]

    def forward(seconds):
        now[0] += seconds
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", forward)
    return forward


@pytest.fixture
def made_up(monkeypatch, clock):
    """Processes made up from their seeds; returns the list of those that there were.
    Where it has so many as its last item says, it is stopped."""
    ran = Ran()

    def measure(cell, seed, output, facts):
        if len(ran) == ran.last:
            raise KeyboardInterrupt
        ran.append((cell.label, seed - 1))
        clock(SECONDS)
        rng = np.random.default_rng([seed, *cell.label.encode()])
        facts = {**facts, "seconds_process": float(SECONDS), "bytes": 65536, "huge_share": 1.0,
                 "overhead_ns": 1, "steal_seconds": 0.0}
        output.parent.mkdir(parents=True, exist_ok=True)
        pyperf.BenchmarkSuite([pyperf.Benchmark([pyperf.Run(
            list(1e-6 * np.exp(0.01 * rng.normal(size=cell.rounds))), collect_metadata=False,
            metadata={**facts, "name": arm, "unit": "second", "loops": 1})])
            for arm in cell.arms]).dump(str(output), replace=True)
    monkeypatch.setattr(process, "measure", measure)
    monkeypatch.setattr(gate.QuietGate, "wait", lambda self, cell: True)
    return ran


class Ran(list):
    """Label and index of every process; the run is stopped before the ``last``."""

    last = -1


def files(run):
    return {str(path.relative_to(run.cells)): path.read_bytes() for path in run.cells.rglob("*.json*")}


def counts(run):
    return {cell.label: samples.read_timed(run, cell).processes for cell in CELLS}


def test_everything_is_there_at_the_first_look_and_more_at_each(results, made_up):
    run, seen = paths.run("one"), []
    passes.measure(run, CELLS, quietly, draw=lambda: seen.append(counts(run)))
    assert seen == [{"few": 2, "sharp": 3, "noisy": 3, "all": 3},
                    {"few": 2, "sharp": 10, "noisy": 12, "all": 8}]
    assert counts(run) == {"few": 2, "sharp": 15, "noisy": 24, "all": 16}
    assert len(made_up) == len(set(made_up)) == 2 + 15 + 24 + 16


def quietly(line):
    pass


def test_a_sharp_cell_is_spread_over_all_of_the_run(results, made_up):
    passes.measure(paths.run("one"), CELLS, quietly)
    places = [place for place, (label, _) in enumerate(made_up) if label == "sharp"]
    assert places[-1] > 0.85 * len(made_up)
    assert max(np.diff(places)) <= 6


@pytest.mark.parametrize("minutes", [2, 7, 600])
def test_stopped_anywhere_and_gone_on_it_ends_with_the_same_files(results, made_up, minutes):
    """The last process of a stage, the first of the next, and all between."""
    passes.measure(paths.run("whole"), CELLS, quietly, minutes)
    whole, processes = files(paths.run("whole")), list(made_up)
    assert len(processes) == {2: 11, 7: 42, 600: 57}[minutes]
    for stop in range(0, len(processes), 2):
        run = paths.run(f"stopped-{stop}")
        made_up.clear()
        made_up.last = stop
        with pytest.raises(KeyboardInterrupt):
            passes.measure(run, CELLS, quietly, minutes)
        assert files(run).keys() >= {f"{cell.id}/{index:03}.json" for label, index in processes[:stop]
                                     for cell in CELLS if cell.label == label}
        made_up.last = -1
        passes.measure(run, CELLS, quietly, minutes)
        assert made_up == processes
        assert files(run).keys() == whole.keys()


def test_when_the_time_is_up_it_ends_and_goes_on_when_it_is_asked_again(results, made_up):
    run = paths.run("one")
    passes.measure(run, CELLS, quietly, minutes=5)
    assert len(made_up) == 30
    after = counts(run)
    passes.measure(run, CELLS, quietly, minutes=5)
    assert len(made_up) == 57 and all(counts(run)[label] >= after[label] for label in after)


def test_the_first_look_comes_whatever_the_time(results, made_up):
    run, seen = paths.run("one"), []
    passes.measure(run, CELLS, quietly, minutes=0.1, draw=lambda: seen.append(counts(run)))
    assert seen == [{"few": 2, "sharp": 3, "noisy": 3, "all": 3}] and len(made_up) == 11


def test_time_for_drawing_is_kept(results, made_up, clock):
    passes.measure(paths.run("one"), CELLS, quietly, minutes=6, draw=lambda: clock(60))
    # One of six minutes went on the first report, and a quarter more is left for the last;
    # half-way nothing is drawn, as there is no time for anything new.
    assert len(made_up) == 22 and time.monotonic() == 60 * 5 - 20


def test_short_of_time_each_cell_gets_the_same_part_of_what_it_lacks(results, made_up):
    run = paths.run("one")
    cells = [tiny_cell("a", 10), tiny_cell("b", 40), tiny_cell("c", 40)]
    passes.measure(run, cells, quietly, minutes=51 * SECONDS / 60)
    found = [samples.read_timed(run, cell).processes for cell in cells]
    assert found[0] in (5, 6, 7) and abs(found[1] - found[2]) <= 1 and 21 <= found[1] <= 23


def test_what_cannot_be_drawn_yet_does_not_end_the_measuring(results, made_up):
    def draw():
        raise Problem("no figure", "too little", "wait")
    said = []
    passes.measure(paths.run("one"), CELLS, said.append, draw=draw)
    assert len(made_up) == 57 and sum("measuring continues: no figure" in line for line in said) == 2


def test_a_rejected_cell_is_measured_again_only_if_that_fits(results, made_up):
    cell = tiny_cell("unstable", 6, resolution=0.0)
    for minutes, processes in ((1.2, 6), (3, 12)):
        made_up.clear()
        run = paths.run(f"minutes-{processes}")
        passes.measure(run, [cell], quietly, minutes)
        assert len(made_up) == processes
        assert run.cell_file(cell.id).exists()
        assert run.rejected_file(cell.id).exists() == (processes == 12)


def test_a_damaged_record_of_decisions_is_one_line(results, made_up):
    run = paths.run("one")
    run.cells.mkdir(parents=True)
    for text in ("{", "[{}]", "[1]", "3"):
        (run.measured / "looks.json").write_text(text)
        with pytest.raises(Damaged, match="looks.json: not readable.*delete it"):
            passes.measure(run, CELLS, quietly)
    assert not made_up


def a_run(cells):
    run = paths.run("one")
    plan.write(run, PlanFile("", None, {"01-serial-copy": Entry(
        "01-serial-copy", {}, Plan(tuple(cells)))}))
    return run


def test_what_is_there_can_be_read_at_any_time(results, made_up):
    run = a_run(CELLS)
    for stop in (0, 1, 4, 8, 11, 30):
        made_up.last = stop
        with pytest.raises(KeyboardInterrupt):
            passes.measure(run, CELLS, quietly)
        found = measured.Measured(run, plan.read_own(run))
        if stop < 8:
            assert found.not_yet == ("test",) and not found.plan.cells
            assert "not measured far enough" in dict(found.plan.skipped)["test"]
        else:
            assert found.not_yet == () and len(found.timed) == 4
            assert found.provisional.startswith(f"{stop} of ")
    made_up.last = -1
    passes.measure(run, CELLS, quietly)
    assert measured.of(run).provisional == ""


def test_a_finished_cell_may_have_fewer_than_the_most(results, made_up):
    run = paths.run("one")
    passes.measure(run, CELLS, quietly)
    found = samples.read_timed(run, CELLS[1])
    assert (found.processes, found.cell.processes) == (15, 20) and found.finished


def test_how_long_each_stage_took_is_kept(results, made_up, clock):
    run = paths.run("one")
    passes.measure(run, CELLS, quietly, draw=lambda: clock(7))
    looks.drew_last(run, 5.0)
    looks.drew_last(run, 6.0)       # drawn once more, when nothing was measured
    found = looks.spent(run)
    assert (found.stages, found.kernels, found.drawings) == (57 * SECONDS, 0, [7, 7, 5])


def test_a_stage_that_was_stopped_counts_as_far_as_it_came(results, made_up):
    run = paths.run("one")
    for last in (4, 30, -1):
        made_up.last = last
        with contextlib.suppress(KeyboardInterrupt):
            passes.measure(run, CELLS, quietly)
    assert looks.spent(run).stages == 57 * SECONDS


def test_a_process_costs_no_more_beside_a_thousand_cells(results, made_up, monkeypatch):
    """Counted in what is asked of the file system, and in cells that are read."""
    calls = collections.Counter()

    def counting(owner, name):
        original = getattr(owner, name)

        def counted(*arguments, **named):
            calls[name] += 1
            return original(*arguments, **named)
        monkeypatch.setattr(owner, name, counted)
    for owner, name in ((os, "stat"), (os, "scandir"), (os, "replace"), (io, "open"),
                        (builtins, "open"), (samples, "read_timed"), (looks.sharpness, "needed")):
        counting(owner, name)
    found = {}
    for count in (10, 1000):
        calls.clear()
        made_up.clear()
        passes.measure(paths.run(f"of-{count}"), [tiny_cell(f"{nth}", 2) for nth in range(count)],
                       quietly)
        assert len(made_up) == 2 * count
        found[count] = {name: calls[name] / len(made_up) for name in calls}
    assert found[1000].keys() == found[10].keys() and found[10]["stat"] > 1
    for name, each in found[1000].items():
        assert each <= 1.1 * found[10][name], name


def test_stages_are_what_the_simulation_stops_at():
    from tests import test_sharpness

    assert [stage.name for stage in looks.STAGES] == ["first", "half", "three quarters", "all"]
    assert test_sharpness.LOOKS == (0.5, 0.75)


@pytest.fixture
def replayed(results, monkeypatch):
    """A run of the recorded cells, whose processes are those that were recorded."""
    recorded, run = paths.run(f"recorded/{RECORDED}"), paths.run("again")
    run.cells.mkdir(parents=True)
    shutil.copy(recorded.plan if recorded.plan.exists() else recorded.older_plans, run.measured)
    shutil.copy(recorded.machine, run.measured)
    cells = plan.read_own(run).cells
    for cell in cells:
        if isinstance(cell, KernelCell):
            shutil.copy(recorded.cell_file(cell.id), run.cells)
    load = functools.cache(pyperf.BenchmarkSuite.load)

    def measure(cell, seed, output, facts):
        output.parent.mkdir(parents=True, exist_ok=True)
        # A recorded cell may have been sharp before its most: then some come again.
        pyperf.BenchmarkSuite([
            pyperf.Benchmark([each.get_runs()[(seed - 1) % len(each.get_runs())]])
            for each in load(str(recorded.cell_file(cell.id))).get_benchmarks()]).dump(
                str(output), replace=True)
    monkeypatch.setattr(process, "measure", measure)
    return run, list(cells)


def test_stopped_after_the_first_look_a_whole_report_is_left(replayed, artifact, monkeypatch):
    run, cells = replayed

    def draw():
        report.draw(run, quietly, quick=True)
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        passes.measure(run, cells, quietly, draw=draw)
    found = measured.of(run)
    assert found.provisional == f"{found.provisional.split()[0]} of {sum(map(most, cells))} processes"
    html = run.report.read_text()
    assert f"Provisional: {found.provisional}" in html
    assert html.count('<img src="data:image/png;base64,') == 1 + len(kept.figures(run)) > 15
    assert {name for name in QUESTIONS if not kept.read(run, name)["provisional"]} == {
        "07-page-migration"}        # of kernels alone
    assert f"provisional ({found.provisional})" in " ".join(
        (run.drawn / "changelog.txt").read_text().split())
    assert not list(run.figures.glob("*.svg")) and ".svg" not in html
    monkeypatch.setattr(paths, "ONLY_DRAWS", True)
    drawn = Notebook("01-serial-copy", {"run": run.name})
    assert "PROVISIONAL: " in drawn._footer(drawn.samples("serial-ladder"))
    said = artifact("claims", "--run", "again")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.endswith(f"provisional ({found.provisional}): make reproduce continues\n")
    passes.measure(run, cells, quietly)
    assert measured.of(run).provisional == "" and not any(run.process_files(cell.id) for cell in cells)


def most(cell):
    return 0 if isinstance(cell, KernelCell) else cell.processes
