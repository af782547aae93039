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


def wrappings_figure(cells: list[KernelSamples]) -> Figure:
    """The price of each wrapping, and of each loop, for a base page."""
    fig, (costs, loops) = drawing.subplots(1, 2, figsize=(15, 4.8))
    rungs = {arm: label for arm, label in RUNGS.items()
             if any(arm in samples.values for samples in cells)}
    for i, samples in enumerate(cells):
        look = {"color": drawing.COLOURS[i], "marker": drawing.MARKERS[i], "linestyle": "none",
                "label": samples.name}
        beside = 0.16 * (i - (len(cells) - 1) / 2)      # many are equal
        costs.plot([cost(samples, arm) for arm in COSTS],
                   [y + beside for y in range(len(COSTS))], **look)
        found = {y + beside: value for y, arm in enumerate(rungs)
                 if (value := beyond_bare(samples, arm)) is not None}
        loops.plot(list(found.values()), list(found), **look)
        if not found:
            loops.annotate(f"{samples.cell.kernel}: no address in high memory,\n"
                           "so no bare copy to compare with", (0.98, 0.4), ha="right",
                           xycoords="axes fraction", fontsize="small", color="0.35")
    drawing.label_rows(costs, list(COSTS.values()))
    drawing.label_rows(loops, list(rungs.values()))
    costs.set_xscale("symlog", linthresh=10)
    costs.set_xticks([0, 5, 10, 20, 50, 100, 200, 500])
    costs.set_xlim(right=800)
    drawing.numbers(costs.xaxis)
    drawing.major_only(costs.xaxis)
    loops.axvline(0, color="0.3", linewidth=1)
    unit = cells[0].unit_label
    costs.set_xlabel(f"{unit} for each base page, less an empty loop; linear up to 10")
    loops.set_xlabel(f"{unit} for each base page, beyond bare page copies")
    costs.set_title("the bookkeeping without a copy")
    loops.set_title("the bookkeeping of each rung")
    drawing.legend_below(fig, costs, columns=3)
    fig.suptitle("What wrapping a page copy costs inside a kernel")
    return fig


def workqueues_figure(cells: list[KernelSamples]) -> Figure:
    """What handing one huge page to workqueues costs."""
    fig, ax = drawing.subplots(figsize=(8.5, 4.6))
    for i, samples in enumerate(cells):
        for queue, style in (("highpri", "-"), ("unbound", "--")):
            found = works_cost(samples, queue)
            if found:
                ax.plot(list(found), list(found.values()), style, marker=drawing.MARKERS[i],
                        color=drawing.COLOURS[i], label=f"{samples.name}, system_{queue}_wq")
                ax.set_xticks(list(found))
    ax.set_ylim(bottom=0)
    ax.set_xlabel("works that one huge page is split into")
    ax.set_ylabel(f"{cells[0].unit_label} beyond one bulk copy")
    drawing.legend_below(fig, ax, columns=2)
    ax.set_title("What a workqueue costs inside a kernel, on one CPU" if cells[0].cell.counted
                 else "What a workqueue costs inside a kernel")
    return fig
