# SPDX-License-Identifier: MIT
"""next-reader: copies with stores that skip the cache, and what whoever reads the copy
next pays for them.

What is migrated may not be read soon, least of all what is demoted. So the time of the
pass counts by the share of copies that are read while a cached one is still there.
"""

from __future__ import annotations

import dataclasses
import math
import typing

import numpy as np

from artifact import drawing, estimate
from artifact.cells import Cell
from artifact.estimate import Estimate
from artifact.host import Host
from artifact.ingredients import Skipped, Teams, unique
from artifact.samples import Samples
from artifact.sizes import format_size

if typing.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# By role, the one that was posted first: it needs no FPU state.
SKIP_THE_CACHE = "flushcache", "streaming"

# Base pages in a copy of such. Each is the first of another folio: with many more of
# them the pools, of four times what the caches hold, come round within a round, and
# what is to be cold is not.
PIECES = 4

SHARES = np.linspace(0, 1, 21)      # of the copies that are read

READERS = {"here": "on the CPU that copied", "elsewhere": "on another CPU"}


def cells(host: Host, crew: Teams, processes: int, rounds: int) -> tuple[list[Cell], Skipped]:
    """A cell for each reader: whole folios and base pages, cached and past the cache."""
    own, past = crew.serial[0], _past_the_cache(host)
    if not past or host.folio_mc_copy in past:
        why = f"{host.folio_mc_copy} skips it itself" if past else "no such routine runs here"
        return [], (("copies that skip the cache against the kernel's own", why),)
    sizes = crew.sizes
    amounts = ["", f":bytes={sizes.base_page}:folios={PIECES}"] if sizes.base < sizes.huge else [""]
    return [Cell("next-reader", where,
                 (*crew.options, f"--reader={where}", f"--rounds={min(4 * rounds, 100_000)}"),
                 unique(arm + amount for amount in amounts
                        for arm in (own, *(f"serial:bulk:{name}" for name in past))),
                 processes, resolution=0.15, quiet=True, sharpness=0.05) for where in READERS], ()


def _past_the_cache(host: Host) -> list[str]:
    return [name for role in SKIP_THE_CACHE for name, roles in host.roles.items()
            if role in roles and not host.lacks[name]]


def past_the_cache(samples: Samples) -> list[str]:
    """The arms that are compared with cached copies of as much."""
    return [arm for arm in samples.cell.variants if arm != cached(samples, arm)]


def cached(samples: Samples, arm: str) -> str:
    """The kernel's own routine, of as much as the arm copies."""
    cell = samples.cell
    return next(own for own in cell.where(primitive=cell.own)
                if cell.of(own).work == cell.of(arm).work)


def copy_ratio(samples: Samples, arm: str) -> Estimate:
    """Time of the copy over the cached copy's."""
    return total_ratio(samples, arm, 0)


def read_ratio(samples: Samples, arm: str) -> Estimate:
    """Time of the pass of reading over that after a cached copy."""
    return estimate.speedup(samples, cached(samples, arm), arm)


def total_ratio(samples: Samples, arm: str, reuse: float) -> Estimate:
    """Time of the copy and of the pass, where a share ``reuse`` of the copies is read,
    over the same with the cached copy."""
    seconds = {each: np.stack(samples.channels[each]["copy"]) + reuse * read
               for each, read in samples.seconds.items()}
    return estimate.speedup(dataclasses.replace(samples, seconds=seconds),
                            cached(samples, arm), arm)


@dataclasses.dataclass(frozen=True)
class Reuse:
    """Total times over the cached copy's, at each of SHARES; and what follows."""

    ratios: tuple[Estimate, ...]

    @property
    def crossing(self) -> Estimate:
        """The share of reuse from which the cached copy wins: 0 where it always does,
        infinite where it never does. The interval is of the shares at which neither
        is shown to win."""
        return Estimate(_reaches_1([ratio.value for ratio in self.ratios]),
                        _reaches_1([ratio.high for ratio in self.ratios]),
                        _reaches_1([ratio.low for ratio in self.ratios]))

    @property
    def verdict(self) -> str:
        """Of the copy that skips the cache, from what is clear at both ends."""
        return VERDICTS.get((_side(self.ratios[0]), _side(self.ratios[-1])), "open")


# If nobody reads the copy, and if everybody does.
VERDICTS = {("better", "better"): "default", ("better", "worse"): "depends on reuse",
            ("worse", "worse"): "never"}


def _side(ratio: Estimate) -> str:
    return "better" if ratio.high < 1 else "worse" if ratio.low > 1 else "open"


def _reaches_1(ratios: list[float]) -> float:
    if ratios[0] >= 1:
        return 0.0
    above = next((i for i, ratio in enumerate(ratios) if ratio >= 1), None)
    return math.inf if above is None else float(np.interp(
        1, ratios[above - 1:above + 1], SHARES[above - 1:above + 1]))


def reuse(samples: Samples, arm: str) -> Reuse:
    return Reuse(tuple(total_ratio(samples, arm, share) for share in SHARES))


def amount(samples: Samples, arm: str) -> str:
    """What an arm copies, in words."""
    what = samples.cell.of(arm)
    whole = what.bytes == samples.cell.folio
    return f"a folio of {format_size(what.bytes)}" if whole else f"pages of {format_size(what.bytes)}"


WINS = {"skips the cache": drawing.COLOURS[2], "is cached": "0.75"}


def next_reader_figure(cells: list[Samples]) -> Figure:
    """Up to which share of copies that are read one that skips the cache, with the pass of
    reading it, takes less time than a cached one: a panel for each reader."""
    rows = {arm: f"{cells[0].cell.of(arm).primitive}, {amount(cells[0], arm)}"
            for arm in past_the_cache(cells[0])}
    names = list(rows.values())
    fig, panels = drawing.rows_of_panels(len(cells), names, width=4.6)
    for ax, samples in zip(panels, cells):
        found = {arm: reuse(samples, arm) for arm in rows}
        for y, arm in enumerate(rows):
            _row(ax, found[arm].crossing, y, estimate.is_stable(samples))
        ax.set_xlim(0, 1)
        ax.grid(False, axis="y")
        drawing.formatted(ax.xaxis, lambda share: f"{100 * share:.0f} %")
        ax.set_title(f"read {READERS[samples.cell.label]}\n")
        ax.set_xlabel("share of copies that are read")
        drawing.columns(ax, names, {
            "copy": {label: f"{copy_ratio(samples, arm).value:.2f}" for arm, label in rows.items()},
            "read": {label: f"{read_ratio(samples, arm).value:.2f}" for arm, label in rows.items()},
            "": {label: found[arm].verdict.partition(" ")[0] for arm, label in rows.items()}},
            width=36)
    for label, colour in WINS.items():
        how = f"{label} ({cells[0].cell.own})" if colour == WINS["is cached"] else label
        panels[0].barh(0, 0, color=colour, alpha=0.5, label=f"less time with a copy that {how}")
    drawing.legend_below(fig, panels[0])
    return fig


def _row(ax: Axes, at: Estimate, y: float, stable: bool) -> None:
    """Who wins on either side of where it turns, which has an interval."""
    turn, low, high = (min(share, 1.0) for share in (at.value, at.low, at.high))
    for left, right, colour in zip((0, turn), (turn, 1), WINS.values()):
        ax.barh(y, right - left, left=left, height=0.8, color=colour, alpha=0.5, linewidth=0)
    if low < high:
        ax.errorbar(turn, y, xerr=drawing.ends(turn - low, high - turn), fmt="o", color="0.2",
                    clip_on=False, markerfacecolor="0.2" if stable else "white")
