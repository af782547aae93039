# SPDX-License-Identifier: MIT
"""01: what is one bulk copy of a huge page worth, against copies page by page?"""

import dataclasses

from artifact import eras, estimate, labels
from artifact.answer import Answer, nanoseconds, times, verb, with_warnings
from artifact.experiments import extent, map_cost, serial_ladder
from artifact.host import Host
from artifact.ingredients import Sizes, available, not_empty, positive, unique
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.questions.question import Question
from artifact.samples import Samples


@dataclasses.dataclass(frozen=True)
class Parameters:
    """primitives: names or roles; none for all that run here. cache_states:
    SOURCE/DESTINATION, each cold or warm. delays_ns: charged for each base page."""

    base_page: str = "4K"
    huge_page: str = "2M"
    primitives: tuple[str, ...] = ()
    cache_states: tuple[str, ...] = ("cold/cold", "warm/cold", "cold/warm", "warm/warm")
    delays_ns: tuple[int, ...] = (10, 25, 50, 100, 250, 500, 1000)
    extent_primitives: tuple[str, ...] = ("own-then", "own-now", "flushcache", "streaming")
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
    over_loop, over_2017, best_over_loop = speedups.values()
    best, ceiling = estimate.best_serial(cold), estimate.best_serial(cold, ceiling=True)
    sweep, = cells["map-cost"]
    own, swept = cold.cell.own, sweep.cell.own
    cost = estimate.added_ns(sweep, f"serial:page:{swept}:map=2017", f"serial:page:{swept}",
                             sweep.cell.pages)
    return Answer(with_warnings(
        f"One bulk copy of a {cold.cell.option('huge')} page with {own} ({labels.cache_label(cold)}) "
        f"{verb(over_loop)} {eras.told(cold.cell.baseline)}, {times(over_loop)}, and "
        f"{verb(over_2017)} {eras.told(serial_ladder.loop_2017(cold))}, {times(over_2017)}. "
        f"The fastest serial copy that needs no FPU state is one call of "
        f"{cold.cell.of(best).primitive}: it {verb(best_over_loop)} the same loop, "
        f"{times(best_over_loop)}.{_ceiling(cold, best, ceiling)} The 2017 bookkeeping costs "
        f"{nanoseconds(cost)} per page here; it would have to cost {map_cost.needed_ns(sweep):.0f} ns "
        f"to explain the published gain of {map_cost.published_gain():.2f}x.", cells), speedups)


def _ceiling(cold: Samples, best: str, ceiling: str) -> str:
    """What copies that a kernel must save FPU state for would add; empty where nothing."""
    if ceiling == best:
        return ""
    return (f" With FPU state saved, {cold.cell.of(ceiling).primitive} would be a ceiling: "
            f"{times(estimate.speedup(cold, ceiling, cold.cell.baseline))} over the same loop.")


QUESTION = Question("01-serial-copy", Parameters, plan, answer,
                    ("serial-ladder", "map-cost", "extent"))
