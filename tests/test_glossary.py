# SPDX-License-Identifier: MIT
"""The glossary: words that are used, and links where a text is read."""

import json
import re

import pytest

from artifact import glossary, paths

NAMES = [word.word for word in glossary.WORDS]


def in_html(main):
    """What becomes of a page's main part; a word's link as [its use]."""
    head, _, found = glossary.in_html(f"<p>team</p><main>{main}").partition("<main>")
    assert head == "<p>team</p>"
    return re.sub(r'<a href="#word-[a-z-]+" title="[^"]+">(.*?)</a>', r"[\1]", found, flags=re.DOTALL)


def test_the_first_use_links_and_no_other():
    assert in_html("<p>Teams of a team; a team</p>") == "<p>Teams of a [team]; a team</p>"
    assert in_html("many policies, one policy") == "many [policies], one policy"
    assert in_html("the same\ncopy twice, a twin") == "the [same\ncopy twice], a twin"


@pytest.mark.parametrize("page", [
    "<h2>A team</h2>", '<h2 id="a">A <em>team</em></h2>', "<code>team</code>",
    "<a href='#x'>a team</a>", '<img alt="a team">', "<table><tr><td>team</td></tr></table>",
    "<pre>\nteam\n</pre>", "<summary>team</summary>", "<script>team</script>",
    "<dl><dt>team</dt></dl>"])
def test_no_link_where_no_text_is_read(page):
    assert in_html(f"{page}<p>a team</p>") == f"{page}<p>a [team]</p>"


@pytest.mark.parametrize("text", [
    "## A team", "`team`", "```python\nteam\n```", "[a team](x.md)", "![a team](x.png)",
    "<details><summary>team</summary>", "| a team |"])
def test_no_link_in_what_markdown_shows_otherwise(text):
    assert glossary.in_markdown(f"{text}\na team\na team", "C.md") == \
        f"{text}\na [team](C.md#word-team)\na team"


def test_no_link_from_a_word_that_means_something_else():
    for text in ("run all cells", "two processes and two pipes", "steamy", "around"):
        assert in_html(text) == text


def test_each_is_a_sentence_and_means_nothing_by_itself():
    for word in glossary.WORDS:
        assert re.fullmatch(r"[A-Z][^.]*\.", word.means), word.word
        assert not re.search(rf"\b{word.word}\b", word.means), word.word
    assert len({word.id for word in glossary.WORDS}) == len(NAMES) == 12


@pytest.mark.parametrize("word", glossary.WORDS, ids=NAMES)
def test_every_word_is_used_in_a_notebook(word):
    texts = ["".join(cell["source"]) for path in paths.NOTEBOOKS.glob("*.ipynb")
             for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "markdown"]
    assert any(re.search(rf"\b(?:{word.uses or word.word})\b", text) for text in texts)
