# SPDX-License-Identifier: MIT
"""How far a run is, and how long the rest will take."""

import math
import time
from collections.abc import Callable, Iterable

from artifact import ctools
from artifact.cells import AnyCell, Cell, KernelCell
from artifact.variant import Variant

LINES = 40              # of progress, and one for the first pass


def guess_seconds(cell: AnyCell) -> float:
    """One process's time, or one boot's, before any has run."""
    if isinstance(cell, KernelCell):
        return 6.0      # a boot answers for three cells
    pool = cell.folio * int(cell.option("pairs") or 64)
    return 0.5 + 2 * pool / 3e9 + (cell.rounds + 2) * sum(
        _sample_seconds(cell, cell.of(variant)) for variant in cell.arms.values())


def _sample_seconds(cell: Cell, variant: Variant) -> float:
    listed = ctools.listed()
    if cell.option("victim"):
        return int(cell.option("window") or 0) / 1e3
    if cell.option("recover"):
        return 8 * (0.0005 if cell.option("recover") == "l2" else 0.005)
    copies = 1 if variant.migrators == 1 else listed["migrator_copies"] * variant.migrators
    roles = listed["primitives"].get(variant.primitive, {"roles": []})["roles"]
    slow = 4 if "floor" in roles else 1
    waits = 0.02 if cell.option("load") and variant.priority in ("low", "idle") else 0
    return (1.5e-6 * int(cell.option("pause") or 0) + waits
            + cell.folio * variant.folios * copies * slow / 7e9)


class Progress:
    """Says a line now and then. left: processes of each cell by its id."""

    def __init__(self, cells: Iterable[Cell], left: dict[str, int], say: Callable[[str], None]):
        self.say = say
        self.started = time.monotonic()
        self.left = left
        self.guess = {cell.id: guess_seconds(cell) for cell in cells}
        self.spent: dict[str, list[float]] = {cell: [] for cell in self.guess}
        self.total = sum(left.values())

    def done(self, cell: Cell, seconds: float) -> None:
        """One more process."""
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
        """After the nth of so many passes."""
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
