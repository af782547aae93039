# SPDX-License-Identifier: MIT
"""Beyond this machine: what number of threads pays, by a model of four numbers.

    time = helpers * dispatch + work * per_folio + bytes / min(threads * one, limit)

One thread moves ``one`` GB/s, all together no more than ``limit``. Each helper of a
call costs ``dispatch`` seconds; each folio costs ``per_folio``, which no helper
shares. A folio that page-table entries map costs half of that again for each entry:
work is its folios + ENTRY * their entries.

A series is fitted alone, over all its folio sizes, thread counts and amounts. S12, the
only one with many folio sizes, decided the form. Without a cost for an entry, or with
a folio's cost that helpers share, rows that the fit has not seen are off by more than
twice as much. A fifth number, for an entry by itself, predicts them no better, and
comes out near half of the folio's. ENTRY was chosen there, which flatters the model
on that series a little.

A series says nothing of a number that it does not vary: without two folio sizes
nothing tells ``per_folio`` from ``one``, and without the bytes of a call ``dispatch``
has no unit. These are left at 0. (With one size, what does not scale with threads for
any other reason would pass for the folio's cost.) Misses are those of logarithms, so
that every row weighs the same.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import typing
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import special

from artifact import drawing, estimate, published, teams
from artifact.estimate import Estimate
from artifact.experiments.thread_sweep import spread_cells
from artifact.samples import Samples
from artifact.sizes import spoken

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENTRY = 0.5             # of a folio's cost, for each page-table entry that maps it
COSTS = ("dispatch", "per_folio")
BASE, HUGE = 4 << 10, 2 << 20       # bytes; from HUGE on one entry maps a folio
LEAST_MORE = 2          # rows than numbers: with one fewer, a left-out row says nothing
LEAST_SIZES = 3         # of folios, to leave one out and still tell what a folio costs

Rows: typing.TypeAlias = Mapping[str, np.ndarray] | pd.DataFrame


@dataclasses.dataclass(frozen=True)
class Fit:
    """one, limit in GB/s; dispatch in s for each helper of a call; per_folio in s."""

    one: float
    limit: float
    dispatch: float = 0.0
    per_folio: float = 0.0

    def seconds(self, rows: Rows) -> np.ndarray:
        """Of one call in each row; columns as Table has them."""
        work = rows["folios"] + ENTRY * rows["entries"]
        rate = np.minimum(rows["threads"] * self.one, self.limit) * 1e9
        return np.asarray(rows["helpers"] * self.dispatch + work * self.per_folio
                          + _bytes(rows) / rate)

    def gbps(self, rows: Rows) -> np.ndarray:
        return np.asarray(_bytes(rows) / self.seconds(rows) / 1e9)


@dataclasses.dataclass(frozen=True)
class Table:
    """A series, published or measured.

    rows: threads, helpers, folio (its bytes), folios (of a call), entries (of page
    tables, for all of them; 0 where one maps a folio), gbps.
    per_call: whether the bytes of a call are known.
    """

    name: str
    rows: pd.DataFrame
    ours: bool = False
    per_call: bool = True

    @property
    def numbers(self) -> tuple[str, ...]:
        """Those of a Fit that the series can tell."""
        return ("one", "limit", *(["dispatch"] if self.per_call else []),
                *(["per_folio"] if self.rows["folio"].nunique() > 1 else []))

    @property
    def domain(self) -> str:
        """What the fit is of, and holds for."""
        threads = _range(self.rows["threads"], "{:.0f}".format)
        amount = f"{_range(_bytes(self.rows), spoken)} a call" if self.per_call else \
            "bytes of a call not stated"
        return f"folios of {_range(self.rows['folio'], spoken)}, {threads} threads, {amount}"


@dataclasses.dataclass(frozen=True)
class Errors:
    """Of rows left out of the fit, in percent: the model's, and those of a straight line
    between the rows that are left. Only rows that such a line reaches."""

    model: np.ndarray
    line: np.ndarray


@dataclasses.dataclass(frozen=True)
class Judged:
    """A table with its fit: numbers with intervals of 95 %, errors with each row left
    out, and with each folio size, for which None stands where there are too few."""

    table: Table
    numbers: dict[str, Estimate]
    by_row: Errors
    by_size: Errors | None


def _bytes(rows: Rows) -> typing.Any:
    return rows["folio"] * rows["folios"]


def _range(values: pd.Series, form: typing.Callable[[float], str]) -> str:
    ends = form(values.min()), form(values.max())
    return " to ".join(dict.fromkeys(ends))


def fit(table: Table, numbers: tuple[str, ...] = ()) -> Fit:
    """The numbers that come nearest to a table: ``numbers``, or all that it can tell."""
    from scipy import optimize  # slow to import, and only this needs it

    numbers = numbers or table.numbers
    # Arrays, as a search asks for them a hundred times.
    rows = {name: table.rows[name].to_numpy(float) for name in table.rows}
    seconds = _bytes(rows) / (rows["gbps"] * 1e9)
    scales = {"one": (rows["gbps"] / rows["threads"]).max(), "limit": rows["gbps"].max() * 1.05,
              "dispatch": (seconds / np.maximum(rows["helpers"], 1)).min(),
              "per_folio": (seconds / (rows["folios"] + ENTRY * rows["entries"])).min()}
    unit = np.array([scales[name] for name in numbers])

    def misses(x: np.ndarray) -> np.ndarray:
        return np.log(Fit(**dict(zip(numbers, x * unit))).gbps(rows) / rows["gbps"])

    # A rate of 0 has no logarithm; a cost of 0 is allowed.
    least = [0.0 if name in COSTS else 1e-3 for name in numbers]
    # Where dispatch is dear, no row comes near the limit: a search from there alone
    # takes the fastest row for it, and stays.
    starts = [[{"limit": limit}.get(name, 0.5 if name in COSTS else 1.0) for name in numbers]
              for limit in (1.0, 4.0)]
    found = [optimize.least_squares(misses, start, bounds=(least, np.inf), loss="soft_l1",
                                    f_scale=0.1) for start in starts]
    best = min(found, key=lambda each: each.cost).x
    return Fit(**dict(zip(numbers, map(float, best * unit))))


def _without(table: Table, left_out: np.ndarray) -> Table:
    return dataclasses.replace(table, rows=table.rows[~left_out].reset_index(drop=True))


# Along what a line may run, and what must be equal on it; the first that has two rows.
LINES = (("threads", ("folio", "folios")), ("folio", ("threads", "bytes")),
         ("folio", ("threads", "folios")), ("folios", ("threads", "folio")))


def line(rows: pd.DataFrame, row: pd.Series) -> float:
    """GB/s of a row by the straight line, in logarithms, through its nearest two neighbours
    that differ from it in one thing; nan where there are none."""
    rows = rows.assign(bytes=_bytes(rows))
    row = pd.concat([row, pd.Series({"bytes": row["folio"] * row["folios"]})])
    for along, same in LINES:
        near = rows[np.all([rows[column] == row[column] for column in same], axis=0)]
        near = near.sort_values(along)
        if len(near) >= 2:
            x, y = np.log(near[along].to_numpy(float)), np.log(near["gbps"].to_numpy(float))
            at = math.log(row[along])
            i = int(np.clip(np.searchsorted(x, at), 1, len(x) - 1))
            return math.exp(y[i - 1] + (y[i] - y[i - 1]) * (at - x[i - 1]) / (x[i] - x[i - 1]))
    return math.nan


def errors(table: Table, groups: list[np.ndarray], fits: list[Fit]) -> Errors:
    """groups: of rows that are left out together, as masks; fits: without each."""
    off = []
    for left_out, model in zip(groups, fits):
        gone, rest = table.rows[left_out], table.rows[~left_out]
        off += [(modelled / row["gbps"], line(rest, row) / row["gbps"])
                for modelled, (_, row) in zip(model.gbps(gone), gone.iterrows())]
    percent = 100 * np.expm1(np.abs(np.log(np.array(off))))
    percent = percent[~np.isnan(percent[:, 1])]
    return Errors(percent[:, 0], percent[:, 1])


def judge(table: Table) -> Judged:
    """Fits a table, and then without each of its rows and each of its folio sizes."""
    count = len(table.rows)
    each = list(np.eye(count, dtype=bool))
    # The same numbers, even where what is left could not tell one.
    fits = [fit(_without(table, gone), table.numbers) for gone in each]
    sizes = table.rows["folio"].unique()
    by_size = None
    if len(sizes) >= LEAST_SIZES:
        groups = [(table.rows["folio"] == size).to_numpy() for size in sizes]
        by_size = errors(table, groups, [fit(_without(table, gone)) for gone in groups])
    return Judged(table, _intervals(fit(table), fits, table.numbers),
                  errors(table, each, fits), by_size)


def _intervals(whole: Fit, without: list[Fit], numbers: tuple[str, ...]) -> dict[str, Estimate]:
    """By the jackknife: what leaving out each row changes. A number that one row decides
    is thereby uncertain, however well it fits. Rates by logarithms; costs may be 0."""
    def interval(value: float, others: np.ndarray) -> Estimate:
        error = math.sqrt((count - 1) / count * ((others - others.mean()) ** 2).sum())
        half = float(special.stdtrit(count - len(numbers), 0.975)) * error
        return Estimate(value, value - half, value + half)

    count = len(without)
    found = {}
    for name in numbers:
        value, others = getattr(whole, name), np.array([getattr(each, name) for each in without])
        found[name] = interval(value, others) if name in COSTS else \
            estimate.exponential(interval(math.log(value), np.log(others)))
    return found


def published_tables() -> list[Table]:
    """Every published series of thread counts that is long enough, of the copy alone
    where the source has that."""
    found = published.figures()
    rows = found[found["variant"].str.match(r"mtcopy|thp\+mt-copy|exchange-pages batched")
                 & (found["unit"] == "GB/s") & found["source_id"].isin(["S08", "S11", "S12"])
                 & ~found["variant"].str.contains(":migrate_pages")
                 & found["threads"].str.fullmatch(r"\d+")]
    tables = []
    for (source, variant), group in rows.groupby(["source_id", "variant"], sort=True):
        what = variant.partition(":")[0].removeprefix("mtcopy, ").removeprefix("thp+mt-copy ")
        threads, folio = group["threads"].astype(int), group["page_size_kib"] * 1024
        per_call = bool(group["bytes_moved"].notna().all())
        folios = group["bytes_moved"].fillna(1 << 30) / folio
        tables.append(_table(f"{source} {what}", threads, threads, folio, folios,
                             (folios * folio / BASE).where(folio < HUGE, 0.0), group["value"],
                             per_call=per_call))
    return [table for table in tables if _long_enough(table)]


def own_tables(cells: list[Samples]) -> list[Table]:
    """The woken teams of a run whose caller works, by what they copy with, over thread
    counts, folios per call and sizes. User space has no page tables to fill in, and
    the caller is no helper."""
    found: dict[str, list[tuple]] = {}
    sweeps = [samples for samples in cells if samples.cell.experiment == "break-even"]
    for samples in [*spread_cells(cells), *sweeps]:
        for arm in teams.teams(samples, dispatch="wake", caller="works", affinity="bound"):
            what = samples.cell.of(arm)
            found.setdefault(what.primitive, []).append(
                (what.threads, what.threads - 1, what.bytes, what.folios, 0.0,
                 estimate.gbps(samples, arm)))
    tables = [_table(f"here, {primitive}", *map(pd.Series, zip(*rows)), ours=True)
              for primitive, rows in found.items()]
    return [table for table in tables if _long_enough(table)]


def _table(name: str, threads, helpers, folio, folios, entries, gbps, **options) -> Table:
    """Rows of the same conditions are one, of their mean."""
    rows = pd.DataFrame({"threads": threads, "helpers": helpers, "folio": folio,
                         "folios": folios, "entries": entries, "gbps": gbps})
    keys = [column for column in rows if column != "gbps"]
    return Table(name, rows.groupby(keys, as_index=False)["gbps"].mean(), **options)


def _long_enough(table: Table) -> bool:
    return len(table.rows) >= len(table.numbers) + LEAST_MORE


@functools.cache
def _published() -> list[Judged]:
    """They are the same in every figure, and their many fits take seconds."""
    return [judge(table) for table in published_tables()]


def judged(cells: list[Samples]) -> list[Judged]:
    """Every published series and every one of this run."""
    return [*_published(), *(judge(table) for table in own_tables(cells))]


def fits_table(cells: list[Samples]) -> pd.DataFrame:
    """The numbers of each series with their intervals, where they hold, and how far off the
    model and a straight line are on rows that neither has seen."""
    return pd.DataFrame([{
        "series": each.table.name, "of": each.table.domain,
        "one, GB/s": _number(each, "one"), "limit, GB/s": _number(each, "limit"),
        "dispatch, us": _number(each, "dispatch", 1e6),
        "folio, us": _number(each, "per_folio", 1e6),
        "off, a row left out: model / line": _off(each.by_row),
        "off, a folio size left out": _off(each.by_size)} for each in judged(cells)])


def _number(each: Judged, name: str, scale: float = 1) -> str:
    if name not in each.numbers:
        return "not told: bytes of a call unknown" if name == "dispatch" else \
            "not told: one folio size"
    found = each.numbers[name]
    low, value, high = (f"{round(scale * v, 3):.3g}" for v in (found.low, found.value, found.high))
    return f"{value} [0, {high}]: not told from 0" if found.low <= 0 else f"{value} [{low}, {high}]"


def _off(found: Errors | None) -> str:
    return "" if found is None else \
        f"{np.median(found.model):.0f} % / {np.median(found.line):.0f} %"


def pays_from_bytes(one: float, limit: float, dispatch: float, threads: int) -> float:
    """Bytes per call from which so many threads beat one; infinite if never.

    one, limit in GB/s, dispatch in s for each thread of a call. What a folio costs is
    the same for both, and moves no break-even.
    """
    rate = min(threads * one, limit)
    saved = 1 / (one * 1e9) - 1 / (rate * 1e9)      # s for each byte
    return threads * dispatch / saved if saved > 0 else math.inf


def model_figure(cells: list[Samples], cpus: int, one_thread_gbps: float, limit_gbps: float,
                 dispatch_us: float, folio_us: float) -> Figure:
    """How far off the model and a straight line are on rows that neither has seen, and
    where the model says that threads pay on a machine as described."""
    rows = {}
    for each in judged(cells):
        rows[each.table.name] = each, each.by_row
        if each.by_size is not None:
            rows[f"{each.table.name}: a folio size"] = each, each.by_size
    fig, (misses, elsewhere) = drawing.subplots(
        1, 2, figsize=(13, 2.2 + 0.32 * max(len(rows), 9)), width_ratios=[2, 3])
    _misses(misses, rows)
    machine = Fit(one_thread_gbps, limit_gbps, dispatch_us * 1e-6, folio_us * 1e-6)
    _elsewhere(elsewhere, cpus, machine)
    return fig


def _misses(ax: Axes, rows: dict[str, tuple[Judged, Errors]]) -> None:
    """A row for each series, and one more where a folio size can be left out."""
    for y, (each, found) in enumerate(rows.values()):
        colour = drawing.COLOURS[0] if each.table.ours else "0.3"
        model, naive = np.median(found.model), np.median(found.line)
        ax.plot([model, naive], [y, y], color="0.8", linewidth=1, zorder=1)
        ax.plot(naive, y, "D", color=colour, markerfacecolor="white", markersize=5)
        ax.plot(model, y, "o", color=colour)
    ax.plot([], [], "o", color="0.3", label="model")
    ax.plot([], [], "D", color="0.3", markerfacecolor="white", markersize=5, label="straight line")
    drawing.label_rows(ax, list(rows))
    ax.set_xlim(left=0)
    ax.set_xlabel("median % off, with one row left out,\n"
                  "or all rows of a folio size where the label says so")
    ax.set_title("how well unseen rows are told", fontsize="medium")
    ax.legend(fontsize="small", loc="best")


def _elsewhere(ax: Axes, cpus: int, machine: Fit) -> None:
    """Speed-up over one thread by size of the call, on a machine as described. One folio
    up to a huge page, from there on as many huge pages."""
    counts = sorted({n for n in (2, 4, 8, 16, 32, 64) if n <= cpus} | {cpus})
    for i, count in enumerate(counts):
        pays = pays_from_bytes(machine.one, machine.limit, machine.dispatch, count)
        label = f"{count} threads: never" if math.isinf(pays) else \
            f"{count} threads: from {spoken(pays)}"
        # Mapped page by page, then by one entry: no line joins the two.
        for sizes, name in ((np.geomspace(BASE, HUGE * 0.99, 60), label),
                            (np.geomspace(HUGE, 1 << 30, 60), None)):
            speedup = machine.seconds(_calls(sizes, 1, 0)) / machine.seconds(
                _calls(sizes, count, count))
            ax.plot(sizes, speedup, color=drawing.COLOURS[i], label=name)
    drawing.at_one(ax, "y")
    ax.axvline(HUGE, color="0.3", linestyle=":", linewidth=1)
    ax.set_xscale("log", base=2)
    ax.set_xticks([1 << power for power in range(12, 31, 3)])
    ax.set_yscale("log", base=2)
    ax.set_ylim(1 / 16, None)
    drawing.formatted(ax.xaxis, spoken)
    drawing.numbers(ax.yaxis, "{:.3g}")
    ax.set_xlabel("bytes per call: one folio; right of the dots, huge pages")
    ax.set_ylabel("speed-up over one thread that needs no dispatch")
    ax.set_title(f"where threads pay: {cpus} CPUs, {machine.one:g} GB/s from one, "
                 f"{machine.limit:g} from all,\n{1e6 * machine.dispatch:g} us to dispatch each, "
                 f"{1e6 * machine.per_folio:g} us for each folio", fontsize="medium")
    ax.legend(fontsize="small", loc="upper left")


def _calls(sizes: np.ndarray, threads: int, helpers: int) -> pd.DataFrame:
    """One call of each size, in bytes."""
    folios = np.maximum(sizes / HUGE, 1)
    return pd.DataFrame({"threads": threads, "helpers": helpers, "folio": sizes / folios,
                         "folios": folios, "entries": np.where(sizes < HUGE, sizes / BASE, 0)})
