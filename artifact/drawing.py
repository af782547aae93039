# SPDX-License-Identifier: MIT
"""How a figure of ours looks: theme, dots with intervals, rows, axes, legends.

matplotlib is imported when the first figure is drawn and not before: numbers,
verdicts and texts are made without it.
"""

from __future__ import annotations

import functools
import io
import math
import typing
from pathlib import Path

import numpy as np
import pandas as pd

from artifact import estimate, paths
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

# seaborn's "colorblind", which most readers can tell apart.
PALETTE = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494",
           "#ece133", "#56b4e9")
# By number: more than there are copy routines.
COLOURS = [f"C{nth % 10}" for nth in range(20)]
MARKERS = "osD^v<>"
PUBLISHED_STYLE: dict[str, typing.Any] = {"marker": "D", "color": "0.45", "linestyle": "none",
                                          "markersize": 6}
WIDEST = 15.0       # inches that can be read in the report


@functools.cache
def pyplot():
    """matplotlib, with our theme: seaborn's, by the copy of it that matplotlib has.

    seaborn itself takes two seconds to import, in each notebook of each report.
    """
    from matplotlib import pyplot as plt

    plt.style.use(["seaborn-v0_8-whitegrid", "seaborn-v0_8-notebook"])
    plt.rcParams.update({
        # The same figure must be the same file: no random ids in it, and a font that
        # matplotlib brings along.
        "svg.hashsalt": "pagecopy", "font.sans-serif": ["DejaVu Sans"],
        "axes.prop_cycle": plt.cycler(color=PALETTE), "figure.dpi": 110, "legend.frameon": True,
        "legend.fontsize": "small", "axes.titlesize": "medium", "axes.titleweight": "bold",
        # A hollow dot is an edge.
        "lines.linewidth": 1.5, "lines.markersize": 6, "lines.markeredgewidth": 1,
        "xtick.major.pad": 4, "ytick.major.pad": 4})
    return plt


def subplots(*shape: int, **options):
    """Figure and axes, laid out so that nothing overlaps."""
    return pyplot().subplots(*shape, layout="constrained", **options)


def dots(ax: Axes, x, y, rows: pd.DataFrame, *, horizontal: bool, colour, label, stable: bool,
         marker: str = "o") -> None:
    """Estimates with intervals; rows has speedup, low and high."""
    # An interval without an end (two processes or fewer) is drawn as none.
    low = (rows["speedup"] - rows["low"]).where(rows["low"] > 0, 0)
    high = (rows["high"] - rows["speedup"]).where(np.isfinite(rows["high"]), 0)
    ends = [low, high]
    ax.errorbar(x, y, xerr=ends if horizontal else None, yerr=None if horizontal else ends,
                fmt=marker, color=colour, label=label, markersize=4.5, elinewidth=1.2,
                markerfacecolor=colour if stable else "white")


def ratio_dots(ax: Axes, labels: list[str], ratios: dict, samples: Samples) -> None:
    """A dot for each label that has a ratio, in the row of the label."""
    rows = as_rows(ratios.values())
    dots(ax, rows["speedup"], [labels.index(label) for label in ratios], rows, horizontal=True,
         colour=COLOURS[0], label=None, stable=estimate.is_stable(samples))


def dot_within(ax: Axes, limits: tuple[float, float], ratio: estimate.Estimate, y: float,
               colour: str, marker: str, stable: bool) -> None:
    """One estimate with its interval in a row; an arrow at the edge for one beyond it."""
    shown = min(max(ratio.value, limits[0]), limits[1])
    if shown != ratio.value:
        ax.plot(shown, y, ">" if shown == limits[1] else "<", color=colour, markersize=4,
                clip_on=False)
        return
    rows = as_rows([ratio])
    dots(ax, rows["speedup"], [y], rows, horizontal=True, colour=colour, label=None,
         stable=stable, marker=marker)


def as_rows(ratios: typing.Iterable[estimate.Estimate]) -> pd.DataFrame:
    """Ratios as the columns that dots() draws."""
    return pd.DataFrame([{"speedup": ratio.value, "low": ratio.low, "high": ratio.high}
                         for ratio in ratios])


def ends(low: float, high: float) -> list[list[float]]:
    """Error bars of one point; none where an interval has no end."""
    return [[max(v, 0.0) if math.isfinite(v) else 0.0] for v in (low, high)]


def show_all_dots(ax: Axes, values, axis: str) -> None:
    """Widens the axis so that from 0 on every value shows; a very long bar of
    a hasty run may leave the picture, a dot never does."""
    top = max(1.15 * max(values), getattr(ax, f"shown_{axis}", 1.25))
    setattr(ax, f"shown_{axis}", top)
    getattr(ax, f"set_{axis}lim")(0, top)


def show_around_1(ax: Axes, values: typing.Iterable[float]) -> None:
    """Makes the y axis as high as the values and 1 are apart, whatever their bars do."""
    values = [0.95, 1.05, *values]
    room = 0.1 * (max(values) - min(values))
    ax.set_ylim(min(values) - room, max(values) + room)


def legend_below(fig: Figure, ax: Axes, columns: int = 4) -> None:
    """Hangs below the figure, where no layout moves it into the panels."""
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=columns,
               fontsize="small")


def at_one(ax: Axes, axis: str = "x") -> None:
    """The line of no difference."""
    getattr(ax, "axvline" if axis == "x" else "axhline")(1, color="0.3", linewidth=1)


def line(ax: Axes, x: float, style: str, label: str) -> None:
    ax.axvline(x, color="0.3", linestyle=style, linewidth=1, label=label)


def numbers(axis, text: str = "{:g}") -> None:
    """Ticks as plain numbers, in that format."""
    formatted(axis, text.format)


def formatted(axis, form: typing.Callable[[float], str]) -> None:
    """Ticks as that function of their values."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: form(value)))


def major_only(axis) -> None:
    """No minor ticks."""
    from matplotlib.ticker import NullLocator

    axis.set_minor_locator(NullLocator())


def log_axis(ax: Axes, axis: str, label: str, ticks: tuple[float, ...] = (1, 2, 5)) -> None:
    """ticks: those of a decade, unless there are many decades."""
    from matplotlib.ticker import LogLocator

    getattr(ax, f"set_{axis}scale")("log")
    getattr(ax, f"set_{axis}label")(label)
    which = getattr(ax, f"{axis}axis")
    low, high = getattr(ax, f"get_{axis}lim")()
    which.set_major_locator(LogLocator(subs=ticks if high < 300 * low else (1,)))
    numbers(which)
    major_only(which)


def sizes_axis(ax: Axes, sizes: list[int], labels: list[str], rotation: float = 0) -> None:
    """A logarithmic x axis with a tick for each size."""
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, labels, rotation=rotation)
    major_only(ax.xaxis)


def label_rows(ax: Axes, labels: list[str], first: int = 0) -> None:
    ax.set_yticks(range(first, first + len(labels)), labels)
    ax.set_ylim(first + len(labels) - 0.5, first - 0.5)


def columns(ax: Axes, labels: list[str], texts: dict[str, dict[str, str]],
            width: float = 62) -> None:
    """Columns of text at the right of the rows: head to label to text; width in points."""
    for nth, (head, column) in enumerate(texts.items()):
        place: dict[str, typing.Any] = {"textcoords": "offset points", "annotation_clip": False,
                                        "fontsize": "small"}
        right = 8 + nth * width
        ax.annotate(head, (1, 1), xytext=(right, 4), xycoords="axes fraction", va="bottom",
                    color="0.35", **place)
        for label, text in column.items():
            ax.annotate(text, (1, labels.index(label)), xytext=(right, 0), va="center",
                        xycoords=("axes fraction", "data"), **place)


def field(ax: Axes, x: float, y: float, text: str, colour: typing.Any, alpha: float = 1) -> None:
    """One field of a grid of rows and columns."""
    ax.barh(y, 1, left=x - 0.5, height=0.94, color=colour, alpha=alpha, linewidth=0)
    ax.annotate(text, (x, y), ha="center", va="center", fontsize="small")


def label_columns(ax: Axes, labels: list[str]) -> None:
    """Of such a grid."""
    ax.set_xticks(range(len(labels)), labels)
    ax.set_xlim(-0.5, len(labels) - 0.5)
    ax.grid(False)


def rows_of_panels(panels: int, labels: list[str], width: float, sharex: bool = False):
    """Panels that share their rows; in two lines of panels where one would be
    too wide to read in the report."""
    lines = 1 if 3.2 + width * panels <= WIDEST else 2
    columns = math.ceil(panels / lines)
    fig, axes = subplots(lines, columns, sharey=True, sharex=sharex, squeeze=False,
                         figsize=(3.2 + width * columns, (1.8 + 0.34 * len(labels)) * lines))
    for unused in axes.flat[panels:]:
        unused.set_axis_off()
    label_rows(axes[0][0], labels)
    return fig, list(axes.flat[:panels])


def quantiles(ax: Axes, values: np.ndarray, y: float, marks: dict[float, str]) -> None:
    """Quantiles of pooled values in a row, which have no interval."""
    found = np.quantile(values, list(marks))
    ax.plot([found[0], found[-1]], [y, y], color="0.8", linewidth=1, zorder=1)
    for x, (q, marker) in zip(found, marks.items()):
        ax.plot(x, y, marker, color=quantile_colour(q), markersize=5)


def quantile_colour(q: float) -> str:
    """Of the median, and of those in the tail."""
    return COLOURS[0 if q == 0.5 else 3]


def nothing(why: str) -> Figure:
    """A figure that says why there is none."""
    fig, ax = subplots(figsize=(7, 1.5))
    ax.annotate(why, (0.5, 0.5), xycoords="axes fraction", ha="center")
    ax.set_axis_off()
    return fig


def write_below(fig: Figure, text: str) -> Bbox:
    """Below all that the layout has placed, which must not move any more; returns
    the box, in inches, around everything.

    Where things go is found out once: it takes longer than to draw them.
    """
    from matplotlib.transforms import Bbox

    if layout := fig.get_layout_engine():
        layout.execute(fig)
    fig.set_layout_engine(None)     # "none" would still have each savefig() draw twice
    box = fig.get_tightbbox()
    below = fig.text(0.5, box.y0 / fig.get_figheight() - 0.01, text, ha="center", va="top",
                     fontsize="x-small", color="0.4")
    written = below.get_window_extent().transformed(fig.dpi_scale_trans.inverted())
    return Bbox.union([box, written])


def save(fig: Figure, path: Path, box: Bbox | str = "tight") -> None:
    """Whole or not at all, as PNG or SVG. The same figure is the same file."""
    content = io.BytesIO()
    if path.suffix == ".svg":
        fig.savefig(content, format="svg", bbox_inches=box, metadata={"Date": None})
    else:
        _save_png(fig, content, box)
    paths.write_atomically(path, content.getvalue())


def _save_png(fig: Figure, content: io.BytesIO, box: Bbox | str) -> None:
    """In a palette: a third of the bytes, and a figure of ours has few colours."""
    from PIL import Image

    drawn = io.BytesIO()
    fig.savefig(drawn, format="png", dpi=150, bbox_inches=box, pil_kwargs={"compress_level": 1})
    Image.open(drawn).convert("RGB").quantize(
        256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(content, "PNG")
