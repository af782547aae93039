# SPDX-License-Identifier: MIT
"""victim: unrelated work on the first worker's CPU, in short windows, alone and beside
a migrator that copies at a steady rate."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable

import numpy as np

from artifact import drawing, estimate, labels, older, teams
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
# Victims told by how long they waited, not by their speed: what that is called, and
# what they did where they never did.
WAITING = {"timer": ("us late", "never woke up"), "lock": ("us waited", "never got it")}


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
        raise Misuse(f"rate={rate} and window_ms={window_ms}", "less than one copy in a window",
                     f"give a rate of at least {-(-1000 // window_ms)}")
    return [Cell("victim", name,
                 (*crew.options, f"--victim={name}", f"--window={window_ms}", f"--rate={rate}",
                  f"--rounds={max(1, rounds // 2)}"),
                 (ALONE, *crew.serial, *crew.parallel(without={"pick-idle"}),
                  *crew.not_as_posted()),
                 processes, resolution=0.10, quiet=True, sharpness=0.025) for name in wanted]


def victim_rate(samples: Samples, arm: str) -> Estimate:
    """The victim's speed beside that arm over its speed alone."""
    return estimate.speedup(samples, arm, ALONE)


def serial_in_windows(samples: Samples) -> str:
    """The best serial copy, told by the times of its copies: the cell's samples are the
    victim's."""
    return min(estimate.serial_calls(samples), key=lambda arm: _log_medians(samples, arm).mean())


@dataclasses.dataclass(frozen=True)
class Loss:
    """A victim beside the posted policy and beside the best serial copy: what each leaves it
    of its speed."""

    samples: Samples
    arm: str
    serial: str

    @property
    def label(self) -> str:
        return labels.victim_label(self.samples)

    @property
    def kept(self) -> Estimate:
        return victim_rate(self.samples, self.arm)

    @property
    def kept_beside_serial(self) -> Estimate:
        return victim_rate(self.samples, self.serial)

    @property
    def routine(self) -> str:
        """That the policy copies with."""
        return self.samples.cell.of(self.arm).primitive

    @property
    def serial_routine(self) -> str:
        return self.samples.cell.of(self.serial).primitive


def losses(cells: Iterable[Samples]) -> list[Loss]:
    """Of each victim that is told by its speed, beside a policy that was not skipped."""
    return [Loss(samples, arm, serial_in_windows(samples)) for samples in cells
            if samples.cell.label not in WAITING
            and (arm := teams.arm_of(samples, teams.posted(samples).id))]


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


def wakeups(samples: Samples, arm: str) -> np.ndarray:
    """Seconds that a timer victim's wake-ups came late, or a lock was waited for, pooled:
    none where it never woke up in a window. One that is periods late stands for those it missed as
    well, each a period less."""
    period = samples.facts[0].get("timer_ns", older.TIMER_NS) / 1e9
    late = np.concatenate([*samples.channels[arm].get("wakeup", []), np.array([])])
    all_of_them = [late]
    while len(late := late[late > period] - period):
        all_of_them.append(late)
    return np.concatenate(all_of_them)


STRIP = 0.85, 1.03      # of speeds, in which a loss of a percent can be seen
LATE = {0.5: "o", 0.99: "^"}


def victims_figure(cells: list[Samples]) -> Figure:
    """What is left of unrelated work on the first worker's CPU, how late a timer there
    wakes up, and how fast the migrator copies beside them."""
    rows = labels.arms_of_windows(cells[0])
    timers = [samples for samples in cells if samples.cell.label in WAITING]
    others = [samples for samples in cells if samples.cell.label not in WAITING]
    names = ["alone", *rows.values()] if timers else list(rows.values())
    width = min(2.3, (drawing.WIDEST - 3.2) / len(cells))
    fig, panels = drawing.rows_of_panels(len(cells), names, width=width)
    for ax, samples in zip(panels, others):
        _losses(ax, samples, {names.index(label): arm for arm, label in rows.items()})
    for ax, samples in zip(panels[len(others):], timers):
        _wake_ups(ax, samples, dict(enumerate((ALONE, *rows))))
    drawing.columns(panels[-1], names, _beside(cells[0], rows), width=70)
    return fig


def _losses(ax: Axes, samples: Samples, rows: dict[int, str]) -> None:
    """The speed of one victim in each row, the slow ones written at the edge."""
    for y, arm in rows.items():
        rate = victim_rate(samples, arm)
        drawing.dot_within(ax, STRIP, rate, y, drawing.COLOURS[0], "o", estimate.is_stable(samples))
        if rate.value < STRIP[0]:
            ax.annotate(f"{rate.value:.2f}", (STRIP[0], y), xytext=(7, 0), va="center",
                        textcoords="offset points", fontsize="small")
    drawing.at_one(ax)
    ax.set_xlim(*STRIP)
    ax.set_title(labels.victim_label(samples) + labels.residence(samples), fontsize="small")
    ax.set_xlabel("speed over\nspeed alone")


def _wake_ups(ax: Axes, samples: Samples, rows: dict[int, str]) -> None:
    """How late the timer is, or how long the lock was waited for, in each row."""
    axis, never = WAITING[samples.cell.label]
    for y, arm in rows.items():
        if len(late := wakeups(samples, arm)):
            drawing.quantiles(ax, late * 1e6, y, LATE)
        else:
            ax.annotate(never, (0.5, y), ha="center", va="center",
                        xycoords=ax.get_yaxis_transform(), fontsize="small")
    for q, marker in LATE.items():
        ax.plot([], [], marker, color=drawing.quantile_colour(q), label=f"p{100 * q:.0f}")
    ax.legend(loc="upper right", fontsize="x-small")
    drawing.log_axis(ax, "x", f"{axis},\nall processes", ticks=(1,))
    ax.set_title(labels.victim_label(samples), fontsize="small")


def _beside(samples: Samples, rows: dict[str, str]) -> dict[str, dict[str, str]]:
    """Columns about what the migrator did beside a victim, and took from it."""
    wanted = samples.cell.option("rate")
    return {
        "CPU time\ntaken": {label: labels.percent(taken_share(samples, arm))
                            for arm, label in rows.items()},
        f"copies a s,\n{wanted} wanted": {label: f"{copies_per_second(samples, arm):.0f}"
                                          for arm, label in rows.items()},
        "speed over\nbest serial": {label: f"{copy_speed(samples, arm).value:.2f}"
                                    for arm, label in rows.items()}}
