# SPDX-License-Identifier: MIT
"""serial-ladder: from the loop of 2017 to one call, for every copy routine that
runs here and every state of the caches."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable

import pandas as pd

from artifact import ctools, drawing, estimate, labels, published
from artifact.cells import Cell
from artifact.host import Host
from artifact.ingredients import Sizes, Skipped, unique
from artifact.problem import Misuse
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure

# From the loop of 2017 to one call; {} is the primitive.
LADDER = ("serial:page:{}:map=2017", "serial:page:{}:map=2026", "serial:page:{}",
          "serial:bulk:{}")

TODAY = LADDER[1]


def cells(host: Host, sizes: Sizes, chosen: list[str], swept: list[str],
          cache_states: Iterable[str], processes: int, rounds: int) -> tuple[list[Cell], Skipped]:
    """A cell for each cache state, and one between nodes where there are two."""
    found = [_of_state(host, chosen, sizes, state, processes, rounds)
             for state in unique(cache_states)]
    refused = host.refused["nodes"] if len(host.nodes) > 1 else \
        "this machine has one node with memory"
    if refused:
        return found, (("copies between NUMA nodes", refused),)
    nodes = list(host.nodes)
    return [*found, Cell(
        "serial-ladder", "remote",
        (*sizes.options, f"--source-node={nodes[0]}", f"--destination-node={nodes[-1]}",
         f"--rounds={rounds}"),
        unique(rung.format(p) for p in dict.fromkeys((host.copy_page, *swept))
               for rung in (TODAY, *LADDER)), processes, sharpness=0.025)], ()


def _of_state(host: Host, chosen: list[str], sizes: Sizes, state: str, processes: int,
              rounds: int) -> Cell:
    """Every rung of every routine; of the slowest, which is the floor, just one."""
    source, destination = _two_states(state)
    own, floor = host.copy_page, [p for p in chosen if "floor" in host.roles[p]]
    others = [p for p in chosen if p != own and p not in floor]
    return Cell(
        "serial-ladder", f"{source}-{destination}",
        (*sizes.options, f"--source={source}", f"--destination={destination}", f"--rounds={rounds}"),
        unique((*(rung.format(own) for rung in (TODAY, *LADDER)),
                *(rung.format(p) for p in others for rung in LADDER),
                *(f"serial:bulk:{p}" for p in floor))), processes,
        # A migrated folio is in no cache: from these the claims are judged.
        sharpness=0.017 if state == "cold/cold" else 0.025)


def _two_states(text: str) -> tuple[str, str]:
    source, _, destination = text.partition("/")
    if not {source, destination} <= {"cold", "warm"}:
        raise Misuse(f"cache state {text!r}", "not SOURCE/DESTINATION, each cold or warm",
                     "write it as cold/cold or warm/cold")
    return source, destination


def speedups(samples: Samples) -> dict[str, estimate.Estimate]:
    """What the answer rests on, by name: one call over both loops, the best call
    over today's."""
    own = samples.cell.own
    loop_2017, loop_2026, _, bulk = (rung.format(own) for rung in LADDER)
    return {
        f"one bulk call over the 2026 loop, {own}": estimate.speedup(samples, bulk, loop_2026),
        f"one bulk call over the 2017 loop, {own}": estimate.speedup(samples, bulk, loop_2017),
        "best serial copy over the 2026 loop": estimate.speedup(
            samples, estimate.best_serial(samples), loop_2026)}


def published_bulk_pairs() -> pd.DataFrame:
    """Speed-ups of bulk over per page in S13, as rates' quotients."""
    found = published.figures()
    micro = found[(found["source_id"] == "S13") & (found["pages"] == 1)]
    rows = []
    for (_, where), pair in micro.groupby(["cpu", micro["note"].str.extract(
            r"(\S+->\S+?)[;,]")[0]], sort=False):
        loop, bulk = (pair[pair["variant"].str.endswith(v)].iloc[0] for v in ("per-page", "bulk"))
        chip = "Zen 5, rep movsb" if "9655" in loop["cpu"] else "Zen 3, memcpy_orig"
        rows.append({"label": f"{chip}\n{where}", "speedup": bulk["value"] / loop["value"]})
    return pd.DataFrame(rows)


RUNGS = {"page 2017": "per page, 2017 bookkeeping", "page 2026": "per page, 2026 loop",
         "page none": "per page, bare calls", "bulk none": "bulk, one call"}


SHOWN = 0.4, 1.7       # speeds over the loop; what is beyond is an arrow


def ladder_figure(cells: list[Samples]) -> Figure:
    """Speed of each copy routine over the loop of 2026, by how it is called, a panel for
    each state of the caches."""
    order = list(dict.fromkeys(p for cell in cells for p in _primitives_by_speed(cell)
                               if TODAY.format(p) in cell.seconds))
    fig, panels = drawing.subplots(1, len(cells), figsize=(2.6 + 3 * len(cells),
                                   1.9 + 0.42 * len(order)), sharey=True, sharex=True, squeeze=False)
    for ax, samples in zip(panels[0], cells):
        loop, stable = TODAY.format(samples.cell.own), estimate.is_stable(samples)
        for y, primitive in enumerate(order):
            ax.axhspan(y - 0.5, y + 0.5, color="0.5", alpha=0.12 * (y % 2), linewidth=0)
            for i, rung in enumerate(LADDER):
                if (arm := rung.format(primitive)) in samples.seconds:
                    drawing.dot_within(ax, SHOWN, estimate.speedup(samples, arm, loop),
                                       y + 0.2 * (i - 1.5), drawing.COLOURS[i], "o", stable)
        drawing.at_one(ax)
        ax.grid(False, axis="y")
        ax.set_xlim(*SHOWN)
        ax.set_title(labels.cache_label(samples), fontsize="small")
        ax.set_xlabel("speed over the loop")
    drawing.label_rows(panels[0][0], list(map(_with_kernel_function, order)))
    for i, label in enumerate(RUNGS.values()):
        panels[0][0].plot([], [], "o", color=drawing.COLOURS[i], label=label)
    drawing.legend_below(fig, panels[0][0])
    fig.suptitle(f"The serial ladder: speed over the loop of 2026 with {cells[0].cell.own}")
    return fig


def _with_kernel_function(primitive: str) -> str:
    """A routine's name, and beside it the function of the kernel that copies so."""
    routine = ctools.listed()["primitives"].get(primitive, {"roles": ["libc"]})
    found = [] if "libc" in routine["roles"] else re.findall(r"\w+\(\)", routine["description"])
    return f"{primitive}: {found[0]}" if found else primitive


def _primitives_by_speed(samples: Samples) -> list[str]:
    frame = estimate.table(samples)
    bulk = frame[frame["rule"] == "bulk"].sort_values("speedup", ascending=False)
    return list(bulk["primitive"])
