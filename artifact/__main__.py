# SPDX-License-Identifier: MIT
"""The command line behind the Makefile: python -m artifact COMMAND."""

import argparse
import math
import signal
import sys
import time
import typing
from collections.abc import Callable

from artifact import paths
from artifact.measuring import AROUND, MINUTES
from artifact.problem import Damaged, Lacking, Misuse, Problem, Unwritable, choose


def main() -> int:
    # Killed politely or by Ctrl-C: the same way out, with everything kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _parser().parse_args()
    try:
        return arguments.command(arguments) or 0
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return problem.status
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except OSError as error:
        print(f"error: {error.strerror or error}: {error.filename or 'no file named'}; "
              "what is measured is kept: fix this and run again", file=sys.stderr)
        return Unwritable.status
    except KeyboardInterrupt:
        print("interrupted: what is measured is kept, and make report draws it; the same command "
              "continues", file=sys.stderr)
        return 130


def reproduce(arguments) -> None:
    """Measure what is missing, run the notebooks, write the report."""
    from artifact import kept, measured, planning
    from artifact import report as drawn
    from artifact.measuring import live, outlook, passes
    from artifact.plan import missing
    from artifact.questions import QUESTIONS

    run = _own(arguments.run)
    _say_kept_parameters(run)
    wanted = planning.planned(run, [(question, planning.of_run(question, run))
                                    for question in QUESTIONS.values() if question.own_cells])
    if not missing(run, wanted.cells):
        say(f"run {run.name}: every cell is measured; RUN=another starts afresh")
    outlook.check(run, list(wanted.cells), arguments.minutes, say)
    passes.measure(run, list(wanted.cells), say, arguments.minutes - AROUND, lambda: _look(run),
                   live.chosen())
    _draw_last(run, lambda: drawn.draw(run, say))
    for name in QUESTIONS:
        say(f"\n{name}: {kept.read(run, name)['answer']}")
    say(f"\nreport: {paths.shown(run.report)}\n")
    say(_claims_as_text(measured.of(run)))


def figures(arguments) -> None:
    """Draw everything from a recorded run; nothing is measured."""
    from artifact import report as drawn

    run = _recorded(arguments.run)
    drawn.draw(run, say)
    say(f"report: {paths.shown(run.report)}")


def rendered(arguments) -> None:
    """Draw a recorded run and make notebooks/rendered and ARTIFACT.md from it."""
    from artifact import appendix, pages

    figures(arguments)
    run = _recorded(arguments.run)
    pages.write(run)
    appendix.write()
    say(f"pages: {paths.shown(pages.FOLDER)} and {paths.shown(appendix.FILE)}")


def report(arguments) -> None:
    """Draw whatever a run has measured: its notebooks and report.html."""
    from artifact import measured
    from artifact import report as drawn

    run = paths.run(arguments.run)
    measured.of(run)        # or says what is missing, before anything is drawn
    drawn.draw(run, say)
    say(f"report: {paths.shown(run.report)}")


def plan(arguments) -> None:
    """Say what 'reproduce' would do: processes, minutes, memory, what it skips."""
    from artifact import host, planning
    from artifact.measuring import outlook
    from artifact.plan import joined, missing
    from artifact.questions import QUESTIONS

    run, facts = _own(arguments.run), host.here()
    found = joined(planning.proposed(question, planning.of_run(question, run), facts)
                   for question in QUESTIONS.values() if question.own_cells)
    _say_kept_parameters(run)
    try:
        probed = outlook.probed(missing(run, found.cells))
    except Lacking as lacking:
        say(f"nothing is probed: {lacking.why}")
        probed = {}
    for line in outlook.table(outlook.of(run, found.cells, probed=probed), arguments.minutes):
        say(line)
    for what, why in found.skipped:
        say(f"skipped here: {what}: {why}")


def notebook(arguments) -> None:
    """Run one notebook with changed parameters, measuring only what is missing."""
    from artifact import execution, planning
    from artifact.measuring import live, outlook, passes
    from artifact.questions import find

    question = find(arguments.notebook)
    name, given = arguments.run, []
    for argument in arguments.parameters:
        if argument.startswith("run="):
            name = argument.removeprefix("run=")
        else:
            given.append(argument)
    chosen, run = planning.parse(question, given), paths.run(name)
    parameters = {**planning.of_run(question, run), **chosen}
    def draw() -> None:
        say(f"rendered: {paths.shown(execution.execute(question, run, parameters))}")
    if run.may_measure and question.own_cells:
        wanted = planning.planned(run, [(question, parameters)])
        _say_what_is_missing(run, wanted.cells)
        outlook.check(run, list(wanted.cells), arguments.minutes, say, outlook.ONE_NOTEBOOK)
        with execution.quick_look():
            passes.measure(run, list(wanted.cells), say, arguments.minutes, draw,
                           live.chosen())
        _draw_last(run, draw)
    else:
        draw()


def kernel_lab(arguments) -> int:
    """Boot real kernels in a virtual machine and collect what they measure."""
    from artifact import planning
    from artifact.cells import KernelCell
    from artifact.measuring import kernels, lab, passes
    from artifact.questions import QUESTIONS

    if (why := kernels.lacking()):
        raise Lacking("no virtual machine", why, "then run it again")
    run, named = _own(arguments.run), arguments.kernel
    chosen = [kernels.find(name) for name in kernels.USUAL] if not named else \
        [kernels.adopt(named) if "/" in named else kernels.find(named)]
    for kernel in chosen:
        kernels.fetch(kernel, say)
    wanted = []
    for name in ("07-page-migration", "08-in-kernel"):
        own = planning.of_run(QUESTIONS[name], run)
        names = [k.name for k in chosen if named or k.name in own["lab_kernels"]]
        wanted.append((QUESTIONS[name], {**own, "lab_kernels": names}))
    cells = [cell for cell in planning.planned(run, wanted).cells
             if isinstance(cell, KernelCell) and cell.kernel != "host"]
    with passes.alone(run):
        difference = lab.measure(run, cells, say)
    for line in lab.summary(run, cells):
        say(line)
    say("\n'make reproduce' draws it in notebooks 07 and 08" if not named else
        f"\nto draw it: make notebook NB=08 ARGS=lab_kernels={chosen[0].name}")
    if difference and not kernels.has_kvm():
        say("the boots disagree: this QEMU's counts do not repeat")
        return 1
    return 0


def claims(arguments) -> None:
    """The verdict on every published claim, from what a run measured."""
    from artifact import measured
    from artifact.verdicts import pack as packed

    if arguments.format not in FORMATS:
        raise Misuse(f"FORMAT={arguments.format}", "no such format",
                     choose(arguments.format, FORMATS))
    say(FORMATS[arguments.format](measured.of(packed.opened(arguments.run))))


def _claims_as_text(everything) -> str:
    from artifact.verdicts import claims as judged

    lines = judged.table(judged.verdicts(everything))
    if everything.provisional:
        lines.append(f"provisional ({everything.provisional}): make reproduce continues")
    return "\n".join(lines)


def _claims_as_json(everything) -> str:
    from artifact.verdicts import as_json
    from artifact.verdicts import claims as judged

    return as_json.text(everything, judged.verdicts(everything))


FORMATS = {"text": _claims_as_text, "json": _claims_as_json}


def changelog(arguments) -> None:
    """Text for a commit message and a cover letter, from what a run measured."""
    from artifact import measured
    from artifact.verdicts import changelog as written
    from artifact.verdicts import claims as judged

    run = paths.run(arguments.run)
    everything = measured.of(run)
    text = written.text(everything, judged.verdicts(everything))
    paths.write_atomically(run.drawn / "changelog.txt", text.encode("ascii"))
    say(text + f"\n(in {paths.shown(run.drawn / 'changelog.txt')})")


def compare(arguments) -> None:
    """Compare runs, packed or not, in one table of claims and one set of figures."""
    from artifact.verdicts import compare as compared
    from artifact.verdicts import pack as packed

    lines, report = compared.write([packed.opened(name) for name in arguments.runs])
    say("\n".join(lines))
    say(f"\nreport: {paths.shown(report)}")


def pack(arguments) -> None:
    """Pack a run's measurements into one file for somebody else."""
    from artifact.verdicts import pack as packed

    say(f"packed: {paths.shown(packed.pack(paths.run(arguments.run)))}")


def lab(arguments) -> None:
    """Start JupyterLab on copies of the notebooks, for this machine only, with a token."""
    from artifact import jupyter

    jupyter.serve(say)


def explore(arguments) -> None:
    """JupyterLab at the notebook with knobs and a ratio that sharpens while one looks."""
    from artifact import jupyter

    jupyter.serve(say, opens="explore.ipynb")


def check(arguments) -> None:
    """Build, verify every copy routine, catch the planted faults, name what is skipped."""
    from artifact import check as checks

    checks.check(say)


def aa(arguments) -> int:
    """Measure one copy routine against itself, over and over: does the interval cover 1?"""
    import numpy as np

    from artifact import ctools, estimate
    from artifact.cells import Cell

    run = _own("same-kernel")
    covered, halves, values = 0, [], []
    for repeat in range(1, arguments.repeats + 1):
        cell = Cell("same-kernel", f"{repeat:03}", (
            "--base=4K", "--huge=2M", "--backing=auto", f"--rounds={arguments.rounds}"),
            (f"serial:bulk:{ctools.listed()['folio_mc_copy']}",), arguments.processes, resolution=1.0)
        ratio = estimate.same_kernel_ratio(_aa_samples(run, cell))
        covered += not ratio.differs_from_1
        halves.append((ratio.high - ratio.low) / 2)
        values.append(ratio.value)
        say(f"repeat {repeat:>3} of {arguments.repeats}: {ratio}; {covered} of {repeat} cover 1")
    say(f"the interval covered 1 in {covered} of {arguments.repeats} repeats; half-width: median "
        f"{np.median(halves):.2%}, largest {max(halves):.2%}; spread of the ratio itself over the "
        f"repeats (SD): {np.std(values, ddof=1) if len(values) > 1 else 0:.2%}")
    return 0 if covered >= 0.93 * arguments.repeats and np.median(halves) <= 0.01 else 1


def _aa_samples(run: paths.Run, cell):
    """One repeat, measured once: a failed check must stay in the count."""
    from artifact import samples
    from artifact.measuring import passes

    passes.measure(run, [cell], lambda line: None)
    rejected = run.rejected_file(cell.id)
    if rejected.exists():
        rejected.replace(run.cell_file(cell.id))
    return samples.read_timed(run, cell)


def agree(arguments) -> int:
    """Are the headline ratios of two runs inside each other's intervals, but for chance?"""
    from artifact.verdicts import coverage as covered

    lines, they_agree = covered.agreement(*_read(arguments.runs))
    say("\n".join(lines))
    say("the runs agree" if they_agree else "the runs do not agree")
    return 0 if they_agree else 1


def coverage(arguments) -> int:
    """In how many of 100 intervals is another run's ratio, over all arms of all pairs?"""
    from artifact.verdicts import coverage as covered

    runs = _read(arguments.runs)
    found = covered.counted(runs)
    say("\n".join(covered.table(runs, found)))
    return 0 if covered.total(found).share >= covered.ENOUGH else 1


def _read(names: list[str]) -> list:
    """What runs measured, recorded, packed or ours."""
    from artifact import measured
    from artifact.verdicts import pack as packed

    found = [measured.of(packed.opened(name)) for name in names]
    for run in found:
        if run.provisional:
            say(f"run {run.run.name} is provisional ({run.provisional}): what it lacks is left out")
    return found


def sharpness(arguments) -> int:
    """Is each verdict of a run as sharp as in another run, say a recorded one?"""
    from artifact.verdicts import compare as compared
    from artifact.verdicts import pack as packed

    lines, as_sharp = compared.sharpness(*(packed.opened(name) for name in arguments.runs))
    say("\n".join(lines))
    return 0 if as_sharp else 1


def allocation(arguments) -> None:
    """How a run's time is best divided between processes and rounds."""
    from artifact import allocation as allocated
    from artifact import measured
    from artifact.verdicts import pack as packed

    timed = measured.of(packed.opened(arguments.run)).timed
    say("\n".join(allocated.table([allocated.of(each, arguments.start) for each in timed])))


def profile(arguments) -> None:
    """Where a run's seconds went, from its own records."""
    from artifact import plan, profile
    from artifact.measured import Measured

    run = paths.run(arguments.run)
    everything = plan.joined(entry.plan for entry in plan.read(run).entries.values())
    say("\n".join(profile.table(run, Measured(run, everything).timed)))


def badge(arguments) -> None:
    """What artifact evaluators ask for, each with the evidence that is here now."""
    from artifact import badge as checklist

    for line in checklist.lines():
        say(line)


def say(line: str) -> None:
    print(line, flush=True)


def _own(name: str) -> paths.Run:
    run = paths.run(name)
    if not run.may_measure:
        raise Misuse(f"run {name}", "recorded data is read-only",
                     "give RUN another name")
    return run


def _recorded(name: str) -> paths.Run:
    """A run by its name; without one the first that was recorded."""
    recorded = paths.recorded_runs()
    if not recorded:
        raise Damaged("no recorded run", "data/recorded is empty",
                      "restore it: git checkout data/recorded")
    return paths.run(name or recorded[0])


def _look(run: paths.Run) -> None:
    """The report, while it is measured."""
    from artifact import report as drawn

    drawn.draw(run, say, quick=True)
    say(f"provisional report: {paths.shown(run.report)}; measuring continues")


def _draw_last(run: paths.Run, draw: Callable[[], None]) -> None:
    """Draws when all is measured, and records how long that took, as for each look."""
    from artifact.measuring import looks

    started = time.monotonic()
    draw()
    looks.drew_last(run, time.monotonic() - started)


def _say_what_is_missing(run: paths.Run, cells) -> None:
    """Which cells a notebook still needs, those that its parameters change, and how long
    they take."""
    from artifact.measuring import outlook
    from artifact.plan import missing

    wanted = missing(run, cells)
    if wanted:
        kept = len(cells) - len(wanted)
        say(f"to measure: {', '.join(f'{cell.experiment} {cell.label}' for cell in wanted)}"
            + (f"; {kept} other cells are measured" if kept else ""))
        say(outlook.duration(outlook.of(run, wanted, outlook.ONE_NOTEBOOK)))


def _say_kept_parameters(run: paths.Run) -> None:
    """Which of a run's kept parameters differ from this version's defaults."""
    from artifact import planning
    from artifact.questions import QUESTIONS

    kept = [f"{key} of {name}" for name, question in QUESTIONS.items()
            for key in planning.changes(question, run, planning.defaults(question))]
    if kept:
        say(f"run {run.name} keeps the parameters it began with: {', '.join(kept)}; RUN=another "
            "takes today's defaults")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> typing.NoReturn:
        """One line, as for everything else that a user can get wrong."""
        print(f"error: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m artifact", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(function) -> argparse.ArgumentParser:
        command = commands.add_parser(function.__name__.replace("_", "-"), help=function.__doc__,
                                      description=function.__doc__)
        command.set_defaults(command=function)
        return command

    for function in (report, changelog, pack, profile):
        add(function).add_argument("--run", default=paths.DEFAULT_RUN)
    command = add(claims)
    command.add_argument("--run", default=paths.DEFAULT_RUN)
    command.add_argument("--format", default="text")
    for function in (plan, reproduce, notebook):
        command = add(function)
        command.add_argument("--run", default=paths.DEFAULT_RUN)
        command.add_argument("--minutes", type=_minutes, default=MINUTES)
    for function in (figures, rendered):
        add(function).add_argument("--run", default="")
    command.add_argument("notebook")
    command.add_argument("parameters", nargs="*", metavar="NAME=VALUE")
    command = add(kernel_lab)
    command.add_argument("--run", default=paths.DEFAULT_RUN)
    command.add_argument("--kernel", default="", metavar="VMLINUZ")
    add(check)
    add(lab)
    add(badge)
    add(explore)
    command = add(aa)
    command.add_argument("--repeats", type=_count, default=100)
    command.add_argument("--processes", type=_count, default=20)
    command.add_argument("--rounds", type=_count, default=384)
    add(agree).add_argument("runs", nargs=2)
    add(coverage).add_argument("runs", nargs="+")
    add(compare).add_argument("runs", nargs="+")
    add(sharpness).add_argument("runs", nargs=2)
    command = add(allocation)
    command.add_argument("--run", default=paths.DEFAULT_RUN)
    command.add_argument("--start", type=_seconds, default=0.4, metavar="SECONDS",
                         help="a process takes to start, if the run did not record it (0.4)")
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds")
    return value


def _minutes(text: str) -> float:
    try:
        return _seconds(text) if text else MINUTES
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"MINUTES={text}: not a positive number; give one, such as MINUTES=5") from error


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count of 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
