# SPDX-License-Identifier: MIT
"""What going parallel costs, and whom: numbers from the cells of 03 to 06.

Everything is relative to the best serial copy of the same rounds, or to the
victim alone in the same rounds. Quantiles of delays pool the processes and
have no interval; ratios have one.
"""

import math

import numpy as np

from artifact import ctools, estimate, plan
from artifact.estimate import Estimate
from artifact.load import Samples
from artifact.worker import CALLER_CPU, WORKERS_CPU


def teams(samples: Samples, **wanted: str) -> list[str]:
    """The parallel arms whose fields are as wanted, in the order of the plan."""
    return [v for v in samples.cell.variants if (f := plan.fields(v))["strategy"] == "parallel"
            and all(f[key] == value for key, value in wanted.items())]


def arm_of(samples: Samples, policy: str) -> str | None:
    """The first arm of that policy; None where the cell has none."""
    return next((arm for arm in teams(samples) if plan.policy(arm) == policy), None)


def fastest_team(samples: Samples, dispatch: str, best: str) -> str | None:
    """The fastest team of more than one thread with that dispatch, against the
    serial copy ``best``; None where the cell has none.

    Chosen from the same samples that it is then judged by, which flatters it.
    """
    arms = [arm for arm in teams(samples, dispatch=dispatch) if int(plan.fields(arm)["threads"]) > 1]
    return max(arms, default=None, key=lambda arm: estimate.log_speedups(samples, arm, best).mean())


def posted(samples: Samples) -> str:
    """The policy of the series of 2017, or of 2025 where nice -20 is not allowed."""
    present = [plan.policy(arm) for arm in teams(samples)]
    return next(label for label in plan.POLICIES if label in present)


def folio(samples: Samples) -> int:
    """Bytes of a cell's huge page."""
    return ctools.parse_size(samples.cell.option("huge"))


def work_bytes(arm: str, huge: int) -> int:
    """Bytes that one copy of an arm moves, with huge pages of so many."""
    fields = plan.fields(arm)
    each = ctools.parse_size(fields["bytes"]) if fields["bytes"] else huge
    return each * int(fields["folios"])


def delays(samples: Samples, arm: str) -> np.ndarray:
    """Seconds from work items allocated to the last worker's start, pooled; of
    the copies for which a worker began at all."""
    return np.concatenate([*samples.channels[arm].get("wait", []), np.array([])])


def taken_back_share(samples: Samples, arm: str) -> float:
    """Share, 0..1, of copies that were over before any worker began."""
    counts = samples.counts[arm].get("taken_back")
    return float(counts.sum() / samples.seconds[arm].size) if counts is not None else 0.0


def serial_seconds(samples: Samples, like: str = "") -> float:
    """Median time of one whole best serial copy."""
    return float(np.median(samples.seconds[estimate.best_serial(samples, like)]))


def late_share(samples: Samples, arm: str, level: float = estimate.LEVEL) -> Estimate | None:
    """Share, 0..1, of copies whose last worker had not started when the best
    serial copy would have been done, of those for which a worker began; None
    where some process has none of these."""
    waits = samples.channels[arm].get("wait", [])
    if len(waits) < samples.cell.processes:
        return None
    whole = serial_seconds(samples)
    return estimate.rate(np.array([np.sum(each > whole) for each in waits]),
                         np.array([len(each) for each in waits]), level)


def by_size(samples: Samples, policy: str) -> dict[int, Estimate]:
    """Bytes per copy to the speed-up of that policy over the best serial copy
    of the same size."""
    arms = {work_bytes(arm, folio(samples)): arm for arm in teams(samples)
            if plan.policy(arm) == policy}
    return {size: estimate.speedup(samples, arm, estimate.best_serial(samples, arm))
            for size, arm in sorted(arms.items())}


def break_even(curve: dict[int, Estimate]) -> tuple[float, float, float]:
    """Bytes per copy from which on the curve stays above 1, with an interval:
    where its upper and lower ends do so. 0 where all of it is above, infinite
    where its end is not."""
    sizes = list(curve)
    return tuple(_last_crossing(sizes, [getattr(e, end) for e in curve.values()])
                 for end in ("value", "high", "low"))


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


def empty_job_seconds(samples: Samples, policy: str) -> float:
    """Median time of a job of nothing, from call to return."""
    arm, = (arm for arm in teams(samples, primitive="empty") if plan.policy(arm) == policy)
    return float(np.median(samples.seconds[arm]))


def instruments(samples: Samples) -> dict[str, float]:
    """Seconds of a round trip to another CPU by means that are not ours."""
    names = {"pipe_round_trip_ns": "two processes and two pipes, pinned",
             "perf_round_trip_ns": "perf bench sched pipe, placed by the scheduler"}
    return {label: float(np.median([fact[key] for fact in samples.facts])) / 1e9
            for key, label in names.items() if all(key in fact for fact in samples.facts)}


def losing_crowds(cells: list[Samples], policy: str) -> list[int]:
    """The numbers of migrators at which that policy moves clearly less in
    total than as many best serial copies do."""
    arms = {samples.cell.id: arm_of(samples, policy) for samples in cells}
    return sorted(crowd(s) for s in cells if (arm := arms[s.cell.id]) and estimate.speedup(
        s, arm, estimate.best_serial(s, arm)).high < 1)


def crowd(samples: Samples) -> int:
    """Migrators of a cell of 04."""
    return int(plan.fields(samples.cell.variants[0])["migrators"])


def latencies(samples: Samples, arm: str) -> np.ndarray:
    """Seconds of every single copy of every migrator, pooled."""
    found = samples.channels[arm].get("latency")
    return np.concatenate(found) if found else samples.seconds[arm].ravel()


def slowest_share(samples: Samples, arm: str) -> float:
    """How much longer the slowest migrator of a crowd took than the mean one:
    the median over samples."""
    count = crowd(samples)
    if count == 1:
        return 1.0
    each = np.concatenate(samples.channels[arm]["latency"]).reshape(
        -1, count, plan.MIGRATOR_COPIES)
    took = each.sum(axis=2)
    return float(np.median(took.max(axis=1) / took.mean(axis=1)))


def victim_rate(samples: Samples, arm: str) -> Estimate:
    """The victim's speed beside that arm over its speed alone."""
    return estimate.speedup(samples, arm, plan.ALONE)


def serial_in_windows(samples: Samples) -> str:
    """The serial arm whose copies beside the victim are fastest."""
    arms = [v for v in samples.cell.variants if plan.fields(v)["strategy"] == "serial"]
    return min(arms, key=lambda arm: _log_medians(samples, arm).mean())


def copy_speed(samples: Samples, arm: str) -> Estimate:
    """The migrator's speed over the best serial copy's, beside the victim."""
    best = serial_in_windows(samples)
    return estimate.exponential(estimate.interval(
        _log_medians(samples, best) - _log_medians(samples, arm)))


def _log_medians(samples: Samples, arm: str) -> np.ndarray:
    return np.log([np.median(copies) for copies in samples.channels[arm]["copy"]])


def cpu_per_gib(samples: Samples, arm: str) -> float:
    """CPU-seconds of migrators and workers for 1 GiB, summed over all of it."""
    copied = work_bytes(arm, folio(samples))
    copies = sum(map(len, samples.channels[arm]["copy"])) \
        if "copy" in samples.channels[arm] else \
        samples.seconds[arm].size * samples.bytes[arm] / copied
    used = sum(np.concatenate(samples.channels[arm].get(name, [np.array([])])).sum()
               for name in (CALLER_CPU, WORKERS_CPU))
    return float(used / (copies * copied) * (1 << 30))


def joules_per_gib(samples: Samples, arm: str) -> Estimate:
    """Energy of the packages beyond that of the same time without copies."""
    def watts(each: str) -> np.ndarray:
        return samples.counts[each]["energy_uj"] / 1e6 / _window_seconds(samples, each)
    gib = np.array([len(copies) for copies in samples.channels[arm]["copy"]]) * \
        work_bytes(arm, folio(samples)) / (1 << 30)
    return estimate.interval((watts(arm) - watts(plan.ALONE)) * _window_seconds(samples, arm) / gib)


def _window_seconds(samples: Samples, arm: str) -> np.ndarray:
    """How long an arm's windows were together, for each process: longer than
    asked for where the last copy of one was late."""
    return np.array([windows.sum() for windows in samples.channels[arm]["window"]])


def charged_share(samples: Samples, arm: str) -> float:
    """Share, 0..1, of an arm's CPU time that the caller's cgroup is charged."""
    if plan.fields(arm)["dispatch"] == "spawn":
        return 1.0      # a new thread is born where its maker is
    caller, workers = (np.concatenate(samples.channels[arm].get(name, [np.array([])])).sum()
                       for name in (CALLER_CPU, WORKERS_CPU))
    return float(caller / (caller + workers))


def taken_share(samples: Samples, arm: str) -> float:
    """Share of the victim's CPU time alone that it no longer gets."""
    alone, beside = (np.concatenate(samples.channels[each]["victim cpu"]).sum()
                     / _window_seconds(samples, each).sum() for each in (plan.ALONE, arm))
    return float(1 - beside / alone)


def copies_per_second(samples: Samples, arm: str) -> float:
    """What the migrator achieved beside the victim, of the rate asked for: a
    copy that waits long for its workers makes the next ones late."""
    return sum(map(len, samples.channels[arm]["copy"])) / _window_seconds(samples, arm).sum()


def switches_per_second(samples: Samples, arm: str) -> float:
    """Involuntary context switches of the victim."""
    return float(samples.counts[arm]["victim_switches"].sum() / _window_seconds(samples, arm).sum())


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


def time_ratio(samples: Samples, arm: str) -> Estimate:
    """The same with the interval of a repeat that all ratios have."""
    return estimate.speedup(samples, estimate.best_serial(samples, arm), arm)


def wakeups(samples: Samples, arm: str) -> np.ndarray:
    """Seconds that a timer victim's wake-ups came late, pooled. One that is
    periods late stands for those it missed as well, each a period less."""
    late = np.concatenate(samples.channels[arm]["wakeup"])
    all_of_them = [late]
    while len(late := late[late > TIMER_SECONDS] - TIMER_SECONDS):
        all_of_them.append(late)
    return np.concatenate(all_of_them)


TIMER_SECONDS = 1e-3    # of the victim's period, as ctools/victims.c has it


def tail_ratio(samples: Samples, arm: str, q: float = 0.95) -> float:
    """The same of a quantile, pooled."""
    best = estimate.best_serial(samples, arm)
    return float(np.quantile(samples.seconds[arm], q) / np.quantile(samples.seconds[best], q))


def load_percent(samples: Samples) -> int:
    return int(samples.cell.option("load"))


def scan_ns(samples: Samples, how: str) -> dict[int, float]:
    """CPUs looked at to the median time of one look at all of them, in ns; what
    counts as a scan's bytes are its looks."""
    found = {int(f["primitive"]): 1e9 * float(np.median(samples.seconds[v])) / samples.bytes[v]
             for v in samples.cell.variants if (f := plan.fields(v))["rule"] == how}
    return dict(sorted(found.items()))


def ns_per_cpu(samples: Samples, how: str) -> Estimate:
    """What one more CPU adds to a look: from the fewest to the most."""
    counts = list(scan_ns(samples, how))
    few, most = (1e9 * np.median(samples.seconds[arm], axis=1) / samples.bytes[arm]
                 for arm in (f"scan:{how}:{counts[0]}", f"scan:{how}:{counts[-1]}"))
    return estimate.interval((most - few) / (counts[-1] - counts[0]))


def stale_share(samples: Samples, arm: str) -> Estimate | None:
    """Share of CPUs found idle that were busy when the work began there."""
    counts = samples.counts[arm]
    found, stale = counts["found_idle"], counts["stale"]
    return estimate.rate(stale, found) if found.sum() else None
