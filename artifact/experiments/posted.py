# SPDX-License-Identifier: MIT
"""posted: the series under load as they were posted, against one serial call of what
they copy with; and that of 2017 without its high priority, which is told apart so
from who waits.

What was said of them is judged from these. Without the policies of low
priority, which wait the longest, there is time for many more rounds.
"""

from artifact.cells import Cell
from artifact.ingredients import Teams, under_load

LOADS = (100, 200)


def cells(crew: Teams, processes: int, rounds: int) -> list[Cell]:
    """A cell for each load."""
    ways = crew.only({"2017", "2017-nice-0", "2025"})
    return [under_load("posted", load, crew.options, 6 * rounds, 5 * processes,
                       (crew.serial[0], *ways), sharpness=0.03) for load in LOADS]
