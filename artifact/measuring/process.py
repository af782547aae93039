# SPDX-License-Identifier: MIT
"""One process of one cell, as one pyperf file.

A fresh pagecopy runs the whole shuffled schedule; nothing is left of it for the
next. What it timed is written by pyperf's public classes, one benchmark of one
run for each arm. So the arms of a process pair up by index, which no sequence of
pyperf benchmarks could give, and no Python starts for it.
"""

import json
import subprocess
import time
from pathlib import Path

import pyperf

from artifact import ctools, machine, paths
from artifact.cells import CALLER_CPU, LOAD_WORK, WORKERS_CPU, Cell
from artifact.measuring import wakeup
from artifact.problem import Problem, WrongCopy, one_line

# Which call of a copy observe=stretch is the time of.
STRETCH = "typical"

# Phases that grow with the number of rounds.
IN_ROUNDS = ("samples", "pauses", "rest")


def measure(cell: Cell, seed: int, output: Path, facts: dict) -> None:
    """Runs one process and writes its file.

    facts: of the process, kept with its baseline. Raises Problem where
    pagecopy fails, WrongCopy where it found a copy that is not whole, and
    Unwritable.
    """
    before = machine.volatile()
    woken = wakeup.round_trips(*cell.cpus[:2]) if cell.experiment == "dispatch" and cell.cpus else {}
    result, seconds = pagecopy(cell, seed)
    facts = {**facts, **woken, **_of_victim(cell), **of_time(result["phases_ns"], seconds),
             **_of_process(result, before, machine.volatile())}
    found = _benchmarks(cell, result, _of_environment() | facts)
    with paths.writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        pyperf.BenchmarkSuite(found).dump(str(output), replace=True)


def pagecopy(cell: Cell, seed: int) -> tuple[dict, float]:
    """What it told, and how many seconds it ran."""
    started = time.monotonic()
    done = subprocess.run([ctools.PAGECOPY, *cell.command(seed)], capture_output=True, text=True,
                          preexec_fn=ctools.die_with_parent)
    seconds = time.monotonic() - started
    if done.returncode:
        kind = WrongCopy if done.returncode == ctools.WRONG_COPY else Problem
        why = ctools.complaint(done.stderr) or f"pagecopy ended with status {done.returncode}"
        raise kind(f"cell {cell.id}", one_line(why), "finished cells are kept: run again to go on")
    return json.loads(done.stdout), seconds


def _benchmarks(cell: Cell, result: dict, facts: dict) -> list[pyperf.Benchmark]:
    """One for each arm and, in parallel cells, one for each of its channels.

    Facts of the process are with the first: said again for each, they were half of a
    cell's file.
    """
    found: list[pyperf.Benchmark] = []
    for name, arm in zip(cell.arms, result["arms"], strict=True):
        found.append(_benchmark(name, arm["ns"], {**({} if found else facts), **_of_arm(arm)}))
        for channel, values in _channels(arm).items() if cell.quiet else ():
            found.append(_benchmark(f"{name} {channel}", values, {}))
    return found


def _benchmark(name: str, values: list[int], facts: dict) -> pyperf.Benchmark:
    """values: in ns, or counts."""
    scale, unit = (1, "integer") if name.endswith(f" {LOAD_WORK}") else (1e9, "second")
    # pyperf refuses a zero; a clock may show one, and a load do nothing.
    return pyperf.Benchmark([pyperf.Run(
        [max(value / scale, 1e-9) for value in values], collect_metadata=False,
        metadata={**facts, "name": name, "unit": unit, "loops": 1})])


def _channels(arm: dict) -> dict[str, list[int]]:
    """What was measured beside the samples; CPU times of caller and workers."""
    found = {CALLER_CPU: arm["caller_cpu_ns"], **arm["channels"]}
    if "worker_cpu_ns" in arm:
        found[WORKERS_CPU] = arm["worker_cpu_ns"]
    return found


def _of_environment() -> dict:
    """What pyperf knows of the machine just now, without names, paths and this Python's
    own memory."""
    found = pyperf.Run([1.0], metadata={"name": "environment"}).get_metadata()
    return {key: value for key, value in found.items()
            if key not in ("hostname", "name", "mem_max_rss") and "/" not in str(value)}


def _of_arm(arm: dict) -> dict:
    facts = {key: arm[key] for key in ("bytes", "delay_achieved_ns") if key in arm} | arm["counts"]
    return facts | ({"counts": " ".join(arm["counts"])} if arm["counts"] else {})


def _of_victim(cell: Cell) -> dict:
    """What a victim does, and a timer's period: for figures, which run nothing."""
    name = cell.option("victim")
    if name is None:
        return {}
    listed = ctools.listed()
    return {"victim": listed["victims"][name]["description"], "timer_ns": listed["timer_ns"]}


def of_time(phases_ns: dict[str, int], seconds: float) -> dict[str, float]:
    """Where a process's seconds went: by its phases, and by what grows with the
    number of rounds and what does not."""
    sampled = sum(phases_ns[phase] for phase in IN_ROUNDS) / 1e9
    return {**{f"seconds_{phase}": ns / 1e9 for phase, ns in phases_ns.items()},
            "seconds_process": seconds, "seconds_sampled": sampled,
            "seconds_started": seconds - sampled}


def _of_process(result: dict, before: dict, after: dict) -> dict:
    huge = result["source_huge_bytes"] + result["destination_huge_bytes"]
    return {
        "steal_seconds": after["steal_seconds"] - before["steal_seconds"],
        "huge_share": huge / (2 * result["pool_bytes"]),
        "pool_bytes": result["pool_bytes"],
        "last_level_cache": result["last_level_cache"],
        "last_level_caches": result["last_level_caches"],
        "stretch": STRETCH,
        "overhead_ns": result["overhead_ns"],
        **{key: result[key] for key in ("llc_load_ns", "memory_load_ns", "victim_bytes")
           if result.get(key)},
        "seed": result["seed"],
        "pagecopy_version": result["pagecopy"],
        "pagecopy_compiler": result["compiler"],
        "pagecopy_flags": result["flags"],
    }
