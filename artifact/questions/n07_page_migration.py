# SPDX-License-Identifier: MIT
"""07: what does a whole move_pages(2) cost in a real kernel, patched and not?"""

import dataclasses

from artifact.answer import Answer, not_time, where
from artifact.cells import KernelCell
from artifact.estimate import Estimate
from artifact.experiments import live, moves
from artifact.host import Host
from artifact.ingredients import positive
from artifact.kernel_cells import kernel_cells
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.questions.question import Question


@dataclasses.dataclass(frozen=True)
class Parameters:
    """lab_kernels: of the virtual machine; those with two nodes are asked. boots:
    of each. processes: of movepages on this machine's own nodes, where it has
    two."""

    lab_kernels: tuple[str, ...] = ("amd64",)
    boots: int = 2
    processes: int = 10


def plan(host: Host, p: Parameters) -> Plan:
    """Ladder, moves and live steps of each kernel; this machine's own moves."""
    positive(boots=p.boots, processes=p.processes)
    cells, skipped = kernel_cells(host, ("ladder", "moves", "live"), p.lab_kernels, p.boots)
    if len(host.nodes) > 1:
        return Plan((KernelCell("moves", "host", "ns", p.processes, host.lab.digest), *cells),
                    skipped)
    return Plan(tuple(cells), (*skipped, ("move_pages(2) of this machine's own kernel",
                                          "this machine has one node with memory")))


def answer(measured: Measured, p: Parameters) -> Answer:
    """The bookkeeping of a move by kind of page, and what each step adds."""
    cells = measured.cells
    headlines, phrases = {}, []
    for samples in cells["moves"]:
        rows = moves.rows_of(samples)
        if not samples.cell.counted:
            each = [f"{moves.row_label(row)} at {moves.gbps(samples, f'{row}:there'):.2f} GB/s"
                    for row in rows]
            phrases.append(f"In {where(samples)} move_pages(2) moves {', '.join(each)}")
            continue
        of_kernel = next(s for s in cells["ladder"] if s.cell.kernel == samples.cell.kernel)
        costs = {row: moves.bookkeeping(samples, of_kernel, f"{row}:there") for row in rows}
        each = [f"{cost:,.0f} for {moves.row_label(row)}" for row, cost in costs.items()]
        phrases.append(f"In {where(samples)} the bookkeeping of move_pages(2) takes, in "
                       f"instructions per 4 KiB, {', '.join(each)}")
        if {"base:512", "huge:1"} <= set(rows):
            ratio = costs["base:512"] / costs["huge:1"]
            headlines["bookkeeping of 512 base pages over a huge page's, "
                      f"{samples.cell.kernel}, instructions"] = Estimate(ratio, ratio, ratio)
    phrases += [_live(samples) for samples in cells.get("live", [])]
    return Answer("; ".join(phrases) + "." + not_time(cells["moves"]), headlines)


def _live(samples) -> str:
    bulk, team = (live.step_cost(samples, row, step) for row, step in
                  (("huge:1", "bulk"), ("base:512", "highpri:2")))
    return (f"with one bulk copy instead of the loop that kernel moves a huge page in "
            f"{abs(bulk):,.0f} {_fewer(bulk)} {samples.cell.unit}, and with two workers of "
            f"system_highpri_wq each base page in {abs(team):,.0f} {_fewer(team)}")


def _fewer(cost: float) -> str:
    return "fewer" if cost < 0 else "more"


QUESTION = Question("07-page-migration", Parameters, plan, answer,
                    ("ladder", "moves", "live"))
