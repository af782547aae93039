# SPDX-License-Identifier: MIT
"""How sharp a cell is, and how many processes would make it as sharp as wanted.

A run looks at its cells at fixed times, and decides for each from its own
spread, never from where its intervals lie, how many processes it gets in all.
tests/test_sharpness.py counts what that does to the interval, for many kinds
of noise. By that count:

- Few fixed looks cost next to nothing where processes are independent. A look
  after every process does: it stops where the spread happens to look small.
- What costs is another thing: a cell that is done at half of the run sampled
  that half only, or that half more closely. Where the host drifts, it is less
  sure than its interval says. To ask for a margin of sharpness does not help,
  as it stops the same lucky cells a little later.
- So the rest of the run always gets at least half of the processes planned for
  it, which is LEAST of all of them, where half are done at the first decision.
- A cell of few processes is not stopped: of fewer than FEWEST the interval
  holds less than it does of a few more.
- The interval itself stays that of estimate.interval(). One that is valid at
  every moment is wider for independent processes, takes more of them, and
  knows nothing of drift.
- The degrees of freedom are those of the processes seen so far (Stein 1945):
  with few of them more are asked for than a good guess of the spread would.
"""

import math

import numpy as np

from artifact import estimate
from artifact.cells import TWIN
from artifact.samples import Samples

LEAST = 0.75            # of a cell's most processes, however sharp it is
FEWEST = 12             # processes, or the most where that is less
DRAFT = 6               # processes; an interval of fewer is for the most part Student's t
BEYOND_REACH = 1e6      # processes


def is_draft(samples: Samples) -> bool:
    """Whether so few processes were asked for that a cell is a first impression: that it
    finds its own twin different says little."""
    return samples.cell.processes < DRAFT


def half_width(samples: Samples) -> float:
    """Median half-width of a cell's ratios, as a natural logarithm: about the
    relative error. Infinite of fewer than two processes."""
    return float(median_half_width(_log_ratios(samples)))


def needed(samples: Samples) -> int:
    """How many processes in all make half_width() at most the cell's sharpness, by
    the spread so far, and let the twin reach its resolution.

    At least as many as there are, and as LEAST and FEWEST say; may be more than
    the most.
    """
    twin = _twin(samples)
    # As estimate.is_stable() asks: of the ratio, not of its logarithm.
    resolution = math.asinh(samples.cell.resolution / math.exp(twin.mean())) if twin.size else 0.0
    most = samples.cell.processes
    return int(max(processes_for(_log_ratios(samples), samples.cell.sharpness, most),
                   processes_for(twin[np.newaxis], resolution, most)))


def is_sharp(samples: Samples) -> bool:
    """Whether a cell needs no more processes than the least."""
    return needed(samples) <= least(samples)


def least(samples: Samples) -> int:
    """How many processes a cell gets in all, however sharp it is."""
    return int(_least(samples.processes, samples.cell.processes))


def median_half_width(logs: np.ndarray) -> np.ndarray:
    """logs: (.., ratios, processes), in the order they ran; returns (..)."""
    return np.median(estimate.half_width(logs), axis=-1)


def processes_for(logs: np.ndarray, wanted: float, most: int) -> np.ndarray:
    """needed() for the logarithms of ratios (.., ratios, processes): whole
    numbers (..), by the rule that a half-width shrinks with their root."""
    done = logs.shape[-1]
    if done < 2:
        return np.full(logs.shape[:-2], max(most, 2))
    half = median_half_width(logs)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = np.ceil(np.minimum(done * (half / wanted) ** 2, BEYOND_REACH))
    by_spread = np.where(half <= wanted, done, more).astype(int)
    return np.maximum(by_spread, _least(done, most))


def _least(done: int, most: int) -> int:
    return max(done, fewest(most))


def fewest(most: int) -> int:
    """How many processes a cell with that maximum gets at least, however sharp it is."""
    return min(most, max(FEWEST, math.ceil(LEAST * most)))


def ratios(samples: Samples) -> list[str]:
    """The arms whose ratios to the baseline count: all whose copies are timed; the
    twin where there is no other."""
    first = samples.cell.baseline
    return [arm for arm in samples.cell.where(observe="copy") if arm != first] or [first + TWIN]


def _log_ratios(samples: Samples) -> np.ndarray:
    """(ratios, processes)"""
    return np.array([estimate.log_speedups(samples, arm, samples.cell.baseline)
                     for arm in ratios(samples)])


def _twin(samples: Samples) -> np.ndarray:
    first = samples.cell.baseline
    return estimate.log_speedups(samples, first + TWIN, first)
