# SPDX-License-Identifier: MIT
"""recovery: passes over a working set after a copy went through the caches."""

from __future__ import annotations

import math
import typing

import numpy as np

from artifact import drawing, estimate, labels
from artifact.cells import Cell
from artifact.experiments.victim import ALONE
from artifact.host import Host
from artifact.ingredients import Skipped, Teams, that_fit
from artifact.samples import Samples
from artifact.sizes import format_size

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BATCH = 64      # folios
# Bytes that are copied in a nanosecond, about: for as long nobody copies, in an arm that
# tells what the time alone does to a cache that others share.
PACE = 15


def cells(host: Host, crew: Teams, processes: int, rounds: int) -> tuple[list[Cell], Skipped]:
    """A cell for each cache of the CPU that copies alone: half a folio, a folio and a batch
    went through it. And one for each cache of a worker's CPU, beside the first posted series."""
    huge = crew.sizes.huge
    batch, too_large = that_fit(host, huge, (BATCH,))
    half = () if huge % 128 else (f":bytes={format_size(huge // 2)}",)
    whole = ("", *(f":folios={count}" for count in batch))
    waits = [f"serial:page:empty:delay={max(1, crew.sizes.base // PACE)}:folios={count}"
             for count in batch]
    teams = crew.only({crew.first_posted}) + crew.not_as_posted()
    arms = {"": [arm + amount for arm in crew.serial for amount in (*half, *whole)],
            "-worker": [arm + amount for arm in (crew.serial[0], *teams) for amount in whole]}
    return [Cell("recovery", name + where,
                 (*crew.options, f"--recover={name}", *(("--recover-on=worker",) if where else ()),
                  f"--rounds={max(1, rounds // 3)}"),
                 (ALONE, *some, *waits), processes, resolution=0.25, quiet=True, sharpness=0.10)
            for where, some in arms.items() for name in ("l2", "llc")
            if not where or crew.threads], too_large


def _passes(samples: Samples, arm: str) -> np.ndarray:
    """Median time of each pass in turn."""
    each = np.concatenate(samples.channels[arm]["pass"]).reshape(samples.seconds[arm].size, -1)
    return np.median(each, axis=0)


def recovery_figure(cells: list[Samples]) -> Figure:
    """Passes over a working set after a copy went through the caches of its CPU."""
    lines = math.ceil(len(cells) / 2)
    fig, panels = drawing.subplots(lines, 2, figsize=(12, 0.6 + 4.4 * lines), squeeze=False)
    amounts = sorted({samples.cell.of(arm).copied for samples in cells
                      for arm in samples.cell.variants[1:]})
    for ax, samples in zip(panels.flat, cells):
        _curves(ax, samples, amounts)
    for unused in panels.flat[len(cells):]:
        unused.set_axis_off()
    for ax in panels[-1]:
        ax.set_xlabel("pass over the working set after the copy")
    for ax in panels[:, 0]:
        ax.set_ylabel("time over a pass with no copy before")
    return fig


def _curves(ax: Axes, samples: Samples, amounts: list[int]) -> None:
    """A line for each way and amount: the colour tells the amount, the marker the way."""
    alone, cell = _passes(samples, ALONE), samples.cell
    ways: dict[str, int] = {}
    for arm in cell.variants[1:]:
        what = cell.of(arm)
        amount = (f"{format_size(what.bytes)} of a folio" if what.bytes < cell.folio
                  else f"{what.folios} folio" + "s" * (what.folios != 1))
        waits = what.primitive == "empty"
        way = labels.arm_label(samples, arm) if what.parallel else \
            "no copy, but as long" if waits else f"serial, {what.primitive}"
        nth = ways.setdefault(way, len(ways))
        colour = drawing.COLOURS[amounts.index(what.copied)]
        passes = _passes(samples, arm) / alone
        ax.plot(range(1, len(passes) + 1), passes, color=colour, marker=drawing.MARKERS[nth % 7],
                linestyle=":" if waits else "--" if nth else "-", label=f"{way}: {amount}",
                markersize=5, markerfacecolor=colour if estimate.is_stable(samples) else "white")
    drawing.at_one(ax, "y")
    ax.set_yscale("log", base=2)
    drawing.numbers(ax.yaxis, "{:.3g}")
    size = format_size(int(samples.facts[0]["victim_bytes"]))
    where = "a worker's CPU" if cell.option("recover-on") == "worker" else "the CPU that copies"
    ax.set_title(f"{size} ({cell.label.partition('-')[0].upper()}) on {where}"
                 + labels.residence(samples), fontsize="medium")
    ax.legend(fontsize="x-small", loc="upper right")
