# SPDX-License-Identifier: MIT
"""The figures of notebooks 07 and 08. Nothing is measured here.

Every axis says whether it counts instructions or takes times, and every
figure which kernel answered and where.
"""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from artifact import drawing, estimate, figures, in_kernel, published
from artifact.load import KernelSamples, Samples

REFERENCES = {"loop": "the kernel's loop in the module", "off": "the unpatched kernel"}
MARKERS = "osD^v<>"
WAYS = {"there": "o", "back": "s"}


def ladder(cells: list[KernelSamples]) -> Figure:
    """The price of each wrapping, and of each loop, for a base page."""
    fig, (costs, loops) = plt.subplots(1, 2, figsize=(15, 4.8), layout="constrained")
    rungs = {arm: label for arm, label in in_kernel.RUNGS.items()
             if any(arm in samples.values for samples in cells)}
    for i, samples in enumerate(cells):
        look = {"color": drawing.COLOURS[i], "marker": MARKERS[i], "linestyle": "none",
                "label": _name(samples)}
        beside = 0.16 * (i - (len(cells) - 1) / 2)      # many are equal
        costs.plot([in_kernel.cost(samples, arm) for arm in in_kernel.COSTS],
                   [y + beside for y in range(len(in_kernel.COSTS))], **look)
        found = {y + beside: value for y, arm in enumerate(rungs)
                 if (value := in_kernel.beyond_bare(samples, arm)) is not None}
        loops.plot(list(found.values()), list(found), **look)
        if not found:
            loops.annotate(f"{samples.cell.kernel}: no address in high memory,\n"
                           "so no bare copy to compare with", (0.98, 0.4), ha="right",
                           xycoords="axes fraction", fontsize="small", color="0.35")
    _label_rows(costs, list(in_kernel.COSTS.values()))
    _label_rows(loops, list(rungs.values()))
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


def user_ladder(cells: list[Samples]) -> Figure:
    """The same rungs in user space, where they are timed."""
    samples, = cells
    own = drawing.own_primitive(samples)
    rungs = {f"serial:page:{own}:map=2017": "loop of 2017", f"serial:page:{own}:map=2026": "loop of 2026",
             f"serial:bulk:{own}": "one call"}
    fig, ax = plt.subplots(figsize=(8.5, 2.8), layout="constrained")
    for y, arm in enumerate(rungs):
        found = estimate.added_ns(samples, arm, f"serial:page:{own}", figures.pages_per_folio(samples))
        stable = estimate.is_stable(samples)
        ax.errorbar(found.value, y, fmt="o", color=drawing.COLOURS[0], elinewidth=1.2,
                    markerfacecolor=drawing.COLOURS[0] if stable else "white",
                    xerr=[[found.value - found.low], [found.high - found.value]]
                    if np.isfinite(found.high) else None)
    _label_rows(ax, list(rungs.values()))
    ax.axvline(0, color="0.3", linewidth=1)
    ax.set_xlabel("ns for each base page, beyond bare page calls: timed, in user space")
    ax.set_title(f"The same rungs in user space, with {own}")
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
    fig, (ours, theirs, shares) = plt.subplots(1, 3, figsize=(17, 4.8), layout="constrained",
                                               width_ratios=[3, 2, 2])
    if timed:
        _by_row(ours, timed, in_kernel.gbps, "{:.2f}")
        ours.set_xlabel("GB/s, median")
        ours.set_title("timed here")
    else:
        _by_row(ours, cells, lambda samples, arm: in_kernel.bookkeeping(
            samples, _ladder_of(samples, ladders), arm), "{:,.0f}")
        ours.set_xlabel("instructions for each 4 KiB moved, less those of the copy:\n"
                        "counted, not timed")
        ours.set_title("counted in a virtual machine: the bookkeeping alone")
    _published_moves(theirs, timed)
    _copy_shares(shares, timed, ladders)
    fig.suptitle("move_pages(2) by the kind of page")
    return fig


def _by_row(ax: Axes, cells: list[KernelSamples], of, text: str) -> None:
    """A number of each row of the call, there and back."""
    rows = list(dict.fromkeys(row for samples in cells for row in in_kernel.rows(samples)))
    for i, samples in enumerate(cells):
        own = in_kernel.rows(samples)
        for way, marker in WAYS.items():
            ax.plot([of(samples, f"{row}:{way}") for row in own], [rows.index(row) for row in own],
                    marker, color=drawing.COLOURS[i], label=f"{_name(samples)}, {way}",
                    markerfacecolor=drawing.COLOURS[i] if way == "there" else "white")
        for row in own:
            value = of(samples, f"{row}:there")
            ax.annotate(text.format(value), (value, rows.index(row)), xytext=(8, -3),
                        textcoords="offset points", fontsize="small")
    _label_rows(ax, list(map(in_kernel.row_label, rows)))
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.set_xlim(low, 3 * high)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,g}"))
    ax.legend(fontsize="small", loc="lower right")


def _published_moves(ax: Axes, timed: list[KernelSamples]) -> None:
    """Throughput of the same calls in the published tables, where serial."""
    found = published.figures()
    serial = found[found["variant"].isin(["base-page", "thp-migration", "vanilla"])
                   & found["unit"].str.startswith("G") & found["page_size_kib"].isin([4, 2048])]
    kinds = {4: "base", 2048: "huge"}
    for y, (size, kind) in enumerate(kinds.items()):
        rows = serial[serial["page_size_kib"] == size]
        to_gb = rows["unit"].str.startswith("GiB").map({True: 2**30 / 1e9, False: 1.0})
        beside = 0.05 * (rows["source_id"].str[1:].astype(int) % 7 - 3)
        ax.plot(rows["value"] * to_gb, y + beside, **drawing.PUBLISHED_STYLE,
                label=None if y else "published")
        ours = [in_kernel.gbps(samples, f"{row}:there") for samples in timed
                for row in in_kernel.rows(samples) if row.startswith(kind)]
        ax.plot(ours, [y] * len(ours), "o", color=drawing.COLOURS[0],
                label="timed here" if ours and not y else None)
    _label_rows(ax, [f"{kind} pages" for kind in kinds.values()])
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.set_xlabel("GB/s of the whole call, serial copies, any number of\npages, each on its machine")
    ax.set_title("published" if timed else "published; to time it takes two nodes, or KVM",
                 fontsize="small")
    ax.legend(fontsize="small")


def _copy_shares(ax: Axes, timed: list[KernelSamples], ladders: list[KernelSamples]) -> None:
    """Which part of the call is the copy: published, and where it was timed."""
    found = published.figures()
    rows = found[found["variant"].isin(["vanilla:copy share F",
                                        "vanilla: folio_copy() share of move_pages()"])]
    labels = list(dict.fromkeys(_pages_label(*row) for row in
                                sorted(zip(rows["page_size_kib"], rows["pages"]))))
    percent = rows["unit"].str.startswith("fraction").map({True: 100.0, False: 1.0})
    ax.plot(rows["value"] * percent, [labels.index(_pages_label(*row)) for row in
                                      zip(rows["page_size_kib"], rows["pages"])],
            **drawing.PUBLISHED_STYLE, label="published")
    sizes = {"base:1": (4, 1), "base:512": (4, 512), "huge:1": (2048, 1)}
    for samples in timed:
        ladder_of = _ladder_of(samples, ladders)
        ours = {labels.index(_pages_label(*sizes[row])): 100 * in_kernel.copy_share(
            samples, ladder_of, f"{row}:there") for row in in_kernel.rows(samples)
            if ladder_of and row in sizes}
        ax.plot(list(ours.values()), list(ours), "o", color=drawing.COLOURS[0], label=_name(samples))
    _label_rows(ax, labels)
    ax.set_xlim(0, 105)
    ax.set_xlabel("% of the call's time that is the copy")
    ax.set_title("published copy share" + ("" if timed else ": a ratio of times"),
                 fontsize="small")
    ax.legend(fontsize="small", loc="upper right")


def _pages_label(size_kib: float, count: float) -> str:
    return f"{count:.0f} x {size_kib:.0f} KiB"


def _ladder_of(samples: KernelSamples, ladders: list[KernelSamples]) -> KernelSamples | None:
    """The ladder of the same kernel; the host has none."""
    return next((s for s in ladders if s.cell.kernel == samples.cell.kernel), None)


def live(cells: list[KernelSamples]) -> Figure:
    """Each step of the series inside the kernel's own move_pages(2)."""
    samples = cells[0]
    rows = list(dict.fromkeys(row.partition(":live=")[0] for row in in_kernel.rows(samples)))
    reference = in_kernel.reference(samples)
    steps = [step for step in in_kernel.STEPS if step != reference]
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
        ax.set_xlabel(f"{_unit(samples)} beyond\n{REFERENCES[reference]}, for each folio")
    _label_rows(panels[0][0], [in_kernel.STEPS[step] for step in steps])
    fig.suptitle(f"The patch, live: move_pages(2) of {_name(samples)} with each step of the "
                 "series in place of its folio copy")
    return fig


def _row_title(row: str, samples: KernelSamples) -> str:
    reference = in_kernel.reference(samples)
    total = samples.median(f"{row}:live={reference}:there") / in_kernel.folios(row)
    unit = "instructions" if _counted(samples) else "ns"
    told = "with the loop" if reference == "loop" else "as it is"
    return f"{in_kernel.row_label(row)}\n{told}: {total:,.0f} {unit} each"


def _name(samples: KernelSamples) -> str:
    return f"{samples.cell.kernel} ({samples.facts[0]['kernel']})"


def _counted(samples: KernelSamples) -> bool:
    return samples.cell.unit == "instructions"


def _unit(samples: KernelSamples) -> str:
    return "instructions (counted, not timed)" if _counted(samples) else "ns"


def _label_rows(ax: Axes, labels: list[str]) -> None:
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
