# SPDX-License-Identifier: MIT
"""The state of a machine told apart from its arms.

A machine is faster in one hour than in another, and not alike in all it does: most of
what differs between two runs of a serial cell is one factor, common to all arms. The
baseline's own time shows it, from process to process and from run to run; that of its
twin is taken, as noise in common with the ratio would pass for state. So ratios
of two runs are compared as they would be in one state of the machine. This brings more
of them into each other's intervals over whole runs of one machine, most where it was
in the most different states (data/recorded/coverage.txt). It is for runs side by side:
in a single run there is one state, as it was.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from artifact import estimate
from artifact.estimate import Estimate

FEWEST = 3          # processes in a run, for a slope within it


def at_one_state(ratios: Sequence[Estimate]) -> list[Estimate]:
    """One ratio in several runs of a machine, brought to the runs' mean state.

    A slope against the logarithm of the baseline's time is fitted within the runs and
    common to them. What it leaves has the interval of estimate.interval(). That of the
    slope joins it, for the way to the mean and as far beyond, where the other runs are:
    where ratios do not follow the baseline, that is all that it adds. Ratios come back as
    they are where there is but one, or one has no source or too few processes.
    """
    sources = [ratio.source for ratio in ratios if ratio.source]
    if len(sources) < max(2, len(ratios)) or any(
            each.samples.processes < FEWEST for each in sources):
        return list(ratios)
    states = [estimate.log_twin(each.samples) for each in sources]
    logs = [estimate.log_speedups(each.samples, each.arm, each.over) for each in sources]
    slope, error = _common_slope(states, logs)
    middle = float(np.mean([state.mean() for state in states]))
    # Two standard errors, over twice the way: to the middle, and on to another run.
    return [_brought(y - slope * (x - middle), 4 * error * abs(x.mean() - middle))
            for x, y in zip(states, logs)]


def _common_slope(states: list[np.ndarray], logs: list[np.ndarray]) -> tuple[float, float]:
    """Of least squares within each run, and its standard error."""
    x, y = (np.concatenate([each - each.mean() for each in run]) for run in (states, logs))
    spread = float((x ** 2).sum())
    if spread == 0:
        return 0.0, 0.0     # a clock that shows no state
    slope = float((x * y).sum()) / spread
    left = float(((y - slope * x) ** 2).sum()) / (len(x) - len(states) - 1)
    return slope, float(np.sqrt(left / spread))


def _brought(logs: np.ndarray, of_slope: float) -> Estimate:
    found = estimate.interval(logs)
    half = float(np.hypot(found.high - found.value, of_slope))
    return estimate.exponential(Estimate(found.value, found.value - half, found.value + half))
