# SPDX-License-Identifier: MIT
"""How far a run is, and how long the rest will take."""

import time
from collections.abc import Callable, Iterable

from artifact.cells import Cell
from artifact.measuring.forecast import guess_seconds

LINES = 40              # of progress, and one at the end of each stage

Say = Callable[[str], None]


class Progress:
    """Says a line now and then.

    there: processes of each cell, by its id, that are there already. ends: when the
    time is up, by the monotonic clock.
    """

    def __init__(self, cells: Iterable[Cell], there: dict[str, int], ends: float, say: Say):
        self.say = say
        self.ends = ends
        self.started = time.monotonic()
        self.there = dict(there)
        self.wanted = {cell.id: cell.processes for cell in cells}
        self.guess = {cell.id: guess_seconds(cell) for cell in cells}
        self.spent: dict[str, list[float]] = {cell: [] for cell in self.guess}
        self.name, self.until, self.said = "", self.there, -1

    def begin(self, name: str, until: dict[str, int]) -> None:
        """A stage, at whose end there are so many processes of each cell."""
        self.name, self.until = name, until

    def decided(self, wanted: dict[str, int]) -> None:
        """How many of each cell there are to be in the end."""
        self.wanted = wanted

    def done(self, cell: Cell, seconds: float) -> None:
        """One more process."""
        self.there[cell.id] += 1
        self.spent[cell.id].append(seconds)
        self._report()

    def remaining_seconds(self) -> float:
        """Measured cells by their mean; the others by the guess, corrected by
        how wrong it was for those."""
        spent = sum(map(sum, self.spent.values()))
        guessed = sum(self.guess[key] * len(times) for key, times in self.spent.items())
        correction = spent / guessed if guessed else 1.0
        needed = sum((self.wanted[key] - there) * (
            sum(self.spent[key]) / len(self.spent[key]) if self.spent[key]
            else self.guess[key] * correction) for key, there in self.there.items())
        return min(needed, max(self.ends - time.monotonic(), 0.0))

    def _report(self) -> None:
        there, most = sum(self.there.values()), sum(self.wanted.values())
        is_last = there >= sum(self.until.values())
        step = there * LINES // max(most, 1)
        if step == self.said and not is_last:
            return
        self.said = step
        self.say(f"{there:>4} of {most} processes, {clock(time.monotonic() - self.started)} gone, "
                 f"{clock(self.remaining_seconds())} left")


def clock(seconds: float) -> str:
    """Minutes and seconds as 3:07."""
    return f"{int(seconds + 0.5) // 60}:{int(seconds + 0.5) % 60:02}"
