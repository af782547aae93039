# SPDX-License-Identifier: MIT
"""A variant: one way to copy folios, as pagecopy names it.

    STRATEGY:RULE:PRIMITIVE[:KEY=VALUE]...

pagecopy reads the same names (ctools/variant.c); a test holds both readers to the
same answer.
"""

import dataclasses
import functools
import re
import typing

from artifact.problem import Misuse
from artifact.sizes import parse_size

# Bytes that every part of a copy is a multiple of: one cache line.
COPY_ALIGN = 64

# Options by kind. What each means is told by pagecopy --help.
WORDS = {
    "map": ("none", "2026", "2017", "2017-voluntary", "delay"),
    "observe": ("copy", "stretch", "phases"),
    "dispatch": ("spawn", "wake", "spin"),
    "caller": ("works", "waits", "reclaims"),
    "parts": ("fixed", "shared"),
    "priority": ("normal", "high", "low", "idle"),
    "affinity": ("bound", "unbound"),
    "pick": ("any", "idle"),
    "model": ("2017", "2025", "padata"),
    "defect": ("tail", "early", "zero"),
}
SIZES = ("extent", "bytes", "chunk")
COUNTS = ("folios", "migrators", "threads")


@dataclasses.dataclass(frozen=True)
class Variant:
    """A variant's name taken apart.

    text: the name, as pagecopy is given it. given: its options in their order.
    The fields after these say what it does, as far as the name alone tells;
    resolved() fills in what depends on sizes and CPUs.

    extent: bytes of one call; 0 for all of a part. bytes: of each folio; 0 for
    all of it. parts: each worker its own, or whoever is free the next one.
    chunk: bytes of the pieces that are shared out; 0 for even parts.
    join: whether the caller waits for all parts at once or for each in turn.
    split: into parts, or into one work for each folio of a list.
    cpus: that a scan looks at.
    """

    text: str
    given: tuple[tuple[str, str], ...]
    strategy: str
    rule: str
    primitive: str
    map: str = "none"
    delay_ns: float = 0.0
    extent: int = 0
    bytes: int = 0
    folios: int = 1
    migrators: int = 1
    observe: str = "copy"
    model: str = ""
    threads: int = 1
    dispatch: str = "wake"
    caller: str = "works"
    priority: str = "normal"
    affinity: str = "bound"
    parts: str = "fixed"
    chunk: int = 0
    pick: str = "any"
    join: str = "all"
    split: str = "parts"
    cpus: int = 0
    defects: tuple[str, ...] = ()

    @classmethod
    @functools.cache
    def parse(cls, text: str) -> "Variant":
        """The variant of that name; a replica's mark (#2, #twin) is none of it.

        Raises Misuse for a name that pagecopy would not take.
        """
        name = text.partition("#")[0]
        words = name.split(":")
        if len(words) < 3:
            raise Misuse(f"variant {text!r}", "not STRATEGY:RULE:PRIMITIVE[:KEY=VALUE]...",
                         "see ctools/pagecopy --help")
        given = tuple((key, value) for key, _, value in
                      (word.partition("=") for word in words[3:]))
        fields = _fields(name, given)
        if words[0] == "scan":
            fields |= {"primitive": "empty", "cpus": _count(name, words[2])}
        return cls(name, given, **{"strategy": words[0], "rule": words[1],
                                   "primitive": words[2], **fields})

    @property
    def parallel(self) -> bool:
        return self.strategy == "parallel"

    @property
    def work(self) -> tuple[int, int, int]:
        """What must be equal for two variants to copy as much."""
        return self.bytes, self.folios, self.migrators

    @property
    def copied(self) -> int:
        """Bytes of one copy; once resolved."""
        return self.bytes * self.folios

    def resolved(self, base: int, folio: int, cpus: int | None) -> "Variant":
        """What the name means with pages of so many bytes and on so many CPUs.

        cpus: None where it is not known, and no team is smaller for want of them.
        Mirrors ctools/resolve.c, whose first comment says it in words.
        """
        return _resolved(self, base, folio, cpus)


@functools.cache
def _resolved(variant: Variant, base: int, folio: int, cpus: int | None) -> Variant:
    if variant.model:
        variant = dataclasses.replace(variant, **_fields(variant.text, variant.given, cpus))
    return _sized(variant, base, folio)


# What has been posted, or stands in the tree, by the model's name. threads is
# capped by the CPUs there are.
MODELS: dict[str, dict[str, typing.Any]] = {
    "2017": {"threads": 8, "caller": "waits", "join": "each", "priority": "high"},
    "2025": {"threads": 4, "caller": "waits", "join": "each", "affinity": "unbound"},
    "padata": {"threads": 4, "caller": "works", "affinity": "unbound",
               "parts": "shared"},
}


def _fields(text: str, given: tuple[tuple[str, str], ...],
            cpus: int | None = None) -> dict[str, typing.Any]:
    """What the options say, from left to right; a model stands for several."""
    fields: dict[str, typing.Any] = {}
    models = [value for key, value in given if key == "model"]
    for key, value in given:
        fields |= _field(text, key, value, fields)
        if key == "model":
            fields |= MODELS[value]
            if cpus is not None:
                fields["threads"] = min(fields["threads"], cpus)
            if value == "2017":     # an even count: see DEFECT_ZERO there
                fields["threads"] = max(fields["threads"] & ~1, 1)
    if "2017" in models and fields.get("folios", 1) > 1:
        fields["split"] = "folios"
    return fields


def _field(text: str, key: str, value: str, before: dict) -> dict[str, typing.Any]:
    """What one option sets."""
    if value in WORDS.get(key, ()):
        if key != "defect":
            return {key: value}
        found = {*before.get("defects", ()), value}
        return {"defects": tuple(word for word in WORDS["defect"] if word in found)}
    if key in SIZES:
        return {key: parse_size(value)}
    if key in COUNTS:
        return {key: _count(text, value)}
    if key == "delay" and re.fullmatch(r"\d+(\.\d*)?", value):
        return {"delay_ns": float(value), "map": "delay"}
    raise Misuse(f"variant {text!r}", f"unknown option '{key}={value}'",
                 "see ctools/pagecopy --help")


def _count(text: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()) or int(value) == 0:
        raise Misuse(f"variant {text!r}", f"{value!r} is not a count",
                     "see ctools/pagecopy --help")
    return int(value)


def _sized(variant: Variant, base: int, folio: int) -> Variant:
    """Sizes that depend on each other, all in one place."""
    size = variant.bytes or folio
    extent = variant.extent or (base if variant.rule == "page" else 0)
    if extent == base:
        extent = min(extent, size)
    chunk = min(variant.chunk, size)
    return dataclasses.replace(variant, bytes=size, extent=extent, chunk=chunk)
