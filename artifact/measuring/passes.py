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
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyperf

from artifact import ctools, estimate, machine, paths, plan, samples
from artifact.cells import AnyCell, Cell, KernelCell
from artifact.measuring import lab, process
from artifact.measuring.gate import QuietGate
from artifact.measuring.progress import Progress
from artifact.problem import Damaged, Lacking, Misuse, one_line

Say = Callable[[str], None]


def processes_done(run: paths.Run, cell: AnyCell) -> int:
    """How many of a cell's processes, or boots, are on disk."""
    finished = run.cell_file(cell.id).exists()
    if isinstance(cell, KernelCell):
        return cell.boots if finished else 0
    if finished:
        return cell.processes
    return sum(1 for i in range(cell.processes) if _process_file(run, cell, i).exists())


def measure(run: paths.Run, cells: list[AnyCell], say: Say) -> None:
    """Measures what is missing of the cells; a cell that fails its own A/A
    check is measured once more, and the first attempt kept beside it. The
    kernels' cells come last, as nothing else may run beside a timed one.

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
        todo = plan.missing(run, cells)
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
    with paths.writing(paths.RESULTS):
        run.cells.mkdir(parents=True, exist_ok=True)
        lock = open(paths.RESULTS / ".lock", "w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Lacking("cannot measure", "another run is measuring on this machine",
                          "wait until it is done, or stop it") from error
        for leftover in run.cells.glob("**/*.tmp"):
            leftover.unlink(missing_ok=True)
        yield


def _write_machine_record(run: paths.Run) -> None:
    if not run.machine.exists():
        text = json.dumps(machine.record(), indent=1)
        paths.write_atomically(run.machine, text.encode())


def _measure_in_passes(run: paths.Run, cells: list[Cell],
                       say: Say) -> list[Cell]:
    """Returns the cells that failed their A/A check for the first time."""
    progress = Progress(cells, {cell.id: cell.processes - processes_done(run, cell)
                                for cell in cells}, say)
    quiet_gate = QuietGate(say)
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


def _run_undisturbed(run: paths.Run, cell: Cell, index: int, gate: QuietGate) -> None:
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
    with paths.writing(output):
        os.replace(output, _process_file(run, cell, index))


def _note_not_quiet(output: Path) -> None:
    """What was true when the process began was not when it ended."""
    suite = pyperf.BenchmarkSuite.load(str(output))
    for benchmark in suite.get_benchmarks():
        if "quiet" in benchmark.get_metadata():
            benchmark.update_metadata({"quiet": "no"})
    with paths.writing(output):
        suite.dump(str(output), replace=True)


def _run_process(run: paths.Run, cell: Cell, index: int, quiet: bool, repeats: int) -> Path:
    """One fresh process; returns its file, not yet a finished one."""
    output = _process_file(run, cell, index).with_suffix(".tmp")
    process.measure(cell, 1 + index, output, {
        "cell": cell.id, "commit": machine.commit(), "pagecopy": ctools.fingerprint(),
        "quiet": "yes" if quiet else "no", "repeats": repeats})
    return output


def _finish(run: paths.Run, cell: Cell) -> None:
    """Joins a cell's processes into the one file that pyperf opens."""
    runs: dict[str, list[pyperf.Run]] = {}
    for index in range(cell.processes):
        path = _process_file(run, cell, index)
        try:
            for benchmark in pyperf.BenchmarkSuite.load(str(path)).get_benchmarks():
                runs.setdefault(benchmark.get_name(), []).extend(benchmark.get_runs())
        except Exception as error:     # pyperf raises whatever its JSON reader meets
            raise Damaged(f"file {paths.shown(path)}", f"not readable ({one_line(error)})",
                          "delete it and run again: the others are kept") from error
    try:
        suite = pyperf.BenchmarkSuite([pyperf.Benchmark(found) for found in runs.values()])
    except ValueError as error:
        raise Damaged(f"cell {cell.id}", f"its processes do not belong together ({error})",
                      f"delete {paths.shown(run.cells / cell.id)} and run again") from error
    text = io.StringIO()
    suite.dump(text)
    paths.write_atomically(run.cell_file(cell.id),
                           gzip.compress(text.getvalue().encode(), mtime=0))
    shutil.rmtree(run.cells / cell.id, ignore_errors=True)


def _reject_if_unstable(run: paths.Run, cell: Cell, say: Say) -> bool:
    """Moves a cell that fails its A/A check aside, unless it did before."""
    found = samples.read_timed(run, cell)
    if estimate.is_stable(found):
        return False
    rejected = run.rejected_file(cell.id)
    if rejected.exists():
        return False
    say(f"{cell.experiment} {cell.label}: the same kernel twice differs, "
        f"{estimate.same_kernel_ratio(found)}; measuring it again")
    run.cell_file(cell.id).rename(rejected)
    return True
