# SPDX-License-Identifier: MIT
"""recovery: passes over a working set after a copy went through the caches."""

from __future__ import annotations

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
    from matplotlib.figure import Figure

BATCH = 64      # folios


def cells(host: Host, crew: Teams, processes: int, rounds: int) -> tuple[list[Cell], Skipped]:
    """A cell for each cache: half a folio, a folio and a batch went through it."""
    huge = crew.sizes.huge
    batch, too_large = that_fit(host, huge, (BATCH,))
    half = () if huge % 128 else (f":bytes={format_size(huge // 2)}",)
    amounts = (*half, "", *(f":folios={count}" for count in batch))
    return [Cell("recovery", name,
                 (*crew.options, f"--recover={name}", f"--rounds={max(1, rounds // 3)}"),
                 (ALONE, *(arm + amount for arm in crew.serial for amount in amounts)),
                 processes, resolution=0.25, quiet=True, sharpness=0.10)
            for name in ("l2", "llc")], too_large


def _passes(samples: Samples, arm: str) -> np.ndarray:
    """Median time of each pass in turn."""
    each = np.concatenate(samples.channels[arm]["pass"]).reshape(samples.seconds[arm].size, -1)
    return np.median(each, axis=0)


def recovery_figure(cells: list[Samples]) -> Figure:
    """Passes over a working set after a copy went through the caches."""
    fig, panels = drawing.subplots(1, len(cells), figsize=(2 + 5 * len(cells), 4.8), squeeze=False)
    for ax, samples in zip(panels[0], cells):
        alone = _passes(samples, ALONE)
        amounts: dict[str, int] = {}
        primitives = list(dict.fromkeys(samples.cell.of(arm).primitive
                                        for arm in samples.cell.variants[1:]))
        for arm in samples.cell.variants[1:]:
            what = samples.cell.of(arm)
            amount = (f"{format_size(what.bytes)} of a folio" if what.bytes < samples.cell.folio
                      else f"{what.folios} folio" + "s" * (what.folios != 1))
            passes = _passes(samples, arm) / alone
            colour = drawing.COLOURS[amounts.setdefault(amount, len(amounts))]
            ax.plot(range(1, len(passes) + 1), passes, color=colour,
                    marker="osDv^<>"[primitives.index(what.primitive) % 7],
                    linestyle="-" if what.primitive == primitives[0] else "--",
                    label=f"{what.primitive}: {amount}",
                    markerfacecolor=colour if estimate.is_stable(samples) else "white")
        drawing.at_one(ax, "y")
        ax.set_yscale("log", base=2)
        drawing.numbers(ax.yaxis, "{:.3g}")
        size = format_size(int(samples.facts[0]["victim_bytes"]))
        ax.set_title(f"working set of {size} ({samples.cell.label.upper()})"
                     + labels.residence(samples))
        ax.set_xlabel("pass over the working set after the copy")
    panels[0][0].set_ylabel("time of the pass over one with no copy before, median")
    drawing.legend_below(fig, panels[0][0], columns=3)
    fig.suptitle("How long a CPU's caches take to recover from a copy")
    return fig
