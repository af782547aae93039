# SPDX-License-Identifier: MIT
"""What a process of each cell takes before it has run: seconds, memory, disk.

Three ways to tell, each better than the one before: a formula; a round of the cell,
timed here; those of its processes that this run has. What the formula says
of cells that nothing better is known of is corrected by how wrong it is for
the others.
"""

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Iterable

from artifact import ctools, machine, paths, samples
from artifact.cells import AnyCell, Cell, KernelCell
from artifact.measuring import process
from artifact.problem import Problem
from artifact.variant import Variant

ROUNDS, ROUNDS_SECONDS = 5, 0.2     # of a probe: so many at most, one more while that is not gone
PROBE_SECONDS = 7.0     # after which no further cell is probed
LONG_SECONDS = 2.0      # of a probe: a cell is guessed rather
RECORDED = 6            # processes of a cell that are looked at, from all over the run

# The formula's: what a 2-CPU guest of a Zen 3 server takes, the caches cold.
START_SECONDS = 0.04
COPIED, CHECKED, FAULTED = 15e9, 8e9, 0.5e9     # bytes in a second
AT_HAND = 1 << 29       # bytes of pools; more must first be found, by the host too
WAIT_SECONDS = {True: 0.05, False: 0.01}        # at the gate, by whether idle CPUs are asked for
WRITE_SECONDS = 0.02    # of a process's file, and until the next one starts
BOOT_SECONDS = 4.0      # of a kernel in the lab, which answers for all its cells

# A process's file: facts of the process, said once, and of each arm and channel.
ARM_BYTES, FACTS_BYTES, CHANNEL_BYTES, VALUE_BYTES = 300, 2000, 150, 24


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one process: seconds with all that it waits, bytes of both its pools."""

    seconds: float
    pools: int


def of(run: paths.Run, cells: Iterable[Cell], probed: dict[str, Cost] | None = None) -> dict[str, Cost]:
    """What a process of each cell takes, by the cell's id.

    probed: what probe() found, where it was asked.
    """
    cells = list(cells)
    guessed = {cell.id: Cost(guess_seconds(cell), pool_bytes(cell)) for cell in cells}
    known = {**(probed or {}), **_recorded(run, cells)}
    wrong = statistics.median(known[key].seconds / guessed[key].seconds for key in known) \
        if known else 1.0
    return {key: known.get(key) or dataclasses.replace(cost, seconds=wrong * cost.seconds)
            for key, cost in guessed.items()}


def probe(cells: Iterable[Cell]) -> dict[str, Cost]:
    """Of most cells, by their ids: those that the most time is expected of first, until
    PROBE_SECONDS are gone. What cannot be run here is not among them.

    The caller holds passes.nobody_else(): nothing else is timed meanwhile.
    """
    found, started = {}, time.monotonic()
    for cell in sorted(cells, key=lambda cell: -cell.processes * guess_seconds(cell)):
        short = _shortened(cell)
        if guess_seconds(short) > LONG_SECONDS:
            continue
        if time.monotonic() - started > PROBE_SECONDS:
            break
        with contextlib.suppress(Problem):
            result, seconds = process.pagecopy(short, 1)
            facts = process.of_time(result["phases_ns"], seconds)
            rounds = facts["seconds_sampled"] * cell.rounds / short.rounds
            found[cell.id] = Cost(facts["seconds_started"] + rounds + _around(cell),
                                  2 * result["pool_bytes"])
    return found


def _shortened(cell: Cell) -> Cell:
    """The same with as few rounds as tell what one takes."""
    one, two = (_of_rounds(cell, rounds) for rounds in (1, 2))
    each = guess_seconds(two) - guess_seconds(one)
    return _of_rounds(cell, max(1, min(ROUNDS, cell.rounds, int(ROUNDS_SECONDS / each))))


def _of_rounds(cell: Cell, rounds: int) -> Cell:
    return dataclasses.replace(cell, options=tuple(
        f"--rounds={rounds}" if option.startswith("--rounds=") else option
        for option in cell.options))


def _recorded(run: paths.Run, cells: Iterable[Cell]) -> dict[str, Cost]:
    """Of the cells that some processes are there of, and not yet one file."""
    found = {}
    for cell in cells:
        files = run.process_files(cell.id)
        facts = [facts for path in files[::-(-len(files) // RECORDED) or 1]
                 if "seconds_process" in (facts := samples.facts_of(path))]
        if facts:
            found[cell.id] = Cost(
                statistics.mean(each["seconds_process"] + each.get("seconds_waited", 0.0)
                                for each in facts) + WRITE_SECONDS,
                2 * facts[0]["pool_bytes"])
    return found


def _around(cell: Cell) -> float:
    """Seconds before and after a process."""
    return WAIT_SECONDS[cell.quiet] + WRITE_SECONDS


def guess_seconds(cell: AnyCell) -> float:
    """One process's time, or one boot's, by the formula."""
    if isinstance(cell, KernelCell):
        return BOOT_SECONDS
    pools = pool_bytes(cell)
    variants = [cell.of(variant) for variant in cell.arms.values()]
    # One round more, which pagecopy makes first and never counts.
    return START_SECONDS + _around(cell) + pools / (FAULTED if pools > AT_HAND else COPIED) \
        + (sum(map(_copied, dict.fromkeys(variants))) + pools / 2) / CHECKED \
        + (cell.rounds + 1) * sum(_sample_seconds(cell, variant) for variant in variants)


def _copied(variant: Variant) -> int:
    """Bytes of a sample."""
    return variant.copied * _copies(variant)


def _sample_seconds(cell: Cell, variant: Variant) -> float:
    if cell.option("victim"):
        return int(cell.option("window") or 0) / 1e3
    if cell.option("recover"):
        return 0.0015 if cell.option("recover") == "l2" else 0.0045
    roles = ctools.listed()["primitives"].get(variant.primitive, {"roles": []})["roles"]
    slow = 4 if "floor" in roles else 1
    load = int(cell.option("load") or 0)
    # Who runs when there are more who want a CPU is up to the scheduler, by slices of some ms.
    waits = 0.02 if load > 100 and variant.priority in ("low", "idle") else 0
    return 1.5e-6 * int(cell.option("pause") or 0) + waits + slow * _copied(variant) / COPIED


def pool_bytes(cell: Cell) -> int:
    """Of both pools, as pagecopy sizes them: four times what the caches of its CPUs hold,
    each, or what its largest sample needs."""
    caches = machine.last_level_caches(cell.cpus or machine.usable_cpus())
    pairs = int(cell.option("pairs") or -(-4 * caches // cell.folio))
    needs = max(variant.folios * _copies(variant) for variant in map(cell.of, cell.variants))
    return 2 * cell.folio * max(pairs, needs)


def _copies(variant: Variant) -> int:
    """That all migrators make in a sample."""
    return 1 if variant.migrators == 1 else ctools.listed()["migrator_copies"] * variant.migrators


def boots_seconds(cells: Iterable[AnyCell]) -> float:
    """Of the lab's part of the cells: each kernel boots once for all that it is asked."""
    boots = {cell.kernel: cell.boots for cell in cells if isinstance(cell, KernelCell)}
    return BOOT_SECONDS * sum(boots.values())


def file_bytes(cell: Cell) -> int:
    """Of a process's file, rather too many than too few."""
    # In quiet cells CPU times of the caller and the workers, one more channel, a load's work.
    channels = 3 + (cell.option("load") not in (None, "0")) if cell.quiet else 0
    return FACTS_BYTES + len(cell.arms) * (ARM_BYTES + channels * CHANNEL_BYTES +
                                           (1 + channels) * VALUE_BYTES * cell.rounds)
