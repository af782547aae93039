# SPDX-License-Identifier: MIT
"""plan.json: written before the first sample, and all that anybody reads of a plan."""

import dataclasses
import json
import shutil
import subprocess
import sys

import pyperf
import pytest

from artifact import host, measured, older, paths, plan, planning
from artifact.measuring import passes
from artifact.notebook import Notebook
from artifact.plan import Entry, Plan, PlanFile
from artifact.problem import Damaged, Lacking, Misuse
from artifact.questions import QUESTIONS
from artifact.verdicts import changelog, claims, pack
from tests.conftest import a_host, tiny_cell

RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))
OLDER = [name for name in RECORDED if (paths.RECORDED / name / "plans.json").exists()]
SWEEP = QUESTIONS["04-concurrent-migrations"]
TINY = {"huge_page": "64K", "primitives": ["libc"], "migrators": [1], "processes": 2, "rounds": 2}


@pytest.fixture
def here(monkeypatch):
    """This machine is another, whose facts a test may change."""
    facts = [a_host()]
    monkeypatch.setattr(host, "here", lambda: facts[0])
    return facts


@pytest.fixture
def nobody_asks(monkeypatch):
    """Whoever asks the live machine fails."""
    def asked():
        raise AssertionError("the live machine was asked")
    monkeypatch.setattr(host, "here", asked)


def tiny(**changed):
    return {**planning.defaults(SWEEP), **TINY, **changed}


def finish(run, cells):
    """As if all had been measured."""
    run.cells.mkdir(parents=True, exist_ok=True)
    for cell in cells:
        run.cell_file(cell.id).write_bytes(b"")


def copy_of_recorded(results, name="copy"):
    shutil.copytree(paths.RECORDED / OLDER[0], results / name)
    return paths.run(name)


def test_the_plan_is_there_before_the_first_sample(results, monkeypatch, here):
    seen = []
    monkeypatch.setattr(passes, "_run_undisturbed", lambda run, *_: seen.append(
        json.loads(run.plan.read_text())) or sys.exit("that will do"))
    with pytest.raises(SystemExit):
        Notebook("04", {**tiny(), "run": "one"}).samples("concurrent")
    entry, = seen[0]["notebooks"].values()
    assert entry["parameters"]["migrators"] == [1] and set(entry["cells"]) == set(seen[0]["cells"])
    assert seen[0]["host"]["cpus"] == [0, 1] and seen[0]["commit"]


def test_a_plan_survives_being_stored(results, here):
    planning.planned(paths.run("one"), [(question, planning.defaults(question))
                                        for question in QUESTIONS.values()])
    found = plan.read(paths.run("one"))
    assert found.host == here[0] and [*found.own] == [*QUESTIONS]
    for name, entry in found.own.items():
        assert entry.plan == planning.proposed(
            QUESTIONS[name], planning.defaults(QUESTIONS[name]), here[0])
    assert PlanFile.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_changed_parameters_are_an_entry_beside_the_runs_own(results, here):
    run = paths.run("one")
    planning.planned(run, [(SWEEP, planning.defaults(SWEEP))])
    planning.planned(run, [(SWEEP, tiny())])
    found = plan.read(run)
    assert len(found.entries) == 2 and [*found.own] == [SWEEP.notebook]
    assert planning.of_run(SWEEP, run) == planning.defaults(SWEEP)
    assert planning.stored(run, SWEEP, tiny()) is None       # as its cells are not there
    finish(run, found.entries[planning.key_of(SWEEP, run, tiny())].plan.cells)
    assert planning.stored(run, SWEEP, tiny()).parameters["rounds"] == 2


@pytest.mark.parametrize("change", [
    {"cpus": (0,), "placements": {"spread": (0,)}}, {"high_priority": False},
    {"nodes": {0: (0,), 1: (1,)}}])
def test_another_user_reads_a_finished_run_and_cannot_go_on_with_another(results, here, change):
    run = paths.run("one")
    first = planning.planned(run, [(SWEEP, tiny())])
    before = run.plan.read_bytes()
    here[0] = dataclasses.replace(here[0], **change)
    with pytest.raises(Lacking, match="another machine or by another user"):
        planning.planned(run, [(SWEEP, tiny())])
    finish(run, first.cells)
    assert planning.planned(run, [(SWEEP, tiny())]) == first
    with pytest.raises(Lacking, match="continue there, or give RUN another name"):
        planning.planned(run, [(SWEEP, tiny(rounds=3))])
    assert run.plan.read_bytes() == before


def test_kernels_that_were_fetched_since_join_the_plan(results, here):
    question, run = QUESTIONS["08-in-kernel"], paths.run("one")
    here[0] = dataclasses.replace(a_host(), lab=dataclasses.replace(a_host().lab, fetched=()))
    assert planning.planned(run, [(question, planning.defaults(question))]).cells == ()
    here[0] = a_host()
    assert planning.planned(run, [(question, planning.defaults(question))]).cells


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_run_is_read_by_whoever_asks_nothing(nobody_asks, name):
    run = paths.run(f"recorded/{name}")
    assert run.plan.exists() != (name in OLDER) == (plan.read(run).host is None)
    everything = measured.of(run)
    found = claims.verdicts(everything)
    assert changelog.text(everything, found) and planning.answered(everything)


def test_what_older_code_packed_is_opened(results, tmp_path):
    """Its plans.json is in it as it was; nothing is made over."""
    packed = pack.pack(paths.run(f"recorded/{OLDER[0]}"))
    run = pack.opened(str(packed))
    stored = json.loads((paths.RECORDED / OLDER[0] / "plans.json").read_text())
    run.plan.unlink()
    run.older_plans.write_text(json.dumps(stored))
    assert [v.word for v in claims.verdicts(measured.of(run))] == \
        [v.word for v in claims.verdicts(measured.of(paths.run(f"recorded/{OLDER[0]}")))]
    assert set(older.plans(stored)) == set(plan.read(run).own)


def test_a_notebook_that_was_added_later_is_not_in_the_run(results, nobody_asks):
    run = copy_of_recorded(results)
    stored = json.loads(run.older_plans.read_text())
    del stored["06-idle-cpus"]
    run.older_plans.write_text(json.dumps(stored))
    everything = measured.of(run)
    assert claims.verdicts(everything) and "06-idle-cpus" not in planning.answered(everything)
    recorded = paths.Run(run.measured, results / "drawn", may_measure=False)
    assert planning.stored(recorded, QUESTIONS["06-idle-cpus"],
                           planning.defaults(QUESTIONS["06-idle-cpus"])) is None


def test_a_notebook_of_a_run_without_it_says_so(results, monkeypatch, capsys, nobody_asks):
    run = copy_of_recorded(results)
    monkeypatch.setattr(paths, "RECORDED", results)
    stored = json.loads(run.older_plans.read_text())
    del stored["06-idle-cpus"]
    run.older_plans.write_text(json.dumps(stored))
    notebook = Notebook("06", {"run": "recorded/copy"})
    notebook.figure("energy", None, "")
    notebook.answer()
    assert notebook.reasons() == "this notebook: not in this run"
    with pytest.raises(Misuse, match="no experiment 'threads'"):
        notebook.figure("threads", None, "")


def test_a_default_that_changes_later_leaves_the_run_as_it_is(results, monkeypatch, nobody_asks):
    run = copy_of_recorded(results)
    old = planning.of_run(SWEEP, run)

    @dataclasses.dataclass(frozen=True)
    class Later(SWEEP.parameters):
        rounds: int = 99
        colour: str = "blue"        # and one that there was not

    later = dataclasses.replace(SWEEP, parameters=Later)
    assert planning.of_run(later, run) == {**old, "colour": "blue"}
    monkeypatch.setitem(QUESTIONS, SWEEP.notebook, later)
    notebook = Notebook("04", {"run": "copy", **planning.defaults(later)})
    assert notebook.parameters["rounds"] == old["rounds"] and notebook.changes == []
    assert notebook.samples("concurrent")


def test_what_was_recorded_with_other_parameters_is_one_line():
    with pytest.raises(Misuse, match="recorded with other parameters than rounds=11"):
        Notebook("04", {"run": f"recorded/{RECORDED[0]}", "rounds": 11})


@pytest.mark.parametrize("spoil", [
    lambda text: text[:100], lambda text: "[]", lambda text: text.replace('"format": 1', '"format": 9'),
    lambda text: text.replace('"--rounds=', '"--rounds=9'), lambda text: "[" * 200_000])
def test_a_damaged_plan_is_named(results, here, spoil):
    run = paths.run("one")
    planning.planned(run, [(SWEEP, tiny())])
    run.plan.write_text(spoil(run.plan.read_text()))
    with pytest.raises(Damaged, match="no readable plan .*; delete .*plan.json"):
        plan.read(run)


def test_an_unfinished_run_has_no_verdict(results, here):
    run = paths.run("one")
    with pytest.raises(Lacking, match="there is no such run"):
        measured.of(run)
    planning.planned(run, [(SWEEP, tiny())])
    with pytest.raises(Lacking, match="nothing but notebooks with changed parameters"):
        measured.of(run)
    planning.planned(run, [(SWEEP, planning.defaults(SWEEP))])
    with pytest.raises(Lacking, match="nothing is measured far enough"):
        measured.of(run)


def test_each_file_is_read_once_for_verdicts_text_and_answers(monkeypatch):
    opened = []
    real = pyperf.BenchmarkSuite.load
    monkeypatch.setattr(pyperf.BenchmarkSuite, "load", lambda path: opened.append(path) or real(path))
    everything = measured.of(paths.run(f"recorded/{RECORDED[0]}"))
    changelog.text(everything, claims.verdicts(everything))
    planning.answered(everything)
    assert len(opened) == len(set(opened)) == len(everything.plan.cells)


@pytest.mark.parametrize("module", ["artifact.verdicts.claims", "artifact.verdicts.changelog",
                                    "artifact.verdicts.compare", "artifact.questions"])
def test_numbers_and_verdicts_need_no_matplotlib(module):
    program = f"import sys, {module}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=paths.ROOT).returncode == 0


def test_two_notebooks_plan_at_once_and_neither_is_lost(results, here):
    from concurrent.futures import ThreadPoolExecutor

    run, names = paths.run("one"), [*QUESTIONS]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: planning.planned(
            run, [(QUESTIONS[name], planning.defaults(QUESTIONS[name]))]), names))
    assert set(plan.read(run).own) == set(names)


def test_only_what_a_run_was_taken_with_is_packed(results):
    run = copy_of_recorded(results)
    found = plan.read(run)
    tried = Entry(SWEEP.notebook, tiny(), Plan((tiny_cell(),)))
    plan.write(run, dataclasses.replace(
        found, entries={**found.entries, f"{SWEEP.notebook}-modified-abcdef": tried}))
    assert set(plan.read(pack.opened(str(pack.pack(run)))).entries) == set(found.entries)
