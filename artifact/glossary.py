# SPDX-License-Identifier: MIT
"""The words that a reader of the report and of the notebooks needs, a sentence each."""

import dataclasses
import html
import re
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Word:
    """uses: a regular expression of the forms in which a text has it, where there are more."""

    word: str
    means: str
    uses: str = ""

    @property
    def id(self) -> str:
        """Of its place in a page."""
        return f"word-{self.word.replace(' ', '-')}"


WORDS = (
    Word("folio", "One or more contiguous pages that Linux handles as one; here a huge page.",
         r"folios?"),
    Word("bulk copy", "One call of the copy routine for the whole huge page, in place of one call per "
         "base page.", r"bulk\s+cop(?:y|ies)"),
    Word("page-by-page loop", "How Linux copies a huge page today: one call per base page, each with "
         "the bookkeeping of the kernel that stands beside it.",
         r"page-by-page\s+loop|today's\s+(?:copy\s+)?loop"),
    Word("bookkeeping", "What the kernel does around each page copy (map the page, disable preemption "
         "and page faults, offer to reschedule); here a model, whose time is the map cost.",
         r"bookkeeping|map\s+cost"),
    Word("team", "The threads that copy one huge page together: the workers, and the caller where it "
         "copies too.", r"teams?"),
    Word("policy", "How a copy reaches its workers: on which CPUs they run, at which priority, and "
         "what the caller does meanwhile.", r"polic(?:y|ies)"),
    Word("migrator", "A thread that copies one huge page after the other, as a CPU does that migrates "
         "them.", r"migrators?"),
    Word("victim", "Work that has nothing to do with the copy and shares the first worker's CPU: what "
         "it loses is what the copy costs others.", r"victims?"),
    # Not "run all cells", which are a notebook's.
    Word("cell", "Variants, also called arms, that are measured together with the same options; a file "
         "of the run."),
    Word("round", "Each variant of a cell in turn, in random order and the baseline several times; a "
         "ratio is taken within it.", r"rounds?"),
    # Not those of an instrument that passes a byte between two.
    Word("process", "A fresh start of pagecopy with memory of its own, for many rounds: an interval "
         "counts processes, and not rounds.", r"(?<!two\s)process(?:es)?"),
    Word("twin", "The baseline once more, as if it were another variant: where the same routine twice "
         "makes a difference, the cell contradicts itself.",
         r"twin|same\s+(?:routine|copy)\s+twice"),
)

# What of a page is no text to read on: elements of these, and all tags.
HTML = r"<(?P<tag>a|button|code|dl|h\d|nav|pre|script|summary|table)\b.*?</(?P=tag)>|<[^>]*>"
# The same of a page in Markdown, whose other lines in angle brackets are tags.
MARKDOWN = (r"^```.*?^```|`[^`\n]*`|!?\[[^\]]*\]\([^)]*\)|^[#|][^\n]*|<summary>.*?</summary>"
            r"|<[^>\n]*>")


def linked(page: str, kept: str, link: Callable[[Word, str], str]) -> str:
    """The page with the first use of each word as a link.

    kept: a regular expression of what has no links in it. link: from a word and the
    form in which it is used.
    """
    by_group = {f"word{nth}": word for nth, word in enumerate(WORDS)}
    unused = set(by_group)

    def replaced(match: re.Match) -> str:
        group = match.lastgroup
        if group not in unused:
            return match[0]
        unused.remove(group)
        return link(by_group[group], match[0])

    uses = (rf"(?P<{group}>\b(?:{word.uses or word.word})\b)" for group, word in by_group.items())
    return re.sub("|".join((kept, *uses)), replaced, page, flags=re.DOTALL | re.MULTILINE)


def in_html(page: str) -> str:
    """The first uses in a page's main part link to its list of words."""
    def link(word: Word, use: str) -> str:
        return f'<a href="#{word.id}" title="{html.escape(word.means)}">{use}</a>'

    head, begins, main = page.partition("<main>")
    return head + begins + linked(main, HTML, link)


def in_markdown(page: str, contents: str) -> str:
    """The first uses in a page of Markdown link to the list of words in another one."""
    return linked(page, MARKDOWN, lambda word, use: f"[{use}]({contents}#{word.id})")
