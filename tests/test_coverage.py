# SPDX-License-Identifier: MIT
"""The promise of an interval: by simulation, by recorded runs, and with a state or without."""

import dataclasses
import itertools
import re
import types

import numpy as np
import pytest

from artifact import answer, estimate, machine, measured, paths
from artifact.cells import REPLICAS, TWIN, Cell
from artifact.estimate import Estimate
from artifact.problem import Lacking, Misuse
from artifact.samples import Samples
from artifact.verdicts import compare, coverage, state
from tests.noise import KINDS

BASE, FAST, TEAM = "serial:page:movsb", "serial:bulk:movsb", "parallel:bulk:movsb:threads=2"
README = (paths.ROOT / "README.md").read_text()
FILE = paths.RECORDED / "coverage.txt"
MACHINE = machine.load(paths.run(paths.recorded_runs()[0]).machine)


def test_the_readme_says_how_often_an_interval_holds_for_each_kind_of_noise():
    """Of runs of 40 processes. Drift and sticky neighbours are where it is too narrow."""
    found = {}
    for name, kind in KINDS.items():
        rng = np.random.default_rng(15)
        one, other = kind(rng, 4000, 40), kind(rng, 4000, 40)
        apart = np.abs(one.mean(axis=1) - other.mean(axis=1))
        held = [apart <= estimate.half_width(each) for each in (one, other)]
        found[name] = f"{100 * np.mean(held):.0f}"
    rows = dict(re.findall(r"^ *\| ([a-z ,]+) \| (\d+) of 100 \|$", README, re.MULTILINE))
    assert rows == found


def told(line):
    """Experiment, ratios, inside as measured and at one state; and whether that is below."""
    name, tried, *shares = line.split()
    return name, int(tried), *map(float, shares[:2]), "below" in line


def test_the_readme_says_how_often_the_promise_was_kept():
    """Over all whole runs, with each experiment where it was not."""
    everywhere, _ = FILE.read_text().split("\n\n")
    first, *_ = lines = everywhere.splitlines()
    rows = [told(line) for line in lines[3:]]
    _, _, plain, adjusted, below = rows.pop()
    found, = re.findall(r"Over (\d+) whole runs of one machine, ([\d.]+) of 100 do at one state, and "
                        r"([\d.]+) as measured;(.*?)\.\s", " ".join(README.split()))
    assert found[:3] == (first.split()[0], str(adjusted), str(plain)) and not below
    named = re.findall(r"`([a-z-]+)` ([\d.]+)", found[3])
    assert named == [(name, str(share)) for name, _, _, share, low in rows if low]


def test_what_the_recorded_runs_say_of_coverage_is_what_the_file_says():
    runs = [measured.of(paths.run(name)) for name in paths.recorded_runs()]
    alike = [run for run in runs if machine.kind(run.machine) == machine.kind(runs[0].machine)]
    _, here = FILE.read_text().split("\n\n")
    assert coverage.table(alike, coverage.counted(alike)) == here.splitlines()
    found, = re.findall(r"two of these runs are in the tree.*?: ([\d.]+) and ([\d.]+)\.",
                        " ".join(README.split()))
    assert found == tuple(map(str, told(here.splitlines()[-1])[3:1:-1]))


def cell(experiment="serial-ladder", arms=(BASE, FAST, TEAM), **fields):
    return Cell(experiment, "made", ("--rounds=4",), arms, 60, **fields)


def run(rng, name, speed=0.0, follows=0.5, factors=(), experiment="serial-ladder", varies=0.05,
        **others):
    """A run in a state: all its times are exp(speed) as long, and ratios follow that.

    factors: by arm, how many times as long it takes beside that.
    """
    made, processes = cell(experiment), 60
    states = speed + rng.normal(0, varies, (processes, 1))

    def times(arm=BASE, own=0.0):
        noise = rng.normal(0, 0.01, (processes, 4))
        return 1e-4 * dict(factors).get(arm, 1) * np.exp(states * (1 - own) + noise)
    seconds = {BASE + again: times() for again in (*REPLICAS, TWIN)}
    seconds |= {arm: times(arm, follows) for arm in made.variants[1:]}
    samples = Samples(made, seconds, {}, {}, {}, dict.fromkeys(seconds, 1), {}, [])
    return types.SimpleNamespace(run=types.SimpleNamespace(name=name, full_name=name), timed=[samples],
                                 machine={**MACHINE, **others})


def test_a_state_common_to_all_arms_is_told_apart_from_them():
    rng = np.random.default_rng(1)
    found = coverage.counted([run(rng, "one"), run(rng, "other", speed=0.2)])
    assert found["serial-ladder"] == coverage.Count(4, 0, 4)


def test_an_arm_that_is_another_is_not_explained_by_the_state():
    """Not even where the state hides it."""
    rng = np.random.default_rng(2)
    found = coverage.counted([run(rng, "one"), run(rng, "other", 0.2, factors={FAST: 1.1})])
    assert found["serial-ladder"] == coverage.Count(4, 2, 2)


def test_noise_of_the_baseline_is_no_state():
    """The machine hardly varies within a run, and all arms are slower in the other one."""
    rng = np.random.default_rng(13)
    counts = [coverage.counted([run(rng, "one", varies=0.002, follows=0), run(
        rng, "other", 1.0, varies=0.002, follows=0)])["serial-ladder"] for _ in range(100)]
    assert sum(counts, coverage.Count()).share >= coverage.ENOUGH
    still = [estimate.speedup(run(rng, name, varies=0).timed[0], FAST, BASE) for name in "ab"]
    for ratio in still:
        ratio.source.samples.seconds[BASE + TWIN][:] = 1e-4
    assert np.isfinite([ratio.low for ratio in state.at_one_state(still)]).all()


def test_one_run_under_two_names_is_refused():
    rng = np.random.default_rng(14)
    one, other = run(rng, "one"), run(rng, "other")
    for each, began in ((one, "1"), (other, "2")):
        each.timed[0].facts.append({"date": began})
    assert coverage.counted([one, other])
    other.timed[0].facts[:] = one.timed[0].facts
    with pytest.raises(Misuse, match="one run under two names"):
        coverage.counted([one, other])


def test_ratios_without_a_source_or_of_two_processes_stay_as_they_are():
    rng = np.random.default_rng(3)
    paired = [estimate.speedup(run(rng, name).timed[0], FAST, BASE) for name in "ab"]
    plain = [Estimate(1, 0.9, 1.1), Estimate(1.2, 1.1, 1.3)]
    few = [dataclasses.replace(each, source=dataclasses.replace(
        each.source, samples=of_two(each.source.samples))) for each in paired]
    for given in (plain, [paired[0], plain[0]], few):
        assert state.at_one_state(given) == given
    assert state.at_one_state(paired) != paired


def of_two(samples):
    return dataclasses.replace(samples, seconds={
        arm: times[:2] for arm, times in samples.seconds.items()})


def test_an_adjusted_interval_is_sharper_and_knows_the_slopes_own_error():
    rng = np.random.default_rng(4)

    def half(ratio):
        return np.log(ratio.high / ratio.value)
    near, far = ([estimate.speedup(each.timed[0], FAST, BASE)
                  for each in (run(rng, "one"), run(rng, "other", speed))] for speed in (0, 3.0))
    assert half(state.at_one_state(near)[0]) < 0.5 * half(near[0])
    assert half(state.at_one_state(far)[0]) > 2 * half(state.at_one_state(near)[0])


@pytest.mark.parametrize("follows", [0.0, 0.5])
def test_at_one_state_the_interval_holds_another_runs_ratio(follows):
    """With a state of its own in each run, and with nothing that follows it."""
    rng = np.random.default_rng(5)
    pairs = [coverage.counted([run(rng, name, rng.normal(0, 0.1), follows) for name in "ab"])
             for _ in range(100)]
    assert coverage.total({str(n): each["serial-ladder"] for n, each in enumerate(pairs)}
                          ).share >= coverage.ENOUGH


def test_all_pairs_are_counted_each_way():
    rng = np.random.default_rng(6)
    runs = [run(rng, name) for name in "abcd"]
    pairs = sum((coverage.counted(pair)["serial-ladder"] for pair in itertools.combinations(runs, 2)),
                coverage.Count())
    assert coverage.counted(runs) == {"serial-ladder": pairs} and pairs.tried == 6 * 2 * 2


def test_cells_of_another_protocol_or_size_are_not_the_same():
    rng = np.random.default_rng(7)
    one, other = run(rng, "one"), run(rng, "other")
    for odd in ({"protocol": 3}, {"options": ("--rounds=4", "--huge=4M")}):
        there = dataclasses.replace(other.timed[0], cell=dataclasses.replace(cell(), **odd))
        with pytest.raises(Lacking, match="no cell in common"):
            coverage.counted([one, types.SimpleNamespace(**{**vars(other), "timed": [there]})])
    more = dataclasses.replace(cell(), options=("--rounds=8",))
    there = dataclasses.replace(other.timed[0], cell=more)
    assert coverage.counted([one, types.SimpleNamespace(**{**vars(other), "timed": [there]})])


@pytest.mark.parametrize("others", [{"numa_nodes": [0, 1]}, {
    "cpu": {**MACHINE["cpu"], "family_model_stepping": "25/1/1"}}])
def test_runs_of_two_machines_are_refused(others):
    rng = np.random.default_rng(8)
    for function in (coverage.counted, lambda pair: coverage.agreement(*pair)):
        with pytest.raises(Misuse, match="runs one and other: not of one kind of machine"):
            function([run(rng, "one"), run(rng, "other", **others)])


def test_one_run_alone_or_twice_is_refused():
    one = run(np.random.default_rng(9), "one")
    for runs in ([one], [one, one]):
        with pytest.raises(Misuse, match="two or more different ones"):
            coverage.counted(runs)


def test_compare_brings_runs_of_one_kind_of_machine_to_one_state():
    rng = np.random.default_rng(12)
    ratios = {name: estimate.speedup(run(rng, name, speed).timed[0], FAST, BASE)
              for name, speed in (("one", 0), ("other", 0.2), ("elsewhere", 0.4))}
    headlines = {name: {"ratio": ratio, f"of {name}": ratio} for name, ratio in ratios.items()}
    elsewhere = {**MACHINE, "cpu": {**MACHINE["cpu"], "family_model_stepping": "25/1/1"}}
    found = compare._at_one_state(headlines, {"one": MACHINE, "other": MACHINE,
                                              "elsewhere": elsewhere})
    alike = state.at_one_state([ratios["one"], ratios["other"]])
    assert [found[name]["ratio"] for name in ("one", "other")] == alike != list(ratios.values())[:2]
    assert found["elsewhere"] == headlines["elsewhere"]
    assert found["one"]["of one"] == ratios["one"]


def agreement(monkeypatch, here, there):
    headlines = {"one": here, "other": there}
    monkeypatch.setattr(coverage, "answered", lambda found: {
        "01": answer.Answer("", headlines[found.run.name])})
    rng = np.random.default_rng(10)
    return coverage.agreement(run(rng, "one"), run(rng, "other"))


def ratios(*values):
    return {f"ratio {n}": Estimate(value, value - 0.1, value + 0.1) for n, value in enumerate(values)}


@pytest.mark.parametrize("outside, agree", [(0, True), (1, True), (4, True), (5, False), (20, False)])
def test_runs_agree_unless_more_is_outside_than_chance_puts_there(monkeypatch, outside, agree):
    (_, *lines), found = agreement(monkeypatch, ratios(*[1.0] * 20),
                             ratios(*[2.0] * outside, *[1.05] * (20 - outside)))
    assert found == agree and sum(line.startswith("DIFFER") for line in lines) == outside
    assert lines[-1].startswith(f"{outside} of 20 lie outside; one way counts as half. If they "
                                "were independent, chance would put no more than 4")


def test_exact_counts_and_what_one_run_lacks_are_told_and_not_judged(monkeypatch):
    counted = {"count": Estimate(3, 3, 3)}
    mine = {"count": Estimate(2, 2, 2), "mine": Estimate(1, 0, 2)}
    (_, *lines), agree = agreement(monkeypatch, {**ratios(1.0), **mine}, {**ratios(1.0), **counted})
    assert agree and [line[:6] for line in lines] == ["agree ", "exact ", "only i", "0 of 1"]
    wide = {"ratio 0": Estimate(1.3, 0.8, 1.8)}
    (_, *lines), agree = agreement(monkeypatch, ratios(1.0), wide)
    assert agree and lines[0].startswith("one way") and lines[-1].startswith("0.5 of 1 lie outside")
    with pytest.raises(Lacking, match="no ratio in common"):
        agreement(monkeypatch, counted, counted)


def test_chance_puts_as_many_outside_as_it_does():
    rng = np.random.default_rng(11)
    for ratios_of_a_run in (5, 20, 100):
        outside = rng.binomial(ratios_of_a_run, 0.05, 20_000)
        kept = np.mean(outside <= coverage.most_outside(ratios_of_a_run))
        stricter = np.mean(outside <= coverage.most_outside(ratios_of_a_run) - 1)
        assert kept >= 0.985 and stricter < 0.99
