# SPDX-License-Identifier: MIT
"""dispatch: a job of nothing, from call to return, by how long everybody slept before."""

from __future__ import annotations

import typing
from collections.abc import Iterable

import numpy as np

from artifact import drawing, estimate, labels, teams
from artifact.cells import Cell
from artifact.ingredients import Teams, not_empty
from artifact.problem import Misuse
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
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
    """Time of a job of nothing, from call to return."""
    arm, = (arm for arm in teams.teams(samples, primitive="empty")
            if samples.cell.policy(arm).id == policy)
    return estimate.median_seconds(samples, arm)


def instruments(samples: Samples) -> dict[str, float]:
    """Seconds of a round trip to another CPU by means that are not ours."""
    known = {"pipe_round_trip_ns": "two processes and two pipes, pinned",
             "perf_round_trip_ns": "perf bench sched pipe, placed by the scheduler"}
    return {label: float(np.median([fact[key] for fact in samples.facts])) / 1e9
            for key, label in known.items() if all(key in fact for fact in samples.facts)}


# What a copy is made of, by the moment that ends it; none of the others is later.
PHASES = {"queued": "work items allocated and queued", "last start": "wait for the last worker",
          "last end": "copy", "joined": "caller goes on"}


def moments_us(samples: Samples, arm: str) -> list[float]:
    """Where each phase ends, in us since the call: medians of the processes' medians, each no
    earlier than the one before. A moment that most copies do not have, as no worker began
    or none was asked, takes no time."""
    found, last = [], 0.0
    for phase in PHASES:
        times = [each for each in samples.channels[arm].get(phase, []) if len(each)]
        if 2 * sum(map(len, times)) > samples.seconds[arm].size:
            last = max(last, 1e6 * float(np.median([np.median(each) for each in times])))
        found.append(last)
    return found


def phases_figure(cells: list[Samples]) -> Figure:
    """Where the time goes of a job of nothing and of a copy of one huge page, by policy.

    cells: of jobs of nothing, the one after the longest pause is drawn; and of load,
    the one of the lowest.
    """
    empty = sorted((s for s in cells if s.cell.experiment == "dispatch"), key=pause_us)
    whole = min((s for s in cells if s.cell.experiment == "load"), key=teams.load_percent)
    names = labels.labels_of([*empty, whole])
    fig, (nothing, copy) = drawing.subplots(1, 2, sharey=True, figsize=(14, 1.8 + 0.36 * len(names)))
    _segments(nothing, empty[-1], names)
    for samples, marker in zip(empty[:-1], "|x+"):
        arms = teams.teams(samples)
        nothing.plot([moments_us(samples, arm)[-1] for arm in arms],
                     [names.index(labels.arm_label(samples, arm)) for arm in arms], marker,
                     color="black", label=f"the same {_after(samples)}", markersize=7)
    for (text, seconds), style in zip(instruments(empty[-1]).items(), (":", "-.")):
        drawing.line(nothing, 1e6 * seconds, style, f"round trip: {text}")
    nothing.set_title(f"nothing to copy, {_after(empty[-1])}")
    _segments(copy, whole, names)
    drawing.line(copy, 1e6 * teams.serial_seconds(whole), "-", "best serial copy")
    copy.set_title(f"one huge page, {_after(whole)}")
    best = teams.cpu_per_gib(whole, estimate.best_serial(whole))
    drawing.columns(copy, names, {"CPU time over\nbest serial\'s": {
        labels.arm_label(whole, arm): f"{teams.cpu_per_gib(whole, arm) / best:.1f}x"
        for arm in teams.teams(whole)}})
    for ax in (nothing, copy):
        ax.set_xlabel("us since the call")
        ax.set_xlim(left=0)
    drawing.label_rows(nothing, names)
    handles, texts = nothing.get_legend_handles_labels()
    more = copy.get_legend_handles_labels()
    fig.legend([*handles, *more[0][:1]], [*texts, *more[1][:1]], loc="upper center",
               bbox_to_anchor=(0.5, -0.01), ncols=4, fontsize="small")
    return fig


def _segments(ax: Axes, samples: Samples, names: list[str]) -> None:
    """A bar for each policy, of the phases one after the other."""
    for arm in teams.teams(samples):
        y, begins = names.index(labels.arm_label(samples, arm)), 0.0
        for i, ends in enumerate(moments_us(samples, arm)):
            ax.barh(y, ends - begins, left=begins, height=0.62, color=drawing.COLOURS[i])
            begins = ends
    for i, phase in enumerate(PHASES.values()):
        ax.bar(0, 0, color=drawing.COLOURS[i], label=phase)


def _after(samples: Samples) -> str:
    pause = pause_us(samples)
    return f"after {pause} us of sleep" if pause else "without a pause"
