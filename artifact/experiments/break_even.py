# SPDX-License-Identifier: MIT
"""break-even: from which size on a team pays, from one base page to sixteen folios."""

from __future__ import annotations

import math
import typing

from artifact import drawing, estimate, published, teams
from artifact.cells import Cell
from artifact.estimate import Estimate
from artifact.host import Host
from artifact.ingredients import Skipped, Teams, powers, that_fit
from artifact.policies import PATIENT
from artifact.samples import Samples
from artifact.sizes import format_size, spoken

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cells(host: Host, crew: Teams, processes: int, rounds: int) -> tuple[list[Cell], Skipped]:
    """One cell of all sizes; a whole folio first, the baseline of its own check.

    Of the policies just those that start at once: who waits for an idle moment
    has no break-even.
    """
    batches, too_large = that_fit(host, crew.sizes.huge, (2, 4, 16))
    amounts = ["", *(f":folios={count}" for count in batches),
               *(f":bytes={format_size(size)}"
                 for size in powers(4, crew.sizes.base, crew.sizes.huge)[:-1])]
    ways = crew.parallel(without={*PATIENT, "2017-nice-0", "padata-finer", "pick-idle"})
    return [Cell("break-even", "sizes", (*crew.options, f"--rounds={rounds}"),
                 tuple(arm + amount for amount in amounts for arm in (*crew.serial, *ways)),
                 2 * processes, resolution=0.10, quiet=True, sharpness=0.10)], too_large


def arms(samples: Samples, policy: str) -> dict[int, str]:
    """Bytes per copy, from a base page on, to the arm of that policy."""
    return dict(sorted((samples.cell.of(arm).copied, arm) for arm in teams.teams(samples)
                       if samples.cell.policy(arm).id == policy))


def by_size(samples: Samples, policy: str) -> dict[int, Estimate]:
    """The same to its speed-up over the best serial copy of the same size."""
    return {size: teams.over_serial(samples, arm) for size, arm in arms(samples, policy).items()}


def smallest(samples: Samples, policy: str) -> str:
    """The arm of that policy which copies a single base page."""
    return next(iter(arms(samples, policy).values()))


def pays_from(curve: dict[int, Estimate]) -> tuple[float, float, float]:
    """Bytes per copy from which on the curve stays above 1, with an interval:
    where its upper and lower ends do so. 0 where all of it is above, infinite
    where its end is not."""
    sizes = list(curve)
    value, low, high = (_last_crossing(sizes, [getattr(e, end) for e in curve.values()])
                        for end in ("value", "high", "low"))
    return value, low, high


def _last_crossing(sizes: list[int], ratios: list[float]) -> float:
    below = [i for i, ratio in enumerate(ratios) if ratio < 1]
    if not below:
        return 0.0
    last = below[-1]
    if last == len(sizes) - 1:
        return math.inf
    a, b = math.log(max(ratios[last], 1e-9)), math.log(ratios[last + 1])
    part = a / (a - b) if b > a else 1.0
    return math.exp(math.log(sizes[last]) + part * math.log(sizes[last + 1] / sizes[last]))


def published_page_us() -> tuple[float, float]:
    """What a 4 KiB page cost when the series of 2016 copied it in threads:
    least and most, from its own tables (S01), in us."""
    found = published.figures()
    rows = found[(found["source_id"] == "S01") & (found["unit"] == "ms")
                 & (found["variant"] == "thp+mt-copy/base-page")]
    each = rows["value"] * 1000 / (rows["bytes_moved"] / 4096)
    return float(each.min()), float(each.max())


def sizes_figure(cells: list[Samples]) -> Figure:
    """From which size on each policy beats the best serial copy, and what a base page
    costs when teams copy it."""
    samples, = cells
    curves = {policy.label: by_size(samples, policy.id) for policy in teams.policies(cells)}
    fig, (ax, pages) = drawing.subplots(1, 2, figsize=(14, 2.2 + 0.42 * len(curves)))
    sizes = list(next(iter(curves.values())))
    edges = sizes[0] / 2, sizes[-1] * 2
    for y, curve in enumerate(curves.values()):
        value, low, high = (min(max(size, edges[0]), edges[1]) for size in pays_from(curve))
        ax.plot([low, high], [y, y], color=drawing.COLOURS[0], linewidth=2)
        ax.plot(value, y, "o" if edges[0] < value < edges[1] else
                "<" if value == edges[0] else ">", color=drawing.COLOURS[0], clip_on=False,
                markerfacecolor=drawing.COLOURS[0] if estimate.is_stable(samples) else "white")
    drawing.label_rows(ax, list(curves))
    drawing.columns(ax, list(curves), {"": {
        label: _sizes(pays_from(curve)) for label, curve in curves.items()}})
    drawing.sizes_axis(ax, sizes, list(map(spoken, sizes)), rotation=45)
    ax.set_xlim(*edges)
    ax.set_xlabel("bytes per copy from which the team is faster")
    _base_pages(pages, samples)
    return fig


def _base_pages(ax: Axes, samples: Samples) -> None:
    base = min(samples.cell.of(arm).copied for arm in teams.teams(samples))
    names = ["best serial copy"]
    times = [teams.serial_seconds(samples, _of_size(samples, base)[0])]
    for arm in _of_size(samples, base):
        names.append(samples.cell.policy(arm).label)
        times.append(estimate.median_seconds(samples, arm))
    ax.barh(range(len(names)), [1e6 * t for t in times], color="0.75")
    for y, seconds in enumerate(times):
        ax.annotate(f" {1e6 * seconds:.3g} us", (1e6 * seconds, y), va="center", fontsize="small")
    low, high = published_page_us()
    ax.axvspan(low, high, color="0.45", alpha=0.5,
               label=f"published for threads, 2016: {low:.1f} to {high:.1f} us")
    ax.set_yticks(range(len(names)), names, fontsize="small")
    ax.invert_yaxis()
    drawing.log_axis(ax, "x", f"us for one page of {spoken(base)}")
    ax.set_xlim(right=6 * max(1e6 * max(times), high))
    ax.legend(loc="lower right", fontsize="small")


def _of_size(samples: Samples, size: int) -> list[str]:
    return [arm for arm in teams.teams(samples)
            if samples.cell.of(arm).copied == size]


def _sizes(found: tuple[float, float, float]) -> str:
    value, low, high = (_size(size) for size in found)
    return f"{value} [{low}, {high}]"


def _size(size: float) -> str:
    if size == 0:
        return "always"
    if math.isinf(size):
        return "never"
    return spoken(size)
