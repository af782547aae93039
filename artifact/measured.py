# SPDX-License-Identifier: MIT
"""What a run measured: each cell's file read once, by whoever asks first."""

import functools
from collections.abc import Iterable

from artifact import machine, paths, plan, samples
from artifact.cells import AnyCell
from artifact.plan import Plan
from artifact.problem import Lacking
from artifact.samples import AnySamples, Samples

NOT_YET = "not measured far enough yet: make reproduce goes on"


class Measured:
    """The samples of a plan's cells, as far as they are measured. Reading raises Damaged
    where one is cut off or foreign, and no sooner than it is asked for.

    plan: of a run that is still measured, without the experiments that cannot be
    drawn yet, which are among its skipped; not_yet: their names.
    """

    def __init__(self, run: paths.Run, wanted: Plan, files: dict[str, AnySamples] | None = None):
        self.run = run
        self._files = {} if files is None else files
        self.not_yet = _not_yet(run, [c for c in wanted.cells if c.id not in self._files])
        self.plan = _without(wanted, self.not_yet)
        self._by_label = {(cell.experiment, cell.label): cell for cell in self.plan.cells}

    def part(self, wanted: Plan) -> "Measured":
        """The same run, and the same files already read, for other cells of it."""
        return Measured(self.run, wanted, self._files)

    @functools.cached_property
    def machine(self) -> dict:
        """The machine record of the run."""
        return machine.load(self.run.machine)

    @functools.cached_property
    def cells(self) -> dict[str, list]:
        """All samples, by experiment and in the order of the plan."""
        found: dict[str, list] = {}
        for cell in self.plan.cells:
            found.setdefault(cell.experiment, []).append(self._read(cell))
        return found

    def find(self, experiment: str, label: str) -> AnySamples | None:
        """What was measured under that label; None where the plan has no such cell."""
        cell = self._by_label.get((experiment, label))
        return self._read(cell) if cell else None

    def labels(self, experiment: str) -> list[str]:
        """Those of an experiment's cells, in the order of the plan."""
        return [label for name, label in self._by_label if name == experiment]

    @functools.cached_property
    def provisional(self) -> str:
        """"n of N processes" where some cell is not finished; else empty."""
        return provisional(self.timed) if not self.not_yet else \
            f"without {', '.join(self.not_yet)}"

    @functools.cached_property
    def timed(self) -> list[Samples]:
        """Every cell that pagecopy measured."""
        return [found for cell in self.plan.cells
                if isinstance(found := self._read(cell), Samples)]

    @functools.cached_property
    def commits(self) -> list[str]:
        """The versions of the package that measured it: several where one continued another's run."""
        return sorted({fact["commit"] for found in self.timed for fact in found.facts
                       if "commit" in fact}) or [self.machine.get("commit", "")]

    def _read(self, cell: AnyCell) -> AnySamples:
        if cell.id not in self._files:
            self._files[cell.id] = samples.read(self.run, cell)
        return self._files[cell.id]


def of(run: paths.Run) -> Measured:
    """All that a run measured so far with its own parameters; Lacking where nothing is."""
    found = Measured(run, plan.read_own(run))
    if not found.plan.cells:
        raise Lacking(f"run {run.name}", "nothing is measured far enough yet",
                      "run 'make reproduce' first")
    return found


def provisional(cells: list[Samples]) -> str:
    """"n of N processes" where some cell is not finished; else empty."""
    there = sum(samples.processes for samples in cells)
    most = sum(samples.processes if samples.finished else samples.cell.processes
               for samples in cells)
    return f"{there} of {most} processes" if there < most else ""


def _not_yet(run: paths.Run, wanted: Iterable[AnyCell]) -> tuple[str, ...]:
    """Experiments of which a cell cannot be read yet; a figure needs them all."""
    return tuple(dict.fromkeys(
        cell.experiment for cell in wanted
        # What a recorded run lacks is damage.
        if run.may_measure and not samples.is_there(run, cell)))


def _without(wanted: Plan, not_yet: tuple[str, ...]) -> Plan:
    return Plan(tuple(cell for cell in wanted.cells if cell.experiment not in not_yet),
                (*wanted.skipped, *((name, NOT_YET) for name in not_yet)))


def mixture(cells: list[Samples]) -> list[str]:
    """What differs between the processes of a run that ought to be the same."""
    facts = [fact for cell in cells for fact in cell.facts]
    same = {"commit": "commit", "pagecopy": "program", "platform": "kernel",
            "cpu_model_name": "CPU"}
    return [f"{len(found)} different {what}s: {', '.join(sorted(map(str, found)))}"
            for key, what in same.items()
            if len(found := {fact.get(key) for fact in facts}) > 1]
