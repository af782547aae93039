# SPDX-License-Identifier: MIT
"""Numbers of teams that several experiments share.

Everything is relative to the best serial copy of the same rounds. Where no load is in
the way, a speed is the median of ratios within rounds; under load, where times have two
peaks and a median looks at one of them, the mean of all copies counts. Quantiles of times
pool the processes and have no interval; ratios have one.
"""

from collections.abc import Callable, Iterable

import numpy as np

from artifact import ctools, estimate
from artifact.cells import CALLER_CPU, WORKERS_CPU
from artifact.estimate import Estimate
from artifact.policies import ALL, POSTED, Policy
from artifact.samples import Samples


def teams(samples: Samples, **wanted) -> list[str]:
    """The parallel arms whose fields are as wanted, in the order of the plan."""
    return samples.cell.where(strategy="parallel", **wanted)


def arms_of(samples: Samples, policy: str) -> list[str]:
    """All arms of the policy with that id: as it was posted, and with other copy routines."""
    return [arm for arm in teams(samples) if samples.cell.policy(arm).id == policy]


def arm_of(samples: Samples, policy: str) -> str | None:
    """The first of them; None where the cell has none."""
    return next(iter(arms_of(samples, policy)), None)


def the_arm(samples: Samples, policy: Policy) -> str:
    """The same of a policy that every cell with teams has; KeyError without."""
    if (arm := arm_of(samples, policy.id)) is None:
        raise KeyError(policy.label)
    return arm


def policies(cells: list[Samples]) -> list[Policy]:
    """The policies that any of the cells has, in the order of every figure."""
    present = {samples.cell.policy(arm) for samples in cells for arm in teams(samples)}
    return [policy for policy in ALL if policy in present]


def posted(samples: Samples) -> Policy:
    """The policy of the series of 2017, or of 2025 where nice -20 is not allowed."""
    return next(policy for policy in policies([samples]) if policy.id in POSTED)


def fastest_team(samples: Samples, dispatch: str, best: str, primitive: str = "") -> str | None:
    """The fastest team of more than one thread with that dispatch, against the
    serial copy ``best``, and copying as a kernel can; None where the cell has none.

    primitive: only of those that copy with it. Chosen from the same samples that it is
    then judged by: choice_flatters() says by how much.
    """
    return max(_eligible(samples, dispatch, primitive), default=None,
               key=lambda arm: estimate.log_speedups(samples, arm, best).mean())


def _eligible(samples: Samples, dispatch: str, primitive: str = "") -> list[str]:
    return [arm for arm in teams(samples, dispatch=dispatch)
            if (what := samples.cell.of(arm)).threads > 1
            and (what.primitive == primitive if primitive else
                 ctools.a_kernel_can_call(what.primitive))]


def choice_flatters(samples: Samples, dispatch: str, best: str) -> float:
    """The share by which fastest_team() looks faster at most for having been chosen: see
    estimate.flattery(). Of a cell that has such a team."""
    return estimate.flattery(np.stack([estimate.log_speedups(samples, arm, best)
                                       for arm in _eligible(samples, dispatch)]))


def fastest(samples: Samples, dispatch: str) -> tuple[str, str] | None:
    """The fastest team that a kernel can call, and the best serial copy; None where the cell
    has no such team."""
    best = estimate.best_serial(samples)
    arm = fastest_team(samples, dispatch, best)
    return (arm, best) if arm else None


def same_sequence(samples: Samples, dispatch: str) -> tuple[str, str] | None:
    """The fastest team that copies as migration does, and one call that does; None where
    the cell has no such team."""
    bulk = own_call(samples)
    arm = fastest_team(samples, dispatch, bulk, samples.cell.own)
    return (arm, bulk) if arm else None


def own_call(samples: Samples) -> str:
    """One call of the routine that migration calls, in a cell of one size."""
    own, = samples.cell.where(strategy="serial", rule="bulk", primitive=samples.cell.own)
    return own


def serial_seconds(samples: Samples, like: str = "") -> float:
    """Median time of one whole best serial copy."""
    return estimate.median_seconds(samples, estimate.best_serial(samples, like))


def over_serial(samples: Samples, arm: str) -> Estimate:
    """Speed over the best serial copy of as much, where no load is in the way."""
    return estimate.speedup(samples, arm, estimate.best_serial(samples, arm))


def mean_speedup(samples: Samples, arm: str, over: str) -> Estimate:
    """Speed under load: mean time of ``over``, of all copies, over that of ``arm``, for as much."""
    return estimate.pooled_ratio(samples, over, arm, JUDGED["mean"])


# What a copy that is "no worse" may not exceed: under load times have two peaks, and
# a median looks at one of them.
JUDGED: dict[str, Callable[[np.ndarray], float]] = {
    "mean": np.mean, "p95": lambda times: np.quantile(times, 0.95),
    "p99": lambda times: np.quantile(times, 0.99)}


def tail_ratio(samples: Samples, arm: str, name: str) -> Estimate:
    """A number of JUDGED, of all copies, over the best serial copy's: the time under load."""
    return estimate.pooled_ratio(samples, arm, estimate.best_serial(samples, arm), JUDGED[name])


def no_worse(samples: Samples, arm: str, margin_percent: int) -> tuple[dict[str, Estimate], str]:
    """Mean, p95 and p99 over the best serial copy's, and the verdict of judged(). The margin
    is fixed before measuring."""
    ratios = {name: tail_ratio(samples, arm, name) for name in JUDGED}
    return ratios, judged(ratios.values(), margin_percent)


def judged(ratios: Iterable[Estimate], margin_percent: int) -> str:
    """"no worse": the whole interval of each is within the margin. "worse": that of some is
    beyond it. Else "open"."""
    ratios, limit = list(ratios), 1 + margin_percent / 100
    if any(ratio.low > limit for ratio in ratios):
        return "worse"
    return "no worse" if all(ratio.high <= limit for ratio in ratios) else "open"


TOO_LONG = 3        # times the median of the best serial copy


def too_long_share(samples: Samples, arm: str) -> Estimate:
    """Share, 0..1, of copies that take longer than TOO_LONG best serial ones."""
    limit = TOO_LONG * serial_seconds(samples, arm)
    hits = (samples.seconds[arm] > limit).sum(axis=1)
    return estimate.rate(hits, np.full(samples.processes, samples.seconds[arm].shape[1]))


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
