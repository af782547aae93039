# SPDX-License-Identifier: MIT
"""ladder: the price of each wrapping of a page copy, and of a workqueue, inside a kernel.

In instructions nothing is said about how long bytes take to move: a ``rep``
counts once for each of its iterations. What is shown are differences between
two ways to move the same bytes with the same iterations, which are the
bookkeeping, and nothing else.
"""

from __future__ import annotations

import typing

from artifact import drawing
from artifact.samples import KernelSamples

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COSTS = {
    "cost:page_address": "page_address()", "cost:preempt": "preempt off and on",
    "cost:preempt+pagefault": "preempt and pagefault off and on",
    "cost:cond_resched": "cond_resched()", "cost:kmap_local": "kmap_local, both pages (2026)",
    "cost:kmap_atomic": "kmap_atomic, both pages (2017)",
}

RUNGS = {"serial:page:map=2017": "loop of 2017", "serial:page:map=2026": "loop of 2026",
         "serial:bulk": "one call", "serial:bulk:mc": "one call of copy_mc_to_kernel()"}


def cost(samples: KernelSamples, arm: str) -> float:
    """Of a wrapping without a copy, for each page, less the loop's own."""
    return (samples.median(arm) - samples.median("cost:empty")) / samples.pages(arm)


def beyond_bare(samples: KernelSamples, arm: str) -> float | None:
    """What a rung costs beyond bare page copies, for each page; None in high
    memory, where there is no bare copy."""
    if "serial:page" not in samples.values or arm not in samples.values:
        return None
    return (samples.median(arm) - samples.median("serial:page")) / samples.pages(arm)


def works_cost(samples: KernelSamples, queue: str) -> dict[int, float]:
    """Number of works to what they cost beyond one bulk copy, each call."""
    return {int(arm.rpartition(":")[2]): samples.median(arm) - samples.median("serial:bulk")
            for arm in samples.values if arm.startswith(f"parallel:{queue}:")}


def ladder_figure(cells: list[KernelSamples]) -> Figure:
    """What bookkeeping costs inside a kernel: each wrapping of a page copy, each loop of
    them, and handing one huge page to workqueues."""
    fig, (costs, loops, works) = drawing.subplots(1, 3, figsize=(15, 4.6),
                                                  width_ratios=[5, 4, 4])
    _wrappings(costs, cells)
    _rungs(loops, cells)
    _workqueues(works, cells)
    unit = cells[0].unit_label
    costs.set_xlabel(f"{unit} for each base page,\nless an empty loop; linear up to 10")
    loops.set_xlabel(f"{unit} for each base page,\nbeyond bare page copies")
    works.set_xlabel("works that one huge page is split into")
    works.set_ylabel(f"{unit}\nbeyond one bulk copy")
    drawing.legend_below(fig, costs, columns=3)
    return fig


def _look(cells: list[KernelSamples], nth: int) -> dict:
    return {"color": drawing.COLOURS[nth], "marker": drawing.MARKERS[nth],
            "label": cells[nth].name}


def _beside(cells: list[KernelSamples], nth: int) -> float:
    """Many are equal: each kernel has its own height in a row."""
    return 0.16 * (nth - (len(cells) - 1) / 2)


def _wrappings(ax: Axes, cells: list[KernelSamples]) -> None:
    for i, samples in enumerate(cells):
        ax.plot([cost(samples, arm) for arm in COSTS],
                [y + _beside(cells, i) for y in range(len(COSTS))], linestyle="none",
                **_look(cells, i))
    drawing.label_rows(ax, list(COSTS.values()))
    ax.set_xscale("symlog", linthresh=10)
    ax.set_xticks([0, 5, 10, 30, 100, 500])
    ax.set_xlim(right=800)
    drawing.numbers(ax.xaxis)
    drawing.major_only(ax.xaxis)
    ax.set_title("the bookkeeping without a copy", fontsize="medium")


def _rungs(ax: Axes, cells: list[KernelSamples]) -> None:
    rungs = {arm: label for arm, label in RUNGS.items()
             if any(arm in samples.values for samples in cells)}
    for i, samples in enumerate(cells):
        found = {y + _beside(cells, i): value for y, arm in enumerate(rungs)
                 if (value := beyond_bare(samples, arm)) is not None}
        ax.plot(list(found.values()), list(found), linestyle="none", **_look(cells, i))
        if not found:
            ax.annotate(f"{samples.cell.kernel}: no address in high memory,\n"
                        "so no bare copy to compare with", (0.98, 0.42), ha="right",
                        xycoords="axes fraction", fontsize="small", color="0.35")
    drawing.label_rows(ax, list(rungs.values()))
    ax.axvline(0, color="0.3", linewidth=1)
    ax.set_title("the bookkeeping of each rung", fontsize="medium")


def _workqueues(ax: Axes, cells: list[KernelSamples]) -> None:
    for i, samples in enumerate(cells):
        for queue, style in (("highpri", "-"), ("unbound", "--")):
            if found := works_cost(samples, queue):
                ax.plot(list(found), list(found.values()), style,
                        **{**_look(cells, i), "label": None})
                ax.set_xticks(list(found))
    for queue, style in (("highpri", "-"), ("unbound", "--")):
        ax.plot([], [], style, color="0.3", label=f"system_{queue}_wq")
    ax.set_ylim(bottom=0)
    ax.legend(loc="lower right", fontsize="small")
    ax.set_title("a workqueue" + (", on one CPU" if cells[0].cell.counted else ""),
                 fontsize="medium")
