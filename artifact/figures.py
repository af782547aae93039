# SPDX-License-Identifier: MIT
"""The figures: samples in, matplotlib figures out. Nothing is measured here.

A dot is an estimate, its bar the interval in which 95 % of repeats of the
run should fall; a hollow dot is from a cell that failed its own A/A check.
Published figures are grey diamonds and always in a panel of their own or
labelled, because another machine measured them in another way.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from artifact import ctools, drawing, estimate, plan, published
from artifact.load import Samples

RUNGS = {"page 2017": "per page, 2017 bookkeeping", "page 2026": "per page, 2026 loop",
         "page none": "per page, bare calls", "bulk none": "bulk, one call"}
DISPATCHES = {"wake works": "woken, caller copies too", "wake waits": "woken, caller waits",
              "spawn waits": "spawned per copy, caller waits",
              "spin works": "spinning, caller copies too"}


def serial_ladder(cells: list[Samples]) -> Figure:
    """Speed-up over today's loop: primitive x rung, a panel per cache state."""
    fig, panels = plt.subplots(1, len(cells), figsize=(2 + 3.1 * len(cells), 6.2), sharey=True,
                               sharex=True, squeeze=False, layout="constrained")
    order = list(dict.fromkeys(p for cell in cells for p in _primitives_by_speed(cell)))
    for ax, samples in zip(panels[0], cells):
        frame = estimate.table(samples)
        frame["rung"] = frame["rule"] + " " + frame["map"]
        for i, (rung, label) in enumerate(RUNGS.items()):
            rows = frame[frame["rung"] == rung]
            y = [order.index(p) + 0.2 * (i - 1.5) for p in rows["primitive"]]
            drawing.dots(ax, rows["speedup"], y, rows, horizontal=True, colour=drawing.COLOURS[i],
                  label=label, stable=estimate.is_stable(samples))
        ax.axvline(1, color="0.3", linewidth=1)
        ax.set_title(cache_label(samples))
        ax.set_xlabel("speed-up")
        ax.set_yticks(range(len(order)), order)
        drawing.show_all_dots(panels[0][0], frame["speedup"], "x")
    panels[0][0].invert_yaxis()
    own = plan.fields(cells[0].cell.variants[0])["primitive"]
    drawing.legend_below(fig, panels[0][0])
    fig.suptitle(f"The serial ladder: speed-up over today's per-page loop with {own}")
    return fig


def bulk_gain(cells: list[Samples]) -> Figure:
    """What one call gains over per-page calls of the same primitive, beside
    the only published counterpart (S13)."""
    fig, (ours, theirs) = plt.subplots(1, 2, figsize=(12, 5.4), sharex=True, layout="constrained",
                                       gridspec_kw={"width_ratios": [3, 2]})
    order = list(dict.fromkeys(p for cell in cells for p in _primitives_by_speed(cell)
                               if p != "byte"))
    for i, samples in enumerate(cells):
        present = [p for p in order if f"serial:page:{p}:map=2026" in samples.seconds]
        rows = pd.DataFrame([drawing.as_row(estimate.speedup(
            samples, f"serial:bulk:{p}", f"serial:page:{p}:map=2026")) for p in present])
        y = [order.index(p) + 0.17 * (i - (len(cells) - 1) / 2) for p in present]
        drawing.dots(ours, rows["speedup"], y, rows, horizontal=True, colour=drawing.COLOURS[i],
              label=cache_label(samples), stable=estimate.is_stable(samples))
        drawing.show_all_dots(ours, rows["speedup"], "x")
    ours.set_yticks(range(len(order)), order)
    ours.invert_yaxis()
    ours.set_title("measured here")
    ours.set_xlabel("speed-up of one bulk call over the 2026 loop, same primitive")

    pairs = _published_bulk_pairs()
    theirs.plot(pairs["speedup"], range(len(pairs)), **drawing.PUBLISHED_STYLE)
    theirs.set_yticks(range(len(pairs)), pairs["label"])
    theirs.invert_yaxis()
    theirs.set_ylim(len(pairs) - 0.5, -0.5)
    theirs.set_title("published (Garg, April 2026)")
    theirs.set_xlabel("speed-up of one bulk call over the 2026 loop")
    drawing.show_all_dots(ours, pairs["speedup"], "x")
    for ax in (ours, theirs):
        ax.axvline(1, color="0.3", linewidth=1)
    drawing.legend_below(fig, ours)
    fig.suptitle("What one bulk copy of a huge page gains over the per-page loop")
    return fig


def map_cost(cells: list[Samples]) -> Figure:
    """Gain of a bulk call against what mapping a page is made to cost."""
    samples, = cells
    bulk = samples.cell.variants[0]
    fig, ax = plt.subplots(figsize=(9.5, 5.6), layout="constrained")
    rows = pd.DataFrame([{"ns": ns, **drawing.as_row(estimate.speedup(samples, bulk, arm))}
                         for arm, ns in sorted(samples.delay_ns.items(), key=lambda item: item[1]) if ns > 0])
    drawing.dots(ax, rows["ns"], rows["speedup"], rows, horizontal=False, colour=drawing.COLOURS[0],
          label="modelled cost, as achieved", stable=estimate.is_stable(samples))
    grid = np.geomspace(rows["ns"].min() / 2, rows["ns"].max() * 1.5, 200)
    ax.plot(grid, 1 + grid / ns_per_page(samples, bulk), color=drawing.COLOURS[0], linewidth=1, alpha=0.6,
            label="1 + cost / time to copy a page")
    for i, (rung, label) in enumerate(list(RUNGS.items())[:3]):
        arm = _rung_arm(samples, rung)
        ratio = estimate.speedup(samples, bulk, arm)
        ax.axhspan(ratio.low, ratio.high, color=drawing.COLOURS[i + 1], alpha=0.25, linewidth=0)
        ax.axhline(ratio.value, color=drawing.COLOURS[i + 1], linewidth=1.2, label=f"bulk over {label}")
    gain, there = published_gain(), published_cost_ns()
    here = (gain - 1) * ns_per_page(samples, bulk)
    ax.axhline(gain, color="0.45", linestyle="--", linewidth=1)
    ax.annotate(f"published gain of 8 threads: {gain:.2f}x (Zi Yan, 9 March 2017)",
                (grid[0], gain), xytext=(0, 4), textcoords="offset points", color="0.35")
    for ns, text, lift, side, edge in ((there, "needed there", -10, "top", "center"),
                                       (here, "needed here", 8, "bottom", "right")):
        ax.plot([ns], [gain], **drawing.PUBLISHED_STYLE)
        ax.annotate(f"{text}:\n{ns:.0f} ns a page", (ns, gain), xytext=(0, lift),
                    textcoords="offset points", ha=edge, va=side, color="0.25")
    ax.set_xscale("log")
    ax.set_yscale("log", base=2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.set_ylim(0.8, 1.3 * max(rows["speedup"].max(), gain))
    ax.set_xlabel("map cost per base page, ns")
    ax.set_ylabel("speed-up of one bulk call over the loop")
    drawing.legend_below(fig, ax, columns=3)
    ax.set_title("What mapping would have to cost to explain the published gain")
    return fig


def extent_sweep(cells: list[Samples]) -> Figure:
    """Throughput and the longest call without a reschedule point, by extent."""
    fig, ((within, beyond), (theirs, stretch)) = plt.subplots(2, 2, figsize=(12.5, 9),
                                                              layout="constrained")
    for ax, samples in zip((within, beyond), cells):
        first = min(_extents(samples, _swept(samples)[0]))
        for i, primitive in enumerate(_swept(samples)):
            arms = _extents(samples, primitive)
            rows = pd.DataFrame([drawing.as_row(estimate.speedup(samples, arm, arms[first]))
                                 for arm in arms.values()])
            ax.plot(list(arms), rows["speedup"], color=drawing.COLOURS[i], linewidth=1)
            drawing.dots(ax, list(arms), rows["speedup"], rows, horizontal=False, colour=drawing.COLOURS[i],
                  label=primitive, stable=estimate.is_stable(samples))
            drawing.show_all_dots(ax, rows["speedup"], "y")
            _draw_stretch(stretch, samples, i, primitive)
        ax.axhline(1, color="0.3", linewidth=1)
        ax.set_ylabel(f"speed-up over calls of {ctools.format_size(first)}")
        _extent_axis(ax, [samples])
    within.set_title("throughput within a huge page")
    within.legend(loc="best")
    if len(cells) == 1:
        beyond.annotate("skipped: the notebook's end says why", (0.5, 0.5), ha="center",
                        xycoords="axes fraction")
    beyond.set_title("throughput beyond it, in one region")
    _published_extents(theirs)
    _extent_axis(stretch, cells)
    stretch.set_yscale("log")
    stretch.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    stretch.set_ylabel("us")
    stretch.set_title("longest call of a copy: no reschedule point inside")
    stretch.plot([], [], "o-", color="0.5", label="median of copies")
    stretch.plot([], [], "v:", color="0.5", label="worst seen")
    stretch.legend(loc="upper left")
    fig.suptitle("How much to copy in one call")
    return fig


def _draw_stretch(ax: Axes, samples: Samples, i: int, primitive: str) -> None:
    rows = pd.DataFrame([_stretch_row(samples, extent, arm + ":observe=stretch")
                         for extent, arm in _extents(samples, primitive).items()])
    ax.plot(rows["extent"], rows["median"], "o-", color=drawing.COLOURS[i], linewidth=1)
    ax.plot(rows["extent"], rows["worst"], "v:", color=drawing.COLOURS[i], linewidth=1, markersize=4)


def _published_extents(ax: Axes) -> None:
    """Long calls over 4 KiB calls, as published: S13 for copies, S20 for clears."""
    pairs = _published_bulk_pairs()
    for i, row in pairs.iterrows():
        ax.plot([4 << 10, 2 << 20], [1, row["speedup"]], marker="Dsv^o"[i], color="0.45",
                linewidth=1, label=row["label"].replace("\n", ", "))
    short, long = (published.value("S20", f"CLEAR (not copy), rep stos in {v}", "GB/s")
                   for v in ("4 KB extents", "one 1 GB extent"))
    ax.plot([4 << 10, 1 << 30], [1, long / short], "*--", color="0.45", linewidth=1,
            label="clearing, not copying: Zen 3, rep stos")
    ax.axhline(1, color="0.3", linewidth=1)
    ax.set_xscale("log", base=2)
    ax.set_xticks([4 << 10, 2 << 20, 1 << 30], ["4K", "2M", "1G"])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("bytes per call")
    ax.set_ylabel("speed-up over calls of 4K")
    ax.set_title("published: one long call over 4K calls")
    ax.legend(fontsize="small")


def factorial(cells: list[Samples]) -> Figure:
    """{serial, parallel} x {per page, bulk} x primitive, a panel per batch,
    with the part of each parallel gain that batching alone gives."""
    fig, panels = plt.subplots(1, len(cells) + 1, figsize=(6 + 5.5 * len(cells), 6),
                               layout="constrained", width_ratios=[3] * len(cells) + [2])
    for ax, samples in zip(panels, cells):
        primitives = _factorial_primitives(samples)
        for i, (key, label) in enumerate(FACTORS.items()):
            arms = [_factor_arm(samples, p, key) for p in primitives]
            rows = pd.DataFrame([drawing.as_row(estimate.speedup(
                samples, arm, _factor_arm(samples, p, ("serial", "page", "wake"))))
                for p, arm in zip(primitives, arms)])
            y = [n + 0.15 * (i - (len(FACTORS) - 1) / 2) for n in range(len(primitives))]
            drawing.dots(ax, rows["speedup"], y, rows, horizontal=True, colour=drawing.COLOURS[i], label=label,
                  stable=estimate.is_stable(samples))
            for each in panels[:-1]:
                drawing.show_all_dots(each, rows["speedup"], "x")
        ax.axvline(1, color="0.3", linewidth=1)
        ax.set_yticks(range(len(primitives)), primitives)
        ax.set_title(folios_label(samples))
        ax.set_xlabel("speed-up over the serial 2017 loop of the same primitive")
        ax.invert_yaxis()
        right = ax.secondary_yaxis("right")
        right.set_yticks(range(len(primitives)),
                         [_share_text(samples, p) for p in primitives], fontsize="small")
        right.tick_params(length=0)
    _published_factorial(panels[-1])
    drawing.legend_below(fig, panels[0], columns=5)
    threads = max(int(plan.fields(v)["threads"]) for v in cells[0].cell.variants)
    fig.suptitle(f"Batching and threading told apart, {threads} threads. At the right: the share of "
                 "the gain of a\nspinning team with bulk calls that one serial bulk call has alone")
    return fig


FACTORS = {("serial", "bulk", "wake"): "serial, bulk",
           ("parallel", "page", "wake"): "parallel, per page, woken",
           ("parallel", "bulk", "wake"): "parallel, bulk, woken",
           ("parallel", "page", "spin"): "parallel, per page, spinning",
           ("parallel", "bulk", "spin"): "parallel, bulk, spinning"}


def _published_factorial(ax: Axes) -> None:
    """The nearest published answer: S12 has one thread with batching as well."""
    found = published.figures()
    rows = found[(found["source_id"] == "S12") & (found["pages"] == 512)
                 & (found["page_size_kib"] == 2048)].drop_duplicates(["variant", "threads"])
    rates = rows.set_index(["variant", "threads"])["value"]
    gains = {f"{threads} thread{'s' if threads != '1' else ''}":
             rates["mtcopy", threads] / rates["vanilla", "1"] for threads in ("1", "2", "4", "8")}
    ax.plot(list(gains.values()), range(len(gains)), **drawing.PUBLISHED_STYLE)
    ax.axvline(1, color="0.3", linewidth=1)
    ax.set_yticks(range(len(gains)), list(gains))
    ax.set_ylim(len(gains) - 0.5, -0.5)
    ax.set_xlim(0, 1.15 * max(gains.values()))
    alone = math.log(gains["1 thread"]) / math.log(gains["8 threads"])
    ax.set_title("published: batched over vanilla\n(Garg, September 2025, 512 huge pages)",
                 fontsize="small")
    ax.set_xlabel(f"speed-up of move_pages(); one thread has\n{alone:.0%} of the gain of eight")


def threads(cells: list[Samples]) -> Figure:
    """Threads against the best serial copy of the same rounds, per batch."""
    fig, panels = plt.subplots(1, len(cells) + 1, figsize=(3 + 4 * (len(cells) + 1), 5.4),
                               layout="constrained")
    limit, limit_gbps = machine_limit(cells)
    for ax, samples in zip(panels, cells):
        best = estimate.best_serial(samples)
        frame = estimate.table(samples, over=best)
        frame = frame[frame["strategy"] == "parallel"]
        frame["way"] = frame["dispatch"] + " " + frame["caller"]
        for k, (primitive, rows_p) in enumerate(frame.groupby("primitive", sort=False)):
            for i, (way, label) in enumerate(DISPATCHES.items()):
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
        ax.axhline(1, color="0.3", linewidth=1)
        ax.set_title(f"{folios_label(samples)}\nbest serial: {plan.fields(best)['primitive']}, "
                     f"{estimate.gbps(samples, best):.1f} GB/s", fontsize="medium")
        _thread_axis(ax, sorted(set(frame["threads"])))
        drawing.show_all_dots(ax, frame["speedup"], "y")
    panels[0].set_ylabel("speed-up over the best serial copy")
    _published_threads(panels[-1])
    drawing.legend_below(fig, panels[0], columns=2)
    fig.suptitle("What threads add to the best serial copy")
    return fig


def machine_limit(cells: list[Samples]) -> tuple[float, float]:
    """Speed-up over the best serial copy, and GB/s, with all CPUs copying
    whole folios and no dispatch to wait for: the largest batch, spinning."""
    def folios(samples: Samples) -> int:
        return max(int(plan.fields(v)["folios"]) for v in samples.cell.variants)
    samples = max(cells, key=folios)
    frame = estimate.table(samples, over=estimate.best_serial(samples))
    spinning = frame[(frame["strategy"] == "parallel") & (frame["dispatch"] == "spin")]
    all_cpus = spinning[spinning["threads"] == spinning["threads"].max()]
    limit = all_cpus.loc[all_cpus["speedup"].idxmax()]
    return float(limit["speedup"]), float(limit["gbps"])


def cpu_cost(cells: list[Samples]) -> Figure:
    """CPU time against speed-up, both over the best serial copy."""
    fig, panels = plt.subplots(1, len(cells), figsize=(2 + 5 * len(cells), 5.2), squeeze=False,
                               sharex=True, sharey=True, layout="constrained")
    for ax, samples in zip(panels[0], cells):
        best = estimate.best_serial(samples)
        for arm in samples.cell.variants:
            fields = plan.fields(arm)
            if fields["strategy"] != "parallel":
                continue
            way = list(DISPATCHES).index(f"{fields['dispatch']} {fields['caller']}")
            cost, gain = (f(samples, arm, best) for f in (estimate.cpu_ratio, estimate.speedup))
            own = fields["primitive"] == drawing.own_primitive(samples)
            ax.errorbar(cost.value, gain.value,
                        xerr=[[cost.value - cost.low], [cost.high - cost.value]],
                        yerr=[[gain.value - gain.low], [gain.high - gain.value]],
                        fmt="o" if own else "s", color=drawing.COLOURS[way], elinewidth=1,
                        markersize=5, markerfacecolor=drawing.COLOURS[way] if
                        estimate.is_stable(samples) else "white")
            drawing.show_all_dots(ax, [cost.value], "x")
            drawing.show_all_dots(ax, [gain.value], "y")
            ax.annotate(fields["threads"], (cost.value, gain.value), xytext=(5, 3),
                        textcoords="offset points", fontsize="x-small", color="0.3")
        _published_cpu(ax)
        ax.axhline(1, color="0.3", linewidth=1)
        ax.axvline(1, color="0.3", linewidth=1)
        ax.set_title(f"{folios_label(samples)}; best serial: "
                     f"{estimate.cpu_seconds_per_gib(samples, best):.3f} CPU-s per GiB",
                     fontsize="medium")
        ax.set_xlabel("CPU time of caller and workers over the best serial copy's")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}x"))
    panels[0][0].set_ylabel("speed-up over the best serial copy")
    for i, label in enumerate(DISPATCHES.values()):
        panels[0][0].plot([], [], "o", color=drawing.COLOURS[i], label=label)
    for marker, what in (("o", "the kernel's copy_page()"), ("s", "non-temporal stores")):
        panels[0][0].plot([], [], marker, color="0.5", label=what)
    drawing.legend_below(fig, panels[0][0], columns=3)
    fig.suptitle("What the speed-up costs in CPU time (numbers are thread counts)")
    return fig


def published_gain() -> float:
    """How many times faster 8 threads migrated one huge page in 2017 (S02)."""
    serial, parallel = (published.value("S02", v, "us", page_size_kib=2048)
                        for v in ("thp-migration", "thp+mt-copy"))
    return serial / parallel


def published_cost_ns() -> float:
    """Map cost per 4 KiB page that would explain all of that gain (S02)."""
    serial, parallel = (published.value("S02", v, "us", page_size_kib=2048)
                        for v in ("thp-migration", "thp+mt-copy"))
    return (serial - parallel) * 1000 / 512


def pages_per_folio(samples: Samples) -> int:
    huge, base = (ctools.parse_size(samples.cell.option(o)) for o in ("huge", "base"))
    return huge // base


def ns_per_page(samples: Samples, arm: str) -> float:
    """Time to copy one base page's worth with ``arm``, in ns."""
    return float(np.median(samples.seconds[arm])) * 1e9 / pages_per_folio(samples)


def _primitives_by_speed(samples: Samples) -> list[str]:
    frame = estimate.table(samples)
    bulk = frame[frame["rule"] == "bulk"].sort_values("speedup", ascending=False)
    return list(bulk["primitive"])


def cache_label(samples: Samples) -> str:
    if samples.cell.option("source-node"):
        return "between NUMA nodes"
    return (f"source {samples.cell.option('source')}, "
            f"destination {samples.cell.option('destination')}")


def folios_label(samples: Samples) -> str:
    count = max(int(plan.fields(v)["folios"]) for v in samples.cell.variants)
    order = samples.cell.label.partition("-")[0]
    placed = f", {order}" if samples.cell.experiment == "threads" and order != "spread" else ""
    return (f"{count} folio{'s' if count > 1 else ''} of {samples.cell.option('huge')} "
            f"per call{placed}")


def _rung_arm(samples: Samples, rung: str) -> str:
    rule, cost = rung.split()
    return next(v for v in samples.cell.variants if (f := plan.fields(v))["rule"] == rule
                and f["map"] == cost and f["delay"] == "0")


def _published_bulk_pairs() -> pd.DataFrame:
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


def _swept(samples: Samples) -> list[str]:
    return list(dict.fromkeys(plan.fields(v)["primitive"] for v in samples.cell.variants))


def _extents(samples: Samples, primitive: str) -> dict[int, str]:
    """Extent in bytes to the arm whose whole copy is timed."""
    return {ctools.parse_size(f["extent"]): arm for arm in samples.cell.variants
            if (f := plan.fields(arm))["primitive"] == primitive and f["observe"] == "copy"}


def _stretch_row(samples: Samples, extent: int, arm: str) -> dict[str, float]:
    us = samples.seconds[arm] * 1e6
    return {"extent": extent, "median": float(np.median(us)), "worst": float(us.max())}


def _extent_axis(ax: Axes, cells: list[Samples]) -> None:
    sizes = sorted({e for s in cells for p in _swept(s) for e in _extents(s, p)})
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [ctools.format_size(size) for size in sizes], rotation=45)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("bytes per call")


def _factorial_primitives(samples: Samples) -> list[str]:
    return list(dict.fromkeys(plan.fields(v)["primitive"] for v in samples.cell.variants))


def _factor_arm(samples: Samples, primitive: str, key: tuple[str, str, str]) -> str:
    return next(v for v in samples.cell.variants if (f := plan.fields(v))["primitive"] == primitive
                and (f["strategy"], f["rule"], f["dispatch"]) == key)


def batching_share(samples: Samples, primitive: str, dispatch: str,
                   level: float = estimate.LEVEL) -> estimate.Estimate | None:
    """The share of an N-thread bulk copy's gain, over the serial 2017 loop,
    that the serial bulk copy has alone; None where threads gain nothing."""
    loop, bulk, both = (_factor_arm(samples, primitive, key) for key in (
        ("serial", "page", "wake"), ("serial", "bulk", "wake"), ("parallel", "bulk", dispatch)))
    return estimate.share(estimate.log_speedups(samples, bulk, loop),
                          estimate.log_speedups(samples, both, loop), level)


def _share_text(samples: Samples, primitive: str) -> str:
    found = batching_share(samples, primitive, "spin")
    if found is None or not math.isfinite(found.low):
        return "no clear gain"
    return f"{found.value:.0%} [{found.low:.0%}, {found.high:.0%}]"


def _thread_axis(ax: Axes, counts: list[int]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
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
    ax.axhline(1, color="0.3", linewidth=1)
    ax.set_xscale("log", base=2)
    ax.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("threads")
    ax.set_title("published, over each series'\nown serial loop", fontsize="medium")
    ax.legend(fontsize="small", loc="upper left")


def _published_cpu(ax: Axes) -> None:
    """S04: eight CPUs busy for the parallel time against one for the serial."""
    serial, parallel = (published.value("S04", v, "us") for v in ("thp-migration", "thp+mt-copy"))
    ax.plot([8 * parallel / serial], [serial / parallel], **drawing.PUBLISHED_STYLE)
    drawing.show_all_dots(ax, [8 * parallel / serial], "x")
    drawing.show_all_dots(ax, [serial / parallel], "y")
    ax.annotate("published:\n8 threads, 2016", (8 * parallel / serial, serial / parallel),
                xytext=(-6, -6), textcoords="offset points", ha="right", va="top",
                fontsize="small", color="0.35")
