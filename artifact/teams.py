# SPDX-License-Identifier: MIT
"""Numbers of teams that several experiments share.

Everything is relative to the best serial copy of the same rounds. Quantiles of
times pool the processes and have no interval; ratios have one.
"""

import numpy as np

from artifact import estimate
from artifact.cells import CALLER_CPU, WORKERS_CPU
from artifact.estimate import Estimate
from artifact.policies import POLICIES, Policy
from artifact.samples import Samples


def teams(samples: Samples, **wanted) -> list[str]:
    """The parallel arms whose fields are as wanted, in the order of the plan."""
    return samples.cell.where(strategy="parallel", **wanted)


def arm_of(samples: Samples, policy: str) -> str | None:
    """The first arm of the policy with that id; None where the cell has none."""
    return next((arm for arm in teams(samples) if samples.cell.policy(arm).id == policy), None)


def the_arm(samples: Samples, policy: Policy) -> str:
    """The same of a policy that every cell with teams has; KeyError without."""
    if (arm := arm_of(samples, policy.id)) is None:
        raise KeyError(policy.label)
    return arm


def policies(cells: list[Samples]) -> list[Policy]:
    """The policies that any of the cells has, in the order of every figure."""
    present = {samples.cell.policy(arm) for samples in cells for arm in teams(samples)}
    return [policy for policy in POLICIES if policy in present]


def posted(samples: Samples) -> Policy:
    """The policy of the series of 2017, or of 2025 where nice -20 is not allowed."""
    return policies([samples])[0]


def fastest_team(samples: Samples, dispatch: str, best: str) -> str | None:
    """The fastest team of more than one thread with that dispatch, against the
    serial copy ``best``; None where the cell has none.

    Chosen from the same samples that it is then judged by, which flatters it.
    """
    arms = [arm for arm in teams(samples, dispatch=dispatch)
            if samples.cell.of(arm).threads > 1]
    return max(arms, default=None, key=lambda arm: estimate.log_speedups(samples, arm, best).mean())


def serial_seconds(samples: Samples, like: str = "") -> float:
    """Median time of one whole best serial copy."""
    return float(np.median(samples.seconds[estimate.best_serial(samples, like)]))


def time_ratio(samples: Samples, arm: str) -> Estimate:
    """Time over the best serial copy's."""
    return estimate.speedup(samples, estimate.best_serial(samples, arm), arm)


def tail_ratio(samples: Samples, arm: str, q: float = 0.95) -> float:
    """The same of a quantile, pooled."""
    best = estimate.best_serial(samples, arm)
    return float(np.quantile(samples.seconds[arm], q) / np.quantile(samples.seconds[best], q))


def no_worse(samples: Samples, arm: str, margin_percent: int) -> tuple[Estimate, str]:
    """Time over the best serial copy's, and the verdict of a one-sided test.

    "no worse": the upper 95 % bound is within the margin. "worse": the lower
    one is beyond it. Else "open", to which it errs, as the bounds are those of
    a repeat. The margin is fixed before measuring.
    """
    best = estimate.best_serial(samples, arm)
    ratio = estimate.exponential(estimate.interval(
        -estimate.log_speedups(samples, arm, best), level=0.90))
    limit = 1 + margin_percent / 100
    return ratio, "no worse" if ratio.high <= limit else "worse" if ratio.low > limit else "open"


def load_percent(samples: Samples) -> int:
    """Background load of each CPU."""
    return int(samples.cell.option("load") or 0)


def cpu_per_gib(samples: Samples, arm: str) -> float:
    """CPU-seconds of migrators and workers for 1 GiB, summed over all of it."""
    copied = samples.cell.of(arm).copied
    copies = sum(map(len, samples.channels[arm]["copy"])) \
        if "copy" in samples.channels[arm] else \
        samples.seconds[arm].size * samples.bytes[arm] / copied
    used = sum(np.concatenate(samples.channels[arm].get(name, [np.array([])])).sum()
               for name in (CALLER_CPU, WORKERS_CPU))
    return float(used / (copies * copied) * (1 << 30))
