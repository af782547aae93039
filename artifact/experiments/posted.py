# SPDX-License-Identifier: MIT
"""posted: the series under load as they were posted, with the kernel's own copy
routine, against one serial call of it.

What was said of them is judged from these. Without the policies of low
priority, which wait the longest, there is time for many more rounds.
"""

from artifact.cells import Cell
from artifact.ingredients import Teams, under_load
from artifact.variant import Variant

LOADS = (100, 200)


def cells(crew: Teams, processes: int, rounds: int) -> list[Cell]:
    """A cell for each load; the series of 2017 and 2025, and bound workers at nice 0."""
    own = crew.serial[0]
    ways = crew.parallel(primitive=Variant.parse(own).primitive, without={
        "padata", "low", "idle", "reclaims", "chunks", "chunks-low", "pick-idle", "spawn",
        "spin"})
    return [under_load("posted", load, crew.options, 6 * rounds, 5 * processes, (own, *ways),
                       sharpness=0.03) for load in LOADS]
