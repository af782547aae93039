# SPDX-License-Identifier: MIT
"""factorial: {serial, parallel} x {per page, bulk}, and the share of the gain that
batching alone has."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterable

from artifact import drawing, estimate, labels, published
from artifact.cells import Cell
from artifact.host import Host
from artifact.ingredients import Sizes, folios_of, on_cpus, rounds_of_batches, unique
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cells(host: Host, sizes: Sizes, chosen: list[str], folios: Iterable[int], processes: int,
          rounds: int) -> list[Cell]:
    """A cell for each number of folios in a call."""
    spread = host.placements["spread"]
    arms = _crossed(host.copy_page, chosen, min(8, len(host.cpus)))
    return [Cell("factorial", f"{count}-folio",
                 (*sizes.options, on_cpus(spread), rounds_of_batches(rounds, count)),
                 tuple(folios_of(arm, count) for arm in arms), processes,
                 resolution=0.02 if count == 1 else 0.04, quiet=True,
                 sharpness=0.04 if count == 1 else 0.07) for count in unique(folios)]


def _crossed(copy_page: str, chosen: list[str], threads: int) -> list[str]:
    """{serial, parallel} x {per page, bulk}, woken and spinning workers: as in 2017
    with the copy_page() of then, as today with each other routine."""
    variants = []
    for p in unique((copy_page, *chosen)):
        loop = f"{p}:map={'2017' if p == copy_page else '2026'}"
        variants += [f"serial:page:{loop}", f"serial:bulk:{p}"]
        variants += [f"parallel:{rule}:threads={threads}{dispatch}"
                     for dispatch in ("", ":dispatch=spin")
                     for rule in (f"page:{loop}", f"bulk:{p}")]
    return variants


def share_of_batching(samples: Samples, primitive: str) -> estimate.Estimate | None:
    """The share of what spinning threads that copy in bulk gain, over the serial loop of the
    same routine, that the serial bulk copy has alone; None where they clearly gain nothing."""
    loop, bulk, both = _loop_bulk_both(samples, primitive)
    return estimate.share(estimate.log_speedups(samples, bulk, loop),
                          estimate.log_speedups(samples, both, loop))


@dataclasses.dataclass(frozen=True)
class Batching:
    """A serial bulk copy against spinning threads that copy in bulk, both over the serial
    loop of the same routine.

    beyond_half: its gain over half of theirs, of logarithms: log(bulk) - log(threads) / 2,
    as a ratio. A difference, so it needs no gain to divide by.
    """

    beyond_half: estimate.Estimate
    threads: estimate.Estimate
    arms: tuple[str, ...]


def batching(samples: Samples, primitive: str) -> Batching:
    """Of the loop with that routine."""
    loop, bulk, both = arms = _loop_bulk_both(samples, primitive)
    alone, threads = (estimate.log_speedups(samples, arm, loop) for arm in (bulk, both))
    beyond, gain = (estimate.exponential(estimate.interval(logs))
                    for logs in (alone - threads / 2, threads))
    return Batching(beyond, gain, arms)


def _loop_bulk_both(samples: Samples, primitive: str) -> tuple[str, str, str]:
    """The serial loop, the serial bulk copy, and that of spinning threads."""
    loop, bulk, both = (_factor_arm(samples, primitive, key) for key in (
        ("serial", "page", "wake"), ("serial", "bulk", "wake"), ("parallel", "bulk", "spin")))
    return loop, bulk, both


def _factor_arm(samples: Samples, primitive: str, key: tuple[str, str, str]) -> str:
    strategy, rule, dispatch = key
    return samples.cell.where(primitive=primitive, strategy=strategy, rule=rule,
                              dispatch=dispatch)[0]


# By what is called, the steps from the serial loop on.
STEPS = {"page": (("parallel", "page", "wake"), ("parallel", "page", "spin")),
         "bulk": (("serial", "bulk", "wake"), ("parallel", "bulk", "wake"),
                  ("parallel", "bulk", "spin"))}
RULE_LABELS = {"page": "a call for each base page", "bulk": "one bulk call"}
STEP_MARKERS = {("serial", "wake"): ("s", "serial"), ("parallel", "wake"): ("o", "threads, woken"),
                ("parallel", "spin"): ("^", "threads, spinning")}


def factorial_figure(cells: list[Samples]) -> Figure:
    """Batching and threading told apart: from the serial loop of each copy routine to
    bulk calls, threads, and threads that spin; and what share of it batching alone gives."""
    fig, panels = drawing.subplots(1, len(cells) + 1, figsize=(6 + 5.5 * len(cells), 6),
                                   width_ratios=[3] * len(cells) + [2])
    for ax, samples in zip(panels, cells):
        primitives = samples.cell.primitives
        shown = [1.0]
        for y, p in enumerate(primitives):
            for i, steps in enumerate(STEPS.values()):
                shown += _steps(ax, samples, p, steps, y + 0.36 * (i - 0.5), drawing.COLOURS[i])
        drawing.at_one(ax)
        ax.set_xlim(min(shown) - 0.08, max(shown) + 0.08)
        drawing.label_rows(ax, list(primitives))
        ax.set_title(labels.folios_label(samples))
        ax.set_xlabel("speed over the serial loop of the same copy routine")
        drawing.columns(ax, list(primitives), {"batching's share\nof the gain": {
            p: _share_text(samples, p) for p in primitives}}, width=90)
    for rule, colour in zip(STEPS, drawing.COLOURS):
        panels[0].plot([], [], color=colour, linewidth=4, label=RULE_LABELS[rule])
    for marker, label in STEP_MARKERS.values():
        panels[0].plot([], [], marker, color="0.3", label=label)
    _published_factorial(panels[-1])
    drawing.legend_below(fig, panels[0], columns=5)
    return fig


def _steps(ax: Axes, samples: Samples, primitive: str, steps, y: float, colour: str) -> list[float]:
    """The steps of one copy routine in a row, joined; returns their ratios."""
    loop = _factor_arm(samples, primitive, ("serial", "page", "wake"))
    ratios = [estimate.speedup(samples, _factor_arm(samples, primitive, key), loop)
              for key in steps]
    values = [ratio.value for ratio in ratios]
    ax.plot([1, *values], [y] * (1 + len(values)), color=colour, linewidth=0.8, alpha=0.6)
    for nth, ((strategy, _, dispatch), ratio) in enumerate(zip(steps, ratios)):
        drawing.dots(ax, [ratio.value], [y + 0.08 * (nth - 1)], drawing.as_rows([ratio]),
                     horizontal=True, colour=colour, label=None,
                     stable=estimate.is_stable(samples), marker=STEP_MARKERS[strategy, dispatch][0])
    return values


def _share_text(samples: Samples, primitive: str) -> str:
    found = share_of_batching(samples, primitive)
    if found is None or not math.isfinite(found.low):
        return "no clear gain"
    return f"{found.value:z.0%} [{found.low:z.0%}, {found.high:z.0%}]"


def _published_factorial(ax: Axes) -> None:
    """The nearest published answer: S12 has one thread with batching as well."""
    found = published.figures()
    rows = found[(found["source_id"] == "S12") & (found["pages"] == 512)
                 & (found["page_size_kib"] == 2048)].drop_duplicates(["variant", "threads"])
    rates = rows.set_index(["variant", "threads"])["value"]
    gains = {f"{threads} thread{'s' if threads != '1' else ''}":
             rates["mtcopy", threads] / rates["vanilla", "1"] for threads in ("1", "2", "4", "8")}
    ax.plot(list(gains.values()), range(len(gains)), **drawing.PUBLISHED_STYLE)
    drawing.at_one(ax)
    ax.set_yticks(range(len(gains)), list(gains))
    ax.set_ylim(len(gains) - 0.5, -0.5)
    ax.set_xlim(0, 1.15 * max(gains.values()))
    alone = math.log(gains["1 thread"]) / math.log(gains["8 threads"])
    ax.set_title("published: batched over vanilla\n(Garg, September 2025, 512 huge pages)",
                 fontsize="small")
    ax.set_xlabel(f"speed-up of move_pages(); one thread has\n{alone:.0%} of the gain of eight")
