# SPDX-License-Identifier: MIT
"""What reviewers asked for, and which figures of a run answer it."""

import dataclasses
import functools
import tomllib

from artifact import paths
from artifact.problem import Damaged, one_line


@dataclasses.dataclass(frozen=True)
class Demand:
    """What a reviewer asked for, and which figures answer it."""

    id: str
    who: str
    weight: str
    asks: str
    figures: tuple[str, ...] = ()
    why: str = ""


@functools.cache
def demands() -> tuple[Demand, ...]:
    """All demands in their order; Damaged where the file is not as it says."""
    path = paths.PUBLISHED / "demands.toml"
    try:
        stored = tomllib.loads(path.read_text())
        found = tuple(Demand(id=key, **{**fields, "figures": tuple(fields.get("figures", ()))})
                      for key, fields in stored.items())
    except (OSError, ValueError, TypeError) as error:
        raise Damaged(f"cannot read {paths.shown(path)}", one_line(error),
                      "restore it: git checkout data/published") from error
    return found


def coverage_lines(drawn: set[str], skipped: dict[str, str]) -> list[str]:
    """The same for a terminal."""
    return [f"{demand.id:4} {demand.weight}  {demand.asks} ({demand.who}): {answer}"
            for demand, answer in coverage(drawn, skipped)]


def coverage(drawn: set[str], skipped: dict[str, str]) -> list[tuple[Demand, str]]:
    """Each demand with the figures that answer it in a run, or why none does."""
    rows = []
    for demand in demands():
        here = [name for name in demand.figures if name in drawn]
        absent = [name for name in demand.figures if name not in drawn]
        texts = [", ".join(here), f"not drawn here: {', '.join(absent)}" if absent else ""]
        reasons = [f"{what}: {why}" for what, why in skipped.items()
                   if any(name in what for name in absent)]
        rows.append((demand, "; ".join(filter(None, [*texts, *reasons, demand.why]))))
    return rows
