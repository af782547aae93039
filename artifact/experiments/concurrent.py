# SPDX-License-Identifier: MIT
"""concurrent: several migrators at once, serial or from one pool of workers."""

from __future__ import annotations

import typing
from collections.abc import Iterable

import numpy as np

from artifact import drawing, estimate, teams
from artifact.cells import Cell
from artifact.host import Host
from artifact.ingredients import Skipped, Teams, doubling, on_cpus, that_fit
from artifact.policies import PATIENT
from artifact.problem import Misuse
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cells(host: Host, crew: Teams, migrators: Iterable[int], processes: int,
          rounds: int) -> tuple[list[Cell], Skipped]:
    """A cell for each number of migrators.

    Spinning teams are left out, as a worker that spins keeps the migrator of
    its CPU from running; and who waits for an idle moment.
    """
    cpus, copies = len(host.cpus), host.migrator_copies
    wanted = sorted(set(migrators)) or doubling(min(2 * cpus, 32))
    for count in wanted:
        if count > 4 * cpus:
            raise Misuse(f"migrators: {count}", f"more than four for each of {cpus} CPUs",
                         f"give at most {4 * cpus}")
    fitting, too_large = that_fit(host, crew.sizes.huge, [count * copies for count in wanted])
    ways = crew.parallel(without={*PATIENT, "2017-nice-0", "pick-idle", "spin"})
    options = (*crew.sizes.options, on_cpus(host.near))
    # One migrator makes one copy in a sample: more samples make up for it.
    found = [Cell("concurrent", f"{count}-migrators",
                  (*options, f"--rounds={rounds * (copies if count == 1 else 1)}"),
                  tuple(arm if count == 1 else f"{arm}:migrators={count}"
                        for arm in (*crew.serial, *ways)), processes, resolution=0.05, quiet=True,
                  sharpness=0.10)
             for count in wanted if count == 1 or count * copies in fitting]
    return found, (*too_large, ("spinning teams of several migrators",
                                "a worker that spins keeps the migrator of its CPU from running"))


def crowd(samples: Samples) -> int:
    """Migrators of a cell of 04."""
    return samples.cell.of(samples.cell.baseline).migrators


def losing_crowds(cells: list[Samples], policy: str) -> list[int]:
    """The numbers of migrators at which that policy moves clearly less in
    total than as many best serial copies do."""
    return sorted(crowd(s) for s in cells if (arm := teams.arm_of(s, policy))
                  and teams.over_serial(s, arm).high < 1)


def latencies(samples: Samples, arm: str) -> np.ndarray:
    """Seconds of every single copy of every migrator, pooled."""
    found = samples.channels[arm].get("latency")
    return np.concatenate(found) if found else samples.seconds[arm].ravel()


def crowds_figure(cells: list[Samples]) -> Figure:
    """Several migrators at once, by how many: total throughput, how long the slowest
    copies take, and CPU time, each over the best serial copies'."""
    cells = sorted(cells, key=crowd)
    fig, panels = drawing.subplots(1, 3, figsize=(15, 5))
    for i, policy in enumerate(teams.policies(cells)):
        here = [(samples, arm) for samples in cells if (arm := teams.arm_of(samples, policy.id))]
        # Beside each other: most are about as fast.
        x = np.array([crowd(samples) for samples, _ in here]) * (1 + 0.02 * (i - 3))
        look: dict[str, typing.Any] = {"color": drawing.COLOURS[i], "linewidth": 1}
        rows = drawing.as_rows(teams.over_serial(*each) for each in here)
        panels[0].plot(x, rows["speedup"], **look)
        drawing.dots(panels[0], x, rows["speedup"], rows, horizontal=False, label=policy.label,
                     colour=drawing.COLOURS[i], marker=drawing.MARKERS[i % 7],
                     stable=all(estimate.is_stable(samples) for samples, _ in here))
        drawing.show_all_dots(panels[0], rows["speedup"], "y")
        for ax, of in ((panels[1], _slow_seconds), (panels[2], teams.cpu_per_gib)):
            ax.plot(x, [of(samples, arm) / of(samples, estimate.best_serial(samples))
                        for samples, arm in here],
                    marker=drawing.MARKERS[i % 7], markersize=5, **look)
    for ax, label in zip(panels, ("total throughput", "p99 of a single copy's time", "CPU time")):
        _crowd_axis(ax, cells)
        ax.set_title(f"{label}, over the best serial copies'", fontsize="medium")
    for ax in panels[1:]:
        drawing.log_axis(ax, "y", "")
    drawing.legend_below(fig, panels[0], columns=3)
    return fig


def _slow_seconds(samples: Samples, arm: str) -> float:
    """Of the slowest one in a hundred copies, pooled."""
    return float(np.quantile(latencies(samples, arm), 0.99))


def _crowd_axis(ax: Axes, cells: list[Samples]) -> None:
    drawing.at_one(ax, "y")
    ax.set_xscale("log", base=2)
    ax.set_xticks([crowd(samples) for samples in cells], [
        f"{crowd(samples)}\n{estimate.gbps(samples, estimate.best_serial(samples)):.1f} GB/s"
        for samples in cells])
    drawing.major_only(ax.xaxis)
    ax.set_xlabel("migrators at once, and what serial copies move in all")
