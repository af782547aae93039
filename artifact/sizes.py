# SPDX-License-Identifier: MIT
"""Sizes as texts, the way pagecopy reads and people write them."""

from artifact.problem import Misuse

FACTORS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_size(text: str) -> int:
    """Bytes from '4K', '2M', '1G' or a plain number.

    Raises Misuse for anything else.
    """
    number, factor = (text[:-1], FACTORS[text[-1]]) if text[-1:] in FACTORS else (text, 1)
    if not (number.isascii() and number.isdecimal()) or int(number) == 0:
        raise Misuse(f"size {text!r}", "not a size", "write it as 4K, 2M or 1G")
    return int(number) * factor


def format_size(size: int) -> str:
    """The shortest text that parse_size() reads back: 2M for 2097152."""
    for suffix in reversed(FACTORS):
        if size % FACTORS[suffix] == 0:
            return f"{size // FACTORS[suffix]}{suffix}"
    return str(size)


def spoken(size: float) -> str:
    """As figures and sentences have it, with the unit written out: 2 MiB, 1.5 MiB, 768 B."""
    for suffix in reversed(FACTORS):
        if size >= FACTORS[suffix]:
            return f"{size / FACTORS[suffix]:.3g} {suffix}iB"
    return f"{size:.3g} B"
