# SPDX-License-Identifier: MIT
"""live: each step of the series inside the kernel's own move_pages(2)."""

from __future__ import annotations

import typing

import pandas as pd

from artifact import drawing
from artifact.experiments import moves
from artifact.samples import KernelSamples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = {"loop": "the kernel's loop, in the module", "bulk": "one bulk copy",
         "highpri:1": "1 worker, system_highpri_wq", "highpri:2": "2 workers, system_highpri_wq",
         "unbound:1": "1 worker, system_unbound_wq", "unbound:2": "2 workers, system_unbound_wq"}

REFERENCES = {"loop": "the kernel's loop in the module", "off": "the unpatched kernel"}


def reference(live: KernelSamples) -> str:
    """What steps are compared with: the unpatched kernel where it was timed;
    where it was counted the same loop in the module, as its own may not be a rep."""
    return "loop" if live.cell.counted else "off"


def step_cost(live: KernelSamples, row: str, step: str, way: str = "there") -> float:
    """What a step of the series adds to a move, for each folio."""
    return (live.median(f"{row}:live={step}:{way}") -
            live.median(f"{row}:live={reference(live)}:{way}")) / moves.folios(row)


def live_figure(cells: list[KernelSamples]) -> Figure:
    """Each step of the series inside the kernel's own move_pages(2)."""
    samples = cells[0]
    rows = list(dict.fromkeys(row.partition(":live=")[0] for row in moves.rows_of(samples)))
    steps = [step for step in STEPS if step != reference(samples)]
    fig, panels = drawing.subplots(1, len(rows), figsize=(4 + 4.2 * len(rows), 4),
                                   sharey=True, squeeze=False)
    for ax, row in zip(panels[0], rows):
        found = pd.Series({step: step_cost(samples, row, step) for step in steps})
        ax.barh(range(len(steps)), found, color=drawing.COLOURS[0], alpha=0.7)
        for y, value in enumerate(found):
            ax.annotate(f" {value:+,.0f} ", (value, y), va="center", fontsize="small",
                        ha="left" if value >= 0 else "right")
        span = max(found.max(), 0) - min(found.min(), 0)
        ax.set_xlim(min(found.min(), 0) - 0.3 * span, max(found.max(), 0) + 0.3 * span)
        ax.axvline(0, color="0.3", linewidth=1)
        drawing.numbers(ax.xaxis, "{:,.0f}")
        ax.tick_params(axis="x", labelsize="small")
        ax.set_title(_row_title(row, samples))
        ax.set_xlabel(f"{samples.unit_label} beyond\n{REFERENCES[reference(samples)]}, "
                      "for each folio")
    drawing.label_rows(panels[0][0], [STEPS[step] for step in steps])
    fig.suptitle(f"The patch, live: move_pages(2) of {samples.name} with each step of the "
                 "series in place of its folio copy")
    return fig


def _row_title(row: str, samples: KernelSamples) -> str:
    beside = reference(samples)
    total = samples.median(f"{row}:live={beside}:there") / moves.folios(row)
    unit = "instructions" if samples.cell.counted else "ns"
    told = "with the loop" if beside == "loop" else "as it is"
    return f"{moves.row_label(row)}\n{told}: {total:,.0f} {unit} each"
