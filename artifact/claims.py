# SPDX-License-Identifier: MIT
"""Verdicts on published claims, by intervals and regions fixed beforehand.

A claim holds where the whole interval of what was measured lies within its
region, does not hold where none of it does, and is inconclusive else, or
where the cell failed its own check. The intervals are wider than elsewhere:
all tested claims together err as seldom as one figure does (Bonferroni).
"""

import dataclasses
import functools
import math
import tomllib
from collections.abc import Callable

from artifact import drawing, estimate, figures, harm, harm_figures, in_kernel, load, machine
from artifact import paths, plan, published
from artifact.estimate import Estimate
from artifact.problem import Problem, one_line

FILE = paths.PUBLISHED / "claims.toml"
WORDS = ("holds", "does not hold", "inconclusive", "not applicable", "cited only")


@dataclasses.dataclass(frozen=True)
class Claim:
    """One claim, as claims.toml tells it."""

    id: str
    who: str
    when: str
    says: str
    published: str = ""
    ratio: tuple[float, float] | None = None    # published, least and most
    test: str = ""
    what: str = ""
    holds: tuple[float, float] = (0.0, math.inf)
    band: str = ""
    needs: dict = dataclasses.field(default_factory=dict)
    why: str = ""
    sources: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """word: holds, does not hold, inconclusive, not applicable or cited only."""

    claim: Claim
    word: str
    why: str
    measured: Estimate | None = None


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a test measured, and the cells it rests on; or why it could not."""

    measured: Estimate | None
    cells: tuple = ()
    why: str = ""


@functools.cache
def claims() -> tuple[Claim, ...]:
    """All claims in their order; Problem where the file is not as it says."""
    try:
        stored = tomllib.loads(FILE.read_text())
        found = tuple(Claim(id=key, **{k: tuple(v) if isinstance(v, list) else v
                                       for k, v in fields.items()}) for key, fields in stored.items())
    except (OSError, ValueError, TypeError) as error:
        raise Problem(f"cannot read {paths.shown(FILE)}", one_line(error),
                      "restore it: git checkout data/published") from error
    known = set(published.sources().index)
    for claim in found:
        if claim.test and claim.test not in TESTS or not claim.test and not claim.why or \
                not set(claim.sources + claim.answers) <= known:
            raise Problem(f"claim {claim.id}", "an unknown test or source, or neither test nor why",
                          "restore data/published/claims.toml")
    return found


class Absent(Exception):
    """The run lacks what a test is made of."""


class Evidence:
    """Everything that a run measured, by experiment and label."""

    def __init__(self, run: paths.Run, everything: plan.Plan):
        self.run = run
        self.machine = machine.load(run.machine)
        self.skipped = dict(everything.skipped)
        self.cells = {(cell.experiment, cell.label if isinstance(cell, plan.Cell) else cell.kernel):
                      cell for cell in everything.cells}
        tested = sum(bool(claim.test) and not _missing(claim, self) for claim in claims())
        self.level = 1 - (1 - estimate.LEVEL) / max(tested, 1)

    def samples(self, experiment: str, label: str):
        """What was measured; Absent where this run has no such cell."""
        if (experiment, label) not in self.cells:
            raise Absent(f"this run has no cell {experiment} {label}")
        return load.any_cell(self.run, self.cells[experiment, label])

    def speedup(self, samples: load.Samples, arm: str, over: str) -> Finding:
        for wanted in (arm, over):
            if wanted not in samples.seconds:
                raise Absent(f"{wanted} was not among the arms")
        return Finding(estimate.speedup(samples, arm, over, self.level), (samples,))


def verdicts(evidence: Evidence) -> list[Verdict]:
    """One for each claim, in their order. Raises Problem where cells are missing."""
    return [_verdict(claim, evidence) for claim in claims()]


def table(found: list[Verdict]) -> list[str]:
    """A line for each claim, for a terminal."""
    lines = [f"{'claim':5} {'verdict':14} {'measured':>22} {'region':>12}  what, or why not"]
    for verdict in found:
        claim, measured = verdict.claim, str(verdict.measured or "")
        region = f"{claim.holds[0]:g}..{claim.holds[1]:g}" if claim.test else ""
        text = claim.what if verdict.measured else verdict.why
        if verdict.word == "inconclusive" and verdict.why != claim.band:
            text += f" ({verdict.why})"
        lines.append(f"{claim.id:5} {verdict.word:14} {measured:>22} {region:>12}  {text}")
    words = [verdict.word for verdict in found]
    lines.append(", ".join(f"{words.count(word)} {word}" for word in WORDS if word in words))
    return lines


def _verdict(claim: Claim, evidence: Evidence) -> Verdict:
    missing = _missing(claim, evidence)
    if not claim.test:
        return Verdict(claim, "not applicable" if missing else "cited only",
                       "; ".join(filter(None, (missing, claim.why))))
    if missing:
        return Verdict(claim, "not applicable", missing)
    try:
        found = TESTS[claim.test](evidence)
    except Absent as absent:
        return Verdict(claim, "not applicable", str(absent))
    if found.measured is None:
        return Verdict(claim, "not applicable", found.why)
    unstable = [f"{s.cell.experiment} {s.cell.label}" for s in found.cells
                if isinstance(s, load.Samples) and not estimate.is_stable(s)]
    word = "inconclusive" if unstable else decide(found.measured, claim.holds)
    return Verdict(claim, word, f"cell {', '.join(unstable)} failed its own check" if unstable
                   else claim.band, found.measured)


MARGIN = 0.05       # within which a ratio is as good as 1


def decide(measured: Estimate, region: tuple[float, float]) -> str:
    """By where the whole interval lies. The regions [1, inf] and [0, 1] claim a
    difference: that does not hold either where the interval has 1 in it and
    ends so near to it that any difference would be within the margin."""
    low, high = region
    faster, slower = (low, high) == (1, math.inf), (low, high) == (0, 1)
    inside = (measured.low > 1 if faster else measured.low >= low) and \
        (measured.high < 1 if slower else measured.high <= high)
    if inside:
        return "holds"
    outside = measured.high < 1 + MARGIN if faster else \
        measured.low > 1 - MARGIN if slower else measured.high < low or measured.low > high
    return "does not hold" if outside else "inconclusive"


def _missing(claim: Claim, evidence: Evidence) -> str:
    """What the claim's domain asks for and this machine lacks; "" for nothing."""
    cpu, needs = evidence.machine["cpu"], claim.needs
    last = evidence.machine["caches"][-1:] or [{"shared_by_cpus": cpu["usable"]}]
    has = {"cpus": cpu["usable"], "nodes": len(evidence.machine["numa_nodes"]),
           "llcs": cpu["usable"] // max(1, min(last[0]["shared_by_cpus"], cpu["usable"]))}
    lacks = [f"{needs[key]} {word}, here {has[key]}" for key, word in
             (("cpus", "CPUs"), ("nodes", "NUMA nodes"), ("llcs", "last-level caches"))
             if needs.get(key, 0) > has[key]]
    if "flag" in needs and needs["flag"] not in cpu["flags"]:
        lacks.append(f"a CPU with {needs['flag']}")
    if needs.get("siblings") and cpu["cores"] >= cpu["usable"]:
        lacks.append("cores with two threads")
    ladder = evidence.cells.get(("ladder", "highmem"))
    if needs.get("counted") and (ladder is None or ladder.unit != "instructions"):
        lacks.append("counted instructions (make kernel-lab, without KVM)")
    return f"needs {' and '.join(lacks)}" if lacks else ""


def batching_share(e: Evidence) -> Finding:
    samples = e.samples("factorial", "1-folio")
    found = figures.batching_share(samples, drawing.own_primitive(samples), "spin", e.level)
    return Finding(found, (samples,), "threads gain nothing clear here that batching could have a "
                   "share of")


def _long_over_short(e: Evidence, samples: load.Samples, primitive: str) -> Finding:
    return e.speedup(samples, *(f"serial:bulk:{primitive}:extent={size}" for size in ("2M", "4K")))


def movsb_extent(e: Evidence) -> Finding:
    return _long_over_short(e, e.samples("extent", "folio"), "movsb")


def own_extent(e: Evidence) -> Finding:
    samples = e.samples("extent", "folio")
    return _long_over_short(e, samples, drawing.own_primitive(samples))


def unrolled_bulk(e: Evidence) -> Finding:
    return e.speedup(e.samples("serial-ladder", "cold-cold"), "serial:bulk:unrolled",
                     "serial:page:movsq:map=2026")


def one_worker(e: Evidence) -> Finding:
    samples = e.samples("one-worker", "16-folio")
    own = drawing.own_primitive(samples)
    return e.speedup(samples, f"parallel:bulk:{own}:threads=1:caller=waits:folios=16",
                     f"serial:bulk:{own}:folios=16")


def many_threads(e: Evidence) -> Finding:
    samples = e.samples("factorial", "16-folio")
    own = drawing.own_primitive(samples)
    return e.speedup(samples, f"parallel:bulk:{own}:threads=8:folios=16",
                     f"serial:page:{own}:map=2017:folios=16")


def size_cliff(e: Evidence) -> Finding:
    samples = e.samples("break-even", "sizes")
    arms = {harm.work_bytes(arm, harm.folio(samples)): arm for arm in harm.teams(samples)
            if plan.policy(arm) == harm_figures.ANY_CPU}
    if not {1 << 20, 2 << 20} <= set(arms):
        raise Absent("1 MiB and 2 MiB were not among the sizes")
    return e.speedup(samples, arms[2 << 20], arms[1 << 20])


def _between_placements(e: Evidence, other: str) -> Finding:
    """The same team in two placements, each over its own serial copy."""
    cells = [e.samples("threads", f"{order}-16-folio") for order in ("spread", other)]
    threads = min(8, max(int(plan.fields(arm)["threads"]) for arm in harm.teams(cells[0])))
    own = drawing.own_primitive(cells[0])
    arm, over = (f"parallel:bulk:{own}:threads={threads}:folios=16", f"serial:bulk:{own}:folios=16")
    logs = [estimate.log_speedups(samples, arm, over) for samples in cells]
    return Finding(estimate.exponential(estimate.interval(logs[0] - logs[1], e.level)), tuple(cells))


def spread_over_packed(e: Evidence) -> Finding:
    return _between_placements(e, "packed")


def spread_over_siblings(e: Evidence) -> Finding:
    return _between_placements(e, "sibling")


def sixteen_over_eight(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-1-folio")
    own = drawing.own_primitive(samples)
    return e.speedup(samples, *(f"parallel:bulk:{own}:threads={n}" for n in (16, 8)))


def base_pages(e: Evidence) -> Finding:
    samples = e.samples("break-even", "sizes")
    posted = harm.posted(samples)
    arm = min((a for a in harm.teams(samples) if plan.policy(a) == posted),
              key=lambda a: harm.work_bytes(a, harm.folio(samples)))
    return e.speedup(samples, arm, estimate.best_serial(samples, arm))


def priority_under_load(e: Evidence) -> Finding:
    samples = e.samples("load", "100-percent")
    return e.speedup(samples, _arm(samples, list(plan.POLICIES)[0]),
                     _arm(samples, harm_figures.ANY_CPU))


def late_workers(e: Evidence) -> Finding:
    samples = e.samples("load", "200-percent")
    found = harm.late_share(samples, _arm(samples, harm.posted(samples)), e.level)
    return Finding(found, (samples,), "no worker ever began")


def busy_time(e: Evidence) -> Finding:
    samples = e.samples("load", "200-percent")
    arm = _arm(samples, list(plan.POLICIES)[1])
    return e.speedup(samples, estimate.best_serial(samples, arm), arm)


def cpu_time(e: Evidence) -> Finding:
    samples = e.samples("threads", "spread-16-folio")
    best = estimate.best_serial(samples)
    woken = [arm for arm in harm.teams(samples, dispatch="wake")
             if int(plan.fields(arm)["threads"]) > 1]
    arm = max(woken, key=lambda v: estimate.log_speedups(samples, v, best).mean())
    return Finding(estimate.cpu_ratio(samples, arm, best, e.level), (samples,))


def highmem_kmap(e: Evidence) -> Finding:
    high, low = (e.samples("ladder", kernel) for kernel in ("highmem", "amd64"))
    ratio = in_kernel.cost(high, "cost:kmap_local") / in_kernel.cost(low, "cost:kmap_local")
    return Finding(Estimate(ratio, ratio, ratio), (high, low))      # counted: exact


def _arm(samples: load.Samples, label: str) -> str:
    if (arm := harm.arm_of(samples, label)) is None:
        raise Absent(f'the policy "{label}" was skipped here')
    return arm


TESTS: dict[str, Callable[[Evidence], Finding]] = {test.__name__: test for test in (
    batching_share, movsb_extent, own_extent, unrolled_bulk, one_worker, many_threads, size_cliff,
    spread_over_packed, spread_over_siblings, sixteen_over_eight, base_pages, priority_under_load,
    late_workers, busy_time, cpu_time, highmem_kmap)}


@dataclasses.dataclass(frozen=True)
class Demand:
    """What a reviewer asked for, and which figures answer it."""

    id: str
    who: str
    weight: str
    asks: str
    figures: tuple[str, ...] = ()
    why: str = ""


@functools.cache
def demands() -> tuple[Demand, ...]:
    """All demands in their order; Problem where the file is not as it says."""
    path = paths.PUBLISHED / "demands.toml"
    try:
        stored = tomllib.loads(path.read_text())
        found = tuple(Demand(id=key, **{**fields, "figures": tuple(fields.get("figures", ()))})
                      for key, fields in stored.items())
    except (OSError, ValueError, TypeError) as error:
        raise Problem(f"cannot read {paths.shown(path)}", one_line(error),
                      "restore it: git checkout data/published") from error
    return found


def coverage_lines(drawn: set[str], skipped: dict[str, str]) -> list[str]:
    """The same for a terminal."""
    return [f"{demand.id:4} {demand.weight}  {demand.asks} ({demand.who}): {answer}"
            for demand, answer in coverage(drawn, skipped)]


def coverage(drawn: set[str], skipped: dict[str, str]) -> list[tuple[Demand, str]]:
    """Each demand with the figures that answer it in a run, or why none does."""
    rows = []
    for demand in demands():
        here = [name for name in demand.figures if name in drawn]
        absent = [name for name in demand.figures if name not in drawn]
        texts = [", ".join(here)] if here else []
        if absent and not here:
            reasons = "; ".join(f"{what}: {why}" for what, why in skipped.items()) or "skipped"
            texts.append(f"not drawn here ({reasons})")
        rows.append((demand, "; ".join(filter(None, [*texts, demand.why]))))
    return rows
