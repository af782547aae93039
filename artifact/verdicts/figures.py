# SPDX-License-Identifier: MIT
"""The figure of claims: how far inside or outside its region each is."""

from __future__ import annotations

import math
import textwrap
import typing

import numpy as np

from artifact import drawing
from artifact.estimate import MARGIN, Estimate
from artifact.samples import AnySamples
from artifact.verdicts.claims import Verdict

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"holds": drawing.COLOURS[2], "does not hold": drawing.COLOURS[3], "inconclusive": "0.5"}
SHOWN = 1.15        # of what is measured, in each row


def claims_figure(cells: list[AnySamples], runs: dict[str, list[Verdict]]) -> Figure:
    """Each tested claim: where each run's interval lies, inside its region (right) or
    outside of it (left), beside what was measured in numbers."""
    rows = [nth for nth, verdict in enumerate(next(iter(runs.values())))
            if any(found[nth].measured is not None for found in runs.values())]
    says = {nth: textwrap.fill(f"{verdict.claim.id}  {verdict.claim.says}", 62)
            for nth, verdict in enumerate(next(iter(runs.values())))}
    lines = max((says[nth].count("\n") + 1 for nth in rows), default=1)
    fig, ax = drawing.subplots(figsize=(12, 1.6 + max(0.42, 0.17 * lines) * len(rows)))
    labels: list[str] = []
    regions, numbers = {}, {}
    for y, nth in enumerate(rows):
        claim = next(iter(runs.values()))[nth].claim
        found = [each[nth] for each in runs.values()]
        labels.append(says[nth])
        assert claim.holds      # one that was measured has a region
        regions[labels[-1]] = _region(_edges(claim.holds))
        numbers[labels[-1]] = "\n".join(str(each)
                                        for verdict in found if (each := verdict.measured))
        _row(ax, y, found)
    for word, colour in COLOURS.items():
        ax.plot([], [], "o", color=colour, label=f"measured: {word}")
    ax.plot([], [], **drawing.PUBLISHED_STYLE, label="published; at the edge: beyond it")
    if len(runs) > 1:
        for i, name in enumerate(runs):
            ax.plot([], [], drawing.MARKERS[i % 7], color="0.3", markerfacecolor="white", label=name)
    ax.axvspan(0, 1, color=drawing.COLOURS[2], alpha=0.1, linewidth=0)
    ax.axvline(0, color="0.3", linewidth=1)
    drawing.label_rows(ax, labels)
    ax.tick_params(axis="y", labelsize="small")
    ax.set_xlim(-1, 1)
    ax.set_xticks([-0.5, 0.5], ["does not hold", "holds"])
    ax.grid(False, axis="x")
    drawing.columns(ax, labels, {"holds": regions, "measured": numbers})
    drawing.legend_below(fig, ax, columns=4)
    return fig


def _row(ax: Axes, y: float, verdicts: list[Verdict]) -> None:
    """One claim, on a scale of its own: what is measured fits, what is published may not."""
    claim = verdicts[0].claim
    assert claim.holds      # one that was measured has a region
    edges = _edges(claim.holds)
    placed = [(_placed(verdict.measured, edges), verdict.word, nth)
              for nth, verdict in enumerate(verdicts) if verdict.measured]
    scale = SHOWN * max(abs(each) for (low, value, high), *_ in placed
                        for each in (low, value, high) if math.isfinite(each)) or 1.0
    if claim.ratio:
        shown = np.clip([_inside(ratio, edges) / scale for ratio in set(claim.ratio)], -1, 1)
        ax.plot(shown, [y + 0.28] * len(shown), **drawing.PUBLISHED_STYLE, clip_on=False)
    for (low, value, high), word, nth in placed:
        ax.errorbar(value / scale, y + 0.14 * (nth - (len(verdicts) - 1) / 2),
                    xerr=drawing.ends((value - low) / scale, (high - value) / scale),
                    fmt=drawing.MARKERS[nth % 7], color=COLOURS[word], elinewidth=1.4,
                    markersize=5)


def _edges(region: tuple[float, float]) -> tuple[float, float]:
    """Where a ratio begins to be in its region: beyond the margin, if an ordering is
    claimed. No ratio and no share is beyond 0."""
    low, high = region
    if region == (1, math.inf):
        low += MARGIN
    elif region == (0, 1):
        high -= MARGIN
    return low or -math.inf, high


def _inside(value: float, edges: tuple[float, float]) -> float:
    """How far inside the region; negative outside."""
    return min(value - edges[0], edges[1] - value)


def _placed(measured: Estimate, edges: tuple[float, float]) -> tuple[float, float, float]:
    """The ends of the interval and the value, by how far inside they are."""
    ends = [_inside(each, edges) for each in (measured.low, measured.value, measured.high)]
    middle = sum(edges) / 2     # of a region with two ends, the farthest inside
    if measured.low < middle < measured.high:
        ends.append(_inside(middle, edges))
    return min(ends), ends[1], max(ends)


def _region(edges: tuple[float, float]) -> str:
    low, high = edges
    if math.isinf(high):
        return f"from {low:g}"
    return f"up to {high:g}" if math.isinf(low) else f"{low:g} to {high:g}"
