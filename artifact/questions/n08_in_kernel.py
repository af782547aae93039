# SPDX-License-Identifier: MIT
"""08: what does the bookkeeping around a page copy cost inside real kernels?"""

import dataclasses

from artifact.answer import Answer, not_time, where
from artifact.estimate import Estimate
from artifact.experiments import ladder, map_cost
from artifact.host import Host
from artifact.ingredients import Sizes, positive
from artifact.kernel_cells import kernel_cells
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.questions.n01_serial_copy import Parameters as Serial
from artifact.questions.question import Question


@dataclasses.dataclass(frozen=True)
class Parameters:
    """lab_kernels: of the virtual machine. boots: of each. The others are those of
    01, whose map-cost sweep is measured once when they are the same."""

    lab_kernels: tuple[str, ...] = ("amd64", "rt", "highmem")
    boots: int = 2
    base_page: str = Serial.base_page
    huge_page: str = Serial.huge_page
    delays_ns: tuple[int, ...] = Serial.delays_ns
    processes: int = Serial.processes
    rounds: int = Serial.rounds


def plan(host: Host, p: Parameters) -> Plan:
    """The ladder inside each kernel, and the sweep of 01 to hold it against."""
    positive(boots=p.boots, processes=p.processes, rounds=p.rounds)
    sizes = Sizes(p.base_page, p.huge_page)
    cells, skipped = kernel_cells(host, ("ladder",), p.lab_kernels, p.boots)
    sweep = map_cost.cells(host, sizes, p.delays_ns, p.processes, p.rounds)
    return Plan((*cells, *(sweep if cells else ())), skipped)


def answer(measured: Measured, p: Parameters) -> Answer:
    """What mapping both pages of a copy costs, as in 2017 and as today."""
    headlines, phrases = {}, []
    for samples in measured.cells["ladder"]:
        atomic, local = (ladder.cost(samples, f"cost:kmap_{era}") for era in ("atomic", "local"))
        phrases.append(f"{atomic:.0f} and {local:.0f} {samples.cell.unit} in {where(samples)}")
        if samples.cell.counted:
            headlines[f"mapping both pages as in 2017, {samples.cell.kernel}, instructions"] = \
                Estimate(atomic, atomic, atomic)
    return Answer("Mapping both pages of a copy with kmap_atomic (2017) and with kmap_local (2026) "
                  "costs " + "; ".join(phrases) + "."
                  + not_time(measured.cells["ladder"]), headlines)


QUESTION = Question("08-in-kernel", Parameters, plan, answer, ("ladder", "map-cost"))
