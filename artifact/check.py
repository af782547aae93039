# SPDX-License-Identifier: MIT
"""Kick the tyres: does it build, copy right, and catch what it must catch?"""

import json
import shutil
import sys

import numpy as np

from artifact import ctools, estimate, host, machine, paths, planning
from artifact.plan import joined
from artifact.problem import Lacking, WrongCopy
from artifact.questions import QUESTIONS


def check(say) -> None:
    """Prints what this machine has and lacks; Problem where a check fails."""
    ctools.build()
    ctools.build(ctools.PLANTED)
    say("built: ctools/pagecopy")
    for line in _needs():
        say(line)
    _verify_everything(say)
    _catch_corruption(say)
    _catch_slowness(say)
    say("every check passed; 'make reproduce' is next")


def _needs() -> list[str]:
    facts = host.here()
    thp = machine.record()["transparent_huge_pages"]["enabled"] or "absent"
    free = shutil.disk_usage(paths.ROOT).free >> 20
    rows = [
        ("Python 3.11", ".".join(map(str, sys.version_info[:2])), "enough"),
        ("2 GiB of memory", f"{facts.memory_bytes / 2**30:.1f} GiB", "enough" if
         facts.memory_bytes >= 2 << 30 else "too little: cells may not fit"),
        ("100 MiB of disk", f"{free} MiB", "enough" if free >= 100 else "too little"),
        ("2 CPUs", str(len(facts.cpus)), "02 to 06 run" if len(facts.cpus) > 1 else
         "02 to 06 are skipped and say so"),
        ("huge pages on request", thp, "enough" if thp in ("madvise", "always") else
         "base pages instead, and every figure says so"),
        ("nice -20", "allowed" if facts.high_priority else "refused",
         "the 2017 policy runs" if facts.high_priority else "the 2017 policy is skipped"),
        ("QEMU for make kernel-lab", "missing" if facts.lab.lacks else "found",
         f"07 and 08 are skipped: {facts.lab.lacks}" if facts.lab.lacks else
         "07 and 08 run after it"),
        ("2 NUMA nodes", str(len(facts.nodes)), "copies between nodes run" if len(facts.nodes) > 1 else
         "copies between nodes are skipped"),
    ]
    lines = [f"  {'wanted':24} {'found':12} effect"]
    lines += [f"  {wanted:24} {found:12} {effect}" for wanted, found, effect in rows]
    planned = joined(planning.proposed(question, planning.defaults(question), facts)
                     for question in QUESTIONS.values())
    return [*lines, *(f"  skipped here: {what}: {why}" for what, why in planned.skipped)]


def _verify_everything(say) -> None:
    lines = ctools.run(["--verify", "--backing=auto", "--pairs=8"]).splitlines()
    say(f"verified: {len(lines)} variants copied every byte and nothing else")


def _catch_corruption(say) -> None:
    for planted in ("planted-truncated", "planted-overrun"):
        try:
            ctools.run(["--verify", "--backing=auto", "--pairs=8", f"serial:bulk:{planted}"],
                       ctools.PLANTED)
        except WrongCopy:
            continue
        raise WrongCopy(f"the copy routine {planted} was not caught", "verification is broken",
                        "do not trust any figure of this build")
    say("caught: a planted copy routine that drops the last word, and one that writes one too many")


def _catch_slowness(say) -> None:
    ratio = planted_slowdown(processes=16, rounds=96)
    if not ratio.high < 1:
        raise Lacking(f"a routine made 3 % slower was measured as {ratio}",
                      "this machine is too noisy just now to see 3 %",
                      "stop whatever else is running and try again")
    say(f"caught: a routine made 3 % slower, measured as {ratio} times as fast")


def planted_slowdown(processes: int, rounds: int) -> estimate.Estimate:
    """A tiny experiment: the planted slow routine over the C library's, as measured."""
    # Warm and small: the less the memory bus matters, the less its noise does.
    output = ctools.run(["--json", "--backing=auto", f"--processes={processes}", "--pairs=8",
                         f"--rounds={rounds}", "--source=warm", "--destination=warm",
                         *["serial:bulk:libc", "serial:bulk:planted-slower"] * 4],
                        ctools.PLANTED)
    medians = []
    for line in output.splitlines():
        logs = np.log([arm["ns"] for arm in json.loads(line)["arms"]])
        medians.append(np.median(logs[0::2].mean(axis=0) - logs[1::2].mean(axis=0)))
    return estimate.exponential(estimate.interval(np.array(medians)))
