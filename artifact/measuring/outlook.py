# SPDX-License-Identifier: MIT
"""How far a plan gets in so many minutes: what 'make plan' prints, what a run says
before it starts, and why it may refuse to start."""

import dataclasses
import functools
import math
import shutil
import statistics
import textwrap
from collections.abc import Iterable
from pathlib import Path

from artifact import ctools, paths, plan, sharpness
from artifact.cells import AnyCell, Cell
from artifact.measuring import forecast, looks, passes
from artifact.measuring.forecast import Cost
from artifact.measuring.progress import Say, clock
from artifact.problem import Lacking, Misuse, Unwritable

ONE_NOTEBOOK, WHOLE_REPORT = 6.0, 20.0      # seconds of drawing, where no look tells
COLUMNS = 100           # of a terminal
FEW = 6                 # processes: with fewer an interval is several times as wide
ROOM_BYTES = 48 << 20   # for report, notebooks and figures, and to write them anew


@dataclasses.dataclass(frozen=True)
class Outlook:
    """A run's cells, what is there of them, and what a process of each costs.

    there: processes by the cell's id; of a finished cell as many as were planned.
    boots: seconds of the virtual machine. drawing: seconds of one drawing.
    """

    cells: tuple[AnyCell, ...]
    there: dict[str, int]
    costs: dict[str, Cost]
    boots: float
    drawing: float

    @functools.cached_property
    def timed(self) -> list[Cell]:
        return [cell for cell in self.cells if isinstance(cell, Cell)]

    @functools.cached_property
    def lacking(self) -> int:
        """Processes until each cell has its most."""
        return sum(cell.processes - self.there[cell.id] for cell in self.timed)

    @functools.cached_property
    def drawings(self) -> int:
        """Looks to come that are drawn, and the end."""
        return 1 + sum(any(self.there[cell.id] < until(cell) for cell in self.timed)
                       for until in (looks.first_of, looks.half_of))

    def seconds(self, until: dict[str, int]) -> float:
        """Of measuring, until there are so many processes of each of these cells."""
        return sum(max(wanted - self.there[key], 0) * self.costs[key].seconds
                   for key, wanted in until.items())

    @functools.cached_property
    def first(self) -> float:
        """Seconds to the first look, drawn; 0 where that was."""
        needs = self.boots + self.seconds(
            {cell.id: looks.first_of(cell) for cell in self.timed})
        return needs + self.drawing if needs else 0.0

    @functools.cached_property
    def most(self) -> float:
        """Seconds to the end where no cell ends before its most."""
        return self._whole({cell.id: cell.processes for cell in self.timed})

    @functools.cached_property
    def least(self) -> float:
        """The same where each is sharp enough as soon as it may be."""
        return self._whole({cell.id: sharpness.fewest(cell.processes) for cell in self.timed})

    def _whole(self, until: dict[str, int]) -> float:
        return self.seconds(until) + self.boots + self.drawings * self.drawing

    def within(self, minutes: float) -> dict[str, int]:
        """How many processes of each cell there will be: those of the first look
        whatever the time, and of what is lacking then the same part of each."""
        first = {cell.id: max(self.there[cell.id], looks.first_of(cell)) for cell in self.timed}
        cost = sum((cell.processes - first[cell.id]) * self.costs[cell.id].seconds
                   for cell in self.timed)
        left = 60 * minutes - self.seconds(first) - self.boots - self.drawings * self.drawing
        share = min(1.0, max(left, 0.0) / cost) if cost else 1.0
        return {cell.id: first[cell.id] + round(share * (cell.processes - first[cell.id]))
                for cell in self.timed}

    def is_short(self, minutes: float) -> bool:
        """Whether some cells get fewer processes than they could do with."""
        return 60 * minutes < self.least


def of(run: paths.Run, cells: Iterable[AnyCell], drawing: float = WHOLE_REPORT,
       probed: dict[str, Cost] | None = None) -> Outlook:
    """From what the run has; probed: see forecast.probe()."""
    cells = tuple(cells)
    timed = [cell for cell in cells if isinstance(cell, Cell)]
    there = {cell.id: cell.processes if run.cell_file(cell.id).exists()
             else len(run.process_files(cell.id)) for cell in timed}
    drawn = looks.drawn_seconds(run, timed)
    return Outlook(cells, there, forecast.of(run, timed, probed),
                   forecast.boots_seconds(plan.missing(run, cells)),
                   statistics.median(drawn or [drawing]))


def probed(cells: Iterable[AnyCell]) -> dict[str, Cost]:
    """What a round of each cell tells. Raises Lacking where somebody else measures."""
    ctools.build()
    with passes.nobody_else():
        return forecast.probe(cell for cell in cells if isinstance(cell, Cell))


def check(run: paths.Run, cells: list[AnyCell], minutes: float, say: Say,
          drawing: float = WHOLE_REPORT) -> None:
    """Before anything is measured: says what a short run will leave uncertain.

    Raises Misuse where the minutes are fewer than one pass takes, and Unwritable
    where the disk has no room for what is planned. Cells are probed
    only where it is close: a run with time to spare spends none of it here.
    """
    missing = plan.missing(run, cells)
    if not missing or not run.may_measure:
        return
    _check_room(run, missing)
    found = of(run, cells, drawing)
    if 60 * minutes < 2 * found.first:
        try:
            found = of(run, cells, drawing, probed(missing))
        except Lacking:
            return          # measuring says it better
        if 60 * minutes < found.first:
            raise Misuse(f"MINUTES={minutes:g}",
                         f"one pass takes about {math.ceil(found.first / 6) / 10:g} minutes here",
                         f"give at least {_enough(found.first):g}")
    if found.is_short(minutes):
        for line in unsure(found, minutes):
            say(line)


def _enough(seconds: float) -> float:
    """Minutes, with a quarter for what a forecast may be wrong by, in halves."""
    return math.ceil(2 * 1.25 * seconds / 60) / 2


def _check_room(run: paths.Run, missing: list[AnyCell]) -> None:
    needs = ROOM_BYTES + sum(
        (cell.processes - len(run.process_files(cell.id))) * forecast.file_bytes(cell)
        for cell in missing if isinstance(cell, Cell))
    free = shutil.disk_usage(_existing(run.measured)).free
    if needs > free:
        raise Unwritable(f"run {run.name}", f"it needs about {_mib(needs)} MiB, and the disk has "
                         f"{free >> 20} free", "make room or set RESULTS to a folder on another disk")


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    while not path.exists():
        path = path.parent
    return path


def duration(found: Outlook) -> str:
    """When there is something to see, and when it ends at the latest, in a line."""
    first = f"first look after about {clock(found.first)}, " if found.first else ""
    return f"{first}everything after {clock(found.least)} to {clock(found.most)}, as soon as " \
        "cells are sharp enough"


def unsure(found: Outlook, minutes: float) -> list[str]:
    """What a run of so many minutes will leave uncertain, in a line or two."""
    if not found.lacking:
        return []
    within = found.within(minutes)
    there, most = sum(within.values()), sum(cell.processes for cell in found.timed)
    few = dict.fromkeys(cell.experiment for cell in found.timed
                        if within[cell.id] < min(FEW, cell.processes))
    lines = [f"MINUTES={minutes:g}: about {there} of {most} processes fit, so intervals are "
             f"about {math.sqrt(most / there):.1f} times as wide"]
    if few:
        lines += textwrap.wrap(f"least certain, with fewer than {FEW} processes in a cell: "
                               f"{', '.join(few)}", COLUMNS, break_on_hyphens=False)
    return lines


def table(found: Outlook, minutes: float) -> list[str]:
    """A line for each experiment, for a terminal; then what it comes to."""
    short, within = found.is_short(minutes), found.within(minutes)
    lines = [f"{'experiment':14} {'cells':>5} {'processes':>9} {'done':>5} {'minutes left':>12} "
             f"{'memory, MiB':>11}" + (f" {f'in {minutes:g} min':>15}" if short else "")]
    for name in dict.fromkeys(cell.experiment for cell in found.timed):
        cells = [cell for cell in found.timed if cell.experiment == name]
        processes = sum(cell.processes for cell in cells)
        lines.append(
            f"{name:14} {len(cells):>5} {processes:>9} "
            f"{sum(found.there[cell.id] for cell in cells):>5} "
            f"{found.seconds({cell.id: cell.processes for cell in cells}) / 60:>12.1f} "
            f"{_mib(max(found.costs[cell.id].pools for cell in cells)):>11}"
            + (f" {f'{sum(within[cell.id] for cell in cells)} of {processes}':>15}" if short else ""))
    return [*lines, *_totals(found, minutes)]


def _totals(found: Outlook, minutes: float) -> list[str]:
    if not found.lacking and not found.boots:
        return ["everything is measured"]
    besides = [f"{found.drawings} drawing{'s' * (found.drawings > 1)} of {found.drawing:.0f} s"]
    if found.boots:
        besides.append(f"{found.boots:.0f} s of kernels in the virtual machine")
    lines = [f"with {' and '.join(besides)}:", duration(found)]
    if found.is_short(minutes):
        return lines + unsure(found, minutes)
    return [*lines, f"MINUTES={minutes:g} is enough" + (
        "" if 60 * minutes >= found.most else ", unless nearly all cells need all their processes")]


def _mib(size: int) -> int:
    return math.ceil(size / (1 << 20))
