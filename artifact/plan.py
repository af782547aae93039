# SPDX-License-Identifier: MIT
"""What is to be measured, and results/RUN/plan.json, which keeps it.

The file is written before the first sample and read by everybody after: what
a run is made of depends neither on the machine nor on the user that reads it,
nor on what the defaults are by then.
"""

import contextlib
import dataclasses
import json
import typing
from collections.abc import Iterable, Iterator

from artifact import cells, older, paths
from artifact.cells import AnyCell, Skipped
from artifact.host import Host
from artifact.problem import Damaged, Lacking, choose, one_line

FORMAT = 1

Kind = typing.TypeVar("Kind", bound=AnyCell)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Cells, and what is not measured, with the reason."""

    cells: tuple[AnyCell, ...]
    skipped: Skipped = ()

    def experiment(self, name: str) -> list[AnyCell]:
        """The cells of one experiment, in their order."""
        return [cell for cell in self.cells if cell.experiment == name]


def joined(plans: Iterable[Plan]) -> Plan:
    """All of them in one, each cell and each reason once."""
    plans = list(plans)
    return Plan(tuple({cell.id: cell for plan in plans for cell in plan.cells}.values()),
                tuple(dict.fromkeys(what for plan in plans for what in plan.skipped)))


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a notebook was planned to measure, and with which parameters."""

    notebook: str
    parameters: dict[str, typing.Any]
    plan: Plan


@dataclasses.dataclass(frozen=True)
class PlanFile:
    """plan.json: facts of the machine, and an entry for each notebook.

    host: None where older code wrote it. entries: by the notebook's name, with
    the suffix that changed parameters give it. Those without are the run's own.
    """

    commit: str
    host: Host | None
    entries: dict[str, Entry]

    @property
    def own(self) -> dict[str, Entry]:
        """The entries with the parameters that the run was taken with."""
        return {key: entry for key, entry in self.entries.items() if key == entry.notebook}

    def as_json(self) -> dict:
        """The form that from_json() reads; each cell is in it once."""
        everything = joined(entry.plan for entry in self.entries.values())
        return {
            "format": FORMAT, "commit": self.commit,
            "host": self.host.as_json() if self.host else None,
            "cells": {cell.id: dataclasses.asdict(cell) for cell in everything.cells},
            "notebooks": {key: {"notebook": entry.notebook, "parameters": entry.parameters,
                                "cells": [cell.id for cell in entry.plan.cells],
                                "skipped": entry.plan.skipped}
                          for key, entry in self.entries.items()}}

    @classmethod
    def from_json(cls, stored: dict) -> "PlanFile":
        """Raises ValueError, KeyError or TypeError where it is not such a form."""
        if stored["format"] != FORMAT:
            raise ValueError(f"format {stored['format']!r}, this code reads {FORMAT}")
        known = {}
        for key, fields in stored["cells"].items():
            known[key] = cells.from_json(fields)
            if known[key].id != key:
                raise ValueError(f"cell {key} is {known[key].id} by what it says")
        return cls(stored["commit"], Host.from_json(stored["host"]) if stored["host"] else None, {
            key: Entry(fields["notebook"], fields["parameters"],
                       Plan(tuple(known[cell] for cell in fields["cells"]),
                            tuple((what, why) for what, why in fields["skipped"])))
            for key, fields in stored["notebooks"].items()})


def find(run: paths.Run) -> PlanFile | None:
    """A run's plan, None where nothing has been planned.

    Raises Damaged where the file cannot be made sense of. Of older code's
    plans.json an equal plan is made.
    """
    for path, form in ((run.plan, PlanFile.from_json), (run.older_plans, _from_older)):
        if not path.exists():
            continue
        try:
            return form(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Damaged(f"run {run.name}", f"has no readable plan ({one_line(error)})",
                          _restoring(run)) from error
    return None


def read(run: paths.Run) -> PlanFile:
    """A run's plan; Lacking where nothing was measured, Damaged as find()."""
    found = find(run)
    if found is None:
        missing = "nothing was planned or measured in it" if run.measured.exists() else \
            "there is no such run"
        raise Lacking(f"run {run.name}", missing, "run 'make reproduce' first"
                      if run.name == paths.DEFAULT_RUN else choose(run.name, paths.known_runs()))
    return found


def read_own(run: paths.Run) -> Plan:
    """All that was planned with the run's own parameters; Lacking where nothing was."""
    wanted = joined(entry.plan for entry in read(run).own.values())
    if not wanted.cells:
        raise Lacking(f"run {run.name}", "nothing but notebooks with changed parameters was "
                      "measured in it", "run 'make reproduce' first")
    return wanted


def missing(run: paths.Run, wanted: Iterable[Kind]) -> list[Kind]:
    """The cells that have no finished file yet."""
    return [cell for cell in wanted if not run.cell_file(cell.id).exists()]


def write(run: paths.Run, found: PlanFile) -> None:
    """Raises Unwritable where it cannot be written."""
    paths.write_atomically(run.plan, json.dumps(found.as_json(), indent=1).encode())


@contextlib.contextmanager
def changing(run: paths.Run) -> Iterator[None]:
    """While a plan is read, added to and written: two notebooks may do so at once."""
    with paths.writing(run.measured):
        lock = paths.locked(run.measured / ".plan.lock")
    with lock:
        yield


def _from_older(stored: dict) -> PlanFile:
    return PlanFile("", None, {
        name: Entry(name, fields["parameters"], Plan(
            tuple(map(cells.from_json, fields["plan"]["cells"])),
            tuple((what, why) for what, why in fields["plan"]["skipped"])))
        for name, fields in older.plans(stored).items()})


def _restoring(run: paths.Run) -> str:
    return f"delete {paths.shown(run.plan)} and run again: cells are kept" \
        if run.may_measure else "restore it: git checkout data/recorded, or have it packed again"
