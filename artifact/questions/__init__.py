# SPDX-License-Identifier: MIT
"""The table of questions, in the order in which their notebooks are read.

Each is a module here, called after its notebook and with an n before it.
"""

import importlib
import pkgutil

from artifact.problem import Misuse
from artifact.questions.question import Question

QUESTIONS: dict[str, Question] = {
    module.QUESTION.notebook: module.QUESTION for module in (
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__) if found.name.startswith("n"))}


def find(text: str) -> Question:
    """The question that a name, file name or unique beginning means; else Misuse."""
    wanted = text.rpartition("/")[2].removesuffix(".ipynb")
    found = [name for name in QUESTIONS if wanted and name.startswith(wanted)]
    if len(found) != 1:
        raise Misuse(f"notebook {text!r}", "no such notebook",
                     f"choose from {', '.join(QUESTIONS)}")
    return QUESTIONS[found[0]]
