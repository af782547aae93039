# SPDX-License-Identifier: MIT
"""How far a run is: what it says of the time that is left, and what a terminal shows.

Nothing is timed here: what takes time is made up, and so is the clock.
"""

import dataclasses
import fcntl
import functools
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time

import numpy as np
import pyperf
import pytest
from rich.console import Console

from artifact import paths, samples, sharpness
from artifact.cells import KernelCell
from artifact.measuring import forecast, gate, lab, live, looks, passes, process, progress
from artifact.samples import Samples
from tests.conftest import tiny_cell

SHOW, HIDE, ERASE = "\x1b[?25h", "\x1b[?25l", "\x1b[2K"
KERNELS = [KernelCell("moves", name, "instructions", 2, "00000000") for name in ("one", "other")]
BOOTS_SECONDS = 1.25 * forecast.boots_seconds(KERNELS)


@pytest.fixture
def clock(monkeypatch):
    """A clock that only its caller moves."""
    now = [0.0]

    def forward(seconds):
        now[0] += seconds
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", forward)
    return forward


@pytest.fixture
def costly(monkeypatch, clock, nobody_else):
    """Cells whose processes cost between 0.1 and 10 seconds, by guesses that are wrong by
    a factor of three, up or, where there are few processes, down; and kernels that take
    a quarter longer than guessed."""
    cells = [tiny_cell(str(n), 40 if n % 2 else 8, ["serial:bulk:libc"], sharpness=1e-9)
             for n in range(8)]
    costs = dict(zip([cell.id for cell in cells], np.geomspace(0.1, 10, len(cells)), strict=True))
    monkeypatch.setattr(progress, "guess_seconds", lambda cell:
                        costs[cell.id] * (3 if int(cell.label) % 2 else 1 / 3))

    def measure(cell, seed, output, facts):
        rng = np.random.default_rng([seed, *cell.label.encode()])
        seconds = costs[cell.id] * rng.uniform(0.8, 1.2)
        clock(seconds)
        facts = {**facts, "seconds_process": seconds, "bytes": 65536}
        output.parent.mkdir(parents=True, exist_ok=True)
        pyperf.BenchmarkSuite([pyperf.Benchmark([pyperf.Run(
            list(1e-6 * np.exp(0.3 * rng.normal(size=cell.rounds))), collect_metadata=False,
            metadata={**facts, "name": arm, "unit": "second", "loops": 1})])
            for arm in cell.arms]).dump(str(output), replace=True)
    monkeypatch.setattr(process, "measure", measure)
    monkeypatch.setattr(gate.QuietGate, "wait", lambda self, cell: True)
    monkeypatch.setattr(lab, "measure", lambda run, kernels, say: clock(BOOTS_SECONDS))
    return [*cells, *KERNELS]


@pytest.fixture
def told(monkeypatch):
    """The time after each process, and what was left by Progress."""
    told, real = [], progress.Progress.done

    def done(self, cell, seconds):
        real(self, cell, seconds)
        told.append((time.monotonic(), self.remaining_seconds()))
    monkeypatch.setattr(progress.Progress, "done", done)
    return told


@pytest.mark.parametrize("minutes", [600, 7])
@pytest.mark.parametrize("wish", [1e-9, 1.0])
def test_ten_percent_in_the_remaining_time_is_right_within_a_quarter(results, clock, costly, told,
                                                                     minutes, wish):
    """Whether no cell is sharp enough early or each is, and whether time cuts them short."""
    cells = [cell if cell in KERNELS else dataclasses.replace(cell, sharpness=wish)
             for cell in costly]
    passes.measure(paths.run("one"), cells, quietly, minutes, draw=lambda: clock(25))
    end = time.monotonic() + 25     # the last report is the caller's
    assert (end <= 60 * minutes + 20) and (end < 60 * 7 + 20) == (minutes == 7)
    # What is shown when a tenth is over was told by the process before.
    at, = [nth for nth, (now, _) in enumerate(told[:-1]) if now <= end / 10 < told[nth + 1][0]]
    for now, left in told[at:]:
        if now <= 0.8 * end:
            assert left == pytest.approx(end - now, rel=0.25), now


def quietly(line):
    pass


def test_what_comes_whatever_the_time_is_not_denied(results, clock, costly, told):
    """A time that ends before the first look: there are that, and two reports."""
    passes.measure(paths.run("one"), costly, quietly, minutes=0.1, draw=lambda: clock(15))
    end = time.monotonic() + 15
    assert len(told) == 24
    assert told[-1][1] == pytest.approx(end - told[-1][0], rel=0.25)


def a_progress(cells, **more):
    return progress.Progress(cells, {}, **{"ends": 1000.0, **more})


def test_drawings_and_kernels_are_part_of_what_is_left(clock):
    cell = tiny_cell(processes=12)
    found = a_progress([cell], kernels=KERNELS)
    measuring = 12 * progress.guess_seconds(cell)
    found.begin("first", {cell.id: 3}, 3, always=True)
    assert found.remaining_seconds() == pytest.approx(
        measuring + forecast.boots_seconds(KERNELS) + 3 * progress.DRAWING_SECONDS)
    found.answered()
    found.drew(40)
    found.begin("half", {cell.id: 6}, 2, always=False)
    assert found.remaining_seconds() == pytest.approx(measuring + 2 * 40)
    clock(950)
    assert found.remaining_seconds() == pytest.approx(50)
    clock(100)
    assert found.remaining_seconds() == pytest.approx(40)       # of the last report


def test_a_cell_that_is_measured_again_counts_from_one(results, costly):
    said = []
    cell = dataclasses.replace(costly[0], resolution=0.0)
    passes.measure(paths.run("one"), [cell], said.append)
    again, = [nth for nth, line in enumerate(said) if "measuring it again" in line]
    assert [line.split(" processes")[0].strip() for line in said[again + 1:]] == [
        f"{count} of 8" for count in range(1, 9)]


def a_cell(experiment, processes, **more):
    return dataclasses.replace(tiny_cell(processes=processes, **more), experiment=experiment)


def a_samples(cell, processes, spread=0.0, finished=False):
    """Its ratios have the half-width of so many times the same numbers."""
    return Samples(cell, {arm: np.exp(spread * np.random.default_rng(nth).normal(
        size=(processes, 1))) for nth, arm in enumerate(cell.arms)}, {}, {}, {},
        dict.fromkeys(cell.arms, 1), {}, [], finished)


def test_what_a_report_took_before_it_is_expected_to_take_again(results, clock, costly):
    run = paths.run("one")
    passes.measure(run, costly, quietly, minutes=1, draw=lambda: clock(20))
    looks.drew_last(run, 40.0)
    asked_again = passes._Measuring(run, costly, quietly, 1, lambda: None)
    assert asked_again.progress.drawing == 40


def test_how_wrong_the_guess_was_counts_for_who_was_not_measured(clock):
    one, other = a_cell("a", 2), a_cell("b", 2)
    found = a_progress([one, other])
    guess = progress.guess_seconds(one)
    found.done(one, 3 * guess)
    assert found.remaining_seconds() == pytest.approx(3 * (1 + 2) * guess)


def test_a_finished_cell_lacks_nothing(clock):
    cell, other = a_cell("a", 24), a_cell("b", 24)
    found = progress.Progress([cell, other], {cell.id: a_samples(cell, 18, finished=True)}, 1e9)
    found.decided({cell.id: 24, other.id: 20})
    assert [(each.there, each.wanted) for each in found.experiments()] == [(18, 18), (0, 20)]


def test_until_its_spread_has_told_a_cell_may_get_the_fewest_or_the_most(clock):
    cell, any_will_do = a_cell("a", 24, sharpness=0.02), a_cell("a", 24)
    one, most = progress.guess_seconds(cell), {cell.id: 24}
    assert a_progress([any_will_do]).remaining_seconds() == pytest.approx(24 * one)
    found = a_progress([cell])
    for spread, expected in ((1.0, (18 + 24) / 2), (1e-4, 18)):
        found.looked({cell.id: a_samples(cell, 3, spread)})
        found.decided(most)
        assert found.remaining_seconds() == pytest.approx(expected * one)
    found.decided(most, by_spread=True)
    assert found.remaining_seconds() == pytest.approx(24 * one)


def test_a_rejected_cell_is_to_be_measured_again(clock):
    cell = a_cell("a", 2)
    found = progress.Progress([cell], {cell.id: a_samples(cell, 2)}, 1e9)
    assert found.is_stage_done and found.remaining_seconds() == 0
    found.rejected([cell.id])
    found.begin("again", {cell.id: 2}, 0, always=False)
    assert not found.is_stage_done and found.remaining_seconds() > 0
    assert (found.processes, found.most) == (0, 2)


def test_an_experiment_is_as_sharp_as_its_cell_that_is_farthest_from_what_it_wants(clock):
    near, far, any_will_do = (a_cell("a", 24, label=label, sharpness=wanted) for label, wanted in
                              (("near", 0.5), ("far", 0.001), ("any", 0.0)))
    found = a_progress([near, far, any_will_do])
    assert live._sharpness(found.experiments()[0]) == "-"
    found.looked({near.id: a_samples(near, 1)})
    assert live._sharpness(found.experiments()[0]) == "-"
    found.looked({any_will_do.id: a_samples(any_will_do, 12, 3.0)})
    assert re.fullmatch(r"\d+\.\d %", live._sharpness(found.experiments()[0]))
    found.looked({near.id: a_samples(near, 12, 0.2), far.id: a_samples(far, 12, 0.01)})
    half = sharpness.half_width(a_samples(far, 12, 0.01))
    assert live._sharpness(found.experiments()[0]) == f"{100 * half:.1f} % of 0.1 %"


def a_display(found, height=24):
    """It, and all that it writes to a terminal of 80 columns."""
    output = io.StringIO()
    return output, live.Live(found, Console(file=output, force_terminal=True, width=80,
                                            height=height, color_system="standard"))


def lines_of(output):
    """Without escape sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output).replace("\r", "\n").splitlines()


def test_a_terminal_shows_a_line_for_each_experiment_and_one_for_all(clock):
    cells = [a_cell("serial-ladder", 500, sharpness=0.017), a_cell("load", 700),
             a_cell("an experiment of a name that fits nowhere" * 2, 12000)]
    found = a_progress(cells, ends=3600.0)
    found.looked({cells[0].id: a_samples(cells[0], 12, 0.02)})
    found.begin("three quarters", {cells[0].id: 3}, 1, always=False)
    clock(65)
    found.done(cells[0], 65)
    output, display = a_display(found)
    with display:
        display.begin()
        header, serial, load, long, total = lines_of(output.getvalue())
    half = sharpness.half_width(a_samples(cells[0], 12, 0.02))
    assert re.fullmatch(rf"serial-ladder +━* +1 of 500 +{100 * half:.1f} % of 1.7 %", serial)
    assert re.fullmatch(r"load +━* +0 of 700 +-", load)
    assert re.fullmatch(r"stage: three quarters +━* +1 of 13200 +1:05 gone, 58:55 left", total)
    assert long.startswith("an experiment of a na… ")
    assert {len(line) for line in lines_of(output.getvalue()) if line} == {80}


def test_on_a_low_terminal_what_lacks_nothing_is_left_out(clock):
    cells = [a_cell(f"number-{n}", 2) for n in range(12)]
    found = a_progress(cells)
    for cell in cells[:4] * 2:
        found.done(cell, 1)
    output, display = a_display(found, height=10)
    with display:
        display.begin()
        shown = lines_of(output.getvalue())
    assert [line.split()[0] for line in shown[1:-1]] == [f"number-{n}" for n in range(4, 11)]
    assert shown[-1].startswith("stage: ") and len(shown) < 10


def test_what_is_printed_meanwhile_is_above_the_lines(clock):
    output, display = a_display(a_progress([a_cell("a", 2)]))
    with display:
        display.begin()
        print("the gate [says] so")
        _, _, after = output.getvalue().partition("the gate [says] so")
    assert [line.split()[0] for line in lines_of(after) if line] == ["experiment", "a", "stage:"]
    assert output.getvalue().endswith(SHOW)


def test_the_lines_are_away_while_somebody_else_has_the_terminal(clock, capsys):
    output, display = a_display(a_progress([a_cell("a", 2)]))
    with display:
        display.begin()
        with display.away():
            before = output.getvalue()
            print("drawing")
            display.update()
            assert output.getvalue() == before and before.rindex(SHOW) > before.rindex(HIDE)
            assert ERASE in before.rpartition("stage: ")[2]
        assert capsys.readouterr().out == "drawing\n"
        display.begin()
        assert output.getvalue().rindex(HIDE) > output.getvalue().rindex(SHOW)
    assert output.getvalue().endswith(SHOW)


def test_lines_change_when_some_time_has_passed_or_a_stage_is_done(clock):
    cell = a_cell("a", 50)
    found = a_progress([cell])
    found.begin("first", {cell.id: 9}, 0, always=True)
    output, display = a_display(found)
    seen = []
    with display:
        display.begin()
        for seconds in (0.1, 0.1, live.EVERY_SECONDS, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01):
            clock(seconds)
            found.done(cell, seconds)
            before = output.getvalue()
            display.update()
            seen.append(output.getvalue() != before)
    assert seen == [False, False, True, *[False] * 5, True]


def test_a_run_shows_how_sharp_it_is_and_steps_aside_for_drawing(results, clock, costly, monkeypatch):
    run, output, seen = paths.run("one"), io.StringIO(), []
    monkeypatch.setattr(live, "Live", functools.partial(live.Live, console=Console(
        file=output, force_terminal=True, width=80, color_system="standard")))

    def draw():
        clock(25)
        wrote = output.getvalue()
        seen.append((wrote.rindex(SHOW) > wrote.rindex(HIDE), " % of 0.0 %" in wrote))
    passes.measure(run, costly, quietly, draw=draw, shown=live.Live)
    assert output.getvalue().endswith(SHOW)
    assert seen == [(True, False), (True, True)]
    *_, experiment, total = [line for line in lines_of(output.getvalue()) if line]
    half = max(sharpness.half_width(samples.read_timed(run, cell)) for cell in costly[:8])
    assert re.fullmatch(rf"test +━* +192 of 192 +{100 * half:.1f} % of 0\.0 %", experiment)
    assert re.fullmatch(r"stage: all +[━╸╺]* +192 of 192 +\d+:\d\d gone, 0:25 left", total)


# A command that measures three processes, of which one may take hours.
COMMAND = """
import sys
from artifact import __main__, cells, paths
from artifact.measuring import live, passes
from tests.conftest import tiny_cell
held, variants = int(sys.argv.pop()), sys.argv.pop().split()
real = cells.Cell.command
cells.Cell.command = lambda cell, seed: [
    *real(cell, seed), *(["--rounds=10000", "--pause=1000000"] if seed == held else [])]
def check(arguments):
    passes.measure(paths.run("one"), [tiny_cell("tiny", 3, variants)], __main__.say,
                   shown=live.chosen())
    assert ("rich" in sys.modules) == live.on_terminal()
__main__.check = check
sys.exit(__main__.main())
"""
FINE, BAD = "serial:bulk:libc", "serial:bulk:libc serial:bulk:libc:folios=9"


def arguments(variants=FINE, held=0):
    return [sys.executable, "-c", COMMAND, "check", variants, str(held)]


def on_a_terminal(command, stop=None, term="xterm"):
    """Runs it on a pseudo-terminal, and sends it a signal when two of three processes are
    there; returns its status and all that it wrote."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, cwd=paths.ROOT,
                             env=os.environ | {"TERM": term},
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    os.close(its)
    wrote = b""
    try:
        while part := _read(ours):
            wrote += part
            if stop and b"2 of 3" in wrote:
                child.send_signal(stop)
                stop = None
        return child.wait(), wrote.decode()
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:     # nobody has its other end any more
        return b""


@pytest.mark.parametrize("command, stop, status, last", [
    (arguments(), None, 0, "0:00 left"),
    (arguments(held=3), signal.SIGINT, 130, "interrupted: what is measured is kept"),
    (arguments(held=3), signal.SIGTERM, 130, "interrupted: what is measured is kept"),
    (arguments(BAD), None, 1, "error: cell test-tiny-"),
], ids=["whole", "SIGINT", "SIGTERM", "error"])
def test_a_terminal_is_left_as_it_was(results, command, stop, status, last):
    ended, wrote = on_a_terminal(command, stop)
    assert ended == status, wrote
    assert HIDE in wrote and wrote.rindex(SHOW) > wrote.rindex(HIDE)
    # The lines stay as they were last, and what is said next begins a line of its own.
    assert ERASE not in wrote.rpartition("stage: ")[2]
    lines = [line for line in lines_of(wrote) if line]
    total = max(n for n, line in enumerate(lines) if line.startswith("stage: "))
    assert any(last in line for line in lines[total:])
    assert all(len(line) <= 80 for line in lines[:total + 1])


@pytest.mark.parametrize("where", ["dumb terminal", "pipe"])
def test_elsewhere_plain_lines_are_said(results, where):
    if where == "pipe":
        wrote = subprocess.run(arguments(), capture_output=True, text=True, cwd=paths.ROOT)
        status, wrote = wrote.returncode, wrote.stdout
    else:
        status, wrote = on_a_terminal(arguments(), term="dumb")
    assert status == 0 and "\x1b" not in wrote
    assert re.fullmatch(r" +3 of 3 processes, 0:\d\d gone, 0:00 left", wrote.splitlines()[-1])
