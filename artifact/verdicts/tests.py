# SPDX-License-Identifier: MIT
"""The tests of claims: a function each, by the name that claims.toml gives it.

To add one, write it here and put it into TESTS.
"""

import dataclasses
from collections.abc import Callable

from artifact import estimate, teams
from artifact.estimate import Estimate
from artifact.experiments import break_even, factorial, ladder, load, nodes
from artifact.measured import Measured
from artifact.policies import BY_ID, Policy
from artifact.samples import AnySamples, KernelSamples, Samples
from artifact.variant import Variant


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a test measured, and the cells it rests on; why that decides nothing; the arms
    that it compares, where these copy."""

    measured: Estimate | None
    cells: tuple[AnySamples, ...] = ()
    doubt: str = ""
    arms: tuple[str, ...] = ()

    @property
    def routines(self) -> tuple[str, ...]:
        """What the arms copy with, each once."""
        return tuple(dict.fromkeys(Variant.parse(arm).primitive for arm in self.arms))


class Absent(Exception):
    """The run lacks what a test is made of."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What was measured, as the tests ask for it."""

    measured: Measured

    @property
    def machine(self) -> dict:
        return self.measured.machine

    def samples(self, experiment: str, label: str) -> Samples:
        """What was timed; Absent where this run has no such cell."""
        found = self.measured.find(experiment, label)
        if not isinstance(found, Samples):
            raise Absent(f"this run has no cell {experiment} {label}")
        return found

    def kernel_samples(self, experiment: str, label: str) -> KernelSamples:
        """What a kernel answered; Absent likewise."""
        found = self.measured.find(experiment, label)
        if not isinstance(found, KernelSamples):
            raise Absent(f"this run has no cell {experiment} {label}")
        return found

    def speedup(self, samples: Samples, arm: str, over: str) -> Finding:
        """Of one arm over another, both of which the cell must have."""
        for wanted in (arm, over):
            if wanted not in samples.seconds:
                raise Absent(f"{wanted} was not among the arms")
        return Finding(estimate.speedup(samples, arm, over), (samples,),
                       arms=(arm, over))


def batching_share(e: Evidence) -> Finding:
    samples = e.samples("factorial", "1-folio")
    found = factorial.share_of_batching(samples, samples.cell.own, "spin")
    return Finding(found, (samples,), "" if found else "threads show no clear gain here for "
                   "batching to account for", (samples.cell.baseline,))


def _long_over_short(e: Evidence, samples: Samples, primitive: str) -> Finding:
    return e.speedup(samples, *(f"serial:bulk:{primitive}:extent={size}" for size in ("2M", "4K")))


def movsb_extent(e: Evidence) -> Finding:
    return _long_over_short(e, e.samples("extent", "folio"), "movsb")


def own_extent(e: Evidence) -> Finding:
    own = e.samples("serial-ladder", "cold-cold").cell.own
    return _long_over_short(e, e.samples("extent", "folio"), own)


def unrolled_bulk(e: Evidence) -> Finding:
    return e.speedup(e.samples("serial-ladder", "cold-cold"), "serial:bulk:unrolled",
                     "serial:page:movsq:map=2026")


def one_worker(e: Evidence) -> Finding:
    samples = e.samples("one-worker", "16-folio")
    own = samples.cell.own
    return e.speedup(samples, f"parallel:bulk:{own}:threads=1:caller=waits:folios=16",
                     f"serial:bulk:{own}:folios=16")


def many_threads(e: Evidence) -> Finding:
    samples = e.samples("factorial", "16-folio")
    own = samples.cell.own
    return e.speedup(samples, f"parallel:bulk:{own}:threads=8:folios=16",
                     f"serial:page:{own}:map=2017:folios=16")


def _between_placements(e: Evidence, other: str, most: int) -> Finding:
    """The same team, of at most so many threads, in two placements, each over
    its own serial copy."""
    cells = [e.samples("threads", f"{order}-16-folio") for order in ("spread", other)]
    counts = {cells[0].cell.of(arm).threads for arm in teams.teams(cells[0])}
    threads = max((n for n in counts if 1 < n <= min(8, most)), default=1)
    first = [set((samples.cell.cpus or ())[:threads]) for samples in cells]
    if first[0] == first[1]:
        raise Absent(f"teams of up to {most} threads are on the same CPUs in both placements")
    own = cells[0].cell.own
    arm, over = (f"parallel:bulk:{own}:threads={threads}:folios=16", f"serial:bulk:{own}:folios=16")
    logs = [estimate.log_speedups(samples, arm, over) for samples in cells]
    return Finding(estimate.exponential(estimate.interval(logs[0] - logs[1])),
                   tuple(cells), arms=(arm, over))


def spread_over_packed(e: Evidence) -> Finding:
    """As many threads as one last-level cache has cores."""
    cpu, last = e.machine["cpu"], e.machine["caches"][-1]
    return _between_placements(e, "packed", last["shared_by_cpus"] * cpu["cores"] // cpu["usable"])


def spread_over_siblings(e: Evidence) -> Finding:
    """No more threads than there are cores."""
    return _between_placements(e, "sibling", e.machine["cpu"]["cores"])


def sixteen_over_eight(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-1-folio")
    own = samples.cell.own
    return e.speedup(samples, *(f"parallel:bulk:{own}:threads={n}" for n in (16, 8)))


def base_pages(e: Evidence) -> Finding:
    samples = e.samples("break-even", "sizes")
    arm = break_even.smallest(samples, teams.posted(samples).id)
    return e.speedup(samples, arm, estimate.best_serial(samples, arm))


def priority_under_load(e: Evidence) -> Finding:
    samples = e.samples("posted", "100-percent")
    posted = _arm(samples, BY_ID["2017"])
    gain = estimate.speedup(samples, posted, samples.cell.baseline)
    found = e.speedup(samples, posted, _arm(samples, BY_ID["2017-nice-0"]))
    return found if gain.low > 1 else dataclasses.replace(
        found, doubt=f"with high priority there is no clear speed-up to lose: {gain}")


def late_workers(e: Evidence) -> Finding:
    samples = e.samples("load", "200-percent")
    arm = _arm(samples, teams.posted(samples))
    found = load.late_share(samples, arm)
    return Finding(found, (samples,), "" if found else "no worker ever began",
                   (arm, estimate.best_serial(samples, arm)))


def busy_time(e: Evidence) -> Finding:
    samples = e.samples("posted", "200-percent")
    return e.speedup(samples, samples.cell.baseline, _arm(samples, BY_ID["2025"]))


def _best_woken(samples: Samples) -> tuple[str, str]:
    """The fastest woken team, and the serial copy that it is compared with."""
    best = estimate.best_serial(samples)
    arm = teams.fastest_team(samples, "wake", best)
    if arm is None:
        raise Absent("no woken team was measured")
    return arm, best


def cpu_time(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-16-folio")
    arms = _best_woken(samples)
    return Finding(estimate.cpu_ratio(samples, *arms), (samples,), arms=arms)


def price_of_speed(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-16-folio")
    arms = _best_woken(samples)
    logs = estimate.log_cpu_ratios(samples, *arms) - estimate.log_speedups(samples, *arms)
    return Finding(estimate.exponential(estimate.interval(logs)), (samples,), arms=arms)


def highmem_kmap(e: Evidence) -> Finding:
    high, low = (e.kernel_samples("ladder", kernel) for kernel in ("highmem", "amd64"))
    if ladder.cost(low, "cost:kmap_local") <= 0:
        raise Absent("kmap_local costs nothing in the 64-bit kernel, so there is no ratio")
    ratio = ladder.cost(high, "cost:kmap_local") / ladder.cost(low, "cost:kmap_local")
    return Finding(Estimate(ratio, ratio, ratio), (high, low))      # counted: exact


def pull_over_push(e: Evidence) -> Finding:
    pull, push = (e.samples("nodes", place) for place in ("pull", "push"))
    return Finding(nodes.pull_over_push(pull, push), (pull, push))


def _arm(samples: Samples, policy: Policy) -> str:
    if (arm := teams.arm_of(samples, policy.id)) is None:
        raise Absent(f'the policy "{policy.label}" was skipped here')
    return arm


TESTS: dict[str, Callable[[Evidence], Finding]] = {test.__name__: test for test in (
    batching_share, movsb_extent, own_extent, unrolled_bulk, one_worker, many_threads,
    spread_over_packed, spread_over_siblings, sixteen_over_eight, base_pages, priority_under_load,
    late_workers, busy_time, cpu_time, price_of_speed, highmem_kmap,
    pull_over_push)}
