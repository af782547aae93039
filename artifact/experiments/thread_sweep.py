# SPDX-License-Identifier: MIT
"""threads: 1 to N threads against the best serial copy, what they cost in CPU time,
and where more of them would pay."""

from __future__ import annotations

import typing
from collections.abc import Iterable

from artifact import drawing, estimate, labels, published, teams
from artifact.cells import Cell
from artifact.host import Host
from artifact.ingredients import Sizes, Skipped, folios_of, on_cpus, rounds_of_batches, unique
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Ways to help, by their options; the first two copy in the kernel's fashion.
WAYS = ("", ":caller=waits", ":dispatch=spawn:caller=waits", ":dispatch=spin")
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
    own = host.copy_page
    streaming = next((p for p in reversed(chosen) if "streaming" in host.roles[p]), None)
    return unique([f"serial:bulk:{own}", *(f"serial:bulk:{p}" for p in candidates),
                   *(f"parallel:bulk:{p}:threads={n}{way}"
                     for p in filter(None, (own, streaming)) for n in counts for way in WAYS)])


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
    """Threads against the best serial copy of the same rounds, per batch."""
    fig, panels = drawing.subplots(1, len(cells) + 1, figsize=(3 + 4 * (len(cells) + 1), 5.4))
    limit, limit_gbps = machine_limit(cells)
    for ax, samples in zip(panels, cells):
        best = estimate.best_serial(samples)
        frame = estimate.table(samples, over=best)
        frame = frame[frame["strategy"] == "parallel"]
        frame["way"] = frame["dispatch"] + " " + frame["caller"]
        for k, (primitive, rows_p) in enumerate(frame.groupby("primitive", sort=False)):
            for i, (way, label) in enumerate(WAY_LABELS.items()):
                rows = rows_p[rows_p["way"] == way].sort_values("threads")
                x = rows["threads"] * (1 + 0.035 * (i - 1.5) + 0.012 * k)
                ax.plot(x, rows["speedup"], color=drawing.COLOURS[i], linewidth=1,
                        linestyle="-" if k == 0 else "--")
                drawing.dots(ax, x, rows["speedup"], rows, horizontal=False, colour=drawing.COLOURS[i],
                             label=f"{primitive}: {label}", stable=estimate.is_stable(samples),
                             marker="o" if k == 0 else "s")
        ax.axhline(limit, color="0.3", linestyle=":", linewidth=1)
        ax.annotate(f"this machine's limit: {limit_gbps:.1f} GB/s", (0.02, limit),
                    xycoords=("axes fraction", "data"), xytext=(0, 4),
                    textcoords="offset points", color="0.25", fontsize="small")
        drawing.show_all_dots(ax, [limit], "y")
        drawing.at_one(ax, "y")
        ax.set_title(f"{labels.folios_label(samples)}\nbest serial: {samples.cell.of(best).primitive}, "
                     f"{estimate.gbps(samples, best):.1f} GB/s", fontsize="medium")
        _thread_axis(ax, sorted(set(frame["threads"])))
        drawing.show_all_dots(ax, frame["speedup"], "y")
    panels[0].set_ylabel("speed-up over the best serial copy")
    _published_threads(panels[-1])
    drawing.legend_below(fig, panels[0], columns=2)
    fig.suptitle("What threads add to the best serial copy")
    return fig


def _thread_axis(ax: Axes, counts: list[int]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(counts, [str(count) for count in counts])
    drawing.major_only(ax.xaxis)
    ax.set_xlim(counts[0] / 1.3, counts[-1] * 1.3)
    ax.set_xlabel("threads that copy")


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


def cpu_cost_figure(cells: list[Samples]) -> Figure:
    """CPU time against speed-up, both over the best serial copy."""
    fig, panels = drawing.subplots(1, len(cells), figsize=(2 + 5 * len(cells), 5.2), squeeze=False,
                                   sharex=True, sharey=True)
    for ax, samples in zip(panels[0], cells):
        best = estimate.best_serial(samples)
        for arm in teams.teams(samples):
            what = samples.cell.of(arm)
            way = list(WAY_LABELS).index(f"{what.dispatch} {what.caller}")
            cost, gain = (f(samples, arm, best) for f in (estimate.cpu_ratio, estimate.speedup))
            own = what.primitive == samples.cell.own
            ax.errorbar(cost.value, gain.value,
                        xerr=[[cost.value - cost.low], [cost.high - cost.value]],
                        yerr=[[gain.value - gain.low], [gain.high - gain.value]],
                        fmt="o" if own else "s", color=drawing.COLOURS[way], elinewidth=1,
                        markersize=5, markerfacecolor=drawing.COLOURS[way] if
                        estimate.is_stable(samples) else "white")
            drawing.show_all_dots(ax, [cost.value], "x")
            drawing.show_all_dots(ax, [gain.value], "y")
            ax.annotate(str(what.threads), (cost.value, gain.value), xytext=(5, 3),
                        textcoords="offset points", fontsize="x-small", color="0.3")
        _published_cpu(ax)
        drawing.at_one(ax, "y")
        drawing.at_one(ax)
        ax.set_title(f"{labels.folios_label(samples)}; best serial: "
                     f"{estimate.cpu_seconds_per_gib(samples, best):.3f} CPU-s per GiB",
                     fontsize="medium")
        ax.set_xlabel("CPU time of caller and workers over the best serial copy's")
        for axis in (ax.xaxis, ax.yaxis):
            drawing.numbers(axis, "{:g}x")
    panels[0][0].set_ylabel("speed-up over the best serial copy")
    for i, label in enumerate(WAY_LABELS.values()):
        panels[0][0].plot([], [], "o", color=drawing.COLOURS[i], label=label)
    for marker, label in (("o", "the kernel's copy_page()"), ("s", "non-temporal stores")):
        panels[0][0].plot([], [], marker, color="0.5", label=label)
    drawing.legend_below(fig, panels[0][0], columns=3)
    fig.suptitle("What the speed-up costs in CPU time (numbers are thread counts)")
    return fig


def _published_cpu(ax: Axes) -> None:
    """S04: eight CPUs busy for the parallel time against one for the serial."""
    serial, parallel = (published.value("S04", v, "us") for v in ("thp-migration", "thp+mt-copy"))
    ax.plot([8 * parallel / serial], [serial / parallel], **drawing.PUBLISHED_STYLE)
    drawing.show_all_dots(ax, [8 * parallel / serial], "x")
    drawing.show_all_dots(ax, [serial / parallel], "y")
    ax.annotate("published:\n8 threads, 2016", (8 * parallel / serial, serial / parallel),
                xytext=(-6, -6), textcoords="offset points", ha="right", va="top",
                fontsize="small", color="0.35")
