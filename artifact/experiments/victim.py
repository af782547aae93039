# SPDX-License-Identifier: MIT
"""victim: unrelated work on the first worker's CPU, in short windows, alone and beside
a migrator that copies at a steady rate."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable

import numpy as np

from artifact import drawing, estimate, labels, older
from artifact.cells import Cell
from artifact.estimate import Estimate
from artifact.host import Host
from artifact.ingredients import Teams, not_empty, unique
from artifact.problem import Misuse
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALONE = "alone:bulk:empty"       # no migrator: what victims are compared with


def cells(host: Host, crew: Teams, victims: Iterable[str], window_ms: int, rate: int,
          processes: int, rounds: int) -> list[Cell]:
    """A cell for each victim, beside every policy but the one that looks for idle
    CPUs: the victim is no load of ours that it could see."""
    wanted = unique(victims)
    not_empty(victims=wanted)
    for name in wanted:
        if name not in host.victims:
            raise Misuse(f"unknown victim {name!r}", "pagecopy has no such victim",
                         f"choose from {', '.join(host.victims)}")
    if window_ms < 5:
        raise Misuse(f"window_ms: {window_ms}", "too short for a timer of 1 kHz to show anything",
                     "give 5 or more")
    if rate * window_ms < 1000:
        raise Misuse(f"rate={rate} and window_ms={window_ms}", "not one copy in a window",
                     f"give a rate of at least {-(-1000 // window_ms)}")
    return [Cell("victim", name,
                 (*crew.options, f"--victim={name}", f"--window={window_ms}", f"--rate={rate}",
                  f"--rounds={max(1, rounds // 2)}"),
                 (ALONE, *crew.serial, *crew.parallel(without={"pick-idle"})),
                 processes, resolution=0.10, quiet=True, sharpness=0.025) for name in wanted]


def victim_rate(samples: Samples, arm: str) -> Estimate:
    """The victim's speed beside that arm over its speed alone."""
    return estimate.speedup(samples, arm, ALONE)


def serial_in_windows(samples: Samples) -> str:
    """The serial arm whose copies beside the victim are fastest."""
    arms = [v for v in samples.cell.variants if samples.cell.of(v).strategy == "serial"]
    return min(arms, key=lambda arm: _log_medians(samples, arm).mean())


def copy_speed(samples: Samples, arm: str) -> Estimate:
    """The migrator's speed over the best serial copy's, beside the victim."""
    best = serial_in_windows(samples)
    return estimate.exponential(estimate.interval(
        _log_medians(samples, best) - _log_medians(samples, arm)))


def _log_medians(samples: Samples, arm: str) -> np.ndarray:
    return np.log([np.median(copies) for copies in samples.channels[arm]["copy"]])


def window_seconds(samples: Samples, arm: str) -> np.ndarray:
    """How long an arm's windows were together, for each process: longer than
    asked for where the last copy of one was late."""
    return np.array([windows.sum() for windows in samples.channels[arm]["window"]])


def taken_share(samples: Samples, arm: str) -> float:
    """Share of the victim's CPU time alone that it no longer gets."""
    alone, beside = (np.concatenate(samples.channels[each]["victim cpu"]).sum()
                     / window_seconds(samples, each).sum() for each in (ALONE, arm))
    return float(1 - beside / alone)


def copies_per_second(samples: Samples, arm: str) -> float:
    """What the migrator achieved beside the victim, of the rate asked for: a
    copy that waits long for its workers makes the next ones late."""
    return sum(map(len, samples.channels[arm]["copy"])) / window_seconds(samples, arm).sum()


def switches_per_second(samples: Samples, arm: str) -> float:
    """Involuntary context switches of the victim."""
    return float(samples.counts[arm]["victim_switches"].sum() / window_seconds(samples, arm).sum())


def wakeups(samples: Samples, arm: str) -> np.ndarray:
    """Seconds that a timer victim's wake-ups came late, pooled: none where it never
    woke up in a window. One that is periods late stands for those it missed as
    well, each a period less."""
    period = samples.facts[0].get("timer_ns", older.TIMER_NS) / 1e9
    late = np.concatenate([*samples.channels[arm].get("wakeup", []), np.array([])])
    all_of_them = [late]
    while len(late := late[late > period] - period):
        all_of_them.append(late)
    return np.concatenate(all_of_them)


def victims_figure(cells: list[Samples]) -> Figure:
    """What is left of unrelated work on the first worker's CPU."""
    cells = [samples for samples in cells if samples.cell.label != "timer"]
    if not cells:
        return drawing.nothing("no victim but the timer was asked for")
    rows = labels.arms_of_windows(cells[0])
    fig, panels = drawing.rows_of_panels(len(cells), list(rows.values()), width=4.6)
    for ax, samples in zip(panels, cells):
        drawing.ratio_dots(ax, list(rows.values()), {label: victim_rate(samples, arm)
                                                     for arm, label in rows.items()}, samples)
        drawing.at_one(ax)
        ax.set_xlim(0, max(1.15, *(1.05 * victim_rate(samples, arm).value for arm in rows)))
        ax.set_title(labels.victim_label(samples) + labels.residence(samples))
        ax.set_xlabel("the victim's speed over its speed alone")
        drawing.right_texts(ax, list(rows.values()),
                            {label: f"{labels.percent(taken_share(samples, arm))}, "
                             f"{switches_per_second(samples, arm):.0f}, "
                             f"{copies_per_second(samples, arm):.0f}"
                             for arm, label in rows.items()})
    rate = cells[0].cell.option("rate")
    fig.suptitle(f"Who pays: a victim on a worker's CPU, while a migrator wants {rate} copies a "
                 "second.\nAt the right: CPU time taken from the victim, how often in a second it "
                 "was\npushed off the CPU, and how many copies a second were made")
    return fig


def timer_figure(cells: list[Samples]) -> Figure:
    """How late a timer victim wakes up."""
    samples = next((s for s in cells if s.cell.label == "timer"), None)
    if samples is None:
        return drawing.nothing("the timer victim was not asked for")
    rows = {ALONE: "alone", **labels.arms_of_windows(samples)}
    fig, (ax,) = drawing.rows_of_panels(1, list(rows.values()), width=7)
    count = 0
    for y, arm in enumerate(rows):
        if len(late := wakeups(samples, arm)):
            count = len(late)
            drawing.quantiles(ax, late * 1e6, y, {0.5: "o", 0.99: "^", 0.999: "*"})
        else:
            ax.annotate("never woke up in a window", (0.5, y), ha="center", va="bottom",
                        xycoords=ax.get_yaxis_transform(), fontsize="small")
    few = f", of {count}: hardly more than the worst" if count < 10_000 else ""
    for label, marker in (("p50", "o"), ("p99", "^"), (f"p99.9{few}", "*")):
        ax.plot([], [], marker, color="0.3", label=label)
    drawing.log_axis(ax, "x", "us late")
    drawing.legend_below(fig, ax)
    ax.set_title("Wake-ups of a 1 kHz timer on the first worker's CPU")
    return fig


SLOWEST_SHOWN = 0.35


def pareto_figure(cells: list[Samples]) -> Figure:
    """The victim's loss against the migrator's gain, a panel per victim."""
    cells = [samples for samples in cells if samples.cell.label != "timer"]
    if not cells:
        return drawing.nothing("no victim but the timer was asked for")
    rows = labels.arms_of_windows(cells[0])
    lines = 1 if len(cells) < 3 else 2
    fig, panels = drawing.subplots(lines, math.ceil(len(cells) / lines), sharey=True, sharex=True,
                                   figsize=(2 + 5 * math.ceil(len(cells) / lines), 5 * lines),
                                   squeeze=False)
    for unused in panels.flat[len(cells):]:
        unused.set_axis_off()
    fastest = 1.25
    for ax, samples in zip(panels.flat, cells):
        points = {arm: (victim_rate(samples, arm), copy_speed(samples, arm))
                  for arm in rows}
        front = _front({arm: (1 - rate.value, speed.value) for arm, (rate, speed)
                        in points.items()})
        ax.plot([100 * (1 - points[arm][0].value) for arm in front],
                [max(points[arm][1].value, SLOWEST_SHOWN) for arm in front],
                color="0.6", linewidth=1)
        for i, (arm, (rate, speed)) in enumerate(points.items()):
            _point(ax, i, rows[arm], rate, speed, estimate.is_stable(samples))
        drawing.at_one(ax, "y")
        ax.axvline(0, color="0.3", linewidth=1)
        ax.set_xscale("symlog", linthresh=10)
        ax.set_xticks([-5, 0, 5, 10, 25, 50, 100])
        drawing.numbers(ax.xaxis)
        drawing.major_only(ax.xaxis)
        ax.set_xlim(min(-8.0, *(120 * (1 - rate.value) for rate, _ in points.values())), 110)
        ax.set_yscale("log", base=2)
        drawing.numbers(ax.yaxis, "{:.3g}")
        fastest = max(fastest, *(1.15 * speed.value for _, speed in points.values()))
        ax.set_ylim(0.85 * SLOWEST_SHOWN, fastest)
        ax.set_title(labels.victim_label(samples))
        ax.set_xlabel("the victim's loss, %; linear up to 10")
    fig.supylabel("the migrator's speed over the best serial copy's")
    drawing.legend_below(fig, panels[0][0], columns=3)
    fig.suptitle("Loss of the victim against gain of the migrator: up and left is good.\nThe line "
                 "joins what nothing beats in both; triangles at the bottom\nare slower than the "
                 "axis shows, their speed is beside them")
    return fig


def _point(ax: Axes, i: int, label: str, rate, speed, stable: bool) -> None:
    loss, shown = 100 * (1 - rate.value), max(speed.value, SLOWEST_SHOWN)
    below, colour = speed.value < SLOWEST_SHOWN, drawing.COLOURS[i % 10]
    ax.errorbar(loss, shown, color=colour, label=f"{i + 1} {label}", elinewidth=0.7, markersize=6,
                xerr=drawing.ends(100 * (rate.value - rate.low), 100 * (rate.high - rate.value)),
                yerr=None if below else drawing.ends(speed.value - speed.low, speed.high - speed.value),
                fmt="v" if below else "os"[i > 9], markerfacecolor=colour if stable else "white")
    # To four sides in turn, as many lie close together.
    sides = [(-10, 6), (-10, -13)] if below else [(5, 4), (-11, 4), (5, -11), (-11, -11)]
    ax.annotate(f"{i + 1}" + (f": {speed.value:.2g}" if below else ""), (loss, shown),
                xytext=sides[i % len(sides)], textcoords="offset points", fontsize="x-small")


def _front(points: dict[str, tuple[float, float]]) -> list[str]:
    """Those that no other beats in both, by loss."""
    best = [arm for arm, (loss, speed) in points.items()
            if not any(a <= loss and b >= speed and (a, b) != (loss, speed)
                       for a, b in points.values())]
    return sorted(best, key=lambda arm: points[arm])
