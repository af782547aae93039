# SPDX-License-Identifier: MIT
"""What is to be measured: parameters in, cells out. Nothing is measured here."""

import dataclasses
import functools
import hashlib
import json

from artifact import ctools, machine
from artifact.problem import Problem

# Counts up when cells of the same parameters stop being comparable.
PROTOCOL = 2

# The baseline runs so often in each round: more copies of what everything is
# compared with sharpen every ratio at once.
REPLICAS = ("", "#2", "#3")
# And once more as if it were another variant: what its ratio to the baseline
# differs from 1 by is the error of the whole method.
TWIN = "#twin"


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
    processes: int
    resolution: float = 0.02        # A/A half-width above which it is unstable
    quiet: bool = False             # parallel: wait for idle CPUs first

    @functools.cached_property
    def id(self) -> str:
        what = json.dumps([PROTOCOL, self.options, self.variants, self.processes])
        digest = hashlib.sha256(what.encode()).hexdigest()[:8]
        return f"{self.experiment}-{self.label}-{digest}"

    @property
    def arms(self) -> dict[str, str]:
        """Arm name to variant, in the order they are given to pagecopy."""
        first = self.variants[0]
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

    @classmethod
    def from_json(cls, stored: dict) -> "Cell":
        """The cell whose asdict() was stored."""
        return cls(**{**stored, "options": tuple(stored["options"]),
                      "variants": tuple(stored["variants"])})

    @property
    def rounds(self) -> int:
        return int(self.option("rounds"))

    @property
    def seconds(self) -> float:
        """A guess at one process's time, before any has run."""
        folio = ctools.parse_size(self.option("huge"))
        copied = sum(folio * int(fields(v)["folios"]) * (4 if fields(v)["primitive"] == "byte"
                                                         else 1) for v in self.arms.values())
        pool = folio * int(self.option("pairs") or 64)
        return 0.5 + 2 * pool / 3e9 + (self.rounds + 2) * copied / 7e9


@dataclasses.dataclass(frozen=True)
class Plan:
    """Cells, and what this machine cannot measure, with the reason."""

    cells: tuple[Cell, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, stored: dict) -> "Plan":
        return cls(tuple(Cell.from_json(cell) for cell in stored["cells"]),
                   tuple((what, why) for what, why in stored["skipped"]))

    def experiment(self, name: str) -> list[Cell]:
        return [cell for cell in self.cells if cell.experiment == name]


def fields(variant: str) -> dict[str, str]:
    """A variant's name taken apart, with pagecopy's defaults filled in."""
    strategy, rule, primitive, *options = variant.partition("#")[0].split(":")
    return {"strategy": strategy, "rule": rule, "primitive": primitive, "map": "none",
            "delay": "0", "extent": "", "folios": "1", "observe": "copy", "threads": "1",
            "dispatch": "wake", "caller": "works",
            **dict(option.split("=", 1) for option in options)}


def serial_copy(*, base_page: str, huge_page: str, primitives: list[str],
                cache_states: list[str], delays_ns: list[int], extent_primitives: list[str],
                largest_extent: str, processes: int, rounds: int) -> Plan:
    """The cells of 01-serial-copy.

    Sizes are texts such as "4K"; primitives [] means all that run here; a
    cache state is SOURCE/DESTINATION, each cold or warm. Raises Problem for
    values that cannot be measured anywhere; what only this machine lacks is
    listed in the plan's ``skipped``.
    """
    base, huge = _page_sizes(base_page, huge_page)
    _positive(processes=processes, rounds=rounds)
    chosen, skipped = _available(primitives or [p for p in ctools.primitives() if p != "empty"])
    swept, skipped_too = _available(extent_primitives)
    own = ctools.kernels_own()
    sizes = (f"--base={base_page}", f"--huge={huge_page}", "--backing=auto")
    _not_empty(cache_states=cache_states, delays_ns=delays_ns)
    cells = [_ladder(own, chosen, sizes, state, processes, rounds)
             for state in _unique(cache_states)]
    nodes = machine.memory_nodes()
    near, far = (f"--{side}-node={node}" for side, node in
                 (("source", nodes[0]), ("destination", nodes[-1])))
    refused = _refused([near, far]) if len(nodes) > 1 else "this machine has one node with memory"
    if not refused:
        cells.append(Cell("serial-ladder", "remote", (*sizes, near, far, f"--rounds={rounds}"),
                          _unique(rung.format(p) for p in dict.fromkeys((own, *swept))
                                  for rung in (TODAY, *LADDER)), processes))
    else:
        skipped += (("copies between NUMA nodes", refused),)

    for delay in delays_ns:
        if not isinstance(delay, int) or not 0 < delay <= 1_000_000:
            raise Problem(f"delays_ns: {delay!r}", "not a delay", "give 1 to 1000000 ns")
    cells.append(Cell(
        "map-cost", "sweep", (*sizes, f"--rounds={rounds}"),
        (f"serial:bulk:{own}", *(rung.format(own) for rung in LADDER[:3]),
         *(f"serial:page:{own}:delay={delay}" for delay in sorted(set(delays_ns)))), processes))

    largest = ctools.parse_size(largest_extent)
    if largest > huge and 2 * largest > machine.memory_bytes() / 4:
        skipped += ((f"extents above {huge_page}", f"two regions of {largest_extent} are more "
                     "than a quarter of the memory"),)
        largest = huge
    cells += _extent_cells(sizes, swept, base, huge, largest, processes, rounds)
    return Plan(tuple(cells), _unique((*skipped, *skipped_too)))


# From the loop of 2017 to one call; {} is the primitive.
LADDER = ("serial:page:{}:map=2017", "serial:page:{}:map=2026", "serial:page:{}",
          "serial:bulk:{}")
TODAY = LADDER[1]


def _ladder(own, chosen, sizes, state, processes, rounds) -> Cell:
    """Every rung of every primitive; of the byte loop just one, as the floor."""
    source, destination = _cache_state(state)
    others = [p for p in chosen if p not in (own, "byte", "empty")]
    return Cell(
        "serial-ladder", f"{source}-{destination}",
        (*sizes, f"--source={source}", f"--destination={destination}", f"--rounds={rounds}"),
        _unique((*(rung.format(own) for rung in (TODAY, *LADDER)),
                 *(rung.format(p) for p in others for rung in LADDER),
                 *(("serial:bulk:byte",) if "byte" in chosen else ()))), processes)


def _extent_cells(sizes, swept, base, huge, largest, processes, rounds) -> list[Cell]:
    """Extents up to a folio in the usual pool, larger ones in one region.

    A copy of the whole region takes so long that few rounds and processes
    say as much as many of a folio.
    """
    def variants(extents):
        return tuple(f"serial:bulk:{p}:extent={ctools.format_size(e)}{observe}"
                     for p in swept for e in extents for observe in ("", ":observe=stretch"))
    if not swept:
        return []
    cells = [Cell("extent", "folio", (*sizes, f"--rounds={rounds}"),
                  variants(_powers(4, base, huge)), processes)]
    if largest > huge:
        region = ctools.format_size(largest)
        cells.append(Cell("extent", "region",
                          (sizes[0], f"--huge={region}", sizes[2], "--pairs=1", "--rounds=2"),
                          variants(_powers(16, huge, largest)), max(2, processes // 5),
                          resolution=0.10))
    return cells


def parallel_copy(*, base_page: str, huge_page: str, primitives: list[str],
                  threads: list[int], folios: list[int], processes: int, rounds: int) -> Plan:
    """The cells of 02-parallel-copy.

    threads [] means 1, 2, 3, 4, 6, 8, .. up to the CPUs this process may use;
    folios are how many one call copies. Raises Problem as serial_copy() does.
    """
    _page_sizes(base_page, huge_page)
    _positive(processes=processes, rounds=rounds)
    _not_empty(folios=folios)
    for count in folios:
        _positive(folios=count)
    cpus = len(machine.usable_cpus())
    for count in threads:
        _positive(threads=count)
        if count > cpus:
            raise Problem(f"threads: {count}", f"this process may run on {cpus} CPU(s)",
                          f"give at most {cpus}")
    chosen, skipped = _available(primitives)
    if cpus == 1:
        return Plan((), skipped + (("every parallel copy", "this process may use one CPU"),))
    own = ctools.kernels_own()
    sizes = (f"--base={base_page}", f"--huge={huge_page}", "--backing=auto")
    orders = machine.placements()
    spread = "--cpus=" + ",".join(map(str, orders["spread"]))
    cells = []
    for count in _unique(folios):
        cells.append(Cell(
            "factorial", f"{count}-folio", (*sizes, spread, _rounds_of_batches(rounds, count)),
            tuple(_folios(v, count) for v in _factorial(_unique((own, *chosen)), min(8, cpus))),
            processes, resolution=0.02 if count == 1 else 0.04, quiet=True))
    counts = sorted(set(threads)) or _thread_counts(cpus)
    for name, order in orders.items():
        pinned = "--cpus=" + ",".join(map(str, order))
        cells += [Cell(
            "threads", f"{name}-{count}-folio",
            (*sizes, pinned, _rounds_of_batches(rounds, count)),
            tuple(_folios(v, count) for v in _thread_variants(own, chosen, counts)), processes,
            resolution=0.02 if count == 1 else 0.04, quiet=True) for count in _unique(folios)]
    for name in ("packed", "sibling"):
        if name not in orders:
            skipped += ((f"{name} placement of threads", "the same as spread on this machine"),)
    return Plan(tuple(cells), _unique(skipped))


def _factorial(primitives, threads) -> list[str]:
    """{serial, parallel} x {per page, bulk}, woken and spinning workers."""
    variants = []
    for p in primitives:
        variants += [f"serial:page:{p}:map=2017", f"serial:bulk:{p}"]
        variants += [f"parallel:{rule}:{p}{cost}:threads={threads}{dispatch}"
                     for dispatch in ("", ":dispatch=spin")
                     for rule, cost in (("page", ":map=2017"), ("bulk", ""))]
    return variants


DISPATCHES = ("", ":caller=waits", ":dispatch=spawn:caller=waits", ":dispatch=spin")


def _thread_variants(own, chosen, counts) -> tuple[str, ...]:
    """Every serial candidate for best, then each way to help at each count."""
    candidates = [p for p, lacks in ctools.primitives().items()
                  if not lacks and p not in ("byte", "empty", "word8")]
    streaming = next((p for p in reversed(chosen) if p.startswith("nt-")), None)
    variants = [f"serial:bulk:{own}", *(f"serial:bulk:{p}" for p in candidates)]
    variants += [f"parallel:bulk:{p}:threads={n}{dispatch}"
                 for p in filter(None, (own, streaming)) for n in counts
                 for dispatch in DISPATCHES]
    return _unique(variants)


def _rounds_of_batches(rounds: int, folios: int) -> str:
    """A call of many folios is long: fewer of them say nearly as much."""
    return f"--rounds={max(1, rounds * 4 // (folios + 3))}"


def _folios(variant: str, count: int) -> str:
    return variant if count == 1 else f"{variant}:folios={count}"


def _thread_counts(cpus: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, .. and the CPU count itself; 64 at the most."""
    counts = {1, min(cpus, 64)}
    for power in (1 << n for n in range(1, 7)):
        counts |= {power, power * 3 // 2}
    return sorted(count for count in counts if count <= min(cpus, 64))


def _available(names: list[str]) -> tuple[list[str], tuple]:
    """The primitives that run here, and the reasons for the others."""
    known = ctools.primitives()
    for name in names:
        if name not in known or name == "empty":
            raise Problem(f"unknown kernel {name!r}", "pagecopy has no such primitive",
                          f"choose from {', '.join(known)}")
    lacking = tuple((f"primitive {name}", f"needs {known[name]}") for name in names if known[name])
    return [name for name in names if not known[name]], lacking


def _refused(placement: list[str]) -> str:
    """Why memory cannot be placed so, as in most containers; "" where it can."""
    try:
        ctools.run(["--verify", "--pairs=1", "--backing=auto", *placement, "serial:bulk:memcpy"])
        return ""
    except Problem as problem:
        return str(problem).split(": ", 1)[1].split("; ")[0]


def _page_sizes(base_page: str, huge_page: str) -> tuple[int, int]:
    base, huge = ctools.parse_size(base_page), ctools.parse_size(huge_page)
    if base % 64 or huge % base:
        raise Problem(f"base_page {base_page} and huge_page {huge_page}",
                      "the base page must be a multiple of 64 bytes that divides the huge page",
                      "take 4K and 2M, or 64K and 16M")
    return base, huge


def _cache_state(text: str) -> tuple[str, str]:
    source, _, destination = text.partition("/")
    if not {source, destination} <= {"cold", "warm"}:
        raise Problem(f"cache state {text!r}", "not SOURCE/DESTINATION, each cold or warm",
                      "write it as cold/cold or warm/cold")
    return source, destination


def _positive(**values: int) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= 10_000:
            raise Problem(f"{name}: {value!r}", "not a count", "give a whole number, 1 to 10000")


def _not_empty(**lists: list) -> None:
    for name, values in lists.items():
        if not values:
            raise Problem(f"{name}: []", "nothing to measure", "name at least one")


def _powers(factor: int, first: int, last: int) -> list[int]:
    """first, factor * first, .. and last; only sizes that divide last."""
    sizes = []
    while first < last:
        if last % first == 0:
            sizes.append(first)
        first *= factor
    return [*sizes, last]


def _unique(items) -> tuple:
    return tuple(dict.fromkeys(items))
