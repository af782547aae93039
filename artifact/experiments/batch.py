# SPDX-License-Identifier: MIT
"""batch: what a longer list of folios in one call gains, and how long its first folio
waits for it.

A series that copies a list unmaps all of it before and maps it after: the first
folio is away for the whole call.
"""

from __future__ import annotations

import typing

import numpy as np

from artifact import drawing, estimate, labels
from artifact.cells import Cell
from artifact.host import Host
from artifact.ingredients import Skipped, Teams, folios_of, that_fit, unique
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 512                          # folios of a call, as in the series of 2025
LONG = 64                           # from here on, too long for many rounds
POLICIES = ("2025", "padata")       # what copies lists: that of 2017 has a work for each folio


def cells(host: Host, crew: Teams, processes: int, rounds: int) -> tuple[list[Cell], Skipped]:
    """A cell of short lists and one of long; a single folio, copied serially, first in both."""
    counts, too_large = that_fit(host, crew.sizes.huge, (1 << n for n in range(MOST.bit_length())))
    ways = (crew.serial[0], *crew.only(POLICIES))
    found = []
    for name, some, n, most, sharpness in (
            ("short", [count for count in counts if count < LONG], rounds // 2, processes // 4, 0.04),
            ("long", [count for count in counts if count >= LONG], 3, processes // 5, 0.06)):
        if some:
            arms = unique(folios_of(arm, count) for count in (1, *some) for arm in ways)
            found.append(Cell("batch", name, (*crew.options, f"--rounds={max(1, n)}"), arms,
                              max(2, most), resolution=0.10 if name == "short" else 0.25,
                              quiet=True, sharpness=sharpness))
    return found, too_large


def ways_of(samples: Samples) -> dict[str, str]:
    """The arms of a single folio, by what they are called."""
    cell = samples.cell
    return {f"{labels.arm_label(samples, arm) if cell.of(arm).parallel else 'serial'}: "
            f"{cell.of(arm).primitive}": arm for arm in cell.where(folios=1)}


def by_folios(cells: list[Samples], way: str) -> dict[int, tuple[Samples, str]]:
    """Folios of a call to its cell and arm; of a single folio, the cell of short lists."""
    return {samples.cell.of(arm).folios: (samples, arm)
            for samples in sorted(cells, key=lambda s: s.cell.label)    # long, then short
            for arm in samples.cell.variants if _is_of(arm, ways_of(samples)[way])}


def _is_of(arm: str, single: str) -> bool:
    return arm.partition(":folios=")[0] == single


def per_byte(samples: Samples, arm: str) -> estimate.Estimate:
    """Speed of a call over the serial call of a single folio."""
    return estimate.speedup(samples, arm, samples.cell.baseline)


def first_folio_seconds(samples: Samples, arm: str, q: float) -> float:
    """How long the first folio of a call is away: a quantile, all processes pooled."""
    return float(np.quantile(samples.seconds[arm], q))


def best_batch(cells: list[Samples], way: str) -> int:
    """The fewest folios in a call that are not clearly slower, per byte, than the fastest."""
    found = by_folios(cells, way)
    fastest = max(found, key=lambda count: per_byte(*found[count]).value)
    return min(count for count in found
               if count == fastest or _ahead(*found[fastest], *found[count]).low <= 1)


def _ahead(samples: Samples, arm: str, others: Samples, over: str) -> estimate.Estimate:
    """Speed of one call over another, in rounds that they share where they share any."""
    return estimate.speedup(samples, arm, over) if samples is others else \
        estimate.between(samples, arm, others, over)


def batch_figure(cells: list[Samples]) -> Figure:
    """Speed by folios in a call, and how long the first of them is away."""
    fig, (speed, latency) = drawing.subplots(1, 2, figsize=(13, 5))
    counts: set[int] = set()
    shown: list[float] = []
    for i, way in enumerate(ways_of(cells[0])):
        found = by_folios(cells, way)
        x = sorted(found)
        counts |= {*x}
        ratios = [per_byte(*found[count]) for count in x]
        shown += [ratio.value for ratio in ratios]
        at = np.array(x) * (1 + 0.06 * (i - 1))
        speed.plot(at, [ratio.value for ratio in ratios], color=drawing.COLOURS[i], linewidth=1)
        speed.plot([], [], drawing.MARKERS[i], color=drawing.COLOURS[i], label=way)
        for place, count, ratio in zip(at, x, ratios):
            drawing.dots(speed, [place], [ratio.value], drawing.as_rows([ratio]), horizontal=False,
                         label=None, colour=drawing.COLOURS[i], marker=drawing.MARKERS[i],
                         stable=estimate.is_stable(found[count][0]))
        for q, style in ((0.5, "-"), (0.99, ":")):
            latency.plot(x, [1e6 * first_folio_seconds(*found[count], q) for count in x], style,
                         color=drawing.COLOURS[i], marker=drawing.MARKERS[i], markersize=4)
    for style, text in (("-", "median"), (":", "p99")):
        latency.plot([], [], style, color="0.3", label=text)
    drawing.at_one(speed, "y")
    speed.set_ylim(0.85 * min(shown), 1.15 * max(shown))
    speed.set_title("speed per byte, over one folio in a serial call", fontsize="medium")
    latency.set_title("how long the first folio is away: the whole call", fontsize="medium")
    drawing.log_axis(latency, "y", "us")
    latency.legend(fontsize="small", loc="upper left")
    for ax in (speed, latency):
        _folios_axis(ax, sorted(counts))
    drawing.legend_below(fig, speed, columns=3)
    return fig


def _folios_axis(ax: Axes, counts: list[int]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(counts, list(map(str, counts)))
    drawing.major_only(ax.xaxis)
    ax.set_xlabel("folios in a call")
