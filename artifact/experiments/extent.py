# SPDX-License-Identifier: MIT
"""extent: throughput by bytes per call, and how long one call holds up a reschedule."""

from __future__ import annotations

import typing

from artifact import drawing, estimate, older
from artifact.cells import Cell
from artifact.experiments.serial_ladder import published_bulk_pairs
from artifact.host import Host
from artifact.ingredients import Sizes, Skipped, powers
from artifact.samples import Samples
from artifact.sizes import format_size, parse_size, spoken

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


PUBLISHED_EXTENT = 2 << 20      # bytes of the one call that was published


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


def extent_figure(cells: list[Samples]) -> Figure:
    """Speed by bytes per call, within a huge page and beyond it, and how long one
    call takes, which has no reschedule point inside."""
    fig, (within, beyond, stretch) = drawing.subplots(1, 3, figsize=(15, 5))
    pairs = published_bulk_pairs()
    for ax, samples, shown in zip((within, beyond), cells, ([*pairs["speedup"]], [])):
        first = min(_extents(samples, samples.cell.primitives[0]))
        for i, primitive in enumerate(samples.cell.primitives):
            arms = _extents(samples, primitive)
            rows = drawing.as_rows(estimate.speedup(samples, arm, arms[first])
                                   for arm in arms.values())
            ax.plot(list(arms), rows["speedup"], color=drawing.COLOURS[i], linewidth=1)
            drawing.dots(ax, list(arms), rows["speedup"], rows, horizontal=False,
                         colour=drawing.COLOURS[i],
                         label=primitive, stable=estimate.is_stable(samples))
            shown += [*rows["speedup"]]
            _draw_stretch(stretch, samples, i, primitive)
        drawing.at_one(ax, "y")
        ax.set_ylabel(f"speed over calls of {spoken(first)}")
        drawing.show_around_1(ax, shown)
        _extent_axis(ax, [samples])
    within.plot([PUBLISHED_EXTENT] * len(pairs), pairs["speedup"], **drawing.PUBLISHED_STYLE,
                label="published (Garg, April 2026): rep movsb above 1, memcpy_orig below")
    within.set_title("within a huge page")
    if len(cells) == 1:
        beyond.annotate("skipped: the notebook's end says why", (0.5, 0.5), ha="center",
                        xycoords="axes fraction")
    beyond.set_title("beyond it, in one region")
    _extent_axis(stretch, cells)
    stretch.set_yscale("log")
    drawing.numbers(stretch.yaxis)
    stretch.set_ylabel("us")
    which = cells[0].facts[0].get("stretch", older.STRETCH)
    stretch.set_title(f"{which} call of a copy, median of copies")
    drawing.legend_below(fig, within)
    return fig


def _draw_stretch(ax: Axes, samples: Samples, i: int, primitive: str) -> None:
    arms = _extents(samples, primitive)
    call_us = [1e6 * estimate.median_seconds(samples, f"{arm}:observe=stretch")
               for arm in arms.values()]
    ax.plot(list(arms), call_us, "o-", color=drawing.COLOURS[i], linewidth=1)


def _extent_axis(ax: Axes, cells: list[Samples]) -> None:
    sizes = sorted({e for s in cells for p in s.cell.primitives for e in _extents(s, p)})
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, list(map(spoken, sizes)), rotation=45, ha="right", rotation_mode="anchor")
    drawing.major_only(ax.xaxis)
    ax.set_xlabel("bytes per call")
