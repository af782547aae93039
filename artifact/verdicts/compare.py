# SPDX-License-Identifier: MIT
"""Several runs beside each other: which claims are portable?"""

import io
import math
import statistics
from pathlib import Path

from artifact import drawing, likeness, machine, measured, paths, rendering
from artifact.estimate import Estimate
from artifact.measured import Measured
from artifact.problem import Damaged, Misuse, Problem, one_line
from artifact.sharpness import half_width
from artifact.verdicts import claims, figures
from artifact.verdicts.claims import Verdict
from artifact.verdicts.coverage import headlines as headlines_of
from artifact.verdicts.state import at_one_state


def write(runs: list[paths.Run]) -> tuple[list[str], Path]:
    """Lines with what differs between the machines and with all verdicts, and the report
    with figures.

    Raises Misuse where two runs have one name, and a Problem where one of them
    is not whole.
    """
    if len({run.name for run in runs}) < len(runs):
        raise Misuse("runs to compare", "two have the same name", "rename one of them")
    found, headlines, machines, facts = {}, {}, {}, {}
    for run in runs:
        everything, found[run.name], headlines[run.name] = _judged(run)
        machines[run.name] = everything.machine
        facts[run.name] = likeness.facts(everything.machine) | {"protocol": _protocol(everything)}
    kind, differ = likeness.kind(machines.values()), likeness.differences(facts)
    html = rendering.environment().get_template("compare.html.j2").render(
        machines={name: machine.summary(record) for name, record in machines.items()},
        kind=kind, differ=differ,
        rows=[(verdicts[0].claim, [v.word for v in verdicts], portable(verdicts))
              for verdicts in zip(*found.values(), strict=True)], names=list(found),
        figures=[_embedded(figures.claims_figure([], found), "claims"),
                 _embedded(_headlines_figure(_at_one_state(headlines, machines)), "headlines")])
    target = paths.RESULTS / "compare.html"
    paths.write_atomically(target, html.encode())
    above = [kind + ":" * bool(differ), *(f"  {fact}: {told}" for fact, told in differ.items()), ""]
    return (above if len(runs) > 1 else []) + _lines(found), target


def _protocol(run: Measured) -> str:
    """What the arms of its cells mean."""
    return " and ".join(map(str, sorted({samples.cell.protocol for samples in run.timed})))


def sharpness(run: paths.Run, other: paths.Run) -> tuple[list[str], bool]:
    """A line for each tested claim with the half-widths of both runs' intervals,
    and one for all cells; and whether no claim's is wider in the first.

    Wider is also what the first run has not. Counts are exact and say nothing. A
    half-width is itself an estimate, from a few batches: of two runs that are alike
    either is wider in half of the lines, so the last one tells more than each.
    """
    both = [measured.of(each) for each in (run, other)]
    lines, as_sharp = [f"{'claim':6} {run.name[:24]:>24} {other.name[:24]:>24}"], True
    for found in zip(*map(claims.verdicts, both), strict=True):
        mine, theirs = (math.inf if v.measured is None else (v.measured.high - v.measured.low) / 2
                        for v in found)
        if theirs in (0, math.inf):
            continue
        as_sharp &= mine <= theirs
        lines.append(f"{found[0].claim.id:6} {mine:>24.4f} {theirs:>24.4f}  "
                     + ("WIDER" if mine > theirs else "as sharp"))
    return [*lines, _of_all_cells(*both)], as_sharp


def _of_all_cells(run: Measured, other: Measured) -> str:
    widths, others = ({(found.cell.experiment, found.cell.label): half_width(found)
                       for found in each.timed} for each in (run, other))
    ratios = [widths[key] / others[key] for key in widths.keys() & others.keys() if others[key]]
    if not ratios:
        return "the runs have no cell in common"
    return (f"{len(ratios)} cells in common: {statistics.median(ratios):.2f} times as wide in the "
            f"middle; {sum(ratio <= 1 for ratio in ratios)} of them no wider")


def _judged(run: paths.Run) -> tuple[Measured, list[Verdict], dict[str, Estimate]]:
    """What a run measured, its verdicts and headlines. A foreign one may hold anything, so
    whatever cannot be made sense of is a Problem of that run."""
    try:
        everything = measured.of(run)
        return everything, claims.verdicts(everything), headlines_of(everything)
    except Problem:
        raise
    except Exception as error:
        raise Damaged(f"run {run.name}", f"its cells do not fit its plan ({one_line(error)})",
                      "measure it, or have it packed, again") from error


def portable(verdicts: tuple[Verdict, ...]) -> str:
    """Whether a claim has the same verdict wherever it could be tested; where some runs
    leave it open, or lack its premise, in how many that is so."""
    words = [v.word for v in verdicts if v.word in claims.JUDGED]
    if len(words) < 2:
        return "one run only" if words else "not tested"
    if {"holds", "does not hold"} <= set(words):
        return "differs"
    if len(set(words)) == 1 and words[0] != "inconclusive":
        return "same verdict"
    return ", ".join(f"{text} in {count} of {len(words)}" for text, word in (
        ("open", "inconclusive"), ("premise absent", "premise absent")) if (count := words.count(word)))


def _lines(found: dict[str, list[Verdict]]) -> list[str]:
    widths = [max(14, len(name)) for name in found]
    lines = [f"{'claim':6}" + "  ".join(f"{name:{w}}" for name, w in zip(found, widths, strict=True))
             + "  portable?"]
    for verdicts in zip(*found.values(), strict=True):
        lines.append(f"{verdicts[0].claim.id:6}" + "  ".join(
            f"{v.word:{w}}" for v, w in zip(verdicts, widths, strict=True)) + f"  {portable(verdicts)}")
    return lines


def _at_one_state(headlines: dict[str, dict[str, Estimate]],
                  machines: dict[str, dict]) -> dict[str, dict[str, Estimate]]:
    """Those of runs of one kind of machine brought to one state of it, as far as a ratio is
    in several. Other machines are no state of this one."""
    found = {name: dict(each) for name, each in headlines.items()}
    for alike in {machine.kind(record) for record in machines.values()}:
        names = [name for name, record in machines.items() if machine.kind(record) == alike]
        for key in dict.fromkeys(key for name in names for key in headlines[name]):
            having = [name for name in names if key in headlines[name]]
            ratios = at_one_state([headlines[name][key] for name in having])
            for name, ratio in zip(having, ratios, strict=True):
                found[name][key] = ratio
    return found


def _headlines_figure(found: dict[str, dict[str, Estimate]]):
    """Every ratio that the answers rest on, a mark for each run; of runs of one kind of
    machine as in one state of it."""
    names = list(dict.fromkeys(key for each in found.values() for key in each))
    fig, ax = drawing.subplots(figsize=(13, 1.6 + 0.4 * len(names)))
    for i, (run, each) in enumerate(found.items()):
        look = {"fmt": drawing.MARKERS[i % 7], "color": drawing.COLOURS[i]}
        for key, e in each.items():
            y = names.index(key) + 0.14 * (i - (len(found) - 1) / 2)
            ax.errorbar(e.value, y, **look, xerr=drawing.ends(e.value - e.low, e.high - e.value)
                        if math.isfinite(e.high) else None, markersize=5, elinewidth=1.2)
        ax.plot([], [], look["fmt"], color=look["color"], label=run)
    ax.set_yticks(range(len(names)), names, fontsize="x-small")
    ax.set_ylim(len(names) - 0.5, -0.5)
    drawing.at_one(ax)
    ax.set_xscale("log")
    ax.set_xlabel("ratio")
    drawing.legend_below(fig, ax)
    ax.set_title("The ratios that the answers rest on;\n"
                 "runs of one kind of machine as in one state of it")
    return fig


def _embedded(fig, name: str) -> str:
    path = paths.RESULTS / f"compare-{name}.png"
    picture = io.BytesIO()
    fig.savefig(picture, format="png", dpi=130, bbox_inches="tight")
    drawing.pyplot().close(fig)
    paths.write_atomically(path, picture.getvalue())
    return rendering.embedded(path)
