# SPDX-License-Identifier: MIT
"""dispatch: a job of nothing, from call to return, by how long everybody slept before."""

from __future__ import annotations

import typing
from collections.abc import Iterable

import numpy as np

from artifact import drawing, labels, teams
from artifact.cells import Cell
from artifact.ingredients import Teams, not_empty
from artifact.problem import Misuse
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure


def cells(crew: Teams, pauses_us: Iterable[int], processes: int, rounds: int) -> list[Cell]:
    """A cell for each pause. Nobody looks for idle CPUs: without a load all are."""
    pauses = sorted(set(pauses_us))
    not_empty(pauses_us=pauses)
    for pause in pauses:
        if not 0 <= pause <= 1_000_000:
            raise Misuse(f"pauses_us: {pause!r}", "not a pause", "give 0 to 1000000 us")
    empty = crew.parallel(":observe=phases", without={"pick-idle"}, primitive="empty")
    return [Cell("dispatch", f"after-{pause}us",
                 (*crew.options, f"--pause={pause}", f"--rounds={rounds}"),
                 (*crew.serial, *empty), processes, resolution=0.10, quiet=True, sharpness=0.05)
            for pause in pauses]


def pause_us(samples: Samples) -> int:
    """How long everybody slept before a copy."""
    return int(samples.cell.option("pause") or 0)


def empty_job_seconds(samples: Samples, policy: str) -> float:
    """Median time of a job of nothing, from call to return."""
    arm, = (arm for arm in teams.teams(samples, primitive="empty")
            if samples.cell.policy(arm).id == policy)
    return float(np.median(samples.seconds[arm]))


def instruments(samples: Samples) -> dict[str, float]:
    """Seconds of a round trip to another CPU by means that are not ours."""
    known = {"pipe_round_trip_ns": "two processes and two pipes, pinned",
             "perf_round_trip_ns": "perf bench sched pipe, placed by the scheduler"}
    return {label: float(np.median([fact[key] for fact in samples.facts])) / 1e9
            for key, label in known.items() if all(key in fact for fact in samples.facts)}


PHASES = {"allocated": "work items allocated", "queued": "all queued",
          "first start": "first worker starts", "last start": "last worker starts",
          "last end": "last byte", "joined": "caller goes on"}


def empty_job_figure(cells: list[Samples]) -> Figure:
    """When what happens in an empty job, by how long everybody slept."""
    return phases_figure(cells, "Where the time of an empty job goes")


def phases_figure(cells: list[Samples], title: str) -> Figure:
    """A row for each policy, a dot for each moment, a panel for each cell."""
    names = labels.labels_of(cells)
    fig, panels = drawing.rows_of_panels(len(cells), names, width=3.9, sharex=True)
    for ax, samples in zip(panels, cells):
        for arm in teams.teams(samples):
            y = names.index(samples.cell.policy(arm).label)
            for i, phase in enumerate(PHASES):
                # None began where all was taken back, or none was asked.
                if phase in samples.channels[arm]:
                    us = 1e6 * np.median(np.concatenate(samples.channels[arm][phase]))
                    ax.plot(us, y, "o", color=drawing.COLOURS[i], markersize=5)
        drawing.line(ax, 1e6 * teams.serial_seconds(samples), "-", "best serial copy, whole")
        for (label, seconds), style in zip(instruments(samples).items(), (":", "-.")):
            drawing.line(ax, 1e6 * seconds, style, f"round trip: {label}")
        pause = pause_us(samples)
        ax.set_title(f"after {pause} us of sleep" if pause else "one after the other")
        drawing.log_axis(ax, "x", "us since the call, median")
    for i, label in enumerate(PHASES.values()):
        panels[0].plot([], [], "o", color=drawing.COLOURS[i], label=label)
    drawing.legend_below(fig, panels[0], columns=3)
    fig.suptitle(title)
    return fig
