# SPDX-License-Identifier: MIT
"""nodes: copies from one node to another, by the CPUs of either or of a third.

Most stores through the cache read their line first. So pushing crosses between the nodes
twice for each line, and pulling once; with non-temporal stores either crosses once.
"""

from __future__ import annotations

import dataclasses
import typing

import numpy as np

from artifact import drawing, estimate, labels, teams
from artifact.cells import Cell
from artifact.estimate import Estimate
from artifact.host import Host
from artifact.ingredients import Sizes, Skipped, teams_of
from artifact.policies import POSTED
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CPUS = 8       # as the team of 2017
# Whose CPUs copy, in the order of every figure.
PLACES = {"pull": "pull: the destination's CPUs", "push": "push: the source's CPUs",
          "third": "a third node's CPUs"}


def cells(host: Host, sizes: Sizes, primitives: tuple[str, ...], processes: int,
          rounds: int) -> tuple[list[Cell], Skipped]:
    """A cell for each place: the same copies, by as many CPUs."""
    order = host.placements["spread"]
    cpus = {node: tuple(cpu for cpu in order if cpu in local) for node, local in host.nodes.items()}
    crewed = [node for node in cpus if len(cpus[node]) > 1]
    if refused := _refused(host, crewed):
        return [], (("teams on either of two NUMA nodes", refused),)
    source, destination = crewed[0], crewed[-1]
    count = min(MOST_CPUS, len(cpus[source]), len(cpus[destination]))
    others = [node for node in crewed[1:-1] if len(cpus[node]) >= count]
    where = dict(zip(PLACES, (destination, source, *others)))
    return [_of_place(_only(host, cpus[node][:count]), sizes, primitives, place,
                      (f"--source-node={source}", f"--destination-node={destination}",
                       f"--rounds={rounds}"), processes)
            for place, node in where.items()], ()


def _refused(host: Host, crewed: list[int]) -> str:
    """Why there is nothing to compare; "" where there is."""
    if len(host.nodes) < 2:
        return "this machine has one node with memory"
    return host.refused["nodes"] or (
        "" if len(crewed) > 1 else "no two nodes have two CPUs each that this process may use")


def _only(host: Host, cpus: tuple[int, ...]) -> Host:
    """The machine as a crew sees it that has these CPUs."""
    return dataclasses.replace(host, placements={"spread": cpus})


def _of_place(host: Host, sizes: Sizes, primitives: tuple[str, ...], place: str,
              options: tuple[str, ...], processes: int) -> Cell:
    """Only the teams that were posted: who pulls was asked of them. Cells are compared by
    their processes and not by their rounds, so it takes more of them.
    """
    crew = teams_of(host, sizes, primitives)
    ways = crew.only(POSTED)
    return Cell("nodes", place, (*crew.options, *options), (*crew.serial, *ways), 3 * processes,
                resolution=0.05, quiet=True, sharpness=0.03)


def pull_over_push(pull: Samples, push: Samples) -> Estimate:
    """Of the posted team that pulls the fastest, over the same team where it pushes.

    Chosen from the samples that it is then judged by: choice_flatters() says by how much.
    """
    arm = fastest_team(pull)
    return estimate.between(pull, arm, push, arm)


def fastest_team(samples: Samples) -> str:
    """Of those posted, against the serial copy that they were posted with."""
    return max(teams.teams(samples), key=lambda arm: estimate.log_speedups(
        samples, arm, samples.cell.baseline).mean())


def choice_flatters(samples: Samples) -> float:
    """The share by which that team looks faster at most for having been chosen."""
    return estimate.flattery(np.stack([estimate.log_speedups(samples, arm, samples.cell.baseline)
                                       for arm in teams.teams(samples)]))


def over_serial_pull(pull: Samples, samples: Samples, arm: str) -> Estimate:
    """Speed of an arm of any place over the serial copy that pulls; paired in its own cell."""
    return estimate.speedup(pull, arm, pull.cell.baseline) if samples is pull else \
        estimate.between(samples, arm, pull, pull.cell.baseline)


def nodes_figure(cells: list[Samples]) -> Figure:
    """Speed of copies between two nodes, by whose CPUs make them, over the serial copy
    that pulls."""
    pull = cells[0]
    arms = list(pull.cell.variants)
    fig, (ax,) = drawing.rows_of_panels(1, [_label(pull, arm) for arm in arms], width=7)
    for i, samples in enumerate(cells):
        rows = drawing.as_rows(over_serial_pull(pull, samples, arm) for arm in arms)
        drawing.dots(ax, rows["speedup"], [y + 0.2 * (i - 1) for y in range(len(arms))], rows,
                     horizontal=True, colour=drawing.COLOURS[i], marker=drawing.MARKERS[i],
                     label=PLACES[samples.cell.label], stable=estimate.is_stable(samples))
        drawing.show_all_dots(ax, rows["speedup"], "x")
    drawing.at_one(ax)
    ax.set_xlabel("speed over the serial copy that pulls")
    ends = " to ".join(str(pull.cell.option(end)) for end in ("source-node", "destination-node"))
    ax.set_title(f"Copies from node {ends}, by whose CPUs copy")
    drawing.legend_below(fig, ax)
    return fig


def _label(samples: Samples, arm: str) -> str:
    return labels.arm_label(samples, arm) if samples.cell.of(arm).parallel else \
        f"serial: {samples.cell.of(arm).primitive}"
