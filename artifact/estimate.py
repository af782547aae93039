# SPDX-License-Identifier: MIT
"""From samples to ratios with intervals.

Within a process: the median over rounds of the paired log-ratio. Between
processes: the mean, with an interval for *another run's* result. A plain
confidence interval promises too much here; interval() says why and mends it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import special

from artifact import ctools
from artifact.cells import REPLICAS, TWIN
from artifact.samples import Samples

LEVEL = 0.95
BATCHES = 8
ERRORS = 3          # squares of a standard error: ours, the repeat's, and as much for its state
MOST_CORRELATED = 0.9
DRAWS = 1000        # of runs from the processes of one
MARGIN = 0.05       # within which a ratio is as good as 1


@dataclasses.dataclass(frozen=True)
class Source:
    """What a speed-up was estimated from: how many times faster ``arm`` is than ``over``."""

    samples: Samples
    arm: str
    over: str


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number and the interval in which 95 % of repeats should fall.

    source: of a speed-up within one cell; None of anything else.
    """

    value: float
    low: float
    high: float
    source: Source | None = dataclasses.field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """As every text has it; what was counted has no interval."""
        value, low, high = (f"{each:z.3f}" for each in (self.value, self.low, self.high))
        return value if self.low == self.high else f"{value} [{low}, {high}]"

    @property
    def repeats(self) -> tuple[Estimate, Estimate]:
        """What a repeat may find at least and at most: either end, with an interval as wide."""
        down, up = (Estimate(end, self.low + end - self.value, self.high + end - self.value)
                    for end in (self.low, self.high))
        return down, up

    @property
    def differs_from_1(self) -> bool:
        return not self.low <= 1 <= self.high

    @property
    def within_margin(self) -> bool:
        """Too near 1 to be of use to anybody, be it told from 1 or not."""
        return abs(self.value - 1) < MARGIN


def interval(values: np.ndarray) -> Estimate:
    """Mean of one value per process, in the order they ran, with interval.

    The half-width t * s * sqrt(3 / n) is an allowance for a repeat of the run.
    That has a mean of its own, as uncertain as this one, and the machine is in
    another state by then, which no run can know of: over whole runs of one
    machine this moves ratios by as much again (make coverage). And n is not the
    number of processes: near in time they are alike, because the host drifts.
    Two remedies, of which the wider is taken: the effective number of processes
    from the correlation of neighbours, and the means of eight batches in a row.
    """
    values = np.asarray(values, float)
    mean, half = float(values.mean()), float(half_width(values))
    return Estimate(mean, mean - half, mean + half)


def half_width(values: np.ndarray) -> np.ndarray:
    """Half the width of interval(), of each line of an array (.., processes)."""
    values = np.asarray(values, float)
    half = _correlated_half_width(values)
    if values.shape[-1] < 2 * BATCHES:
        return half
    batches = np.stack([batch.mean(axis=-1) for batch in np.array_split(values, BATCHES, axis=-1)])
    return np.maximum(half, _half_width(np.var(batches, axis=0, ddof=1), BATCHES))


def _correlated_half_width(values: np.ndarray) -> np.ndarray:
    """For values that each remember the one before (an AR(1) process)."""
    n = values.shape[-1]
    if n < 2:
        return np.full(values.shape[:-1], math.inf)
    deviations = values - values.mean(axis=-1, keepdims=True)
    total = (deviations ** 2).sum(axis=-1)
    neighbours = (deviations[..., 1:] * deviations[..., :-1]).sum(axis=-1)
    neighbours = np.divide(neighbours, total, out=np.zeros_like(total), where=total > 0)
    neighbours = neighbours + (1 + 3 * neighbours) / n      # Kendall 1954: it is biased down
    neighbours = np.clip(neighbours, 0.0, MOST_CORRELATED)
    inflation = (1 + neighbours) / (1 - neighbours)
    variance = total / (n - np.minimum(inflation, n / 2))
    return _half_width(variance, np.maximum(n / inflation, 2.0), least_df=n / 2 - 1)


def _half_width(variance: np.ndarray, n: np.ndarray | float,
                least_df: float = 1.0) -> np.ndarray:
    """n values of that variance: where another such mean should fall.

    least_df: with few values the correlation itself is a guess, and to take
    the degrees of freedom from it too makes one interval in ten absurd and
    none more right: in simulation it covers no more often.
    """
    df = np.maximum(np.asarray(n) - 1, least_df)
    return special.stdtrit(df, (1 + LEVEL) / 2) * np.sqrt(ERRORS * variance / n)


def log_speedups(samples: Samples, arm: str, over: str) -> np.ndarray:
    """One natural logarithm per process: how much faster ``arm`` is, per byte."""
    return _paired(samples, samples.seconds, arm, over)


def _paired(samples: Samples, times: dict[str, np.ndarray], arm: str, over: str) -> np.ndarray:
    """Median over the rounds of log(time of over / time of arm), per byte.

    The baseline's replicas are paired with the arm one by one. Their mean
    would be more handy and is wrong: times are skewed, and the middle of means
    is not the middle of single times.
    """
    def logs(name: str) -> list[np.ndarray]:
        names = _replicas(samples) if name == samples.cell.baseline else [name]
        return [np.log(times[n] / samples.bytes[n]) for n in names]

    pairs = [a - b for a in logs(over) for b in logs(arm)]
    return np.median(np.concatenate(pairs, axis=1), axis=1)


def _replicas(samples: Samples) -> list[str]:
    return [samples.cell.baseline + replica for replica in REPLICAS]


def speedup(samples: Samples, arm: str, over: str) -> Estimate:
    """How many times faster ``arm`` moves a byte than ``over`` does."""
    found = exponential(interval(log_speedups(samples, arm, over)))
    return dataclasses.replace(found, source=Source(samples, arm, over))


def pooled_ratio(samples: Samples, arm: str, over: str,
                 statistic: Callable[[np.ndarray], float]) -> Estimate:
    """A statistic of all times of ``arm``, as their mean or a quantile, over that of ``over``.

    What few copies decide, the rounds of one process hardly show: so all processes
    are pooled, and what each adds is found by leaving it out. (Pseudo-values of a
    jackknife that leaves out many at once, as quantiles need: Shao and Wu, 1989.)
    """
    def log_ratio(chosen: np.ndarray) -> float:
        return math.log(statistic(mine[chosen]) / statistic(theirs[chosen]))

    mine, theirs, n = _per_byte(samples, arm), _per_byte(samples, over), samples.processes
    everybody = np.ones(n, bool)
    if n == 1:
        return exponential(interval(np.array([log_ratio(everybody)])))
    without = np.array([log_ratio(np.arange(n) != each) for each in range(n)])
    return exponential(interval(n * log_ratio(everybody) - (n - 1) * without))


def log_twin(samples: Samples) -> np.ndarray:
    """One natural logarithm per process: of the seconds that the baseline's twin takes for a
    byte. It shares no sample with any speed-up, and so none of its noise."""
    twin = samples.cell.baseline + TWIN
    return np.median(np.log(samples.seconds[twin] / samples.bytes[twin]), axis=1)


def _per_byte(samples: Samples, arm: str) -> np.ndarray:
    """Seconds for a byte in each round of each process, of all replicas of the baseline."""
    names = _replicas(samples) if arm == samples.cell.baseline else [arm]
    return np.concatenate([samples.seconds[n] / samples.bytes[n] for n in names], axis=1)


def between(samples: Samples, arm: str, others: Samples, over: str) -> Estimate:
    """How many times faster ``arm`` moves a byte than ``over`` does in another cell of the run.

    They share no rounds, so nothing is paired: each has the medians of its processes, and
    the spread of the machine is in both. Cells take turns over the whole run, so that what
    drifts more slowly is in both alike, and the interval is rather too wide.
    """
    mine, theirs = (exponential(interval(sign * np.log(np.median(_per_byte(*each), axis=1))))
                    for sign, each in ((-1, (samples, arm)), (1, (others, over))))
    return product(mine, theirs)


def added_ns(samples: Samples, arm: str, over: str, pages: int) -> Estimate:
    """Time that ``arm`` takes beyond ``over``, in ns for each of its pages."""
    per_round = (samples.seconds[arm] - samples.seconds[over]) * 1e9 / pages
    return interval(np.median(per_round, axis=1))


def cpu_ratio(samples: Samples, arm: str, over: str) -> Estimate:
    """CPU time per byte of ``arm`` over that of ``over``."""
    return exponential(interval(log_cpu_ratios(samples, arm, over)))


def log_cpu_ratios(samples: Samples, arm: str, over: str) -> np.ndarray:
    """The same as one natural logarithm per process."""
    return -_paired(samples, samples.cpu_seconds, arm, over)


def exponential(logs: Estimate) -> Estimate:
    """The ratio whose natural logarithm was estimated."""
    return Estimate(math.exp(logs.value), math.exp(logs.low), math.exp(logs.high))


def product(one: Estimate, other: Estimate) -> Estimate:
    """Of two ratios whose errors have nothing to do with each other, as from two cells:
    the half-widths of their logarithms add as variances do."""
    value = math.log(one.value) + math.log(other.value)
    half = math.hypot(*(math.log(ratio.high / ratio.value) for ratio in (one, other)))
    return exponential(Estimate(value, value - half, value + half))


def share(part: np.ndarray, whole: np.ndarray) -> Estimate | None:
    """The part of a gain, both as logarithms per process: part / whole.

    Linearised, so that the interval is that of interval(). None where the
    whole is not clearly a gain: a share of nothing is no number.
    """
    if interval(whole).low <= 0:
        return None
    ratio = part.mean() / whole.mean()
    return interval(ratio + (part - ratio * whole) / whole.mean())


def rate(hits: np.ndarray, tries: np.ndarray) -> Estimate:
    """Share, 0..1, of tries that were hits, both counts for each process.

    The interval is that of interval() over the processes' shares or, where it
    is wider, that of the counts (Clopper and Pearson): none seen in eighty
    tries is not never.
    """
    each = interval(hits[tries > 0] / tries[tries > 0])
    low, high = _clopper_pearson(int(hits.sum()), int(tries.sum()))
    return Estimate(float(hits.sum() / tries.sum()), max(min(each.low, low), 0.0),
                    min(max(each.high, high), 1.0))


def _clopper_pearson(hits: int, tries: int) -> tuple[float, float]:
    """The ends of an exact interval, as scipy.stats.binomtest() has them.

    Quantiles are from scipy.special here: scipy.stats takes a second to import,
    in every notebook and before every command.
    """
    outside = (1 - LEVEL) / 2
    return (float(special.betaincinv(hits, tries - hits + 1, outside)) if hits else 0.0,
            float(special.betainccinv(hits + 1, tries - hits, outside)) if hits < tries else 1.0)


def same_kernel_ratio(samples: Samples) -> Estimate:
    """The A/A ratio: the twin over the baseline, computed like every other ratio."""
    first = samples.cell.baseline
    return speedup(samples, first + TWIN, first)


def is_stable(samples: Samples) -> bool:
    """The cell's own A/A check: covers 1, as sharply as the cell is meant to.

    The interval is that of a repeat, so chance fails about one cell in 150.
    """
    ratio = same_kernel_ratio(samples)
    return not contradicts_itself(samples) and \
        (ratio.high - ratio.low) / 2 <= samples.cell.resolution


def contradicts_itself(samples: Samples) -> bool:
    """Whether the twin differs from the baseline: nothing that rests on it is decided.

    A cell that is merely less sharp than it is meant to be has wide intervals for
    every arm, and these decide what they can.
    """
    return same_kernel_ratio(samples).differs_from_1


def best_serial(samples: Samples, like: str = "", ceiling: bool = False) -> str:
    """The serial bulk arm that moves a byte in the least time, of those that a kernel
    can call as they are; where there are none of these, or with ``ceiling``, of all.

    like: only of those that copy as much as that arm, where sizes differ within the cell.
    """
    return max(serial_calls(samples, like, ceiling), key=lambda arm: log_speedups(
        samples, arm, samples.cell.baseline).mean())


def serial_calls(samples: Samples, like: str = "", ceiling: bool = False) -> list[str]:
    """The arms that best_serial() chooses from."""
    cell = samples.cell
    arms = [arm for arm in cell.where(strategy="serial", rule="bulk")
            if not like or cell.of(arm).work == cell.of(like).work]
    plain = [arm for arm in arms if ctools.a_kernel_can_call(cell.of(arm).primitive)]
    return arms if ceiling or not plain else plain


def median_seconds(samples: Samples, arm: str) -> float:
    """The time of one sample, whenever a text or figure gives it: median of the processes'
    medians, as pagecopy itself tells it."""
    return float(np.median(np.median(samples.seconds[arm], axis=1)))


def flattery(logs: np.ndarray) -> float:
    """By what share at most the fastest of several arms looks faster than it is, on average
    over repeats, for being chosen from the very processes that it is judged by.

    logs: natural logarithms of speeds, (arms, processes). It is most where all arms are
    equally fast: then it is the mean of the largest of their errors, which processes drawn
    with replacement tell together with how these hang together (Efron 1979).
    """
    processes = logs.shape[1]
    drawn = np.random.default_rng(0).multinomial(
        processes, np.full(processes, 1 / processes), size=DRAWS) @ logs.T / processes
    return math.expm1((drawn - drawn.mean(axis=0)).max(axis=1).mean())


def gbps(samples: Samples, arm: str) -> float:
    """Throughput in GB/s (1e9) at median_seconds(), bytes counted once."""
    return samples.bytes[arm] / median_seconds(samples, arm) / 1e9


def table(samples: Samples, over: str | None = None) -> pd.DataFrame:
    """One row per arm whose copies are timed: what it is, throughput and speed-up.

    over: the arm that the speed-ups are relative to; the baseline if None.
    """
    over = over or samples.cell.baseline
    rows = []
    for arm in samples.cell.where(observe="copy"):
        ratio = speedup(samples, arm, over)
        rows.append({"arm": arm, **dataclasses.asdict(samples.cell.of(arm)),
                     "gbps": gbps(samples, arm),
                     "us": 1e6 * median_seconds(samples, arm),
                     "speedup": ratio.value, "low": ratio.low, "high": ratio.high})
    return pd.DataFrame(rows)
