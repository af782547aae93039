# SPDX-License-Identifier: MIT
"""load: every policy beside the serial copies, under background load. Notebooks 03, 05
and 06 ask for these cells; with the same parameters they are measured once."""

from __future__ import annotations

import typing
from collections.abc import Iterable

import numpy as np
import pandas as pd

from artifact import drawing, estimate, labels, teams
from artifact.cells import Cell
from artifact.estimate import Estimate
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
                         "give 0 to 400, such as 0, 50, 100, 200")
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


def start_delay_figure(cells: list[Samples]) -> Figure:
    """How often and how long a copy waits for its last worker, by policy and load."""
    cells = sorted(cells, key=teams.load_percent)
    names = labels.labels_of(cells)
    fig, ax = drawing.subplots(figsize=(4 + 2.1 * len(cells), 1.6 + 0.36 * len(names)))
    shade = drawing.pyplot().get_cmap("Oranges")
    for x, samples in enumerate(cells):
        for arm in teams.teams(samples):
            text, share = _lateness(samples, arm)
            drawing.field(ax, x, names.index(samples.cell.policy(arm).label), text,
                          shade(0.6 * share) if share is not None else "0.93")
    drawing.label_rows(ax, names)
    drawing.label_columns(ax, [f"{teams.load_percent(samples)} %" for samples in cells])
    ax.set_xlabel("background load of each CPU")
    ax.set_title("copies whose last worker came too late; median wait for it", fontsize="medium")
    return fig


def _lateness(samples: Samples, arm: str) -> tuple[str, float | None]:
    """What a field says, and the share, 0..1, that colours it."""
    late, taken, waits = late_share(samples, arm), taken_back_share(samples, arm), \
        delays(samples, arm)
    if late is None:
        return ("all taken back" if taken else "no worker asked"), None
    median = 1e6 * float(np.median(waits))
    wait = f"{median:.0f} us" if median < 1000 else f"{median / 1000:.0f} ms"
    back = f"; {labels.percent(taken)} back" if taken else ""
    return f"{labels.percent(late.value)}; {wait}{back}", late.value


def idle_picks(cells: list[Samples]) -> pd.DataFrame:
    """Copying only with CPUs that look idle: a row for each load, with times over the
    best serial copy's."""
    return pd.DataFrame([_idle_pick(samples) for samples in sorted(cells, key=teams.load_percent)])


def _idle_pick(samples: Samples) -> dict[str, str]:
    arm, any_cpu = (teams.the_arm(samples, policy) for policy in (IDLE_CPU, ANY_CPU))
    counts, stale = samples.counts[arm], stale_share(samples, arm)
    found = counts["found_idle"].sum() / max(counts["scanned"].sum(), 1)
    return {"load of each CPU": f"{teams.load_percent(samples)} %",
            "looks that found a CPU idle": labels.percent(found),
            "of these busy when the work began": labels.percent(stale.value) if stale else "-",
            **{f"{text} with {who}": f(samples, each) for who, each in (
                ("idle CPUs only", arm), ("any CPU", any_cpu)) for text, f in (
                ("time", lambda s, a: str(teams.time_ratio(s, a))),
                ("p95", lambda s, a: f"{teams.tail_ratio(s, a):.2f}"))}}


VERDICTS = {"no worse": drawing.COLOURS[2], "open": "0.45", "worse": drawing.COLOURS[3]}
SIGNS = {"no worse": "\N{CHECK MARK}", "open": "?", "worse": "\N{MULTIPLICATION X}"}
STRIP = 0.8, 1.3        # of time ratios, in which a margin of some percent can be seen


def no_worse_figure(cells: list[Samples], margin_percent: int) -> Figure:
    """Time of each policy over the best serial copy's, by load, with the verdict of a
    one-sided test; beside it the same around the margin. Below, the series as posted.

    cells: of load and of posted.
    """
    loaded, posted = ([samples for samples in cells if samples.cell.experiment == name]
                      for name in ("load", "posted"))
    loads = sorted({teams.load_percent(samples) for samples in cells})
    names = labels.labels_of(loaded)
    below = [f"as posted, {label}" for label in labels.labels_of(posted)]
    fig, (grid, strip) = drawing.subplots(
        1, 2, figsize=(7 + 1.7 * len(loads), 1.9 + 0.36 * len(names + below)), sharey=True,
        width_ratios=[1.7 * len(loads), 4])
    for samples in (*loaded, *posted):
        x = loads.index(teams.load_percent(samples))
        rows = names if samples in loaded else below
        for arm in teams.teams(samples):
            label = samples.cell.policy(arm).label
            y = names.index(label) if rows is names else \
                len(names) + below.index(f"as posted, {label}")
            ratio, verdict = teams.no_worse(samples, arm, margin_percent)
            drawing.field(grid, x, y, f"{SIGNS[verdict]} {_short(ratio)}", VERDICTS[verdict], 0.22)
            drawing.dot_within(strip, STRIP, ratio, y + 0.16 * (x - (len(loads) - 1) / 2),
                               VERDICTS[verdict], drawing.MARKERS[x % 7],
                               estimate.is_stable(samples))
    drawing.label_rows(grid, names + below)
    drawing.label_columns(grid, [f"{load} %" for load in loads])
    grid.set_xlabel("background load of each CPU")
    grid.set_title("time over the best serial copy's", fontsize="medium")
    drawing.at_one(strip)
    drawing.line(strip, 1 + margin_percent / 100, "--", f"margin, fixed beforehand: {margin_percent} %")
    strip.set_xlim(*STRIP)
    strip.set_xlabel("the same, around the margin")
    for x, load in enumerate(loads):
        strip.plot([], [], drawing.MARKERS[x % 7], color="0.3", label=f"load of {load} %")
    for verdict, colour in VERDICTS.items():
        strip.plot([], [], "o", color=colour, label=f"{SIGNS[verdict]} {verdict}")
    drawing.legend_below(fig, strip)
    return fig


def _short(ratio: estimate.Estimate) -> str:
    value, low, high = (f"{each:.2f}" if each < 10 else f"{each:.3g}"
                        for each in (ratio.value, ratio.low, ratio.high))
    return f"{value} [{low}, {high}]"
