# SPDX-License-Identifier: MIT
"""The figures of notebook 09: claims, and what a model makes of thread tables."""

import math

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from artifact import drawing, model
from artifact.claims import Verdict
from artifact.load import Samples

COLOURS = {"holds": drawing.COLOURS[2], "does not hold": drawing.COLOURS[3], "inconclusive": "0.5"}
LEAST = 0.005       # shown; shares may be 0


def claims(cells: list[Samples], runs: dict[str, list[Verdict]]) -> Figure:
    """Each tested claim: its region, what was published, and what each run measured."""
    rows = [nth for nth, verdict in enumerate(next(iter(runs.values())))
            if any(found[nth].measured is not None for found in runs.values())]
    fig, ax = plt.subplots(figsize=(13, 1.6 + 0.42 * len(rows)), layout="constrained")
    labels = []
    for y, nth in enumerate(rows):
        claim = next(iter(runs.values()))[nth].claim
        labels.append(f"{claim.id}  {claim.says[:74]}{'..' if len(claim.says) > 74 else ''}")
        low, high = max(claim.holds[0], LEAST), min(claim.holds[1], 1000)
        ax.barh(y, high - low, left=low, height=0.7, color=drawing.COLOURS[2], alpha=0.15,
                label="region in which the claim holds" if not y else None)
        if claim.ratio:
            ax.plot(np.unique(claim.ratio), [y + 0.25] * len(set(claim.ratio)),
                    **drawing.PUBLISHED_STYLE)
        for i, found in enumerate(runs.values()):
            _measured(ax, found[nth], y + 0.14 * (i - (len(runs) - 1) / 2), i)
    ax.plot([], [], **drawing.PUBLISHED_STYLE, label="published")
    for word, colour in COLOURS.items():
        ax.plot([], [], "o", color=colour, label=f"measured: {word}")
    if len(runs) > 1:
        for i, name in enumerate(runs):
            ax.plot([], [], "osD^v<>"[i % 7], color="0.3", markerfacecolor="white", label=name)
    ax.axvline(1, color="0.3", linewidth=1)
    ax.set_yticks(range(len(rows)), labels, fontsize="small")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xscale("log")
    ax.set_xlim(LEAST, 100)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.set_xlabel("the ratio, or share, that the claim is about; intervals allow for their number")
    drawing.legend_below(fig, ax, columns=3)
    ax.set_title("Published claims, and what was measured")
    return fig


def _measured(ax, verdict: Verdict, y: float, nth: int) -> None:
    measured = verdict.measured
    if measured is None:
        return
    value = max(measured.value, LEAST)
    ends = [[value - max(measured.low, LEAST)], [min(measured.high, 1000) - value]]
    ax.errorbar(value, y, xerr=np.maximum(ends, 0) if math.isfinite(measured.high) else None,
                fmt="osD^v<>"[nth % 7], color=COLOURS[verdict.word], elinewidth=1.2, markersize=5)


def threads(cells: list[Samples], cpus: int, one_thread_gbps: float, limit_gbps: float,
            dispatch_us: float) -> Figure:
    """The model on every table, its error, and what it says of another machine."""
    spread = [samples for samples in cells if samples.cell.label.startswith("spread-")]
    tables = [table for table in [*model.published_tables(), *model.own_tables(spread)]
              if len(table.threads) >= 2]
    fig, (fits, elsewhere) = plt.subplots(1, 2, figsize=(15, 6.2), layout="constrained")
    for i, table in enumerate(tables):
        enough = len(table.threads) >= model.LEAST_ROWS
        colour = drawing.COLOURS[i % 10]
        text = ": too few counts to fit"
        if enough:
            grid = np.geomspace(1, table.threads.max(), 60)
            fits.plot(grid, model.fit(table).gbps(grid), color=colour, linewidth=1)
            errors = np.abs(np.log(model.left_out_errors(table)))
            text = f": off by {100 * math.expm1(np.median(errors)):.0f} %, at most " \
                   f"{100 * math.expm1(errors.max()):.0f} %"
        fits.plot(table.threads, table.gbps, "o" if table.ours else "D", color=colour, markersize=5,
                  label=table.name + text)
    fits.set_xscale("log", base=2)
    fits.set_yscale("log")
    for axis in (fits.xaxis, fits.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_locator(NullLocator())
    fits.set_yticks([2, 5, 10, 20, 40])
    fits.set_xlabel("threads")
    fits.set_ylabel("GB/s")
    fits.set_title("each table, and the model fitted to it")
    fits.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2,
                title="how far off on rows it was not fitted to: median, worst")
    _elsewhere(elsewhere, cpus, one_thread_gbps, limit_gbps, dispatch_us)
    fig.suptitle("time(N) = N dispatch + bytes / min(N one, limit)")
    return fig


def _elsewhere(ax, cpus: int, one: float, limit: float, dispatch_us: float) -> None:
    """Speed-up over one thread by size of the call, on a machine as described."""
    sizes = np.geomspace(1 << 12, 1 << 30, 100)
    counts = sorted({n for n in (2, 4, 8, 16, 32, 64) if n <= cpus} | {cpus})
    for i, count in enumerate(counts):
        serial = sizes / (one * 1e9)
        team = count * dispatch_us * 1e-6 + sizes / (min(count * one, limit) * 1e9)
        pays = model.break_even(one, limit, dispatch_us * 1e-6, count)
        label = f"{count} threads: never" if math.isinf(pays) else \
            f"{count} threads: from {pays / 1024:,.0f} KiB"
        ax.plot(sizes, serial / team, color=drawing.COLOURS[i], label=label)
    ax.axhline(1, color="0.3", linewidth=1)
    ax.axvline(2 << 20, color="0.3", linestyle=":", linewidth=1)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set_ylim(1 / 16, None)
    ax.xaxis.set_major_formatter(FuncFormatter(_size))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.3g}"))
    ax.set_xlabel("bytes per call; dotted: one huge page")
    ax.set_ylabel("speed-up over one worker without dispatch")
    ax.set_title(f"where threads pay on a machine with {cpus} CPUs, {one:g} GB/s from one,\n"
                 f"{limit:g} from all, {dispatch_us:g} us of dispatch for each thread",
                 fontsize="small")
    ax.legend(fontsize="small", loc="upper left")


def _size(value: float, _) -> str:
    for unit, shift in (("G", 30), ("M", 20), ("K", 10)):
        if value >= 1 << shift:
            return f"{value / (1 << shift):g}{unit}"
    return f"{value:g}"
