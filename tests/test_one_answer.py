# SPDX-License-Identifier: MIT
"""One answer everywhere: what a run says of two arms, it says in every text alike."""

import dataclasses
import re
from collections import defaultdict

import pytest

from artifact import answer, estimate, headline, measured, paths, planning, teams
from artifact.estimate import Estimate
from artifact.experiments import dispatch, load
from artifact.experiments.victim import ALONE
from artifact.verdicts import changelog, claims
from artifact.verdicts.tests import Evidence

RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))
RATIO = re.compile(r"-?\d+\.\d+ \[-?\d+\.\d+, -?\d+\.\d+\]")


@dataclasses.dataclass(frozen=True)
class Computed:
    """A ratio of two arms, as some text asked for it: kind says of what."""

    kind: str
    cell: object
    arm: str
    over: str
    ratio: Estimate

    @property
    def value(self):
        """Of either direction."""
        found = self.ratio.value if self.arm < self.over else 1 / self.ratio.value
        return f"{found:.6g}"


def spied(monkeypatch, everything):
    """All ratios that are computed from now on."""
    found = []

    def spy(name, kind):
        original = getattr(estimate, name)

        def asked(samples, arm, over, *more):
            ratio = original(samples, arm, over, *more)
            # Else a copy of the samples with other times, which is another question.
            if samples is everything.find(samples.cell.experiment, samples.cell.label):
                found.append(Computed(kind(*more), samples.cell, arm, over, ratio))
            return ratio
        monkeypatch.setattr(estimate, name, asked)
    spy("speedup", lambda: "time")
    spy("cpu_ratio", lambda: "CPU time")
    spy("pooled_ratio", lambda statistic: "time" if statistic is teams.JUDGED["mean"] else
        next(name for name, each in teams.JUDGED.items() if each is statistic))
    return found


@pytest.fixture(scope="module", params=RECORDED)
def told(request):
    """The texts of a recorded run by name, each on one line, and the ratios they are made of."""
    everything = measured.of(paths.run(f"recorded/{request.param}"))
    evidence = Evidence(everything)
    with pytest.MonkeyPatch.context() as monkeypatch:
        computed = spied(monkeypatch, everything)
        verdicts = claims.verdicts(everything)
        cover = changelog.text(everything, verdicts).partition("== for the cover letter ==")
        harm, _, judged = cover[2].partition("Published claims")
        answers = planning.answered(everything).values()
        texts = {
            "answers": [each.sentence for each in answers],
            "headlines": [str(ratio) for each in answers for ratio in each.headlines.values()],
            "cards": [f"{card.ratio} {card.sentence}" for card in headline.cards(evidence)],
            "picture": [headline.described(headline.rows(evidence))],
            "idle CPUs": load.idle_picks(everything.cells["load"]).to_numpy().ravel().tolist(),
            "claims": claims.table(verdicts), "commit message": [cover[0]], "cover letter": [harm],
            "changelog's claims": [judged]}
    plain = {name: " ".join(" ".join(text).split()).replace("x [", " [")
             for name, text in texts.items()}
    return everything, plain, [each for each in computed if str(each.ratio) in " ".join(plain.values())]


def test_two_arms_of_a_cell_have_one_ratio(told):
    """Not a median here, and a mean there."""
    found = defaultdict(set)
    for each in told[2]:
        found[each.kind, each.cell.id, frozenset((each.arm, each.over))].add(each.value)
    assert len(found) > 30
    assert not {key: values for key, values in found.items() if len(values) > 1}


def test_a_team_is_compared_with_one_serial_copy_beside_its_own(told):
    found = defaultdict(set)
    for each in told[2]:
        cell, (serial, *_) = each.cell, sorted((each.arm, each.over), key=lambda arm: (
            not arm.startswith("serial:"), arm))
        if cell.of(each.arm).parallel and cell.of(serial).primitive != cell.own:
            found[cell.id, cell.of(serial).work].add(serial)
    assert found and not {key: arms for key, arms in found.items() if len(arms) > 1}


def test_a_victim_is_looked_at_beside_one_serial_copy(told):
    found = defaultdict(set)
    for each in told[2]:
        if each.over == ALONE and not each.cell.of(each.arm).parallel:
            found[each.cell.label].add(each.arm)
    assert {"integer", "l2", "llc", "stream"} <= set(found)
    assert not {label: arms for label, arms in found.items() if len(arms) > 1}


def test_the_figure_of_an_empty_job_ends_where_the_answer_says(told):
    for samples in told[0].cells["dispatch"]:
        for arm in teams.teams(samples, primitive="empty"):
            said = 1e6 * dispatch.empty_job_seconds(samples, samples.cell.policy(arm).id)
            assert dispatch.moments_us(samples, arm)[-1] == pytest.approx(said, rel=1e-3)


def test_every_ratio_has_as_many_digits(told):
    for name, text in told[1].items():
        for ratio in RATIO.findall(text):
            assert re.fullmatch(r"-?\d+\.\d{3} \[-?\d+\.\d{3}, -?\d+\.\d{3}\]", ratio), (name, ratio)


def test_the_cover_letter_says_what_the_answers_say(told):
    """To the digit, but for a share that these have in percent, and a percentile that a
    figure has."""
    everything, texts, _ = told
    samples = everything.find("load", "200-percent")
    posted, woken = teams.arms_of(samples, teams.posted(samples).id), \
        teams.the_arm(samples, load.ANY_CPU)
    elsewhere = {str(load.late_share(samples, *posted)), str(teams.tail_ratio(samples, woken, "p99"))}
    for name in ("answers", "headlines"):
        elsewhere |= {*RATIO.findall(texts[name])}
    ratios = RATIO.findall(texts["cover letter"])
    assert len(ratios) > 15 and set(ratios) <= elsewhere


@pytest.mark.parametrize("ratio, word, verb", [
    (Estimate(1.2, 1.1, 1.3), "faster", "is faster than"),
    (Estimate(1.03, 1.01, 1.05), "barely faster", "is barely faster than"),
    (Estimate(0.97, 0.95, 0.99), "barely slower", "is barely slower than"),
    (Estimate(0.5, 0.4, 0.6), "slower", "is slower than"),
    (Estimate(1.2, 0.9, 1.5), "no clear difference", "is indistinguishable from")])
def test_a_ratio_has_the_same_word_in_a_card_an_answer_and_the_changelog(ratio, word, verb):
    assert answer.word(ratio) == headline._card("What", ratio, "").word == word
    assert answer.verb(ratio) == verb
    assert changelog._said(ratio, "One", "the other") == f"One {verb} the other: {ratio}"
