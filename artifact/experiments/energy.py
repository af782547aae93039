# SPDX-License-Identifier: MIT
"""energy: what copying adds to the energy of the packages, per GiB."""

from __future__ import annotations

import typing

import numpy as np

from artifact import drawing, estimate, labels
from artifact.cells import Cell
from artifact.estimate import Estimate
from artifact.experiments.victim import ALONE, window_seconds
from artifact.host import Host
from artifact.ingredients import Skipped, Teams
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure


def cells(host: Host, crew: Teams, processes: int, rounds: int) -> tuple[list[Cell], Skipped]:
    """One cell, where this machine shows energy counters that may be read."""
    if not host.energy:
        return [], (("energy per GiB", host.no_energy),)
    return [Cell("energy", "package", (
        *crew.options, "--victim=timer", "--window=50", "--rate=500",
        f"--energy={','.join(host.energy)}", f"--rounds={rounds}"),
        (ALONE, *crew.serial, *crew.parallel(without={"pick-idle"})), processes,
        resolution=0.25, quiet=True, sharpness=0.05)], ()


def joules_per_gib(samples: Samples, arm: str) -> Estimate:
    """Energy of the packages beyond that of the same time without copies."""
    def watts(each: str) -> np.ndarray:
        return samples.counts[each]["energy_uj"] / 1e6 / window_seconds(samples, each)
    gib = np.array([len(copies) for copies in samples.channels[arm]["copy"]]) * \
        samples.cell.of(arm).copied / (1 << 30)
    return estimate.interval((watts(arm) - watts(ALONE)) * window_seconds(samples, arm) / gib)


def energy_figure(cells: list[Samples]) -> Figure:
    """Energy that copying adds, per GiB."""
    samples, = cells
    rows = labels.arms_of_windows(samples)
    fig, (ax,) = drawing.rows_of_panels(1, list(rows.values()), width=7)
    for y, arm in enumerate(rows):
        found = joules_per_gib(samples, arm)
        ax.errorbar(found.value, y, fmt="o", color=drawing.COLOURS[0],
                    xerr=drawing.ends(found.value - found.low, found.high - found.value))
    ax.axvline(0, color="0.3", linewidth=1)
    ax.set_xlabel("J per GiB, beyond the same time without copies")
    ax.set_title("Energy of the packages (RAPL)")
    return fig
