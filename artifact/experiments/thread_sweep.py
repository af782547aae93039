# SPDX-License-Identifier: MIT
"""threads: 1 to N threads against the best serial copy, what they cost in CPU time,
and where more of them would pay."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable

from artifact import ctools, drawing, estimate, labels, published, teams
from artifact.cells import Cell
from artifact.host import Host
from artifact.ingredients import Sizes, Skipped, folios_of, on_cpus, rounds_of_batches, unique
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Ways to help, by their options; the first two copy in the kernel's fashion.
WAYS = ("", ":caller=waits", ":dispatch=spawn:caller=waits", ":dispatch=spin")
CEILING_WAYS = ("", ":dispatch=spin")       # of what no kernel can call as it is
COLUMNS = 3         # of the figure
WAY_LABELS = {"wake works": "woken, caller copies too", "wake waits": "woken, caller waits",
              "spawn waits": "spawned per copy, caller waits",
              "spin works": "spinning, caller copies too"}


def cells(host: Host, sizes: Sizes, chosen: list[str], threads: Iterable[int],
          folios: Iterable[int], processes: int, rounds: int) -> tuple[list[Cell], Skipped]:
    """A cell for each placement and number of folios in a call."""
    counts = sorted(set(threads)) or thread_counts(len(host.cpus))
    arms = _arms(host, chosen, counts)
    found = [Cell(
        "threads", f"{name}-{count}-folio",
        # A batch leaves time for few rounds: more processes make up for it.
        (*sizes.options, on_cpus(order), rounds_of_batches(rounds, count)),
        tuple(folios_of(arm, count) for arm in arms),
        processes if count == 1 else 2 * processes,
        resolution=0.02 if count == 1 else 0.04, quiet=True, sharpness=0.045)
        for name, order in host.placements.items() for count in unique(folios)]
    return found, tuple((f"{name} placement of threads", "the same as spread on this machine")
                        for name in ("packed", "sibling") if name not in host.placements)


def _arms(host: Host, chosen: list[str], counts: list[int]) -> tuple[str, ...]:
    """Every serial candidate for best, then each way to help at each count."""
    slow = {"floor", "careful", "nothing"}
    candidates = [p for p, lacks in host.lacks.items() if not lacks and not slow & {*host.roles[p]}]
    own = host.folio_mc_copy
    best, ceiling = (next((p for p in reversed(chosen) if role in host.roles[p]), None)
                     for role in ("flushcache", "streaming"))
    return unique([f"serial:bulk:{own}", *(f"serial:bulk:{p}" for p in candidates),
                   *(f"parallel:bulk:{p}:threads={n}{way}"
                     for p, ways in ((own, WAYS), (best, WAYS), (ceiling, CEILING_WAYS)) if p
                     for n in counts for way in ways)])


def thread_counts(cpus: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, .. and the CPU count itself; 64 at the most."""
    counts = {1, min(cpus, 64)}
    for power in (1 << n for n in range(1, 7)):
        counts |= {power, power * 3 // 2}
    return sorted(count for count in counts if count <= min(cpus, 64))


def spread_cells(cells: list[Samples]) -> list[Samples]:
    """Those whose threads are spread over caches and cores, by folios in a call."""
    return [samples for samples in cells if samples.cell.label.startswith("spread-")]


def machine_limit(cells: list[Samples]) -> tuple[float, float]:
    """Speed-up over the best serial copy, and GB/s, with all CPUs copying
    whole folios and no dispatch to wait for: the largest batch, spinning."""
    def folios(samples: Samples) -> int:
        return max(samples.cell.of(v).folios for v in samples.cell.variants)
    samples = max(cells, key=folios)
    frame = estimate.table(samples, over=estimate.best_serial(samples))
    spinning = frame[(frame["strategy"] == "parallel") & (frame["dispatch"] == "spin")]
    all_cpus = spinning[spinning["threads"] == spinning["threads"].max()]
    limit = all_cpus.loc[all_cpus["speedup"].idxmax()]
    return float(limit["speedup"]), float(limit["gbps"])


def threads_figure(cells: list[Samples]) -> Figure:
    """What threads add to the best serial copy and cost in CPU time, per batch; and what
    was published."""
    rows = _rows(cells[0])
    fig, panels = _panels(len(cells) + 1, len(rows))
    counts = sorted({samples.cell.of(arm).threads for samples in cells
                     for arm in teams.teams(samples)})
    limit, limit_gbps = machine_limit(cells)
    for nth, (ax, samples) in enumerate(zip(panels, cells)):
        best = estimate.best_serial(samples)
        found = {arm: estimate.speedup(samples, arm, best) for arm in teams.teams(samples)}
        for arm, ratio in found.items():
            i = counts.index(samples.cell.of(arm).threads)
            drawing.dots(ax, [ratio.value], [list(rows).index(_row(samples, arm))
                                             + 0.14 * (i - (len(counts) - 1) / 2)],
                         drawing.as_rows([ratio]), horizontal=True, label=None,
                         colour=_shade(i, len(counts)), stable=estimate.is_stable(samples))
        drawing.at_one(ax)
        drawing.line(ax, limit, ":", f"fastest spinning team: {limit_gbps:.1f} GB/s")
        values = [limit, 1, *(ratio.value for ratio in found.values())]
        ax.set_xlim(min(values) - 0.1, max(values) + 0.15)
        drawing.label_rows(ax, [""] * len(rows) if nth % COLUMNS else list(rows.values()))
        ax.set_title(f"{labels.folios_label(samples)}\nbest serial: {samples.cell.of(best).primitive}, "
                     f"{estimate.gbps(samples, best):.1f} GB/s", fontsize="medium")
        ax.set_xlabel("speed over the best serial copy")
        most = {arm: rows[_row(samples, arm)] for arm in found
                if samples.cell.of(arm).threads == counts[-1]}
        drawing.columns(ax, list(rows.values()), {f"CPU time,\n{counts[-1]} threads": {
            label: f"{estimate.cpu_ratio(samples, arm, best).value:.2f}x"
            for arm, label in most.items()}})
    for i, count in enumerate(counts):
        panels[0].plot([], [], "o", color=_shade(i, len(counts)),
                       label=f"{count} thread{'s' * (count > 1)}")
    _published_threads(panels[-1])
    drawing.legend_below(fig, panels[0], columns=5)
    return fig


def _panels(count: int, rows: int) -> tuple[Figure, list[Axes]]:
    """In lines, as more of them beside each other would be too wide to read."""
    columns = min(count, COLUMNS)
    lines = math.ceil(count / columns)
    fig, axes = drawing.subplots(lines, columns, squeeze=False, figsize=(
        3.5 + 4.3 * columns, (2.4 + 0.42 * rows) * lines))
    for unused in axes.flat[count:]:
        unused.set_axis_off()
    return fig, list(axes.flat[:count])


def _row(samples: Samples, arm: str) -> tuple[str, str]:
    """A row of the figure: how it is copied, and who helps."""
    what = samples.cell.of(arm)
    return what.primitive, f"{what.dispatch} {what.caller}"


def _rows(samples: Samples) -> dict[tuple[str, str], str]:
    """The labels of the rows, in the order of the plan's routines and of WAYS."""
    there = dict.fromkeys(_row(samples, arm) for arm in teams.teams(samples))
    primitives = list(dict.fromkeys(primitive for primitive, _ in there))
    return {(p, way): f"{p}{'' if ctools.a_kernel_can_call(p) else ' (FPU)'}: {label}"
            for p in primitives
            for way, label in WAY_LABELS.items() if (p, way) in there}


def _shade(nth: int, of: int) -> typing.Any:
    """More threads are darker."""
    return drawing.pyplot().get_cmap("viridis_r")(0.2 + 0.7 * nth / max(of - 1, 1))


PUBLISHED_THREADS = {
    # label: source, variant of the curve, variant of its serial start, pages
    "2019: one huge page": ("S08", "thp+mt-copy:migrate_page_copy()",
                            "thp-migration:migrate_page_copy()", 1),
    "2025 V2: spread over CCDs": ("S11", "mtcopy, threads spread across CCDs", None, None),
    "2025 V2: one CCD first": ("S11", "mtcopy, fill one CCD first", None, None),
    "2025 V3: 512 huge pages": ("S12", "mtcopy", "vanilla", 512),
}


def _published_threads(ax: Axes) -> None:
    """Published curves over each series' own serial copy, never the best."""
    found = published.figures()
    for i, (label, (source, variant, start, pages)) in enumerate(PUBLISHED_THREADS.items()):
        here = found[(found["source_id"] == source) & (found["unit"] == "GB/s")
                     & (found["page_size_kib"] == 2048)]
        if pages:
            here = here[here["pages"] == pages]
        curve = here[here["variant"] == variant].drop_duplicates("threads")
        counts = curve["threads"].astype(int)
        one = here[here["variant"] == start] if start else curve[counts == 1]
        ax.plot(counts, curve["value"] / one["value"].iloc[0], marker="Dsv^"[i], color="0.45",
                linestyle=["-", "--", ":", "-."][i], markersize=5, label=label)
    drawing.at_one(ax, "y")
    ax.set_xscale("log", base=2)
    ax.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    drawing.major_only(ax.xaxis)
    ax.set_xlabel("threads")
    ax.set_title("published, over each series'\nown serial loop", fontsize="medium")
    ax.legend(fontsize="small", loc="upper left")
