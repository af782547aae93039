# SPDX-License-Identifier: MIT
"""When a run looks at what it has, and how many processes each cell gets until it
looks again.

A run looks at most four times. First each cell gets a few processes, so that
everything can be drawn. Then it gets half of the most that it was planned with.
Then each cell's own spread says how many it needs, and once more when half of
those are there. tests/test_sharpness.py tells what looking does to an interval.

Where the time does not allow for all of it, each cell gets the same part of what
it lacks. What is decided is written down before it is measured: a run that was
stopped, and goes on, decides nothing else than one that was not.
"""

import dataclasses
import json
import math
from collections.abc import Iterable
from pathlib import Path

from artifact import paths, sharpness
from artifact.cells import Cell
from artifact.measuring.forecast import guess_seconds
from artifact.problem import Damaged, one_line
from artifact.samples import FEWEST, Samples

FIELDS = {"cells", "minutes", "before_seconds", "targets", "goals", "drawing_seconds", "ended"}

KERNELS, LAST = "kernels", "last"       # beside the stages, and beside the looks

HALF = 0.5              # of the most, at the second look
FIRST = 3               # processes of each cell before the first look; of a few, half
LONG_SECONDS = 0.6      # of a process: so that not all wait for these, they get the FEWEST


@dataclasses.dataclass(frozen=True)
class Stage:
    """What is measured between two looks.

    by_spread: whether each cell's spread says how many processes it gets in all, or
    the plan. part: of those, or of those that are lacking; 0 for the FIRST.
    drawn: whether the report is drawn when it is done.
    """

    name: str
    by_spread: bool
    part: float
    drawn: bool


STAGES = (Stage("first", False, 0.0, True), Stage("half", False, HALF, True),
          Stage("three quarters", True, 0.5, False), Stage("all", True, 1.0, False))


def first_of(cell: Cell) -> int:
    """How many processes of a cell there are at the first look."""
    most = FEWEST if guess_seconds(cell) > LONG_SECONDS else FIRST
    return min(most, cell.processes, max(FEWEST, cell.processes // 2))


def half_of(cell: Cell) -> int:
    """How many there are at the second, where time allows."""
    return math.ceil(HALF * cell.processes)


def goals(stage: Stage, cells: Iterable[Cell], found: dict[str, Samples]) -> dict[str, int]:
    """How many processes of each cell, by its id, there are to be in all, as far as a
    stage's look can tell.

    found: what is there, of each cell after the first stage. At the last look a cell
    is as sharp as wanted or gets its most: nobody looks at it again.
    """
    def goal(cell: Cell) -> int:
        if not stage.by_spread:
            return cell.processes
        samples = found[cell.id]
        sharp = sharpness.is_sharp(samples)
        if stage is STAGES[-1]:
            return sharpness.least(samples) if sharp else cell.processes
        return min(sharpness.needed(samples), cell.processes)
    return {cell.id: goal(cell) for cell in cells}


def targets(stage: Stage, goals: dict[str, int], there: dict[str, int], seconds: dict[str, float],
            left: float) -> dict[str, int]:
    """How many processes of each cell are to be there at the end of a stage.

    there: how many are now. seconds: what a process of a cell takes. left: seconds
    for all that is still to come.
    """
    cost = sum((goals[key] - there[key]) * seconds[key] for key in goals)
    share = min(1.0, max(left, 0.0) / cost) if cost else 1.0
    if share < 1:
        goals = {key: there[key] + round(share * (goal - there[key]))
                 for key, goal in goals.items()}
    begun = there if stage.by_spread else dict.fromkeys(there, 0)
    return {key: max(there[key], begun[key] + math.ceil(stage.part * (goal - begun[key])))
            for key, goal in goals.items()}


class Decisions:
    """results/RUN/looks.json: what was decided whenever cells were measured together.

    Who asks for the same cells in the same minutes goes on where it was stopped.
    before: seconds of measuring that are there already, and cost no time.
    """

    def __init__(self, run: paths.Run, cells: Iterable[Cell], minutes: float, before: float):
        self._path = _path(run)
        asked = {"cells": sorted(cell.id for cell in cells),
                 "minutes": None if math.isinf(minutes) else minutes}
        self._all = _read(self._path)
        same = [entry for entry in self._all
                if not entry["ended"] and asked.items() <= entry.items()]
        self._own = same[-1] if same else {
            **asked, "before_seconds": before, "targets": {}, "goals": {},
            "drawing_seconds": {}, "ended": False}
        if not same:
            self._all.append(self._own)

    def targets(self, stage: Stage) -> dict[str, int] | None:
        """What was decided for a stage; None where nothing was yet."""
        return self._own["targets"].get(stage.name)

    @property
    def goals(self) -> dict[str, int]:
        """In all, by the last look; with so many a cell is finished."""
        return self._own["goals"]

    def decide(self, stage: Stage, targets: dict[str, int], goals: dict[str, int]) -> None:
        self._own["targets"][stage.name] = targets
        self._own["goals"] = goals
        self._write()

    def drew(self, stage: Stage, seconds: float) -> None:
        self._own["drawing_seconds"][stage.name] = seconds
        self._write()

    def took(self, what: str, seconds: float) -> None:
        """How long a stage was measured, or KERNELS asked: a part of it where it was
        stopped."""
        kept = self._own.setdefault("stage_seconds", {})
        kept[what] = kept.get(what, 0.0) + seconds
        self._write()

    def end(self) -> None:
        """Who asks for the same again, asks for more."""
        self._own["ended"] = True
        self._write()

    def spent(self, measured: float) -> float:
        """Seconds, of so many that all measuring of these cells took, that count."""
        return measured - self._own["before_seconds"] + sum(self.drawing_seconds)

    @property
    def drawing_seconds(self) -> list[float]:
        """Of each look that was drawn."""
        return list(self._own["drawing_seconds"].values())

    def _write(self) -> None:
        _write(self._path, self._all)


def drawn_seconds(run: paths.Run, cells: Iterable[Cell]) -> list[float]:
    """Of each drawing of these cells that the run has recorded."""
    ids = sorted(cell.id for cell in cells)
    return [seconds for entry in _read(_path(run)) if entry["cells"] == ids
            for seconds in entry["drawing_seconds"].values()]


@dataclasses.dataclass(frozen=True)
class Spent:
    """Seconds of all that a run recorded: of measuring in stages, of kernels in the
    virtual machine, of each drawing."""

    stages: float
    kernels: float
    drawings: list[float]


def spent(run: paths.Run) -> Spent:
    """Of a run; nothing where it did not record it."""
    entries = _read(_path(run))
    took = [item for entry in entries for item in entry.get("stage_seconds", {}).items()]
    return Spent(sum(seconds for what, seconds in took if what != KERNELS),
                 sum(seconds for what, seconds in took if what == KERNELS),
                 [seconds for entry in entries for seconds in entry["drawing_seconds"].values()])


def drew_last(run: paths.Run, seconds: float) -> None:
    """The drawing after the last look, by whoever made it; a later one of the same
    measurements is none of the run's."""
    entries = _read(_path(run))
    if entries and LAST not in entries[-1]["drawing_seconds"]:
        entries[-1]["drawing_seconds"][LAST] = seconds
        _write(_path(run), entries)


def _path(run: paths.Run) -> Path:
    return run.measured / "looks.json"


def _write(path: Path, entries: list[dict]) -> None:
    paths.write_atomically(path, json.dumps(entries, indent=1).encode())


def _read(path: Path) -> list[dict]:
    try:
        found = json.loads(path.read_text())
        for entry in found:
            if not set(entry) >= FIELDS:
                raise ValueError("an entry lacks something")
        return found
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise Damaged(f"file {paths.shown(path)}", f"not readable ({one_line(error)})",
                      "delete it and run again: cells are kept, and how many processes each "
                      "still gets is decided again") from error
