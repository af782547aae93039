# SPDX-License-Identifier: MIT
"""What waking somebody on another CPU costs, by means that are not ours.

The dispatch costs of notebook 03 rest on pthreads. Here are two other
instruments for the same thing, run in the same processes of the same cells:
two processes that pass a byte to and fro through pipes, pinned to the two
CPUs; and ``perf bench sched pipe`` where it is installed, which leaves the
placement to the scheduler.
"""

import os
import re
import shutil
import signal
import subprocess
import time

from artifact import ctools

ROUNDS = 300


def round_trips(cpu: int, other: int) -> dict[str, float]:
    """Round trips between two CPUs, in ns by instrument."""
    found = {"pipe_round_trip_ns": _pipes(cpu, other)}
    if (perf := _perf()) is not None:
        found["perf_round_trip_ns"] = perf
    return found


def _pipes(cpu: int, other: int) -> float:
    """Two wake-ups each: of the other process and then of this one."""
    there, back = os.pipe(), os.pipe()
    allowed = os.sched_getaffinity(0)
    child = os.fork()
    if not child:
        ctools.die_with_parent()
        os.sched_setaffinity(0, {other})
        for _ in range(ROUNDS):
            os.write(back[1], os.read(there[0], 1))
        os._exit(0)
    try:
        os.sched_setaffinity(0, {cpu})
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter_ns()
            os.write(there[1], b".")
            os.read(back[0], 1)
            times.append(time.perf_counter_ns() - started)
    finally:
        os.sched_setaffinity(0, allowed)
        os.kill(child, signal.SIGKILL)      # done, or never to be done
        os.waitpid(child, 0)
        for fd in (*there, *back):
            os.close(fd)
    return float(sorted(times)[ROUNDS // 2])


def _perf() -> float | None:
    if not shutil.which("perf"):
        return None
    done = subprocess.run(["perf", "bench", "sched", "pipe", "-l", "1000"], capture_output=True,
                          text=True, preexec_fn=ctools.die_with_parent)
    found = re.search(r"([\d.]+) usecs/op", done.stdout)
    return float(found[1]) * 1000 if found else None
