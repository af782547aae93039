# SPDX-License-Identifier: MIT
"""load: every policy beside the serial copies, under background load. Notebooks 03, 05
and 06 ask for these cells; with the same parameters they are measured once."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable

import numpy as np
import pandas as pd

from artifact import drawing, estimate, labels, teams
from artifact.cells import LOAD_WORK, Cell
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
                       variants=(*crew.serial, *crew.parallel(":observe=phases"),
                                 *crew.not_as_posted(":observe=phases")))
            for each in wanted]


def delays(samples: Samples, arm: str) -> np.ndarray:
    """Seconds from work items allocated to the last worker's start, pooled; of
    the copies for which a worker began at all."""
    return np.concatenate([*samples.channels[arm].get("wait", []), np.array([])])


def taken_back_share(samples: Samples, arm: str) -> float:
    """Share, 0..1, of copies that were over before any worker began."""
    counts = samples.counts[arm].get("taken_back")
    return float(counts.sum() / samples.seconds[arm].size) if counts is not None else 0.0


def late_share(samples: Samples, *arms: str) -> Estimate | None:
    """Share, 0..1, of copies whose last worker had not started when the best
    serial copy would have been done, of those for which a worker began; of all arms
    together. None where some process has none of these."""
    counts = late_counts(samples, *arms)
    return estimate.rate(*counts) if counts else None


def late_counts(samples: Samples, *arms: str) -> tuple[np.ndarray, np.ndarray] | None:
    """The same as counts for each process: those copies, and all for which one began."""
    waits = [samples.channels[arm].get("wait", []) for arm in arms]
    if not arms or any(len(each) < samples.processes for each in waits):
        return None
    whole = teams.serial_seconds(samples)
    processes = [np.concatenate(each) for each in zip(*waits)]
    return (np.array([np.sum(each > whole) for each in processes]),
            np.array([len(each) for each in processes]))


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
            drawing.field(ax, x, names.index(labels.arm_label(samples, arm)), text,
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
    """Copying only with CPUs that look idle: a row for each load, with times of all copies
    over the best serial copy's."""
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
                ("mean time", lambda s, a: str(teams.tail_ratio(s, a, "mean"))),
                ("p95", lambda s, a: f"{teams.tail_ratio(s, a, 'p95').value:.2f}"))}}


VERDICTS = {"no worse": drawing.COLOURS[2], "open": "0.45", "worse": drawing.COLOURS[3]}
SIGNS = {"no worse": "\N{CHECK MARK}", "open": "?", "worse": "\N{MULTIPLICATION X}"}


def no_worse_figure(cells: list[Samples], margin_percent: int) -> Figure:
    """Mean, p95 and p99 of each policy's times over the best serial copy's, by load, with
    the verdict by their intervals; and how many copies take far longer than a serial one.

    cells: of load, and of posted, where the only serial copy is that of the same routine.
    """
    loads = sorted({teams.load_percent(samples) for samples in cells})
    found = {(_row_label(samples, arm), loads.index(teams.load_percent(samples))): (samples, arm)
             for samples in sorted(cells, key=lambda s: s.cell.experiment)
             for arm in teams.teams(samples)}
    loaded = [samples for samples in cells if samples.cell.experiment == "load"]
    names = list(dict.fromkeys([*labels.labels_of(loaded), *(label for label, _ in found)]))
    fig, (means, tails) = drawing.subplots(
        1, 2, figsize=(4 + 3 * len(loads), 1.9 + 0.36 * len(names)), sharey=True,
        width_ratios=[1.25, 1])
    for (label, x), each in found.items():
        ratios, verdict = teams.no_worse(*each, margin_percent)
        y, colour = names.index(label), VERDICTS[verdict]
        drawing.field(means, x, y, f"{SIGNS[verdict]} {_short(ratios['mean'])}", colour, 0.22)
        drawing.field(tails, x, y, f"{_digits(ratios['p95'].value)}, {_digits(ratios['p99'].value)}; "
                      f"{labels.percent(teams.too_long_share(*each).value)}", colour, 0.22)
    drawing.label_rows(means, names)
    for ax in (means, tails):
        drawing.label_columns(ax, [f"{load} %" for load in loads])
        ax.set_xlabel("background load of each CPU")
    means.set_title(f"mean time over the best serial copy's (margin: {margin_percent} %)",
                    fontsize="medium")
    tails.set_title(f"p95 and p99 likewise; copies over {teams.TOO_LONG}x its median",
                    fontsize="medium")
    for verdict, colour in VERDICTS.items():
        means.plot([], [], "s", color=colour, label=f"{SIGNS[verdict]} {verdict}")
    drawing.legend_below(fig, means)
    return fig


def _row_label(samples: Samples, arm: str) -> str:
    """Of a posted series, what it is compared with as well: what it copies with itself."""
    label = labels.arm_label(samples, arm)
    return f"{label}, over {samples.cell.own} itself" if samples.cell.experiment == "posted" else label


def load_throughput(samples: Samples, arm: str, over: str) -> Estimate | None:
    """The background load's own throughput during a copy by ``arm``, over the same during
    one by ``over``; None where it was not counted, or some process got nothing done
    beside ``over``."""
    rates = []
    for each in (arm, over):
        work = samples.channels[each].get(LOAD_WORK)
        if not work:
            return None
        rates.append(np.array([units.sum() for units in work]) / samples.seconds[each].sum(axis=1))
    if not rates[1].all():
        return None
    found = estimate.interval(rates[0] / rates[1])
    return dataclasses.replace(found, low=max(found.low, 0.0))


def drained_share(samples: Samples, arm: str) -> Estimate | None:
    """Share, 0..1, of shared parts that the caller copied itself; None where parts are fixed."""
    counts = samples.counts[arm]
    return estimate.rate(counts["drained"], counts["parts"]) if "parts" in counts else None


def under_load_figure(cells: list[Samples]) -> Figure:
    """What the background load itself gets done during a copy, and what share of shared
    work the caller does alone."""
    cells = sorted((s for s in cells if teams.load_percent(s)), key=teams.load_percent)
    names = labels.labels_of(cells)
    fig, (gets, drained) = drawing.subplots(1, 2, sharey=True, width_ratios=[1.5, 1], figsize=(
        5 + 2.7 * len(cells), 1.9 + 0.36 * len(names)))
    red, blue = (drawing.pyplot().get_cmap(name) for name in ("Oranges", "Blues"))
    for x, samples in enumerate(cells):
        best = estimate.best_serial(samples)
        for arm in teams.teams(samples):
            y = names.index(labels.arm_label(samples, arm))
            ratio, share = load_throughput(samples, arm, best), drained_share(samples, arm)
            drawing.field(gets, x, y, _short(ratio) if ratio else "not counted",
                          red(0.7 * min(max(1 - ratio.value, 0.0), 1.0)) if ratio else "0.93")
            drawing.field(drained, x, y, labels.percent(share.value) if share else "",
                          blue(0.6 * share.value) if share else "0.96")
    drawing.label_rows(gets, names)
    for ax, title in ((gets, "the load's throughput during a copy,\nover that beside serial copies"),
                      (drained, "parts that the caller copied itself,\nof those that are shared out")):
        drawing.label_columns(ax, [f"{teams.load_percent(samples)} %" for samples in cells])
        ax.set_xlabel("background load of each CPU")
        ax.set_title(title, fontsize="medium")
    return fig


def _short(ratio: estimate.Estimate) -> str:
    value, low, high = map(_digits, (ratio.value, ratio.low, ratio.high))
    return f"{value} [{low}, {high}]"


def _digits(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}" if ratio < 10_000 else f"{ratio:.0e}"
