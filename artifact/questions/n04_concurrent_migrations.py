# SPDX-License-Identifier: MIT
"""04: what is left of it when several CPUs migrate at once, and whose CPUs are best?"""

import dataclasses

from artifact import estimate, labels, teams
from artifact.answer import Answer, times, with_warnings
from artifact.estimate import Estimate
from artifact.experiments import concurrent, nodes
from artifact.host import Host
from artifact.ingredients import Sizes, positive, teams_of, unique
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.policies import BY_ID
from artifact.questions.question import Question
from artifact.samples import Samples


@dataclasses.dataclass(frozen=True)
class Parameters:
    """migrators: none for 1, 2, 4, .. up to twice the CPUs, 32 at the most."""

    base_page: str = "4K"
    huge_page: str = "2M"
    primitives: tuple[str, ...] = ("flushcache", "streaming")
    migrators: tuple[int, ...] = ()
    processes: int = 10
    rounds: int = 10


def plan(host: Host, p: Parameters) -> Plan:
    """A cell for each number of migrators, and for each node whose CPUs may copy to another."""
    positive(processes=p.processes, rounds=p.rounds)
    for count in p.migrators:
        positive(migrators=count)
    sizes = Sizes(p.base_page, p.huge_page)
    crew = teams_of(host, sizes, p.primitives)
    if not crew.threads:
        return Plan((), crew.skipped)
    found, skipped = concurrent.cells(host, crew, p.migrators, p.processes, p.rounds)
    placed, one_node = nodes.cells(host, sizes, p.primitives, p.processes, p.rounds)
    return Plan((*found, *placed), unique((*crew.skipped, *skipped, *one_node)))


def answer(measured: Measured, p: Parameters) -> Answer:
    """Total throughput of three policies, by the number of migrators; and where there are
    two nodes, whether teams should pull or push."""
    found = sorted(measured.cells["concurrent"], key=concurrent.crowd)
    headlines, phrases = {}, []
    for policy in dict.fromkeys((teams.posted(found[0]), BY_ID["works"], BY_ID["chunks"])):
        each = []
        for samples in found:
            arm = teams.arm_of(samples, policy.id)
            if arm is None:
                continue
            ratio = teams.over_serial(samples, arm)
            count = concurrent.crowd(samples)
            headlines[f"{count} migrators, {policy.label}, over serial copies"] = ratio
            each.append(f"{times(ratio)} with {count}")
        loses = [str(count) for count in concurrent.losing_crowds(found, policy.id)]
        phrases.append(f"\"{policy.label}\" reaches {', '.join(each)} "
                       + (f"(clearly slower with {', '.join(loses)})" if loses else
                          "(never clearly slower)"))
    between, more = _between_nodes(measured)
    return Answer(with_warnings(
        "Total throughput of several migrators at once, "
        f"{labels.sequences((samples, teams.teams(samples)[0]) for samples in found)} each: "
        + "; ".join(phrases) + "." + between, measured.cells), {**headlines, **more})


def _between_nodes(measured: Measured) -> tuple[str, dict[str, Estimate]]:
    """A sentence, and what it rests on; nothing of a run without such cells."""
    pull, push = (measured.find("nodes", place) for place in ("pull", "push"))
    if not isinstance(pull, Samples) or not isinstance(push, Samples):
        return "", {}
    arm, serial = nodes.fastest_team(pull), pull.cell.baseline
    label = pull.cell.policy(arm).label
    ratios = {f"pulling over pushing, {label}": nodes.pull_over_push(pull, push),
              "pulling over pushing, serial": estimate.between(pull, serial, push, serial)}
    team, alone = map(times, ratios.values())
    return (f" Between two nodes, \"{label}\", the fastest posted team that pulls, does so at {team} "
            f"the speed at which it pushes; one serial copy at {alone}."), ratios


QUESTION = Question("04-concurrent-migrations", Parameters, plan, answer, ("concurrent", "nodes"))
