# SPDX-License-Identifier: MIT
"""The table of questions, in the order in which their notebooks are read.

Each is a module here, called after its notebook and with an n before it.
"""

import importlib
import pkgutil

from artifact.problem import Misuse, choose
from artifact.questions.question import Question

QUESTIONS: dict[str, Question] = {
    module.QUESTION.notebook: module.QUESTION for module in (
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__) if found.name.startswith("n"))}


def find(text: str) -> Question:
    """The question that a number, a name with or without it, a beginning of one or a
    file name means; else Misuse."""
    wanted = text.rpartition("/")[2].removesuffix(".ipynb")
    if wanted.isdecimal():
        wanted = f"{int(wanted):02}-"
    topics = {name: name.partition("-")[2] for name in QUESTIONS}
    found = [name for name, topic in topics.items()
             if wanted and (name.startswith(wanted) or topic.startswith(wanted))]
    if len(found) != 1:
        raise Misuse(f"notebook {text!r}",
                     f"it may be {' or '.join(found)}" if found else "no such notebook",
                     choose(wanted, QUESTIONS))
    return QUESTIONS[found[0]]
