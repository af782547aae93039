# SPDX-License-Identifier: MIT
"""Machines beside each other: in what they differ, and which is nearest to ours."""

import math
from collections.abc import Callable, Iterable, Mapping

from artifact import machine, microarchitecture, paths, sizes
from artifact.problem import Misuse


def _caches(found: dict) -> str:
    # Of the first CPU; a size is what explains a difference, the sharing rarely.
    return ", ".join(f"{sizes.spoken(cache['bytes'])} L{cache['level']}" for cache in found["caches"])


# What can explain that a ratio is another; "" where a record does not tell.
FACTS: dict[str, Callable[[dict], str]] = {
    "CPU": lambda found: f"{machine.cpu_name(found['cpu'])} {found['cpu']['family_model_stepping']}",
    "CPUs": lambda found: str(found["cpu"]["usable"]),
    "core types": lambda found: found["cpu"].get("core_types", ""),
    "SMT": lambda found: found["cpu"].get("smt", ""),
    "governor": lambda found: found["cpu"]["governor"],
    "caches": _caches,
    "NUMA nodes": lambda found: str(len(found["numa_nodes"])),
    "memory": lambda found: sizes.spoken(found['memory_bytes']),
    "runs on": machine.where,
    "kernel": lambda found: f"Linux {found['kernel']['release']}",
    "kernel parameters": lambda found: " ".join(found["kernel"]["command_line"]["telling"]),
    "huge pages": lambda found: ", ".join(
        f"{name} {word}" for name, word in found["transparent_huge_pages"].items()),
    "compiler": lambda found: found["compiler"],
    "measured at": lambda found: f"commit {found['commit']}"}

KIND = "CPU", "CPUs", "NUMA nodes"      # as machine.kind() has it


def facts(record: dict) -> dict[str, str]:
    """All of a machine record's. It may be a foreign one: what cannot be printed is left out."""
    return {fact: "".join(filter(str.isprintable, str(of(record)))) for fact, of in FACTS.items()}


def are_alike(records: Iterable[dict]) -> bool:
    """Whether all are of one kind of machine."""
    return len(set(map(machine.kind, records))) <= 1


def differences(told: Mapping[str, dict[str, str]]) -> dict[str, str]:
    """Of the facts of machines by their names: each that is not the same in all that
    tell it, with every value and whose it is."""
    found = {}
    for fact in dict.fromkeys(fact for each in told.values() for fact in each):
        names: dict[str, list[str]] = {}
        for name, each in told.items():
            if value := each.get(fact):
                names.setdefault(value, []).append(name)
        if len(names) > 1:
            found[fact] = "; ".join(f"{value} ({', '.join(whose)})" for value, whose in names.items())
    return found


def kind(records: Iterable[dict]) -> str:
    """Whether they are of one kind of machine, in words."""
    return "the same kind of machine" if are_alike(records) else "different kinds of machine"


def refuse_unlike(records: Mapping[str, dict]) -> None:
    """Raises Misuse where runs, by their names, are not of one kind of machine: their ratios
    need not agree, and that they do not would say nothing of the method."""
    if are_alike(records.values()):
        return
    differ = differences({name: facts(record) for name, record in records.items()})
    told = "; ".join(f"{fact} {differ[fact]}" for fact in KIND if fact in differ)
    raise Misuse(f"runs {' and '.join(records)}",
                 f"not of one kind of machine ({told}), so their ratios need not agree",
                 f"see what each says: make compare RUNS=\"{' '.join(records)}\"")


def nearest(run: paths.Run) -> paths.Run | None:
    """The recorded run, not this one, whose machine is most like this run's; None without
    any. Of equals the first by name."""
    record = machine.load(run.machine)
    others = [paths.run(name) for name in paths.recorded_runs() if name != run.full_name]
    return min(others, key=lambda other: _distance(record, machine.load(other.machine)),
               default=None)


def _distance(one: dict, other: dict) -> tuple:
    """What is first decides; the rest only where that is equal."""
    return (machine.kind(one) != machine.kind(other),
            not (microarchitecture.of(one["cpu"]) == microarchitecture.of(other["cpu"]) != ""),
            not (microarchitecture.maker(one["cpu"]) == microarchitecture.maker(other["cpu"]) != ""),
            one["cpu"]["architecture"] != other["cpu"]["architecture"],
            bool(one["virtual_machine"]) != bool(other["virtual_machine"]),
            _apart(one["cpu"]["usable"], other["cpu"]["usable"]),
            _apart(len(one["numa_nodes"]), len(other["numa_nodes"])),
            _apart(_last_level_bytes(one), _last_level_bytes(other)))


def _apart(one: int, other: int) -> float:
    """How many times as large; unknown is as far as can be."""
    return abs(math.log(one / other)) if one and other else math.inf


def _last_level_bytes(found: dict) -> int:
    return found["caches"][-1]["bytes"] if found["caches"] else 0
