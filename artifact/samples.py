# SPDX-License-Identifier: MIT
"""Cells, read back from their pyperf files and checked: one file of a finished cell,
else one of each process that there is."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyperf

from artifact import older, paths
from artifact.cells import CALLER_CPU, LOAD_WORK, WORKERS_CPU, AnyCell, Cell, KernelCell
from artifact.problem import Damaged, one_line

PAGE = 4096         # bytes of a base page in the lab


@dataclasses.dataclass(frozen=True)
class Samples:
    """What a cell's processes measured.

    seconds, cpu_seconds: arm to array (processes, rounds); cpu_seconds is of
    caller and workers together and has only the arms of parallel cells, as
    have the channels: arm to name to one array per process, of any length; in
    seconds, but LOAD_WORK in units.
    counts: arm to name to a whole number per process, of what the arm counts.
    bytes: arm to bytes per sample. delay_ns: arm to the modelled map cost it
    really had, in ns per page. facts: one dict for each process.
    """

    cell: Cell
    seconds: dict[str, np.ndarray]
    cpu_seconds: dict[str, np.ndarray]
    channels: dict[str, dict[str, list[np.ndarray]]]
    counts: dict[str, dict[str, np.ndarray]]
    bytes: dict[str, int]
    delay_ns: dict[str, float]
    facts: list[dict]
    finished: bool = True       # or more processes are to come

    @property
    def processes(self) -> int:
        """How many there are; a finished cell may have fewer than the most it was
        planned with, and an unfinished one has."""
        return len(self.seconds[self.cell.baseline])

    @property
    def huge_share(self) -> float:
        """Smallest share, 0..1, of the buffers that huge pages backed."""
        return min(facts["huge_share"] for facts in self.facts)


@dataclasses.dataclass(frozen=True)
class KernelSamples:
    """What a real kernel answered.

    values: arm to array (boots, rounds), in the cell's unit: instructions, or
    ns. counts: arm to facts by name, bytes among them, the same in each boot.
    facts: one dict for each boot.
    """

    cell: KernelCell
    values: dict[str, np.ndarray]
    counts: dict[str, dict[str, int]]
    facts: list[dict]

    def median(self, arm: str) -> float:
        """Over all samples of all boots."""
        return float(np.median(self.values[arm]))

    def pages(self, arm: str) -> int:
        """How many base pages an arm copies or moves."""
        return self.counts[arm]["bytes"] // PAGE

    @property
    def name(self) -> str:
        return f"{self.cell.kernel} ({self.facts[0]['kernel']})"

    @property
    def unit_label(self) -> str:
        return "instructions (counted, not timed)" if self.cell.counted else "ns"


AnySamples = Samples | KernelSamples

FEWEST = 2              # processes that an interval can be made of


def is_there(run: paths.Run, wanted: AnyCell) -> bool:
    """Whether enough is on disk to be read."""
    return run.cell_file(wanted.id).exists() or \
        isinstance(wanted, Cell) and len(run.process_files(wanted.id)) >= min(
            FEWEST, wanted.processes)


def read(run: paths.Run, wanted: AnyCell) -> AnySamples:
    """A cell, as far as it is measured; Damaged where it is missing, cut off or foreign."""
    if isinstance(wanted, KernelCell):
        return read_kernel(run, wanted)
    return read_timed(run, wanted)


def read_kernel(run: paths.Run, wanted: KernelCell) -> KernelSamples:
    """What a kernel answered; raises as read() does."""
    path, found = _benchmarks(run, wanted)
    for name, benchmark in found.items():
        if benchmark.get_nrun() != wanted.boots:
            raise _foreign(path, f"{name} is not of {wanted.boots} boots")
    scale = 1e9 if wanted.unit == "ns" else 1
    return KernelSamples(
        wanted, {name: scale * _values(benchmark) for name, benchmark in found.items()},
        {name: {key: value for key, value in benchmark.get_metadata().items()
                if isinstance(value, int)} for name, benchmark in found.items()},
        [run.get_metadata() for run in next(iter(found.values())).get_runs()])


def read_timed(run: paths.Run, wanted: Cell) -> Samples:
    """What was timed; raises as read() does."""
    path, found = _benchmarks(run, wanted)
    _check_arms(path, wanted, found)
    arms = list(wanted.arms)
    return Samples(
        wanted,
        {arm: _values(found[arm]) for arm in arms},
        {arm: np.sum([_values(found[name]) for name in (f"{arm} {CALLER_CPU}", f"{arm} {WORKERS_CPU}")
                      if name in found], axis=0) for arm in arms if f"{arm} {CALLER_CPU}" in found},
        {arm: _channels(found, arm) for arm in arms},
        {arm: _counts(found[arm]) for arm in arms},
        {arm: found[arm].get_metadata()["bytes"] for arm in arms},
        {arm: delay for arm in arms if (delay := _achieved_delay(found[arm])) is not None},
        [run.get_metadata() for run in found[arms[0]].get_runs()],
        run.cell_file(wanted.id).exists())


def joined(files: Iterable[Path]) -> pyperf.BenchmarkSuite:
    """The processes of a cell in one suite, a run each; Damaged where one is not
    readable, or they do not belong together."""
    runs: dict[str, list[pyperf.Run]] = {}
    path = None
    for path in files:
        for benchmark in _load(path).get_benchmarks():
            runs.setdefault(benchmark.get_name(), []).extend(benchmark.get_runs())
    try:
        return pyperf.BenchmarkSuite([pyperf.Benchmark(found) for found in runs.values()])
    except ValueError as error:
        folder = paths.shown(path.parent) if path else "the cell"
        raise Damaged(f"the processes in {folder}", f"do not belong together ({error})",
                      f"delete {folder} and run again") from error


def facts_of(path: Path) -> dict:
    """What a process's file says of it; Damaged where it is not readable."""
    return _load(path).get_benchmarks()[0].get_runs()[0].get_metadata()


def rejected_facts(run: paths.Run, cell: Cell) -> list[dict]:
    """Of each process of a cell's first attempt; none where it had but one."""
    path = run.rejected_file(cell.id)
    if not path.exists():
        return []
    return [each.get_metadata() for each in _load(path).get_benchmarks()[0].get_runs()]


def _benchmarks(run: paths.Run, wanted: AnyCell) -> tuple[Path, dict]:
    path = run.cell_file(wanted.id)
    files = run.process_files(wanted.id)
    if path.exists():
        suite = _load(path)
    elif files:
        path, suite = files[0].parent, joined(files)
    else:
        raise Damaged(f"cell {wanted.id}", f"not measured in run {run.name}",
                      "run 'make reproduce', or use this machine's run instead of a recorded one")
    return path, {b.get_name(): b for b in suite.get_benchmarks()}


def _load(path: Path) -> pyperf.BenchmarkSuite:
    try:
        return pyperf.BenchmarkSuite.load(str(path))
    except Exception as error:     # pyperf raises whatever its JSON reader meets
        raise Damaged(f"file {paths.shown(path)}",
                      f"cut off or not a pyperf file ({one_line(error)})",
                      "delete it and run again: the others stay") from error


def _channels(found: dict, arm: str) -> dict[str, list[np.ndarray]]:
    channels = {name.removeprefix(f"{arm} "): [np.array(run.values) for run in benchmark.get_runs()]
                for name, benchmark in found.items() if name.startswith(f"{arm} ")}
    if LOAD_WORK in channels:       # where pyperf, which refuses a zero, has something tiny
        channels[LOAD_WORK] = [np.rint(values) for values in channels[LOAD_WORK]]
    return channels


def _counts(benchmark: pyperf.Benchmark) -> dict[str, np.ndarray]:
    """What the arm counted over all rounds of a process; it says itself what that is."""
    facts = [run.get_metadata() for run in benchmark.get_runs()]
    names = facts[0]["counts"].split() if "counts" in facts[0] else older.COUNTS
    return {name: np.array([fact[name] for fact in facts]) for name in names
            if all(name in fact for fact in facts)}


def _achieved_delay(benchmark: pyperf.Benchmark) -> float | None:
    found = [run.get_metadata().get("delay_achieved_ns") for run in benchmark.get_runs()]
    return None if None in found else float(np.median(found))


def _values(benchmark: pyperf.Benchmark) -> np.ndarray:
    return np.array([run.values for run in benchmark.get_runs()])


def _foreign(path: Path, why: str) -> Damaged:
    return Damaged(f"file {paths.shown(path)}", f"foreign: {why}",
                   "delete it and run again: the others stay")


def _check_arms(path: Path, wanted: Cell, found: dict) -> None:
    missing = [arm for arm in wanted.arms if arm not in found]
    if missing:
        raise _foreign(path, f"no samples of {missing[0]}")
    count = found[wanted.baseline].get_nrun()
    if count > wanted.processes:
        raise _foreign(path, f"{count} processes where at most {wanted.processes} were planned")
    for name, benchmark in found.items():
        shape = {len(run.values) for run in benchmark.get_runs()}
        paired = name in wanted.arms or name.endswith((CALLER_CPU, WORKERS_CPU))
        if paired and (benchmark.get_nrun() != count or shape != {wanted.rounds}):
            raise _foreign(path, f"{name} is not {count} processes of {wanted.rounds} rounds")
