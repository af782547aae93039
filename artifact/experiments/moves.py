# SPDX-License-Identifier: MIT
"""moves: move_pages(2) by the kind of page, in a real kernel."""

from __future__ import annotations

import typing

from artifact import drawing, published
from artifact.samples import KernelSamples

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def rows_of(samples: KernelSamples) -> list[str]:
    """The rows of move_pages, without their direction."""
    return list(dict.fromkeys(arm.rpartition(":")[0] for arm in samples.values))


def row_label(row: str) -> str:
    """base:512:mbind as 512 base pages, mbind(2)."""
    kind, count, *call = row.split(":")
    return f"{count} {kind} page{'s' * (count != '1')}" + (", mbind(2)" if call else "")


def bookkeeping(moves: KernelSamples, ladder: KernelSamples, arm: str) -> float:
    """Instructions of a move for each base page, less those of a bulk copy of
    as many bytes, which are its rep's iterations; the move's own copy is the
    module's loop of the same rep."""
    copy = ladder.median("serial:bulk") / ladder.counts["serial:bulk"]["bytes"]
    return (moves.median(arm) - copy * moves.counts[arm]["bytes"]) / moves.pages(arm)


def folios(row: str) -> int:
    """Pages of whatever kind that a row moves: 512 of base:512."""
    return int(row.split(":")[1])


def copy_share(moves: KernelSamples, ladder: KernelSamples, arm: str) -> float:
    """Share, 0..1, of a timed move that its page copies take, by the ladder of
    the same kernel; its buffers are as cold as its pool is large."""
    each = ladder.median("serial:page:map=2026") / ladder.pages("serial:page:map=2026")
    return each * moves.pages(arm) / moves.median(arm)


def gbps(moves: KernelSamples, arm: str) -> float:
    """Throughput of a move in GB/s, where it was timed."""
    return moves.counts[arm]["bytes"] / moves.median(arm)


WAYS = {"there": "o", "back": "s"}


def moves_figure(cells: list[KernelSamples], ladders: list[KernelSamples]) -> Figure:
    """move_pages(2) by kind of page, and what was published of it."""
    timed = [samples for samples in cells if not samples.cell.counted]
    fig, (ours, theirs, shares) = drawing.subplots(1, 3, figsize=(17, 4.8),
                                                   width_ratios=[3, 2, 2])
    if timed:
        _by_row(ours, timed, gbps, "{:.2f}")
        ours.set_xlabel("GB/s, median")
        ours.set_title("timed here")
    else:
        by_kernel = {samples.cell.kernel: samples for samples in ladders}
        _by_row(ours, cells, lambda samples, arm: bookkeeping(
            samples, by_kernel[samples.cell.kernel], arm), "{:,.0f}")
        ours.set_xlabel("instructions for each 4 KiB moved, less those of the copy:\n"
                        "counted, not timed")
        ours.set_title("counted in a virtual machine: the bookkeeping alone")
    _published_moves(theirs, timed)
    _copy_shares(shares, timed, ladders)
    fig.suptitle("move_pages(2) by the kind of page")
    return fig


def _by_row(ax: Axes, cells: list[KernelSamples], of, text: str) -> None:
    """A number of each row of the call, there and back."""
    rows = list(dict.fromkeys(row for samples in cells for row in rows_of(samples)))
    for i, samples in enumerate(cells):
        own = rows_of(samples)
        for way, marker in WAYS.items():
            ax.plot([of(samples, f"{row}:{way}") for row in own], [rows.index(row) for row in own],
                    marker, color=drawing.COLOURS[i], label=f"{samples.name}, {way}",
                    markerfacecolor=drawing.COLOURS[i] if way == "there" else "white")
        for row in own:
            value = of(samples, f"{row}:there")
            ax.annotate(text.format(value), (value, rows.index(row)), xytext=(8, -3),
                        textcoords="offset points", fontsize="small")
    drawing.label_rows(ax, list(map(row_label, rows)))
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.set_xlim(low, 3 * high)
    drawing.numbers(ax.xaxis, "{:,g}")
    ax.legend(fontsize="small", loc="lower right")


def _published_moves(ax: Axes, timed: list[KernelSamples]) -> None:
    """Throughput of the same calls in the published tables, where serial."""
    found = published.figures()
    serial = found[found["variant"].isin(["base-page", "thp-migration", "vanilla"])
                   & found["unit"].str.startswith("G") & found["page_size_kib"].isin([4, 2048])]
    kinds = {4: "base", 2048: "huge"}
    for y, (size, kind) in enumerate(kinds.items()):
        rows = serial[serial["page_size_kib"] == size]
        to_gb = rows["unit"].str.startswith("GiB").map({True: 2**30 / 1e9, False: 1.0})
        beside = 0.05 * (rows["source_id"].str[1:].astype(int) % 7 - 3)
        ax.plot(rows["value"] * to_gb, y + beside, **drawing.PUBLISHED_STYLE,
                label=None if y else "published")
        ours = [gbps(samples, f"{row}:there") for samples in timed
                for row in rows_of(samples) if row.startswith(kind)]
        ax.plot(ours, [y] * len(ours), "o", color=drawing.COLOURS[0],
                label="timed here" if ours and not y else None)
    drawing.label_rows(ax, [f"{kind} pages" for kind in kinds.values()])
    ax.set_xscale("log")
    drawing.numbers(ax.xaxis)
    ax.set_xlabel("GB/s of the whole call, serial copies, any number of\npages, each on its machine")
    ax.set_title("published" if timed else "published; to time it takes two nodes, or KVM",
                 fontsize="small")
    ax.legend(fontsize="small")


def _copy_shares(ax: Axes, timed: list[KernelSamples], ladders: list[KernelSamples]) -> None:
    """Which part of the call is the copy: published, and where it was timed."""
    found = published.figures()
    rows = found[found["variant"].isin(["vanilla:copy share F",
                                        "vanilla: folio_copy() share of move_pages()"])]
    labels = list(dict.fromkeys(_pages_label(*row) for row in
                                sorted(zip(rows["page_size_kib"], rows["pages"]))))
    percent = rows["unit"].str.startswith("fraction").map({True: 100.0, False: 1.0})
    ax.plot(rows["value"] * percent, [labels.index(_pages_label(*row)) for row in
                                      zip(rows["page_size_kib"], rows["pages"])],
            **drawing.PUBLISHED_STYLE, label="published")
    sizes = {"base:1": (4, 1), "base:512": (4, 512), "huge:1": (2048, 1)}
    for samples in timed:
        ladder_of = _ladder_of(samples, ladders)
        ours = {labels.index(_pages_label(*sizes[row])): 100 * copy_share(
            samples, ladder_of, f"{row}:there") for row in rows_of(samples)
            if ladder_of and row in sizes}
        ax.plot(list(ours.values()), list(ours), "o", color=drawing.COLOURS[0], label=samples.name)
    drawing.label_rows(ax, labels)
    ax.set_xlim(0, 105)
    ax.set_xlabel("% of the call's time that is the copy")
    ax.set_title("published copy share" + ("" if timed else ": a ratio of times"),
                 fontsize="small")
    ax.legend(fontsize="small", loc="upper right")


def _pages_label(size_kib: float, count: float) -> str:
    return f"{count:.0f} x {size_kib:.0f} KiB"


def _ladder_of(samples: KernelSamples, ladders: list[KernelSamples]) -> KernelSamples | None:
    """The ladder of the same kernel; the host has none."""
    return next((s for s in ladders if s.cell.kernel == samples.cell.kernel), None)
