# SPDX-License-Identifier: MIT
"""Cells in, one pyperf file per finished cell out; interrupted at will.

All cells take turns, each spread over the whole of a run, so that every figure
samples all of it and not just the minutes it happened to be measured in.
"""

import contextlib
import functools
import io
import json
import math
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyperf

from artifact import ctools, estimate, machine, paths, plan, samples, sharpness
from artifact.cells import AnyCell, Cell, KernelCell
from artifact.measuring import lab, looks, process
from artifact.measuring.gate import QuietGate
from artifact.measuring.progress import Lines, Progress, Say, Shown
from artifact.problem import Lacking, Misuse, Problem
from artifact.samples import Samples

LONGER = 1.25       # than a drawing before does the last one take: it has the SVG files too


def measure(run: paths.Run, cells: list[AnyCell], say: Say, minutes: float = math.inf,
            draw: Callable[[], None] | None = None,
            shown: Callable[[Progress], Shown] | None = None) -> None:
    """Measures what is missing of the cells, in stages, between which it looks at what
    there is: see looks.py. A cell that contradicts itself is measured once more,
    where time allows, and the first attempt kept beside it.

    minutes: after which it ends, whatever is missing; but for the first stage, which
    is always measured whole. draw: draws what there is, after some of the stages, and
    the caller once more. shown: how far it is is shown by that and not said.

    Raises Problem when nothing may be measured here, another process is
    measuring, or pagecopy fails. What is finished stays finished.
    """
    # Notebooks ask for the same cell; it is measured once.
    cells = list({cell.id: cell for cell in cells}.values())
    todo = plan.missing(run, cells)
    if run.may_measure and run.cells.exists():
        _write_machine_record(run)
    if not todo:
        return
    if not run.may_measure:
        raise Misuse(f"run {run.name}", f"recorded data has no cell {todo[0].id}",
                     "use the parameters it was recorded with, or a run of your own")
    with alone(run):
        ctools.build()
        _write_machine_record(run)
        # Another run may have finished some while we waited for nothing.
        if plan.missing(run, cells):
            _Measuring(run, cells, say, minutes, draw, shown).all()


@contextlib.contextmanager
def alone(run: paths.Run) -> Iterator[None]:
    """Only one measurement at a time, and a folder for what it finds."""
    with nobody_else():
        with paths.writing(run.cells):
            run.cells.mkdir(parents=True, exist_ok=True)
        for leftover in run.cells.glob("**/*.tmp"):
            leftover.unlink(missing_ok=True)
        yield


@contextlib.contextmanager
def nobody_else() -> Iterator[None]:
    """While something is timed: two would measure each other."""
    with paths.writing(paths.RESULTS):
        try:
            lock = paths.locked(paths.RESULTS / ".lock", blocking=False)
        except BlockingIOError as error:
            raise Lacking("cannot measure", "another run is measuring on this machine",
                          "wait until it is done, or stop it") from error
    with lock:
        yield


def _write_machine_record(run: paths.Run) -> None:
    if not run.machine.exists():
        text = json.dumps(machine.record(), indent=1)
        paths.write_atomically(run.machine, text.encode())


class _Measuring:
    """Cells on their way: what was decided for them, and the time that is left."""

    def __init__(self, run: paths.Run, cells: list[AnyCell], say: Say, minutes: float,
                 draw: Callable[[], None] | None = None,
                 shown: Callable[[Progress], Shown] | None = None):
        self.run, self.say, self.draw = run, say, draw
        self.timed = [cell for cell in cells if isinstance(cell, Cell)]
        self.kernels = [cell for cell in cells if isinstance(cell, KernelCell)]
        found = self._read()
        before = sum(map(_seconds, found.values()))
        self.decisions = looks.Decisions(run, self.timed, minutes, before)
        self.ends = time.monotonic() + 60 * minutes - self.decisions.spent(before)
        self.progress = Progress(self.timed, found, self.ends, plan.missing(run, self.kernels))
        if drawn := looks.drawn_seconds(run, self.timed):
            self.progress.drew(drawn[-1])
        self.shown = shown(self.progress) if shown else Lines(self.progress, say)

    @functools.cached_property
    def gate(self) -> QuietGate:
        """Made, and so probed for the first time, when it is needed."""
        return QuietGate(self.say)

    def all(self) -> None:
        """Every stage, and what must be measured again."""
        with self.shown:
            before = dict.fromkeys((cell.id for cell in self.timed), 0)
            for stage in looks.STAGES:
                wanted = self._decided(stage)
                self._begin(stage.name, wanted, self._to_draw(stage), always=not stage.part)
                done = self._measure(before, wanted, always=not stage.part)
                before = wanted
                if stage is looks.STAGES[0]:
                    done += self._ask_kernels()
                if self.draw and done and stage.drawn:
                    self._draw(stage, self.draw)
            self._finish()
        self.decisions.end()

    def _decided(self, stage: looks.Stage) -> dict[str, int]:
        """How many processes of each cell there are to be at its end."""
        wanted = self.decisions.targets(stage)
        if wanted is None:
            wanted = self._decide(stage)
        if self.decisions.goals:
            self.progress.decided(self.decisions.goals, stage.by_spread)
        return wanted

    def _decide(self, stage: looks.Stage) -> dict[str, int]:
        if not stage.part:
            wanted = {cell.id: looks.first_of(cell) for cell in self.timed}
            self.decisions.decide(stage, wanted, {})
            return wanted
        found = self._read()
        self.progress.looked(found)
        goals = looks.goals(stage, self.timed, found)
        wanted = looks.targets(
            stage, goals, {key: each.processes for key, each in found.items()},
            {key: _seconds(each) / each.processes for key, each in found.items()},
            self._left(stage))
        self.decisions.decide(stage, wanted, goals)
        return wanted

    def _begin(self, name: str, wanted: dict[str, int], to_draw: int, always: bool) -> None:
        """Tells how far it is, and how far it will be."""
        # The caller draws the last report.
        self.progress.begin(name, wanted, 1 + to_draw if self.draw else 0, always)
        self.shown.begin()

    def _measure(self, before: dict[str, int], wanted: dict[str, int],
                 always: bool = False) -> int:
        """Processes until there are so many of each cell, or no time is left; returns
        how many it took."""
        todo = [(cell, index) for cell, index in _in_turn(self.timed, before, wanted)
                if not self.run.cell_file(cell.id).exists()
                and not self.run.process_file(cell.id, index).exists()]
        with self._noting(self.progress.name, todo):
            for done, (cell, index) in enumerate(todo):
                if not always and time.monotonic() >= self.ends - self._drawing():
                    return done
                started = time.monotonic()
                _run_undisturbed(self.run, cell, index, self.gate)
                self.progress.done(cell, time.monotonic() - started)
                self.shown.update()
        return len(todo)

    def _ask_kernels(self) -> int:
        missing = plan.missing(self.run, self.kernels)
        with self._noting(looks.KERNELS, missing):
            lab.measure(self.run, missing, self.say)
        self.progress.answered()
        return len(missing)

    @contextlib.contextmanager
    def _noting(self, what: str, todo: list) -> Iterator[None]:
        """How long that takes, if there is anything to do."""
        started = time.monotonic()
        try:
            yield
        finally:
            if todo:
                self.decisions.took(what, time.monotonic() - started)

    def _draw(self, stage: looks.Stage, draw: Callable[[], None]) -> None:
        """What cannot be drawn yet must not end the measuring."""
        started = time.monotonic()
        with self.shown.away():
            try:
                draw()
            except Problem as problem:
                self.say(f"no report yet, measuring continues: {problem}")
        seconds = time.monotonic() - started
        self.progress.drew(seconds)
        self.decisions.drew(stage, seconds)

    def _drawing(self) -> float:
        """Seconds that the last report is likely to take."""
        return LONGER * max(self.decisions.drawing_seconds, default=0.0)

    def _left(self, stage: looks.Stage) -> float:
        """Seconds of measuring from here on; the caller draws the last report."""
        return self.ends - time.monotonic() - (1 + self._to_draw(stage)) * self._drawing()

    def _to_draw(self, stage: looks.Stage) -> int:
        """Reports to be drawn after this stage and the next ones."""
        return sum(each.drawn for each in looks.STAGES[looks.STAGES.index(stage):])

    def _read(self) -> dict[str, Samples]:
        """Of each cell, by its id, what there is of it."""
        return {cell.id: samples.read_timed(self.run, cell) for cell in self.timed
                if self.run.cell_file(cell.id).exists() or self.run.process_files(cell.id)}

    def _finish(self) -> None:
        """Joins the cells that need no more. Those that contradict themselves for
        the first time are measured again, where that fits into the time."""
        again = {}
        for cell in plan.missing(self.run, self.timed):
            found = samples.read_timed(self.run, cell)
            self.progress.looked({cell.id: found})
            if found.processes < self.decisions.goals[cell.id]:
                continue        # the time is up
            if self._is_to_be_rejected(cell, found):
                self.say(f"{cell.experiment} {cell.label}: the same routine differs from itself, "
                         f"{estimate.same_kernel_ratio(found)}; measuring it again")
                _join(self.run, cell, self.run.rejected_file(cell.id))
                again[cell.id] = found.processes
            else:
                _join(self.run, cell, self.run.cell_file(cell.id))
        if again:
            self.progress.rejected(again)
            self._begin("again", again, 0, always=False)
            self._measure(dict.fromkeys(again, 0), again)
            self._finish()

    def _is_to_be_rejected(self, cell: Cell, found: Samples) -> bool:
        if sharpness.is_draft(found) or not estimate.contradicts_itself(found) or \
                self.run.rejected_file(cell.id).exists():
            return False
        return time.monotonic() + _seconds(found) < self.ends - self._drawing()


def _seconds(found: Samples) -> float:
    """What all processes of a cell took, waiting included."""
    return sum(facts.get("seconds_process", 0.0) + facts.get("seconds_waited", 0.0)
               for facts in found.facts)


def _in_turn(cells: list[Cell], before: dict[str, int],
             wanted: dict[str, int]) -> list[tuple[Cell, int]]:
    """The processes from so many to so many of each cell, each cell's spread evenly
    over all of them.

    Each cell begins at another part of the distance between two of its own: else all
    with few would meet, and those of the cell with the most follow each other.
    """
    asked = [cell for cell in cells if wanted.get(cell.id, 0) > before.get(cell.id, 0)]
    return [(asked[nth], index) for _, nth, index in sorted(
        ((index - before[cell.id] + (nth + 0.5) / len(asked)) / (wanted[cell.id] - before[cell.id]),
         nth, index)
        for nth, cell in enumerate(asked) for index in range(before[cell.id], wanted[cell.id]))]


def _run_undisturbed(run: paths.Run, cell: Cell, index: int, gate: QuietGate) -> None:
    """One process, to one file; again where a neighbour came while it ran and
    patience lasts, noted where it does not."""
    began = time.monotonic()
    quiet, repeats = gate.wait(cell), 0
    while True:
        started = time.monotonic()
        output = _run_process(run, cell, index, quiet, repeats, started - began)
        took = time.monotonic() - started
        gate.earn(took)
        if not quiet or gate.stayed_alone():
            break
        if not gate.spend(took) or not gate.wait(cell):
            _note_not_quiet(output)
            break
        repeats += 1
    with paths.writing(output):
        os.replace(output, run.process_file(cell.id, index))


def _note_not_quiet(output: Path) -> None:
    """What was true when the process began was not when it ended."""
    suite = pyperf.BenchmarkSuite.load(str(output))
    for benchmark in suite.get_benchmarks():
        if "quiet" in benchmark.get_metadata():
            benchmark.update_metadata({"quiet": "no"})
    with paths.writing(output):
        suite.dump(str(output), replace=True)


def _run_process(run: paths.Run, cell: Cell, index: int, quiet: bool, repeats: int,
                 waited: float) -> Path:
    """One fresh process; returns its file, not yet a finished one.

    waited: seconds, for quiet and for repeats in vain.
    """
    output = run.process_file(cell.id, index).with_suffix(".tmp")
    process.measure(cell, 1 + index, output, {
        "cell": cell.id, "commit": machine.commit(), "pagecopy": ctools.fingerprint(),
        "quiet": "yes" if quiet else "no", "repeats": repeats,
        "seconds_waited": waited})
    return output


def _gzipped(text: bytes) -> bytes:
    """Digits repeat by chance only: zlib's filtered strategy saves a twentieth of them."""
    packer = zlib.compressobj(9, wbits=31, strategy=zlib.Z_FILTERED)
    return packer.compress(text) + packer.flush()


def _join(run: paths.Run, cell: Cell, path: Path) -> None:
    """Joins a cell's processes into one file that pyperf opens."""
    text = io.StringIO()
    samples.joined(run.process_files(cell.id)).dump(text)
    paths.write_atomically(path, _gzipped(text.getvalue().encode()))
    shutil.rmtree(run.cells / cell.id, ignore_errors=True)
