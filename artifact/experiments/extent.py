# SPDX-License-Identifier: MIT
"""extent: throughput by bytes per call, and how long a call holds up a reschedule."""

from __future__ import annotations

import typing

import numpy as np
import pandas as pd

from artifact import drawing, estimate, published
from artifact.cells import Cell
from artifact.experiments.serial_ladder import published_bulk_pairs
from artifact.host import Host
from artifact.ingredients import Sizes, Skipped, powers
from artifact.samples import Samples
from artifact.sizes import format_size, parse_size

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cells(host: Host, sizes: Sizes, swept: list[str], largest_extent: str, processes: int,
          rounds: int) -> tuple[list[Cell], Skipped]:
    """Extents up to a folio in the usual pool, larger ones in one region.

    A copy of the whole region takes so long that few rounds and processes
    say as much as many of a folio.
    """
    def variants(extents: list[int]) -> tuple[str, ...]:
        return tuple(f"serial:bulk:{p}:extent={format_size(e)}{observe}"
                     for p in swept for e in extents for observe in ("", ":observe=stretch"))
    if not swept:
        return [], ()
    largest = parse_size(largest_extent)
    skipped: Skipped = ()
    if largest > sizes.huge and not host.fits(largest):
        skipped = ((f"extents above {sizes.huge_page}", f"two regions of {largest_extent} are "
                    "more than a quarter of the memory"),)
        largest = sizes.huge
    # The two ends are alike to a percent or two: telling so takes more rounds.
    found = [Cell("extent", "folio", (*sizes.options, f"--rounds={2 * rounds}"),
                  variants(powers(4, sizes.base, sizes.huge)), processes, sharpness=0.007)]
    if largest > sizes.huge:
        base, _, backing = sizes.options
        found.append(Cell("extent", "region",
                          (base, f"--huge={format_size(largest)}", backing, "--pairs=1",
                           "--rounds=2"),
                          variants(powers(16, sizes.huge, largest)), max(2, processes // 10),
                          resolution=0.10, sharpness=0.10))
    return found, skipped


def _extents(samples: Samples, primitive: str) -> dict[int, str]:
    """Extent in bytes to the arm whose whole copy is timed."""
    return {samples.cell.of(arm).extent: arm
            for arm in samples.cell.where(primitive=primitive, observe="copy")}


def _stretch_row(samples: Samples, extent: int, arm: str) -> dict[str, float]:
    us = samples.seconds[arm] * 1e6
    return {"extent": extent, "median": float(np.median(us)), "worst": float(us.max())}


def extent_figure(cells: list[Samples]) -> Figure:
    """Throughput and the longest call without a reschedule point, by extent."""
    fig, ((within, beyond), (theirs, stretch)) = drawing.subplots(2, 2, figsize=(12.5, 9))
    for ax, samples in zip((within, beyond), cells):
        first = min(_extents(samples, samples.cell.primitives[0]))
        for i, primitive in enumerate(samples.cell.primitives):
            arms = _extents(samples, primitive)
            rows = drawing.as_rows(estimate.speedup(samples, arm, arms[first])
                                   for arm in arms.values())
            ax.plot(list(arms), rows["speedup"], color=drawing.COLOURS[i], linewidth=1)
            drawing.dots(ax, list(arms), rows["speedup"], rows, horizontal=False,
                         colour=drawing.COLOURS[i],
                         label=primitive, stable=estimate.is_stable(samples))
            drawing.show_all_dots(ax, rows["speedup"], "y")
            _draw_stretch(stretch, samples, i, primitive)
        drawing.at_one(ax, "y")
        ax.set_ylabel(f"speed-up over calls of {format_size(first)}")
        _extent_axis(ax, [samples])
    within.set_title("throughput within a huge page")
    within.legend(loc="best")
    if len(cells) == 1:
        beyond.annotate("skipped: the notebook's end says why", (0.5, 0.5), ha="center",
                        xycoords="axes fraction")
    beyond.set_title("throughput beyond it, in one region")
    _published_extents(theirs)
    _extent_axis(stretch, cells)
    stretch.set_yscale("log")
    drawing.numbers(stretch.yaxis)
    stretch.set_ylabel("us")
    stretch.set_title("longest call of a copy: no reschedule point inside")
    stretch.plot([], [], "o-", color="0.5", label="median of copies")
    stretch.plot([], [], "v:", color="0.5", label="worst seen")
    stretch.legend(loc="upper left")
    fig.suptitle("How much to copy in one call")
    return fig


def _draw_stretch(ax: Axes, samples: Samples, i: int, primitive: str) -> None:
    rows = pd.DataFrame([_stretch_row(samples, extent, arm + ":observe=stretch")
                         for extent, arm in _extents(samples, primitive).items()])
    ax.plot(rows["extent"], rows["median"], "o-", color=drawing.COLOURS[i], linewidth=1)
    ax.plot(rows["extent"], rows["worst"], "v:", color=drawing.COLOURS[i], linewidth=1, markersize=4)


def _published_extents(ax: Axes) -> None:
    """Long calls over 4 KiB calls, as published: S13 for copies, S20 for clears."""
    pairs = published_bulk_pairs()
    for i, row in pairs.iterrows():
        ax.plot([4 << 10, 2 << 20], [1, row["speedup"]], marker="Dsv^o"[i], color="0.45",
                linewidth=1, label=row["label"].replace("\n", ", "))
    short, long = (published.value("S20", f"CLEAR (not copy), rep stos in {v}", "GB/s")
                   for v in ("4 KB extents", "one 1 GB extent"))
    ax.plot([4 << 10, 1 << 30], [1, long / short], "*--", color="0.45", linewidth=1,
            label="clearing, not copying: Zen 3, rep stos")
    drawing.at_one(ax, "y")
    ax.set_xscale("log", base=2)
    ax.set_xticks([4 << 10, 2 << 20, 1 << 30], ["4K", "2M", "1G"])
    drawing.major_only(ax.xaxis)
    ax.set_xlabel("bytes per call")
    ax.set_ylabel("speed-up over calls of 4K")
    ax.set_title("published: one long call over 4K calls")
    ax.legend(fontsize="small")


def _extent_axis(ax: Axes, cells: list[Samples]) -> None:
    sizes = sorted({e for s in cells for p in s.cell.primitives for e in _extents(s, p)})
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [format_size(size) for size in sizes], rotation=45)
    drawing.major_only(ax.xaxis)
    ax.set_xlabel("bytes per call")
