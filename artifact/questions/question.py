# SPDX-License-Identifier: MIT
"""What a question is made of."""

import dataclasses
import typing
from collections.abc import Callable

from artifact.answer import Answer
from artifact.host import Host
from artifact.measured import Measured
from artifact.plan import Plan


@dataclasses.dataclass(frozen=True)
class Question:
    """One notebook: its parameters, the cells behind it, the answer to it.

    parameters: a frozen dataclass, whose defaults are the notebook's. plan: the
    cells that a machine is asked for with such parameters; raises Misuse for
    values that cannot be measured anywhere, and lists what only this machine
    lacks. experiments: whose cells these are. answer: the sentence, from what
    was measured. own_cells: whether it has any, or is made of the others'.
    """

    notebook: str
    parameters: type
    plan: Callable[[Host, typing.Any], Plan]
    answer: Callable[[Measured, typing.Any], Answer]
    experiments: tuple[str, ...]
    own_cells: bool = True

    def answered(self, measured: Measured, p: typing.Any) -> Answer:
        """The answer, as far as it is measured."""
        if measured.not_yet and self.own_cells:
            return Answer(f"Too little is measured yet to answer: {measured.provisional}.", {})
        found = self.answer(measured, p)
        if not measured.provisional:
            return found
        return dataclasses.replace(
            found, sentence=f"Provisional ({measured.provisional}): {found.sentence}")
