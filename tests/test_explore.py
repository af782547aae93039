# SPDX-License-Identifier: MIT
"""The explore notebook: what knobs ask for, what is said of it, what is left running."""

import dataclasses
import itertools
import shlex
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from artifact import ctools, explore, host, paths
from artifact.estimate import Estimate
from artifact.explore import choice as choices
from artifact.explore import loop, picture, verdict
from artifact.explore.choice import Choice
from artifact.explore.panel import Panel
from artifact.policies import POLICIES, policy_of
from artifact.problem import Problem
from artifact.variant import Variant
from tests.conftest import a_host, eventually, running, without_huge_pages

EIGHT = a_host(range(8))
SMALL = Choice("libc", huge="64K", backing="auto")


@pytest.fixture(autouse=True)
def built():
    ctools.build()


def changed(**knobs):
    return dataclasses.replace(choices.default(EIGHT), **knobs)


def test_the_default_is_one_bulk_call_beside_todays_loop():
    asked = choices.cell(EIGHT, choices.default(EIGHT))
    assert asked.variants == ("serial:page:movsb:map=2026", "serial:bulk:movsb")


def test_whatever_the_knobs_offer_pagecopy_takes():
    """And a team of the project's policies is one of them again."""
    for strategy, cost, call, policy in itertools.product(
            ("serial:page", "serial:bulk", "parallel:page", "parallel:bulk"),
            ("none", "2026", "2017"), ("", "64K"), POLICIES):
        asked = changed(strategy=strategy, map=cost, call=call, policy=policy.id, folios=2)
        assert not choices.wrong(EIGHT, asked), asked
        if asked.parallel and cost == "none" and not call:
            assert policy_of(Variant.parse(asked.variant)) == policy
        assert {Variant.parse(variant).folios for variant in choices.cell(EIGHT, asked).variants} == {2}


@pytest.mark.parametrize("knob, value, said", [
    ("call", "3M", "does not divide 2M"), ("call", "100", "does not divide"),
    ("call", "much", "not a size"), ("huge", "3K", "not a multiple of a 4K base page"),
    ("huge", "", "not a size"), ("threads", 9, "may run on 8 CPU(s)"), ("threads", 0, "1 to 8"),
    ("folios", 0, "1 to 10000"), ("folios", 9999, "a quarter of the memory"),
    ("load", -1, "0 to 1000"), ("load", 1001, "0 to 1000"),
])
def test_what_cannot_be_is_said_of_its_own_knob_in_one_line(knob, value, said):
    found = choices.wrong(EIGHT, changed(strategy="parallel:bulk", **{knob: value}))
    assert [*found] == [knob]
    assert said in str(found[knob]) and "\n" not in str(found[knob])


def test_every_wrong_knob_is_named():
    assert {*choices.wrong(EIGHT, changed(call="3M", load=-1, folios=0))} == {"call", "load", "folios"}


def test_what_only_pagecopy_refuses_is_said_in_its_words():
    found = choices.wrong(EIGHT, changed(strategy="parallel:bulk", policy="chunks", call="2M"))
    assert "chunk= is no multiple of the bytes per call" in str(found["call"])


def test_the_command_that_is_shown_asks_the_same():
    asked = changed(strategy="parallel:bulk", load=50, caches="warm/cold", folios=2)
    command = shlex.split(choices.command(EIGHT, asked))
    assert command[0] == "ctools/pagecopy"
    assert tuple(command[-3:]) == choices.cell(EIGHT, asked).variants
    assert {"--load=50", "--source=warm", "--rounds=12"} < set(command)
    ctools.run(["--explain", *command[1:]])


@pytest.mark.parametrize("ratio, word", [
    (Estimate(1.2, 1.1, 1.3), "faster"), (Estimate(0.8, 0.7, 0.9), "slower"),
    (Estimate(1.01, 0.97, 1.02), "no difference above 3.0 %"),
    (Estimate(1.0, 0.9, 1.1), "too noisy to tell"),
    (Estimate(1.3, 0.0, float("inf")), "a first ratio"),
])
def test_the_verdict_in_a_word(ratio, word):
    assert verdict.word(ratio) == word


def told(cell, pool=1 << 20, cache=1 << 10, **speeds):
    """What pagecopy would tell of a process; speeds: of arms, 1 of any other."""
    arms = [{"ns": [round(1000 / speeds.get(name, 1))] * 4, "bytes": 64} for name in cell.arms]
    return {"arms": arms, "pool_bytes": pool, "last_level_caches": cache,
            "source_huge_bytes": pool, "destination_huge_bytes": pool}


def test_a_loop_that_differs_from_itself_leaves_everything_in_doubt():
    cell = choices.cell(EIGHT, SMALL)
    twin = cell.baseline + "#twin"
    for speed, doubted in ((1, False), (1.2, True)):
        samples = loop.as_samples(cell, [told(cell, **{twin: speed, SMALL.variant: 1.5})] * 3)
        assert bool(verdict.doubt(samples)) == doubted
        assert verdict.of(samples, SMALL.variant, cell.baseline).value == pytest.approx(1.5, 1e-3)


def test_the_loop_itself_may_be_chosen():
    asked = changed(strategy="serial:page", map="2026")
    cell = choices.cell(EIGHT, asked)
    assert asked.variant == cell.baseline
    samples = loop.as_samples(cell, [told(cell, **{cell.baseline + "#twin": 0.5})] * 3)
    assert verdict.of(samples, asked.variant, cell.baseline).value == pytest.approx(0.5)
    assert picture.shows(samples, {"yours": asked.variant}).startswith(
        "Speed over today's loop: yours 0.500")


@pytest.mark.parametrize("cache, memory, counts, drafts", [
    (32 << 20, 24 << 30, [1, 2, 3], [False, False, False]),     # the first pool is enough
    (1 << 30, 1 << 40, [1, 1, 2], [True, False, False]),        # forgotten
    (1 << 30, 8 << 30, [1, 2, 3], [True, True, True]),          # no room for more
])
def test_a_pool_that_is_too_small_for_the_caches_is_a_draft(monkeypatch, cache, memory, counts, drafts):
    def process(self, cell, seed):
        pairs = int(cell.option("pairs") or 4 * cache // cell.folio)
        return told(cell, pool=pairs * cell.folio, cache=cache)
    monkeypatch.setattr(loop.Measurement, "_process", process)
    here = a_host(memory_bytes=memory)
    found = [*itertools.islice(loop.Measurement(here, choices.default(here)).processes(), 3)]
    assert [samples.processes for samples in found] == counts
    assert [bool(loop.draft_bytes(samples)) for samples in found] == drafts


def test_processes_are_fresh_and_add_up():
    here = host.here()
    found = [*itertools.islice(loop.Measurement(here, SMALL).processes(), 3)]
    assert [samples.processes for samples in found] == [1, 2, 3]
    assert len({*map(str, found[-1].seconds[SMALL.variant])}) == 3


@pytest.fixture
def endless(monkeypatch, results):
    """A process of pagecopy takes as long as anybody may take to stop it."""
    monkeypatch.setattr(choices, "FEWEST_ROUNDS", 100_000)
    return results


def test_stop_leaves_nothing_running(endless):
    measurement = loop.Measurement(host.here(), Choice("libc", backing="auto"))
    found = []
    thread = threading.Thread(target=lambda: found.extend(measurement.processes()))
    thread.start()
    assert eventually(lambda: len(running(endless)) == 2)       # it, and the one it measures in
    measurement.stop()
    thread.join()
    assert eventually(lambda: not running(endless)) and not found
    assert not [*measurement.processes()]


ENDLESS = """
from artifact import host
from artifact.explore import choice, loop
choice.FEWEST_ROUNDS = 100_000
next(loop.Measurement(host.here(), choice.Choice("libc", backing="auto")).processes())
"""


def test_a_kernel_that_is_gone_leaves_nothing_running(results):
    kernel = subprocess.Popen([sys.executable, "-c", ENDLESS])
    assert eventually(lambda: running(results).count("pagecopy") == 2)
    kernel.kill()
    kernel.wait()
    assert eventually(lambda: not running(results))


def test_who_interrupts_a_deaf_kernel_interrupts_the_measuring(endless):
    """Between two cells ipykernel ignores the signal, which the children inherit."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    measurement, found = loop.Measurement(host.here(), Choice("libc", backing="auto")), []

    def measure():
        try:
            next(measurement.processes())
        except Problem as problem:
            found.append(problem)
    thread = threading.Thread(target=measure)
    try:
        thread.start()
        assert eventually(lambda: len(running(endless)) == 2)
        measurement.child.send_signal(signal.SIGINT)
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert "the kernel was interrupted" in str(found[0])


@pytest.fixture
def panel(results):
    """The knobs of this machine, at a choice that takes a moment to measure."""
    made = Panel(host.here())
    for name, value in dataclasses.asdict(SMALL).items():
        made.knobs[name].value = value
    yield made
    made._end()
    if made.thread:
        made.thread.join()


def test_knobs_offer_what_runs_here():
    own = Panel(host.here()).knobs["routine"].options
    assert "libc" in own and "empty" not in own
    assert not any(ctools.listed()["primitives"][name]["lacks"] for name in own)
    alone = Panel(a_host(range(1))).knobs["strategy"].options
    assert all(value.startswith("serial") for _, value in alone)
    humble = Panel(a_host(high_priority=False)).knobs["policy"].options
    assert "2017" not in dict(humble).values()


def test_bad_input_is_said_beside_its_knob_and_the_last_good_picture_stays(panel):
    panel.measure.click()
    assert eventually(lambda: "first ratio" in panel.verdict.value or "[" in panel.verdict.value)
    panel.knobs["call"].value = "3M"
    panel.thread.join()
    kept = panel.picture.value, panel.verdict.value, panel.command.value
    assert "does not divide" in panel.notes["call"].value
    assert panel.measure.disabled and panel.stop.disabled
    panel.knobs["load"].value = 5000
    assert (panel.picture.value, panel.verdict.value, panel.command.value) == kept
    panel.default.click()
    assert panel.choice == choices.default(panel.host)
    assert not panel.measure.disabled and "alert" not in panel.notes["call"].value


def test_without_huge_pages_the_knob_that_mends_it_says_so(panel, monkeypatch):
    panel.measure.click()
    assert eventually(lambda: "Over" in panel.verdict.value)
    panel.stop.click()
    panel.thread.join()
    kept = panel.picture.value
    monkeypatch.setattr(loop, "_as_child", without_huge_pages)
    panel.knobs["backing"].value = "huge"
    panel.measure.click()
    panel.thread.join()
    assert "no huge pages behind the buffers" in panel.notes["backing"].value
    assert panel.picture.value == kept and not panel.measure.disabled
    panel.knobs["backing"].value = "auto"
    panel.measure.click()
    assert eventually(lambda: "huge pages behind only 0 %" in panel.verdict.value)


def test_beside_another_measurement_it_measures_nothing_and_says_why(panel):
    with paths.locked(paths.RESULTS / ".lock"):
        panel.measure.click()
        panel.thread.join()
        assert "another run is measuring on this machine" in panel.status.value
    assert panel.pictured is None and not panel.measure.disabled
    panel.measure.click()
    assert eventually(lambda: panel.pictured)


def test_who_shows_the_knobs_again_stops_those_before(panel, monkeypatch):
    monkeypatch.setattr(explore, "_shown", [panel])
    panel.measure.click()
    explore.show()
    panel.thread.join()
    assert "Stopped" in panel.status.value and explore._shown != [panel]


def test_a_knob_turned_meanwhile_is_what_is_measured_next(panel):
    panel.measure.click()
    first = panel.thread
    panel.knobs["routine"].value = "byte"
    first.join()
    assert eventually(lambda: panel.pictured == panel.choice) and panel.choice.routine == "byte"
    panel.stop.click()
    panel.thread.join()
    assert "Stopped" in panel.status.value and panel.stop.disabled


def test_the_axis_shows_every_dot_and_rarely_moves():
    low, high = picture.limits([Estimate(1.01, 0.2, 5.0), Estimate(0.99, 0.98, 1.0)])
    assert (low, high) == picture.limits([Estimate(1.02, 0.9, 1.15)])
    low, high = picture.limits([Estimate(0.13, 0.06, 0.27), Estimate(7.3, 7.0, 7.6)])
    assert low < 0.13 and high > 7.3
    assert np.isclose(low, 0)
