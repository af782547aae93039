# SPDX-License-Identifier: MIT
"""Verdicts, coverage and the text: by intervals, from the data, and never by hand."""

import dataclasses
import json
import math
import re
import shutil
import subprocess
import tomllib

import numpy as np
import pytest

from artifact import eras, estimate, measured, paths, plan, published
from artifact.cells import Cell
from artifact.estimate import Estimate
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.policies import BY_ID
from artifact.problem import Problem
from artifact.questions import QUESTIONS
from artifact.samples import Samples
from artifact.verdicts import changelog, claims, demands, figures
from artifact.verdicts import tests as tested
from tests.conftest import a_host

RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))


@pytest.fixture(scope="module")
def everything():
    return measured.of(paths.run(f"recorded/{RECORDED[0]}"))


@pytest.fixture(scope="module")
def verdicts(everything):
    return claims.verdicts(everything)


@pytest.mark.parametrize("low, high, region, word", [
    (1.01, 1.2, (1, math.inf), "holds"), (0.9, 1.2, (1, math.inf), "inconclusive"),
    (0.8, 0.9, (1, math.inf), "does not hold"), (0.98, 1.03, (1, math.inf), "does not hold"),
    (0.98, 1.06, (1, math.inf), "inconclusive"), (1.0, 1.2, (1, math.inf), "inconclusive"),
    (0.5, 0.9, (0, 1), "holds"), (0.97, 1.02, (0, 1), "does not hold"),
    (0.8, 1.02, (0, 1), "inconclusive"), (1.1, 1.3, (0, 1), "does not hold"),
    (2.0, 3.0, (2, math.inf), "holds"), (1.9, 3.0, (2, math.inf), "inconclusive"),
    (1.0, 1.9, (2, math.inf), "does not hold"), (0.95, 1.05, (0.9, 1.1), "holds"),
    (0, 0, (0.01, math.inf), "does not hold"), (1, 1, (0.01, math.inf), "holds"),
    (1.001, 1.02, (1, math.inf), "does not hold"), (1.001, 1.06, (1, math.inf), "inconclusive"),
    (0.97, 0.999, (0, 1), "does not hold"), (0.94, 0.999, (0, 1), "inconclusive"),
    (0, 0.1, (0.01, math.inf), "inconclusive"), (1.05, 1.15, (0.9, 1.1), "inconclusive"),
    (1.15, 1.3, (0.9, 1.1), "does not hold")])
def test_a_verdict_is_where_the_whole_interval_lies(low, high, region, word):
    assert claims.decide(Estimate((low + high) / 2, low, high), region) == word


def test_every_claim_and_every_demand_is_there():
    assert [claim.id for claim in claims.published_claims()] == [
        *(f"C{n}" for n in range(1, 31)), "O1"]
    assert [demand.id for demand in demands.demands()] == [f"D{n}" for n in range(1, 53)]
    for claim in claims.published_claims():
        assert claim.who and claim.says and bool(claim.sources or claim.answers) != claim.ours
        assert not claim.test or claim.what and claim.band and claim.history
    for demand in demands.demands():
        assert demand.figures or demand.why


def test_published_ratios_are_those_of_the_published_figures():
    """None of them was typed without a row that it follows from."""
    figures = published.figures()

    def rows(source, variant, **where):
        chosen = (figures["source_id"] == source) & (figures["variant"] == variant)
        for column, wanted in where.items():
            chosen &= figures[column] == wanted
        return list(figures[chosen]["value"])

    def s12(size, threads, variant="mtcopy"):
        return rows("S12", variant, page_size_kib=size, threads=str(threads),
                    bytes_moved=float(1 << 30))
    huge = [rows("S01", f"{v}/huge-page", unit="ms") for v in ("thp-migration", "thp+mt-copy")]
    mc = [rows("S13", f"folio_mc_copy {v}") for v in ("per-page", "bulk")]
    zen3 = [rows("S13", f"folio_copy {v}") for v in ("per-page", "bulk")]
    found = {
        "C2": [b / a for a, b in zip(*mc)], "C3": [b / a for a, b in zip(*zen3)],
        "C6": [a / b for a, b in zip(s12(2048, 1), s12(2048, 1, "vanilla"))],
        "C7": [s12(2048, 8)[0] / s12(2048, 1, "vanilla")[0]],
        "C9": [rows("S11", "mtcopy, threads spread across CCDs", threads="8")[0]
               / rows("S11", "mtcopy, fill one CCD first", threads="8")[0]],
        "C11": [a / b for a, b in zip(*huge)]}
    stored = {claim.id: claim.ratio for claim in claims.published_claims() if claim.ratio}
    for key, ratios in found.items():
        assert (round(min(ratios), 2), round(max(ratios), 2)) == stored.pop(key), key
    assert set(stored) == {"C16", "C17"}    # of a CPU time and of a throughput in a mail's text


def test_every_figure_that_answers_a_demand_is_one_of_ours():
    sources = "".join((paths.NOTEBOOKS / f"{name}.ipynb").read_text() for name in QUESTIONS)
    ours = {name.rpartition(":")[2]
            for name in re.findall(r'notebook\.(?:figure|table)\(\\"([\w:+-]+)\\"', sources)}
    for demand in demands.demands():
        assert set(demand.figures) <= ours, demand.id


@pytest.mark.parametrize("region, measured, placed", [
    ((1.0, math.inf), (1.2, 1.1, 1.3), (0.05, 0.15, 0.25)),        # an ordering: from the margin on
    ((0.0, 1.0), (0.9, 0.8, 1.0), (-0.05, 0.05, 0.15)),
    ((0.0, 1.0), (0.02, 0.01, 0.03), (0.92, 0.93, 0.94)),          # 0 is no edge
    ((0.5, math.inf), (-0.1, -0.3, 0.1), (-0.8, -0.6, -0.4)),      # or less than 0
    ((0.9, 1.1), (1.2, 0.8, 1.3), (-0.2, -0.1, 0.1)),              # the middle is in the interval
])
def test_the_figure_of_claims_tells_how_far_inside_its_region_each_is(region, measured, placed):
    found = figures._placed(Estimate(*measured), figures._edges(region))
    assert found == pytest.approx(placed)


def test_outside_of_its_domain_a_claim_is_not_applicable_and_says_why(verdicts):
    for verdict in verdicts:
        needs = verdict.claim.needs
        if needs.get("cpus", 0) > 2 or needs.get("nodes", 0) > 1:
            assert verdict.word == "not applicable" and "needs" in verdict.why
        if verdict.word == "cited only":
            assert not verdict.claim.test and verdict.why


def made_up(experiment, label, times, cpu=1.0, options=()):
    """Samples of arms that take so long, the baseline first; teams use so much CPU time."""
    serial = next(iter(times))
    cell = Cell(experiment, label, (*options, "--rounds=5"), tuple(times), 12)
    rng = np.random.default_rng(4)
    made = {arm: times[name] * np.exp(rng.normal(0, 0.01, (12, 5))) for arm, name in cell.arms.items()}
    return Samples(cell, made, {arm: cpu * made[serial] if arm.startswith("parallel") else
                                made[arm] for arm in made}, {}, {}, dict.fromkeys(made, 1 << 25), {},
                   [{"huge_share": 1.0}] * 12)


def evidence(*cells, machine=None):
    """A run of such cells, and of nothing else."""
    run = Measured(None, Plan(tuple(each.cell for each in cells)),
                   {each.cell.id: each for each in cells})
    run.machine = machine
    return tested.Evidence(run)


def threads_cell(label, cpus, seconds, cpu=1.0):
    """Serial takes 1; teams of 2, 4 and 8 take what is said."""
    teams = {f"parallel:bulk:movsq:threads={n}:folios=16": each
             for n, each in zip((2, 4, 8), seconds)}
    return made_up("threads", label, {"serial:bulk:movsq:folios=16": 1.0, **teams}, cpu,
                   (f"--cpus={cpus}",))


def judged(claim_id, found):
    """The verdict on a claim by made-up evidence."""
    claim, = (claim for claim in claims.published_claims() if claim.id == claim_id)
    return claims._verdict(claim, found)


def factorial_cell(bulk, threads):
    """Serial bulk and spinning threads over the loop, in so much of its time."""
    return made_up("factorial", "1-folio", {
        "serial:page:movsq:map=2017": 1.0, "serial:bulk:movsq": bulk,
        "parallel:bulk:movsq:threads=2": 2.0, "parallel:bulk:movsq:threads=2:dispatch=spin": threads})


@pytest.mark.parametrize("bulk, threads, word", [
    (0.75, 0.64, "holds"), (0.99, 0.8, "does not hold"),
    (0.75, 1.0, "holds"),           # a gain that threads add nothing to: no guard, no division
    (1.0, 1.0, "does not hold"),
    (1.0, 1.3, "premise absent")])  # half of a loss is less than nothing
def test_batching_is_most_of_the_gain_where_it_is_more_than_half(monkeypatch, bulk, threads, word):
    monkeypatch.setattr(claims, "_missing", lambda *_: "")
    verdict = judged("C1", evidence(factorial_cell(bulk, threads)))
    assert verdict.word == word and f"{1 / threads:.2f}"[:3] in verdict.why
    if verdict.measured:
        assert verdict.measured.value == pytest.approx(threads ** 0.5 / bulk, rel=0.02)


def test_what_lacks_its_premise_says_so_with_the_number_and_has_no_ratio(monkeypatch):
    monkeypatch.setattr(claims, "_missing", lambda *_: "")
    verdict = judged("C13", evidence(made_up("posted", "100-percent", {
        "serial:bulk:movsb": 1.0, "parallel:bulk:movsb:model=2017": 1.6})))
    assert verdict.word == "premise absent" and verdict.measured is None and verdict.cells
    assert "no speed-up to lose: with high priority 0.6" in verdict.why
    line, last = claims.table([verdict])[1:]
    assert "premise absent" in line and verdict.why in line and "1 lacks its premise here" in last
    told = "\n".join(changelog._verdicts([verdict]))
    assert "premise absent: there is no speed-up to lose" in told


def test_priority_is_judged_by_arms_that_differ_in_nothing_else():
    high, normal = (dataclasses.asdict(Cell("posted", "", ("--cpus=0,1",), (arm,), 1).of(arm))
                    for arm in (f"parallel:bulk:movsb:{BY_ID[policy].options}"
                                for policy in ("2017", "2017-nice-0")))
    assert {key for key in high if high[key] != normal[key]} == {"text", "given", "priority"}


def busy_cell(usual, every):
    """Copies by a team that take so much of a serial one's time, and one in so many of them
    eight times as much; none if 0."""
    cell = made_up("posted", "200-percent", {"serial:bulk:movsb": 1.0,
                                             "parallel:bulk:movsb:model=2025:threads=2": usual})
    arm = cell.cell.variants[1]
    slow = cell.seconds[arm].copy()
    if every:
        slow.ravel()[::every] *= 8
    return dataclasses.replace(cell, seconds={**cell.seconds, arm: slow})


@pytest.mark.parametrize("usual, every, word", [
    (0.7, 20, "holds"),             # faster by the median and in the mean
    (1.0, 0, "does not hold"), (0.7, 0, "does not hold"), (1.2, 0, "holds")])
def test_what_is_worse_in_its_tail_is_worse(monkeypatch, usual, every, word):
    monkeypatch.setattr(claims, "_missing", lambda *_: "")
    samples = busy_cell(usual, every)
    verdict = judged("C22", evidence(samples))
    assert verdict.word == word and verdict.measured
    # What is shown is what decides, so that it lies where the verdict says.
    assert (verdict.measured.low > 1.05) == (word == "holds")
    assert all(name in verdict.why for name in ("mean", "p95", "p99"))
    assert verdict.why in claims.table([verdict])[1]


def late_cell(arms, waits):
    """Each arm's copies wait so long for their last worker, in seconds, in every process."""
    cell = made_up("load", "200-percent", {"serial:bulk:movsb": 1.0, **dict.fromkeys(arms, 2.0)})
    return dataclasses.replace(cell, channels={
        arm: {"wait": [np.array(waits)] * 12} if arm in arms else {} for arm in cell.seconds})


@pytest.mark.parametrize("waits, word, said", [
    ([0.1] * 199 + [1.5], "holds", "36 of 7200 copies, in 12 of 12 processes"),
    ([0.1] * 200, "does not hold", "0 of 7200 copies, in 0 of 12 processes"),
    ([0.1] * 20, "inconclusive", "0 of 720 copies")])
def test_a_wait_that_may_exceed_a_copy_is_told_from_never_and_how_often(monkeypatch, waits, word, said):
    """All arms of the posted policy count, and no other's."""
    monkeypatch.setattr(claims, "_missing", lambda *_: "")
    arms = [f"parallel:bulk:{routine}:model=2017:observe=phases"
            for routine in ("movsb", "movnti", "nt-avx2")]
    other = "parallel:bulk:movsb:model=2025:threads=2:observe=phases"
    samples = late_cell([*arms, other], waits)
    samples.channels[other]["wait"] = [np.array([9.0])] * 12
    verdict = judged("C14", evidence(samples))
    assert verdict.word == word and said in verdict.why


def test_the_planned_copies_can_tell_one_in_a_thousand_from_never():
    """The reason for the region of C14: had none of them waited so long, it would not hold."""
    cell, = (cell for cell in QUESTIONS["03-dispatch"].plan(
        a_host(), QUESTIONS["03-dispatch"].parameters()).cells
        if (cell.experiment, cell.label) == ("load", "200-percent"))
    arms = sum(variant.startswith("parallel") and cell.policy(variant).id == "2017"
               for variant in cell.variants)
    none = estimate.rate(np.zeros(cell.processes), np.full(cell.processes, cell.rounds * arms))
    claim, = (claim for claim in claims.published_claims() if claim.id == "C14")
    assert claims.decide(none, claim.holds) == "does not hold"


@pytest.mark.parametrize("flags, said", [
    (["erms", "fsrm", "rep_good"], "erms and fsrm shown: memcpy() is rep movsb here"),
    (["rep_good"], "erms and fsrm hidden or lacking: memcpy() is memcpy_orig() here"),
    (["erms"], "erms shown and fsrm hidden or lacking: memcpy() is memcpy_orig() here")])
def test_the_flags_that_decide_what_memcpy_is_are_told(flags, said):
    ladder = made_up("serial-ladder", "cold-cold", {
        "serial:page:movsb:map=2026": 1.0, "serial:page:movsq:map=2026": 1.0,
        "serial:bulk:unrolled": 1.1})
    found = tested.unrolled_bulk(evidence(ladder, machine={"cpu": {"flags": flags}}))
    assert found.reason.startswith(said)


@pytest.mark.parametrize("cores, word", [(1, "not applicable"), (2, "holds")])
def test_cpu_time_is_judged_on_two_cores_alone(cores, word):
    machine = {"cpu": {"cores": cores, "usable": 2, "flags": []}, "caches": [], "numa_nodes": {}}
    verdict = judged("C23", evidence(threads_cell("spread-16-folio", "0,1", (0.6, 0.6, 0.6)),
                                     machine=machine))
    assert verdict.word == word and (cores == 2 or verdict.why == "needs 2 cores, here 1")


def test_our_own_question_is_credited_to_nobody_and_counted_apart(verdicts):
    assert verdicts[-1].claim.who == "this package" and verdicts[-1].claim.ours
    assert claims.tally(verdicts).startswith("Of 30 claims, ")
    word = claims.SINGULARS[verdicts[-1].word]
    assert claims.tally(verdicts).endswith(f"; O1, which is our own, {word}")


def commits():
    """Those that changed the file of claims: date and hash, the claims before and after."""
    def git(*arguments):
        return subprocess.run(["git", "-C", paths.ROOT, *arguments], capture_output=True, text=True)
    file = "data/published/claims.toml"
    if not (paths.ROOT / ".git").exists() or \
            git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("no whole git history here")
    found = git("log", "--reverse", "--no-merges", "--format=%H %as", "--", file)
    for line in found.stdout.splitlines():
        commit, date = line.split()
        before, after = (tomllib.loads(git("show", f"{each}:{file}").stdout)
                         for each in (f"{commit}^", commit))
        yield f"{date} {commit[:7]}", before, after


def test_no_region_was_set_or_changed_without_its_history_saying_when():
    """All of them after the first run. A commit does not know its own hash."""
    told = {claim.id: {entry.partition(":")[0] for entry in claim.history}
            for claim in claims.published_claims()}
    seen = 0
    for commit, before, after in commits():
        for key, claim in after.items():
            if any(before.get(key, {}).get(field) != claim.get(field)
                   for field in ("holds", "test", "needs")) and (claim.get("test") or key in before):
                seen += 1
                assert {commit, commit[:10]} & told[key], f"{key} was changed by {commit}"
    assert seen >= 20
    for claim in claims.published_claims():
        assert all(re.match(r"2026-\d\d-\d\d( [0-9a-f]{7})?: \S", entry) for entry in claim.history)


def test_what_was_changed_is_confirmed_by_the_run_that_was_not_known_then():
    """That of the Zen 3 guest, family 25 and model 1."""
    unknown = [run for name in paths.recorded_runs()
               if (run := measured.of(paths.run(name))).machine["cpu"]["family_model_stepping"]
               .startswith("25/1/")]
    if not unknown:
        pytest.skip("no run of a Zen 3 is recorded here")
    for verdict in claims.verdicts(unknown[0]):
        word = verdict.word if verdict.claim.history and verdict.word in claims.JUDGED else ""
        assert word == verdict.claim.confirmed, verdict.claim.id


@pytest.mark.parametrize("old, new, plain, lost, worse", [
    (0.5, 1.5, 1.0, "holds", "holds"),          # 2017 gains, which nice 0 loses; 2025 loses
    (0.5, 0.5, 0.5, "does not hold", "does not hold"),
    (1.0, 1.0, 1.6, "inconclusive", "does not hold"),      # no clear gain that could be lost
    (1.2, 1.0, 1.6, "premise absent", "does not hold"),    # and clearly none
])
def test_the_posted_series_are_judged_by_their_own_claims(monkeypatch, old, new, plain, lost, worse):
    def cell(label, **times):
        arms = {"old": "model=2017", "new": "model=2025:threads=2",
                "plain": "model=2017:priority=normal"}
        return made_up("posted", label, {"serial:bulk:movsb": 1.0, **{
            f"parallel:bulk:movsb:{arms[key]}": time for key, time in times.items()}})
    found = evidence(cell("100-percent", old=old, new=9.0, plain=plain),
                     cell("200-percent", old=9.0, new=new, plain=9.0))
    monkeypatch.setattr(claims, "_missing", lambda *_: "")
    assert (judged("C13", found).word, judged("C22", found).word) == (lost, worse)


def test_placements_are_compared_only_with_teams_that_they_place_differently():
    """Four cores of two threads, two to a last-level cache; with 8 threads all are the same."""
    cells = {"spread-16-folio": threads_cell("spread-16-folio", "0,2,1,3,4,6,5,7", (0.5, 0.3, 0.2)),
             "packed-16-folio": threads_cell("packed-16-folio", "0,1,2,3,4,5,6,7", (0.75, 0.3, 0.2)),
             "sibling-16-folio": threads_cell("sibling-16-folio", "0,4,1,5,2,6,3,7", (0.9, 0.6, 0.2))}
    eight = {"cpu": {"cores": 4, "usable": 8}, "caches": [{"shared_by_cpus": 4}]}
    found = evidence(*cells.values(), machine=eight)
    assert tested.spread_over_packed(found).measured.value == pytest.approx(1.5, rel=0.02)
    assert tested.spread_over_siblings(found).measured.value == pytest.approx(2, rel=0.02)
    alike = threads_cell("packed-16-folio", "0,2,1,3,4,6,5,7", (0.5, 0.3, 0.2))
    with pytest.raises(tested.Absent, match="same CPUs"):
        tested.spread_over_packed(evidence(cells["spread-16-folio"], alike, machine=eight))


def test_the_price_of_speed_is_cpu_time_over_speed():
    samples = threads_cell("spread-16-folio", "0,1,2,3", (0.9, 0.5, 0.6), cpu=1.5)
    assert tested.price_of_speed(evidence(samples)).measured.value == pytest.approx(0.75, rel=0.02)


@pytest.mark.parametrize("slower, word", [
    (1.3, "holds"), (1.0, "does not hold"), (0.7, "does not hold")])
def test_pulling_is_faster_than_pushing_or_not(monkeypatch, slower, word):
    """By the team that pulls the fastest; how the other one and serial copies do is not asked."""
    def cell(place, old, new, serial):
        return made_up("nodes", place, {"serial:bulk:movsb": serial, "serial:bulk:movnti": 0.1,
                                        "parallel:bulk:movsb:model=2017": old,
                                        "parallel:bulk:movsb:model=2025:threads=4": new},
                       options=("--cpus=4,5,6,7",))
    monkeypatch.setattr(claims, "_missing", lambda *_: "")
    claim, = (claim for claim in claims.published_claims() if claim.id == "C15")
    pull, push = cell("pull", 0.5, 0.4, 1.0), cell("push", 0.05, 0.4 * slower, 9.0)
    verdict = claims._verdict(claim, evidence(pull, push))
    assert verdict.word == word and verdict.measured.value == pytest.approx(slower, rel=0.02)
    assert verdict.cells == (pull.cell.id, push.cell.id)
    none = claims._verdict(claim, evidence(pull))
    assert none.word == "not applicable" and "nodes push" in none.why


@pytest.mark.parametrize("value, low, high, region, edge", [
    (1.3, 1.2, 1.4, (1, math.inf), False),      # a repeat may find 1.2 [1.1, 1.3]
    (1.12, 1.05, 1.2, (1, math.inf), True), (0.9, 0.85, 0.95, (1, math.inf), False),
    (1.01, 0.98, 1.04, (1, math.inf), True), (0.02, 0.01, 0.03, (0, 1), False),
    (1.0, 0.97, 1.03, (0.95, 1.10), True), (1.02, 1.0, 1.04, (0.95, 1.10), False),
    (1.0, 0.8, 1.3, (1, math.inf), True), (0.02, 0.01, 0.03, (0.001, math.inf), True)])
def test_a_verdict_is_at_its_edge_where_a_repeat_may_be_given_another(value, low, high, region, edge):
    assert claims.at_edge(Estimate(value, low, high), region) == edge


def test_a_verdict_at_its_edge_says_so_wherever_it_is_told(monkeypatch):
    monkeypatch.setattr(claims, "_missing", lambda *_: "")
    claim, = (claim for claim in claims.published_claims() if claim.id == "C6")
    told = {}
    for ratio in (0.965, 1.02):
        cell = made_up("one-worker", "16-folio", {
            "serial:bulk:movsb:folios=16": 1.0,
            "parallel:bulk:movsb:threads=1:caller=waits:folios=16": 1 / ratio})
        verdict = claims._verdict(claim, evidence(cell))
        assert verdict.word == "holds"
        told[ratio] = verdict.why, "\n".join(claims.table([verdict])), verdict
    assert claims.EDGE in told[0.965][0] and claims.EDGE in told[0.965][1]
    assert told[0.965][2].at_edge and not told[1.02][2].at_edge
    assert told[1.02][0] == claim.band and claims.EDGE not in told[1.02][1]


def test_a_cell_without_huge_pages_never_decides(everything):
    one = everything.find("one-worker", "16-folio")
    assert claims.doubt(one) == ""
    without = dataclasses.replace(one, facts=[*one.facts[1:], {**one.facts[0], "huge_share": 0.5}])
    assert "huge pages" in claims.doubt(without)


def test_a_cell_that_contradicts_itself_never_decides(everything, monkeypatch):
    monkeypatch.setattr(estimate, "contradicts_itself", lambda samples: True)
    words = {v.word for v in claims.verdicts(everything) if v.cells and v.claim.id != "C21"}
    assert words == {"inconclusive"}


def test_a_cell_that_is_not_sharp_decides_what_its_intervals_can():
    """Of four processes, and far from the sharpness of its own check."""
    few = threads_cell("spread-16-folio", "0,1,2,3", (0.9, 0.5, 0.6))
    few = dataclasses.replace(few, cell=dataclasses.replace(few.cell, resolution=1e-9))
    assert not estimate.is_stable(few) and claims.doubt(few) == ""


def test_an_older_run_without_the_posted_series_is_answered_too(everything):
    question = QUESTIONS["05-interference"]
    asked = plan.read(everything.run).own["05-interference"].plan
    without = Plan(tuple(cell for cell in asked.cells if cell.experiment != "posted"))
    now, older = (question.answer(everything.part(cells), question.parameters()).sentence
                  for cells in (asked, without))
    assert "The series against one call of" in now and "The series against" not in older


def test_a_loop_that_no_kernel_has_is_told_as_what_it_is(everything, verdicts, monkeypatch):
    """As on a CPU for which there are no routines but the portable ones."""
    monkeypatch.setattr(eras, "known", dict)
    text = " ".join(changelog.text(everything, verdicts).split())
    assert "over a page-by-page loop (movsb): us" in text and "page by page, movsb" in text


def test_a_demand_has_its_figures_or_the_reason():
    rows = demands.coverage({"recovery"}, {"energy per GiB": "no counters"})
    found = {demand.id: answer for demand, answer in rows}
    assert found["D8"] == "recovery; not drawn here: victim"
    assert "energy per GiB: no counters" in found["D19"] and "idle states" in found["D19"]
    assert "patch's to bring" in found["D24"]


def test_the_text_is_ascii_and_survives_a_mail(everything, verdicts):
    text = changelog.text(everything, verdicts)
    assert text.isascii() and max(map(len, text.splitlines())) <= changelog.COLUMNS
    assert not any(line != line.rstrip() or "\t" in line for line in text.splitlines())
    for words in ("for the commit message", "Test case:", "ctools/pagecopy", "make reproduce",
                  "What was not shown"):
        assert words in text


def test_the_texts_numbers_are_those_of_the_cells(everything, verdicts):
    from artifact import estimate

    text = changelog.text(everything, verdicts)
    samples = everything.find("serial-ladder", "cold-cold")
    own = samples.cell.own
    arm, loop = f"serial:bulk:{own}", samples.cell.baseline
    line, = [line for line in text.splitlines() if re.match(rf"  one call, {own} +\d", line)]
    assert f"{estimate.gbps(samples, arm):.2f}" in line
    ratio = estimate.speedup(samples, arm, loop)
    assert f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]" in line
    for verdict in verdicts:
        if verdict.measured:
            assert f"{verdict.word}: {verdict.measured.value:z.3f}" in text


def test_pagecopy_and_the_text_agree_to_the_digit(pagecopy, tmp_path, monkeypatch):
    """The C program's own text and ours, from the very same samples."""
    from artifact import cells, ctools

    file = tmp_path / "samples"
    own = ctools.listed()["copy_page"]
    arms = [f"serial:page:{own}:map=2026", f"serial:page:{own}:map=2017", f"serial:bulk:{own}",
            "serial:bulk:libc"]
    status, text, said = pagecopy("--huge=256K", "--pairs=32", "--backing=auto", "--processes=13",
                                  "--rounds=8", f"--samples={file}", *arms)
    assert (status, said) == (0, [])
    told = [json.loads(line) for line in file.read_text().splitlines()]
    monkeypatch.setattr(cells, "REPLICAS", ("",))
    monkeypatch.setattr("artifact.estimate.REPLICAS", ("",))
    cell = Cell("test", "made", ("--huge=256K", "--rounds=8"), tuple(arms), 13)
    seconds = {name: np.array([process["arms"][i]["ns"] for process in told]) / 1e9
               for i, name in enumerate(arms)}
    samples = Samples(cell, seconds, {}, {}, {}, dict.fromkeys(arms, 256 << 10), {}, [])
    for arm in arms:
        row = changelog._row("", samples, arm, arms[0]).split()
        theirs = text.split(f"\n{arm}\n")[1].splitlines()[0]
        assert theirs.split()[0] == row[0] and theirs.split()[2] == row[1], (theirs, row)
        if arm != arms[0]:
            numbers = [float(n) for n in re.findall(r"\d+\.\d{3}", theirs)]
            ours = [float(n) for n in re.findall(r"\d+\.\d{3}", " ".join(row[2:]))]
            assert numbers == pytest.approx(ours, abs=0.00101), (theirs, row)
            assert numbers[0] == ours[0]


def test_checkpatch_has_nothing_to_say_about_the_message(everything, verdicts, tmp_path):
    checkpatch = shutil.which("checkpatch.pl") or shutil.which("checkpatch")
    if not checkpatch:
        pytest.skip("checkpatch is not installed")
    message = changelog.text(everything, verdicts).split("== for the cover letter ==")[0]
    patch = tmp_path / "0001.patch"
    patch.write_text("From: A <a@example.org>\nSubject: [PATCH] mm: copy in one call\n\n" + message)
    done = subprocess.run([checkpatch, "--no-tree", "--ignore", "MISSING_SIGN_OFF", patch],
                          capture_output=True, text=True)
    assert "COMMIT_LOG_LONG_LINE" not in done.stdout, done.stdout


WELL = 'who = "a"\nwhen = "b"\nsays = "c"\n'
TEST = 'test = "cpu_time"\nholds = '


@pytest.mark.parametrize("spoilt, why", [
    (WELL + 'test = "no_such_test"\nholds = [1, 2]',
     "unknown test 'no_such_test'; choose from batching_over_half, movsb_extent, own_extent"),
    (WELL + 'test = "cpu_tme"\nholds = [1, 2]', "unknown test 'cpu_tme'; did you mean cpu_time?"),
    (WELL + 'test = 5\nholds = [1, 2]', "test = 5 is no text"),
    (WELL + 'test = "cpu_time"', "holds is no region"),
    (WELL + TEST + "[2, 1]", "holds is no region"), (WELL + TEST + "[1]", "holds is no region"),
    (WELL + TEST + "[1, nan]", "holds is no region"), (WELL + TEST + '["1", 2]', "holds is no region"),
    (WELL + 'why = "w"\nratio = [1]', "ratio is no region"),
    (WELL, "neither a test nor a reason"),
    (WELL + 'why = "w"\nneeds = { cpu = 2 }', "unknown need 'cpu'; did you mean cpus?"),
    (WELL + 'why = "w"\nsources = ["S99"]', "unknown source 'S99'"),
    (WELL + 'why = "w"\nsources = "S01"', "sources = 'S01' is no list"),
    (WELL + 'why = "w"\nanswers = [1]', "unknown source '1'"),
    (WELL + 'tset = "cpu_time"', "unknown field 'tset'; did you mean test?"),
    ('who = "a"\nsays = "c"\nwhy = "w"', "no 'when'")])
def test_a_claim_that_cannot_be_judged_is_told_exactly(spoilt, why, tmp_path, monkeypatch):
    broken = tmp_path / "claims.toml"
    broken.write_text(f"[C1]\n{spoilt}\n")
    monkeypatch.setattr(claims, "FILE", broken)
    claims.published_claims.cache_clear()
    try:
        with pytest.raises(Problem) as raised:
            claims.published_claims()
    finally:
        claims.published_claims.cache_clear()
    assert f"claim C1 in {broken}: {why}" in str(raised.value) and raised.value.status == 4


def test_a_machine_with_odd_names_leaves_the_text_plain(everything, verdicts, monkeypatch):
    cpu = everything.machine["cpu"]
    record = {**everything.machine, "cpu": {**cpu, "model": "Core\u2122 $\\frac " * 9}}
    monkeypatch.setattr(everything, "machine", record)
    text = changelog.text(everything, verdicts)
    assert text.isascii() and max(map(len, text.splitlines())) <= changelog.COLUMNS


def test_a_run_without_teams_or_lab_has_its_text_and_verdicts_too(everything):
    """As on one CPU without QEMU: what was not measured is left out or not applicable."""
    serial = everything.part(Plan(tuple(
        cell for cell in everything.plan.cells
        if cell.experiment in ("serial-ladder", "map-cost", "extent"))))
    found = claims.verdicts(serial)
    assert {v.claim.id for v in found if v.measured} == {"C2", "C3", "O1"}
    text = changelog.text(serial, found)
    assert "nothing was measured: one CPU" in text and "Unrelated work" not in text
