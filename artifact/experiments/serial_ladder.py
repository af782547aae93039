# SPDX-License-Identifier: MIT
"""serial-ladder: from the loop of 2017 to one call, for every copy routine that
runs here and every state of the caches."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable

import pandas as pd

from artifact import ctools, drawing, eras, estimate, labels, published
from artifact.cells import Cell
from artifact.host import Host
from artifact.ingredients import Sizes, Skipped, unique
from artifact.problem import Misuse
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure

# From a loop as migration has it now to one call; {} is the primitive.
LADDER = ("serial:page:{}:map=2026", "serial:page:{}", "serial:bulk:{}")
TODAY = LADDER[0]
# What it was in 2017, with CONFIG_PREEMPT_COUNT and without; {} is copy_page().
THEN = ("serial:page:{}:map=2017", "serial:page:{}:map=2017-voluntary")


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
        _arms(host, swept), processes, sharpness=0.025)], ()


def _of_state(host: Host, chosen: list[str], sizes: Sizes, state: str, processes: int,
              rounds: int) -> Cell:
    """Every rung of every routine; of the slowest, which is the floor, just one."""
    source, destination = _two_states(state)
    floor = [p for p in chosen if "floor" in host.roles[p]]
    return Cell(
        "serial-ladder", f"{source}-{destination}",
        (*sizes.options, f"--source={source}", f"--destination={destination}", f"--rounds={rounds}"),
        unique((*_arms(host, [p for p in chosen if p not in floor]),
                *(f"serial:bulk:{p}" for p in floor))), processes,
        # A migrated folio is in no cache: from these the claims are judged.
        sharpness=0.017 if state == "cold/cold" else 0.025)


def _arms(host: Host, routines: Iterable[str]) -> tuple[str, ...]:
    """Today's loop first; the loops of 2017; each rung of each routine."""
    return unique((TODAY.format(host.folio_mc_copy), *(rung.format(host.copy_page) for rung in THEN),
                   *(rung.format(p) for p in (host.folio_mc_copy, host.copy_page, *routines)
                     for rung in LADDER)))


def _two_states(text: str) -> tuple[str, str]:
    source, _, destination = text.partition("/")
    if not {source, destination} <= {"cold", "warm"}:
        raise Misuse(f"cache state {text!r}", "not SOURCE/DESTINATION, each cold or warm",
                     "write it as cold/cold or warm/cold")
    return source, destination


def speedups(samples: Samples) -> dict[str, estimate.Estimate]:
    """What the answer rests on, by name: one call over the first loop and over that of
    2017, the best call over the first."""
    bulk, loop = one_call(samples), samples.cell.baseline
    return {"one bulk call over the page-by-page loop": estimate.speedup(samples, bulk, loop),
            "one bulk call over the loop of 2017": estimate.speedup(
                samples, bulk, loop_2017(samples)),
            "best serial copy over the page-by-page loop": estimate.speedup(
                samples, estimate.best_serial(samples), loop)}


def one_call(samples: Samples) -> str:
    """The arm of one call of the routine that migration calls."""
    return LADDER[-1].format(samples.cell.own)


def loop_2017(samples: Samples) -> str:
    """The arm of the loop of 2017 with the copy_page() of then."""
    return samples.cell.where(map="2017")[0]


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


RUNGS = dict(zip((*THEN, *LADDER), (
    "bookkeeping of 4.10, with a preempt count", "without one (voluntary preemption)",
    "bookkeeping of 6.1 and 6.18", "a call per page, no bookkeeping", "one call")))


SHOWN = 0.4, 1.7       # speeds over the loop; what is beyond is an arrow


def ladder_figure(cells: list[Samples]) -> Figure:
    """Speed of each copy routine over the loop of the cell's baseline, by how it is called,
    a panel for each state of the caches; apart those that no kernel can call as they are."""
    there = dict.fromkeys(p for cell in cells for p in _primitives_by_speed(cell))
    order = sorted(there, key=lambda p: not ctools.a_kernel_can_call(p))
    plain = sum(map(ctools.a_kernel_can_call, order))
    fig, panels = drawing.subplots(1, len(cells), figsize=(2.6 + 3 * len(cells),
                                   1.9 + 0.42 * len(order)), sharey=True, sharex=True, squeeze=False)
    for ax, samples in zip(panels[0], cells):
        loop, stable = samples.cell.baseline, estimate.is_stable(samples)
        for y, primitive in enumerate(order):
            ax.axhspan(y - 0.5, y + 0.5, color="0.5", alpha=0.12 * (y % 2), linewidth=0)
            for i, rung in enumerate(RUNGS):
                if (arm := rung.format(primitive)) in samples.seconds:
                    drawing.dot_within(ax, SHOWN, estimate.speedup(samples, arm, loop),
                                       y + 0.18 * (i - 2), drawing.COLOURS[i], "o", stable)
        if plain < len(order):
            ax.axhline(plain - 0.5, color="0.3", linewidth=1)
        drawing.at_one(ax)
        ax.grid(False, axis="y")
        ax.set_xlim(*SHOWN)
        ax.set_title(labels.cache_label(samples), fontsize="small")
        ax.set_xlabel("speed over the loop")
    drawing.label_rows(panels[0][0], list(map(_with_kernel_function, order)))
    for i, label in enumerate(RUNGS.values()):
        panels[0][0].plot([], [], "o", color=drawing.COLOURS[i], label=label)
    drawing.legend_below(fig, panels[0][0])
    fig.suptitle(f"The serial ladder, over {eras.told(cells[0].cell.baseline)}")
    return fig


def _with_kernel_function(primitive: str) -> str:
    """A routine's name, and beside it the function of a kernel that copies so."""
    if era := eras.of(TODAY.format(primitive)):
        return f"{primitive}: {era.functions.split()[-1]}"
    routine = ctools.listed()["primitives"].get(primitive, {"roles": [ctools.LIBC_ROLE]})
    found = [] if ctools.LIBC_ROLE in routine["roles"] else \
        re.findall(r"\w+\(\)", routine["description"])
    return f"{primitive}: {found[0]}" if found else primitive


def _primitives_by_speed(samples: Samples) -> list[str]:
    frame = estimate.table(samples)
    bulk = frame[frame["rule"] == "bulk"].sort_values("speedup", ascending=False)
    floor = {p for p, known in ctools.listed()["primitives"].items() if "floor" in known["roles"]}
    return [p for p in bulk["primitive"] if p not in floor]
