# SPDX-License-Identifier: MIT
"""Policies: how work reaches the workers. One row each, in the order of every figure.

To add one, add a row: every experiment takes it that does not leave it out by
its id, and says there why.
"""

import dataclasses

from artifact.variant import Variant


@dataclasses.dataclass(frozen=True)
class Policy:
    """id: what the code calls it. label: what figures and sentences call it.
    options: what a parallel variant says behind its primitive; {chunk} is a
    sixteenth of a folio. What each models is told by pagecopy --help."""

    id: str
    label: str
    options: str
    own_threads: bool = False       # the model has its own rule for how many
    needs_nice: bool = False        # workers at nice -20


POLICIES = (
    Policy("2017", "2017: bound, nice -20, caller waits", "model=2017", own_threads=True,
           needs_nice=True),
    Policy("2017-nice-0", "2017 at nice 0", "model=2017:priority=normal", own_threads=True),
    Policy("2025", "2025: unbound, nice 0, caller waits", "model=2025"),
    Policy("padata", "padata as posted: nice 0, waits for all", "model=padata"),
    Policy("padata-low", "padata, helpers at nice 19", "model=padata:priority=low"),
    Policy("padata-idle", "padata, helpers SCHED_IDLE", "model=padata:priority=idle"),
    Policy("padata-begun", "padata, nice 19, waits for begun helpers only",
           "model=padata:priority=low:caller=reclaims"),
    Policy("padata-finer", "padata, parts of a sixteenth", "model=padata:chunk={chunk}"),
    Policy("works", "bound, nice 0, caller works", "caller=works"),
    Policy("reclaims", "bound, caller takes unstarted work back", "caller=reclaims"),
    Policy("chunks", "bound, sixteenths, taken back", "caller=reclaims:chunk={chunk}"),
    Policy("pick-idle", "only CPUs that look idle", "pick=idle"),
    Policy("spawn", "spawned, caller waits", "dispatch=spawn:caller=waits"),
    Policy("spin", "spinning, caller works", "dispatch=spin"),
)
# Of runs of protocol 3: in no plan any more.
RETIRED = (
    Policy("low", "bound, nice 19, caller works", "priority=low"),
    Policy("idle", "SCHED_IDLE, caller works", "priority=idle"),
    Policy("chunks-low", "chunks, taken back, nice 19",
           "caller=reclaims:chunk={chunk}:priority=low"),
)
# What model=padata was until then.
PADATA_IN_QUARTERS = Policy("padata-quarters", "padata, chunks of a quarter part", "model=padata")
ALL = (*POLICIES, *RETIRED, PADATA_IN_QUARTERS)     # in the order of every figure
# Those whose helpers wait for an idle moment: under load they take that long.
PATIENT = {"padata-low", "padata-idle", "padata-begun"}
# What was posted for review, in the order of the years.
POSTED = ("2017", "2025", "padata")
BY_ID = {policy.id: policy for policy in POLICIES}

# Options that say how much is copied and what is looked at, not how.
AMOUNTS = {"threads", "bytes", "folios", "migrators", "observe"}


def policy_of(variant: Variant) -> Policy:
    """The policy of a variant; KeyError where it has none of them."""
    if not variant.parallel:
        raise KeyError(variant.text)
    given = {key: value for key, value in variant.given if key not in AMOUNTS}
    for policy in ALL:
        wanted = dict(word.split("=") for word in policy.options.split(":"))
        if wanted.keys() == given.keys() and all(
                value in ("{chunk}", given[key]) for key, value in wanted.items()):
            return policy
    raise KeyError(variant.text)
