# SPDX-License-Identifier: MIT
"""idle-scan: what it costs to look at the state of so many CPUs."""

from __future__ import annotations

import typing
from collections.abc import Iterable

import numpy as np

from artifact import drawing, estimate
from artifact.cells import Cell
from artifact.estimate import Estimate
from artifact.host import Host
from artifact.ingredients import Teams
from artifact.problem import Misuse
from artifact.samples import Samples

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure


def cells(host: Host, crew: Teams, scanned_cpus: Iterable[int], processes: int,
          rounds: int) -> list[Cell]:
    """One cell. The CPUs need not be there: the state of one is a cache line."""
    counts = sorted(set(scanned_cpus))
    if len(counts) < 2:
        raise Misuse(f"scanned_cpus: {counts}", "one more CPU's cost is the difference of two counts",
                     "name at least two counts")
    if counts[-1] > host.scan_most:
        raise Misuse(f"scanned_cpus: {counts[-1]}", "more than pagecopy has lines for",
                     f"give at most {host.scan_most}")
    return [Cell("idle-scan", "lines", (*crew.options, f"--rounds={4 * rounds}"),
                 tuple(f"scan:{how}:{count}" for how in ("hot", "written") for count in counts),
                 processes, resolution=0.25, quiet=True, sharpness=0.20)]


def scan_ns(samples: Samples, how: str) -> dict[int, float]:
    """CPUs looked at to the median time of one look at all of them, in ns; what
    counts as a scan's bytes are its looks."""
    found = {samples.cell.of(arm).cpus:
             1e9 * estimate.median_seconds(samples, arm) / samples.bytes[arm]
             for arm in samples.cell.where(rule=how)}
    return dict(sorted(found.items()))


def ns_per_cpu(samples: Samples, how: str) -> Estimate:
    """What one more CPU adds to a look: from the fewest to the most."""
    counts = list(scan_ns(samples, how))
    few, most = (1e9 * np.median(samples.seconds[arm], axis=1) / samples.bytes[arm]
                 for arm in (f"scan:{how}:{counts[0]}", f"scan:{how}:{counts[-1]}"))
    return estimate.interval((most - few) / (counts[-1] - counts[0]))


def scan_figure(cells: list[Samples]) -> Figure:
    """What looking at the state of so many CPUs costs."""
    samples, = cells
    fig, ax = drawing.subplots(figsize=(8.5, 5))
    for i, (how, label) in enumerate((("hot", "nobody wrote since the last look"),
                                      ("written", "another CPU wrote all of them"))):
        found, slope = scan_ns(samples, how), ns_per_cpu(samples, how)
        ax.plot(list(found), list(found.values()), "o-", color=drawing.COLOURS[i],
                markerfacecolor=drawing.COLOURS[i] if estimate.is_stable(samples) else "white",
                label=f"{label}: {slope.value:.1f} ns [{slope.low:.1f}, {slope.high:.1f}] per CPU")
    drawing.log_axis(ax, "x", "CPUs looked at: one cache line each, pages apart")
    drawing.log_axis(ax, "y", "ns for one look at all of them, median")
    ax.set_xticks(list(found), [str(n) for n in found])
    drawing.major_only(ax.xaxis)
    ax.legend(loc="upper left")
    ax.set_title("What it costs to look for idle CPUs")
    return fig
