# SPDX-License-Identifier: MIT
"""05: who pays for it: unrelated work, cold caches, whoever is not charged?"""

import dataclasses
import math

from artifact import estimate, labels, teams
from artifact.answer import Answer, times, with_warnings
from artifact.estimate import Estimate
from artifact.experiments import charge, load, next_reader, posted, recovery, victim
from artifact.host import Host
from artifact.ingredients import Sizes, positive, teams_of, unique
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.policies import BY_ID
from artifact.questions.question import Question
from artifact.samples import Samples


@dataclasses.dataclass(frozen=True)
class Parameters:
    """victims: what runs on the first worker's CPU, looked at in windows of
    window_ms while a migrator makes ``rate`` copies a second. margin_percent:
    how much slower than the best serial copy is still "no worse", fixed before
    anything is measured. cpu_limit_percent: of one CPU, for a migrator in a
    cgroup."""

    base_page: str = "4K"
    huge_page: str = "2M"
    primitives: tuple[str, ...] = ("flushcache", "streaming")
    victims: tuple[str, ...] = ("integer", "l2", "llc", "stream", "timer", "lock")
    window_ms: int = 20
    rate: int = 500
    loads: tuple[int, ...] = (0, 50, 100, 200)
    margin_percent: int = 5
    cpu_limit_percent: int = 20
    processes: int = 10
    rounds: int = 10


def plan(host: Host, p: Parameters) -> Plan:
    """Victims, caches that recover, copies under load, a migrator with a limit, and
    whoever reads the copy next."""
    positive(processes=p.processes, rounds=p.rounds, window_ms=p.window_ms, rate=p.rate,
             margin_percent=p.margin_percent, cpu_limit_percent=p.cpu_limit_percent)
    crew = teams_of(host, Sizes(p.base_page, p.huge_page), p.primitives)
    victims = victim.cells(host, crew, p.victims, p.window_ms, p.rate, p.processes, p.rounds)
    recovering, too_large = recovery.cells(host, crew, p.processes, p.rounds)
    limited, refused = charge.cells(host, crew, p.cpu_limit_percent, p.processes, p.rounds)
    read_next, no_such = next_reader.cells(host, crew, p.processes, p.rounds)
    loaded = load.cells(crew, p.loads, p.processes, p.rounds)
    if not crew.threads:
        return Plan((), crew.skipped)
    return Plan((*victims, *recovering, *posted.cells(crew, p.processes, p.rounds), *loaded,
                 *limited, *read_next), unique((*crew.skipped, *too_large, *refused, *no_such)))


def answer(measured: Measured, p: Parameters) -> Answer:
    """What victims keep, and which policies are no slower than serial under load."""
    cells = measured.cells
    headlines = {}
    losses = victim.losses(cells["victim"])
    policy = teams.posted(cells["victim"][0])
    for loss in losses:
        headlines[f"{loss.label} beside serial copies over alone"] = loss.kept_beside_serial
        headlines[f"{loss.label} beside {policy.label} over alone"] = loss.kept
    left = [f"{loss.label}: {loss.kept}, and {loss.kept_beside_serial} beside {loss.serial_routine}"
            for loss in losses]
    tests = [_test(samples, p.margin_percent) for samples in cells["load"]]
    # An older run may have none as posted.
    as_posted = [_test(samples, p.margin_percent) for samples in cells.get("posted", [])]
    sentence = (f"Work on the worker's CPU keeps this share of its speed beside \"{policy.label}\", "
                f"copying with {losses[0].routine}, and beside the best serial copy: "
                f"{'; '.join(left)}. " if losses else "")
    first_teams = ((samples, teams.teams(samples)[0]) for samples in cells["load"])
    sentence += (f"Policies at most {p.margin_percent} % slower than the best serial copy by the whole "
                 "intervals of mean, p95 and p99, "
                 f"{labels.sequences(first_teams)}: {'; '.join(tests)}.")
    if as_posted:
        sentence += (" The series against one call of the routine that they copy with: "
                     f"{'; '.join(as_posted)}.")
    sentence = " ".join([sentence, *_waiting(cells["load"])])
    if read_next := cells.get("next-reader", []):
        sentence += f" {_past_the_cache(read_next)}"
        headlines |= _next_readers(read_next)
    return Answer(with_warnings(sentence, cells), headlines)


def _waiting(cells: list[Samples]) -> list[str]:
    """What it costs to wait for helpers that find nothing left; nothing where a run cannot tell."""
    all_of_them, begun = BY_ID["padata-low"], BY_ID["padata-begun"]
    costs = []
    for samples in cells:
        arms = [teams.arm_of(samples, policy.id) for policy in (all_of_them, begun)]
        if arms[0] and arms[1]:
            ratio = estimate.pooled_ratio(samples, arms[0], arms[1], teams.JUDGED["mean"])
            costs.append(f"{times(ratio)} at {teams.load_percent(samples)} % load")
    return ["Mean time of padata with helpers at nice 19 that waits for all of them, over one that "
            f"waits only for those that began: {', '.join(costs)}."] if costs else []


def _past_the_cache(cells: list[Samples]) -> str:
    """Option or default? Of the routine that was posted first."""
    found = [(samples, arm, next_reader.reuse(samples, arm)) for samples in cells
             for arm in _of_first_routine(samples)]
    each = [f"{next_reader.amount(samples, arm)} read {next_reader.READERS[samples.cell.label]}, "
            f"{_told(reuse)} (copy {next_reader.copy_ratio(samples, arm).value:.2f}, read "
            f"{next_reader.read_ratio(samples, arm).value:.2f} of the time)"
            for samples, arm, reuse in found]
    samples, arm, _ = found[0]
    return (f"Copies that skip the cache ({samples.cell.of(arm).primitive}) in place of "
            f"{samples.cell.own}, option or default: "
            f"{_conclusion({reuse.verdict for *_, reuse in found})}; {'; '.join(each)}.")


def _of_first_routine(samples: Samples) -> list[str]:
    arms = next_reader.past_the_cache(samples)
    first = samples.cell.of(arms[0]).primitive
    return [arm for arm in arms if samples.cell.of(arm).primitive == first]


def _conclusion(verdicts: set[str]) -> str:
    if verdicts == {"never"}:
        return "neither"
    if verdicts == {"default"}:
        return "default"
    if verdicts <= {"default", "open"}:
        return "open"
    return "an option"


def _told(reuse: next_reader.Reuse) -> str:
    """The verdict, with the share of copies that are read at which it turns."""
    at = reuse.crossing
    if at.low == 0 or math.isinf(at.value):
        return reuse.verdict
    value, low, high = (f"{100 * min(share, 1):.0f}" for share in (at.value, at.low, at.high))
    return f"{reuse.verdict}, better where less than {value} % [{low}, {high}] are read"


def _next_readers(cells: list[Samples]) -> dict[str, Estimate]:
    """Of whole folios."""
    found = {}
    for samples in cells:
        arm = _of_first_routine(samples)[0]
        what = (f"{samples.cell.of(arm).primitive} over {samples.cell.own}, "
                f"{next_reader.amount(samples, arm)} read {next_reader.READERS[samples.cell.label]}")
        found[f"time of the copy: {what}"] = next_reader.copy_ratio(samples, arm)
        found[f"time of the read: {what}"] = next_reader.read_ratio(samples, arm)
    return found


def _test(samples: Samples, margin: int) -> str:
    """Of the policies, each once: as the first one copies."""
    verdicts: dict[str, list[str]] = {"no worse": [], "worse": [], "open": []}
    every = teams.teams(samples)
    for arm in teams.teams(samples, primitive=samples.cell.of(every[0]).primitive):
        verdicts[teams.no_worse(samples, arm, margin)[1]].append(
            f"\"{labels.arm_label(samples, arm)}\"")
    return (f"at {teams.load_percent(samples)} % load "
            f"{', '.join(verdicts['no worse']) or 'none'} "
            f"({len(verdicts['worse'])} slower, {len(verdicts['open'])} open)")


QUESTION = Question("05-interference", Parameters, plan, answer,
                    ("victim", "recovery", "posted", "load", "charge", "next-reader"))
