# SPDX-License-Identifier: MIT
"""What a report begins with: three answers in a word each, and one picture of how fast
a huge page is copied in eight ways, all over the same loop."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterator

from artifact import answer, drawing, eras, estimate, published, teams
from artifact.estimate import Estimate
from artifact.experiments import concurrent, load, serial_ladder, victim
from artifact.samples import Samples
from artifact.verdicts.tests import Evidence

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure

@dataclasses.dataclass(frozen=True)
class Row:
    """A way to copy a huge page, and its speed over the page-by-page loop of the ladder.

    published: the same ratio on other machines, each with where it was measured.
    is_loop: whether it is that loop.
    way: what it is called in every run; the label names its routine too.
    """

    label: str
    speed: Estimate
    published: tuple[tuple[float, str], ...] = ()
    stable: bool = True
    is_loop: bool = False
    way: str = ""


@dataclasses.dataclass(frozen=True)
class Card:
    """An answer: a question, a word, the ratio it rests on, and a sentence.

    kind: "gain", "loss" or "open", for the colour beside the word.
    """

    asks: str
    word: str
    ratio: Estimate
    sentence: str
    kind: str


def rows(evidence: Evidence) -> list[Row]:
    """Those that the run has cells for, in the order of the picture.

    Raises Absent where it has no serial ladder of cold caches.
    """
    ladder = evidence.samples("serial-ladder", "cold-cold")
    return [*_serial(ladder), *_parallel(evidence, ladder)]


def _serial(ladder: Samples) -> Iterator[Row]:
    own, loop = ladder.cell.own, ladder.cell.baseline
    bulk, loop_2017 = serial_ladder.one_call(ladder), serial_ladder.loop_2017(ladder)
    stable = not estimate.contradicts_itself(ladder)

    def row(way: str, label: str, arm: str, found: tuple[tuple[float, str], ...] = ()) -> Row:
        return Row(label, estimate.speedup(ladder, arm, loop), found, stable, way=way)
    yield row("the loop of 2017", eras.label(loop_2017), loop_2017)
    yield Row(eras.label(loop), Estimate(1.0, 1.0, 1.0), (), stable, is_loop=True, way="the loop")
    yield row("one call", f"one call, same routine ({own})", bulk, _published_bulk())
    if (best := estimate.best_serial(ladder)) != bulk:
        yield row("the best call", f"one call, best without FPU state "
                  f"({ladder.cell.of(best).primitive})", best)
    if (ceiling := estimate.best_serial(ladder, ceiling=True)) != best:
        yield row("a ceiling", f"a ceiling, needs FPU state "
                  f"({ladder.cell.of(ceiling).primitive})", ceiling)


def _parallel(evidence: Evidence, ladder: Samples) -> Iterator[Row]:
    """Each over one call in its own cell, times that call over the loop in the ladder."""
    by_loop = estimate.speedup(ladder, serial_ladder.one_call(ladder), ladder.cell.baseline)

    def row(samples: Samples, arm: str, what: str, published: tuple = (), mean: bool = False) -> Row:
        over, team = teams.own_call(samples), samples.cell.of(arm)
        return Row(f"{team.threads} threads, {what} ({team.primitive})",
                   estimate.product(teams.mean_speedup(samples, arm, over) if mean else
                                    estimate.speedup(samples, arm, over), by_loop), published,
                   not estimate.contradicts_itself(samples), way=what)

    threads = _found(evidence, "threads", "spread-1-folio")
    if threads and (arms := teams.fastest(threads, "wake")):
        yield row(threads, arms[0], "machine idle", _published_threads())
    # Beside others one policy, fixed here: the best of many would flatter threads.
    loaded = _found(evidence, "load", "100-percent")
    if loaded and (arm := teams.arm_of(loaded, load.ANY_CPU.id)):
        # Times have two peaks there, and a median looks at one of them.
        yield row(loaded, arm, "every CPU busy, mean", mean=True)
    crowds = [samples for label in evidence.measured.labels("concurrent")
              if (samples := _found(evidence, "concurrent", label))]
    if crowds:
        most = max(crowds, key=concurrent.crowd)
        if arm := teams.arm_of(most, load.ANY_CPU.id):
            yield row(most, arm, f"{concurrent.crowd(most)} migrators at once")


@dataclasses.dataclass(frozen=True)
class Pair:
    """A way of ours, and the same of another run."""

    ours: Row
    theirs: Row

    @property
    def told(self) -> str:
        """Whether their intervals "meet" or are "apart"; the routine may be another."""
        if self.ours.label != self.theirs.label:
            return "another loop" if self.ours.is_loop else "another routine"
        one, other = self.ours.speed, self.theirs.speed
        return "the loop" if self.ours.is_loop else \
            "meet" if one.low <= other.high and other.low <= one.high else "apart"


def beside(ours: list[Row], theirs: list[Row]) -> list[Pair]:
    """The ways that both runs have, in the order of ours."""
    by_way = {row.way: row for row in theirs}
    return [Pair(row, by_way[row.way]) for row in ours if row.way in by_way]


def _found(evidence: Evidence, experiment: str, label: str) -> Samples | None:
    found = evidence.measured.find(experiment, label)
    return found if isinstance(found, Samples) else None


def _published_bulk() -> tuple[tuple[float, str], ...]:
    pairs = serial_ladder.published_bulk_pairs()
    return tuple(zip(pairs["speedup"], pairs["label"].str.replace("\n", ", ")))


def _published_threads() -> tuple[tuple[float, str], ...]:
    """Of one huge page by eight threads, over the serial loop of then."""
    one, eight = (published.value("S03", variant, "GB/s", pages=1, page_size_kib=2048)
                  for variant in ("thp-migration", "thp+mt-copy"))
    return ((eight / one, "8 threads on Haswell, 2016"),)


def cards(evidence: Evidence) -> list[Card]:
    """Batching alone, a better routine, threads on top, as far as the run has them.

    Raises Absent as rows() does.
    """
    ladder = evidence.samples("serial-ladder", "cold-cold")
    own, loop = ladder.cell.own, ladder.cell.baseline
    found = [_card("Batching alone", estimate.speedup(ladder, serial_ladder.one_call(ladder), loop),
                   f"One call for a huge page instead of {ladder.cell.pages} page copies, with "
                   f"the same routine ({own}), over {eras.told(loop)}, caches cold."),
             _better_routine(ladder, loop)]
    threads = _found(evidence, "threads", "spread-1-folio")
    if threads and (arms := teams.fastest(threads, "wake")):
        found.append(_threads(evidence, threads, *arms))
    return found


def _better_routine(ladder: Samples, loop: str) -> Card:
    plain, best = estimate.best_serial(ladder), estimate.best_serial(ladder, ceiling=True)
    sentence = (f"{ladder.cell.of(plain).primitive} is the fastest single call without FPU state; "
                "the ratio is over the page-by-page loop.")
    if best != plain:
        sentence += (f" Without that limit {ladder.cell.of(best).primitive} reaches "
                     f"{estimate.speedup(ladder, best, loop)}.")
    return _card("A better copy routine", estimate.speedup(ladder, plain, loop), sentence)


def _threads(evidence: Evidence, samples: Samples, arm: str, best: str) -> Card:
    team, serial = samples.cell.of(arm), samples.cell.of(best)
    sentence = (f"{team.threads} woken threads ({team.primitive}) over the best serial copy "
                f"({serial.primitive}), one huge page, machine idle. They use "
                f"{estimate.cpu_ratio(samples, arm, best).value:.2f} times the CPU time.")
    return _card("Threads on top", estimate.speedup(samples, arm, best),
                 sentence + _who_pays(evidence))


def _who_pays(evidence: Evidence) -> str:
    """The victim that loses most beside the posted series; empty without victims."""
    losses = victim.losses(evidence.measured.cells.get("victim", []))
    if not losses:
        return ""
    worst = min(losses, key=lambda loss: loss.kept.value)
    return (f" Work on the worker's CPU ({worst.label}) keeps {worst.kept} of its speed beside the "
            f"{teams.posted(worst.samples).label.partition(':')[0]} series.")


def _card(asks: str, ratio: Estimate, sentence: str) -> Card:
    return Card(asks, answer.word(ratio), ratio, sentence, _kind(ratio))


def _kind(ratio: Estimate) -> str:
    return {"faster": "gain", "slower": "loss"}.get(answer.word(ratio), "open")


@dataclasses.dataclass(frozen=True)
class Quality:
    """light: "sharp", "fair" or "rough"; text: why."""

    light: str
    text: str


SHARP, FAIR = 0.03, 0.10        # half-widths of a ratio


def quality(timed: list[Samples], ratios: list[Estimate]) -> Quality:
    """How far the first screen can be trusted: how quiet it was, and how sharp it is."""
    facts = [fact for samples in timed for fact in samples.facts]
    busy = sum(fact["quiet"] == "no" for fact in facts) / max(len(facts), 1)
    widest = max((math.log(ratio.high / ratio.value) for ratio in ratios), default=math.inf)
    light = "sharp" if widest <= SHARP else "fair" if widest <= FAIR else "rough"
    return Quality(light, f"{busy:.0%} of {len(facts)} processes had a busy neighbour; the ratios "
                   + (f"below are good to {widest:.1%}" if math.isfinite(widest) else
                      "below have no interval yet"))


def described(found: list[Row]) -> str:
    """The picture in words, for readers who cannot see it."""
    return f"How fast a huge page is copied, over \"{_loop(found)}\": " + "; ".join(
        f"{row.label} {row.speed}" for row in found)


def figure(found: list[Row]) -> Figure:
    """The rows as a forest plot, with their ratios written out."""
    fig, ax = drawing.subplots(figsize=(11, 1.1 + 0.33 * len(found)))
    for y, row in enumerate(found):
        if row.published:
            ax.plot([value for value, _ in row.published], [y] * len(row.published),
                    **drawing.PUBLISHED_STYLE, zorder=1)
        rows = drawing.as_rows([row.speed])
        drawing.dots(ax, rows["speedup"], [y], rows, horizontal=True, label=None,
                     colour=_colour(row.speed), stable=row.stable)
    ax.plot([], [], "o", color="0.2", label="measured here, with the interval of a repeat")
    ax.plot([], [], **drawing.PUBLISHED_STYLE, label="published, on other machines")
    drawing.at_one(ax)
    drawing.label_rows(ax, [row.label for row in found])
    drawing.columns(ax, [row.label for row in found],
                    {"": {row.label: str(row.speed) for row in found}})
    drawing.show_all_dots(ax, [value for row in found for value in (
        row.speed.value, *(value for value, _ in row.published))], "x")
    ax.set_xlabel(f"speed over \"{_loop(found)}\", for one huge page (larger is faster)")
    drawing.legend_below(fig, ax)
    return fig


def _loop(found: list[Row]) -> str:
    return next(row.label for row in found if row.is_loop)


def _colour(speed: Estimate) -> str:
    return {"gain": drawing.COLOURS[2], "loss": drawing.COLOURS[3], "open": "0.35"}[_kind(speed)]
