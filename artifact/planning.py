# SPDX-License-Identifier: MIT
"""From parameters to a run's plan: what a notebook means on a machine, and in a run."""

import dataclasses
import hashlib
import json
import typing
from collections.abc import Iterable

from artifact import host, machine, paths, plan
from artifact.answer import Answer
from artifact.host import Host
from artifact.measured import Measured
from artifact.plan import Entry, Plan, PlanFile
from artifact.problem import Lacking, Misuse, choose
from artifact.questions import QUESTIONS
from artifact.questions.question import Question

Parameters = dict[str, typing.Any]      # as a notebook has them: lists, texts, numbers


def defaults(question: Question) -> Parameters:
    """A question's own parameters. They live in its module alone: no notebook,
    saved or not, changes them."""
    return _as_lists(dataclasses.asdict(question.parameters()))


def of_run(question: Question, run: paths.Run) -> Parameters:
    """The parameters that a run was taken with; the defaults where it has none."""
    found = plan.find(run)
    entry = found.entries.get(question.notebook) if found else None
    if entry is None:
        return defaults(question)
    # What a later version has added or dropped is not the run's.
    return {key: entry.parameters.get(key, value) for key, value in defaults(question).items()}


def checked(question: Question, parameters: Parameters) -> Parameters:
    """The parameters, when all are known and of the type of their defaults."""
    own, hints = defaults(question), typing.get_type_hints(question.parameters)
    for key, value in parameters.items():
        if key not in own:
            raise _unknown(question, key)
        if not _is_of(value, hints[key]):
            raise Misuse(f"parameter {key}={value!r}", f"not {_named(hints[key])}",
                         f"the default is {own[key]!r}")
    return parameters


def parse(question: Question, arguments: Iterable[str]) -> Parameters:
    """Parameters from NAME=VALUE texts; lists are written a,b,c."""
    own, hints = defaults(question), typing.get_type_hints(question.parameters)
    given: Parameters = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals or key not in own:
            raise _unknown(question, key)
        item = typing.get_args(hints[key])
        try:
            given[key] = [item[0](word) for word in text.split(",") if word] if item else \
                hints[key](text)
        except ValueError as error:
            raise Misuse(f"parameter {argument}", f"not {_named(hints[key])}",
                         f"the default is {own[key]!r}") from error
    return checked(question, given)


def as_values(question: Question, parameters: Parameters) -> typing.Any:
    """The parameters as the question's functions take them."""
    return question.parameters(**{key: tuple(value) if isinstance(value, list) else value
                                  for key, value in parameters.items()})


def changes(question: Question, run: paths.Run, parameters: Parameters) -> Parameters:
    """Those that are not what the run was taken with."""
    own = of_run(question, run)
    return {key: value for key, value in parameters.items() if value != own[key]}


def key_of(question: Question, run: paths.Run, parameters: Parameters) -> str:
    """What files of these parameters are called: the notebook's name, and a short
    suffix where they are not the run's own, so that none overwrites the other's."""
    changed = changes(question, run, parameters)
    if not changed:
        return question.notebook
    digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:6]
    return f"{question.notebook}-modified-{digest}"


def proposed(question: Question, parameters: Parameters, facts: Host) -> Plan:
    """What parameters mean on a machine. Raises Misuse for such as mean nothing."""
    return question.plan(facts, as_values(question, parameters))


def stored(run: paths.Run, question: Question, parameters: Parameters) -> Entry | None:
    """What a run has planned for exactly these parameters; None where nothing, or
    where some of it is to be measured here."""
    found = plan.find(run)
    entry = found.entries.get(key_of(question, run, parameters)) if found else None
    if entry and run.may_measure and not paths.ONLY_DRAWS and \
            plan.missing(run, entry.plan.cells):
        return None
    return entry


def planned(run: paths.Run, wanted: Iterable[tuple[Question, Parameters]]) -> Plan:
    """Plans for this machine, writes that to the run's plan.json, and returns all
    cells of it.

    Raises Lacking where the run is another machine's, or another user's, and
    cannot be gone on with here.
    """
    wanted, facts = list(wanted), host.here()
    with plan.changing(run):
        found = plan.find(run) or PlanFile("", facts, {})
        keys = {key_of(question, run, parameters): (question, parameters)
                for question, parameters in wanted}
        odd = found.host.differences(facts) if found.host and found.entries else []
        if odd:
            return _as_stored(run, found, list(keys), odd)
        fresh = {key: Entry(question.notebook, parameters, proposed(question, parameters, facts))
                 for key, (question, parameters) in keys.items()}
        plan.write(run, PlanFile(machine.commit(), facts, {**found.entries, **fresh}))
    return plan.joined(entry.plan for entry in fresh.values())


def _as_stored(run: paths.Run, found: PlanFile, keys: list[str], odd: list[str]) -> Plan:
    """What was planned there, if there is nothing left to measure here."""
    kept = plan.joined(found.entries[key].plan for key in keys if key in found.entries)
    if all(key in found.entries for key in keys) and not plan.missing(run, kept.cells):
        return kept
    raise Lacking(f"run {run.name}", "it was planned on another machine or by another user "
                  f"({'; '.join(odd)})", "continue there, or give RUN another name")


def answered(everything: Measured) -> dict[str, Answer]:
    """What each notebook answers of a whole run, without drawing anything."""
    found = {}
    for name, entry in plan.read(everything.run).own.items():
        question = QUESTIONS.get(name)
        if question and entry.plan.cells:
            found[name] = question.answered(
                everything.part(entry.plan), as_values(question, of_run(question, everything.run)))
    return found


def _as_lists(fields: dict[str, typing.Any]) -> Parameters:
    return {key: list(value) if isinstance(value, tuple) else value
            for key, value in fields.items()}


def _is_of(value: typing.Any, hint: typing.Any) -> bool:
    item = typing.get_args(hint)
    if item:
        return isinstance(value, list) and all(_is_of(each, item[0]) for each in value)
    wanted = (int, float) if hint is float else hint
    return isinstance(value, wanted) and not isinstance(value, bool)


def _named(hint: typing.Any) -> str:
    """A type, in words that a user has."""
    words = {int: "a whole number", float: "a number", str: "a text"}
    item = typing.get_args(hint)
    return f"a list, each {words[item[0]]}" if item else words[hint]


def _unknown(question: Question, key: str) -> Misuse:
    return Misuse(f"unknown parameter {key!r}", f"notebook {question.notebook} does not have it",
                  choose(key, ["run", *defaults(question)]))
