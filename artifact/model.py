# SPDX-License-Identifier: MIT
"""Beyond this machine: what number of threads pays, by a model of three numbers.

    time(N) = N * dispatch + bytes / min(N * one, limit)

One worker moves ``one`` GB/s, all together no more than ``limit``, and each
costs ``dispatch`` seconds a call. Fitted to logarithms of throughputs, so
that every thread count weighs the same.
"""

import dataclasses
import math

import numpy as np
import pandas as pd
from scipy import optimize

from artifact import estimate, harm, plan, published
from artifact.load import Samples

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
    start = np.log([table.gbps[0] / table.threads[0], table.gbps.max() * 1.05,
                    max(table.size / (table.gbps.max() * 1e9) / 1000, 1e-9)])

    def misses(logs: np.ndarray) -> np.ndarray:
        return np.log(Fit(*np.exp(logs), table.size).gbps(table.threads) / table.gbps)
    found = optimize.least_squares(misses, start, loss="soft_l1", f_scale=0.1)
    return Fit(*np.exp(found.x), table.size)


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
        for arm in harm.teams(samples, dispatch="wake", caller="works"):
            fields = plan.fields(arm)
            by_primitive.setdefault(fields["primitive"], {})[int(fields["threads"])] = arm
        for primitive, arms in by_primitive.items():
            threads = sorted(arms)
            tables.append(Table(f"here, {samples.cell.label}, {primitive}", np.array(threads),
                                np.array([estimate.gbps(samples, arms[n]) for n in threads]),
                                float(samples.bytes[arms[threads[0]]]), ours=True))
    return tables


def break_even(one: float, limit: float, dispatch: float, threads: int) -> float:
    """Bytes per call from which so many threads beat one; infinite if never.

    one, limit in GB/s, dispatch in s for each thread of a call.
    """
    rate = min(threads * one, limit)
    saved = 1 / (one * 1e9) - 1 / (rate * 1e9)      # s for each byte
    return threads * dispatch / saved if saved > 0 else math.inf
