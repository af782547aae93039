# SPDX-License-Identifier: MIT
"""The figures of ten years of kernel mail, with their sources."""

import functools
import re

import pandas as pd

from artifact import paths
from artifact.problem import Damaged, one_line

COLUMNS = ["source_id", "machine", "cpu", "arch", "page_size_kib", "pages", "bytes_moved",
           "variant", "threads", "cache_state", "qualifier", "value", "unit", "stddev", "note"]
SOURCE_COLUMNS = ["source_id", "title", "author", "date", "message_id_or_url"]
QUALIFIERS = {"", "~", "<", ">", "up to"}

ARCHIVE = "https://lore.kernel.org/r/"      # and a Message-ID

# The mail of 9 March 2017 that the 2017 rates answer to; it has no figures.
REQUEST = "Mel Gorman, linux-mm, 9 March 2017, answering '[PATCH 0/6] Enable parallel page migration'"


@functools.cache
def figures() -> pd.DataFrame:
    """One row per published figure; value is a float, unit says of what.

    Raises Damaged where the files are missing or inconsistent.
    """
    found, known = _read("figures.csv", COLUMNS), _read("sources.csv", SOURCE_COLUMNS)
    _check("figures.csv", "a source that sources.csv lacks",
           ~found["source_id"].isin(known["source_id"]))
    _check("figures.csv", "no unit", found["unit"] == "")
    _check("figures.csv", "an unknown qualifier", ~found["qualifier"].isin(QUALIFIERS))
    for column in ("value", "stddev", "page_size_kib", "pages", "bytes_moved"):
        numbers = pd.to_numeric(found[column], errors="coerce")
        _check("figures.csv", f"a {column} that is no number",
               numbers.isna() & ((found[column] != "") | (column == "value")))
        found[column] = numbers
    _check("sources.csv", "no author, date or address",
           (known[["title", "message_id_or_url"]] == "").any(axis=1))
    return found


@functools.cache
def sources() -> pd.DataFrame:
    """One row per source, indexed by source_id; ``address`` leads to it, to the archive
    by its Message-ID where no other is known, and is empty where neither is."""
    found = _read("sources.csv", SOURCE_COLUMNS).set_index("source_id")
    return found.assign(address=found["message_id_or_url"].map(_address))


def _address(known: str) -> str:
    found = re.search(r"https?://\S+", known)
    return found[0] if found else f"{ARCHIVE}{known}" if "@" in known else ""


def value(source_id: str, variant: str, unit: str, **where) -> float:
    """The one published figure that fits; Damaged where not exactly one does."""
    found = figures()
    chosen = (found["source_id"] == source_id) & (found["variant"] == variant) & \
        (found["unit"] == unit)
    for column, wanted in where.items():
        chosen &= found[column] == wanted
    if chosen.sum() != 1:
        raise Damaged(f"published figure {source_id} {variant}", f"{chosen.sum()} rows fit",
                      "restore data/published/figures.csv")
    return float(found[chosen]["value"].iloc[0])


def _read(name: str, columns: list[str]) -> pd.DataFrame:
    path = paths.PUBLISHED / name
    try:
        found = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise Damaged(f"cannot read {paths.shown(path)}", one_line(error),
                      "restore it: git checkout data/published") from error
    if list(found.columns) != columns:
        raise Damaged(f"file {paths.shown(path)}", "its columns are not the documented ones",
                      "restore it: git checkout data/published")
    return found


def _check(name: str, what: str, wrong: pd.Series) -> None:
    if wrong.any():
        raise Damaged(f"data/published/{name}", f"line {wrong.idxmax() + 2} has {what}",
                      "restore it: git checkout data/published")
