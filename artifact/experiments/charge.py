# SPDX-License-Identifier: MIT
"""charge: a migrator with a CPU limit, and who is charged for its workers."""

from __future__ import annotations

import typing

import numpy as np

from artifact import drawing, estimate, labels, teams
from artifact.cells import CALLER_CPU, WORKERS_CPU, Cell
from artifact.host import Host
from artifact.ingredients import Skipped, Teams, that_fit
from artifact.policies import PATIENT
from artifact.problem import Misuse
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 64      # folios of a copy: one must last for many periods of the limit


def cells(host: Host, crew: Teams, limit_percent: int, processes: int,
          rounds: int) -> tuple[list[Cell], Skipped]:
    """A cell without the limit, and one with it."""
    if limit_percent > 100:
        raise Misuse(f"cpu_limit_percent: {limit_percent}", "the migrator is one thread",
                     "give 1 to 100")
    refused = host.refused["limit"]
    skipped = (("a migrator with a CPU limit", refused),) if refused else ()
    if refused or not that_fit(host, crew.sizes.huge, (BATCH,))[0]:
        return [], skipped
    ways = crew.parallel(f":folios={BATCH}", without={
        *PATIENT, "2017-nice-0", "2025", "padata-finer", "pick-idle", "spin"})
    copies = (*(f"{arm}:folios={BATCH}" for arm in crew.serial), *ways)
    free, limited = max(1, rounds // 2), max(1, rounds // 3)    # five times as long, and more
    return [Cell("charge", label, (*crew.options, *limit, "--pause=10000", f"--rounds={n}"),
                 copies, processes, resolution=0.25, quiet=True, sharpness=0.20)
            for label, limit, n in (
                ("free", (), free),
                (f"{limit_percent}-percent", (f"--limit={limit_percent}",), limited))], skipped


def charged_share(samples: Samples, arm: str) -> float:
    """Share, 0..1, of an arm's CPU time that the caller's cgroup is charged."""
    if samples.cell.of(arm).dispatch == "spawn":
        return 1.0      # a new thread is born where its maker is
    caller, workers = (np.concatenate(samples.channels[arm].get(name, [np.array([])])).sum()
                       for name in (CALLER_CPU, WORKERS_CPU))
    return float(caller / (caller + workers))


def overrun(samples: Samples, arm: str) -> float:
    """CPU time beyond what the caller's cgroup is charged, over that, which a limit bounds."""
    return 1 / charged_share(samples, arm) - 1


def charge_figure(cells: list[Samples]) -> Figure:
    """A migrator with a CPU limit: who is charged for its workers?"""
    cells = sorted(cells, key=lambda samples: samples.cell.label != "free")
    names = labels.labels_of(cells)
    fig, panels = drawing.rows_of_panels(len(cells), names, width=5)
    for ax, samples in zip(panels, cells):
        limit, best = samples.cell.option("limit"), estimate.best_serial(samples)
        rows = {labels.arm_label(samples, arm): teams.over_serial(samples, arm)
                for arm in teams.teams(samples)}
        drawing.ratio_dots(ax, names, rows, samples)
        drawing.at_one(ax)
        drawing.show_all_dots(ax, [ratio.value for ratio in rows.values()], "x")
        ax.set_title((f"limited to {limit} % of a CPU" if limit else "no limit") +
                     f"\nbest serial: {samples.cell.of(best).primitive}, "
                     f"{estimate.gbps(samples, best):.1f} GB/s")
        ax.set_xlabel(f"throughput over the best serial copy's, {BATCH} folios,\n"
                      f"teams with {samples.cell.of(teams.teams(samples)[0]).primitive}")
        drawing.columns(ax, names, {heading: {
            labels.arm_label(samples, arm): labels.percent(number(samples, arm))
            for arm in teams.teams(samples)} for heading, number in (
                ("charged\nto migrator", charged_share), ("beyond\nits quota", overrun))
            if limit or number is charged_share})
    return fig
