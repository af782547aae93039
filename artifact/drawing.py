# SPDX-License-Identifier: MIT
"""How a figure of ours looks: theme, dots with intervals, legends."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from artifact import estimate, plan
from artifact.load import Samples

sns.set_theme(style="whitegrid", context="notebook", font_scale=0.9)
# The same figure must be the same file: no random ids in it.
plt.rcParams.update({"svg.hashsalt": "pagecopy", "figure.dpi": 110, "legend.frameon": True,
                     "axes.titlesize": "medium", "axes.titleweight": "bold"})

COLOURS = list(sns.color_palette("colorblind")) * 2       # more than there are primitives
PUBLISHED_STYLE = {"marker": "D", "color": "0.45", "linestyle": "none", "markersize": 6}


def own_primitive(samples: Samples) -> str:
    """The primitive of the cell's baseline: the kernel's copy_page()."""
    return plan.fields(samples.cell.variants[0])["primitive"]


def dots(ax: Axes, x, y, rows: pd.DataFrame, *, horizontal: bool, colour, label, stable: bool,
          marker: str = "o") -> None:
    """Estimates with intervals; rows has speedup, low and high."""
    # An interval without an end (two processes or fewer) is drawn as none.
    low = (rows["speedup"] - rows["low"]).where(rows["low"] > 0, 0)
    high = (rows["high"] - rows["speedup"]).where(np.isfinite(rows["high"]), 0)
    ax.errorbar(x, y, **{"xerr" if horizontal else "yerr": [low, high]}, fmt=marker,
                color=colour, label=label, markersize=4.5, elinewidth=1.2,
                markerfacecolor=colour if stable else "white")


def show_all_dots(ax: Axes, values, axis: str) -> None:
    """Widens the axis so that from 0 on every value shows; a very long bar of
    a hasty run may leave the picture, a dot never does."""
    top = max(1.15 * max(values), getattr(ax, f"shown_{axis}", 1.25))
    setattr(ax, f"shown_{axis}", top)
    getattr(ax, f"set_{axis}lim")(0, top)


def as_row(ratio: estimate.Estimate) -> dict[str, float]:
    return {"speedup": ratio.value, "low": ratio.low, "high": ratio.high}


def legend_below(fig: Figure, ax: Axes, columns: int = 4) -> None:
    """Hangs below the figure, where no layout moves it into the panels."""
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=columns,
               fontsize="small")
