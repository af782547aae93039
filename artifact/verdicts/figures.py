# SPDX-License-Identifier: MIT
"""The figure of claims: regions, published values, and what runs measured."""

from __future__ import annotations

import math
import textwrap
import typing

import numpy as np

from artifact import drawing
from artifact.samples import AnySamples
from artifact.verdicts.claims import Verdict

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"holds": drawing.COLOURS[2], "does not hold": drawing.COLOURS[3], "inconclusive": "0.5"}
LEAST = 0.005       # shown; shares may be 0


def claims_figure(cells: list[AnySamples], runs: dict[str, list[Verdict]]) -> Figure:
    """Each tested claim: its region, what was published, and what each run measured."""
    rows = [nth for nth, verdict in enumerate(next(iter(runs.values())))
            if any(found[nth].measured is not None for found in runs.values())]
    fig, ax = drawing.subplots(figsize=(13, 1.6 + 0.42 * len(rows)))
    labels = []
    for y, nth in enumerate(rows):
        claim = next(iter(runs.values()))[nth].claim
        labels.append(textwrap.fill(f"{claim.id}  {claim.says}", 62))
        assert claim.holds      # one that was measured has a region
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
            ax.plot([], [], drawing.MARKERS[i % 7], color="0.3", markerfacecolor="white", label=name)
    drawing.at_one(ax)
    ax.set_yticks(range(len(rows)), labels, fontsize="small")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xscale("log")
    ax.set_xlim(LEAST, 100)
    drawing.numbers(ax.xaxis)
    ax.set_xlabel("the ratio, or share, that the claim is about; intervals allow for their number")
    drawing.legend_below(fig, ax, columns=3)
    ax.set_title("Published claims, and what was measured")
    return fig


def _measured(ax: Axes, verdict: Verdict, y: float, nth: int) -> None:
    measured = verdict.measured
    if measured is None:
        return
    value = max(measured.value, LEAST)
    ends = [[value - max(measured.low, LEAST)], [min(measured.high, 1000) - value]]
    ax.errorbar(value, y, xerr=np.maximum(ends, 0) if math.isfinite(measured.high) else None,
                fmt=drawing.MARKERS[nth % 7], color=COLOURS[verdict.word], elinewidth=1.2, markersize=5)
