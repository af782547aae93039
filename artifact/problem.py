# SPDX-License-Identifier: MIT
"""The one kind of error a user is meant to see."""


class Problem(Exception):
    """Something the user can mend: what went wrong, why, and what to do.

    Shown as a single line; the command line exits with status 1.
    """

    def __init__(self, what: str, why: str, do: str):
        super().__init__(f"{what}: {why}; {do}")


def one_line(error: BaseException) -> str:
    """The text of any error on one line, for the why of a Problem."""
    return " ".join(str(error).split()) or type(error).__name__
