# SPDX-License-Identifier: MIT
"""The numbers of notebooks 03 to 06, on samples whose truth is known."""

import dataclasses
import math
import re

import numpy as np
import pytest

from artifact import drawing, estimate, labels, teams
from artifact.cells import CALLER_CPU, REPLICAS, TWIN, WORKERS_CPU, Cell
from artifact.estimate import Estimate
from artifact.experiments import (
    batch,
    break_even,
    charge,
    concurrent,
    dispatch,
    extent,
    idle_scan,
    load,
    next_reader,
    nodes,
    victim,
)
from artifact.experiments.victim import ALONE
from artifact.measured import Measured
from artifact.plan import Plan
from artifact.policies import POLICIES, policy_of
from artifact.questions import QUESTIONS, n05_interference
from artifact.samples import Samples
from artifact.variant import Variant

SERIAL, STREAM = "serial:bulk:movsb", "serial:bulk:movnti"
TEAM = "parallel:bulk:movnti:caller=works:threads=2"


def made(seconds, channels=None, counts=None, options=(), processes=16, rounds=12):
    """A cell in which each arm takes so many seconds, give or take 2 %."""
    rng = np.random.default_rng(5)
    first, *others = seconds
    cell = Cell("test", "made", ("--huge=2M", "--base=4K", f"--rounds={rounds}", *options),
                tuple(seconds), processes)

    def times(value):
        return value * np.exp(rng.normal(0, 0.02, (processes, rounds)))
    arms = {first + again: times(seconds[first]) for again in (*REPLICAS, TWIN)}
    arms |= {arm: times(seconds[arm]) for arm in others}
    return Samples(cell, arms, {}, {arm: (channels or {}).get(arm, {}) for arm in arms},
                   {arm: (counts or {}).get(arm, {}) for arm in arms},
                   {arm: cell.of(arm).copied * cell.of(arm).migrators for arm in arms}, {},
                   [{"huge_share": 1.0}] * processes)


def test_a_policy_is_found_by_its_options_and_no_other():
    for policy in POLICIES:
        variant = f"parallel:bulk:libc:{policy.options.format(chunk='64K')}"
        for more in ("", ":threads=2", ":threads=2:bytes=4K:observe=phases:folios=3:migrators=2"):
            assert policy_of(Variant.parse(variant + more)) is policy
    for other in (SERIAL, "parallel:bulk:libc:affinity=unbound"):
        with pytest.raises(KeyError):
            policy_of(Variant.parse(other))


@pytest.mark.parametrize("ratios, found", [
    ([0.5, 1.0 / 0.5, 3], 2 ** 12.5), ([2, 3, 4], 0.0), ([0.2, 0.3, 0.9], math.inf),
    # Above at first, below again: only what stays above counts.
    ([1.5, 0.5, 2.0], 2 ** 13.5)])
def test_break_even_is_where_the_curve_stays_above_1(ratios, found):
    curve = {1 << 12 + i: Estimate(r, 0.9 * r, 1.1 * r) for i, r in enumerate(ratios)}
    value, low, high = break_even.pays_from(curve)
    assert value == pytest.approx(found) and low <= value <= high


def test_each_size_is_compared_with_the_best_serial_copy_of_that_size():
    samples = made({SERIAL: 4e-4, STREAM: 2e-4, TEAM: 1e-4,
                    SERIAL + ":bytes=4K": 1e-6, STREAM + ":bytes=4K": 2e-6,
                    TEAM + ":bytes=4K": 4e-6})
    found = break_even.by_size(samples, "works")
    assert list(found) == [4096, 2 << 20]
    assert found[2 << 20].value == pytest.approx(2, rel=0.02)
    assert found[4096].value == pytest.approx(0.25, rel=0.02)


def test_each_serial_copy_is_named_that_a_team_is_compared_with():
    samples = made({SERIAL: 4e-4, STREAM: 2e-4, TEAM: 1e-4,
                    SERIAL + ":bytes=4K": 1e-6, STREAM + ":bytes=4K": 2e-6,
                    TEAM + ":bytes=4K": 4e-6})
    arms = break_even.arms(samples, "works")
    assert labels.sequences([(samples, arms[2 << 20])]) == \
        "copying with movnti, over one call of movnti"
    assert labels.sequences((samples, arm) for arm in arms.values()) == \
        "copying with movnti, over one call of movsb or movnti, whichever is faster there"


def test_the_posted_policy_is_one_that_was_posted_where_nobody_may_have_high_priority():
    normal, posted = "parallel:bulk:movsb:model=2017:priority=normal", "parallel:bulk:movsb:model=2025"
    assert teams.posted(made({SERIAL: 1e-4, normal: 1e-4, posted: 1e-4})).id == "2025"
    assert teams.posted(made({SERIAL: 1e-4, normal: 1e-4, posted: 1e-4,
                              "parallel:bulk:movsb:model=2017": 1e-4})).id == "2017"


@pytest.mark.parametrize("slower, verdict", [(0.9, "no worse"), (1.0, "no worse"),
                                             (1.5, "worse"), (1.05, "open")])
def test_no_worse_is_judged_against_the_margin_and_not_against_1(slower, verdict):
    samples = made({SERIAL: 3e-4, STREAM: 2e-4, TEAM: 2e-4 * slower})
    ratios, found = teams.no_worse(samples, TEAM, margin_percent=5)
    assert found == verdict and ratios["mean"].low < slower < ratios["mean"].high


def test_a_mean_sees_the_few_that_are_very_slow():
    samples = made({SERIAL: 2e-4, TEAM: 2e-4}, rounds=40)
    samples.seconds[TEAM][:, ::5] *= 10
    assert estimate.speedup(samples, TEAM, SERIAL).value == pytest.approx(1, rel=0.03)
    assert teams.mean_speedup(samples, TEAM, SERIAL).value == pytest.approx(1 / 2.8, rel=0.03)


def test_a_copy_whose_few_are_very_slow_is_not_no_worse():
    """A fifth takes ten times as long: the median does not see it."""
    samples = made({SERIAL: 3e-4, STREAM: 2e-4, TEAM: 2e-4}, rounds=40)
    samples.seconds[TEAM][:, ::5] *= 10
    assert teams.over_serial(samples, TEAM).value == pytest.approx(1, rel=0.03)
    ratios, found = teams.no_worse(samples, TEAM, margin_percent=5)
    assert found == "worse" and ratios["mean"].value == pytest.approx(2.8, rel=0.03)
    assert ratios["p95"].value == pytest.approx(ratios["p99"].value, rel=0.1)
    assert ratios["p99"].value == pytest.approx(10, rel=0.1)
    assert teams.too_long_share(samples, TEAM).value == pytest.approx(0.2)
    assert teams.too_long_share(samples, STREAM).value == 0


def test_pooled_ratios_cover_as_often_as_they_say():
    """Of another run's mean, where processes differ and a tenth of the copies is slow."""
    rng, covered = np.random.default_rng(3), 0

    def a_run():
        samples = made({SERIAL: 1e-4, TEAM: 1e-4}, rounds=20)
        for arm in samples.seconds:
            each = np.exp(rng.normal(0, 0.05, (16, 1)) + rng.normal(0, 0.02, (16, 20)))
            samples.seconds[arm] = 1e-4 * each * (1 + 4 * (rng.random((16, 20)) < 0.1))
        return samples
    for _ in range(200):
        found, again = (teams.tail_ratio(a_run(), TEAM, "mean") for _ in range(2))
        covered += found.low <= again.value <= found.high
    assert covered >= 0.92 * 200

def test_no_worse_is_rarely_said_at_the_margin_itself():
    rng = np.random.default_rng(8)
    wrong = sum(estimate.interval(rng.normal(0, 1, 16)).high < 0 for _ in range(1000))
    assert wrong <= 0.01 * 1000


def test_what_a_load_gets_done_is_per_time_of_the_copy():
    """Twice as long and as much work: half the throughput."""
    work = {SERIAL: {"load work": [np.full(12, 6e-9)] * 16}, TEAM: {"load work": [
        np.full(12, 6e-9)] * 16}}
    samples = made({SERIAL: 2e-4, TEAM: 4e-4}, channels=work)
    assert load.load_throughput(samples, TEAM, SERIAL).value == pytest.approx(0.5, rel=0.02)
    assert load.load_throughput(made({SERIAL: 2e-4, TEAM: 4e-4}), TEAM, SERIAL) is None
    work[TEAM]["load work"] = [np.zeros(12)] * 16
    assert load.load_throughput(samples, TEAM, SERIAL).value == 0
    assert load.load_throughput(samples, SERIAL, TEAM) is None


def test_the_callers_share_is_of_all_shared_parts():
    counts = {TEAM: {"parts": np.full(16, 24), "drained": np.full(16, 18)}}
    samples = made({SERIAL: 2e-4, TEAM: 4e-4}, counts=counts)
    assert load.drained_share(samples, TEAM).value == pytest.approx(0.75)
    assert load.drained_share(samples, SERIAL) is None


def test_a_team_says_so_where_it_does_not_copy_as_posted():
    other = TEAM.replace("movnti", "movsb")
    samples = made({SERIAL: 2e-4, STREAM: 2e-4, other: 1e-4, TEAM: 1e-4})
    works = policy_of(Variant.parse(TEAM)).label
    assert labels.arm_label(samples, other) == works
    assert labels.arm_label(samples, TEAM) == f"{works}, with movnti"
    assert labels.labels_of([samples]) == [works, f"{works}, with movnti"]


def test_a_policy_is_counted_once_however_it_copies():
    """As the first one copies, which the sentence says."""
    other = TEAM.replace("movnti", "movsb")
    samples = made({SERIAL: 2e-4, other: 4e-4, TEAM: 1e-4}, options=("--load=100",))
    assert n05_interference._test(samples, 5) == "at 100 % load none (1 slower, 0 open)"


def listed_batches(per_folio):
    """A cell of a way's seconds per folio, by folios in a call."""
    return made({"serial:bulk:movsb" + (f":folios={count}" if count > 1 else ""): count * each
                 for count, each in per_folio.items()})


def test_the_best_batch_is_the_shortest_that_is_as_fast_as_any():
    cell = listed_batches({1: 4e-4, 4: 2e-4, 16: 2e-4, 32: 3e-4})
    way, = batch.ways_of(cell)
    assert way == "serial: movsb" and [*batch.by_folios([cell], way)] == [1, 4, 16, 32]
    assert batch.best_batch([cell], way) == 4
    assert batch.per_byte(cell, "serial:bulk:movsb:folios=4").value == pytest.approx(2, rel=0.02)
    away = batch.first_folio_seconds(cell, "serial:bulk:movsb:folios=16", 0.5)
    assert away == pytest.approx(16 * 2e-4, rel=0.02)


def test_a_long_list_that_gains_nothing_over_a_short_one_is_not_best():
    short, long = (dataclasses.replace(samples, cell=dataclasses.replace(samples.cell, label=label))
                   for label, samples in (("short", listed_batches({1: 4e-4, 4: 2e-4, 32: 2e-4})),
                                          ("long", listed_batches({1: 4e-4, 64: 1.99e-4, 512: 3e-4}))))
    assert batch.best_batch([short, long], "serial: movsb") == 4
    ahead = listed_batches({1: 4e-4, 64: 1e-4, 512: 1e-4})
    ahead = dataclasses.replace(ahead, cell=long.cell)
    assert batch.best_batch([short, ahead], "serial: movsb") == 64


def test_late_is_later_than_a_whole_best_serial_copy():
    waits = [np.array([1e-4] * 9 + [5e-4] * 3)] * 16
    samples = made({SERIAL: 4e-4, STREAM: 2e-4, TEAM: 3e-4}, channels={TEAM: {"wait": waits}},
                   counts={TEAM: {"taken_back": np.full(16, 6)}})
    assert load.late_share(samples, TEAM).value == pytest.approx(0.25)
    assert load.taken_back_share(samples, TEAM) == pytest.approx(0.5)
    assert len(load.delays(samples, TEAM)) == 16 * 12
    nobody = made({SERIAL: 4e-4, TEAM: 3e-4})
    assert load.late_share(nobody, TEAM) is None and len(load.delays(nobody, TEAM)) == 0


def test_a_wake_up_that_is_periods_late_stands_for_those_it_missed():
    samples = made({ALONE: 1e-6}, channels={ALONE: {"wakeup": [
        np.array([1e-5, 3.2e-3])] * 16}})
    found = victim.wakeups(samples, ALONE)
    assert sorted(np.round(found[found > 1e-4] * 1e3, 3)) == sorted([3.2, 2.2, 1.2, 0.2] * 16)
    assert len(found) == 5 * 16


@pytest.mark.parametrize("label, never", [("timer", "never woke up"), ("lock", "never got it")])
def test_a_victim_that_never_waited_is_told_in_its_row(label, never):
    woken = {"wakeup": [np.array([1e-5, 2e-5])] * 16}
    samples = made({ALONE: 1e-6, SERIAL: 1e-6, TEAM: 1e-6},
                   channels={ALONE: woken, SERIAL: woken})
    samples = dataclasses.replace(samples, cell=dataclasses.replace(samples.cell, label=label))
    assert len(victim.wakeups(samples, TEAM)) == 0
    fig, ax = drawing.subplots()
    victim._wake_ups(ax, samples, {0: ALONE, 1: TEAM})
    assert [(text.get_text(), text.xy[1]) for text in ax.texts] == [(never, 1)]
    assert ax.get_xlabel().startswith({"timer": "us late", "lock": "us waited"}[label])


WINDOWS = ("--victim=integer", "--window=20", "--rate=500")


def windows(beside, copies=10, cpu=1e-4):
    each = {"copy": [np.full(copies, 2e-4)] * 16, "window": [np.full(12, 0.020)] * 16,
            "victim cpu": [np.full(12, 0.015)] * 16,
            CALLER_CPU: [np.full(12, copies * cpu / 12)] * 16,
            WORKERS_CPU: [np.full(12, copies * cpu / 12)] * 16}
    serial = {**each, "copy": [np.full(copies, 1e-4)] * 16,
              WORKERS_CPU: [np.zeros(12)] * 16}
    return made({ALONE: 1e-6, SERIAL: 1e-6, TEAM: beside}, options=WINDOWS, channels={
        ALONE: {"victim cpu": [np.full(12, 0.020)] * 16, "window": [np.full(12, 0.020)] * 16},
        SERIAL: serial, TEAM: each},
        counts={TEAM: {"victim_switches": np.full(16, 24)},
                ALONE: {"victim_switches": np.zeros(16)}})


def test_a_victims_loss_and_what_it_is_made_of():
    samples = windows(beside=1.25e-6)
    assert victim.victim_rate(samples, TEAM).value == pytest.approx(0.8, rel=0.02)
    assert victim.taken_share(samples, TEAM) == pytest.approx(0.25)
    assert victim.copy_speed(samples, TEAM).value == pytest.approx(0.5)
    assert victim.copies_per_second(samples, TEAM) == pytest.approx(10 / (12 * 0.020))
    assert not victim.victim_rate(samples, SERIAL).differs_from_1


def test_cpu_time_is_of_caller_and_workers_per_gib():
    samples = windows(beside=1e-6)
    one_gib = (1 << 30) / (2 << 20)
    assert teams.cpu_per_gib(samples, TEAM) == pytest.approx(2e-4 * one_gib)
    assert teams.cpu_per_gib(samples, SERIAL) == pytest.approx(1e-4 * one_gib)
    assert charge.charged_share(samples, TEAM) == pytest.approx(0.5)


def test_a_crowd_loses_only_where_it_clearly_does():
    cells = [made({SERIAL + more: 1e-4, TEAM + more: 1e-4 * slower}) for more, slower in
             (("", 0.8), (":migrators=2", 1.0), (":migrators=4", 1.3))]
    assert concurrent.losing_crowds(cells, "works") == [4]
    assert concurrent.losing_crowds(cells[:2], "works") == []
    assert concurrent.losing_crowds(cells, "idle") == []


SMALL = ":bytes=4K:folios=4"


def read_after(copied, read, label="here"):
    """A cell in which a copy, and reading it, take so many seconds, give or take 2 %."""
    copies = made(copied).seconds
    samples = made(read, channels={arm: {"copy": list(each)} for arm, each in copies.items()})
    return dataclasses.replace(samples, cell=dataclasses.replace(samples.cell, label=label))


@pytest.mark.parametrize("copied, read, verdict, crossing", [
    (0.8, 0.6, "depends on reuse", 0.5), (0.8, 0.3, "default", math.inf),
    (0.5, 0.1, "default", math.inf), (1.2, 0.6, "never", 0.0), (1.0, 0.2, "open", None),
    (0.8, 0.4, "open", 1.0)])
def test_reuse_decides_between_a_fast_copy_and_a_cached_one(copied, read, verdict, crossing):
    """A cached copy takes 1, and reading it 0.2."""
    samples = read_after({SERIAL: 1.0, STREAM: copied}, {SERIAL: 0.2, STREAM: read})
    found = next_reader.reuse(samples, STREAM)
    at = found.crossing
    assert found.verdict == verdict and at.low <= at.value <= at.high
    if verdict != "open":
        assert at.value == pytest.approx(crossing, abs=0.05)
        assert not math.isfinite(at.value) or at.high - at.low < 0.2
    elif crossing:
        assert at.low < crossing < at.high
    assert next_reader.copy_ratio(samples, STREAM).value == pytest.approx(copied, rel=0.02)
    assert next_reader.read_ratio(samples, STREAM).value == pytest.approx(read / 0.2, rel=0.02)


def of_both_sizes(label="here"):
    return read_after({SERIAL: 1.0, STREAM: 0.8, SERIAL + SMALL: 0.1, STREAM + SMALL: 0.12},
                      {SERIAL: 0.2, STREAM: 0.6, SERIAL + SMALL: 0.02, STREAM + SMALL: 0.05}, label)


def test_a_copy_past_the_cache_is_compared_with_one_of_as_much():
    samples = of_both_sizes()
    assert next_reader.past_the_cache(samples) == [STREAM, STREAM + SMALL]
    assert [next_reader.cached(samples, arm) for arm in (STREAM, STREAM + SMALL)] == \
        [SERIAL, SERIAL + SMALL]
    assert next_reader.copy_ratio(samples, STREAM + SMALL).value == pytest.approx(1.2, rel=0.02)
    assert next_reader.reuse(samples, STREAM + SMALL).verdict == "never"


def test_option_or_default_is_answered_with_where_it_turns():
    told = n05_interference._past_the_cache([of_both_sizes(), of_both_sizes("elsewhere")])
    assert "(movnti) in place of movsb, option or default: an option; " in told
    assert told.count("a folio of 2M") == told.count("pages of 4K") == 2
    assert re.search(r"a folio of 2M read on the CPU that copied, depends on reuse, better where "
                     r"less than (4[89]|5[012]) % \[\d+, \d+\] are read \(copy 0\.80, read 3\.", told)
    assert "pages of 4K read on another CPU, never (copy 1.20, read 2." in told
    always = read_after({SERIAL: 1.0, STREAM: 0.8}, {SERIAL: 0.2, STREAM: 0.2})
    assert "option or default: default; " in n05_interference._past_the_cache([always])
    never = read_after({SERIAL: 1.0, STREAM: 1.2}, {SERIAL: 0.2, STREAM: 0.4})
    assert "option or default: neither; " in n05_interference._past_the_cache([never])


def test_a_bar_ends_where_the_cached_copy_begins_to_win():
    fig = next_reader.next_reader_figure([of_both_sizes(), of_both_sizes("elsewhere")])
    for ax in fig.axes:
        found = {(bar.get_y() + bar.get_height() / 2, bar.get_x()): bar.get_width()
                 for bar in ax.patches if bar.get_width()}
        assert found.pop((1, 0)) == 1       # pages of 4K: the cached copy wins throughout
        (where, wins), (_, loses) = sorted(found.items())
        assert where == (0, 0) and wins == pytest.approx(0.5, abs=0.05) and wins + loses == 1
        assert [text.get_text() for text in ax.texts][-2:] == ["depends", "never"]
    drawing.pyplot().close(fig)


OLD, NEW = (f"parallel:bulk:movsb:model={model}" for model in ("2017", "2025"))


def placed(**places):
    """Cells of nodes: by place, the times of the serial copy and of the teams of 2017 and 2025."""
    found = []
    for place, times in places.items():
        samples = made(dict(zip((SERIAL, OLD, NEW), times)), options=(
            "--cpus=4,5,6,7", "--source-node=0", "--destination-node=1"))
        found.append(dataclasses.replace(samples, cell=dataclasses.replace(
            samples.cell, experiment="nodes", label=place)))
    return found


def test_every_place_is_compared_with_the_serial_copy_that_pulls():
    pull, push = placed(pull=(4e-4, 2e-4, 1e-4), push=(8e-4, 2e-4, 5e-4))
    speeds = [nodes.over_serial_pull(pull, samples, arm).value
              for samples in (pull, push) for arm in (SERIAL, OLD, NEW)]
    assert speeds == pytest.approx([1, 2, 4, 0.5, 2, 0.8], rel=0.02)
    # That of 2017 is the fastest of those that push, and is not asked.
    assert nodes.fastest_team(pull) == NEW
    assert nodes.pull_over_push(pull, push).value == pytest.approx(5, rel=0.02)


def test_the_figure_of_nodes_has_a_row_for_an_arm_and_a_colour_for_a_place():
    cells = placed(pull=(4e-4, 2e-4, 1e-4), push=(8e-4, 2e-4, 5e-4), third=(9e-4, 4e-4, 4e-4))
    for shown in (cells[:2], cells):
        ax, = nodes.nodes_figure(shown).axes
        rows = [label.get_text() for label in ax.get_yticklabels()]
        assert rows == ["serial: movsb", *(policy_of(Variant.parse(arm)).label for arm in (OLD, NEW))]
        handles, places = ax.get_legend_handles_labels()
        assert [place.partition(":")[0] for place in places] == [
            "pull", "push", "a third node's CPUs"][:len(shown)]
        drawn = [handle.lines[0] for handle in handles]
        assert len({line.get_color() for line in drawn}) == len(shown)
        assert drawn[1].get_xdata() == pytest.approx([0.5, 2, 0.8], rel=0.02)
        assert drawn[1].get_ydata() == pytest.approx([0, 1, 2], abs=0.3)
        assert "node 0 to 1" in ax.get_title()


def test_who_should_copy_is_answered_only_where_there_are_two_nodes():
    question = QUESTIONS["04-concurrent-migrations"]
    crowd = made({SERIAL: 1e-4, OLD: 1e-4})
    crowd = dataclasses.replace(crowd, cell=dataclasses.replace(crowd.cell, experiment="concurrent"))

    def answer(*cells):
        run = Measured(None, Plan(tuple(each.cell for each in cells)),
                       {each.cell.id: each for each in cells})
        return question.answer(run, question.parameters())
    alone, both = answer(crowd), answer(crowd, *placed(pull=(4e-4, 2e-4, 1e-4),
                                                       push=(2e-4, 4e-4, 5e-4)))
    assert "nodes" not in alone.sentence and both.sentence.startswith(alone.sentence)
    assert '"2025: unbound, nice 0, caller waits", the fastest posted' in both.sentence
    added = {name: ratio for name, ratio in both.headlines.items() if name not in alone.headlines}
    assert [ratio.value for ratio in added.values()] == pytest.approx([5, 0.5], rel=0.02)
    for ratio in added.values():
        assert f"{ratio.value:.3f}x" in both.sentence


def test_one_more_cpu_to_look_at_costs_the_slope():
    looks = {"scan:hot:1": 64, "scan:hot:101": 64, "scan:written:1": 1, "scan:written:101": 1}
    samples = made({"scan:hot:1": 64 * 20e-9, "scan:hot:101": 64 * 220e-9,
                    "scan:written:1": 30e-9, "scan:written:101": 1030e-9})
    samples = dataclasses.replace(samples, bytes=looks)
    assert idle_scan.ns_per_cpu(samples, "hot").value == pytest.approx(2, rel=0.05)
    assert idle_scan.ns_per_cpu(samples, "written").value == pytest.approx(10, rel=0.05)


def test_stale_is_a_share_of_what_was_found_idle():
    counts = {"scanned": np.full(16, 20), "found_idle": np.full(16, 10), "stale": np.full(16, 1)}
    picky = TEAM.replace("caller=works", "pick=idle")
    samples = made({SERIAL: 1e-4, picky: 1e-4}, counts={picky: counts})
    assert load.stale_share(samples, picky).value == pytest.approx(0.1)
    never = {**counts, "found_idle": np.zeros(16, int), "stale": np.zeros(16, int)}
    assert load.stale_share(made({SERIAL: 1e-4, picky: 1e-4}, counts={picky: never}), picky) is None


def test_the_phases_of_a_copy_follow_each_other_whatever_is_missing():
    """A worker that began while the caller still queued, and none that ended."""
    moments = {"queued": 5e-6, "last start": 3e-6, "joined": 9e-6}
    samples = made({SERIAL: 1e-6, TEAM: 1e-6}, channels={
        TEAM: {name: [np.full(10, at)] * 16 for name, at in moments.items()}})
    assert dispatch.moments_us(samples, TEAM) == pytest.approx([5, 5, 5, 9])


def test_a_moment_that_few_copies_have_takes_no_time():
    """The one worker of a hundred that began, and then took its time, is not the middle."""
    moments = {"queued": [np.full(12, 5e-6)] * 16, "joined": [np.full(12, 9e-6)] * 16,
               "last start": [np.array([3e-3])] + [np.array([])] * 15}
    samples = made({SERIAL: 1e-6, TEAM: 1e-6}, channels={TEAM: moments})
    assert dispatch.moments_us(samples, TEAM) == pytest.approx([5, 5, 5, 9])


def test_the_published_cost_of_a_base_page_is_derived_from_the_published_times():
    low, high = break_even.published_page_us()
    assert (round(low, 2), round(high, 2)) == (15.89, 19.32)


@pytest.mark.parametrize("facts, which", [({}, "longest"), ({"stretch": "typical"}, "typical")])
def test_which_call_of_a_copy_is_drawn_is_said(facts, which):
    """Older runs have the longest: an interrupt's time, as often as not."""
    variants = [f"serial:bulk:movsq:extent={size}{observe}" for size in ("4K", "2M")
                for observe in ("", ":observe=stretch")]
    samples = made(dict.fromkeys(variants, 1e-4))
    samples = dataclasses.replace(samples, facts=[{**fact, **facts} for fact in samples.facts])
    assert extent.extent_figure([samples]).axes[2].get_title().startswith(f"{which} call")
