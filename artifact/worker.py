# SPDX-License-Identifier: MIT
"""One process of one cell, as a pyperf worker.

``measure`` starts this script with pyperf's ``--worker`` and without a worker
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



def main() -> None:
    ctools.die_with_parent()
    job = json.load(sys.stdin)
    before = machine.volatile()
    done = subprocess.run([ctools.PAGECOPY, *job["command"]], stdout=subprocess.PIPE,
                          preexec_fn=ctools.die_with_parent)
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else 128 - done.returncode)
    result = json.loads(done.stdout)
    facts = {**job["metadata"], **_process_facts(result, before, machine.volatile())}
    runner = pyperf.Runner(values=result["rounds"], warmups=0, loops=1, processes=1,
                           metadata=facts)
    benchmarks = []
    for name, arm in zip(job["arms"], result["arms"], strict=True):
        benchmarks.append(_hand_out(runner, name, arm["ns"], arm))
        for whose, samples in _cpu_times(arm) if job["cpu_times"] else ():
            benchmarks.append(_hand_out(runner, f"{name} {whose} cpu", samples, arm))
    pyperf.BenchmarkSuite(benchmarks).dump(job["output"], replace=True)


def _hand_out(runner: pyperf.Runner, name: str, samples_ns: list[int], arm: dict):
    """One pyperf benchmark of one run, without what identifies the machine."""
    samples = iter(samples_ns)
    facts = {key: arm[key] for key in ("bytes", "delay_achieved_ns") if key in arm}
    run, = runner.bench_time_func(name, lambda loops: next(samples) / 1e9,
                                  metadata=facts).get_runs()
    # Whose machine it is, and where things are on it, is nobody's business.
    kept = {key: value for key, value in run.get_metadata().items()
            if key != "hostname" and "/" not in str(value)}
    return pyperf.Benchmark([pyperf.Run(run.values, metadata=kept, collect_metadata=False)])


def _cpu_times(arm: dict) -> list[tuple[str, list[int]]]:
    """CPU time of the caller and, where there are any, of all workers."""
    threads = arm.get("threads", 0)
    each = arm.get("worker_cpu_ns", [])
    found = [("caller", arm["caller_cpu_ns"])]
    if any(each):
        sums = [sum(each[i:i + threads]) for i in range(0, len(each), threads)]
        # pyperf refuses a zero; a clock may show one.
        found.append(("workers", [max(ns, 1) for ns in sums]))
    return found


def _process_facts(result: dict, before: dict, after: dict) -> dict:
    huge = result["source_huge_bytes"] + result["destination_huge_bytes"]
    return {
        "steal_seconds": after["steal_seconds"] - before["steal_seconds"],
        "huge_share": huge / (2 * result["pool_bytes"]),
        "pool_bytes": result["pool_bytes"],
        "last_level_cache": result["last_level_cache"],
        "overhead_ns": result["overhead_ns"],
        "seed": result["seed"],
        "pagecopy_version": result["pagecopy"],
        "pagecopy_compiler": result["compiler"],
        "pagecopy_flags": result["flags"],
    }


if __name__ == "__main__":
    main()
