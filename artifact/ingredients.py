# SPDX-License-Identifier: MIT
"""What cells are made of: sizes, copy routines that run here, teams."""

import dataclasses
from collections.abc import Iterable, Sequence

from artifact.cells import Cell, Skipped
from artifact.host import Host
from artifact.policies import BY_ID, POLICIES, POSTED, Policy
from artifact.problem import Misuse
from artifact.sizes import format_size, parse_size

MOST_THREADS = 4        # of a team, as in the series of 2025; 2017 has its own rule
ONE_CPU = ("every parallel copy", "this process may use only one CPU")
PAUSE_US = 500          # between samples, so that workers sleep as between migrations


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of a base page and of a huge page, as texts and in bytes."""

    base_page: str
    huge_page: str

    def __post_init__(self):
        if self.base % 64 or self.huge % self.base:
            raise Misuse(f"base_page {self.base_page} and huge_page {self.huge_page}",
                         "the base page must be a multiple of 64 bytes that divides the huge page",
                         "use 4K and 2M, or 64K and 16M")

    @property
    def base(self) -> int:
        return parse_size(self.base_page)

    @property
    def huge(self) -> int:
        return parse_size(self.huge_page)

    @property
    def options(self) -> tuple[str, ...]:
        """pagecopy's options for them."""
        return f"--base={self.base_page}", f"--huge={self.huge_page}", "--backing=auto"


def available(host: Host, names: Iterable[str]) -> tuple[list[str], Skipped]:
    """The copy routines that run here, and the reasons for the others.

    names: of routines, or of roles (as "streaming"), which stand for whatever
    has that role and runs here.
    """
    chosen, lacking = [], []
    for name in names:
        known = [routine for routine, roles in host.roles.items() if name in (routine, *roles)]
        if not known or any("nothing" in host.roles[routine] for routine in known):
            raise Misuse(f"unknown copy routine {name!r}", "pagecopy has no such routine",
                         f"choose from {', '.join(host.lacks)}")
        running = [routine for routine in known if not host.lacks[routine]]
        chosen += running
        if not running:
            lacking += [(f"primitive {routine}", f"needs {host.lacks[routine]}")
                        for routine in known]
    return list(dict.fromkeys(chosen)), tuple(lacking)


@dataclasses.dataclass(frozen=True)
class Teams:
    """Who may copy on this machine, and how: what most experiments ask for."""

    serial: tuple[str, ...]         # serial bulk variants, of what migration calls first
    threads: dict[str, str]         # id of a policy to the options of a variant
    primitive: str                  # that the teams copy with, as they were posted
    others: tuple[str, ...]         # that none of them was posted with
    sizes: Sizes
    cpus: str                       # pagecopy's option
    skipped: Skipped

    @property
    def options(self) -> tuple[str, ...]:
        """pagecopy's: sizes and CPUs."""
        return *self.sizes.options, self.cpus

    def parallel(self, more: str = "", without: Iterable[str] = (),
                 primitive: str = "") -> list[str]:
        """A variant per policy, but for those whose ids are in ``without``."""
        assert set(without) <= set(BY_ID), without
        return [f"parallel:bulk:{primitive or self.primitive}:{options}{more}"
                for policy, options in self.threads.items() if policy not in set(without)]

    def only(self, policies: Iterable[str], more: str = "", primitive: str = "") -> list[str]:
        """The same of the policies with these ids, as far as they are allowed here."""
        return self.parallel(more, BY_ID.keys() - set(policies), primitive)

    @property
    def first_posted(self) -> str:
        """The id of the first posted policy that is allowed here; "" where none is."""
        return next((policy for policy in POSTED if policy in self.threads), "")

    def not_as_posted(self, more: str = "") -> list[str]:
        """That policy with each other copy routine: what it would do with it."""
        return [arm for primitive in self.others
                for arm in self.only({self.first_posted}, more, primitive)]


def teams_of(host: Host, sizes: Sizes, primitives: Iterable[str]) -> Teams:
    """The teams of a machine; none where it has one CPU, which ``skipped`` says.

    primitives: serial candidates beside what migration calls.
    """
    chosen, skipped = available(host, primitives)
    threads: dict[str, str] = {}
    if len(host.near) == 1:
        skipped += (ONE_CPU,)
    else:
        allowed = [policy for policy in POLICIES if host.high_priority or not policy.needs_nice]
        threads = {policy.id: _options(policy, sizes, len(host.near)) for policy in allowed}
        if len(allowed) < len(POLICIES):
            skipped += (("workers at nice -20 (system_highpri_wq)",
                         "this user may not: it needs CAP_SYS_NICE or ulimit -e 40"),)
    own = host.folio_mc_copy
    serial = unique((own, *chosen))
    return Teams(
        serial=tuple(f"serial:bulk:{each}" for each in serial), threads=threads,
        primitive=own, others=serial[1:], sizes=sizes, cpus=on_cpus(host.near[:8]), skipped=skipped)


def _options(policy: Policy, sizes: Sizes, cpus: int) -> str:
    """Of a variant with that policy, on so many CPUs."""
    own_rule = "" if policy.own_threads else f":threads={min(MOST_THREADS, cpus)}"
    return policy.options.format(chunk=format_size(chunk_of(sizes.huge))) + own_rule


def chunk_of(folio: int) -> int:
    """A sixteenth of a folio, or the largest piece below it that divides it. In bytes."""
    chunk = max(64, folio // 16 // 64 * 64)
    while folio % chunk:
        chunk -= 64
    return chunk


def under_load(experiment: str, load: int, options: tuple[str, ...], rounds: int, processes: int,
               variants: Iterable[str], sharpness: float) -> Cell:
    """load: in percent of each CPU. Of rounds as many as pagecopy allows at most."""
    return Cell(experiment, f"{load}-percent",
                (*options, f"--load={load}", f"--pause={PAUSE_US}",
                 f"--rounds={min(rounds, 100_000)}"),
                tuple(variants), processes, resolution=0.15, quiet=True, sharpness=sharpness)


def that_fit(host: Host, huge: int, batches: Iterable[int]) -> tuple[list[int], Skipped]:
    """The batches, in folios, that fit into memory, and why the others do not."""
    batches = list(batches)
    fitting = [count for count in batches if host.fits(count * huge)]
    return fitting, tuple((f"{count} folios at once", "two pools of them take more than a quarter "
                           "of the memory") for count in batches if count not in fitting)


def folios_of(variant: str, count: int) -> str:
    return variant if count == 1 else f"{variant}:folios={count}"


def rounds_of_batches(rounds: int, folios: int) -> str:
    """A call of many folios is long: fewer of them say nearly as much."""
    return f"--rounds={max(1, rounds * 4 // (folios + 3))}"


def powers(factor: int, first: int, last: int) -> list[int]:
    """first, factor * first, .. and last; only sizes that divide last."""
    sizes = []
    while first < last:
        if last % first == 0:
            sizes.append(first)
        first *= factor
    return [*sizes, last]


def on_cpus(cpus: Iterable[int]) -> str:
    """pagecopy's option: the caller's CPU, then the workers'."""
    return "--cpus=" + ",".join(map(str, cpus))


def unique(items) -> tuple:
    return tuple(dict.fromkeys(items))


def positive(**values: int) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= 10_000:
            raise Misuse(f"{name}: {value!r}", "not a count", "give a whole number from 1 to 10000")


def not_empty(**lists: Sequence) -> None:
    for name, values in lists.items():
        if not values:
            raise Misuse(f"{name}: []", "nothing to measure", "name at least one")


def doubling(last: int) -> list[int]:
    """1, 2, 4, .. and last."""
    return sorted({1 << n for n in range(last.bit_length())} | {last})
