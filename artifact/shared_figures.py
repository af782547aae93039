# SPDX-License-Identifier: MIT
"""Figures that several experiments have alike."""

from __future__ import annotations

import typing

from artifact import drawing, estimate, labels, teams
from artifact.experiments import victim
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure

VERDICTS = {"no worse": drawing.COLOURS[2], "open": "0.45", "worse": drawing.COLOURS[3]}


SIGNS = {"no worse": "\N{CHECK MARK}", "open": "?", "worse": "\N{MULTIPLICATION X}"}
STRIP = 0.8, 1.3        # of time ratios, in which a margin of some percent can be seen


def no_worse_figure(cells: list[Samples], margin_percent: int) -> Figure:
    """Time of each policy over the best serial copy's, by load, with the verdict of a
    one-sided test; beside it the same around the margin."""
    cells = sorted(cells, key=teams.load_percent)
    names = labels.labels_of(cells)
    fig, (grid, strip) = drawing.subplots(
        1, 2, figsize=(7 + 1.7 * len(cells), 1.9 + 0.36 * len(names)), sharey=True,
        width_ratios=[1.7 * len(cells), 4])
    for x, samples in enumerate(cells):
        for arm in teams.teams(samples):
            y = names.index(samples.cell.policy(arm).label)
            ratio, verdict = teams.no_worse(samples, arm, margin_percent)
            colour = VERDICTS[verdict]
            grid.barh(y, 1, left=x - 0.5, height=0.94, color=colour, alpha=0.22)
            grid.annotate(f"{SIGNS[verdict]} " + "{} [{}, {}]".format(*(
                f"{value:.2f}" if value < 10 else f"{value:.3g}"
                for value in (ratio.value, ratio.low, ratio.high))), (x, y), ha="center",
                va="center", fontsize="small")
            drawing.dot_within(strip, STRIP, ratio, y + 0.16 * (x - (len(cells) - 1) / 2), colour,
                               drawing.MARKERS[x % 7], estimate.is_stable(samples))
        strip.plot([], [], drawing.MARKERS[x % 7], color="0.3", label=labels.load_label(samples))
    drawing.label_rows(grid, names)
    grid.set_xticks(range(len(cells)), [f"{teams.load_percent(samples)} %" for samples in cells])
    grid.set_xlabel("background load of each CPU")
    grid.set_xlim(-0.5, len(cells) - 0.5)
    grid.grid(False)
    drawing.at_one(strip)
    drawing.line(strip, 1 + margin_percent / 100, "--", f"margin, fixed beforehand: {margin_percent} %")
    strip.set_xlim(*STRIP)
    strip.set_xlabel("the same, around the margin")
    for verdict, colour in VERDICTS.items():
        strip.plot([], [], "o", color=colour, label=f"{SIGNS[verdict]} {verdict}")
    drawing.legend_below(fig, strip)
    copied_with = cells[0].cell.of(teams.teams(cells[0])[0]).primitive
    best = "best " if len(cells[0].cell.where(strategy="serial")) > 1 else ""
    fig.suptitle(f"Time over the {best}serial copy's; teams copy with {copied_with}")
    return fig


def cpu_time_figure(cells: list[Samples]) -> Figure:
    """CPU-seconds of callers and workers per GiB, over the best serial copy's."""
    names = labels.labels_of(cells)
    fig, panels = drawing.rows_of_panels(len(cells), names, width=3.4)
    for ax, samples in zip(panels, cells):
        first = teams.teams(samples)[0]
        best = estimate.best_serial(samples, first) if not samples.cell.option("victim") \
            else victim.serial_in_windows(samples)
        serial = teams.cpu_per_gib(samples, best)
        for arm in teams.teams(samples):
            if samples.cell.of(arm).primitive == "empty" or \
                    samples.cell.of(arm).work != samples.cell.of(best).work:
                continue
            y = names.index(samples.cell.policy(arm).label)
            ratio = teams.cpu_per_gib(samples, arm) / serial
            ax.plot([1, ratio], [y, y], color="0.8", linewidth=2, zorder=1)
            ax.plot(ratio, y, "o", color=drawing.COLOURS[0])
        drawing.at_one(ax)
        ax.set_xscale("log", base=2)
        drawing.numbers(ax.xaxis, "{:.3g}")
        ax.set_xlabel("CPU time over the best serial's")
        ax.set_title(f"{labels.cell_label(samples)}\nbest serial: {serial:.3f} CPU-s per GiB",
                     fontsize="small")
    fig.suptitle("What it costs in CPU time: migrators and workers together")
    return fig
