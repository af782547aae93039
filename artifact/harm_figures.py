# SPDX-License-Identifier: MIT
"""The figures of notebooks 03 to 06. Nothing is measured here.

A row is a policy: how work reaches the workers. As in the other figures a
dot has the interval of a repeat and is hollow where its cell failed its own
A/A check; small marks without an interval are quantiles over all processes.
"""

import math

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from artifact import ctools, drawing, estimate, harm, plan, published
from artifact.load import Samples

QUANTILES = {0.5: "o", 0.9: "d", 0.99: "^"}
PHASES = {"allocated": "work items allocated", "queued": "all queued",
          "first start": "first worker starts", "last start": "last worker starts",
          "last end": "last byte", "joined": "caller goes on"}
VERDICTS = {"no worse": drawing.COLOURS[2], "open": "0.45", "worse": drawing.COLOURS[3]}


def dispatch(cells: list[Samples]) -> Figure:
    """When what happens in a job of nothing, by how long everybody slept."""
    return _phases(cells, "Where the time of an empty job goes")


def copy_phases(cells: list[Samples]) -> Figure:
    """The same of a copy, at the lowest load."""
    return _phases([min(cells, key=harm.load_percent)], "Where the time of a parallel copy goes")


def _phases(cells: list[Samples], title: str) -> Figure:
    labels = _labels(cells)
    fig, panels = _rows(len(cells), labels, width=3.9, sharex=True)
    for ax, samples in zip(panels, cells):
        for arm in harm.teams(samples):
            y = labels.index(plan.policy(arm))
            for i, phase in enumerate(PHASES):
                # None began where all was taken back, or none was asked.
                if phase in samples.channels[arm]:
                    us = 1e6 * np.median(np.concatenate(samples.channels[arm][phase]))
                    ax.plot(us, y, "o", color=drawing.COLOURS[i], markersize=5)
        _line(ax, 1e6 * harm.serial_seconds(samples), "-", "best serial copy, whole")
        for (label, seconds), style in zip(harm.instruments(samples).items(), (":", "-.")):
            _line(ax, 1e6 * seconds, style, f"round trip: {label}")
        pause = int(samples.cell.option("pause"))
        ax.set_title(f"after {pause} us of sleep" if pause else "one after the other")
        _log_axis(ax, "x", "us since the call, median")
    for i, label in enumerate(PHASES.values()):
        panels[0].plot([], [], "o", color=drawing.COLOURS[i], label=label)
    drawing.legend_below(fig, panels[0], columns=3)
    fig.suptitle(title)
    return fig


def start_delay(cells: list[Samples]) -> Figure:
    """How late the last worker starts, under background load."""
    cells = sorted(cells, key=harm.load_percent)
    labels = _labels(cells)
    fig, panels = _rows(len(cells), labels, width=4.6, sharex=True)
    for ax, samples in zip(panels, cells):
        for arm in harm.teams(samples):
            y, late = labels.index(plan.policy(arm)), harm.delays(samples, arm)
            if len(late):
                _quantiles(ax, late * 1e6, y)
        _line(ax, 1e6 * harm.serial_seconds(samples), "-", "best serial copy, whole")
        ax.set_title(_load_label(samples))
        _log_axis(ax, "x", "us from queueing to the last start")
        _right_texts(ax, labels, {plan.policy(arm): _lateness(samples, arm)
                                  for arm in harm.teams(samples)})
    _quantile_legend(panels[0])
    drawing.legend_below(fig, panels[0])
    fig.suptitle("How long work waits for a worker. At the right: the share of copies whose last "
                 "worker\nhad not begun when the best serial copy would have been done, and of those "
                 "that were\nover before any worker began (not in the dots)")
    return fig


def break_even(cells: list[Samples]) -> Figure:
    """Speed-up by size, and what 4 KiB pages cost when teams copy them."""
    samples, = cells
    fig, (ax, pages) = plt.subplots(1, 2, figsize=(14, 6), layout="constrained",
                                    width_ratios=[3, 2])
    for i, label in enumerate(_labels(cells)):
        curve = harm.by_size(samples, label)
        rows = pd.DataFrame([drawing.as_row(ratio) for ratio in curve.values()])
        ax.plot(list(curve), rows["speedup"], color=drawing.COLOURS[i], linewidth=1)
        drawing.dots(ax, list(curve), rows["speedup"], rows, horizontal=False,
                     colour=drawing.COLOURS[i], stable=estimate.is_stable(samples),
                     label=f"{label}: {_sizes(harm.break_even(curve))}")
    sizes = list(curve)
    ax.axhline(1, color="0.3", linewidth=1)
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [ctools.format_size(size) for size in sizes], rotation=45)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_yscale("log", base=2)
    lowest = min(ratio.value for label in _labels(cells)
                 for ratio in harm.by_size(samples, label).values())
    ax.set_ylim(bottom=lowest / 1.5)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.3g}"))
    ax.set_xlabel("bytes per copy")
    ax.set_ylabel("speed-up over the best serial copy of that size")
    ax.set_title("from where on does a team pay? (break-even, with interval, in the legend)")
    _base_pages(pages, samples)
    drawing.legend_below(fig, ax, columns=2)
    fig.suptitle("How much must be copied before a team pays")
    return fig


def published_page_us() -> tuple[float, float]:
    """What a 4 KiB page cost when the series of 2016 copied it in threads:
    least and most, from its own tables (S01), in us."""
    found = published.figures()
    rows = found[(found["source_id"] == "S01") & (found["unit"] == "ms")
                 & (found["variant"] == "thp+mt-copy/base-page")]
    each = rows["value"] * 1000 / (rows["bytes_moved"] / 4096)
    return float(each.min()), float(each.max())


def _base_pages(ax: Axes, samples: Samples) -> None:
    base = min(harm.work_bytes(arm, harm.folio(samples)) for arm in harm.teams(samples))
    labels = ["best serial copy"]
    times = [harm.serial_seconds(samples, _of_size(samples, base)[0])]
    for arm in _of_size(samples, base):
        labels.append(plan.policy(arm))
        times.append(float(np.median(samples.seconds[arm])))
    ax.barh(range(len(labels)), [1e6 * t for t in times], color="0.75")
    for y, seconds in enumerate(times):
        ax.annotate(f" {1e6 * seconds:.2g} us", (1e6 * seconds, y), va="center", fontsize="small")
    low, high = published_page_us()
    ax.axvspan(low, high, color="0.45", alpha=0.5,
               label=f"published for threads, 2016: {low:.1f} to {high:.1f} us")
    ax.set_yticks(range(len(labels)), labels, fontsize="small")
    ax.invert_yaxis()
    _log_axis(ax, "x", f"us for one page of {ctools.format_size(base)}")
    ax.set_xlim(right=6 * max(1e6 * max(times), high))
    ax.legend(loc="lower right", fontsize="small")
    ax.set_title("base pages under a multi-threaded copy")


def _of_size(samples: Samples, size: int) -> list[str]:
    return [arm for arm in harm.teams(samples)
            if harm.work_bytes(arm, harm.folio(samples)) == size]


def concurrent(cells: list[Samples]) -> Figure:
    """Several migrators: total throughput above, single copies below."""
    cells = sorted(cells, key=harm.crowd)
    labels = _labels(cells)
    fig, grid = plt.subplots(2, len(cells), figsize=(3.4 + 3.7 * len(cells), 1.8 + 0.62 * len(labels)),
                             sharey="row", squeeze=False, layout="constrained")
    for (above, below), samples in zip(grid.T, cells):
        count = harm.crowd(samples)
        best = estimate.best_serial(samples)
        rows = {plan.policy(arm): estimate.speedup(samples, arm, best)
                for arm in harm.teams(samples)}
        _ratio_dots(above, labels, rows, samples)
        above.axvline(1, color="0.3", linewidth=1)
        drawing.show_all_dots(above, [ratio.value for ratio in rows.values()], "x")
        above.set_xlabel("total throughput over the best\nserial copies', as many at once")
        above.set_title(f"{count} migrator{'s' if count > 1 else ''}\nbest serial: "
                        f"{plan.fields(best)['primitive']}, {estimate.gbps(samples, best):.1f} GB/s, "
                        f"{estimate.gbps(samples, best) / count:.1f} each", fontsize="small")
        _right_texts(above, labels, {
            plan.policy(arm): f"{estimate.gbps(samples, arm) / count:.1f} GB/s"
                              + (f", {harm.slowest_share(samples, arm):.2f}" if count > 1 else "")
            for arm in harm.teams(samples)})
        for arm in (best, *harm.teams(samples)):
            y = -1 if arm == best else labels.index(plan.policy(arm))
            _quantiles(below, harm.latencies(samples, arm) * 1e6, y)
        _log_axis(below, "x", "us for a copy, as its migrator sees it")
    _label_rows(grid[0][0], labels)
    _label_rows(grid[1][0], ["best serial copy", *labels], first=-1)
    _quantile_legend(grid[1][0])
    drawing.legend_below(fig, grid[1][0])
    fig.suptitle("Several migrators at once, workers from one pool. At the right: throughput of each, "
                 "and the time of the slowest migrator over the mean one's")
    return fig


def victims(cells: list[Samples]) -> Figure:
    """What is left of unrelated work on the first worker's CPU."""
    cells = [samples for samples in cells if samples.cell.label != "timer"]
    if not cells:
        return _nothing("no victim but the timer was asked for")
    rows = _arms_of_windows(cells[0])
    fig, panels = _rows(len(cells), list(rows.values()), width=4.6)
    for ax, samples in zip(panels, cells):
        _ratio_dots(ax, list(rows.values()), {label: harm.victim_rate(samples, arm)
                                              for arm, label in rows.items()}, samples)
        ax.axvline(1, color="0.3", linewidth=1)
        ax.set_xlim(0, max(1.15, *(1.05 * harm.victim_rate(samples, arm).value for arm in rows)))
        ax.set_title(plan.VICTIMS[samples.cell.label] + _residence(samples))
        ax.set_xlabel("the victim's speed over its speed alone")
        _right_texts(ax, list(rows.values()),
                     {label: f"{_percent(harm.taken_share(samples, arm))}, "
                             f"{harm.switches_per_second(samples, arm):.0f}, "
                             f"{harm.copies_per_second(samples, arm):.0f}"
                      for arm, label in rows.items()})
    rate = cells[0].cell.option("rate")
    fig.suptitle(f"Who pays: a victim on a worker's CPU, while a migrator wants {rate} copies a "
                 "second.\nAt the right: CPU time taken from the victim, how often in a second it "
                 "was\npushed off the CPU, and how many copies a second were made")
    return fig


def tail(cells: list[Samples]) -> Figure:
    """How late a timer victim wakes up."""
    samples = next((s for s in cells if s.cell.label == "timer"), None)
    if samples is None:
        return _nothing("the timer victim was not asked for")
    rows = {plan.ALONE: "alone", **_arms_of_windows(samples)}
    fig, (ax,) = _rows(1, list(rows.values()), width=7)
    for y, arm in enumerate(rows):
        late = harm.wakeups(samples, arm)
        _quantiles(ax, late * 1e6, y, {0.5: "o", 0.99: "^", 0.999: "*"})
    few = f", of {len(late)}: hardly more than the worst" if len(late) < 10_000 else ""
    for label, marker in (("p50", "o"), ("p99", "^"), (f"p99.9{few}", "*")):
        ax.plot([], [], marker, color="0.3", label=label)
    _log_axis(ax, "x", "us late")
    drawing.legend_below(fig, ax)
    ax.set_title("Wake-ups of a 1 kHz timer on the first worker's CPU")
    return fig


def pareto(cells: list[Samples]) -> Figure:
    """The victim's loss against the migrator's gain, a panel per victim."""
    cells = [samples for samples in cells if samples.cell.label != "timer"]
    if not cells:
        return _nothing("no victim but the timer was asked for")
    rows = _arms_of_windows(cells[0])
    lines = 1 if len(cells) < 3 else 2
    fig, panels = plt.subplots(lines, math.ceil(len(cells) / lines), sharey=True, sharex=True,
                               figsize=(2 + 5 * math.ceil(len(cells) / lines), 5 * lines),
                               squeeze=False, layout="constrained")
    for unused in panels.flat[len(cells):]:
        unused.set_axis_off()
    fastest = 1.25
    for ax, samples in zip(panels.flat, cells):
        points = {arm: (harm.victim_rate(samples, arm), harm.copy_speed(samples, arm))
                  for arm in rows}
        front = _front({arm: (1 - rate.value, speed.value) for arm, (rate, speed)
                        in points.items()})
        ax.plot([100 * (1 - points[arm][0].value) for arm in front],
                [max(points[arm][1].value, SLOWEST_SHOWN) for arm in front],
                color="0.6", linewidth=1)
        for i, (arm, (rate, speed)) in enumerate(points.items()):
            _point(ax, i, rows[arm], rate, speed, estimate.is_stable(samples))
        ax.axhline(1, color="0.3", linewidth=1)
        ax.axvline(0, color="0.3", linewidth=1)
        ax.set_xscale("symlog", linthresh=10)
        ax.set_xticks([-5, 0, 5, 10, 25, 50, 100])
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlim(min(-8.0, *(120 * (1 - rate.value) for rate, _ in points.values())), 110)
        ax.set_yscale("log", base=2)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.3g}"))
        fastest = max(fastest, *(1.15 * speed.value for _, speed in points.values()))
        ax.set_ylim(0.85 * SLOWEST_SHOWN, fastest)
        ax.set_title(plan.VICTIMS[samples.cell.label])
        ax.set_xlabel("the victim's loss, %; linear up to 10")
    fig.supylabel("the migrator's speed over the best serial copy's")
    drawing.legend_below(fig, panels[0][0], columns=3)
    fig.suptitle("Loss of the victim against gain of the migrator: up and left is good.\nThe line "
                 "joins what nothing beats in both; triangles at the bottom\nare slower than the "
                 "axis shows, their speed is beside them")
    return fig


SLOWEST_SHOWN = 0.35


def _point(ax: Axes, i: int, label: str, rate, speed, stable: bool) -> None:
    loss, shown = 100 * (1 - rate.value), max(speed.value, SLOWEST_SHOWN)
    below, colour = speed.value < SLOWEST_SHOWN, drawing.COLOURS[i % 10]
    ax.errorbar(loss, shown, color=colour, label=f"{i + 1} {label}", elinewidth=0.7, markersize=6,
                xerr=_finite(100 * (rate.value - rate.low), 100 * (rate.high - rate.value)),
                yerr=None if below else _finite(speed.value - speed.low, speed.high - speed.value),
                fmt="v" if below else "os"[i > 9], markerfacecolor=colour if stable else "white")
    # To four sides in turn, as many lie close together.
    sides = [(-10, 6), (-10, -13)] if below else [(5, 4), (-11, 4), (5, -11), (-11, -11)]
    ax.annotate(f"{i + 1}" + (f": {speed.value:.2g}" if below else ""), (loss, shown),
                xytext=sides[i % len(sides)], textcoords="offset points", fontsize="x-small")


def recovery(cells: list[Samples]) -> Figure:
    """Passes over a working set after a copy went through the caches."""
    fig, panels = plt.subplots(1, len(cells), figsize=(2 + 5 * len(cells), 4.8), squeeze=False,
                               layout="constrained")
    for ax, samples in zip(panels[0], cells):
        alone, amounts = _passes(samples, plan.ALONE), {}
        primitives = list(dict.fromkeys(plan.fields(arm)["primitive"]
                                        for arm in samples.cell.variants[1:]))
        for arm in samples.cell.variants[1:]:
            fields = plan.fields(arm)
            amount = (f"{fields['bytes']} of a folio" if fields["bytes"] else
                      f"{fields['folios']} folio" + "s" * (fields["folios"] != "1"))
            passes = _passes(samples, arm) / alone
            colour = drawing.COLOURS[amounts.setdefault(amount, len(amounts))]
            ax.plot(range(1, len(passes) + 1), passes, color=colour,
                    marker="osDv^<>"[primitives.index(fields["primitive"]) % 7],
                    linestyle="-" if fields["primitive"] == primitives[0] else "--",
                    label=f"{fields['primitive']}: {amount}",
                    markerfacecolor=colour if estimate.is_stable(samples) else "white")
        ax.axhline(1, color="0.3", linewidth=1)
        ax.set_yscale("log", base=2)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.3g}"))
        size = ctools.format_size(int(samples.facts[0]["victim_bytes"]))
        ax.set_title(f"working set of {size} ({samples.cell.label.upper()})" + _residence(samples))
        ax.set_xlabel("pass over the working set after the copy")
    panels[0][0].set_ylabel("time of the pass over one with no copy before, median")
    drawing.legend_below(fig, panels[0][0], columns=3)
    fig.suptitle("How long a CPU's caches take to recover from a copy")
    return fig


def no_worse(cells: list[Samples], margin_percent: int) -> Figure:
    """The one-sided test: is a policy ever slower than the best serial copy?"""
    cells = sorted(cells, key=harm.load_percent)
    labels = _labels(cells)
    fig, panels = _rows(len(cells), labels, width=4.6, sharex=True)
    shown: list[float] = []
    for ax, samples in zip(panels, cells):
        texts = {}
        for arm in harm.teams(samples):
            y = labels.index(plan.policy(arm))
            ratio, verdict = harm.no_worse(samples, arm, margin_percent)
            rows = pd.DataFrame([drawing.as_row(ratio)])
            drawing.dots(ax, rows["speedup"], [y], rows, horizontal=True, label=None,
                         colour=VERDICTS[verdict], stable=estimate.is_stable(samples))
            shown.append(harm.tail_ratio(samples, arm))
            ax.plot(shown[-1], y, "x", color=VERDICTS[verdict], markersize=5)
            texts[plan.policy(arm)] = verdict
        ax.axvline(1, color="0.3", linewidth=1)
        _line(ax, 1 + margin_percent / 100, "--", f"margin fixed beforehand: {margin_percent} %")
        ax.set_title(_load_label(samples))
        shown += [harm.time_ratio(samples, arm).value for arm in harm.teams(samples)]
        ax.set_xlim(min(0.5, 0.8 * min(shown)), 3 * max(shown))
        serial = sum(v.startswith("serial") for v in samples.cell.variants)
        _log_axis(ax, "x", f"time over the {'best ' if serial > 1 else ''}serial copy's")
        _right_texts(ax, labels, texts)
    for verdict, colour in VERDICTS.items():
        panels[0].plot([], [], "o", color=colour, label=f"median of a round: {verdict}")
    panels[0].plot([], [], "x", color="0.3", label="p95 over p95, not judged")
    drawing.legend_below(fig, panels[0], columns=3)
    copied_with = plan.fields(harm.teams(cells[0])[0])["primitive"]
    fig.suptitle(f"At worst no slower than serial? Teams copy with {copied_with}. One-sided, 95 %")
    return fig


def charge(cells: list[Samples]) -> Figure:
    """A migrator with a CPU limit: who is charged for its workers?"""
    cells = sorted(cells, key=lambda samples: samples.cell.label != "free")
    labels = _labels(cells)
    fig, panels = _rows(len(cells), labels, width=5)
    for ax, samples in zip(panels, cells):
        limit, best = samples.cell.option("limit"), estimate.best_serial(samples)
        rows = {plan.policy(arm): estimate.speedup(samples, arm, best)
                for arm in harm.teams(samples)}
        _ratio_dots(ax, labels, rows, samples)
        ax.axvline(1, color="0.3", linewidth=1)
        drawing.show_all_dots(ax, [ratio.value for ratio in rows.values()], "x")
        ax.set_title((f"limited to {limit} % of a CPU" if limit else "no limit") +
                     f"\nbest serial: {estimate.gbps(samples, best):.1f} GB/s")
        ax.set_xlabel("throughput over the best serial copy's, 64 folios")
        _right_texts(ax, labels, {plan.policy(arm): f"{harm.charged_share(samples, arm):.0%}"
                                  for arm in harm.teams(samples)})
    fig.suptitle("Who is charged? The migrator alone is in the cgroup. At the right: the share of "
                 "the CPU time\nthat is charged to it")
    return fig


def cpu_time(cells: list[Samples]) -> Figure:
    """CPU-seconds of callers and workers per GiB, over the best serial copy's."""
    labels = _labels(cells)
    fig, panels = _rows(len(cells), labels, width=3.4)
    for ax, samples in zip(panels, cells):
        first = harm.teams(samples)[0]
        best = estimate.best_serial(samples, first) if not samples.cell.option("victim") \
            else harm.serial_in_windows(samples)
        serial = harm.cpu_per_gib(samples, best)
        for arm in harm.teams(samples):
            if plan.fields(arm)["primitive"] == "empty" or \
                    estimate.work(arm) != estimate.work(best):
                continue
            y = labels.index(plan.policy(arm))
            ratio = harm.cpu_per_gib(samples, arm) / serial
            ax.plot([1, ratio], [y, y], color="0.8", linewidth=2, zorder=1)
            ax.plot(ratio, y, "o", color=drawing.COLOURS[0])
        ax.axvline(1, color="0.3", linewidth=1)
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.3g}"))
        ax.set_xlabel("CPU time over the best serial's")
        ax.set_title(f"{_cell_label(samples)}\nbest serial: {serial:.3f} CPU-s per GiB",
                     fontsize="small")
    fig.suptitle("What it costs in CPU time: migrators and workers together")
    return fig


def idle_scan(cells: list[Samples]) -> Figure:
    """What looking at the state of so many CPUs costs."""
    samples, = cells
    fig, ax = plt.subplots(figsize=(8.5, 5), layout="constrained")
    for i, (how, label) in enumerate((("hot", "nobody wrote since the last look"),
                                      ("written", "another CPU wrote all of them"))):
        found, slope = harm.scan_ns(samples, how), harm.ns_per_cpu(samples, how)
        ax.plot(list(found), list(found.values()), "o-", color=drawing.COLOURS[i],
                markerfacecolor=drawing.COLOURS[i] if estimate.is_stable(samples) else "white",
                label=f"{label}: {slope.value:.1f} ns [{slope.low:.1f}, {slope.high:.1f}] per CPU")
    _log_axis(ax, "x", "CPUs looked at: one cache line each, pages apart")
    _log_axis(ax, "y", "ns for one look at all of them, median")
    ax.set_xticks(list(found), [str(n) for n in found])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.legend(loc="upper left")
    ax.set_title("What it costs to look for idle CPUs")
    return fig


def idle_pick(cells: list[Samples]) -> Figure:
    """Is it worth it? With and without looking, by load."""
    cells = sorted(cells, key=harm.load_percent)
    fig, (times, stale) = plt.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
    loads = range(len(cells))
    for i, label in enumerate((ANY_CPU, IDLE_CPU)):
        ratios = [harm.time_ratio(s, harm.arm_of(s, label)) for s in cells]
        rows = pd.DataFrame([drawing.as_row(ratio) for ratio in ratios])
        drawing.dots(times, [x + 0.1 * (i - 0.5) for x in loads], rows["speedup"], rows,
                     horizontal=False, colour=drawing.COLOURS[i], label=label,
                     stable=all(map(estimate.is_stable, cells)))
        times.plot([x + 0.1 * (i - 0.5) for x in loads],
                   [harm.tail_ratio(s, harm.arm_of(s, label)) for s in cells], "x",
                   color=drawing.COLOURS[i])
    times.plot([], [], "x", color="0.3", label="p95 over p95")
    times.axhline(1, color="0.3", linewidth=1)
    _log_axis(times, "y", "time over the best serial copy's")
    times.set_title("time of a copy")
    for x, samples in zip(loads, cells):
        counts = samples.counts[harm.arm_of(samples, IDLE_CPU)]
        share = harm.stale_share(samples, harm.arm_of(samples, IDLE_CPU))
        looked, idle = counts["scanned"].sum(), counts["found_idle"].sum()
        stale.bar([x - 0.2], [100 * idle / max(looked, 1)], width=0.35, color=drawing.COLOURS[0],
                  label="looks that found the CPU idle" if not x else None)
        if share is None:
            stale.annotate("never idle", (x + 0.2, 2), ha="center", fontsize="small")
            continue
        stale.bar([x + 0.2], [100 * share.value], width=0.35, color=drawing.COLOURS[3],
                  yerr=_finite(100 * (share.value - share.low), 100 * (share.high - share.value)),
                  label="of those, busy when the work began" if not x else None)
    stale.set_ylabel("%")
    stale.set_ylim(0, 105)
    stale.set_title("what the look was worth")
    stale.legend(loc="upper right", fontsize="small")
    times.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, fontsize="small")
    for ax in (times, stale):
        ax.set_xticks(list(loads), [f"{harm.load_percent(s)} %" for s in cells])
        ax.set_xlim(-0.6, len(cells) - 0.4)
        ax.set_xlabel("background load of each CPU")
    fig.suptitle("Copying only with CPUs that look idle")
    return fig


def energy(cells: list[Samples]) -> Figure:
    """Energy that copying adds, per GiB."""
    samples, = cells
    rows = _arms_of_windows(samples)
    fig, (ax,) = _rows(1, list(rows.values()), width=7)
    for y, arm in enumerate(rows):
        found = harm.joules_per_gib(samples, arm)
        ax.errorbar(found.value, y, fmt="o", color=drawing.COLOURS[0],
                    xerr=_finite(found.value - found.low, found.high - found.value))
    ax.axvline(0, color="0.3", linewidth=1)
    ax.set_xlabel("J per GiB, beyond the same time without copies")
    ax.set_title("Energy of the packages (RAPL)")
    return fig


ANY_CPU, IDLE_CPU = "bound, nice 0, caller works", "only CPUs that look idle"


def _labels(cells: list[Samples]) -> list[str]:
    """The policies that any of the cells has, in the order of the plan."""
    present = {plan.policy(arm) for samples in cells for arm in harm.teams(samples)}
    return [label for label in plan.POLICIES if label in present]


def _arms_of_windows(samples: Samples) -> dict[str, str]:
    return {arm: (f"serial: {plan.fields(arm)['primitive']}" if arm.startswith("serial")
                  else plan.policy(arm)) for arm in samples.cell.variants[1:]}


def _cell_label(samples: Samples) -> str:
    if samples.cell.option("load") is not None:
        return _load_label(samples)
    if samples.cell.experiment == "concurrent":
        return f"{harm.crowd(samples)} at once"
    return plan.VICTIMS.get(samples.cell.label, samples.cell.label)


def _load_label(samples: Samples) -> str:
    load = harm.load_percent(samples)
    return f"each CPU {load} % loaded" if load else "idle machine"


def _residence(samples: Samples) -> str:
    """Says so where a working set between L2 and LLC is not faster than memory:
    on many virtual machines the last-level cache is somebody else's."""
    if samples.cell.label != "llc":
        return ""
    ours, memory = (np.median([fact[key] for fact in samples.facts])
                    for key in ("llc_load_ns", "memory_load_ns"))
    resident = "" if ours < 0.6 * memory else "NOT RESIDENT: "
    return f"\n{resident}{ours:.0f} ns a load, memory {memory:.0f} ns"


def _rows(panels: int, labels: list[str], width: float, sharex: bool = False):
    """Panels that share their rows; in two lines of panels where one would be
    too wide to read in the report."""
    lines = 1 if 3.2 + width * panels <= WIDEST else 2
    columns = math.ceil(panels / lines)
    fig, axes = plt.subplots(lines, columns, sharey=True, sharex=sharex, squeeze=False,
                             figsize=(3.2 + width * columns, (1.8 + 0.34 * len(labels)) * lines),
                             layout="constrained")
    for unused in axes.flat[panels:]:
        unused.set_axis_off()
    _label_rows(axes[0][0], labels)
    return fig, list(axes.flat[:panels])


WIDEST = 15.0       # inches


def _label_rows(ax: Axes, labels: list[str], first: int = 0) -> None:
    ax.set_yticks(range(first, first + len(labels)), labels)
    ax.set_ylim(first + len(labels) - 0.5, first - 0.5)


def _right_texts(ax: Axes, labels: list[str], texts: dict[str, str]) -> None:
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(len(labels)), [texts.get(label, "") for label in labels],
                     fontsize="x-small")
    right.tick_params(length=0)


def _ratio_dots(ax: Axes, labels: list[str], ratios: dict, samples: Samples) -> None:
    rows = pd.DataFrame([drawing.as_row(ratio) for ratio in ratios.values()])
    drawing.dots(ax, rows["speedup"], [labels.index(label) for label in ratios], rows,
                 horizontal=True, colour=drawing.COLOURS[0], label=None,
                 stable=estimate.is_stable(samples))


def _quantiles(ax: Axes, values: np.ndarray, y: float, marks: dict | None = None) -> None:
    marks = marks or QUANTILES
    found = np.quantile(values, list(marks))
    ax.plot([found[0], found[-1]], [y, y], color="0.8", linewidth=1, zorder=1)
    for x, (q, marker) in zip(found, marks.items()):
        ax.plot(x, y, marker, color=drawing.COLOURS[0 if q == 0.5 else 3], markersize=5)


def _quantile_legend(ax: Axes) -> None:
    for q, marker in QUANTILES.items():
        ax.plot([], [], marker, color=drawing.COLOURS[0 if q == 0.5 else 3],
                label=f"p{100 * q:.0f}")


def _line(ax: Axes, x: float, style: str, label: str) -> None:
    ax.axvline(x, color="0.3", linestyle=style, linewidth=1, label=label)


def _log_axis(ax: Axes, axis: str, label: str) -> None:
    getattr(ax, f"set_{axis}scale")("log")
    getattr(ax, f"set_{axis}label")(label)
    which = getattr(ax, f"{axis}axis")
    low, high = getattr(ax, f"get_{axis}lim")()
    which.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
    which.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    which.set_minor_formatter(NullFormatter())


def _percent(share: float) -> str:
    return f"{round(100 * share) + 0} %"     # and no minus before a 0


def _lateness(samples: Samples, arm: str) -> str:
    late, taken = harm.late_share(samples, arm), harm.taken_back_share(samples, arm)
    if late is None:
        return _percent(taken) + " over" if taken else "not asked"
    return _percent(late.value) + (f", {_percent(taken)} over" if taken else "")


def _sizes(found: tuple[float, float, float]) -> str:
    value, low, high = (_size(size) for size in found)
    return f"{value} [{low}, {high}]"


def _size(size: float) -> str:
    if size == 0:
        return "always"
    if math.isinf(size):
        return "never"
    return f"{size / 2**20:.1f}M" if size >= 2**20 else f"{size / 1024:.0f}K"


def _passes(samples: Samples, arm: str) -> np.ndarray:
    """Median time of each pass in turn."""
    each = np.concatenate(samples.channels[arm]["pass"]).reshape(samples.seconds[arm].size, -1)
    return np.median(each, axis=0)


def _front(points: dict[str, tuple[float, float]]) -> list[str]:
    """Those that no other beats in both, by loss."""
    best = [arm for arm, (loss, speed) in points.items()
            if not any(l <= loss and s >= speed and (l, s) != (loss, speed)
                       for l, s in points.values())]
    return sorted(best, key=lambda arm: points[arm])


def _finite(low: float, high: float) -> list[list[float]]:
    """Error bars; none where an interval has no end."""
    return [[max(v, 0.0) if math.isfinite(v) else 0.0] for v in (low, high)]


def _nothing(why: str) -> Figure:
    fig, ax = plt.subplots(figsize=(7, 1.5), layout="constrained")
    ax.annotate(why, (0.5, 0.5), xycoords="axes fraction", ha="center")
    ax.set_axis_off()
    return fig
