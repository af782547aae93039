# SPDX-License-Identifier: MIT
"""The answer of each notebook in a sentence, made from the samples alone."""

import dataclasses

from artifact import estimate, figures, plan
from artifact.estimate import Estimate
from artifact.load import Samples


@dataclasses.dataclass(frozen=True)
class Answer:
    """A sentence, and the ratios it rests on by name: two runs of the same
    machine should agree on those."""

    sentence: str
    headlines: dict[str, Estimate]


def serial_copy(cells: dict[str, list[Samples]]) -> Answer:
    """From the samples of 01-serial-copy, by experiment."""
    cold = cells["serial-ladder"][0]
    own = figures.ctools_baseline(cold)
    loop_2017, loop_2026, _, bulk = (rung.format(own) for rung in plan.LADDER)
    best = estimate.best_serial(cold)
    over_2017 = estimate.speedup(cold, bulk, loop_2017)
    over_2026 = estimate.speedup(cold, bulk, loop_2026)
    best_over_2026 = estimate.speedup(cold, best, loop_2026)

    sweep, = cells["map-cost"]
    pages = figures.pages_per_folio(sweep)
    cost = estimate.added_ns(sweep, *(f"serial:page:{own}{m}" for m in (":map=2017", "")), pages)
    needed = (figures.published_gain() - 1) * figures.ns_per_page(sweep, sweep.cell.variants[0])
    huge = cold.cell.option("huge")
    sentence = (
        f"With {figures.cache_label(cold)}, one bulk copy of a {huge} huge page with {own} "
        f"{_verb(over_2026)} today's per-page loop ({_times(over_2026)}) and "
        f"{_verb(over_2017)} the loop of 2017 ({_times(over_2017)}); the best serial copy found, "
        f"{plan.fields(best)['primitive']} in one call, {_verb(best_over_2026)} today's loop "
        f"({_times(best_over_2026)}). The 2017 bookkeeping costs {_nanoseconds(cost)} a page here; "
        f"to explain the published gain of {figures.published_gain():.2f}x it would have to cost "
        f"{needed:.0f} ns.")
    return Answer(_with_warnings(sentence, cells), {
        f"one bulk call over the 2026 loop, {own}": over_2026,
        f"one bulk call over the 2017 loop, {own}": over_2017,
        "best serial copy over the 2026 loop": best_over_2026})


def parallel_copy(cells: dict[str, list[Samples]]) -> Answer:
    """From the samples of 02-parallel-copy, by experiment; none on one CPU."""
    if not cells.get("threads"):
        return Answer("This process may use one CPU only, so nothing can be copied in parallel "
                      "here: the question needs a machine with two.", {})
    spread = [s for s in cells["threads"] if s.cell.label.startswith("spread-")]
    single, batch = spread[0], spread[-1]
    headlines, phrases = {}, []
    for samples in (single, batch) if batch is not single else (single,):
        best = estimate.best_serial(samples)
        folios = int(plan.fields(best)["folios"])
        teams = []
        for way, label in (("wake", "woken"), ("spin", "spinning")):
            arm = _best_arm(samples, best, dispatch=way)
            if arm is None:
                continue
            ratio = estimate.speedup(samples, arm, best)
            headlines[f"best {label} team over the best serial copy, "
                      f"{folios} huge page(s) per call"] = ratio
            teams.append(f"{_team(arm)}, {label}, {_verb(ratio)} it ({_times(ratio)}) at "
                         f"{estimate.cpu_ratio(samples, arm, best).value:.2f} times the CPU time")
        phrases.append(f"For {folios} huge page{'s' if folios > 1 else ''} per call the best "
                       f"serial copy is {plan.fields(best)['primitive']} in one call: "
                       + ("; ".join(teams) or "no team of two or more was asked for") + ".")
    sentence = " ".join([*phrases, _share(cells["factorial"][0])])
    return Answer(_with_warnings(sentence, cells), headlines)


def _best_arm(samples: Samples, best: str, dispatch: str) -> str | None:
    """The fastest parallel arm of more than one thread with that dispatch.

    Chosen from the same samples that it is then judged by, which flatters it.
    """
    arms = [v for v in samples.cell.variants if (f := plan.fields(v))["strategy"] == "parallel"
            and f["dispatch"] == dispatch and int(f["threads"]) > 1]
    return max(arms, default=None,
               key=lambda v: estimate.log_speedups(samples, v, best).mean())


def _share(samples: Samples) -> str:
    own = figures.ctools_baseline(samples)
    found = figures.batching_share(samples, own, "spin")
    if found is None:
        return (f"Even spinning threads gain nothing clear over the serial 2017 loop with {own}, "
                "so there is no gain of which batching could have a share.")
    return (f"Of what spinning threads gain over the serial 2017 loop with {own}, batching alone "
            f"gives {found.value:.0%} [{found.low:.0%}, {found.high:.0%}].")


def _verb(ratio: Estimate) -> str:
    if not ratio.differs_from_1:
        return "cannot be told from"
    return "is faster than" if ratio.value > 1 else "is slower than"


def _times(ratio: Estimate) -> str:
    return f"{ratio.value:.3f}x [{ratio.low:.3f}, {ratio.high:.3f}]"


def _nanoseconds(cost: Estimate) -> str:
    return f"{cost.value:.1f} ns [{cost.low:.1f}, {cost.high:.1f}]"


def _team(arm: str) -> str:
    fields = plan.fields(arm)
    return f"{fields['threads']} threads with {fields['primitive']}"


def _with_warnings(sentence: str, cells: dict[str, list[Samples]]) -> str:
    found = [samples for group in cells.values() for samples in group]
    unstable = [f"{s.cell.experiment} {s.cell.label}" for s in found if not estimate.is_stable(s)]
    if unstable:
        sentence += (" Inconclusive where it rests on a cell that failed its own A/A check: "
                     + ", ".join(unstable) + ".")
    if any(samples.huge_share < 1 for samples in found):
        sentence += " No huge pages were behind some of these buffers: read it as of 4 KiB pages."
    return sentence
