# SPDX-License-Identifier: MIT
"""01: what is one bulk copy of a huge page worth, against copies page by page?"""

import dataclasses

from artifact import estimate, labels
from artifact.answer import Answer, nanoseconds, times, verb, with_warnings
from artifact.experiments import extent, map_cost, serial_ladder
from artifact.host import Host
from artifact.ingredients import Sizes, available, not_empty, positive, unique
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.questions.question import Question


@dataclasses.dataclass(frozen=True)
class Parameters:
    """primitives: names or roles; none for all that run here. cache_states:
    SOURCE/DESTINATION, each cold or warm. delays_ns: charged for each base page."""

    base_page: str = "4K"
    huge_page: str = "2M"
    primitives: tuple[str, ...] = ()
    cache_states: tuple[str, ...] = ("cold/cold", "warm/cold", "cold/warm", "warm/warm")
    delays_ns: tuple[int, ...] = (10, 25, 50, 100, 250, 500, 1000)
    extent_primitives: tuple[str, ...] = ("own-then", "own-now", "streaming")
    largest_extent: str = "256M"
    processes: int = 40
    rounds: int = 36


def plan(host: Host, p: Parameters) -> Plan:
    """The ladder in each state of the caches, the map-cost sweep, the extents."""
    sizes = Sizes(p.base_page, p.huge_page)
    positive(processes=p.processes, rounds=p.rounds)
    not_empty(cache_states=p.cache_states)
    chosen, lacking = available(host, p.primitives or [
        name for name, roles in host.roles.items() if "nothing" not in roles])
    swept, lacking_too = available(host, p.extent_primitives)
    ladder, far = serial_ladder.cells(host, sizes, chosen, swept, p.cache_states, p.processes,
                                      p.rounds)
    sweep = map_cost.cells(host, sizes, p.delays_ns, p.processes, p.rounds)
    extents, too_large = extent.cells(host, sizes, swept, p.largest_extent, p.processes, p.rounds)
    return Plan((*ladder, *sweep, *extents), unique((*lacking, *far, *too_large, *lacking_too)))


def answer(measured: Measured, p: Parameters) -> Answer:
    """What one call gains, and what mapping would have to cost to explain 2017."""
    cells = measured.cells
    cold = cells["serial-ladder"][0]
    speedups = serial_ladder.speedups(cold)
    over_2026, over_2017, best_over_2026 = speedups.values()
    best = cold.cell.of(estimate.best_serial(cold))
    sweep, = cells["map-cost"]
    own, gain = cold.cell.own, map_cost.published_gain()
    cost = estimate.added_ns(sweep, f"serial:page:{own}:map=2017", f"serial:page:{own}",
                             sweep.cell.pages)
    needed = (gain - 1) * map_cost.ns_per_page(sweep, sweep.cell.baseline)
    return Answer(with_warnings(
        f"One bulk copy of a {cold.cell.option('huge')} page with {own} ({labels.cache_label(cold)}) "
        f"{verb(over_2026)} the page-by-page loop of 2026, {times(over_2026)}, and "
        f"{verb(over_2017)} the loop of 2017, {times(over_2017)}. The fastest serial copy is one "
        f"call of {best.primitive}: it {verb(best_over_2026)} the 2026 loop, "
        f"{times(best_over_2026)}. The 2017 bookkeeping costs {nanoseconds(cost)} per page here; it "
        f"would have to cost {needed:.0f} ns to explain the published gain of {gain:.2f}x.", cells),
        speedups)


QUESTION = Question("01-serial-copy", Parameters, plan, answer,
                    ("serial-ladder", "map-cost", "extent"))
