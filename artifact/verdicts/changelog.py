# SPDX-License-Identifier: MIT
"""What a patch may say: plain text for a commit message and a cover letter.

Every number comes from the cells of a run; a sentence that the run does not
bear out turns into the one that it does.
"""

import contextlib
import textwrap

from artifact import eras, estimate, labels, machine, paths, rendering, teams
from artifact.answer import verb
from artifact.estimate import Estimate
from artifact.experiments import ladder, live, load, serial_ladder, victim
from artifact.experiments.thread_sweep import spread_cells
from artifact.measured import NOT_YET, Measured, mixture
from artifact.problem import Lacking
from artifact.samples import Samples
from artifact.variant import Variant
from artifact.verdicts import claims
from artifact.verdicts.tests import Absent, Evidence

COLUMNS = 75        # of a commit message, and of a mail that is quoted


def text(measured: Measured, found: list[claims.Verdict]) -> str:
    """The commit message and the cover letter of a run, in plain ASCII.

    Raises Lacking where the run has no serial ladder of cold caches.
    """
    run, evidence = measured.run, Evidence(measured)
    if "serial-ladder" in measured.not_yet:
        return f"No text yet: the serial ladder of run {run.name} is {NOT_YET}\n"
    if measured.find("serial-ladder", "cold-cold") is None:
        raise Lacking(f"run {run.name}", "has no serial ladder of cold caches",
                      "measure 01-serial-copy with its default parameters")
    environment = rendering.environment(html=False)
    environment.filters["wrap"] = _wrapped
    written = environment.get_template("changelog.txt.j2").render(
        nodes=_nodes(measured), ladder=_ladder(evidence), level=round(100 * estimate.LEVEL),
        threads=_threads(measured), flattery=_flattery(measured),
        harm=_harm(evidence), kernel=_kernel(evidence), machine=_machine(measured.machine),
        verdicts=_verdicts(found), run=run.name if run.may_measure else paths.DEFAULT_RUN,
        not_shown=_not_shown(measured), provisional=measured.provisional)
    plain = written.encode("ascii", "replace").decode("ascii")     # a CPU's name may not be
    return "\n".join(line.rstrip() for line in plain.splitlines()) + "\n"


def _wrapped(paragraph: str, first: str = "", rest: str = "") -> str:
    """Words in lines of at most COLUMNS, none of them broken."""
    return textwrap.fill(" ".join(paragraph.split()), COLUMNS, initial_indent=first,
                         subsequent_indent=rest or first, break_long_words=False,
                         break_on_hyphens=False)


def _not_shown(measured: Measured) -> list[str]:
    """What this machine lacks, and which measurements are in doubt."""
    found = [f"{what}: {why}" for what, why in measured.plan.skipped]
    found += [f"cell {s.cell.experiment} {s.cell.label} {doubt}: treat what rests on it as open"
              for s in measured.timed if (doubt := claims.doubt(s))]
    return found + [f"mixed run: {line}" for line in mixture(measured.timed)]


def _row(name: str, samples: Samples, arm: str, over: str) -> str:
    """A line of the ladder, as wide as a commit message may be."""
    us = 1e6 * estimate.median_seconds(samples, arm)
    ratio = "1" if arm == over else str(estimate.speedup(samples, arm, over))
    return f"  {name:<34}{us:>8.1f}{estimate.gbps(samples, arm):>7.2f}  {ratio}"


def _ladder(evidence: Evidence) -> dict:
    samples = evidence.samples("serial-ladder", "cold-cold")
    own, loop = samples.cell.own, samples.cell.baseline
    bulk, best = serial_ladder.one_call(samples), estimate.best_serial(samples)
    return {"rows": [_row(name, samples, arm, loop) for arm, name in _names(samples).items()],
            "loop": _loop(samples), "huge": samples.cell.option("huge"),
            "command": command(evidence),
            "unstable": estimate.contradicts_itself(samples),
            "state": labels.cache_label(samples), "gain": _said(estimate.speedup(
                samples, bulk, loop), f"one call of {own}", eras.told(loop)),
            "best": "" if best == bulk else _said(
                estimate.speedup(samples, best, loop),
                f"one call of {samples.cell.of(best).primitive}", "the same loop"),
            "head": f"  {'':<34}{'us':>8}{'GB/s':>7}  over the loop"}


def _loop(samples: Samples) -> str:
    """What all rows are over, with the functions of its kernel where one has it."""
    loop, era = samples.cell.baseline, eras.of(samples.cell.baseline)
    return eras.told(loop) if era is None else \
        f"the loop of Linux {era.kernel} ({era.functions}, which is {samples.cell.own} here)"


def _names(samples: Samples) -> dict[str, str]:
    """The arms of the ladder's rows, with what each is called."""
    own, loop = samples.cell.own, samples.cell.baseline
    names = {arm: _loop_name(arm) for arm in samples.cell.where(rule="page") if arm == loop
             or eras.of(arm) and samples.cell.of(arm).map.startswith("2017")}
    names[f"serial:page:{own}"] = f"the calls alone, {own}"
    for arm, needs in ((serial_ladder.one_call(samples), ""), (estimate.best_serial(samples), ""),
                       (estimate.best_serial(samples, ceiling=True), " (FPU state)")):
        names.setdefault(arm, f"one call, {samples.cell.of(arm).primitive}{needs}")
    return names


def _loop_name(arm: str) -> str:
    what, era = Variant.parse(arm), eras.of(arm)
    if era is None:
        return f"page by page, {what.primitive}"
    voluntary = ", voluntary" if what.map.endswith("voluntary") else ""
    return f"Linux {era.kernel} loop, {what.primitive}{voluntary}"


def command(evidence: Evidence) -> list[str]:
    """What measures the ladder again, over its first loop: the parts of a line for a
    shell, to be joined by spaces or, where that is too long, by a backslash and a new line."""
    samples = evidence.samples("serial-ladder", "cold-cold")
    loop = samples.cell.baseline
    return ["make -C ctools && ctools/pagecopy",
            f"--processes={samples.processes} --rounds={samples.cell.rounds}",
            loop, *(arm for arm in _names(samples) if arm != loop)]


def _said(ratio: Estimate, what: str, over: str) -> str:
    return f"{what} {verb(ratio)} {over}: {ratio}"


def _threads(measured: Measured) -> list[str]:
    """What is left for threads to gain, a line for each number of folios."""
    lines = []
    for samples in spread_cells(measured.cells.get("threads", [])):
        for dispatch, word in (("wake", "woken"), ("spin", "spinning")):
            if arms := teams.fastest(samples, dispatch):
                lines.append(_team_line(samples, word, *arms))
        if arms := teams.same_sequence(samples, "wake"):
            lines.append(_team_line(samples, "woken", *arms))
    return lines


def _flattery(measured: Measured) -> str:
    """By how much the choice of the fastest team flatters the rows above; empty without teams."""
    found = [teams.choice_flatters(samples, dispatch, best)
             for samples in spread_cells(measured.cells.get("threads", []))
             for best in [estimate.best_serial(samples)] for dispatch in ("wake", "spin")
             if teams.fastest_team(samples, dispatch, best)]
    return f" Picking the fastest flatters it by {max(found):z.2%} at most." if found else ""


def _nodes(measured: Measured) -> str:
    """Where the teams of the table run, if there is a choice."""
    if len(measured.machine["numa_nodes"]) < 2:
        return ""
    return " They use the CPUs of all NUMA nodes; those of what follows stay on one."


def _team_line(samples: Samples, word: str, arm: str, over: str) -> str:
    team, serial = samples.cell.of(arm), samples.cell.of(over)
    name = (f"{team.folios} folio{'s' * (team.folios > 1)}, {team.threads} {word}, "
            f"{team.primitive} / {serial.primitive}")
    return (f"  {name:<41}  {estimate.speedup(samples, arm, over)}"
            f"  {estimate.cpu_ratio(samples, arm, over).value:>5.2f}")


def _harm(evidence: Evidence) -> list[str]:
    """Who pays, in sentences; those that this run has no cells for are left out."""
    found = []
    for sentence in (_victims, _crowd, _late, _busy):
        with contextlib.suppress(Absent):
            found.append(sentence(evidence))
    return found


def _posted(samples: Samples) -> tuple[str, str]:
    """The label and the arm of the posted policy."""
    policy = teams.posted(samples)
    arm = teams.arm_of(samples, policy.id)
    if arm is None:
        raise Absent(f'the policy "{policy.label}" was skipped here')
    return policy.label, arm


def _victims(evidence: Evidence) -> str:
    losses = victim.losses(evidence.measured.cells.get("victim", []))
    if not losses:
        raise Absent("no victims")
    achieved = [victim.copies_per_second(loss.samples, loss.arm) for loss in losses]
    kept = [f"{loss.label} {loss.kept} ({loss.kept_beside_serial} beside one call of "
            f"{loss.serial_routine})" for loss in losses]
    return (f"Unrelated work on a worker's CPU keeps this share of its speed beside "
            f"{min(achieved):.0f} to {max(achieved):.0f} copies a second under the policy "
            f"\"{teams.posted(losses[0].samples).label}\", copying with {losses[0].routine}: "
            f"{'; '.join(kept)}.")


def _crowd(evidence: Evidence) -> str:
    samples = evidence.samples("concurrent", "2-migrators")
    label, arm = _posted(samples)
    ratio = teams.over_serial(samples, arm)
    best = samples.cell.of(estimate.best_serial(samples, arm)).primitive
    return _said(ratio, f"In total throughput, a pair of migrators under the policy \"{label}\", "
                 f"copying with {samples.cell.of(arm).primitive},",
                 f"a pair of single calls of {best}") + "."


def _late(evidence: Evidence) -> str:
    samples = evidence.samples("load", "200-percent")
    label, arm = _posted(samples)
    found = load.late_share(samples, *teams.arms_of(samples, teams.posted(samples).id))
    if found is None:
        raise Absent("no worker began")
    best = samples.cell.of(estimate.best_serial(samples, arm)).primitive
    return (f"With every CPU loaded twice over, under the policy \"{label}\", one call of {best} "
            "would have finished before the last worker started in this share of the copies that "
            f"any worker joined: {found}.")


def _busy(evidence: Evidence) -> str:
    samples = evidence.samples("load", "200-percent")
    arm = teams.the_arm(samples, load.ANY_CPU)
    what, best = (samples.cell.of(each).primitive
                  for each in (arm, estimate.best_serial(samples, arm)))
    mean, tail = (teams.tail_ratio(samples, arm, name) for name in ("mean", "p99"))
    return (f"Under the same load a copy with {what} by bound workers at nice 0 takes {mean} times "
            f"as long in the mean as one call of {best}, and {tail} times at the 99th percentile.")


def _kernel(evidence: Evidence) -> list[str]:
    """What the lab counted; empty where it has not run."""
    try:
        rungs, steps = (evidence.kernel_samples(e, "amd64") for e in ("ladder", "live"))
    except Absent:
        return []
    if not (rungs.cell.counted and steps.cell.counted):
        return []
    atomic, local = (ladder.cost(rungs, f"cost:kmap_{era}") for era in ("atomic", "local"))
    bulk = live.step_cost(steps, "huge:1", "bulk")
    team = live.step_cost(steps, "base:512", "highpri:2")
    return [f"In Linux {rungs.facts[0]['kernel']} mapping both pages of a copy takes {atomic:.0f} "
            f"instructions with kmap_atomic and {local:.0f} with kmap_local (counted in a virtual "
            "machine; counts say nothing about time).",
            "With one bulk copy in place of a loop of page copies by the same rep, move_pages() of "
            f"a huge page takes {abs(bulk):,.0f} {'fewer' if bulk < 0 else 'more'} instructions; "
            "with two workers of system_highpri_wq, move_pages() of a base page takes "
            f"{abs(team):,.0f} {'fewer' if team < 0 else 'more'}."]


def _machine(found: dict) -> list[str]:
    """Three lines."""
    return [", ".join((machine.cpu_name(found["cpu"]), machine.cpus(found),
                       machine.last_level(found), machine.where(found))),
            f"{found['memory_bytes'] / 2**30:.0f} GiB on {len(found['numa_nodes'])} NUMA node(s), "
            f"huge pages: {found['transparent_huge_pages']['enabled']}",
            f"Linux {found['kernel']['release']}, {found['compiler']}, "
            f"measured at commit {found['commit']}"]


def _verdicts(found: list[claims.Verdict]) -> list[str]:
    """The claims that were tested, in lines."""
    lines = []
    for verdict in found:
        if verdict.word not in claims.JUDGED:
            continue
        claim = verdict.claim
        lines.append(_wrapped(f"{claim.id} ({claim.who}): {claim.says}", "  ", "      "))
        if verdict.measured is None:
            lines.append(_wrapped(f"{verdict.word}: {verdict.why}", "      "))
            continue
        assert claim.holds      # it was measured, so it has a region
        low, high = claim.holds
        lines.append(f"      {verdict.word}: {verdict.measured}, region {low:g} to {high:g}")
        copied = f" ({' over '.join(verdict.routines)})" if verdict.routines else ""
        lines.append(_wrapped(f"measured{copied}: {claim.what}", "      "))
        if verdict.why != claim.band:
            lines.append(_wrapped(f"({verdict.why})", "      "))
    return lines
