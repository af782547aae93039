# SPDX-License-Identifier: MIT
"""One process of one cell, as a pyperf worker.

passes.py starts this script with pyperf's ``--worker`` and without a worker
task, so every bench_time_func() below runs in this one process. Before the
first call pagecopy has run the whole shuffled schedule; the calls hand out
the samples of one arm each. So the arms of a process pair up by index, which
no sequence of pyperf benchmarks could give.
"""

import json
import subprocess
import sys

import pyperf

from artifact import ctools, machine
from artifact.cells import CALLER_CPU, WORKERS_CPU
from artifact.measuring import wakeup


def main() -> None:
    ctools.die_with_parent()
    job = json.load(sys.stdin)
    before = machine.volatile()
    checked = wakeup.round_trips(*job["wakeup"]) if job["wakeup"] else {}
    done = subprocess.run([ctools.PAGECOPY, *job["command"]], stdout=subprocess.PIPE,
                          preexec_fn=ctools.die_with_parent)
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else 128 - done.returncode)
    result = json.loads(done.stdout)
    facts = {**job["metadata"], **checked, **_process_facts(result, before, machine.volatile())}
    runner = pyperf.Runner(values=result["rounds"], warmups=0, loops=1, processes=1,
                           metadata=facts)
    benchmarks = []
    for name, arm in zip(job["arms"], result["arms"], strict=True):
        benchmarks.append(_hand_out(runner, name, arm["ns"], arm))
        for channel, values in _channels(arm).items() if job["channels"] else ():
            benchmarks.append(_channel(benchmarks[0], f"{name} {channel}", values))
    pyperf.BenchmarkSuite(benchmarks).dump(job["output"], replace=True)


def _hand_out(runner: pyperf.Runner, name: str, samples_ns: list[int],
              arm: dict) -> pyperf.Benchmark:
    """One pyperf benchmark of one run, without what identifies the machine."""
    samples = iter(samples_ns)
    facts = {key: arm[key] for key in ("bytes", "delay_achieved_ns") if key in arm} | arm["counts"]
    if arm["counts"]:
        facts["counts"] = " ".join(arm["counts"])
    run, = runner.bench_time_func(name, lambda loops: next(samples) / 1e9,
                                  metadata=facts).get_runs()
    # Whose machine it is, and where things are on it, is nobody's business.
    kept = {key: value for key, value in run.get_metadata().items()
            if key != "hostname" and "/" not in str(value)}
    return pyperf.Benchmark([pyperf.Run(run.values, metadata=kept, collect_metadata=False)])


def _channel(like: pyperf.Benchmark, name: str, values_ns: list[int]) -> pyperf.Benchmark:
    """Any number of values beside an arm's samples, with the metadata that
    pyperf needs to add them to those of other processes."""
    kept = {key: value for key, value in like.get_metadata().items()
            if key in ("unit", "loops", "inner_loops")}
    # pyperf refuses a zero; a clock may show one.
    values = [max(ns, 1) / 1e9 for ns in values_ns]
    return pyperf.Benchmark([pyperf.Run(values, metadata={**kept, "name": name},
                                        collect_metadata=False)])


def _channels(arm: dict) -> dict[str, list[int]]:
    """What was measured beside the samples; CPU times of caller and workers."""
    found = {CALLER_CPU: arm["caller_cpu_ns"], **arm["channels"]}
    if "worker_cpu_ns" in arm:
        found[WORKERS_CPU] = arm["worker_cpu_ns"]
    return found


def _process_facts(result: dict, before: dict, after: dict) -> dict:
    huge = result["source_huge_bytes"] + result["destination_huge_bytes"]
    return {
        "steal_seconds": after["steal_seconds"] - before["steal_seconds"],
        "huge_share": huge / (2 * result["pool_bytes"]),
        "pool_bytes": result["pool_bytes"],
        "last_level_cache": result["last_level_cache"],
        "overhead_ns": result["overhead_ns"],
        **{key: result[key] for key in ("llc_load_ns", "memory_load_ns", "victim_bytes")
           if result.get(key)},
        "seed": result["seed"],
        "pagecopy_version": result["pagecopy"],
        "pagecopy_compiler": result["compiler"],
        "pagecopy_flags": result["flags"],
    }


if __name__ == "__main__":
    main()
