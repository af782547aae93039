# SPDX-License-Identifier: MIT
"""The live picture: the choice and the default, over today's loop."""

from __future__ import annotations

import io
import math

import numpy as np

from artifact import drawing, estimate
from artifact.estimate import Estimate
from artifact.explore import verdict
from artifact.explore.choice import arm
from artifact.samples import Samples

INCHES, DPI = (8.6, 2.1), 110
PIXELS = tuple(int(side * DPI) for side in INCHES)
STEP = 0.2                  # the axis ends at multiples: it rarely moves
NARROWEST = 0.8, 1.2
SHOWN = 0.1                 # of a bar, on either side of its dot, at least


def nothing_yet() -> bytes:
    """The empty axis, as PNG."""
    fig, ax = _axes(["yours", "default"])
    ax.set_xlim(*NARROWEST)
    return _png(fig)


def drawn(samples: Samples, rows: dict[str, str], conditions: str) -> bytes:
    """A row for each variant: a dot with its interval, and a faint one for each process. As PNG.

    rows: a name to its variant. conditions: what holds for all of them.
    """
    fig, ax = _axes(list(rows))
    ratios = {name: verdict.of(samples, variant, samples.cell.baseline)
              for name, variant in rows.items()}
    for y, (name, variant) in enumerate(rows.items()):
        each = np.exp(estimate.log_speedups(samples, arm(samples.cell, variant),
                                            samples.cell.baseline))
        ax.plot(each, np.full(len(each), y), "o", color="0.6", markersize=3, alpha=0.35,
                markeredgewidth=0)
        drawing.dots(ax, [ratios[name].value], [y], drawing.as_rows([ratios[name]]),
                     horizontal=True, colour=drawing.COLOURS[y], label=None, stable=True)
        ax.text(0.008, y - 0.3, variant, transform=ax.get_yaxis_transform(), va="center",
                fontsize="small", family="DejaVu Sans Mono",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
    ax.set_xlim(*limits(list(ratios.values())))
    drawing.columns(ax, list(rows), {"": {n: verdict.text(r) for n, r in ratios.items()}})
    ax.set_title(conditions, fontsize="small", fontweight="normal")
    return _png(fig)


def shows(samples: Samples, rows: dict[str, str]) -> str:
    """The same in words, for who cannot see it."""
    return "Speed over today's loop: " + "; ".join(
        f"{name} {verdict.text(verdict.of(samples, variant, samples.cell.baseline))}"
        for name, variant in rows.items())


def limits(ratios: list[Estimate]) -> tuple[float, float]:
    """Of the axis: every dot shows; a long bar of the first processes may leave it."""
    low = min(max(ratio.low, ratio.value - SHOWN) for ratio in ratios)
    high = max(min(ratio.high, ratio.value + SHOWN) for ratio in ratios)
    step = STEP * max(1, round(high))
    return (min(NARROWEST[0], math.floor(low / step) * step),
            max(NARROWEST[1], math.ceil(high / step) * step))


def _axes(names: list[str]):
    from matplotlib.figure import Figure

    drawing.pyplot()            # our theme; a figure of pyplot's own is for one thread only
    fig = Figure(figsize=INCHES)
    ax = fig.subplots()
    fig.subplots_adjust(left=0.09, right=0.83, top=0.87, bottom=0.24)   # a layout takes longer
    drawing.at_one(ax)
    drawing.label_rows(ax, names)
    ax.grid(False, axis="y")
    ax.set_xlabel("speed over today's loop (1: as fast)", fontsize="medium")
    ax.tick_params(labelsize="small")
    return fig, ax


def _png(fig) -> bytes:
    content = io.BytesIO()
    fig.savefig(content, format="png", dpi=DPI, pil_kwargs={"compress_level": 1})
    return content.getvalue()
