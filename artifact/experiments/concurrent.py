# SPDX-License-Identifier: MIT
"""concurrent: several migrators at once, serial or from one pool of workers."""

from __future__ import annotations

import typing
from collections.abc import Iterable

import numpy as np

from artifact import drawing, estimate, labels, teams
from artifact.cells import Cell
from artifact.host import Host
from artifact.ingredients import Skipped, Teams, doubling, on_cpus, that_fit
from artifact.problem import Misuse
from artifact.samples import Samples

if typing.TYPE_CHECKING:
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
    ways = crew.parallel(without={"pick-idle", "spin", "low", "idle", "chunks-low"})
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
    return sorted(crowd(s) for s in cells if (arm := teams.arm_of(s, policy)) and estimate.speedup(
        s, arm, estimate.best_serial(s, arm)).high < 1)


def latencies(samples: Samples, arm: str) -> np.ndarray:
    """Seconds of every single copy of every migrator, pooled."""
    found = samples.channels[arm].get("latency")
    return np.concatenate(found) if found else samples.seconds[arm].ravel()


def slowest_share(samples: Samples, arm: str) -> float:
    """How much longer the slowest migrator of a crowd took than the mean one:
    the median over samples."""
    count = crowd(samples)
    if count == 1:
        return 1.0
    # A row for each sample; in it the migrators' copies, one migrator after the other.
    each = np.concatenate(samples.channels[arm]["latency"]).reshape(
        samples.seconds[arm].size, count, -1)
    took = each.sum(axis=2)
    return float(np.median(took.max(axis=1) / took.mean(axis=1)))


def crowds_figure(cells: list[Samples]) -> Figure:
    """Several migrators: total throughput above, single copies below."""
    cells = sorted(cells, key=crowd)
    names = labels.labels_of(cells)
    fig, grid = drawing.subplots(2, len(cells), sharey="row", squeeze=False, figsize=(
        3.4 + 3.7 * len(cells), 1.8 + 0.62 * len(names)))
    for (above, below), samples in zip(grid.T, cells):
        count = crowd(samples)
        best = estimate.best_serial(samples)
        rows = {samples.cell.policy(arm).label: estimate.speedup(samples, arm, best)
                for arm in teams.teams(samples)}
        drawing.ratio_dots(above, names, rows, samples)
        drawing.at_one(above)
        drawing.show_all_dots(above, [ratio.value for ratio in rows.values()], "x")
        above.set_xlabel("total throughput over the best\nserial copies', as many at once")
        above.set_title(f"{count} migrator{'s' if count > 1 else ''}\nbest serial: "
                        f"{samples.cell.of(best).primitive}, "
                        f"{estimate.gbps(samples, best):.1f} GB/s, "
                        f"{estimate.gbps(samples, best) / count:.1f} each", fontsize="small")
        drawing.right_texts(above, names, {
            samples.cell.policy(arm).label: f"{estimate.gbps(samples, arm) / count:.1f} GB/s"
            + (f", {slowest_share(samples, arm):.2f}" if count > 1 else "")
            for arm in teams.teams(samples)})
        for arm in (best, *teams.teams(samples)):
            y = -1 if arm == best else names.index(samples.cell.policy(arm).label)
            drawing.quantiles(below, latencies(samples, arm) * 1e6, y)
        drawing.log_axis(below, "x", "us for a copy, as its migrator sees it")
    drawing.label_rows(grid[0][0], names)
    drawing.label_rows(grid[1][0], ["best serial copy", *names], first=-1)
    drawing.quantile_legend(grid[1][0])
    drawing.legend_below(fig, grid[1][0])
    fig.suptitle("Several migrators at once, workers from one pool. At the right: throughput "
                 "of each, and the time of the slowest migrator over the mean one's")
    return fig
