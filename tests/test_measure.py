# SPDX-License-Identifier: MIT
"""Measuring: what is finished survives anything, and nothing lies about itself."""

import dataclasses
import errno
import getpass
import gzip
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyperf
import pytest

from artifact import allocation, ctools, estimate, machine, paths, planning, questions, sharpness
from artifact.cells import LOAD_WORK
from artifact.frames import channel_frame
from artifact.measured import mixture
from artifact.measuring import gate, looks, passes, process, progress
from artifact.problem import Problem, Unwritable
from artifact.samples import read_timed
from tests.conftest import eventually, running, tiny_cell


def quietly(line):
    pass


pytestmark = pytest.mark.usefixtures("nobody_else")


def test_a_finished_cell_opens_in_pyperf(results):
    run, cell = paths.run("one"), tiny_cell()
    passes.measure(run, [cell], quietly)
    path = run.cell_file(cell.id)
    for command in ("stats", "hist", "metadata", "check"):
        done = subprocess.run([sys.executable, "-m", "pyperf", command, path], capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stderr
        assert cell.variants[1] in done.stdout
    done = subprocess.run([sys.executable, "-m", "pyperf", "compare_to", path, path],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_samples_come_back_as_they_were_paired(results):
    run, cell = paths.run("one"), tiny_cell(processes=3, quiet=True)
    passes.measure(run, [cell], quietly)
    samples = read_timed(run, cell)
    assert list(samples.seconds) == list(cell.arms)
    assert all(array.shape == (3, 3) for array in samples.seconds.values())
    assert all((array > 0).all() for array in samples.cpu_seconds.values())
    assert samples.bytes[cell.variants[0]] == 64 << 10
    assert [facts["seed"] for facts in samples.facts] == [1, 2, 3]


def test_where_a_process_spent_its_seconds_is_kept(results):
    run, cell = paths.run("one"), tiny_cell()
    ctools.build()
    started = time.monotonic()
    passes.measure(run, [cell], quietly)
    ran = time.monotonic() - started
    samples = read_timed(run, cell)
    for facts in samples.facts:
        phases = [facts[f"seconds_{phase}"] for phase in
                  ("pools", "start", "verify", "samples", "pauses", "rest", "end")]
        assert min(phases) >= 0 and sum(phases) <= facts["seconds_process"]
        assert facts["seconds_sampled"] == pytest.approx(sum(phases[3:6]))
        assert facts["seconds_started"] >= sum(phases[:3]) + phases[6]
        assert facts["seconds_started"] + facts["seconds_sampled"] == \
            pytest.approx(facts["seconds_process"])
    assert sum(facts["seconds_process"] for facts in samples.facts) <= ran
    start, each = allocation.costs(samples, start=1e9)
    assert start + cell.rounds * each == pytest.approx(
        sum(facts["seconds_process"] for facts in samples.facts) / 2)


@pytest.mark.skipif(len(machine.usable_cpus()) < 2, reason="needs two CPUs")
def test_channels_and_counts_come_back_with_the_samples(results):
    team = "parallel:bulk:libc:caller=waits:threads=2"
    picky = "parallel:bulk:libc:pick=idle:threads=2"
    run = paths.run("one")
    cell = tiny_cell(quiet=True, variants=("serial:bulk:libc", f"{team}:observe=phases", picky))
    passes.measure(run, [cell], quietly)
    samples = read_timed(run, cell)
    delays = samples.channels[f"{team}:observe=phases"]["last start"]
    assert [values.shape for values in delays] == [(3,), (3,)]
    assert all((values > 0).all() for values in delays)
    assert list(samples.counts[picky]["scanned"]) == [3, 3]
    assert "scanned" not in samples.counts["serial:bulk:libc"]


def test_what_the_load_did_comes_back_as_whole_units(results, monkeypatch):
    """All other channels are times; and pyperf would refuse a zero."""
    told = process.pagecopy

    def with_a_zero(cell, seed):
        result, seconds = told(cell, seed)
        for arm in result["arms"]:
            assert len(arm["channels"]["load work"]) == 3
            arm["channels"]["load work"] = [0, 7, 12345678]
        return result, seconds
    monkeypatch.setattr(process, "pagecopy", with_a_zero)
    run, cell = paths.run("one"), tiny_cell(quiet=True)
    cell = dataclasses.replace(cell, options=(*cell.options, "--load=100"))
    passes.measure(run, [cell], quietly)
    samples = read_timed(run, cell)
    assert [list(values) for values in samples.channels[cell.baseline][LOAD_WORK]] == \
        [[0, 7, 12345678]] * 2
    frame = channel_frame([samples], LOAD_WORK)
    assert "time_ns" not in frame and np.array_equal(frame["units"][:3], [0, 7, 12345678])


def test_nothing_says_whose_machine_it_was(results):
    run, cell = paths.run("one"), tiny_cell()
    passes.measure(run, [cell], quietly)
    text = gzip.decompress(run.cell_file(cell.id).read_bytes()).decode() \
        + run.machine.read_text()
    for secret in (socket.gethostname(), str(paths.ROOT), str(results), os.path.expanduser("~"),
                   sys.executable):
        assert len(secret) < 4 or secret not in text
    assert "hostname" not in text and f"/{getpass.getuser()}/" not in text


def test_each_process_is_a_fresh_pagecopy_and_no_fresh_python(results, monkeypatch):
    run, cell = paths.run("one"), tiny_cell(processes=3)
    ctools.build()
    started = []
    real = subprocess.Popen.__init__
    monkeypatch.setattr(subprocess.Popen, "__init__", lambda self, command, **more: (
        started.append(Path(command[0]).name), real(self, command, **more))[1])
    with passes.alone(run):
        for index in range(3):
            passes._run_process(run, cell, index, True, 0, 0.0)
    assert started.count("pagecopy") == 3
    assert not [name for name in started if name.startswith("python")]


def test_only_what_is_missing_is_measured(results, monkeypatch):
    run, first, second = paths.run("one"), tiny_cell("first"), tiny_cell("second")
    passes.measure(run, [first], quietly)
    before = run.cell_file(first.id).stat().st_mtime_ns
    asked = []
    real = passes._run_undisturbed
    monkeypatch.setattr(passes, "_run_undisturbed",
                        lambda run, cell, *more: (asked.append(cell.label),
                                                  real(run, cell, *more)))
    passes.measure(run, [first, second], quietly)
    assert set(asked) == {"second"}
    assert run.cell_file(first.id).stat().st_mtime_ns == before


def test_all_cells_take_turns(results, monkeypatch):
    order = []
    real = passes._run_undisturbed
    monkeypatch.setattr(passes, "_run_undisturbed",
                        lambda run, cell, *more: (order.append(cell.label),
                                                  real(run, cell, *more)))
    passes.measure(paths.run("one"), [tiny_cell("a", 4), tiny_cell("b", 4), tiny_cell("c", 2)],
                   quietly)
    assert sorted(order) == ["a"] * 4 + ["b"] * 4 + ["c"] * 2
    assert all({"a", "b"} == set(order[i:i + 3]) - {"c"} for i in range(8))


def test_cells_of_few_processes_do_not_meet_in_the_same_passes():
    cells = [tiny_cell(str(n), processes) for n, processes in enumerate([12, 3, 3, 3, 3, 2])]
    turns = passes._in_turn(cells, {cell.id: 0 for cell in cells},
                            {cell.id: cell.processes for cell in cells})
    many = [place for place, (cell, _) in enumerate(turns) if cell is cells[0]]
    assert max(b - a for a, b in zip(many, many[1:])) <= 4
    assert sorted((c.label, i) for c, i in turns) == [
        (c.label, i) for c in cells for i in range(c.processes)]


# A notebook with few cells and few figures, and one that a single CPU can run.
if len(machine.usable_cpus()) > 1:
    NAME, SMALL = "04", ["huge_page=64K", "primitives=libc", "migrators=1", "rounds=2"]
else:
    NAME, SMALL = "01", ["huge_page=64K", "primitives=libc", "cache_states=cold/cold",
                         "delays_ns=50", "extent_primitives=libc", "largest_extent=64K",
                         "rounds=2"]


# The command, with a fourth process that takes hours: however late somebody comes
# to interrupt it, three are finished and one runs.
HELD = """
import sys
from artifact import __main__, cells
real = cells.Cell.command
cells.Cell.command = lambda cell, seed: [
    *real(cell, seed), *(["--rounds=10000", "--pause=1000000"] if seed == 4 else [])]
sys.exit(__main__.main())
"""


def start(processes):
    """A measuring process of its own, to be interrupted: even where these
    tests run in the background of a shell, which ignores SIGINT."""
    return subprocess.Popen(
        [sys.executable, "-c", HELD, "notebook", "--run", "one", NAME, *SMALL,
         f"processes={processes}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=paths.ROOT, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def measured_files(results):
    return sorted(results.glob("one/cells/*/*.json"))


@pytest.mark.parametrize("blow, status", [(signal.SIGKILL, -9), (signal.SIGINT, 130),
                                          (signal.SIGTERM, 130)])
def test_interrupted_run_keeps_what_it_has_and_goes_on(results, blow, status):
    measuring = start(processes=6)
    assert eventually(lambda: len(measured_files(results)) == 3)
    assert eventually(lambda: "pagecopy" in running(results))
    kept = measured_files(results)
    contents = {path: path.read_bytes() for path in kept}
    measuring.send_signal(blow)
    _, said = measuring.communicate(timeout=600)
    assert measuring.returncode == status, said
    if blow != signal.SIGKILL:
        assert said.strip() == \
            "interrupted: what is measured is kept, and make report draws it; the same command " \
            "continues"
    assert eventually(lambda: not running(results))
    for path, content in contents.items():
        assert path.read_bytes() == content and json.loads(content)
    question, run = questions.find(NAME), paths.run("one")
    parameters = {**planning.defaults(question), **planning.parse(question, [*SMALL, "processes=6"])}
    passes.measure(run, list(planning.planned(run, [(question, parameters)]).cells), quietly)
    # What was kept was used: the seeds and dates in the cell are the old ones.
    for path, content in contents.items():
        suite = pyperf.BenchmarkSuite.load(str(path.parent.with_suffix(".json.gz")))
        old = json.loads(content)["benchmarks"][0]["runs"][0]["values"]
        index = int(path.stem)
        assert list(suite.get_benchmarks()[0].get_runs()[index].values) == old


def test_second_run_at_the_same_time_is_refused(results):
    run = paths.run("one")
    with passes.alone(run), pytest.raises(Problem, match="another run is measuring"):
        passes.measure(run, [tiny_cell()], quietly)
    passes.measure(run, [tiny_cell()], quietly)


@pytest.mark.parametrize("damage, message", [
    (lambda data: data[:len(data) // 2], "cut off or not a pyperf file"),
    (lambda data: b"", "cut off or not a pyperf file"),
    (lambda data: gzip.compress(b'{"benchmarks": []}'), "cut off or not a pyperf file"),
    (lambda data: gzip.compress(gzip.decompress(data).replace(b"libc", b"movsx")), "foreign"),
])
def test_damaged_cell_is_named_and_the_others_stay(results, damage, message):
    run, cell, other = paths.run("one"), tiny_cell("bad"), tiny_cell("good")
    passes.measure(run, [cell, other], quietly)
    path = run.cell_file(cell.id)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Problem, match=message) as caught:
        read_timed(run, cell)
    assert path.name in str(caught.value) and "delete it" in str(caught.value)
    read_timed(run, other)


def test_cell_of_other_counts_is_foreign(results):
    run, cell, more = paths.run("one"), tiny_cell(processes=3), tiny_cell(processes=2)
    passes.measure(run, [cell], quietly)
    run.cell_file(cell.id).rename(run.cell_file(more.id))
    with pytest.raises(Problem, match="foreign: 3 processes where at most 2 were planned"):
        read_timed(run, more)


def test_damaged_process_file_is_named(results):
    run, cell = paths.run("one"), tiny_cell()
    damaged = run.cells / cell.id / "000.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text('{"version": "1.0", "bench')
    with pytest.raises(Problem, match="000.json: cut off or not a pyperf file"):
        passes.measure(run, [cell], quietly)


def test_full_disk_loses_nothing(results, monkeypatch):
    run, first, second = paths.run("one"), tiny_cell("first"), tiny_cell("second")
    passes.measure(run, [first], quietly)
    kept = run.cell_file(first.id).read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", full)
        with pytest.raises(Problem, match="No space left on device; make room"):
            passes.measure(run, [second], quietly)
    assert run.cell_file(first.id).read_bytes() == kept
    passes.measure(run, [second], quietly)
    assert not list(results.glob("**/*.tmp"))


def test_unwritable_results_are_one_line(artifact, results, monkeypatch):
    blocked = results / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("RESULTS", str(blocked))
    done = artifact("reproduce")
    assert done.returncode == Unwritable.status and len(done.stderr.splitlines()) == 1
    assert "set RESULTS to a folder you may write to" in done.stderr


def test_failing_pagecopy_is_one_problem(results):
    cell = tiny_cell(variants=("serial:bulk:libc", "serial:bulk:libc:folios=9"))
    with pytest.raises(Problem, match="more folios than --pairs=8; finished cells are kept"):
        passes.measure(paths.run("one"), [cell], quietly)


@pytest.fixture
def fake_time(monkeypatch):
    """Seconds that pass only where somebody sleeps; returns what lets more of them pass."""
    now = [0.0]

    def wait(seconds):
        now[0] += seconds
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", wait)
    return wait


def facts_with_a_neighbour(monkeypatch, probes, patience):
    """Of one process, with a core that the probes find shared (200) or not (100)."""
    took = itertools.chain([100] * 5, probes, itertools.repeat(100))
    monkeypatch.setattr(gate.QuietGate, "_probe", lambda self: next(took))
    monkeypatch.setattr(gate, "FIRST_PATIENCE_SECONDS", patience)
    monkeypatch.setattr(gate, "PATIENCE", 0.0)
    run, cell = paths.run("one"), tiny_cell(processes=1, resolution=float("inf"))
    passes.measure(run, [cell], quietly)
    facts, = read_timed(run, cell).facts
    return facts["quiet"], facts["repeats"]


def test_what_a_neighbour_disturbed_is_measured_again(results, monkeypatch):
    assert facts_with_a_neighbour(monkeypatch, [100, 200, 200] * 2, 1e9) == ("yes", 2)


def test_who_is_gone_at_a_second_look_disturbed_nothing(results, monkeypatch):
    assert facts_with_a_neighbour(monkeypatch, [100, 200, 100], 1e9) == ("yes", 0)


def test_what_patience_does_not_pay_for_is_noted(results, monkeypatch):
    assert facts_with_a_neighbour(monkeypatch, [100, 200, 200], 0) == ("no", 0)


def test_a_neighbour_who_comes_every_time_ends_the_patience(results, monkeypatch, fake_time):
    real = passes._run_process
    monkeypatch.setattr(passes, "_run_process",
                        lambda *arguments: (fake_time(0.25), real(*arguments))[1])
    assert facts_with_a_neighbour(monkeypatch, [100, 200, 200] * 1000, 1.0) == ("no", 4)


def test_a_process_that_patience_cannot_pay_for_whole_is_kept(results, monkeypatch, fake_time):
    real = passes._run_process
    monkeypatch.setattr(passes, "_run_process",
                        lambda *arguments: (fake_time(20), real(*arguments))[1])
    assert facts_with_a_neighbour(monkeypatch, [100, 200, 200], 19.0) == ("no", 0)


def test_an_interrupt_before_the_verdict_keeps_nothing_disturbed(results, monkeypatch):
    took = iter([100] * 6)      # and then somebody presses Ctrl-C
    monkeypatch.setattr(gate.QuietGate, "_probe", lambda self: next(took))
    run, cell = paths.run("one"), tiny_cell(processes=1)
    with pytest.raises(StopIteration):
        passes.measure(run, [cell], quietly)
    assert not run.process_files(cell.id) and not run.cell_file(cell.id).exists()


def test_unstable_cell_is_measured_again_and_both_are_kept(results):
    said = []
    run, cell = paths.run("one"), tiny_cell(resolution=0.0, processes=sharpness.DRAFT)
    passes.measure(run, [cell], said.append)
    finished = run.cell_file(cell.id)
    rejected = finished.with_name(f"{cell.id}.rejected.json.gz")
    assert finished.exists() and rejected.exists()
    assert any("measuring it again" in line for line in said)
    assert not estimate.is_stable(read_timed(run, cell))
    passes.measure(run, [cell], said.append)      # but not a third time


def test_a_draft_is_not_measured_again(results):
    run, cell = paths.run("one"), tiny_cell(resolution=0.0, processes=sharpness.DRAFT - 1)
    passes.measure(run, [cell], quietly)
    assert run.cell_file(cell.id).exists() and not run.rejected_file(cell.id).exists()


def test_every_line_of_progress_has_the_time_that_is_left(results):
    said = []
    passes.measure(paths.run("one"), [tiny_cell(processes=3)], said.append)
    assert len(said) == 3 and all(" left" in line and " gone" in line for line in said)
    assert said[-1].endswith("0:00 left")


def test_many_processes_have_few_lines_and_the_last_one(results, monkeypatch):
    said = []
    monkeypatch.setattr(progress, "LINES", 3)
    passes.measure(paths.run("one"), [tiny_cell(processes=7)], said.append)
    assert 4 <= len(said) <= 3 + len(looks.STAGES) and "7 of 7 processes" in said[-1]


def test_mixed_run_says_so(results, monkeypatch):
    run, first, second = paths.run("one"), tiny_cell("first"), tiny_cell("second")
    passes.measure(run, [first], quietly)
    monkeypatch.setattr(machine, "commit", lambda: "another")
    passes.measure(run, [second], quietly)
    lines = mixture([read_timed(run, first), read_timed(run, second)])
    assert len(lines) == 1 and "2 different commits" in lines[0] and "another" in lines[0]
    assert mixture([read_timed(run, first)]) == []


def test_recorded_data_is_never_measured_into(results, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "RECORDED", tmp_path)
    (tmp_path / "old").mkdir()
    with pytest.raises(Problem, match="recorded data has no cell"):
        passes.measure(paths.run("recorded/old"), [tiny_cell()], quietly)
    with pytest.raises(Problem, match="no such recorded run"):
        paths.run("recorded/older")


def a_gate(monkeypatch, probes, said=None):
    """A gate whose probes take so long, in turn; what is left of them can be asked for."""
    took = iter([100.0] * 5 + list(probes))
    monkeypatch.setattr(gate.QuietGate, "_probe", lambda self: next(took))
    return gate.QuietGate([].append if said is None else said.append), took


def test_gate_waits_for_a_shared_core_but_not_for_ever(monkeypatch, fake_time):
    waiting, took = a_gate(monkeypatch, [200.0, 200.0, 104.0] + [200.0] * 100)
    waiting.patience = 60
    assert waiting.wait(tiny_cell()) is True
    assert next(took) == 200.0      # both shared moments were waited out
    waiting.patience = 0.25
    assert waiting.wait(tiny_cell()) is False
    assert len(list(took)) == 100 - 1 - 4   # looked at 0, 0.1, 0.2 and 0.3 s


def test_the_whole_wait_is_paid_for(monkeypatch, fake_time):
    waiting, _ = a_gate(monkeypatch, [200.0] * 4 + [100.0])
    waiting.patience = 60
    assert waiting.wait(tiny_cell()) is True
    assert waiting.patience == pytest.approx(60 - 0.4)


def test_one_lucky_probe_makes_no_neighbour_of_everything_after(monkeypatch, fake_time):
    waiting, _ = a_gate(monkeypatch, [60.0] + [100.0] * 500)
    found = []
    for _ in range(500):
        waiting.earn(1.0)
        found.append(waiting.wait(tiny_cell()))
    assert all(found[1:])


def test_a_slower_clock_is_no_neighbour_for_long(monkeypatch, fake_time):
    waiting, _ = a_gate(monkeypatch, [140.0] * 10_000)
    found = []
    for _ in range(200):
        waiting.earn(1.0)
        found.append(waiting.wait(tiny_cell()))
    assert all(found[gate.PROBES:])


def test_where_hardly_anything_is_quiet_nobody_waits_and_it_is_said_once(monkeypatch, fake_time):
    said = []
    waiting, _ = a_gate(monkeypatch, itertools.repeat(100.0, 10_000), said)
    busy = [1.0]
    monkeypatch.setattr(machine, "busiest_cpu", lambda seconds: busy[0])
    cell, before = tiny_cell(quiet=True), None
    for nth in range(300):
        waiting.earn(1.0)
        assert waiting.wait(cell) is False
        if nth == gate.LOOKS:
            before = time.monotonic()
    assert time.monotonic() == before       # from there on nobody waited
    assert len(said) == 1 and f"{gate.LOOKS} of the last {gate.LOOKS}" in said[0]
    busy[0] = 0.0
    for _ in range(gate.LOOKS):
        assert waiting.wait(cell) is True
    busy[0], started = 1.0, time.monotonic()
    assert waiting.wait(cell) is True       # as nobody looked so soon
    fake_time(gate.IDLE_SECONDS)
    started = time.monotonic()
    assert waiting.wait(cell) is False      # a single disturbance is waited for again
    assert time.monotonic() > started and len(said) == 1


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden", "recorded", "lab", "x" * 65])
def test_run_names_stay_in_the_results_folder(name):
    with pytest.raises(Problem, match="not a valid name"):
        paths.run(name)


MIDDLE = """
import os, sys, time
from artifact import ctools
if not os.fork():
    middle = os.getpid()
    if not os.fork():
        while sys.argv[1] == "orphan" and os.getppid() == middle:
            time.sleep(0.01)
        ctools.die_with_parent()
        os.write(1, b"measures")
    elif sys.argv[1] == "child":
        os.wait()
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("kind, said", [("child", "measures"), ("orphan", "")])
def test_nobody_measures_for_a_parent_who_was_gone_before(kind, said):
    """That no signal tells. The output ends with the last of them."""
    done = subprocess.run([sys.executable, "-c", MIDDLE, kind], cwd=paths.ROOT, text=True,
                          capture_output=True)
    assert (done.stdout, done.stderr) == (said, "")
