# SPDX-License-Identifier: MIT
"""The recorded run, drawn again without measuring, and two runs compared."""

import html.parser
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import nbformat
import pytest
from playwright.sync_api import expect

from artifact import (
    glossary,
    headline,
    kept,
    likeness,
    machine,
    measured,
    pages,
    paths,
    plan,
    planning,
    rendering,
    report,
)
from artifact.answer import times
from artifact.questions import QUESTIONS
from artifact.verdicts import claims
from artifact.verdicts.tests import Evidence
from tests.conftest import eventually, needs_chromium, one_line, opened_page, running

RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))
DRAWN = RECORDED[:1]        # by make figures


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """make figures, into a folder of its own."""
    folder = tmp_path_factory.mktemp("results")
    done = subprocess.run([sys.executable, "-m", "artifact", "figures"], cwd=paths.ROOT, text=True,
                          env={**os.environ, "RESULTS": str(folder)}, capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_there_is_a_recorded_run():
    assert RECORDED


@pytest.mark.parametrize("name", DRAWN)
def test_recorded_run_is_drawn_without_measuring(drawn, name):
    folder = drawn / "recorded" / name
    assert not (folder / "cells").exists()
    html = (folder / "report.html").read_text()
    parts = [json.loads((folder / "notebooks" / f"{notebook}.json").read_text())
             for notebook in QUESTIONS]
    figures, tables = ([each["file"] for part in parts for each in part[kind]]
                       for kind in ("figures", "tables"))
    assert 15 < len(figures) == len(set(figures)) <= 24 and tables
    assert all(f'id="{table}"' in html for table in tables)
    for figure in figures:
        assert f'id="{figure}"' in html
        for ending in ("png", "svg"):
            assert (folder / "figures" / f"{figure}.{ending}").stat().st_size > 10_000


@pytest.mark.parametrize("name", DRAWN)
def test_the_verdicts_are_beside_the_report(drawn, name):
    told = json.loads((drawn / "recorded" / name / "claims.json").read_text())
    assert [(each["claim"], each["verdict"]) for each in told["claims"]] == [
        (verdict.claim.id, verdict.word) for verdict in
        claims.verdicts(measured.of(paths.run(f"recorded/{name}")))]


@pytest.mark.parametrize("name", DRAWN)
def test_report_needs_no_network_and_nothing_beside_it(drawn, name):
    """Mailed alone it works: every link leads to a place within, or to an archive, but for
    those that say they do not."""
    html = (drawn / "recorded" / name / "report.html").read_text()
    assert len(html) < 5e6
    assert not re.findall(r'src="(?!data:)|<link|url\(', html)
    places = re.findall(r' id="([^"]+)"', html)
    assert len(places) == len(set(places))
    for link in re.findall(r'href="([^"]+)"', html):
        assert link.removeprefix("#") in places or link.startswith(("https://", "http://")) or \
            re.match("notebooks/", link) and (drawn / "recorded" / name / link).exists(), link
    assert re.search(r'(?s)<tr id="C3">((?!</tr>).)*href="#serial-ladder"', html)
    ladder = html.partition('<figure id="serial-ladder"')[2].partition("</figure>")[0]
    assert 'href="#D1"' in ladder and 'href="#C3"' in ladder


class WordLinks(html.parser.HTMLParser):
    """Which words of the glossary a page links, and the elements around each link."""

    def __init__(self):
        super().__init__()
        self.around, self.found = [], {}

    def handle_starttag(self, tag, attributes):
        target = dict(attributes).get("href") or ""
        if target.startswith("#word-"):
            assert target not in self.found, target
            self.found[target] = list(self.around)
        if tag not in ("br", "img", "meta"):
            self.around.append(tag)

    def handle_endtag(self, tag):
        assert self.around.pop() == tag


@pytest.mark.parametrize("name", DRAWN)
def test_first_uses_in_the_report_lead_to_the_glossary(drawn, name):
    """Where it uses a word; that links lead somewhere is tested of all of them."""
    page = (drawn / "recorded" / name / "report.html").read_text()
    links = WordLinks()
    links.feed(page)
    assert len(links.found) > len(glossary.WORDS) / 2
    for around in links.found.values():
        assert "main" in around and not {"a", "button", "code", "h2", "pre", "summary"} & set(around)
    for word in glossary.WORDS:
        assert f'<dt id="{word.id}">{word.word}</dt><dd>{word.means}</dd>' in html.unescape(page)


@pytest.mark.parametrize("name", DRAWN)
def test_report_begins_with_the_answer(drawn, name):
    html = (drawn / "recorded" / name / "report.html").read_text()
    found = headline.cards(Evidence(measured.of(paths.run(f"recorded/{name}"))))
    order = [html.index(f"<h2>{card.asks}</h2>") for card in found]
    order += [html.index(place) for place in ('alt="How fast', 'href="#C1"', 'id="01-serial-copy"')]
    assert order == sorted(order) and len(found) == 3


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 768, 390])
def test_report_can_be_read_by_everybody(drawn, browser, width, scheme):
    """On a desk, a tablet and a phone; by a keyboard and a screen reader."""
    from axe_playwright_python.sync_playwright import Axe

    page = opened_page(browser, viewport={"width": width, "height": 900}, color_scheme=scheme)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((drawn / "recorded" / DRAWN[0] / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in found
                if each["impact"] in ("serious", "critical")]
    assert said == []
    page.close()


@needs_chromium
def test_figures_open_large_and_commands_are_copied(drawn, browser):
    page = opened_page(browser, viewport={"width": 390, "height": 800})
    page.goto((drawn / "recorded" / DRAWN[0] / "report.html").as_uri())
    page.locator("figure#serial-ladder .enlarge").click()
    large = page.locator("dialog img")
    expect(large).to_be_visible()
    assert large.bounding_box()["width"] > 900
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    page.locator("[data-copies=command]").click()
    expect(page.locator("[data-copies=command]")).to_have_text("Copied")
    page.close()


def test_the_rendered_notebooks_are_those_of_the_recorded_run(drawn, results):
    """Else: make rendered."""
    shutil.copytree(drawn, results, dirs_exist_ok=True)
    run = paths.run(f"recorded/{DRAWN[0]}")
    for name, text in pages.pages(run).items():
        assert (pages.FOLDER / name).read_text() == text, f"{name} is stale: make rendered"
    there = {path.stem for path in (pages.FOLDER / pages.PICTURES).iterdir()}
    assert there == {pages.HEADLINE, *kept.figures(run)}
    assert sum(path.stat().st_size for path in pages.FOLDER.rglob("*") if path.is_file()) < 4e6


@pytest.mark.parametrize("page", sorted(pages.FOLDER.glob("*.md")))
def test_links_of_rendered_notebooks_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)(?:#([^)]*))?\)", page.read_text())
    assert targets
    for target, place in targets:
        there = pages.FOLDER / target
        assert target.startswith("http") or there.exists(), target
        assert not place or f'<a id="{place}">' in there.read_text(), place


@pytest.mark.parametrize("name", DRAWN)
def test_every_number_of_the_report_is_from_the_data(drawn, name):
    """Drawn twice, the answers are the same to the digit."""
    run = paths.run(f"recorded/{name}")
    found = planning.answered(measured.of(run))
    assert [*found] == [*plan.read(run).own]
    for notebook, answer in found.items():
        stored = json.loads(
            (drawn / "recorded" / name / "notebooks" / f"{notebook}.json").read_text())
        assert answer.sentence == stored["answer"]


def test_a_step_is_told_below_its_cell(drawn, results):
    shutil.copytree(drawn, results, dirs_exist_ok=True)
    run = paths.run(f"recorded/{DRAWN[0]}")
    kept_file = run.notebooks / "09-changelog.json"       # has every cell, and is last
    stored = json.loads(kept_file.read_text())
    for cell in stored["cells"]:
        cell["step"] = ""
    stored["cells"][1]["step"] = "from process 5 of <9> on"
    kept_file.write_text(json.dumps(stored))
    html = report.write(run).read_text()
    rows = re.findall(r"<tr[^>]*><td[^>]*>(?:(?!</tr>).)*</tr>", html, re.DOTALL)
    below = next(i for i, row in enumerate(rows) if "from process 5 of &lt;9&gt; on" in row)
    for row in rows[below - 1:below + 1]:
        assert stored["cells"][1]["cell"] in row


def test_what_cannot_be_measured_here_is_shown_from_elsewhere_and_says_so(drawn, results):
    shutil.copytree(drawn, results, dirs_exist_ok=True)
    run = paths.run(f"recorded/{DRAWN[0]}")
    kept_file = run.notebooks / "07-page-migration.json"
    stored = json.loads(kept_file.read_text())
    stored["figures"] = []
    stored["borrowed"] = [{"file": "moves", "run": "recorded/x", "why": "QEMU is missing"}]
    kept_file.write_text(json.dumps(stored))
    html = report.write(run).read_text()
    assert "From another machine, not this one: recorded/x" in html and "here: QEMU is missing" in html
    assert rendering.embedded(paths.rendered_picture("moves")) in html


def test_the_nearest_recorded_machine_stands_beside_ours(drawn, results, monkeypatch):
    """It, in what it differs, and each ratio of the first picture; or why it does not."""
    shutil.copytree(drawn, results, dirs_exist_ok=True)
    recorded = [paths.run(f"recorded/{name}") for name in RECORDED[:2]]
    run, other = recorded
    rows, theirs = (headline.rows(Evidence(measured.of(each))) for each in recorded)
    monkeypatch.setattr(likeness, "nearest", lambda run: other)
    found = report.write(run).read_text().partition('id="nearest"')[2].partition("</section>")[0]
    assert f"(run {other.full_name})" in found and "<strong>the same kind</strong>" in found
    assert machine.summary(machine.load(other.machine)) in found
    assert "(here); commit" in found
    for pair in headline.beside(rows, theirs):
        assert re.search(f"{re.escape(pair.ours.label)}(?s:.(?!<tr))*"
                         f"{re.escape(times(pair.ours.speed))}(?s:.(?!<tr))*"
                         f"{re.escape(times(pair.theirs.speed))}(?s:.(?!<tr))*{pair.told}", found)

    monkeypatch.setattr(likeness, "are_alike", lambda records: False)
    assert "<strong>a different kind</strong>" in report.write(run).read_text()

    monkeypatch.setattr(likeness, "nearest", lambda run: paths.run("not-there"))
    assert "No recorded machine is set beside this one: not-there: " in report.write(run).read_text()
    monkeypatch.setattr(likeness, "nearest", lambda run: None)
    assert "recorded machine" not in report.write(run).read_text().partition("</nav>")[0]


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_data_names_nobody(name):
    import gzip

    for path in (paths.RECORDED / name).rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
            assert not re.search(r"/home/|/root/|hostname|/tmp/", text), path


def test_what_an_older_version_kept_shows_no_tables(results):
    for notebook in QUESTIONS:
        path = results / "older" / "notebooks" / f"{notebook}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert kept.shown(paths.run("older")) == set()


# The command, on notebooks that are somewhere else.
ELSEWHERE = """
import pathlib, sys
from artifact import __main__, paths
paths.NOTEBOOKS = pathlib.Path(sys.argv.pop())
sys.exit(__main__.main())
"""


@pytest.fixture
def endless(tmp_path_factory):
    """Notebooks that draw nothing for as long as anybody may take to interrupt them."""
    folder = tmp_path_factory.mktemp("notebooks")
    for path in paths.NOTEBOOKS.glob("*.ipynb"):
        found = nbformat.read(path, as_version=4)
        parameters = [cell for cell in found.cells if cell.metadata.get("tags") == ["parameters"]]
        found.cells = parameters + [
            nbformat.v4.new_code_cell("import time; time.sleep(1)") for _ in range(900)]
        nbformat.write(found, folder / path.name)
    return folder


@pytest.mark.parametrize("interrupt", [
    lambda drawing: os.killpg(drawing.pid, signal.SIGINT),      # Ctrl-C
    lambda drawing: drawing.send_signal(signal.SIGTERM)])
def test_drawing_is_for_one_at_a_time_and_ends_when_told(results, artifact, endless, interrupt):
    run = paths.run(f"recorded/{RECORDED[0]}")
    paths.write_atomically(run.report, b"the one before")
    drawing = subprocess.Popen(
        [sys.executable, "-c", ELSEWHERE, "report", "--run", run.full_name, endless],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert eventually(lambda: len(running(results)) > 1)        # a kernel too
    second = artifact("report", "--run", run.full_name)
    one_line(second, f"cannot draw run {run.name}", "another process is drawing it", "wait")
    assert second.returncode == 3
    interrupt(drawing)
    _, said = drawing.communicate(timeout=600)
    assert (drawing.returncode, said.strip()) == (
        130, "interrupted: what is measured is kept, and make report draws it; the same command "
        "continues")
    assert eventually(lambda: not running(results))
    assert run.report.read_bytes() == b"the one before" and not list(run.notebooks.iterdir())
