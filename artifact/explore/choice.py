# SPDX-License-Identifier: MIT
"""What the knobs say, as a cell of pagecopy: today's loop, the choice, and the default,
which take turns in each round."""

import dataclasses
import shlex

from artifact import ctools
from artifact.cells import TWIN, Cell
from artifact.experiments.serial_ladder import TODAY
from artifact.host import Host
from artifact.ingredients import PAUSE_US, chunk_of, folios_of, on_cpus, unique
from artifact.policies import BY_ID
from artifact.problem import Misuse, Problem
from artifact.sizes import format_size, parse_size
from artifact.variant import COPY_ALIGN

BASE = 4096                 # bytes of a base page
TEAM_CPUS = 8               # that are loaded, and that a small team chooses from
MOST_LOAD = 1000            # percent, as pagecopy allows
ROUNDS, FEWEST_ROUNDS = 12, 3
IN_ROUNDS = 64 << 20        # bytes that an arm copies in a process, or the fewest rounds

# Options that pagecopy does the same without.
PLAIN = {"--huge=2M", "--backing=huge", "--source=cold", "--destination=cold", "--load=0", "--pairs=0"}


@dataclasses.dataclass(frozen=True)
class Choice:
    """A value for each knob. Sizes are texts, as pagecopy reads them.

    strategy: STRATEGY:RULE. call: bytes of one call; "" for what the rule says.
    policy: an id of artifact/policies.py; it and threads are for parallel copies.
    load: percent of each CPU. caches: SOURCE/DESTINATION. backing: huge or base.
    """

    routine: str
    strategy: str = "serial:bulk"
    call: str = ""
    map: str = "none"
    policy: str = "2025"
    threads: int = 2
    huge: str = "2M"
    folios: int = 1
    backing: str = "huge"
    load: int = 0
    caches: str = "cold/cold"

    @property
    def parallel(self) -> bool:
        return self.strategy.startswith("parallel")

    @property
    def copied(self) -> int:
        """Bytes of one copy."""
        return parse_size(self.huge) * self.folios

    @property
    def variant(self) -> str:
        """Its name for pagecopy."""
        words = [self.strategy, self.routine]
        words += [f"extent={self.call}"] if self.call else []
        words += [f"map={self.map}"] if self.map != "none" else []
        words += [self._team()] if self.parallel else []
        return folios_of(":".join(words), self.folios)

    def _team(self) -> str:
        policy = BY_ID[self.policy]
        options = policy.options.format(chunk=format_size(chunk_of(parse_size(self.huge))))
        return options if policy.own_threads else f"{options}:threads={self.threads}"


def default(host: Host) -> Choice:
    """One bulk call of the routine that migration calls here."""
    return Choice(host.folio_mc_copy, threads=min(2, len(host.near)))


def today(host: Host, choice: Choice) -> str:
    """The loop that everything is compared with, over as many folios."""
    return folios_of(TODAY.format(host.folio_mc_copy), choice.folios)


def default_beside(host: Host, choice: Choice) -> str:
    """The default, over as many folios."""
    return dataclasses.replace(default(host), folios=choice.folios).variant


def cell(host: Host, choice: Choice, pairs: int = 0) -> Cell:
    """pairs: folios in each pool; 0 for pagecopy's own rule, by the caches."""
    source, _, destination = choice.caches.partition("/")
    options = [f"--huge={choice.huge}", f"--backing={choice.backing}", f"--source={source}",
               f"--destination={destination}", f"--load={choice.load}", f"--pairs={pairs}"]
    if choice.parallel or choice.load:
        options += [on_cpus(host.near[:max(TEAM_CPUS, choice.threads)]), f"--pause={PAUSE_US}"]
    rounds = max(FEWEST_ROUNDS, min(ROUNDS, IN_ROUNDS // choice.copied))
    return Cell("explore", "choice", (*[option for option in options if option not in PLAIN],
                                      f"--rounds={rounds}"),
                unique((today(host, choice), choice.variant, default_beside(host, choice))),
                processes=1)


def arm(of: Cell, variant: str) -> str:
    """The arm of a cell that says how fast a variant is, beside the baseline."""
    return variant + TWIN if variant == of.baseline else variant


def command(host: Host, choice: Choice) -> str:
    """The same question for a shell, in the project's folder."""
    asked = cell(host, choice)
    return shlex.join(["ctools/pagecopy", *asked.options, *asked.variants])


def wrong(host: Host, choice: Choice) -> dict[str, Problem]:
    """What cannot be measured, by the name of the knob that is to be turned."""
    found = {name: problem for name, problem in (
        ("huge", _huge(choice)), ("threads", _threads(host, choice)),
        ("folios", _count("folios per copy", choice.folios, 1, 10_000)),
        ("load", _count("load", choice.load, 0, MOST_LOAD))) if problem}
    if not {"huge", "folios"} & {*found} and (problem := _memory(host, choice)):
        found["folios"] = problem
    if "huge" not in found and (problem := _call(choice)):
        found["call"] = problem
    if not found and (problem := _refused(host, choice)):
        found["call"] = problem
    return found


def _huge(choice: Choice) -> Problem | None:
    try:
        if parse_size(choice.huge) % BASE == 0:
            return None
    except Misuse as problem:
        return problem
    return Misuse(f"a folio of {choice.huge}", "not a multiple of a 4K base page",
                  "take 2M, 1G or 64K")


def _call(choice: Choice) -> Problem | None:
    try:
        size = parse_size(choice.call) if choice.call else COPY_ALIGN
    except Misuse as problem:
        return problem
    if size % COPY_ALIGN == 0 and parse_size(choice.huge) % size == 0:
        return None
    return Misuse(f"{choice.call} per call", f"does not divide {choice.huge} into multiples of "
                  f"{COPY_ALIGN}", "take 4K or 64K, or leave it empty")


def _threads(host: Host, choice: Choice) -> Problem | None:
    if not choice.parallel or BY_ID[choice.policy].own_threads:
        return None
    cpus = len(host.near)
    if choice.threads > cpus:
        return Misuse(f"{choice.threads} threads", f"this process may run on {cpus} CPU(s) of a node",
                      f"give at most {cpus}")
    return _count("threads", choice.threads, 1, cpus)


def _memory(host: Host, choice: Choice) -> Problem | None:
    if host.fits(choice.copied):
        return None
    return Misuse(f"{choice.folios} folio(s) of {choice.huge}",
                  "two pools of them are more than a quarter of the memory",
                  "take fewer or smaller ones")


def _count(what: str, value: int, least: int, most: int) -> Problem | None:
    if least <= value <= most:
        return None
    return Misuse(f"{what}: {value}", "out of range", f"give a whole number, {least} to {most}")


def _refused(host: Host, choice: Choice) -> Problem | None:
    """What pagecopy itself says to it."""
    asked = cell(host, choice)
    try:
        ctools.run(["--explain", *asked.options, *asked.variants])
    except Problem as problem:
        return problem
    return None
