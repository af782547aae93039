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


def no_worse_figure(cells: list[Samples], margin_percent: int) -> Figure:
    """The one-sided test: is a policy ever slower than the best serial copy?"""
    cells = sorted(cells, key=teams.load_percent)
    names = labels.labels_of(cells)
    fig, panels = drawing.rows_of_panels(len(cells), names, width=4.6, sharex=True)
    shown: list[float] = []
    for ax, samples in zip(panels, cells):
        texts = {}
        for arm in teams.teams(samples):
            y = names.index(samples.cell.policy(arm).label)
            ratio, verdict = teams.no_worse(samples, arm, margin_percent)
            rows = drawing.as_rows([ratio])
            drawing.dots(ax, rows["speedup"], [y], rows, horizontal=True, label=None,
                         colour=VERDICTS[verdict], stable=estimate.is_stable(samples))
            shown.append(teams.tail_ratio(samples, arm))
            ax.plot(shown[-1], y, "x", color=VERDICTS[verdict], markersize=5)
            texts[samples.cell.policy(arm).label] = verdict
        drawing.at_one(ax)
        drawing.line(ax, 1 + margin_percent / 100, "--",
                     f"margin fixed beforehand: {margin_percent} %")
        ax.set_title(labels.load_label(samples))
        shown += [teams.time_ratio(samples, arm).value for arm in teams.teams(samples)]
        ax.set_xlim(min(0.5, 0.8 * min(shown)), 3 * max(shown))
        serial = len(samples.cell.where(strategy="serial"))
        drawing.log_axis(ax, "x", f"time over the {'best ' if serial > 1 else ''}serial copy's")
        drawing.right_texts(ax, names, texts)
    for verdict, colour in VERDICTS.items():
        panels[0].plot([], [], "o", color=colour, label=f"median of a round: {verdict}")
    panels[0].plot([], [], "x", color="0.3", label="p95 over p95, not judged")
    drawing.legend_below(fig, panels[0], columns=3)
    copied_with = cells[0].cell.of(teams.teams(cells[0])[0]).primitive
    fig.suptitle(f"At worst no slower than serial? Teams copy with {copied_with}. One-sided, 95 %")
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
