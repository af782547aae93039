# SPDX-License-Identifier: MIT
"""Numbers from the cells of 07 and 08: what a real kernel answered.

In instructions nothing is said about how long bytes take to move: a ``rep``
counts once for each of its iterations. What is shown are differences between
two ways to move the same bytes with the same iterations, which are the
bookkeeping, and nothing else.
"""

from artifact.load import KernelSamples

PAGE = 4096
COSTS = {
    "cost:page_address": "page_address()", "cost:preempt": "preempt off and on",
    "cost:preempt+pagefault": "preempt and pagefault off and on",
    "cost:cond_resched": "cond_resched()", "cost:kmap_local": "kmap_local, both pages (2026)",
    "cost:kmap_atomic": "kmap_atomic, both pages (2017)",
}
RUNGS = {"serial:page:map=2017": "loop of 2017", "serial:page:map=2026": "loop of 2026",
         "serial:bulk": "one call", "serial:bulk:mc": "one call of copy_mc_to_kernel()"}
STEPS = {"loop": "the kernel's loop, in the module", "bulk": "one bulk copy", "highpri:1": "1 worker, system_highpri_wq",
         "highpri:2": "2 workers, system_highpri_wq", "unbound:1": "1 worker, system_unbound_wq",
         "unbound:2": "2 workers, system_unbound_wq"}


def pages(samples: KernelSamples, arm: str) -> int:
    """Base pages that an arm's copy or move is of."""
    return samples.counts[arm]["bytes"] // PAGE


def cost(samples: KernelSamples, arm: str) -> float:
    """Of a wrapping without a copy, for each page, less the loop's own."""
    return (samples.median(arm) - samples.median("cost:empty")) / pages(samples, arm)


def beyond_bare(samples: KernelSamples, arm: str) -> float | None:
    """What a rung costs beyond bare page copies, for each page; None in high
    memory, where there is no bare copy."""
    if "serial:page" not in samples.values or arm not in samples.values:
        return None
    return (samples.median(arm) - samples.median("serial:page")) / pages(samples, arm)


def dispatch(samples: KernelSamples, queue: str) -> dict[int, float]:
    """Number of works to what they cost beyond one bulk copy, each call."""
    return {int(arm.rpartition(":")[2]): samples.median(arm) - samples.median("serial:bulk")
            for arm in samples.values if arm.startswith(f"parallel:{queue}:")}


def rows(samples: KernelSamples) -> list[str]:
    """The rows of move_pages, without their direction."""
    return list(dict.fromkeys(arm.rpartition(":")[0] for arm in samples.values))


def row_label(row: str) -> str:
    """base:512:mbind as 512 base pages, mbind(2)."""
    kind, count, *call = row.split(":")
    return f"{count} {kind} page{'s' * (count != '1')}" + (", mbind(2)" if call else "")


def bookkeeping(moves: KernelSamples, ladder: KernelSamples, arm: str) -> float:
    """Instructions of a move for each base page, less those of a bulk copy of
    as many bytes, which are its rep's iterations; the move's own copy is the
    module's loop of the same rep."""
    copy = ladder.median("serial:bulk") / ladder.counts["serial:bulk"]["bytes"]
    return (moves.median(arm) - copy * moves.counts[arm]["bytes"]) / pages(moves, arm)


def folios(row: str) -> int:
    """Pages of whatever kind that a row moves: 512 of base:512."""
    return int(row.split(":")[1])


def reference(live: KernelSamples) -> str:
    """What steps are compared with: the unpatched kernel where it was timed;
    where it was counted the same loop in the module, as its own may not be a rep."""
    return "loop" if live.cell.unit == "instructions" else "off"


def step_cost(live: KernelSamples, row: str, step: str, way: str = "there") -> float:
    """What a step of the series adds to a move, for each folio."""
    return (live.median(f"{row}:live={step}:{way}") -
            live.median(f"{row}:live={reference(live)}:{way}")) / folios(row)


def copy_share(moves: KernelSamples, ladder: KernelSamples, arm: str) -> float:
    """Share, 0..1, of a timed move that its page copies take, by the ladder of
    the same kernel; its buffers are as cold as its pool is large."""
    each = ladder.median("serial:page:map=2026") / pages(ladder, "serial:page:map=2026")
    return each * pages(moves, arm) / moves.median(arm)


def gbps(moves: KernelSamples, arm: str) -> float:
    """Throughput of a move in GB/s, where it was timed."""
    return moves.counts[arm]["bytes"] / moves.median(arm)
