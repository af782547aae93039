# SPDX-License-Identifier: MIT
"""The table of questions: a notebook each, in the order in which they are read."""

from artifact.problem import Misuse
from artifact.questions import (
    n01_serial_copy,
    n02_parallel_copy,
    n03_dispatch,
    n04_concurrent_migrations,
    n05_interference,
    n06_idle_cpus,
    n07_page_migration,
    n08_in_kernel,
    n09_changelog,
)
from artifact.questions.question import Question

QUESTIONS: dict[str, Question] = {module.QUESTION.notebook: module.QUESTION for module in (
    n01_serial_copy, n02_parallel_copy, n03_dispatch, n04_concurrent_migrations, n05_interference,
    n06_idle_cpus, n07_page_migration, n08_in_kernel, n09_changelog)}


def find(text: str) -> Question:
    """The question that a name, file name or unique beginning means; else Misuse."""
    wanted = text.rpartition("/")[2].removesuffix(".ipynb")
    found = [name for name in QUESTIONS if wanted and name.startswith(wanted)]
    if len(found) != 1:
        raise Misuse(f"notebook {text!r}", "no such notebook",
                     f"choose from {', '.join(QUESTIONS)}")
    return QUESTIONS[found[0]]
