# SPDX-License-Identifier: MIT
"""02: what do threads add to the best serial copy?"""

import dataclasses

from artifact import estimate, teams
from artifact.answer import Answer, times, verb, with_warnings
from artifact.experiments import batch, factorial, one_worker, thread_sweep
from artifact.host import Host
from artifact.ingredients import ONE_CPU, Sizes, available, not_empty, positive, teams_of, unique
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.problem import Misuse
from artifact.questions.question import Question
from artifact.samples import Samples


@dataclasses.dataclass(frozen=True)
class Parameters:
    """threads: none for 1, 2, 3, 4, 6, 8, .. up to the CPUs that this process may
    use. folios: that one call copies."""

    base_page: str = "4K"
    huge_page: str = "2M"
    primitives: tuple[str, ...] = ("own-then", "own-now", "fallback", "careful", "flushcache",
                                   "streaming")
    threads: tuple[int, ...] = ()
    folios: tuple[int, ...] = (1, 16)
    processes: int = 40
    rounds: int = 36


def plan(host: Host, p: Parameters) -> Plan:
    """Batching and threading told apart, the sweep of threads, a single worker."""
    sizes = Sizes(p.base_page, p.huge_page)
    positive(processes=p.processes, rounds=p.rounds)
    not_empty(folios=p.folios)
    for count in p.folios:
        positive(folios=count)
    cpus = len(host.cpus)
    for count in p.threads:
        positive(threads=count)
        if count > cpus:
            raise Misuse(f"threads: {count}", f"this process may run on {cpus} CPU(s)",
                         f"give at most {cpus}")
    chosen, skipped = available(host, p.primitives)
    if cpus == 1:
        return Plan((), (*skipped, ONE_CPU))
    sweep, same = thread_sweep.cells(host, sizes, chosen, p.threads, p.folios, p.processes, p.rounds)
    batches, too_large = batch.cells(host, teams_of(host, sizes, ()), p.processes, p.rounds)
    return Plan((*factorial.cells(host, sizes, chosen, p.folios, p.processes, p.rounds), *sweep,
                 *one_worker.cells(host, sizes, max(p.folios), p.processes, p.rounds), *batches),
                unique((*skipped, *same, *too_large)))


def answer(measured: Measured, p: Parameters) -> Answer:
    """The fastest team against the best serial copy, of one folio and of a batch."""
    spread = thread_sweep.spread_cells(measured.cells["threads"])
    single, many = spread[0], spread[-1]
    headlines, phrases = {}, []
    for samples in (single, many) if many is not single else (single,):
        best = estimate.best_serial(samples)
        copied = samples.cell.of(best)
        found = []
        for dispatch, label in (("wake", "woken"), ("spin", "spinning")):
            arms = teams.fastest(samples, dispatch)
            if arms is None:
                continue
            ratio = estimate.speedup(samples, *arms)
            headlines[f"best {label} team over the best serial copy, "
                      f"{copied.folios} huge page(s) per call"] = ratio
            team = samples.cell.of(arms[0])
            found.append(f"copying with {team.threads} {label} threads ({team.primitive}) "
                         f"{verb(ratio)} it, {times(ratio)} (its choice flatters it by "
                         f"{teams.choice_flatters(samples, dispatch, best):z.2%} at most), and uses "
                         f"{estimate.cpu_ratio(samples, *arms).value:.2f} times the CPU time"
                         + _same_sequence(samples, dispatch))
        phrases.append(f"With {copied.folios} huge page{'s' if copied.folios > 1 else ''} per call "
                       "the best serial copy without FPU state is one call of "
                       f"{copied.primitive}; "
                       + ("; ".join(found) or "no team of two or more was asked for") + ".")
    sentence = " ".join([*phrases, _share(measured.cells["factorial"][0]),
                         *_batches(measured.cells.get("batch", []))])
    return Answer(with_warnings(sentence, measured.cells), headlines)


def _same_sequence(samples: Samples, dispatch: str) -> str:
    """The fastest team that copies as migration does, over one call that does."""
    arms = teams.same_sequence(samples, dispatch)
    return f" ({samples.cell.own} by threads over one call of it: " \
        f"{times(estimate.speedup(samples, *arms))})" if arms else ""


def _share(samples: Samples) -> str:
    own = samples.cell.own
    found = factorial.share_of_batching(samples, own)
    if found is None:
        return (f"Even spinning threads show no clear gain over the serial 2017 loop with {own}, "
                "so there is no gain for batching to account for.")
    return (f"Batching alone accounts for {found.value:z.0%} [{found.low:z.0%}, {found.high:z.0%}] of "
            f"what spinning threads gain over the serial 2017 loop with {own}.")


def _batches(cells: list[Samples]) -> list[str]:
    """Which batch is best, and what its first folio pays; nothing where a run has none."""
    phrases = []
    for way in batch.ways_of(cells[0]) if cells else ():
        found, best = batch.by_folios(cells, way), batch.best_batch(cells, way)
        single, whole = (1e6 * batch.first_folio_seconds(*found[count], 0.5) for count in (1, best))
        phrases.append(f'"{way}": 1 folio' if best == 1 else
                       f'"{way}": {best} folios, {times(batch.per_byte(*found[best]))} per byte '
                       f"over one folio in a serial call, where the first folio is away for "
                       f"{whole:.0f} us instead of {single:.0f}")
    return [f"The shortest list that is not clearly slower per byte than the fastest one: "
            f"{'; '.join(phrases)}."] if phrases else []


QUESTION = Question("02-parallel-copy", Parameters, plan, answer,
                    ("factorial", "threads", "one-worker", "batch"))
