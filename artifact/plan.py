# SPDX-License-Identifier: MIT
"""What is to be measured: parameters in, cells out. Nothing is measured here."""

import dataclasses
import functools
import hashlib
import json

from artifact import ctools, kernels, machine
from artifact.problem import Problem

# Counts up when cells of the same parameters stop being comparable.
PROTOCOL = 3

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
        pool = folio * int(self.option("pairs") or 64)
        return 0.5 + 2 * pool / 3e9 + (self.rounds + 2) * sum(
            self._sample_seconds(folio, fields(v)) for v in self.arms.values())

    def _sample_seconds(self, folio: int, variant: dict) -> float:
        """The same for one sample."""
        if self.option("victim"):
            return int(self.option("window")) / 1e3
        if self.option("recover"):
            return 8 * (0.0005 if self.option("recover") == "l2" else 0.005)
        copies = 1 if variant["migrators"] == "1" else \
            MIGRATOR_COPIES * int(variant["migrators"])
        slow = 4 if variant["primitive"] == "byte" else 1
        waits = 0.02 if self.option("load") and variant["priority"] in ("low", "idle") else 0
        return (1.5e-6 * int(self.option("pause") or 0) + waits
                + folio * int(variant["folios"]) * copies * slow / 7e9)


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
    def seconds(self) -> float:
        """A guess at one boot's time, of which one in three is this cell's."""
        return 6.0

    @property
    def id(self) -> str:
        return f"kernel-{self.experiment}-{self.kernel}-{self.unit}-{self.digest}"

    @classmethod
    def from_json(cls, stored: dict) -> "KernelCell":
        return cls(**stored)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Cells, and what this machine cannot measure, with the reason."""

    cells: tuple[Cell | KernelCell, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, stored: dict) -> "Plan":
        return cls(tuple((KernelCell if "boots" in cell else Cell).from_json(cell)
                         for cell in stored["cells"]),
                   tuple((what, why) for what, why in stored["skipped"]))

    def experiment(self, name: str) -> list[Cell | KernelCell]:
        return [cell for cell in self.cells if cell.experiment == name]


def fields(variant: str) -> dict[str, str]:
    """A variant's name taken apart, with pagecopy's defaults filled in."""
    strategy, rule, primitive, *options = variant.partition("#")[0].split(":")
    return {"strategy": strategy, "rule": rule, "primitive": primitive, "map": "none",
            "delay": "0", "extent": "", "bytes": "", "folios": "1", "migrators": "1",
            "observe": "copy", "model": "", "threads": "1", "dispatch": "wake", "caller": "works",
            "priority": "normal", "chunk": "", "pick": "any",
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
    sizes = _sizes(base_page, huge_page)
    _not_empty(cache_states=cache_states)
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

    cells.append(_map_cost(own, sizes, delays_ns, processes, rounds))

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
    # A migrated folio is in no cache: from these the claims are judged.
    rounds *= 2 if state == "cold/cold" else 1
    others = [p for p in chosen if p not in (own, "byte", "empty")]
    return Cell(
        "serial-ladder", f"{source}-{destination}",
        (*sizes, f"--source={source}", f"--destination={destination}", f"--rounds={rounds}"),
        _unique((*(rung.format(own) for rung in (TODAY, *LADDER)),
                 *(rung.format(p) for p in others for rung in LADDER),
                 *(("serial:bulk:byte",) if "byte" in chosen else ()))), processes)


def _map_cost(own, sizes, delays_ns, processes, rounds) -> Cell:
    """The gain of a bulk copy over a loop in which each page costs so much more."""
    _not_empty(delays_ns=delays_ns)
    for delay in delays_ns:
        if not isinstance(delay, int) or not 0 < delay <= 1_000_000:
            raise Problem(f"delays_ns: {delay!r}", "not a delay", "give 1 to 1000000 ns")
    return Cell(
        "map-cost", "sweep", (*sizes, f"--rounds={rounds}"),
        (f"serial:bulk:{own}", *(rung.format(own) for rung in LADDER[:3]),
         *(f"serial:page:{own}:delay={delay}" for delay in sorted(set(delays_ns)))), processes)


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
    # The two ends are alike to a percent or two: telling so takes more rounds.
    cells = [Cell("extent", "folio", (*sizes, f"--rounds={2 * rounds}"),
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
    sizes = _sizes(base_page, huge_page)
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
            tuple(_folios(v, count) for v in _thread_variants(own, chosen, counts)),
            # A batch leaves time for few rounds: more processes make up for it.
            processes if count == 1 else 2 * processes,
            resolution=0.02 if count == 1 else 0.04, quiet=True) for count in _unique(folios)]
    cells.append(_one_worker(own, (*sizes, spread), max(folios), processes, rounds))
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


def _one_worker(own, options, count, processes, rounds) -> Cell:
    """A worker in place of the caller, who waits: they differ by a percent or
    two, which the many arms of the thread sweep leave no time to tell."""
    return Cell("one-worker", f"{count}-folio", (*options, f"--rounds={2 * rounds}"),
                (_folios(f"serial:bulk:{own}", count),
                 _folios(f"parallel:bulk:{own}:threads=1:caller=waits", count)),
                processes, quiet=True)


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


# How work reaches the workers, by name; behind the primitive, before
# the thread count. What each models is told by pagecopy --help.
POLICIES = {
    "2017: bound, nice -20, caller waits": "model=2017",
    "2025: unbound, nice 0, caller waits": "model=2025",
    "padata: unbound, caller works, chunks": "model=padata",
    "bound, nice 0, caller works": "caller=works",
    "bound, nice 19, caller works": "priority=low",
    "SCHED_IDLE, caller works": "priority=idle",
    "caller takes unstarted work back": "caller=reclaims",
    "chunks, taken back": "caller=reclaims:chunk={chunk}",
    "chunks, taken back, nice 19": "caller=reclaims:chunk={chunk}:priority=low",
    "only CPUs that look idle": "pick=idle",
    "spawned, caller waits": "dispatch=spawn:caller=waits",
    "spinning, caller works": "dispatch=spin",
}
MOST_THREADS = 4        # of a team, as in the series of 2025; 2017 has its own rule


@dataclasses.dataclass(frozen=True)
class Teams:
    """What the plans of notebooks 03 to 06 share: who may copy, and how."""

    serial: tuple[str, ...]         # serial bulk variants, the kernel's own first
    policies: dict[str, str]        # label to the options of a parallel variant
    primitive: str                  # that the teams copy with
    options: tuple[str, ...]        # of pagecopy: sizes and CPUs
    skipped: tuple[tuple[str, str], ...]

    def parallel(self, more: str = "", without: tuple[str, ...] = (),
                 primitive: str = "") -> list[str]:
        """A variant per policy; ``without`` leaves out some by their options."""
        return [f"parallel:bulk:{primitive or self.primitive}:{options}{more}"
                for options in self.policies.values()
                if not any(part in options for part in without)]


def policy(variant: str) -> str:
    """The label of a parallel variant's policy, "serial" for a serial one."""
    if not variant.startswith("parallel"):
        return "serial"
    options = dict(word.split("=") for word in variant.partition("#")[0].split(":")[3:])
    ours = {key: value for key, value in options.items()
            if key not in ("threads", "bytes", "folios", "migrators", "observe")}
    for label, text in POLICIES.items():
        wanted = dict(word.split("=") for word in text.split(":"))
        if wanted.keys() == ours.keys() and all(
                value in ("{chunk}", ours[key]) for key, value in wanted.items()):
            return label
    raise KeyError(variant)


def _teams(base_page: str, huge_page: str, primitives: list[str]) -> Teams | Plan:
    """The teams of this machine; a plan of nothing where it has one CPU.

    They are on one NUMA node, as those of every posted series.
    """
    _, huge = _page_sizes(base_page, huge_page)
    chosen, skipped = _available(primitives)
    cpus = machine.on_one_node(machine.placements()["spread"])
    if len(cpus) == 1:
        return Plan((), skipped + (("every parallel copy", "this process may use one CPU"),))
    own = ctools.kernels_own()
    threads = min(MOST_THREADS, len(cpus))
    chunk = max(64, huge // 16 // 64 * 64)
    while huge % chunk:
        chunk -= 64
    policies = {}
    for label, options in POLICIES.items():
        if "2017" in label and not ctools.high_priority_allowed():
            skipped += (("workers at nice -20 (system_highpri_wq)",
                         "this user may not: it needs CAP_SYS_NICE or ulimit -e 40"),)
            continue
        own_rule = "" if "2017" in label else f":threads={threads}"
        policies[label] = options.format(chunk=ctools.format_size(chunk)) + own_rule
    return Teams(
        serial=_unique((f"serial:bulk:{own}", *(f"serial:bulk:{p}" for p in chosen))),
        policies=policies, primitive=chosen[0] if chosen else own,
        options=(*_sizes(base_page, huge_page),
                 "--cpus=" + ",".join(map(str, cpus[:8]))), skipped=skipped)


MIGRATOR_COPIES = 8     # of each migrator in a sample, as ctools/migrators.h has it
PAUSE_US = 500      # between samples, so that workers sleep as between migrations


def _load_cells(teams: Teams, loads: list[int], processes: int, rounds: int) -> list[Cell]:
    """Every policy beside the serial copies, under background load.

    Both 03 (when do workers start?) and 05 (is it ever worse than serial?)
    ask for these; with the same parameters they are measured once.
    """
    _not_empty(loads=loads)
    for load in loads:
        if isinstance(load, bool) or not isinstance(load, int) or not 0 <= load <= 400:
            raise Problem(f"loads: {load!r}", "not a load in percent of each CPU",
                          "give 0 to 400, as 0, 50, 100, 200")
    # Who runs when is a lottery, the more so the more load there is.
    return [_under_load("load", load, teams, rounds * (4 + load // 50), 2 * processes,
                        (*teams.serial, *teams.parallel(":observe=phases")))
            for load in sorted(set(loads))]


def _posted_cells(teams: Teams, processes: int, rounds: int) -> list[Cell]:
    """The posted series under load as they were posted: with the kernel's own
    primitive, against one serial call of it.

    What was said of them is judged from these. Without the policies of low
    priority, which wait the longest, there is time for many more rounds.
    """
    own = teams.serial[0]
    ways = teams.parallel(primitive=fields(own)["primitive"],
                          without=("padata", "priority", "reclaims", "pick", "spawn", "spin"))
    return [_under_load("posted", load, teams, 12 * rounds, 4 * processes, (own, *ways))
            for load in (100, 200)]


def _under_load(experiment, load, teams, rounds, processes, variants) -> Cell:
    """load: in percent of each CPU. Of rounds as many as pagecopy allows at most."""
    return Cell(experiment, f"{load}-percent",
                (*teams.options, f"--load={load}", f"--pause={PAUSE_US}",
                 f"--rounds={min(rounds, 100_000)}"),
                variants, processes, resolution=0.15, quiet=True)


def dispatch(*, base_page: str, huge_page: str, primitives: list[str], pauses_us: list[int],
             loads: list[int], processes: int, rounds: int) -> Plan:
    """The cells of 03-dispatch.

    primitives are the serial candidates beside the kernel's own; teams copy
    with the first of them that runs here. pauses_us: how long everybody slept
    before a copy. loads: background load in percent of each CPU. Raises
    Problem as serial_copy() does.
    """
    _positive(processes=processes, rounds=rounds)
    _not_empty(pauses_us=pauses_us)
    for pause in pauses_us:
        if isinstance(pause, bool) or not isinstance(pause, int) or not 0 <= pause <= 1_000_000:
            raise Problem(f"pauses_us: {pause!r}", "not a pause", "give 0 to 1000000 us")
    teams = _teams(base_page, huge_page, primitives)
    if isinstance(teams, Plan):
        return teams
    base, huge = _page_sizes(base_page, huge_page)
    empty = teams.parallel(":observe=phases", without=("pick",), primitive="empty")
    cells = [Cell("dispatch", f"after-{pause}us",
                  (*teams.options, f"--pause={pause}", f"--rounds={rounds}"),
                  (*teams.serial, *empty), processes, resolution=0.10, quiet=True)
             for pause in sorted(set(pauses_us))]
    # A whole folio first: the baseline of the cell's own check.
    batches, too_large = _that_fit(huge, (2, 4, 16))
    sizes = ["", *(f":folios={count}" for count in batches),
             *(f":bytes={ctools.format_size(size)}" for size in _powers(4, base, huge)[:-1])]
    ways = teams.parallel(without=("padata", "priority", "pick"))
    cells.append(Cell("break-even", "sizes", (*teams.options, f"--rounds={rounds}"),
                      tuple(v + size for size in sizes for v in (*teams.serial, *ways)),
                      processes, resolution=0.10, quiet=True))
    cells += _load_cells(teams, loads, processes, rounds)
    return Plan(tuple(cells), _unique((*teams.skipped, *too_large)))


def concurrent(*, base_page: str, huge_page: str, primitives: list[str], migrators: list[int],
               processes: int, rounds: int) -> Plan:
    """The cells of 04-concurrent-migrations.

    migrators [] means 1, 2, 4, .. up to twice the CPUs, 32 at the most.
    Raises Problem as serial_copy() does.
    """
    _positive(processes=processes, rounds=rounds)
    teams = _teams(base_page, huge_page, primitives)
    if isinstance(teams, Plan):
        return teams
    cpus = len(machine.usable_cpus())
    for count in migrators:
        _positive(migrators=count)
        if count > 4 * cpus:
            raise Problem(f"migrators: {count}", f"more than four for each of {cpus} CPUs",
                          f"give at most {4 * cpus}")
    wanted = sorted(set(migrators)) or _doubling(min(2 * cpus, 32))
    _, huge = _page_sizes(base_page, huge_page)
    fitting, too_large = _that_fit(huge, [count * MIGRATOR_COPIES for count in wanted])
    counts = [count for count in wanted if count == 1 or count * MIGRATOR_COPIES in fitting]
    ways = teams.parallel(without=("pick", "spin", "priority=low", "priority=idle"))
    options = (*teams.options[:3], "--cpus=" + ",".join(
        map(str, machine.on_one_node(machine.placements()["spread"]))))
    # One migrator makes one copy in a sample: more samples make up for it.
    cells = [Cell("concurrent", f"{count}-migrators",
                  (*options, f"--rounds={rounds * (MIGRATOR_COPIES if count == 1 else 1)}"),
                  tuple(v if count == 1 else f"{v}:migrators={count}"
                        for v in (*teams.serial, *ways)), processes, resolution=0.05, quiet=True)
             for count in counts]
    return Plan(tuple(cells), _unique((*teams.skipped, *too_large, (
        "spinning teams of several migrators",
        "a worker that spins keeps the migrator of its CPU from running"))))


ALONE = "alone:bulk:empty"       # no migrator: what victims are compared with
VICTIMS = {"integer": "integer loop", "l2": "L2-resident chase", "llc": "LLC-resident chase",
           "stream": "streaming read", "timer": "1 kHz timer"}


def interference(*, base_page: str, huge_page: str, primitives: list[str], victims: list[str],
                 window_ms: int, rate: int, loads: list[int], margin_percent: int,
                 cpu_limit_percent: int, processes: int, rounds: int) -> Plan:
    """The cells of 05-interference.

    victims: what runs on the first worker's CPU, looked at in windows of
    window_ms while a migrator makes ``rate`` copies a second.
    margin_percent: how much slower than the best serial copy is still "no
    worse", fixed before anything is measured. cpu_limit_percent: of one CPU,
    for a migrator in a cgroup. Raises Problem as serial_copy() does.
    """
    _positive(processes=processes, rounds=rounds, window_ms=window_ms, rate=rate,
              margin_percent=margin_percent, cpu_limit_percent=cpu_limit_percent)
    _not_empty(victims=victims)
    for name in victims:
        if name not in VICTIMS:
            raise Problem(f"unknown victim {name!r}", "pagecopy has no such victim",
                          f"choose from {', '.join(VICTIMS)}")
    if window_ms < 5:
        raise Problem(f"window_ms: {window_ms}", "too short for a timer of 1 kHz to show anything",
                      "give 5 or more")
    if rate * window_ms < 1000:
        raise Problem(f"rate={rate} and window_ms={window_ms}", "not one copy in a window",
                      f"give a rate of at least {-(-1000 // window_ms)}")
    if cpu_limit_percent > 100:
        raise Problem(f"cpu_limit_percent: {cpu_limit_percent}", "the migrator is one thread",
                      "give 1 to 100")
    teams = _teams(base_page, huge_page, primitives)
    if isinstance(teams, Plan):
        return teams
    cells = [Cell("victim", name, (*teams.options, f"--victim={name}", f"--window={window_ms}",
                                   f"--rate={rate}",
                                   f"--rounds={max(1, rounds * 2 // 3)}"),
                  (ALONE, *teams.serial, *teams.parallel(without=("pick",))),
                  processes, resolution=0.10, quiet=True) for name in _unique(victims)]
    huge = ctools.parse_size(huge_page)
    batch, too_large = _that_fit(huge, (64,))
    half = () if huge % 128 else (f":bytes={ctools.format_size(huge // 2)}",)
    amounts = (*half, "",
               *(f":folios={count}" for count in batch))
    cells += [Cell("recovery", name,
                   (*teams.options, f"--recover={name}", f"--rounds={max(1, rounds // 3)}"),
                   (ALONE, *(v + amount for v in teams.serial for amount in amounts)),
                   processes, resolution=0.25, quiet=True) for name in ("l2", "llc")]
    cells += _posted_cells(teams, processes, rounds)
    cells += _load_cells(teams, loads, processes, rounds)
    refused = _refused([f"--limit={cpu_limit_percent}"])
    skipped = (("a migrator with a CPU limit", refused),) if refused else ()
    if batch and not refused:
        ways = teams.parallel(":folios=64", without=("pick", "priority", "spin", "2025"))
        copies = (*(f"{v}:folios=64" for v in teams.serial), *ways)
        limited = max(1, rounds // 3)       # each takes five times as long, and more
        cells += [Cell("charge", label, (*teams.options, *limit, "--pause=10000", f"--rounds={n}"),
                       copies, processes, resolution=0.25, quiet=True)
                  for label, limit, n in (
                      ("free", (), rounds),
                      (f"{cpu_limit_percent}-percent", (f"--limit={cpu_limit_percent}",), limited))]
    return Plan(tuple(cells), _unique((*teams.skipped, *too_large, *skipped)))


def idle_cpus(*, base_page: str, huge_page: str, primitives: list[str], scanned_cpus: list[int],
              loads: list[int], processes: int, rounds: int) -> Plan:
    """The cells of 06-idle-cpus.

    scanned_cpus: how many CPUs' states are looked at, real or not: a state is
    a cache line. Raises Problem as serial_copy() does.
    """
    _positive(processes=processes, rounds=rounds)
    if len(set(scanned_cpus)) < 2:
        raise Problem(f"scanned_cpus: {scanned_cpus}", "one more CPU costs the difference of two",
                      "name at least two counts")
    for count in scanned_cpus:
        _positive(scanned_cpus=count)
        if count > 1024:
            raise Problem(f"scanned_cpus: {count}", "more than pagecopy has lines for",
                          "give at most 1024")
    teams = _teams(base_page, huge_page, primitives)
    if isinstance(teams, Plan):
        return teams
    cells = [Cell("idle-scan", "lines", (*teams.options, f"--rounds={4 * rounds}"),
                  tuple(f"scan:{how}:{count}" for how in ("hot", "written")
                        for count in sorted(set(scanned_cpus))), processes, resolution=0.25,
                  quiet=True)]
    cells += _load_cells(teams, loads, processes, rounds)
    energy, no_energy = machine.energy_counters()
    if energy:
        cells.append(Cell("energy", "package", (
            *teams.options, "--victim=timer", "--window=50", "--rate=500",
            f"--energy={','.join(energy)}", f"--rounds={rounds}"),
            (ALONE, *teams.serial, *teams.parallel(without=("pick",))), processes,
            resolution=0.25, quiet=True))
    skipped = (("energy per GiB", no_energy),) if no_energy else ()
    return Plan(tuple(cells), _unique((*teams.skipped, *skipped)))


def page_migration(*, lab_kernels: list[str], boots: int, processes: int) -> Plan:
    """The cells of 07-page-migration.

    lab_kernels: of the virtual machine; those with two nodes are asked.
    boots: of each. processes: of movepages on this machine's own nodes, where
    it has two. Raises Problem as serial_copy() does.
    """
    _positive(boots=boots, processes=processes)
    cells, skipped = _kernel_cells(("ladder", "moves", "live"), lab_kernels, boots)
    if len(machine.memory_nodes()) > 1:
        cells.insert(0, KernelCell("moves", "host", "ns", processes, kernels.digest()))
    else:
        skipped += (("move_pages(2) of this machine's own kernel",
                     "this machine has one node with memory"),)
    return Plan(tuple(cells), skipped)


def in_kernel(*, lab_kernels: list[str], boots: int, base_page: str, huge_page: str,
              delays_ns: list[int], processes: int, rounds: int) -> Plan:
    """The cells of 08-in-kernel: the ladder inside kernels, and the map-cost
    sweep of 01, which is measured once when the parameters are the same."""
    _positive(boots=boots, processes=processes, rounds=rounds)
    _page_sizes(base_page, huge_page)
    cells, skipped = _kernel_cells(("ladder",), lab_kernels, boots)
    sweep = _map_cost(ctools.kernels_own(), _sizes(base_page, huge_page), delays_ns, processes,
                      rounds)
    return Plan((*cells, *([sweep] if cells else [])), skipped)


def changelog(*, cpus: int, one_thread_gbps: float, limit_gbps: float,
              dispatch_us: float) -> Plan:
    """09-changelog measures nothing of its own: its parameters describe another
    machine, of which the model says where threads pay. Raises Problem where
    they describe none."""
    _positive(cpus=cpus)
    for name, value in (("one_thread_gbps", one_thread_gbps), ("limit_gbps", limit_gbps),
                        ("dispatch_us", dispatch_us)):
        if not 0 < value < 1e6:
            raise Problem(f"{name}: {value!r}", "not a positive number", "give one, as 12.5")
    return Plan(())


def _kernel_cells(experiments: tuple[str, ...], names: list[str],
                  boots: int) -> tuple[list[KernelCell], tuple]:
    """What the lab's kernels are asked, and why some of it is not."""
    _not_empty(lab_kernels=names)
    found = [kernels.find(name) for name in _unique(names)]
    if (why := kernels.lacking()):
        return [], (("the virtual machine", why),)
    unit = "ns" if kernels.has_kvm() else "instructions"
    cells, absent = [], []
    for kernel in found:
        asked = [e for e in experiments if kernels.answers(kernel, e)]
        if not kernels.fetched(kernel):
            absent.append((f"the {kernel.name} kernel in the virtual machine",
                           "not fetched yet: make kernel-lab does"))
        elif "moves" in experiments and "moves" not in asked:
            absent.append((f"move_pages(2) in the {kernel.name} kernel", "the lab gives it one node"))
        else:
            cells += [KernelCell(experiment, kernel.name, unit, boots, kernels.digest())
                      for experiment in asked]
    return cells, tuple(absent)


def _that_fit(huge: int, batches) -> tuple[list[int], tuple]:
    """Of batches of so many folios those that memory is large enough for."""
    fitting = [count for count in batches if 2 * count * huge <= machine.memory_bytes() // 4]
    return fitting, tuple((f"{count} folios at once", "two pools of them are more than a quarter "
                           "of the memory") for count in batches if count not in fitting)


def _doubling(last: int) -> list[int]:
    """1, 2, 4, .. and last."""
    return sorted({1 << n for n in range(last.bit_length())} | {last})


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


def _sizes(base_page: str, huge_page: str) -> tuple[str, ...]:
    """pagecopy's options for them."""
    return f"--base={base_page}", f"--huge={huge_page}", "--backing=auto"


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
