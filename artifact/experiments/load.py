# SPDX-License-Identifier: MIT
"""load: every policy beside the serial copies, under background load. Notebooks 03, 05
and 06 ask for these cells; with the same parameters they are measured once."""

from __future__ import annotations

import typing
from collections.abc import Iterable

import numpy as np

from artifact import drawing, estimate, labels, teams
from artifact.cells import Cell
from artifact.estimate import Estimate
from artifact.experiments import dispatch
from artifact.ingredients import Teams, not_empty, under_load
from artifact.policies import BY_ID
from artifact.problem import Misuse
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure


ANY_CPU, IDLE_CPU = BY_ID["works"], BY_ID["pick-idle"]


def cells(crew: Teams, loads: Iterable[int], processes: int, rounds: int) -> list[Cell]:
    """A cell for each load. Who runs when is a lottery: more processes. Beyond
    saturation a worker that comes too late is rare and is counted: more of both."""
    wanted = sorted(set(loads))
    not_empty(loads=wanted)
    for each in wanted:
        if not 0 <= each <= 400:
            raise Misuse(f"loads: {each!r}", "not a load in percent of each CPU",
                         "give 0 to 400, as 0, 50, 100, 200")
    return [under_load("load", each, crew.options, rounds * (5 if each > 100 else 3),
                       processes * 5 // 2 if each > 100 else 2 * processes,
                       sharpness=0.02 if each > 100 else 0.06,
                       variants=(*crew.serial, *crew.parallel(":observe=phases")))
            for each in wanted]


def delays(samples: Samples, arm: str) -> np.ndarray:
    """Seconds from work items allocated to the last worker's start, pooled; of
    the copies for which a worker began at all."""
    return np.concatenate([*samples.channels[arm].get("wait", []), np.array([])])


def taken_back_share(samples: Samples, arm: str) -> float:
    """Share, 0..1, of copies that were over before any worker began."""
    counts = samples.counts[arm].get("taken_back")
    return float(counts.sum() / samples.seconds[arm].size) if counts is not None else 0.0


def late_share(samples: Samples, arm: str, level: float = estimate.LEVEL) -> Estimate | None:
    """Share, 0..1, of copies whose last worker had not started when the best
    serial copy would have been done, of those for which a worker began; None
    where some process has none of these."""
    waits = samples.channels[arm].get("wait", [])
    if len(waits) < samples.processes:
        return None
    whole = teams.serial_seconds(samples)
    return estimate.rate(np.array([np.sum(each > whole) for each in waits]),
                         np.array([len(each) for each in waits]), level)


def stale_share(samples: Samples, arm: str) -> Estimate | None:
    """Share of CPUs found idle that were busy when the work began there."""
    counts = samples.counts[arm]
    found, stale = counts["found_idle"], counts["stale"]
    return estimate.rate(stale, found) if found.sum() else None


def copy_phases_figure(cells: list[Samples]) -> Figure:
    """When what happens in a parallel copy, at the lowest load."""
    return dispatch.phases_figure([min(cells, key=teams.load_percent)],
                                  "Where the time of a parallel copy goes")


def start_delay_figure(cells: list[Samples]) -> Figure:
    """How late the last worker starts, under background load."""
    cells = sorted(cells, key=teams.load_percent)
    names = labels.labels_of(cells)
    fig, panels = drawing.rows_of_panels(len(cells), names, width=4.6, sharex=True)
    for ax, samples in zip(panels, cells):
        for arm in teams.teams(samples):
            y, late = names.index(samples.cell.policy(arm).label), delays(samples, arm)
            if len(late):
                drawing.quantiles(ax, late * 1e6, y)
        drawing.line(ax, 1e6 * teams.serial_seconds(samples), "-", "best serial copy, whole")
        ax.set_title(labels.load_label(samples))
        drawing.log_axis(ax, "x", "us from queueing to the last start")
        drawing.right_texts(ax, names, {
            samples.cell.policy(arm).label: _lateness(samples, arm)
            for arm in teams.teams(samples)})
    drawing.quantile_legend(panels[0])
    drawing.legend_below(fig, panels[0])
    fig.suptitle("How long work waits for a worker. At the right: the share of copies whose last "
                 "worker\nhad not begun when the best serial copy would have been done, and of "
                 "those that were\nover before any worker began (not in the dots)")
    return fig


def _lateness(samples: Samples, arm: str) -> str:
    late, taken = late_share(samples, arm), taken_back_share(samples, arm)
    if late is None:
        return labels.percent(taken) + " over" if taken else "not asked"
    return labels.percent(late.value) + (f", {labels.percent(taken)} over" if taken else "")


def idle_pick_figure(cells: list[Samples]) -> Figure:
    """Time and worth of copying only with CPUs that look idle, by load."""
    cells = sorted(cells, key=teams.load_percent)
    fig, (times, stale) = drawing.subplots(1, 2, figsize=(13, 4.8))
    loads = range(len(cells))
    for i, policy in enumerate((ANY_CPU, IDLE_CPU)):
        ratios = [teams.time_ratio(s, teams.the_arm(s, policy)) for s in cells]
        rows = drawing.as_rows(ratios)
        drawing.dots(times, [x + 0.1 * (i - 0.5) for x in loads], rows["speedup"], rows,
                     horizontal=False, colour=drawing.COLOURS[i], label=policy.label,
                     stable=all(map(estimate.is_stable, cells)))
        times.plot([x + 0.1 * (i - 0.5) for x in loads],
                   [teams.tail_ratio(s, teams.the_arm(s, policy)) for s in cells], "x",
                   color=drawing.COLOURS[i])
    times.plot([], [], "x", color="0.3", label="p95 over p95")
    drawing.at_one(times, "y")
    drawing.log_axis(times, "y", "time over the best serial copy's")
    times.set_title("time of a copy")
    for x, samples in zip(loads, cells):
        arm = teams.the_arm(samples, IDLE_CPU)
        counts, share = samples.counts[arm], stale_share(samples, arm)
        looked, idle = counts["scanned"].sum(), counts["found_idle"].sum()
        stale.bar([x - 0.2], [100 * idle / max(looked, 1)], width=0.35, color=drawing.COLOURS[0],
                  label="looks that found the CPU idle" if not x else None)
        if share is None:
            stale.annotate("never idle", (x + 0.2, 2), ha="center", fontsize="small")
            continue
        stale.bar([x + 0.2], [100 * share.value], width=0.35, color=drawing.COLOURS[3],
                  yerr=drawing.ends(100 * (share.value - share.low),
                                    100 * (share.high - share.value)),
                  label="of those, busy when the work began" if not x else None)
    stale.set_ylabel("%")
    stale.set_ylim(0, 105)
    stale.set_title("what the look was worth")
    stale.legend(loc="upper right", fontsize="small")
    times.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, fontsize="small")
    for ax in (times, stale):
        ax.set_xticks(list(loads), [f"{teams.load_percent(s)} %" for s in cells])
        ax.set_xlim(-0.6, len(cells) - 0.4)
        ax.set_xlabel("background load of each CPU")
    fig.suptitle("Copying only with CPUs that look idle")
    return fig
