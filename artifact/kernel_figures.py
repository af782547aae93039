# SPDX-License-Identifier: MIT
"""The figures of notebooks 07 and 08. Nothing is measured here.

Every axis says whether it counts instructions or takes times, and every
figure which kernel answered and where.
"""

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from artifact import drawing, figures, in_kernel, published
from artifact.load import KernelSamples, Samples

MARKERS = "osD^v<>"
WAYS = {"there": "o", "back": "s"}


def ladder(cells: list[KernelSamples]) -> Figure:
    """The price of each wrapping, and of each loop, for a base page."""
    fig, (costs, loops) = plt.subplots(1, 2, figsize=(15, 4.8), layout="constrained")
    for i, samples in enumerate(cells):
        look = {"color": drawing.COLOURS[i], "marker": MARKERS[i], "linestyle": "none",
                "label": _name(samples)}
        beside = 0.16 * (i - (len(cells) - 1) / 2)      # many are equal
        costs.plot([in_kernel.cost(samples, arm) for arm in in_kernel.COSTS],
                   [y + beside for y in range(len(in_kernel.COSTS))], **look)
        found = {y + beside: value for y, arm in enumerate(in_kernel.RUNGS)
                 if (value := in_kernel.beyond_bare(samples, arm)) is not None}
        loops.plot(list(found.values()), list(found), **look)
        if not found:
            loops.annotate(f"{samples.cell.kernel}: no address in high memory,\n"
                           "so no bare copy to compare with", (0.98, 0.4), ha="right",
                           xycoords="axes fraction", fontsize="small", color="0.35")
    _label_rows(costs, list(in_kernel.COSTS.values()))
    _label_rows(loops, list(in_kernel.RUNGS.values()))
    costs.set_xscale("symlog", linthresh=10)
    costs.set_xticks([0, 5, 10, 20, 50, 100, 200, 500])
    costs.set_xlim(right=800)
    costs.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    costs.xaxis.set_minor_locator(NullLocator())
    loops.axvline(0, color="0.3", linewidth=1)
    unit = _unit(cells[0])
    costs.set_xlabel(f"{unit} for each base page, less an empty loop; linear up to 10")
    loops.set_xlabel(f"{unit} for each base page, beyond bare page copies")
    costs.set_title("the bookkeeping without a copy")
    loops.set_title("the bookkeeping of each rung")
    drawing.legend_below(fig, costs, columns=3)
    fig.suptitle("What wrapping a page copy costs inside a kernel")
    return fig


def dispatch(cells: list[KernelSamples]) -> Figure:
    """What handing one huge page to workqueues costs."""
    fig, ax = plt.subplots(figsize=(8.5, 4.6), layout="constrained")
    for i, samples in enumerate(cells):
        for queue, style in (("highpri", "-"), ("unbound", "--")):
            found = in_kernel.dispatch(samples, queue)
            if found:
                ax.plot(list(found), list(found.values()), style, marker=MARKERS[i],
                        color=drawing.COLOURS[i], label=f"{_name(samples)}, system_{queue}_wq")
                ax.set_xticks(list(found))
    ax.set_ylim(bottom=0)
    ax.set_xlabel("works that one huge page is split into")
    ax.set_ylabel(f"{_unit(cells[0])} beyond one bulk copy")
    drawing.legend_below(fig, ax, columns=2)
    ax.set_title("What a workqueue costs inside a kernel, on one CPU" if _counted(cells[0])
                 else "What a workqueue costs inside a kernel")
    return fig


def calibrated(cells: list[Samples], ladders: list[KernelSamples], mhz: float) -> Figure:
    """The map-cost sweep of 01 with what the kernels' own bookkeeping costs."""
    marks = []
    for samples in ladders:
        for arm, era in (("cost:kmap_atomic", "2017"), ("cost:kmap_local", "2026")):
            cost = in_kernel.cost(samples, arm)
            ns = cost * 1000 / mhz if _counted(samples) else cost
            how = f"{cost:.0f} instructions" if _counted(samples) else f"{cost:.1f} ns"
            marks.append((ns, f"{_name(samples)}, {era}: {how}"))
    fig = figures.map_cost(cells)
    ax = fig.axes[0]
    for i, (ns, label) in enumerate(marks):
        ax.plot([ns], [0.83], MARKERS[i // 2], color=drawing.COLOURS[3 + i // 2], markersize=7,
                markerfacecolor="white" if i % 2 else None, clip_on=False, label=label)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, 0.7 * min(ns for ns, _ in marks)), high)
    # Once more, as there are more to list now.
    for legend in fig.legends:
        legend.remove()
    drawing.legend_below(fig, ax, columns=3)
    rate = f", at one instruction a cycle of {mhz / 1000:.2f} GHz" if _counted(ladders[0]) else ""
    ax.set_title("What mapping would have to cost, and what it costs in kernels (marks at the "
                 f"bottom{rate})", fontsize="medium")
    return fig


def moves(cells: list[KernelSamples], ladders: list[KernelSamples]) -> Figure:
    """move_pages(2) by kind of page, and what was published of it."""
    timed = [samples for samples in cells if not _counted(samples)]
    counted = [samples for samples in cells if _counted(samples)]
    fig, (ours, theirs) = plt.subplots(1, 2, figsize=(15, 4.8), layout="constrained",
                                       width_ratios=[3, 2])
    if timed:
        _throughputs(ours, timed)
    else:
        _bookkeeping(ours, counted, ladders)
    _published_moves(theirs, timed)
    fig.suptitle("move_pages(2) by the kind of page")
    return fig


def _throughputs(ax: Axes, cells: list[KernelSamples]) -> None:
    for i, samples in enumerate(cells):
        rows = in_kernel.rows(samples)
        for way, marker in WAYS.items():
            ax.plot([in_kernel.gbps(samples, f"{row}:{way}") for row in rows], range(len(rows)),
                    marker, color=drawing.COLOURS[i], label=f"{_name(samples)}, {way}")
        _label_rows(ax, list(map(in_kernel.row_label, rows)))
    ax.set_xscale("log")
    ax.set_xlabel("GB/s, median")
    ax.set_title("timed here")
    ax.legend(fontsize="small")


def _bookkeeping(ax: Axes, cells: list[KernelSamples], ladders: list[KernelSamples]) -> None:
    for i, samples in enumerate(cells):
        ladder_of = next(s for s in ladders if s.cell.kernel == samples.cell.kernel)
        rows = in_kernel.rows(samples)
        for way, marker in WAYS.items():
            found = [in_kernel.bookkeeping(samples, ladder_of, f"{row}:{way}") for row in rows]
            ax.plot(found, range(len(rows)), marker, color=drawing.COLOURS[i],
                    markerfacecolor=drawing.COLOURS[i] if way == "there" else "white",
                    label=f"{_name(samples)}, {way}")
        for y, row in enumerate(rows):
            value = in_kernel.bookkeeping(samples, ladder_of, f"{row}:there")
            ax.annotate(f"{value:,.0f}", (value, y), xytext=(8, -3), textcoords="offset points",
                        fontsize="small")
        _label_rows(ax, list(map(in_kernel.row_label, rows)))
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.set_xlim(low, 2 * high)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    ax.set_xlabel("instructions for each 4 KiB moved, less those of the copy: counted, not timed")
    ax.set_title("counted in a virtual machine: the bookkeeping alone")
    ax.legend(fontsize="small", loc="lower right")


def _published_moves(ax: Axes, timed: list[KernelSamples]) -> None:
    """Throughput of the same calls in the published tables, where serial."""
    found = published.figures()
    serial = found[found["variant"].isin(["base-page", "thp-migration", "vanilla"])
                   & (found["unit"].str.startswith("G") | found["unit"].str.startswith("MB/s"))
                   & found["page_size_kib"].isin([4, 2048])]
    for i, (size, label) in enumerate(((4, "base pages"), (2048, "huge pages"))):
        rows = serial[serial["page_size_kib"] == size]
        ours = [in_kernel.gbps(samples, f"{row}:there") for samples in timed
                for row in in_kernel.rows(samples)
                if row.startswith("base" if size == 4 else "huge")]
        values = rows["value"] * rows["unit"].str.startswith("GiB").map({True: 1.073741824,
                                                                          False: 1.0})
        sources = rows["source_id"].astype("category").cat.codes
        ax.plot(values, i + 0.05 * (sources % 7 - 3), "D", color="0.45", markersize=5,
                label="published, serial" if not i else None)
        ax.plot(ours, [i] * len(ours), "o", color=drawing.COLOURS[0],
                label="timed here" if not i and ours else None)
    _label_rows(ax, ["base pages", "huge pages"])
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.set_xlabel("GB/s of the whole call, any number of pages, any machine")
    ax.set_title("published" + ("" if timed else "; to time it here takes two nodes, or KVM"))
    ax.legend(fontsize="small")


def live(cells: list[KernelSamples]) -> Figure:
    """Each step of the series inside the kernel's own move_pages(2)."""
    samples = cells[0]
    rows = list(dict.fromkeys(row.partition(":live=")[0] for row in in_kernel.rows(samples)))
    steps = [step for step in in_kernel.STEPS if step != "off"]
    fig, panels = plt.subplots(1, len(rows), figsize=(4 + 4.2 * len(rows), 4), sharey=True,
                               layout="constrained", squeeze=False)
    for ax, row in zip(panels[0], rows):
        found = pd.Series({step: in_kernel.step_cost(samples, row, step) for step in steps})
        ax.barh(range(len(steps)), found, color=drawing.COLOURS[0], alpha=0.7)
        for y, value in enumerate(found):
            ax.annotate(f" {value:+,.0f} ", (value, y), va="center", fontsize="small",
                        ha="left" if value >= 0 else "right")
        span = max(found.max(), 0) - min(found.min(), 0)
        ax.set_xlim(min(found.min(), 0) - 0.3 * span, max(found.max(), 0) + 0.3 * span)
        ax.axvline(0, color="0.3", linewidth=1)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
        ax.tick_params(axis="x", labelsize="small")
        ax.set_title(_row_title(row, samples))
        ax.set_xlabel(f"{_unit(samples)} beyond the unpatched\nkernel's, for each folio")
    _label_rows(panels[0][0], [in_kernel.STEPS[step] for step in steps])
    fig.suptitle(f"The patch, live: move_pages(2) of {_name(samples)} with each step of the "
                 "series in place of its folio copy")
    return fig


def _row_title(row: str, samples: KernelSamples) -> str:
    total = samples.median(f"{row}:live=off:there") / in_kernel.folios(row)
    unit = "instructions" if _counted(samples) else "ns"
    return f"{in_kernel.row_label(row)}\nas it is: {total:,.0f} {unit} each"


def _name(samples: KernelSamples) -> str:
    return f"{samples.cell.kernel} ({samples.facts[0]['kernel']})"


def _counted(samples: KernelSamples) -> bool:
    return samples.cell.unit == "instructions"


def _unit(samples: KernelSamples) -> str:
    return "instructions (counted, not timed)" if _counted(samples) else "ns"


def _label_rows(ax: Axes, labels: list[str]) -> None:
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
