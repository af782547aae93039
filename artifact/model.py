# SPDX-License-Identifier: MIT
"""Beyond this machine: what number of threads pays, by a model of three numbers.

    time(N) = N * dispatch + bytes / min(N * one, limit)

One worker moves ``one`` GB/s, all together no more than ``limit``, and each
costs ``dispatch`` seconds a call. Fitted to logarithms of throughputs, so
that every thread count weighs the same.
"""

from __future__ import annotations

import dataclasses
import math
import typing

import numpy as np
import pandas as pd

from artifact import drawing, estimate, published, teams
from artifact.experiments.thread_sweep import spread_cells
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST_ROWS = 4          # one more than there are numbers to fit


@dataclasses.dataclass(frozen=True)
class Fit:
    """one, limit in GB/s; dispatch in s for each thread and call of ``size`` bytes."""

    one: float
    limit: float
    dispatch: float
    size: float

    def gbps(self, threads: np.ndarray) -> np.ndarray:
        threads = np.asarray(threads, float)
        rate = np.minimum(threads * self.one, self.limit) * 1e9
        return self.size / (threads * self.dispatch + self.size / rate) / 1e9


@dataclasses.dataclass(frozen=True)
class Table:
    """Throughput in GB/s by thread count, published or measured."""

    name: str
    threads: np.ndarray
    gbps: np.ndarray
    size: float             # bytes of one call; of one GB where not stated
    ours: bool = False


def fit(table: Table) -> Fit:
    """The three numbers that come nearest to a table."""
    from scipy import optimize  # slow to import, and only this needs it

    start = np.log([table.gbps[0] / table.threads[0], table.gbps.max() * 1.05,
                    max(table.size / (table.gbps.max() * 1e9) / 1000, 1e-9)])

    def of(logs: np.ndarray) -> Fit:
        one, limit, dispatch = np.exp(logs)
        return Fit(one, limit, dispatch, table.size)

    def misses(logs: np.ndarray) -> np.ndarray:
        return np.log(of(logs).gbps(table.threads) / table.gbps)

    return of(optimize.least_squares(misses, start, loss="soft_l1", f_scale=0.1).x)


def left_out_errors(table: Table) -> np.ndarray:
    """How far off each row is, as a factor, for a model that has not seen it."""
    errors = []
    for nth in range(len(table.threads)):
        others = np.arange(len(table.threads)) != nth
        model = fit(dataclasses.replace(table, threads=table.threads[others],
                                        gbps=table.gbps[others]))
        errors.append(float(model.gbps(table.threads[nth]) / table.gbps[nth]))
    return np.array(errors)


def published_tables() -> list[Table]:
    """Every published series of thread counts that is long enough."""
    found = published.figures()
    rows = found[found["variant"].str.startswith(("mtcopy", "thp+mt-copy")) & (found["unit"] == "GB/s")
                 & found["source_id"].isin(["S08", "S11", "S12"])
                 & ~found["variant"].str.contains("migrate_pages")
                 & found["threads"].str.fullmatch(r"\d+")]
    tables = []
    keys = ["source_id", "variant", "page_size_kib", "bytes_moved"]
    for (source, variant, size, moved), group in rows.groupby(keys, dropna=False, sort=True):
        each = group.assign(threads=group["threads"].astype(int)).groupby("threads")["value"].mean()
        if len(each) < LEAST_ROWS:
            continue
        what = variant.partition(":")[0].removeprefix("mtcopy, ").removeprefix("thp+mt-copy ")
        pages = "" if pd.isna(moved) else f", {moved / size / 1024:.0f} x {size:.0f} KiB"
        tables.append(Table(f"{source} {what}{pages}", each.index.to_numpy(), each.to_numpy(),
                            1e9 if pd.isna(moved) else float(moved)))
    return tables


def own_tables(cells: list[Samples]) -> list[Table]:
    """The woken teams of a run, by folios per call and by what they copy with; a
    caller alone is one thread."""
    tables = []
    for samples in cells:
        by_primitive: dict[str, dict[int, str]] = {}
        for arm in teams.teams(samples, dispatch="wake", caller="works"):
            what = samples.cell.of(arm)
            by_primitive.setdefault(what.primitive, {})[what.threads] = arm
        for primitive, arms in by_primitive.items():
            threads = sorted(arms)
            tables.append(Table(f"here, {samples.cell.label}, {primitive}", np.array(threads),
                                np.array([estimate.gbps(samples, arms[n]) for n in threads]),
                                float(samples.bytes[arms[threads[0]]]), ours=True))
    return tables


def pays_from_bytes(one: float, limit: float, dispatch: float, threads: int) -> float:
    """Bytes per call from which so many threads beat one; infinite if never.

    one, limit in GB/s, dispatch in s for each thread of a call.
    """
    rate = min(threads * one, limit)
    saved = 1 / (one * 1e9) - 1 / (rate * 1e9)      # s for each byte
    return threads * dispatch / saved if saved > 0 else math.inf


def model_figure(cells: list[Samples], cpus: int, one_thread_gbps: float, limit_gbps: float,
                 dispatch_us: float) -> Figure:
    """How far off the model is on rows that it was not fitted to, and where it says that
    threads pay on a machine as described."""
    tables = [table for table in [*published_tables(), *own_tables(spread_cells(cells))]
              if len(table.threads) >= LEAST_ROWS]
    fig, (misses, elsewhere) = drawing.subplots(1, 2, figsize=(14, 2 + 0.3 * len(tables)),
                                                width_ratios=[2, 3])
    for y, table in enumerate(tables):
        errors = 100 * np.expm1(np.abs(np.log(left_out_errors(table))))
        colour = drawing.COLOURS[0] if table.ours else "0.45"
        misses.plot([np.median(errors), errors.max()], [y, y], color="0.8", linewidth=1)
        misses.plot(np.median(errors), y, "o", color=colour)
        misses.plot(errors.max(), y, "x", color=colour)
    drawing.label_rows(misses, [table.name for table in tables])
    misses.tick_params(axis="y", labelsize="small")
    misses.set_xlim(left=0)
    misses.set_xlabel("% off on a thread count left out of the fit;\ndot: median, cross: worst")
    misses.set_title("time(N) = N dispatch + bytes / min(N one, limit)", fontsize="small")
    _elsewhere(elsewhere, cpus, one_thread_gbps, limit_gbps, dispatch_us)
    return fig


def _elsewhere(ax, cpus: int, one: float, limit: float, dispatch_us: float) -> None:
    """Speed-up over one thread by size of the call, on a machine as described."""
    sizes = np.geomspace(1 << 12, 1 << 30, 100)
    counts = sorted({n for n in (2, 4, 8, 16, 32, 64) if n <= cpus} | {cpus})
    for i, count in enumerate(counts):
        serial = sizes / (one * 1e9)
        team = count * dispatch_us * 1e-6 + sizes / (min(count * one, limit) * 1e9)
        pays = pays_from_bytes(one, limit, dispatch_us * 1e-6, count)
        label = f"{count} threads: never" if math.isinf(pays) else \
            f"{count} threads: from {pays / 1024:,.0f} KiB"
        ax.plot(sizes, serial / team, color=drawing.COLOURS[i], label=label)
    drawing.at_one(ax, "y")
    ax.axvline(2 << 20, color="0.3", linestyle=":", linewidth=1)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set_ylim(1 / 16, None)
    drawing.formatted(ax.xaxis, _size)
    drawing.numbers(ax.yaxis, "{:.3g}")
    ax.set_xlabel("bytes per call; dotted: one huge page")
    ax.set_ylabel("speed-up over one worker without dispatch")
    ax.set_title(f"where threads pay on a machine with {cpus} CPUs, {one:g} GB/s from one,\n"
                 f"{limit:g} from all, {dispatch_us:g} us of dispatch for each thread",
                 fontsize="small")
    ax.legend(fontsize="small", loc="upper left")


def _size(value: float) -> str:
    for unit, shift in (("G", 30), ("M", 20), ("K", 10)):
        if value >= 1 << shift:
            return f"{value / (1 << shift):g}{unit}"
    return f"{value:g}"
