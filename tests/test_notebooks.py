# SPDX-License-Identifier: MIT
"""The notebooks: thin, checked, run from the top, and told apart when changed."""

import ast
import json
import shutil
import signal
import subprocess
import sys

import nbformat
import papermill
import pytest

from artifact import __main__, execution, machine, notebook, paths, planning, questions
from artifact.experiments import idle_scan
from artifact.measuring import passes
from artifact.problem import Misuse, Problem
from artifact.questions import QUESTIONS
from tests.conftest import needs_two_cpus, on_one_cpu, one_line, without_huge_pages

TINY = {
    "01-serial-copy": ["huge_page=64K", "primitives=libc,word8", "cache_states=cold/cold,warm/warm",
                       "delays_ns=20,200", "extent_primitives=libc", "largest_extent=128K",
                       "processes=3", "rounds=3"],
    "02-parallel-copy": ["huge_page=64K", "primitives=libc", "folios=1,3", "processes=3",
                         "rounds=3"],
    "03-dispatch": ["huge_page=64K", "primitives=libc", "pauses_us=100", "loads=100",
                    "processes=2", "rounds=2"],
    "04-concurrent-migrations": ["huge_page=64K", "primitives=libc", "migrators=1,3",
                                 "processes=2", "rounds=3"],
    "05-interference": ["huge_page=64K", "primitives=libc", "victims=integer,timer",
                        "window_ms=5", "loads=50", "margin_percent=10", "processes=2", "rounds=2"],
    "06-idle-cpus": ["huge_page=64K", "primitives=libc", "scanned_cpus=2,8", "loads=0,50",
                     "processes=2", "rounds=2"],
}
QUICK = "04-concurrent-migrations"      # has the fewest cells and figures


def cells(name):
    return nbformat.read(execution.source(QUESTIONS[name]), as_version=4).cells


def test_every_notebook_is_run_here_or_with_the_lab():
    assert [*TINY, "07-page-migration", "08-in-kernel", "09-changelog"] == [*QUESTIONS]


def measured(name, *arguments):
    """What the command would measure, without waiting for a quiet moment."""
    question, run = QUESTIONS[name], paths.run("one")
    parameters = {**planning.defaults(question), **planning.parse(question, arguments)}
    passes.measure(run, list(planning.planned(run, [(question, parameters)]).cells), print)


@needs_two_cpus
def test_each_experiment_is_measured_when_its_picture_is_due(results, nobody_else, monkeypatch,
                                                             capsys):
    """And how far that is, is one line which moves."""
    asked, real = [], passes.measure
    monkeypatch.setattr(passes, "measure", lambda run, wanted, *a, **k: (
        asked.append({cell.experiment for cell in wanted}), real(run, wanted, *a, **k)))
    name = "06-idle-cpus"
    here = notebook.Notebook(name, {"run": "one", **planning.parse(QUESTIONS[name], TINY[name])})
    assert not asked
    here.figure("idle-scan", idle_scan.scan_figure, "what a look costs")
    assert asked == [{"idle-scan"}] and here.drawn
    here.answer()
    assert asked == [{"idle-scan"}, {"load"}]
    here.answer()
    assert len(asked) == 2
    said = capsys.readouterr().out
    assert "idle-scan" in said and "2 of 2 processes" in said and "\N{FULL BLOCK}" * 20 in said


def test_what_a_user_can_mend_is_one_line_in_jupyter():
    line, = Misuse("rouds", "no such parameter", "did you mean rounds?")._render_traceback_()
    assert "Misuse: rouds: no such parameter; did you mean rounds?" in line and "31m" in line


@pytest.mark.parametrize("name", TINY)
def test_runs_through_papermill_from_top_to_bottom(artifact, results, nobody_else, name):
    measured(name, *TINY[name])
    done = artifact("notebook", "--run", "one", name, *TINY[name])
    assert done.returncode == 0 and done.stderr == "", done.stderr
    executed, = results.glob(f"one/notebooks/{name}*.ipynb")
    counts = [c.execution_count for c in nbformat.read(executed, as_version=4).cells
              if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert str(results) not in executed.read_text()
    html = executed.with_suffix(".html").read_text()
    assert html.count("data:image/png;base64") >= 2
    kept = json.loads(executed.with_suffix(".json").read_text())
    assert kept["answer"] and "huge_page=64K" in kept["modified"]
    for figure in kept["figures"]:
        for ending in ("png", "svg"):
            assert (results / "one" / "figures" / f"{figure['file']}.{ending}").stat().st_size


def test_on_one_cpu_a_parallel_notebook_says_so_and_renders(artifact, results):
    name = "05-interference"
    done = artifact("notebook", "--run", "one", name, "processes=2", "rounds=2",
                    preexec_fn=on_one_cpu)
    assert done.returncode == 0, done.stderr
    html, = results.glob(f"one/notebooks/{name}*.html")
    assert "Nothing could be measured here" in html.read_text()
    assert "this process may use only one CPU" in html.read_text()
    assert "From another machine: victim, as recorded in recorded/kvm-epyc-2cpu" in html.read_text()
    borrowed = json.loads(html.with_suffix(".json").read_text())["borrowed"]
    assert {"victim", "no-worse"} <= {each["file"] for each in borrowed}


def test_without_huge_pages_every_figure_says_so(artifact, results):
    done = artifact("notebook", "--run", "one", "01", "huge_page=64K", "primitives=libc",
                    "cache_states=cold/cold", "delays_ns=20", "extent_primitives=libc",
                    "largest_extent=64K", "processes=2", "rounds=2",
                    preexec_fn=without_huge_pages)
    assert done.returncode == 0, done.stderr
    kept, = results.glob("one/notebooks/01-*.json")
    assert "Some buffers were not backed by huge pages" in kept.read_text()
    for figure in results.glob("one/figures/*.svg"):
        assert figure.stat().st_size


@needs_two_cpus
def test_without_the_privilege_for_nice_the_notebook_says_so(artifact, results, monkeypatch):
    """In a relative results folder, which is one folder for everybody."""
    monkeypatch.setenv("RESULTS", "here")

    def may_not_be_nice():
        import ctypes
        import resource

        ctypes.CDLL(None).prctl(24, 23)     # PR_CAPBSET_DROP, CAP_SYS_NICE
        resource.setrlimit(resource.RLIMIT_NICE, (0, 0))
    done = artifact("notebook", "--run", "one", QUICK, *TINY[QUICK], "migrators=1",
                    preexec_fn=may_not_be_nice)
    assert done.returncode == 0, done.stderr
    folder = results / "here" / "one"
    assert list(folder.glob("figures/*.svg")) and not (paths.NOTEBOOKS / "here").exists()
    kept, = folder.glob(f"notebooks/{QUICK}*.json")
    assert "it needs CAP_SYS_NICE" in kept.read_text() and "2017: bound" not in kept.read_text()


def in_this_process(monkeypatch, capsys, *arguments):
    """What the command line does, without the seconds that imports take."""
    monkeypatch.setattr(sys, "argv", ["artifact", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    try:
        status = __main__.main()
    except SystemExit as left:
        status = left.code
    said = capsys.readouterr()
    return subprocess.CompletedProcess(arguments, status, said.out, said.err)


@pytest.mark.parametrize("argument, message", [
    ("repaet=9", "unknown parameter 'repaet'"),
    ("rouds=9", "did you mean rounds?"),
    ("rounds=many", "not a whole number"),
    ("rounds=0", "rounds: 0"),
    ("base_page=3K", "divides the huge page"),
    ("primitives=movsx", "unknown copy routine 'movsx'"),
    ("delays_ns=1,x", "not a list, each a whole number"),
    ("rounds", "unknown parameter 'rounds'"),
    ("run=../elsewhere", "not a valid name"),
])
def test_wrong_parameter_is_one_line(results, monkeypatch, capsys, argument, message):
    one_line(in_this_process(monkeypatch, capsys, "notebook", "01", argument), message)


@pytest.mark.parametrize("command, message", [
    (["notebook", "99"], "no such notebook"),
    (["notebook", "serial-coppy"], "did you mean 01-serial-copy?"),
    (["notebook", "i"], "it may be 05-interference or 06-idle-cpus or 08-in-kernel"),
    (["claims", "--run=recorded/kvm-epyc-2cpus"], "did you mean recorded/kvm-epyc-2cpu?"),
    (["claims", "--run=kvm-epyc-2cpu"], "there is no such run; did you mean recorded/kvm-epyc-2cpu?"),
    (["report"], "there is no such run; run 'make reproduce' first"),
    (["agree", "one"], "required: runs"),
    (["agree", "one", "two"], "there is no such run"),
    (["agree", "recorded/kvm-epyc-2cpu", "recorded/kvm-epyc-2cpu"], "two or more different ones"),
    (["coverage"], "required: runs"),
    (["coverage", "recorded/kvm-epyc-2cpu"], "two or more different ones"),
    (["aa", "--repeats=0"], "'0' is not a count"),
    (["reproduce", "--run=recorded/x"], "no such recorded run"),
    (["dance"], "invalid choice: 'dance'"),
])
def test_wrong_command_is_one_line(results, monkeypatch, capsys, command, message):
    one_line(in_this_process(monkeypatch, capsys, *command), message)


@pytest.mark.parametrize("text", ["1", "01", "serial", "serial-copy", "01-serial-copy.ipynb",
                                  "notebooks/01-serial-copy.ipynb"])
def test_a_notebook_has_many_names(text):
    assert questions.find(text).notebook == "01-serial-copy"


@pytest.mark.parametrize("parameters, message", [
    ({"repaet": 9}, "unknown parameter 'repaet'"),
    ({"rounds": "9"}, "parameter rounds='9'"),
])
def test_papermill_itself_only_warns_but_the_notebook_refuses(results, parameters, message):
    with pytest.raises(papermill.PapermillExecutionError, match="Misuse") as caught:
        papermill.execute_notebook(execution.source(QUESTIONS["01-serial-copy"]), results / "out.ipynb",
                                   parameters=parameters, cwd=paths.ROOT, progress_bar=False,
                                   extra_arguments=["--log-level=ERROR"])
    assert message in caught.value.evalue


@needs_two_cpus
def test_failing_half_way_is_one_line_and_keeps_the_cells(artifact, results, monkeypatch,
                                                          nobody_else):
    """In a relative results folder, which is one folder for everybody."""
    monkeypatch.setattr(paths, "RESULTS", results / "here")
    monkeypatch.setenv("RESULTS", "here")
    folder = results / "here" / "one"
    measured(QUICK, *TINY[QUICK])
    for finished in folder.glob("cells/concurrent-3-*.json.gz"):
        finished.write_bytes(b"no longer a cell")
    before = sorted(folder.glob("cells/*"))
    done = artifact("notebook", "--run", "one", QUICK, *TINY[QUICK])
    one_line(done, f"notebook {QUICK}", "cut off or not a pyperf file", "partial.ipynb")
    assert sorted(folder.glob("cells/*")) == before
    assert list(folder.glob("notebooks/*.partial.ipynb"))


@pytest.mark.parametrize("name", QUESTIONS)
def test_committed_without_outputs(name):
    for cell in cells(name):
        assert not cell.get("outputs") and cell.get("execution_count") is None


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_cell_has_a_name_of_its_own(name):
    """As in the file: nbformat mends what it reads, and warns."""
    stored = json.loads(execution.source(QUESTIONS[name]).read_text())
    ids = [cell["id"] for cell in stored["cells"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", QUESTIONS)
def test_thin_and_in_order(name):
    code = [c for c in cells(name) if c.cell_type == "code"]
    for cell in code:
        tree = ast.parse(cell.source)
        assert not [node for node in ast.walk(tree) if isinstance(
            node, (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While))]
        assert len(cell.source.splitlines()) <= 14
    tagged = [c for c in code if "parameters" in c.metadata.get("tags", [])]
    assert tagged == code[:1]
    for node in ast.parse(tagged[0].source).body:
        ast.literal_eval(node.value)        # literals only: nothing derived goes stale
    assert "Who asked" in cells(name)[0].source
    assert any("What this does not show" in c.source for c in cells(name)[-5:])


@pytest.mark.parametrize("parameters, message", [
    ({"rounds": True}, "parameter rounds=True"),
    ({"primitives": "libc"}, "parameter primitives='libc'"),
    ({"delays_ns": [1.5]}, "parameter delays_ns"),
])
def test_a_value_of_another_type_is_refused(parameters, message):
    with pytest.raises(Misuse) as caught:
        planning.checked(QUESTIONS["01-serial-copy"], parameters)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_cell_of_parameters_says_what_the_defaults_are(name):
    question = QUESTIONS[name]
    assert execution.literals(question) == {"run": paths.DEFAULT_RUN, **planning.defaults(question)}


def test_changed_parameters_never_overwrite_the_runs_own(results):
    question, run = QUESTIONS["01-serial-copy"], paths.run("one")
    own = planning.defaults(question)
    assert planning.key_of(question, run, own) == "01-serial-copy"
    assert planning.key_of(question, run, {**own, "rounds": 9}).startswith(
        "01-serial-copy-modified-")


@needs_two_cpus
def test_a_notebook_that_jupyter_saved_is_no_source_of_defaults(artifact, results, monkeypatch):
    """Somebody works in the notebook itself, and JupyterLab saves what they tried."""
    saved = results / "notebooks"
    shutil.copytree(paths.NOTEBOOKS, saved)
    notebook = nbformat.read(saved / f"{QUICK}.ipynb", as_version=4)
    cell = next(c for c in notebook.cells if c.metadata.get("tags") == ["parameters"])
    cell.source = cell.source.replace("rounds = 10", "rounds = 77")
    nbformat.write(notebook, saved / f"{QUICK}.ipynb")
    monkeypatch.setattr(paths, "NOTEBOOKS", saved)
    question = QUESTIONS[QUICK]
    assert execution.literals(question)["rounds"] == 77
    assert planning.defaults(question)["rounds"] == 10
    wanted = {**planning.defaults(question), **planning.parse(question, TINY[QUICK]), "rounds": 10}
    assert execution._to_inject(question, paths.run("one"), wanted)["rounds"] == 10


def test_machine_summary_is_one_short_line():
    assert len(machine.summary(machine.record())) < 160


def test_damaged_parameters_cell_is_a_problem(tmp_path, monkeypatch):
    question = QUESTIONS["01-serial-copy"]
    broken = nbformat.read(execution.source(question), as_version=4)
    next(c for c in broken.cells if c.metadata.get("tags")).source = "rounds = 4 * processes"
    nbformat.write(broken, tmp_path / "01-serial-copy.ipynb")
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    with pytest.raises(Problem, match="git checkout notebooks"):
        execution.literals(question)


def in_a_session(*cells_run):
    """The parameters that a notebook finds, in a session where these cells were run."""
    namespace = {"In": list(cells_run)}
    for text in cells_run:
        exec(text, namespace)
    return notebook._parameters(QUESTIONS[QUICK], namespace)[1]


def test_a_session_takes_what_its_cell_says_now(results):
    text, = (c.source for c in cells(QUICK) if "parameters" in c.metadata.get("tags", []))
    changed = text.replace("rounds = 10", "rounds = 8")
    assert changed != text
    assert in_a_session(text)["rounds"] == 10
    assert in_a_session(text, changed)["rounds"] == 8
    assert in_a_session(text, "rounds = 9")["rounds"] == 9
    assert in_a_session(text, "rounds, other = 9, 1")["rounds"] == 9
    assert in_a_session(text, "rounds += 1")["rounds"] == 11
    assert in_a_session(changed, text.replace("rounds = 10", ""))["rounds"] == 10
    with pytest.raises(Misuse, match="unknown parameter 'rouds'.*did you mean rounds"):
        in_a_session(changed, text.replace("rounds", "rouds"))
