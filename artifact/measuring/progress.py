# SPDX-License-Identifier: MIT
"""How far a run is, and how long the rest will take."""

import contextlib
import dataclasses
import math
import time
import typing
from collections.abc import Callable, Iterable

from artifact import sharpness
from artifact.cells import Cell, KernelCell
from artifact.measuring.forecast import boots_seconds, guess_seconds
from artifact.samples import Samples

LINES = 40              # of progress, and one at the end of each stage
DRAWING_SECONDS = 15.0  # of a report, before any was drawn

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Experiment:
    """How far one is: processes, and the half-width, now and wanted, of that cell of it
    which is farthest from what it wants; infinite where no cell was looked at yet, and
    0 where none wants anything."""

    name: str
    there: int
    wanted: int
    half_width: float
    sharpness: float


class Progress:
    """What there is of each cell, and what is still to come.

    found: what there is already, by the cells' ids. ends: when the time is up, by the
    monotonic clock. kernels: that are asked after the first stage.
    """

    def __init__(self, cells: Iterable[Cell], found: dict[str, Samples], ends: float,
                 kernels: Iterable[KernelCell] = ()):
        self.cells = list(cells)
        self.ends = ends
        self.started = time.monotonic()
        self.there = {cell.id: 0 for cell in self.cells}
        self.there |= {key: each.processes for key, each in found.items()}
        self.finished = {key for key, each in found.items() if each.finished}
        self.half_widths: dict[str, float] = {}
        self.guess = {cell.id: guess_seconds(cell) for cell in self.cells}
        self.spent: dict[str, list[float]] = {cell: [] for cell in self.guess}
        self.kernels = boots_seconds(kernels)
        self.drawing, self.drawings = DRAWING_SECONDS, 0
        self.name, self.always = "", False
        self.until: dict[str, int] = {}
        self.processes, self.lacking = sum(self.there.values()), 0
        self.looked(found)
        self.decided({cell.id: cell.processes for cell in self.cells})

    def begin(self, name: str, until: dict[str, int], drawings: int, always: bool) -> None:
        """A stage, at whose end there are so many processes of each cell, whatever the
        time if always; and from whose end on so many reports are drawn."""
        self.name, self.until = name, until
        self.drawings, self.always = drawings, always
        self.lacking = sum(max(count - self.there[key], 0) for key, count in until.items())

    def decided(self, wanted: dict[str, int], by_spread: bool = False) -> None:
        """How many of each cell there are to be in the end; at most, until their spread
        has told."""
        self.wanted = {key: self.there[key] if key in self.finished else count
                       for key, count in wanted.items()}
        self.most = sum(self.wanted.values())
        self.expected = self.wanted if by_spread else {
            cell.id: self._likely(cell, self.wanted[cell.id]) for cell in self.cells}

    def _likely(self, cell: Cell, most: int) -> int:
        """How many it will get, before its spread has told."""
        fewest = sharpness.fewest(most)
        if not cell.sharpness:
            return most
        if self.half_widths.get(cell.id, math.inf) <= cell.sharpness:
            return fewest
        return (fewest + most) // 2     # it is as likely to be sharp early as not

    def looked(self, found: dict[str, Samples]) -> None:
        """How sharp cells are."""
        self.half_widths |= {key: sharpness.half_width(each) for key, each in found.items()}

    def done(self, cell: Cell, seconds: float) -> None:
        """One more process; costs the same however many cells there are."""
        self.lacking -= self.there[cell.id] < self.until.get(cell.id, 0)
        self.there[cell.id] += 1
        self.processes += 1
        self.spent[cell.id].append(seconds)

    def answered(self) -> None:
        """No kernel is to be asked any more."""
        self.kernels = 0.0

    def drew(self, seconds: float) -> None:
        """What the report took, and so the next one."""
        self.drawing = seconds

    def rejected(self, cells: Iterable[str]) -> None:
        """They are measured again from the first process on."""
        self.there |= dict.fromkeys(cells, 0)
        self.processes = sum(self.there.values())

    @property
    def is_stage_done(self) -> bool:
        return not self.lacking

    @property
    def gone_seconds(self) -> float:
        return time.monotonic() - self.started

    def remaining_seconds(self) -> float:
        """Until the last report is drawn, or the time is up; but never less than what is
        done whatever the time."""
        needed = self._seconds(self.expected) + self.kernels + self.drawings * self.drawing
        always = min(self.drawings, 1) * self.drawing
        if self.always:
            always += self._seconds(self.until) + self.kernels + (self.drawings > 1) * self.drawing
        return max(min(needed, self.ends - time.monotonic()), always)

    def _seconds(self, until: dict[str, int]) -> float:
        """Of measuring, until there are so many of each cell. Measured cells by their
        mean; the others by the guess, corrected by how wrong it was for those."""
        spent = sum(map(sum, self.spent.values()))
        guessed = sum(self.guess[key] * len(times) for key, times in self.spent.items())
        correction = spent / guessed if guessed else 1.0
        return sum(max(count - self.there[key], 0) * (
            sum(self.spent[key]) / len(self.spent[key]) if self.spent[key]
            else self.guess[key] * correction) for key, count in until.items())

    def experiments(self) -> list[Experiment]:
        """In the order of their first cells."""
        return [self._experiment(name, [cell for cell in self.cells if cell.experiment == name])
                for name in dict.fromkeys(cell.experiment for cell in self.cells)]

    def _experiment(self, name: str, cells: list[Cell]) -> Experiment:
        half, wanted = max(
            ((half, cell.sharpness) for cell in cells
             if math.isfinite(half := self.half_widths.get(cell.id, math.inf))),
            key=lambda pair: (pair[0] / pair[1] if pair[1] else 0.0, pair[0]),
            default=(math.inf, 0.0))
        return Experiment(name, sum(self.there[cell.id] for cell in cells),
                          sum(self.wanted[cell.id] for cell in cells), half, wanted)


class Shown(typing.Protocol):
    """What tells a person how far it is, while it is entered."""

    def __enter__(self) -> typing.Any: ...

    def __exit__(self, *error: object) -> typing.Any: ...

    def away(self) -> contextlib.AbstractContextManager:
        """What it is shown on is somebody else's meanwhile."""

    def begin(self) -> None:
        """A stage began."""

    def update(self) -> None:
        """One more process is done."""


class Lines(contextlib.AbstractContextManager):
    """Says a line now and then: for a file, or a terminal that knows no better."""

    def __init__(self, progress: Progress, say: Say):
        self.progress, self.say, self.said = progress, say, -1

    def __exit__(self, *error) -> None:
        """As live.Live is shown until then."""

    away = staticmethod(contextlib.nullcontext)

    def begin(self) -> None:
        """The lines of a stage tell themselves that it began."""

    def update(self) -> None:
        """One more process is done."""
        progress = self.progress
        step = progress.processes * LINES // max(progress.most, 1)
        if step == self.said and not progress.is_stage_done:
            return
        self.said = step
        self.say(told(progress))


class InNotebook(Lines):
    """The same as one line that moves, below a notebook's cell."""

    def __init__(self, progress: Progress):
        super().__init__(progress, self._move)
        self.name = ", ".join(each.name for each in progress.experiments())
        self.line: typing.Any = None

    def _move(self, text: str) -> None:
        from IPython.display import display

        share = self.progress.processes / max(self.progress.most, 1)
        shown = {"text/plain": f"{self.name}  {bar(share)}  {text.strip()}"}
        if self.line:
            self.line.update(shown, raw=True)
        else:
            self.line = display(shown, raw=True, display_id=True)


def told(progress: Progress) -> str:
    """How far it is, on one line."""
    return (f"{progress.processes:>4} of {progress.most} processes, "
            f"{clock(progress.gone_seconds)} gone, {clock(progress.remaining_seconds())} left")


def bar(share: float, width: int = 20) -> str:
    """A share, 0..1, as so many blocks."""
    full = round(width * share)
    return "\N{FULL BLOCK}" * full + "\N{LIGHT SHADE}" * (width - full)


def clock(seconds: float) -> str:
    """Minutes and seconds as 3:07."""
    return f"{int(seconds + 0.5) // 60}:{int(seconds + 0.5) % 60:02}"
