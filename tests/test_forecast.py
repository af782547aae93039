# SPDX-License-Identifier: MIT
"""What a plan will take, and what it leaves open: told from formula, probe and record.

Nothing is timed here: what a round takes is made up, and so is the clock.
"""

import argparse
import collections
import dataclasses
import itertools
import json
import shutil
import time

import pytest

from artifact import __main__ as command
from artifact import ctools, host, paths, samples
from artifact.cells import KernelCell
from artifact.measuring import forecast, looks, outlook, passes, process
from artifact.measuring.forecast import Cost
from artifact.problem import Lacking, Misuse, Problem, Unwritable
from tests.conftest import TINY, a_host, tiny_cell

pytestmark = pytest.mark.usefixtures("nobody_else")

START, ROUND = 0.3, 0.02        # seconds of a made-up process
POOL = 1 << 20


@pytest.fixture
def made_up(monkeypatch):
    """Processes that take what they ought to; returns what was run."""
    ran = []

    def pagecopy(cell, seed):
        ran.append(cell)
        if cell.label == "broken":
            raise Problem("cell", "no", "such")
        rounds = int(1e9 * ROUND * cell.rounds)
        return {"phases_ns": {"pools": 1, "start": 1, "verify": 1, "samples": rounds // 2,
                              "pauses": rounds // 4, "rest": rounds // 4, "end": 1},
                "pool_bytes": POOL}, START + ROUND * cell.rounds
    monkeypatch.setattr(process, "pagecopy", pagecopy)
    return ran


def of_rounds(label, rounds, processes=12, **more):
    cell = tiny_cell(label, processes, **more)
    return dataclasses.replace(
        cell, options=(*TINY[:-1], f"--rounds={rounds}"))


def test_few_rounds_tell_what_many_take(made_up):
    cell = of_rounds("many", 400)
    found = forecast.probe([cell])[cell.id]
    assert [each.rounds for each in made_up] == [forecast.ROUNDS]
    assert made_up[0].variants == cell.variants and made_up[0].options[:-1] == cell.options[:-1]
    around = forecast.WAIT_SECONDS[False] + forecast.WRITE_SECONDS
    assert found == Cost(pytest.approx(START + 400 * ROUND + around), 2 * POOL)


def test_a_long_round_is_not_repeated_and_a_very_long_one_not_made(made_up):
    def beside(label, window):
        cell = of_rounds(label, 40)
        return dataclasses.replace(
            cell, options=(*cell.options, "--victim=l2", f"--window={window}"))
    long, very = beside("long", 50), beside("very", 1000)
    assert set(forecast.probe([long, very])) == {long.id}
    assert [each.rounds for each in made_up] == [1]


def test_probing_ends_in_time_and_begins_with_what_costs_most(made_up, monkeypatch):
    clock = itertools.count(0, forecast.PROBE_SECONDS / 2)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    cells = [of_rounds(f"{processes}", 10, processes) for processes in (3, 30, 300, 3000)]
    assert list(forecast.probe(cells)) == [cells[3].id, cells[2].id]


def test_what_cannot_be_run_here_is_guessed(made_up, results):
    broken, other = of_rounds("broken", 10), of_rounds("other", 10)
    probed = forecast.probe([broken, other])
    assert set(probed) == {other.id}
    found = forecast.of(paths.run("one"), [broken, other], probed)
    # Both are alike, so that what the guess is wrong by is.
    assert found[broken.id].seconds == pytest.approx(found[other.id].seconds)


def test_what_was_recorded_is_better_than_a_probe_and_that_than_a_guess(results, made_up):
    run = paths.run("one")
    cells = [of_rounds(label, 10) for label in ("recorded", "probed", "guessed")]
    recorded, probed, guessed = cells
    guess = forecast.guess_seconds(guessed)
    folder = run.process_file(recorded.id, 0).parent
    folder.mkdir(parents=True)
    told = {0: 3.0, 1: 5.0}
    for index in told:
        (folder / f"{index:03}.json").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "facts_of", lambda path: {
            "seconds_process": told[int(path.stem)], "seconds_waited": 1.0, "pool_bytes": 7})
        found = forecast.of(run, cells, {recorded.id: Cost(99.0, 1), probed.id: Cost(2 * guess, 3)})
    assert found[recorded.id] == Cost(pytest.approx(5.0 + forecast.WRITE_SECONDS), 14)
    assert found[probed.id] == Cost(2 * guess, 3)
    wrong = (2 + (5.0 + forecast.WRITE_SECONDS) / guess) / 2
    assert found[guessed.id].seconds == pytest.approx(wrong * guess)


def test_the_facts_of_a_real_process_are_found(results):
    run, cell = paths.run("one"), tiny_cell(processes=3)
    run.cells.mkdir(parents=True)
    process.measure(cell, 1, run.process_file(cell.id, 0), {"seconds_waited": 0.5})
    seconds = samples.facts_of(run.process_file(cell.id, 0))["seconds_process"]
    found = forecast.of(run, [cell])[cell.id]
    assert found.seconds == pytest.approx(seconds + 0.5 + forecast.WRITE_SECONDS)
    assert found.pools == 2 * 8 * 65536 == forecast.pool_bytes(cell)


def test_pools_hold_the_largest_batch():
    cell = tiny_cell(variants=("serial:bulk:libc", "serial:bulk:libc:folios=64"))
    copies = ctools.listed()["migrator_copies"]
    crowd = tiny_cell(variants=("serial:bulk:libc:migrators=4",))
    assert forecast.pool_bytes(cell) == 2 * 64 * 65536
    assert forecast.pool_bytes(crowd) == 2 * 4 * copies * 65536


@pytest.mark.parametrize("quiet, load", [(False, 0), (True, 0), (True, 100)])
def test_a_file_is_not_larger_than_room_is_asked_for(results, quiet, load):
    variants = ("serial:bulk:libc", "parallel:bulk:libc:threads=1")
    cell = tiny_cell(variants=variants, quiet=quiet)
    cell = dataclasses.replace(cell, options=(*cell.options, f"--load={load}"))
    path = results / "file.json"
    process.measure(cell, 1, path, {})
    assert path.stat().st_size < forecast.file_bytes(cell) < 4 * path.stat().st_size


CELLS = [tiny_cell("few", 2), tiny_cell("some", 20), tiny_cell("many", 40)]


@pytest.fixture
def ten_seconds(monkeypatch):
    """Each process takes ten seconds, and each drawing as long."""
    monkeypatch.setattr(forecast, "of", lambda run, cells, probed=None: {
        cell.id: Cost(10.0, 3 << 20) for cell in cells})
    monkeypatch.setattr(outlook, "probed", lambda cells: {})


def an_outlook(run):
    return outlook.of(run, CELLS, drawing=10.0)


def test_the_first_look_and_all_of_it_are_told_apart(results, ten_seconds):
    found = an_outlook(paths.run("one"))
    assert found.first == 10 * (2 + 3 + 3) + 10
    assert found.most == 10 * 62 + 30
    assert found.least == 10 * (2 + 15 + 30) + 30


def test_what_is_there_costs_nothing(results, ten_seconds):
    run = paths.run("one")
    run.cells.mkdir(parents=True)
    run.cell_file(CELLS[2].id).touch()
    for cell, count in ((CELLS[0], 2), (CELLS[1], 4)):
        (run.cells / cell.id).mkdir()
        for index in range(count):
            run.process_file(cell.id, index).touch()
    found = an_outlook(run)
    assert found.there == {CELLS[0].id: 2, CELLS[1].id: 4, CELLS[2].id: 40}
    assert (found.first, found.most, found.least) == (0, 10 * 16 + 20, 10 * 11 + 20)


def test_short_of_time_each_gets_the_same_part_beyond_the_first(results, ten_seconds):
    found = an_outlook(paths.run("one"))
    assert list(found.within(100).values()) == [2, 20, 40]
    assert list(found.within(0.1).values()) == [2, 3, 3]
    # 80 s to the first look, 30 of drawing, and a third of the 540 beyond.
    assert list(found.within((80 + 30 + 180) / 60).values()) == [2, 9, 15]


def test_what_a_short_run_is_unsure_of(results, ten_seconds):
    found = an_outlook(paths.run("one"))
    assert not found.is_short(found.least / 60) and found.is_short(found.least / 60 - 0.01)
    first, second = outlook.unsure(found, 2.5)
    assert "MINUTES=2.5: about 12 of 62 processes" in first and "2.3 times as wide" in first
    assert second.endswith("fewer than 6 processes in a cell: test")
    assert len(outlook.unsure(found, 7)) == 1


def test_the_table_is_of_experiments_and_fits_a_terminal(results, ten_seconds):
    found = an_outlook(paths.run("one"))
    head, row, *rest = outlook.table(found, 2.5)
    assert row.split() == ["test", "3", "62", "0", "10.3", "3", "12", "of", "62"]
    assert any("first look after about 1:30, everything after 8:20 to 10:50" in line for line in rest)
    assert rest[-2:] == outlook.unsure(found, 2.5)
    assert "enough, unless" in outlook.table(found, 9)[-1]
    head, row, *rest = outlook.table(found, 12)
    assert row.split()[-1] == "3" and rest[-1] == "MINUTES=12 is enough"


def test_fewer_minutes_than_a_pass_takes_is_one_line(results, ten_seconds):
    with pytest.raises(Misuse) as told:
        outlook.check(paths.run("one"), CELLS, 0.5, [].append, drawing=10.0)
    assert str(told.value) == \
        "MINUTES=0.5: one pass takes about 1.5 minutes here; give at least 2"
    said = []
    outlook.check(paths.run("one"), CELLS, 2, said.append, drawing=10.0)
    assert said == outlook.unsure(an_outlook(paths.run("one")), 2)


def test_kernels_boot_once_for_all_they_are_asked_and_in_time(results, ten_seconds):
    kernels = [KernelCell(name, "amd64", "ns", 2, "0") for name in ("ladder", "moves", "live")]
    found = outlook.of(paths.run("one"), kernels, drawing=10.0)
    assert found.first == found.most == found.least == 2 * forecast.BOOT_SECONDS + 10
    assert outlook.unsure(found, 0.1) == []
    with pytest.raises(Misuse, match="one pass takes about 0.3 minutes"):
        outlook.check(paths.run("one"), kernels, 0.1, [].append, drawing=10.0)
    assert "8 s of kernels" in outlook.table(found, 1)[1]


def test_who_has_time_enough_is_not_probed(results, ten_seconds, monkeypatch):
    def probed(cells):
        raise AssertionError("probed")
    monkeypatch.setattr(outlook, "probed", probed)
    said = []
    outlook.check(paths.run("one"), CELLS, 12, said.append, drawing=10.0)
    assert said == []
    with pytest.raises(AssertionError):
        outlook.check(paths.run("one"), CELLS, 2.9, said.append, drawing=10.0)


def test_nothing_is_asked_of_a_run_that_lacks_nothing(results, ten_seconds):
    run = paths.run("one")
    run.cells.mkdir(parents=True)
    for cell in CELLS:
        run.cell_file(cell.id).touch()
    outlook.check(run, CELLS, 0.01, [].append)
    assert outlook.table(an_outlook(run), 0.01)[-1] == "everything is measured"


def test_a_disk_without_room_for_the_plan_is_one_line(results, ten_seconds, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    asked = []

    def disk(folder):
        asked.append(folder)
        return usage(0, 0, 20 << 20)
    monkeypatch.setattr(shutil, "disk_usage", disk)
    with pytest.raises(Unwritable, match=r"run one: it needs about \d+ MiB, and the disk has 20 free; "
                                         "make room or set RESULTS"):
        outlook.check(paths.run("one"), CELLS, 12, [].append)
    assert asked == [results]       # where the run's folder will be
    wide = [tiny_cell(f"{nth}", 10_000) for nth in range(2)]
    monkeypatch.setattr(outlook, "ROOM_BYTES", 0)
    with pytest.raises(Unwritable):
        outlook.check(paths.run("one"), wide, 1e9, [].append)


def test_while_another_run_measures_nothing_is_probed(results, made_up):
    with passes.nobody_else(), pytest.raises(Lacking, match="another run is measuring"):
        outlook.probed(CELLS)
    assert not made_up


def test_a_machine_that_cannot_be_probed_has_a_plan_all_the_same(results, monkeypatch, capsys):
    def probed(cells):
        raise Lacking("cannot measure", "another run is measuring on this machine", "wait")
    monkeypatch.setattr(outlook, "probed", probed)
    monkeypatch.setattr(host, "here", a_host)
    command.plan(argparse.Namespace(run="one", minutes=4.0))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "nothing is probed: another run is measuring on this machine"
    rows = [line.split()[0] for line in lines
            if line.endswith(tuple("of " + word for word in line.split()[2:3]))]
    assert {"serial-ladder", "threads", "victim", "idle-scan"} <= set(rows)
    assert any(line.startswith("MINUTES=4: about ") for line in lines)
    assert all(len(line) <= outlook.COLUMNS for line in lines if not line.startswith("skipped"))
    assert not (results / "one").exists()


def test_a_notebook_says_how_long_what_it_lacks_will_take(results, ten_seconds, capsys):
    command._say_what_is_missing(paths.run("one"), CELLS)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "to measure: test few, test some, test many"
    assert second.startswith("first look after about 1:26, everything after 8:08 to 10:38")


def test_recorded_drawings_are_what_a_drawing_takes(results, ten_seconds):
    run = paths.run("one")
    decisions = looks.Decisions(run, CELLS, 5, 0)
    decisions.drew(looks.STAGES[0], 33.0)
    decisions.drew(looks.STAGES[1], 35.0)
    looks.drew_last(run, 99.0)      # somebody else was there
    assert an_outlook(run).drawing == 35.0
    assert outlook.of(run, CELLS[:1], drawing=10.0).drawing == 10.0
    assert json.loads((run.measured / "looks.json").read_text())
