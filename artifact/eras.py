# SPDX-License-Identifier: MIT
"""Which kernel copies a huge page in the way of a loop, as pagecopy --list has it."""

import dataclasses
import functools

from artifact import ctools
from artifact.variant import Variant


@dataclasses.dataclass(frozen=True)
class Era:
    """A loop of page copies. variant: its name here. kernel: a version of Linux that has
    it. functions: what calls what there. note: what else must be so."""

    variant: str
    kernel: str
    functions: str
    note: str


@functools.cache
def known() -> dict[str, Era]:
    """By variant."""
    return {fields["variant"]: Era(**fields) for fields in ctools.listed()["eras"]}


def of(arm: str) -> Era | None:
    """That of a page-by-page arm; None where no kernel has such a loop."""
    what = Variant.parse(arm)
    return known().get(f"{what.strategy}:{what.rule}:{what.primitive}:map={what.map}")


def label(arm: str) -> str:
    """A page-by-page arm, as an axis calls it."""
    routine, era = Variant.parse(arm).primitive, of(arm)
    return f"page by page as in Linux {era.kernel} ({routine})" if era else \
        f"page by page ({routine})"


def told(arm: str) -> str:
    """The same within a sentence."""
    routine, era = Variant.parse(arm).primitive, of(arm)
    return f"the page-by-page loop of Linux {era.kernel} ({routine})" if era else \
        f"a page-by-page loop ({routine})"
