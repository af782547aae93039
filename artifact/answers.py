# SPDX-License-Identifier: MIT
"""The answer of each notebook in a sentence, made from the samples alone."""

import dataclasses

import numpy as np

from artifact import claims, ctools, drawing, estimate, figures, harm, harm_figures, in_kernel, plan
from artifact.estimate import Estimate
from artifact.load import KernelSamples, Samples


@dataclasses.dataclass(frozen=True)
class Answer:
    """A sentence, and the ratios it rests on by name: two runs of the same
    machine should agree on those."""

    sentence: str
    headlines: dict[str, Estimate]


def serial_copy(cells: dict[str, list[Samples]], parameters: dict) -> Answer:
    """From the samples of 01-serial-copy, by experiment."""
    cold = cells["serial-ladder"][0]
    own = drawing.own_primitive(cold)
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


def parallel_copy(cells: dict[str, list[Samples]], parameters: dict) -> Answer:
    """From the samples of 02-parallel-copy, by experiment."""
    spread = [s for s in cells["threads"] if s.cell.label.startswith("spread-")]
    single, batch = spread[0], spread[-1]
    headlines, phrases = {}, []
    for samples in (single, batch) if batch is not single else (single,):
        best = estimate.best_serial(samples)
        folios = int(plan.fields(best)["folios"])
        teams = []
        for way, label in (("wake", "woken"), ("spin", "spinning")):
            arm = harm.fastest_team(samples, way, best)
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


def dispatch(cells: dict[str, list[Samples]], parameters: dict) -> Answer:
    """From the samples of 03-dispatch, by experiment."""
    woken = harm_figures.ANY_CPU
    by_pause = sorted(cells["dispatch"], key=_pause)
    empty = " and ".join(f"{1e6 * harm.empty_job_seconds(s, woken):.0f} us after {_pause(s)} us of "
                         "sleep" for s in by_pause[:1] + by_pause[1:][-1:])
    sizes, = cells["break-even"]
    curve = harm.by_size(sizes, woken)
    posted = harm.posted(sizes)
    late = [f"{found.value:.0%} at {harm.load_percent(s)} % load" for s in cells["load"]
            if (found := harm.late_share(s, harm.arm_of(s, posted)))]
    folio = harm.folio(sizes)
    page_us = 1e6 * float(np.median(sizes.seconds[min(
        (a for a in harm.teams(sizes) if plan.policy(a) == posted),
        key=lambda a: harm.work_bytes(a, folio))]))
    low, high = harm_figures.published_page_us()
    sentence = (
        f"From call to return a job of nothing takes {empty}{_checks(by_pause[0], woken)}. A team of "
        f"woken workers and a working caller pays from {_size_range(harm.break_even(curve))} on. "
        f"With the policy \"{posted}\" the last worker had not begun when a serial copy would have "
        f"been done in {', '.join(late)}; a base page costs {page_us:.1f} us so, against the "
        f"{low:.1f} to {high:.1f} us published in 2016.")
    return Answer(_with_warnings(sentence, cells), {
        f"woken team over the best serial copy of {ctools.format_size(size)}": curve[size]
        for size in curve if size >= folio})


def _pause(samples: Samples) -> int:
    return int(samples.cell.option("pause"))


def _checks(samples: Samples, policy: str) -> str:
    """The same by other instruments, which do not sleep in between either."""
    found = harm.instruments(samples)
    if _pause(samples) or not found:
        return ""
    empty = harm.empty_job_seconds(samples, policy)
    return " (the former is checked by others: " + "; ".join(
        f"{label}, {1e6 * seconds:.0f} us, a factor of {empty / seconds:.2f}"
        for label, seconds in found.items()) + ")"


def concurrent(cells: dict[str, list[Samples]], parameters: dict) -> Answer:
    """From the samples of 04-concurrent-migrations, by experiment."""
    found = sorted(cells["concurrent"], key=harm.crowd)
    labels = list(dict.fromkeys((harm.posted(found[0]), harm_figures.ANY_CPU, "chunks, taken back")))
    headlines, phrases = {}, []
    for label in labels:
        each = []
        for samples in found:
            arm = harm.arm_of(samples, label)
            ratio = estimate.speedup(samples, arm, estimate.best_serial(samples, arm))
            headlines[f"{harm.crowd(samples)} migrators, {label}, over serial copies"] = ratio
            each.append(f"{_times(ratio)} with {harm.crowd(samples)}")
        loses = [str(count) for count in harm.losing_crowds(found, label)]
        phrases.append(f"\"{label}\" moves {', '.join(each)}: it clearly loses "
                       + (f"with {', '.join(loses)}" if loses else "with none"))
    sentence = ("In total throughput over as many best serial copies at once, "
                + "; ".join(phrases) + ".")
    return Answer(_with_warnings(sentence, cells), headlines)


def interference(cells: dict[str, list[Samples]], parameters: dict) -> Answer:
    """From the samples of 05-interference, by experiment."""
    headlines, left = {}, []
    posted = harm.posted(cells["victim"][0])
    for samples in cells["victim"]:
        if samples.cell.label == "timer":
            continue
        serial = harm.victim_rate(samples, harm.serial_in_windows(samples))
        rate = harm.victim_rate(samples, harm.arm_of(samples, posted))
        name = plan.VICTIMS[samples.cell.label]
        headlines[f"{name} beside serial copies over alone"] = serial
        headlines[f"{name} beside {posted} over alone"] = rate
        left.append(f"{name}: {rate.value:.3f} against {serial.value:.3f}")
    margin = parameters["margin_percent"]
    tests = [_test(samples, margin) for samples in cells["load"]]
    # An older run may have none as posted.
    posted_tests = [_test(samples, margin) for samples in cells.get("posted", [])]
    sentence = (f"Of its speed alone a victim on the worker's CPU keeps, beside \"{posted}\" against "
                f"beside the best serial copy, {'; '.join(left)}. " if left else "")
    sentence += (f"No slower than the best serial copy, by at most {margin} % and as a "
                 f"one-sided test: {'; '.join(tests)}.")
    if posted_tests:
        sentence += (" As the series were posted, with the kernel's own primitive against one serial "
                     f"call of it: {'; '.join(posted_tests)}.")
    return Answer(_with_warnings(sentence, cells), headlines)


def _test(samples: Samples, margin: int) -> str:
    verdicts: dict[str, list[str]] = {"no worse": [], "worse": [], "open": []}
    for arm in harm.teams(samples):
        verdicts[harm.no_worse(samples, arm, margin)[1]].append(f"\"{plan.policy(arm)}\"")
    return (f"at {harm.load_percent(samples)} % load {', '.join(verdicts['no worse']) or 'no policy'} "
            f"({len(verdicts['worse'])} are slower, {len(verdicts['open'])} open)")


def idle_cpus(cells: dict[str, list[Samples]], parameters: dict) -> Answer:
    """From the samples of 06-idle-cpus, by experiment."""
    scan, = cells["idle-scan"]
    hot, written = (harm.ns_per_cpu(scan, how) for how in ("hot", "written"))
    headlines, phrases = {}, []
    for samples in cells["load"]:
        arm, any_cpu = (harm.arm_of(samples, label) for label in (harm_figures.IDLE_CPU,
                                                           harm_figures.ANY_CPU))
        best = estimate.best_serial(samples, arm)
        ratio = estimate.speedup(samples, arm, best)
        load, stale = harm.load_percent(samples), harm.stale_share(samples, arm)
        headlines[f"workers on idle CPUs over the best serial copy, {load} % load"] = ratio
        phrases.append(f"at {load} % load it is {_times(ratio)} as fast as the best serial copy "
                       f"({_times(estimate.speedup(samples, any_cpu, best))} without looking), "
                       + (f"and {stale.value:.0%} of the CPUs found idle were busy when the work "
                          "began" if stale else "and no CPU was ever found idle"))
    sentence = (f"One more CPU to look at costs {_nanoseconds(hot)} while nobody writes and "
                f"{_nanoseconds(written)} after another CPU has written its state. "
                f"{_break_even_cpus(min(cells['load'], key=harm.load_percent), written)} With that look, "
                f"{'; '.join(phrases)}.")
    return Answer(_with_warnings(sentence, cells), headlines)


def page_migration(cells: dict[str, list], parameters: dict) -> Answer:
    """From the samples of 07-page-migration, by experiment."""
    headlines, phrases = {}, []
    for moves in cells["moves"]:
        rows = in_kernel.rows(moves)
        if moves.cell.unit == "ns":
            each = [f"{in_kernel.row_label(row)} at {in_kernel.gbps(moves, f'{row}:there'):.2f} GB/s"
                    for row in rows]
            phrases.append(f"In {_where(moves)} move_pages(2) moves {', '.join(each)}")
            continue
        ladder = next(s for s in cells["ladder"] if s.cell.kernel == moves.cell.kernel)
        costs = {row: in_kernel.bookkeeping(moves, ladder, f"{row}:there") for row in rows}
        each = [f"{cost:,.0f} of {in_kernel.row_label(row)}" for row, cost in costs.items()]
        phrases.append(f"In {_where(moves)} the bookkeeping of move_pages(2) takes, in instructions "
                       f"for each 4 KiB, {', '.join(each)}")
        if {"base:512", "huge:1"} <= set(rows):
            headlines[f"bookkeeping of 512 base pages over a huge page's, {moves.cell.kernel}, "
                      "instructions"] = Estimate(*[costs["base:512"] / costs["huge:1"]] * 3)
    for live in cells.get("live", []):
        bulk, team = (in_kernel.step_cost(live, row, step) for row, step in
                      (("huge:1", "bulk"), ("base:512", "highpri:2")))
        unit = "instructions" if live.cell.unit == "instructions" else "ns"
        phrases.append(f"with one bulk copy in place of its own loop that kernel moves a huge page "
                       f"in {abs(bulk):,.0f} {unit} {'less' if bulk < 0 else 'more'}, and with two "
                       f"workers of system_highpri_wq each base page in {abs(team):,.0f} "
                       f"{'less' if team < 0 else 'more'}")
    return Answer("; ".join(phrases) + "." + _not_time(cells["moves"]), headlines)


def in_kernels(cells: dict[str, list], parameters: dict) -> Answer:
    """From the samples of 08-in-kernel, by experiment."""
    headlines, phrases = {}, []
    for ladder in cells["ladder"]:
        atomic, local = (in_kernel.cost(ladder, f"cost:kmap_{era}") for era in ("atomic", "local"))
        unit = "instructions" if ladder.cell.unit == "instructions" else "ns"
        phrases.append(f"{atomic:.0f} and {local:.0f} {unit} in {_where(ladder)}")
        if unit == "instructions":
            headlines[f"mapping both pages as in 2017, {ladder.cell.kernel}, instructions"] = \
                Estimate(*[atomic] * 3)
    return Answer("To map both pages of a copy, as in 2017 and as in 2026, costs "
                  + "; ".join(phrases) + "." + _not_time(cells["ladder"]), headlines)


def verdicts(found: list[claims.Verdict]) -> Answer:
    """On all published claims; the ratios they rest on are headlines too."""
    ids = {word: [v.claim.id for v in found if v.word == word] for word in claims.WORDS}
    said = {"holds": "hold", "does not hold": "do not hold", "inconclusive": "are inconclusive",
            "not applicable": "are not applicable here", "cited only": "are cited only"}
    phrases = [f"{len(ids[word])} {said[word]}"
               + (f" ({', '.join(ids[word])})" if word in claims.WORDS[:3] else "")
               for word in claims.WORDS if ids[word]]
    return Answer(f"Of {len(found)} published claims, by intervals that allow for their number, "
                  f"{', '.join(phrases)}.", {})


def _where(samples: KernelSamples) -> str:
    place = "this machine's kernel" if samples.cell.kernel == "host" else \
        f"the virtual machine's {samples.cell.kernel} kernel"
    return f"{place} ({samples.facts[0]['kernel']})"


def _not_time(cells: list[KernelSamples]) -> str:
    return " Instructions are counted and say nothing about how fast bytes move." if any(
        samples.cell.unit == "instructions" for samples in cells) else ""


def _break_even_cpus(samples: Samples, per_cpu: Estimate) -> str:
    """Looks that the gain of going parallel pays for, at the lowest load."""
    arm = harm.arm_of(samples, harm_figures.ANY_CPU)
    best = estimate.best_serial(samples, arm)
    gain = 1e9 * float(np.median(samples.seconds[best]) - np.median(samples.seconds[arm]))
    if gain <= 0 or not estimate.speedup(samples, arm, best).differs_from_1:
        return (f"At {harm.load_percent(samples)} % load woken workers gain nothing clear over the best "
                "serial copy of one huge page here, so no look at all is paid for.")
    return (f"At {harm.load_percent(samples)} % load the gain of woken workers pays for looking at "
            f"{gain / max(per_cpu.value, 1e-3):.0f} CPUs.")


def _size_range(found: tuple[float, float, float]) -> str:
    def text(size: float) -> str:
        return ("the smallest size measured" if size == 0 else "no size measured"
                if not np.isfinite(size) else f"{size / 1024:.0f} KiB")
    value, low, high = map(text, found)
    return f"{value} [{low}, {high}]"


def _share(samples: Samples) -> str:
    own = drawing.own_primitive(samples)
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
