# SPDX-License-Identifier: MIT
"""What a run measured: each cell's file read once, by whoever asks first."""

import functools

from artifact import machine, paths, plan, samples
from artifact.cells import AnyCell
from artifact.plan import Plan
from artifact.samples import AnySamples, Samples


class Measured:
    """The samples of a plan's cells. Reading raises Damaged where one is missing,
    cut off or foreign, and no sooner than it is asked for."""

    def __init__(self, run: paths.Run, wanted: Plan, files: dict[str, AnySamples] | None = None):
        self.run = run
        self.plan = wanted
        self._files = {} if files is None else files
        self._by_label = {(cell.experiment, cell.label): cell for cell in wanted.cells}

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

    @property
    def timed(self) -> list[Samples]:
        """Every cell that pagecopy measured."""
        return [found for cell in self.plan.cells
                if isinstance(found := self._read(cell), Samples)]

    def _read(self, cell: AnyCell) -> AnySamples:
        if cell.id not in self._files:
            self._files[cell.id] = samples.read(self.run, cell)
        return self._files[cell.id]


def of(run: paths.Run) -> Measured:
    """All that a run measured with its own parameters; Lacking where some is missing."""
    found = plan.read_whole(run)
    return Measured(run, plan.joined(entry.plan for entry in found.own.values()))


def mixture(cells: list[Samples]) -> list[str]:
    """In what the processes of a run differ that ought to be the same."""
    facts = [fact for cell in cells for fact in cell.facts]
    same = {"commit": "commit", "pagecopy": "program", "platform": "kernel",
            "cpu_model_name": "CPU"}
    return [f"{len(found)} different {what}s: {', '.join(sorted(map(str, found)))}"
            for key, what in same.items()
            if len(found := {fact.get(key) for fact in facts}) > 1]
