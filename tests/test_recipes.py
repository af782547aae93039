# SPDX-License-Identifier: MIT
"""The recipes of CONTRIBUTING.md, carried out in a copy of the tree: each touches the
files that it names, and what it adds is in the plan, the figure, the verdict."""

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from artifact import machine, paths
from tests.conftest import a_host

GUIDE = (paths.ROOT / "CONTRIBUTING.md").read_text()
RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))[0]

COPY_ROUTINE = {"ctools/primitives.c": [
    ("const struct primitive generic_primitives[] = {\n", """\
static void copy_backwards(void *dst, const void *src, size_t len)
{
	const uint64_t *from = src;
	uint64_t *to = dst;

	for (size_t i = len / 8; i-- > 0;)
		to[i] = from[i];
}

""", """\
	{
		.name = "backwards",
		.desc = "8 bytes at a time, from the end",
		.copy = copy_backwards,
	},
""")]}

POLICY = {"artifact/policies.py": [
    ('    Policy("spin", ', """\
    Policy("hurried", "hurried, caller waits", "caller=waits:priority=normal"),
""", "")]}

VICTIM = {
    "ctools/victims/dreamer.c": """\
// SPDX-License-Identifier: MIT
/* A victim that gives its CPU away as soon as it has it. */
#include <sched.h>

#include "../victims.h"

static void *dreamer_open(const struct victim_kind *kind, const char **wrong)
{
	(void)kind;
	(void)wrong;
	return NULL;
}

static void dreamer_unit(void *state)
{
	(void)state;
	sched_yield();
}

static void dreamer_close(void *state)
{
	(void)state;
}

const struct victim_kind dreamer_victim = {
	.name = "dreamer",
	.desc = "a dreamer",
	.unit = "a sched_yield()",
	.open = dreamer_open,
	.do_unit = dreamer_unit,
	.close = dreamer_close,
};
""",
    "ctools/victims.c": [("	_(integer) \\\n", "	_(dreamer) \\\n", "")]}

CLAIM = {
    "data/published/claims.toml": [("[C1]\n", """\
[C99]
who = "a reader"
when = "2026-11-26"
answers = ["S02"]
says = "one bulk call is faster than byte after byte"
test = "call_over_bytes"
what = "speed of one bulk call over the byte loop"
holds = [1.0, inf]
band = "an ordering"

""", "")],
    "artifact/verdicts/tests.py": [("TESTS: ", """\
def call_over_bytes(e: Evidence) -> Finding:
    samples = e.samples("serial-ladder", "cold-cold")
    return e.speedup(samples, f"serial:bulk:{samples.cell.own}", "serial:bulk:byte")


""", ""), ("    late_workers, ", "    call_over_bytes, ", "")]}

FIGURE = {
    "artifact/experiments/victim.py": [("STRIP = ", """\
def windows_figure(cells: list[Samples]) -> Figure:
    \"\"\"How long the windows were.\"\"\"
    fig, ax = drawing.subplots()
    for samples in cells:
        ax.plot(window_seconds(samples, ALONE), label=labels.victim_label(samples))
    ax.legend(title="a new figure")
    return fig


""", "")],
    "notebooks/05-interference.ipynb": "a cell"}

NOTEBOOK = {
    "artifact/questions/n10_reader.py": """\
# SPDX-License-Identifier: MIT
\"\"\"10: how does it look to a reader?\"\"\"

import dataclasses

from artifact.answer import Answer
from artifact.experiments import serial_ladder
from artifact.host import Host
from artifact.ingredients import Sizes
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.questions.question import Question


@dataclasses.dataclass(frozen=True)
class Parameters:
    huge_page: str = "64K"
    processes: int = 2
    rounds: int = 3


def plan(host: Host, p: Parameters) -> Plan:
    cells, skipped = serial_ladder.cells(host, Sizes("4K", p.huge_page), ["backwards"], [],
                                         ["warm/warm"], p.processes, p.rounds)
    return Plan(tuple(cells), skipped)


def answer(measured: Measured, p: Parameters) -> Answer:
    ladder, = measured.cells["serial-ladder"]
    return Answer("So it looks.", serial_ladder.speedups(ladder))


QUESTION = Question("10-reader", Parameters, plan, answer, ("serial-ladder",))
""",
    "notebooks/10-reader.ipynb": "a notebook"}

RECIPES = {"A copy routine.": COPY_ROUTINE, "A policy": POLICY, "A victim.": VICTIM,
           "A claim.": CLAIM, "A figure.": FIGURE, "A notebook.": NOTEBOOK}


def carried_out(folder, recipe):
    for name, change in recipe.items():
        path = folder / name
        if path.suffix == ".ipynb":
            continue
        if isinstance(change, str):
            path.write_text(change)
            continue
        text = path.read_text()
        for anchor, before, behind in change:
            assert text.count(anchor) == 1, (name, anchor)
            text = text.replace(anchor, before + anchor + behind)
        path.write_text(text)


def code(*lines, **metadata):
    return nbformat.v4.new_code_cell("\n".join(lines), metadata=metadata)


def add_cell(path):
    notebook = nbformat.read(path, as_version=4)
    place = next(i for i, cell in enumerate(notebook.cells) if "notebook.answer()" in cell.source)
    notebook.cells.insert(place, code(
        'notebook.figure("victim:windows", victim.windows_figure, "new")'))
    nbformat.write(notebook, path)


def write_notebook(path):
    nbformat.write(nbformat.v4.new_notebook(cells=[
        code('run = "this-machine"', 'huge_page = "64K"', "processes = 2", "rounds = 3",
             tags=["parameters"]),
        code("from artifact.experiments import serial_ladder", "from artifact.notebook import Notebook",
             "", 'notebook = Notebook("10-reader", globals())'),
        code('notebook.figure("serial-ladder", serial_ladder.ladder_figure, "a ladder")'),
        code("notebook.answer()")], metadata={"kernelspec": {
            "name": "python3", "display_name": "Python 3", "language": "python"}}), path)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy in which all recipes have been carried out; runs commands there."""
    folder = tmp_path_factory.mktemp("tree") / "copy"
    folder.mkdir()
    for name in ("artifact", "ctools", "data", "notebooks"):
        shutil.copytree(paths.ROOT / name, folder / name, ignore=shutil.ignore_patterns(
            "pagecopy", "pagecopy-*", "movepages", "movepages-*", "__pycache__"))
    for recipe in RECIPES.values():
        carried_out(folder, recipe)
    add_cell(folder / "notebooks" / "05-interference.ipynb")
    write_notebook(folder / "notebooks" / "10-reader.ipynb")

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=folder, text=True, capture_output=True,
            env={**os.environ, "PYTHONPATH": str(folder), "RESULTS": str(folder / "results")})
        assert done.returncode == 0, done.stderr
        return done.stdout
    run.folder = folder
    return run


@pytest.mark.parametrize("title", RECIPES)
def test_the_guide_names_the_files_that_a_recipe_touches(title):
    text, = re.findall(rf"^\*\*{re.escape(title)}\*\*(.*?)\n\n", GUIDE, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`((?:ctools|artifact|notebooks|data)/[^`]*)`", text))
    touched = set(RECIPES[title])
    assert len(touched) <= 2
    for name in touched:
        assert name in named or f"{name.rpartition('/')[0]}/" in named, name


def planned(tree, name, experiment):
    """Variants that a machine, not this one, is asked for in the copy."""
    program = (
        "import json, sys; from artifact import host, planning; from artifact.host import Host\n"
        "from artifact.questions import QUESTIONS; facts = json.loads(sys.argv[1])\n"
        "here = host.here()\n"
        "facts |= {key: getattr(here, key) for key in ('lacks', 'roles', 'victims')}\n"
        "question = QUESTIONS[sys.argv[2]]\n"
        "found = planning.proposed(question, planning.defaults(question), Host.from_json(facts))\n"
        "print(json.dumps([cell.variants for cell in found.experiment(sys.argv[3])]))")
    facts = json.dumps(a_host().as_json())
    return json.loads(tree("-c", program, facts, name, experiment))


def test_a_copy_routine_is_planned_verified_and_a_candidate(tree):
    assert "serial:bulk:backwards" in planned(tree, "01-serial-copy", "serial-ladder")[0]
    assert "serial:bulk:backwards" in planned(tree, "02-parallel-copy", "threads")[0]
    done = subprocess.run([tree.folder / "ctools" / "pagecopy", "--verify", "--backing=auto",
                           "--pairs=4", "serial:bulk:backwards"], capture_output=True, text=True)
    assert "every byte right" in done.stdout


def test_a_policy_is_in_every_experiment_of_teams(tree):
    for name, experiment in (("03-dispatch", "dispatch"), ("03-dispatch", "load"),
                             ("04-concurrent-migrations", "concurrent"),
                             ("05-interference", "victim")):
        for variants in planned(tree, name, experiment):
            assert any("caller=waits:priority=normal" in variant for variant in variants)


# The command line, on a machine that is always quiet.
QUIETLY = """
import sys
from artifact import __main__, estimate, machine
from artifact.measuring import gate
gate.QuietGate._probe = lambda self: 1.0
machine.busiest_cpu = lambda seconds: 0.0
estimate.is_stable = lambda samples: True
sys.exit(__main__.main())
"""


def figures(tree, *arguments):
    """The texts of the figures that a notebook has drawn, by name."""
    tree("-c", QUIETLY, "notebook", *arguments)
    return {path.stem.partition("-modified")[0]: path.read_text()
            for path in (tree.folder / "results" / "this-machine" / "figures").glob("*.svg")}


@pytest.mark.skipif(len(machine.usable_cpus()) < 2, reason="needs two CPUs")
def test_a_victim_a_policy_and_a_figure_are_drawn(tree):
    drawn = figures(tree, "05", "huge_page=64K", "primitives=libc", "victims=dreamer",
                    "window_ms=5", "loads=0", "processes=2", "rounds=2")
    assert "a dreamer" in drawn["victim"] and "hurried, caller waits" in drawn["victim"]
    assert "a new figure" in drawn["windows"] and "a dreamer" in drawn["windows"]


def test_a_notebook_is_drawn_with_a_copy_routine(tree):
    drawn = figures(tree, "10")
    assert "backwards" in drawn["serial-ladder"]
    kept = json.loads((tree.folder / "results" / "this-machine" / "notebooks" / "10-reader.json")
                      .read_text())
    assert kept["answer"] == "So it looks." and kept["modified"] == []


def test_a_claim_has_a_verdict_and_older_runs_still_have_theirs(tree):
    verdicts = tree("-m", "artifact", "claims", "--run", f"recorded/{RECORDED}")
    line, = [line for line in verdicts.splitlines() if line.startswith("C99")]
    assert line.split()[1] == "holds" and re.search(r"^C2 ", verdicts, re.MULTILINE)
