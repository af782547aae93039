# SPDX-License-Identifier: MIT
"""The one kind of error a user is meant to see, and what its status tells a script."""

import difflib
from collections.abc import Iterable


class Problem(Exception):
    """Something the user can mend: what went wrong, why, and what to do.

    Shown as a single line. ``status`` is what the command line exits with: 1
    here, another for the kinds below.
    """

    status = 1

    def __init__(self, what: str, why: str, do: str):
        super().__init__(f"{what}: {why}; {do}")
        self.what, self.why, self.do = what, why, do

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it: the line, in red, and no traceback."""
        return [f"\N{ESCAPE}[31m{type(self).__name__}: {self}\N{ESCAPE}[0m"]


class Misuse(Problem):
    """A name, parameter or option that means nothing."""

    status = 2


class Lacking(Problem):
    """This machine, or this user, lacks what was asked for."""

    status = 3


class Damaged(Problem):
    """A file that is missing, cut off, foreign or not what it says."""

    status = 4


class Unwritable(Problem):
    """No room, or no right to write."""

    status = 5


class WrongCopy(Problem):
    """A copy routine did not copy what it was given."""

    status = 6


def choose(word: str, names: Iterable[str]) -> str:
    """What to do about an unknown name, for a Problem: the nearest one, or all of them."""
    names = list(names)
    near = difflib.get_close_matches(word, names, 1)
    return f"did you mean {near[0]}?" if near else f"choose from {', '.join(names) or 'none'}"


def one_line(error: BaseException | str) -> str:
    """The text of any error on one line, to give as a Problem's reason."""
    return " ".join(str(error).split()) or type(error).__name__
