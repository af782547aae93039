# SPDX-License-Identifier: MIT
"""Cells in, one pyperf file per finished cell out; interrupted at will.

The outer loop is the pass and the inner loop the cell, so that every figure
samples the whole run and not just the minutes it happened to be measured in.
"""

import contextlib
import fcntl
import gzip
import io
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyperf

from artifact import ctools, estimate, lab, load, machine, paths
from artifact.plan import Cell, KernelCell
from artifact.problem import Problem, one_line

BUSY = 0.10             # share of a CPU's time above which a parallel cell waits
QUIET_SECONDS = 0.2     # looked at before each process of such a cell
SHARED = 1.3            # times the least time: somebody else is on this core
LINES = 40              # of progress, and one for the first pass
PATIENCE_SECONDS = 0.2  # for quiet, earned with each process; after that it is only noted
MOST_PATIENCE_SECONDS = 30.0    # so that a quiet beginning does not pay for all of a noisy end


def missing(run: paths.Run, cells: list[Cell | KernelCell]) -> list[Cell | KernelCell]:
    """The cells that have no finished file yet."""
    return [cell for cell in cells if not load.cell_file(run, cell).exists()]


def processes_done(run: paths.Run, cell: Cell | KernelCell) -> int:
    """How many of a cell's processes, or boots, are on disk."""
    finished = load.cell_file(run, cell).exists()
    if isinstance(cell, KernelCell):
        return cell.boots if finished else 0
    if finished:
        return cell.processes
    return sum(1 for i in range(cell.processes) if _process_file(run, cell, i).exists())


def measure(run: paths.Run, cells: list[Cell | KernelCell], say: Callable[[str], None]) -> None:
    """Measures what is missing of the cells; a cell that fails its own A/A
    check is measured once more, and the first attempt kept beside it. The
    kernels' cells come last, as nothing else may run beside a timed one.

    Raises Problem when nothing may be measured here, another process is
    measuring, or pagecopy fails. What is finished stays finished.
    """
    # Notebooks ask for the same cell; it is measured once.
    cells = list({cell.id: cell for cell in cells}.values())
    todo = missing(run, cells)
    if run.may_measure and run.cells.exists():
        _write_machine_record(run)
    if not todo:
        return
    if not run.may_measure:
        raise Problem(f"run {run.name}", f"recorded data has no cell {todo[0].id}",
                      "use the parameters it was recorded with, or a run of your own")
    with alone(run):
        ctools.build()
        _write_machine_record(run)
        # Another run may have finished some while we waited for nothing.
        todo = missing(run, cells)
        if not todo:
            return
        timed = [cell for cell in todo if isinstance(cell, Cell)]
        again = _measure_in_passes(run, timed, say) if timed else []
        if again:
            _measure_in_passes(run, again, say)
        lab.measure(run, [cell for cell in todo if isinstance(cell, KernelCell)], say)


@contextlib.contextmanager
def alone(run: paths.Run) -> Iterator[None]:
    """Only one measurement at a time: two would measure each other."""
    path = paths.RESULTS / ".lock"
    try:
        run.cells.mkdir(parents=True, exist_ok=True)
        lock = open(path, "w")
    except OSError as error:
        raise Problem(f"cannot write {paths.shown(path.parent)}", error.strerror,
                      "set RESULTS to a folder you may write to") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Problem("cannot measure", "another run is measuring on this machine",
                          "wait until it is done, or stop it") from error
        for leftover in run.cells.glob("**/*.tmp"):
            leftover.unlink(missing_ok=True)
        yield


def mixture(samples: list[load.Samples]) -> list[str]:
    """In what the processes of a run differ that ought to be the same."""
    facts = [fact for cell in samples for fact in cell.facts]
    same = {"commit": "commit", "pagecopy": "program", "platform": "kernel",
            "cpu_model_name": "CPU"}
    return [f"{len(found)} different {what}s: {', '.join(sorted(map(str, found)))}"
            for key, what in same.items()
            if len(found := {fact.get(key) for fact in facts}) > 1]


def _write_machine_record(run: paths.Run) -> None:
    if not run.machine.exists():
        text = json.dumps(machine.record(), indent=1)
        paths.write_atomically(run.machine, text.encode())


def _measure_in_passes(run: paths.Run, cells: list[Cell], say) -> list[Cell]:
    """Returns the cells that failed their A/A check for the first time."""
    progress = Progress(run, cells, say)
    quiet_gate = QuietGate()
    passes = max(cell.processes for cell in cells)
    for nth in range(passes):
        for place, cell in enumerate(cells):
            for index in _indices_of_pass(cell, nth, passes, place / len(cells)):
                if _process_file(run, cell, index).exists():
                    continue
                started = time.monotonic()
                _run_undisturbed(run, cell, index, quiet_gate)
                progress.done(cell, time.monotonic() - started)
        progress.report(nth + 1, passes)
    again = []
    for cell in cells:
        _finish(run, cell)
        if _reject_if_unstable(run, cell, say):
            again.append(cell)
    return again


def _indices_of_pass(cell: Cell, nth: int, passes: int, shift: float) -> list[int]:
    """Which of a cell's processes belong to a pass: spread over all of them.

    shift: 0..1, of the distance between two processes, different for each cell:
    else all cells with few processes would meet in the same passes, and those
    of the cell with the most follow each other without a break in the others.
    """
    return [i for i in range(cell.processes)
            if int((i + shift) * passes / cell.processes) == nth]


def _process_file(run: paths.Run, cell: Cell, index: int) -> Path:
    return run.cells / cell.id / f"{index:03}.json"


def _run_undisturbed(run: paths.Run, cell: Cell, index: int, gate: "QuietGate") -> None:
    """One process, to one file; again where a neighbour came while it ran and
    patience lasts, noted where it does not."""
    gate.earn()
    quiet, repeats = gate.wait(cell), 0
    while True:
        started = time.monotonic()
        output = _run_process(run, cell, index, quiet, repeats)
        if not quiet or gate.is_alone():
            break
        if not gate.spend(time.monotonic() - started) or not gate.wait(cell):
            _note_not_quiet(output)
            break
        repeats += 1
    with _disk_errors(output):
        os.replace(output, _process_file(run, cell, index))


def _note_not_quiet(output: Path) -> None:
    """What was true when the process began was not when it ended."""
    suite = pyperf.BenchmarkSuite.load(str(output))
    for benchmark in suite.get_benchmarks():
        if "quiet" in benchmark.get_metadata():
            benchmark.update_metadata({"quiet": "no"})
    with _disk_errors(output):
        suite.dump(str(output), replace=True)


def _run_process(run: paths.Run, cell: Cell, index: int, quiet: bool, repeats: int) -> Path:
    """One fresh process, in a fresh pyperf worker; returns the file, not yet a
    finished one."""
    output = _process_file(run, cell, index).with_suffix(".tmp")
    with _disk_errors(output):
        output.parent.mkdir(parents=True, exist_ok=True)
    job = {
        "command": cell.command(seed=1 + index),
        "arms": list(cell.arms),
        "channels": cell.quiet,
        "wakeup": cell.experiment == "dispatch",
        "output": str(output),
        "metadata": {"cell": cell.id, "commit": machine.commit(),
                     "pagecopy": ctools.fingerprint(), "quiet": "yes" if quiet else "no",
                     "repeats": repeats},
    }
    done = subprocess.run(
        [sys.executable, "-m", "artifact.worker", "--worker", "-l1", "-w0", f"-n{cell.rounds}"],
        input=json.dumps(job), capture_output=True, text=True, cwd=paths.ROOT)
    if done.returncode:
        output.unlink(missing_ok=True)
        raise _failed(cell, done)
    return output


def _failed(cell: Cell, done: subprocess.CompletedProcess) -> Problem:
    said = done.stderr.strip().splitlines()
    own = [line for line in said if line.startswith("pagecopy: ")]
    if own:
        return Problem(f"cell {cell.id}", own[-1].removeprefix("pagecopy: "),
                       "finished cells are kept: run again to go on")
    why = said[-1] if said else f"the worker ended with status {done.returncode}"
    return Problem(f"cell {cell.id}", one_line(Exception(why)),
                   "finished cells are kept: run again to go on")


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Problem(f"cannot write {paths.shown(path)}", error.strerror or str(error),
                      "make room or set RESULTS to a folder you may write to") from error


def _finish(run: paths.Run, cell: Cell) -> None:
    """Joins a cell's processes into the one file that pyperf opens."""
    runs: dict[str, list[pyperf.Run]] = {}
    for index in range(cell.processes):
        path = _process_file(run, cell, index)
        try:
            for benchmark in pyperf.BenchmarkSuite.load(str(path)).get_benchmarks():
                runs.setdefault(benchmark.get_name(), []).extend(benchmark.get_runs())
        except Exception as error:     # pyperf raises whatever its JSON reader meets
            raise Problem(f"file {paths.shown(path)}", f"not readable ({one_line(error)})",
                          "delete it and run again: the others are kept") from error
    try:
        suite = pyperf.BenchmarkSuite([pyperf.Benchmark(found) for found in runs.values()])
    except ValueError as error:
        raise Problem(f"cell {cell.id}", f"its processes do not belong together ({error})",
                      f"delete {paths.shown(run.cells / cell.id)} and run again") from error
    text = io.StringIO()
    suite.dump(text)
    paths.write_atomically(load.cell_file(run, cell),
                           gzip.compress(text.getvalue().encode(), mtime=0))
    shutil.rmtree(run.cells / cell.id, ignore_errors=True)


def _reject_if_unstable(run: paths.Run, cell: Cell, say) -> bool:
    """Moves a cell that fails its A/A check aside, unless it did before."""
    samples = load.cell(run, cell)
    if estimate.is_stable(samples):
        return False
    rejected = load.rejected_file(run, cell)
    if rejected.exists():
        return False
    say(f"{cell.experiment} {cell.label}: the same kernel twice differs, "
        f"{estimate.same_kernel_ratio(samples)}; measuring it again")
    load.cell_file(run, cell).rename(rejected)
    return True


class QuietGate:
    """Waits, within reason, until the machine is fit to measure on.

    Two signs, both independent of what is measured: a byte loop in the first
    cache, which takes up to twice as long when another virtual machine or
    process has the other thread of the core; and for parallel cells, how
    busy the CPUs are. The first is looked at after a process too: whoever has
    come in between may have doubled all of its times, and not all alike.
    """

    PROBE = ["--json", "--processes=1", "--rounds=20", "--huge=4K", "--pairs=4", "--backing=base",
             "--source=warm", "--destination=warm", "serial:bulk:byte"]

    def __init__(self):
        self.patience = 0.0     # seconds
        self.least = min(self._probe() for _ in range(5))

    def wait(self, cell: Cell) -> bool:
        """Whether it is quiet now, or still not when patience has run out."""
        started = time.monotonic()
        while not (quiet := self._is_quiet(cell)):
            if time.monotonic() - started > self.patience:
                break
            time.sleep(0.1)
        self.patience -= max(0.0, time.monotonic() - started - 0.5)
        return quiet

    def earn(self) -> None:
        """Patience for one more process."""
        self.patience = min(self.patience + PATIENCE_SECONDS, MOST_PATIENCE_SECONDS)

    def spend(self, seconds: float) -> bool:
        """Pays for a process that was in vain; False where nothing is left."""
        if self.patience <= 0:
            return False
        self.patience -= seconds
        return True

    def _is_quiet(self, cell: Cell) -> bool:
        return self.is_alone() and \
            (not cell.quiet or machine.busiest_cpu(QUIET_SECONDS) < BUSY)

    def is_alone(self) -> bool:
        """Whether nobody else has the other thread of this core just now."""
        took = self._probe()
        self.least = min(self.least, took)
        return took < SHARED * self.least

    def _probe(self) -> float:
        arm, = json.loads(ctools.run(self.PROBE))["arms"]
        return statistics.median(arm["ns"])


class Progress:
    """Says how far a run is and how long the rest will take."""

    def __init__(self, run: paths.Run, cells: list[Cell], say):
        self.say = say
        self.started = time.monotonic()
        self.left = {cell.id: cell.processes - processes_done(run, cell) for cell in cells}
        self.guess = {cell.id: cell.seconds for cell in cells}
        self.spent: dict[str, list[float]] = {cell.id: [] for cell in cells}
        self.total = sum(self.left.values())

    def done(self, cell: Cell, seconds: float) -> None:
        self.left[cell.id] -= 1
        self.spent[cell.id].append(seconds)

    def remaining_seconds(self) -> float:
        """Measured cells by their mean; the others by the guess, corrected by
        how wrong it was for those."""
        spent = sum(map(sum, self.spent.values()))
        guessed = sum(self.guess[key] * len(times) for key, times in self.spent.items())
        correction = spent / guessed if guessed else 1.0
        return sum(left * (sum(self.spent[key]) / len(self.spent[key]) if self.spent[key]
                           else self.guess[key] * correction)
                   for key, left in self.left.items())

    def report(self, nth: int, passes: int) -> None:
        left = sum(self.left.values())
        if left == self.total:
            return      # a pass that was all there from an earlier run
        if 1 < nth < passes and nth % math.ceil(passes / LINES):
            return
        self.say(f"pass {nth:>3} of {passes}, {self.total - left:>4} of {self.total} processes, "
                 f"{clock(time.monotonic() - self.started)} gone, "
                 f"{clock(self.remaining_seconds())} left")


def clock(seconds: float) -> str:
    """Minutes and seconds as 3:07."""
    return f"{int(seconds + 0.5) // 60}:{int(seconds + 0.5) % 60:02}"
