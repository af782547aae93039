# SPDX-License-Identifier: MIT
"""Templates filled in: pages that need no network, and plain text."""

import base64
from pathlib import Path

import jinja2

from artifact import answer

TEMPLATES = Path(__file__).with_name("templates")


def environment(html: bool = True) -> jinja2.Environment:
    """A name that a template uses and nobody gave is an error, not an empty place."""
    found = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=html,
                               undefined=jinja2.StrictUndefined, trim_blocks=True,
                               lstrip_blocks=True, keep_trailing_newline=not html)
    found.filters.update(times=answer.times, argument=argument)
    return found


def argument(value: object) -> str:
    """A parameter's value as ARGS takes it."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def embedded(path: Path) -> str:
    """A PNG file as an address that holds all of it."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
