# SPDX-License-Identifier: MIT
"""09: what may a patch say? Made of what the others measured, and of a model of
threads for a machine that the parameters describe."""

import dataclasses

from artifact.answer import Answer
from artifact.host import Host
from artifact.ingredients import positive
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.problem import Misuse
from artifact.questions.question import Question
from artifact.verdicts import claims


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Of another machine, for which the model says where threads pay off."""

    cpus: int = 32
    one_thread_gbps: float = 10.0
    limit_gbps: float = 100.0
    dispatch_us: float = 10.0
    folio_us: float = 0.5

    def __post_init__(self) -> None:
        positive(cpus=self.cpus)
        for name in ("one_thread_gbps", "limit_gbps", "dispatch_us", "folio_us"):
            value = getattr(self, name)
            if not 0 < value < 1e6:
                raise Misuse(f"{name}: {value!r}", "not a positive number", "give one, such as 12.5")


def plan(host: Host, p: Parameters) -> Plan:
    """No cells of its own."""
    return Plan(())


def answer(measured: Measured, p: Parameters) -> Answer:
    """How many of the published claims hold in this run."""
    found = claims.verdicts(measured)
    published = [v for v in found if not v.claim.ours]
    ids = {word: [v.claim.id for v in published if v.word == word] for word in claims.WORDS}
    phrases = [claims.counted(len(ids[word]), word)
               + (f" ({', '.join(ids[word])})" if word in claims.JUDGED else "")
               for word in claims.WORDS if ids[word]]
    return Answer(f"Of {len(published)} published claims, {', '.join(phrases)}"
                  f"{claims.own(found)}.", {})


QUESTION = Question("09-changelog", Parameters, plan, answer, (), own_cells=False)
