# SPDX-License-Identifier: MIT
"""A cell: variants that take turns in each round; or a question to a real kernel."""

import dataclasses
import functools
import hashlib
import json

from artifact.policies import PADATA_IN_QUARTERS, Policy, policy_of
from artifact.sizes import parse_size
from artifact.variant import Variant

# Counts up when cells of the same parameters stop being comparable.
PROTOCOL = 4

# The baseline runs so often in each round: more copies of what everything is
# compared with sharpen every ratio at once.
REPLICAS = ("", "#2", "#3")
# And once more as if it were another variant: what its ratio to the baseline
# differs from 1 by is the error of the whole method.
TWIN = "#twin"

# Channels that every arm of a parallel cell has: CPU times.
CALLER_CPU, WORKERS_CPU = "caller cpu", "workers cpu"
# And one that pagecopy has where there is load: units of the load's own work during
# each sample. It counts; all others are times.
LOAD_WORK = "load work"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One parameter combination: variants that take turns in each round.

    The first variant is the baseline. It runs three times in every round, and
    a fourth time as its own twin: the cell's A/A check.
    """

    experiment: str
    label: str
    options: tuple[str, ...]        # of pagecopy, rounds and sizes included
    variants: tuple[str, ...]       # unique; arms adds the baseline's replicas
    processes: int                  # at most; fewer where it is sharp enough before
    resolution: float = 0.02        # A/A half-width above which it is unstable
    quiet: bool = False             # parallel: wait for idle CPUs first
    sharpness: float = 0.0          # median half-width of its ratios that is enough
    protocol: int = PROTOCOL        # of whoever planned it

    @functools.cached_property
    def id(self) -> str:
        what = json.dumps([self.protocol, self.options, self.variants, self.processes])
        digest = hashlib.sha256(what.encode()).hexdigest()[:8]
        return f"{self.experiment}-{self.label}-{digest}"

    @property
    def baseline(self) -> str:
        return self.variants[0]

    @property
    def arms(self) -> dict[str, str]:
        """Arm name to variant, in the order they are given to pagecopy."""
        first = self.baseline
        return {**{first + again: first for again in (*REPLICAS, TWIN)},
                **{variant: variant for variant in self.variants[1:]}}

    def command(self, seed: int) -> list[str]:
        """pagecopy's arguments for one process of this cell."""
        return ["--json", "--processes=1", f"--seed={seed}", *self.options,
                *self.arms.values()]

    def option(self, name: str) -> str | None:
        """The value of one of pagecopy's options, None where not given."""
        for option in self.options:
            key, _, value = option.removeprefix("--").partition("=")
            if key == name:
                return value
        return None

    @property
    def rounds(self) -> int:
        return int(self.option("rounds") or 0)

    @functools.cached_property
    def folio(self) -> int:
        """Bytes of a huge page."""
        return parse_size(self.option("huge") or "2M")

    @functools.cached_property
    def page(self) -> int:
        """Bytes of a base page."""
        return parse_size(self.option("base") or "4K")

    @property
    def pages(self) -> int:
        """Base pages of a huge page."""
        return self.folio // self.page

    @property
    def own(self) -> str:
        """The copy routine of the baseline: the kernel's copy_page()."""
        return self.of(self.baseline).primitive

    @property
    def primitives(self) -> list[str]:
        """The copy routines of its variants, in their order and each once."""
        return list(dict.fromkeys(self.of(variant).primitive for variant in self.variants))

    @functools.cached_property
    def cpus(self) -> tuple[int, ...] | None:
        """The caller's CPU, then the workers'; None where any will do."""
        listed = self.option("cpus")
        return tuple(map(int, listed.split(","))) if listed else None

    def of(self, arm: str) -> Variant:
        """What an arm of this cell does, with this cell's sizes and CPUs."""
        return Variant.parse(arm).resolved(self.page, self.folio,
                                           len(self.cpus) if self.cpus else None)

    def where(self, **wanted) -> list[str]:
        """The variants whose fields are as wanted, in their order."""
        return [arm for arm in self.variants if all(
            getattr(self.of(arm), key) == value for key, value in wanted.items())]

    def policy(self, arm: str) -> Policy:
        """The policy of a parallel arm; KeyError for any other."""
        found = policy_of(Variant.parse(arm))
        return PADATA_IN_QUARTERS if self.protocol < 4 and found.id == "padata" else found


@dataclasses.dataclass(frozen=True)
class KernelCell:
    """What a real kernel answers to one question.

    kernel: "host" for the one that runs here, else one of the virtual
    machine's. unit: "instructions", counted, or "ns", timed; the two are never
    in one figure. boots: processes of the host, boots of the machine.
    """

    experiment: str         # ladder, moves, live
    kernel: str
    unit: str
    boots: int
    digest: str             # of all that is built for it

    @property
    def label(self) -> str:
        return self.kernel

    @property
    def counted(self) -> bool:
        """In instructions, which say nothing about time."""
        return self.unit == "instructions"

    @property
    def id(self) -> str:
        return f"kernel-{self.experiment}-{self.kernel}-{self.unit}-{self.digest}"


AnyCell = Cell | KernelCell

# What is not measured, and why.
Skipped = tuple[tuple[str, str], ...]


def from_json(stored: dict) -> AnyCell:
    """The cell whose asdict() was stored, by whatever version."""
    if "boots" in stored:
        return KernelCell(**stored)
    return Cell(**{**stored, "options": tuple(stored["options"]),
                   "variants": tuple(stored["variants"])})
