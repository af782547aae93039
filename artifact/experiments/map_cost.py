# SPDX-License-Identifier: MIT
"""map-cost: a known time charged for each base page, and what one call then gains."""

from __future__ import annotations

import typing
from collections.abc import Iterable

import numpy as np

from artifact import drawing, estimate, published
from artifact.cells import Cell
from artifact.experiments import ladder
from artifact.experiments.serial_ladder import LADDER
from artifact.host import Host
from artifact.ingredients import Sizes, not_empty
from artifact.problem import Misuse
from artifact.samples import KernelSamples, Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure


def cells(host: Host, sizes: Sizes, delays_ns: Iterable[int], processes: int,
          rounds: int) -> list[Cell]:
    """The gain of a bulk copy over a loop in which each page costs so much more."""
    delays = sorted(set(delays_ns))
    not_empty(delays_ns=delays)
    for delay in delays:
        if not 0 < delay <= 1_000_000:
            raise Misuse(f"delays_ns: {delay!r}", "not a delay", "give 1 to 1000000 ns")
    own = host.folio_mc_copy
    return [Cell(
        "map-cost", "sweep", (*sizes.options, f"--rounds={rounds}"),
        (f"serial:bulk:{own}", f"serial:page:{own}:map=2017",
         *(rung.format(own) for rung in LADDER[:2]),
         *(f"serial:page:{own}:delay={delay}" for delay in delays)), processes, sharpness=0.025)]


def published_gain() -> float:
    """How many times faster 8 threads migrated one huge page in 2017 (S02)."""
    serial, parallel = (published.value("S02", v, "us", page_size_kib=2048)
                        for v in ("thp-migration", "thp+mt-copy"))
    return serial / parallel


def published_cost_ns() -> float:
    """Map cost per 4 KiB page that would explain all of that gain (S02)."""
    serial, parallel = (published.value("S02", v, "us", page_size_kib=2048)
                        for v in ("thp-migration", "thp+mt-copy"))
    return (serial - parallel) * 1000 / 512


def ns_per_page(samples: Samples, arm: str) -> float:
    """Time to copy one base page's worth with ``arm``, in ns."""
    return estimate.median_seconds(samples, arm) * 1e9 / samples.cell.pages


def needed_ns(samples: Samples) -> float:
    """Map cost per base page at which one call would gain here what was published."""
    return (published_gain() - 1) * ns_per_page(samples, samples.cell.baseline)


LOOPS = {"2017": "the bookkeeping of 2017", "2026": "that of today", "none": "none"}


def sweep_figure(cells: list[Samples]) -> Figure:
    """Gain of a bulk call against what mapping a page is made to cost."""
    samples, = cells
    bulk = samples.cell.baseline
    fig, ax = drawing.subplots(figsize=(9.5, 5.6))
    achieved = sorted((ns, arm) for arm, ns in samples.delay_ns.items() if ns > 0)
    rows = drawing.as_rows(estimate.speedup(samples, bulk, arm) for _, arm in achieved)
    rows["ns"] = [ns for ns, _ in achieved]
    drawing.dots(ax, rows["ns"], rows["speedup"], rows, horizontal=False, colour=drawing.COLOURS[0],
                 label="modelled cost, as achieved", stable=estimate.is_stable(samples))
    grid = np.geomspace(rows["ns"].min() / 2, rows["ns"].max() * 1.5, 200)
    ax.plot(grid, 1 + grid / ns_per_page(samples, bulk), color=drawing.COLOURS[0], linewidth=1,
            alpha=0.6, label="1 + cost / time to copy a page")
    for i, (cost, label) in enumerate(LOOPS.items()):
        ratio = estimate.speedup(samples, bulk, samples.cell.where(rule="page", map=cost)[0])
        ax.axhspan(ratio.low, ratio.high, color=drawing.COLOURS[i + 1], alpha=0.25, linewidth=0)
        ax.axhline(ratio.value, color=drawing.COLOURS[i + 1], linewidth=1.2,
                   label=f"bulk over a loop with {label}")
    gain, there, here = published_gain(), published_cost_ns(), needed_ns(samples)
    ax.axhline(gain, color="0.45", linestyle="--", linewidth=1)
    ax.annotate(f"published gain of 8 threads: {gain:.2f}x (Zi Yan, 9 March 2017)",
                (grid[0], gain), xytext=(0, 4), textcoords="offset points", color="0.35")
    for ns, text, away in ((there, "on the machine of 2017", (0.85, 0.22)),
                           (here, "on this machine", (0.6, 0.66))):
        ax.plot([ns], [gain], **drawing.PUBLISHED_STYLE)
        ax.annotate(f"needed {text}:\n{ns:.0f} ns a page", (ns, gain), xytext=away,
                    textcoords="axes fraction", ha="center", color="0.25",
                    arrowprops={"arrowstyle": "->", "color": "0.45"})
    ax.set_xscale("log")
    drawing.numbers(ax.xaxis)
    ax.set_ylim(0.5, 1.3 * max(rows["speedup"].max(), gain))
    ax.set_xlabel("map cost per base page, ns")
    ax.set_ylabel("speed-up of one bulk call over the loop")
    drawing.legend_below(fig, ax, columns=3)
    ax.set_title("What mapping would have to cost to explain the published gain")
    return fig


def calibrated_figure(cells: list[Samples], ladders: list[KernelSamples], mhz: float) -> Figure:
    """The map-cost sweep of 01 with what the kernels' own bookkeeping costs."""
    marks = []
    for samples in ladders:
        for arm, era in (("cost:kmap_atomic", "2017"), ("cost:kmap_local", "2026")):
            cost = ladder.cost(samples, arm)
            ns = cost * 1000 / mhz if samples.cell.counted else cost
            how = f"{cost:.0f} instructions" if samples.cell.counted else f"{cost:.1f} ns"
            marks.append((ns, f"{samples.name}, {era}: {how}"))
    fig = sweep_figure(cells)
    ax = fig.axes[0]
    for i, (ns, label) in enumerate(marks):
        ax.plot([ns], [0.83], drawing.MARKERS[i // 2], color=drawing.COLOURS[3 + i // 2], markersize=7,
                markerfacecolor="white" if i % 2 else None, clip_on=False, label=label)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, 0.7 * min(ns for ns, _ in marks)), high)
    # Once more, as there are more to list now.
    for legend in fig.legends:
        legend.remove()
    drawing.legend_below(fig, ax, columns=3)
    rate = f", at one instruction a cycle of {mhz / 1000:.2f} GHz" if ladders[0].cell.counted else ""
    ax.set_title("What mapping would have to cost, and what it costs in kernels (marks at the "
                 f"bottom{rate})", fontsize="medium")
    return fig
