# SPDX-License-Identifier: MIT
"""JupyterLab, driven as a person drives it, by a real browser."""

import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from playwright.sync_api import expect

from artifact import execution, host, jupyter, paths, planning
from artifact.explore import choice as choices
from artifact.questions import QUESTIONS
from tests.conftest import eventually, needs_chromium, needs_two_cpus, opened_page, running
from tests.test_notebooks import QUICK

TINY = """run = "this-machine"
base_page = "4K"
huge_page = "64K"
primitives = ["libc"]
migrators = [1]
processes = 2
rounds = 3
"""


@pytest.fixture
def serving(results, monkeypatch):
    """Starts JupyterLab by that command; returns its address, as it is said, and the token."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(results / "settings"))
    monkeypatch.setenv("IPYTHONDIR", str(results / "ipython"))
    started = []

    def serve(command):
        lab = subprocess.Popen([sys.executable, "-m", "artifact", command], cwd=results, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        started.append(lab)
        found = re.match(r"(http://127\.0\.0\.1:(\d+)/lab\S*)(\?token=\S+)   .*ssh -L \2:127",
                         lab.stdout.readline())
        return found[1], found[3]
    yield serve
    for lab in started:
        lab.terminate()     # Ctrl-C is deaf where a shell began all this in the background
        lab.wait()


@pytest.fixture
def address(serving):
    """Of a JupyterLab, as it is said; with the token."""
    return serving("lab")


def opened(browser, where, **more):
    """A page there, as soon as somebody answers."""
    page = opened_page(browser, **more)
    for _ in range(600):
        try:
            page.goto(where)
            return page
        except Exception:       # nobody listens there yet
            page.wait_for_timeout(100)
    raise AssertionError(f"nobody answers at {where}")


def test_the_lab_works_on_copies_and_keeps_what_was_worked_in(results, monkeypatch):
    said = []
    folder = jupyter.lay_out(said.append)
    first, second = sorted(folder.glob("*.ipynb"))[:2]
    assert len(list(folder.glob("*.ipynb"))) == len(QUESTIONS) + 1 and not said
    first.write_text(first.read_text().replace("rounds = 36", "rounds = 9"))
    newer = results / "newer"
    shutil.copytree(paths.NOTEBOOKS, newer)
    for path in newer.glob("*.ipynb"):
        path.write_text(path.read_text() + "\n")
    monkeypatch.setattr(paths, "NOTEBOOKS", newer)
    jupyter.lay_out(said.append)
    assert "rounds = 9" in first.read_text() and second.read_text().endswith("\n\n")
    assert len(said) == 1 and first.name in said[0] and "delete the copy" in said[0]


@pytest.mark.parametrize("added, kept", [("", False), ("# mine\n", True)])
def test_knobs_of_a_kernel_that_is_gone_are_not_laid_out_again(results, added, kept):
    copy = jupyter.lay_out(print) / "explore.ipynb"
    notebook = nbformat.read(copy, as_version=4)
    notebook.cells[1].source += added
    notebook.cells[1].outputs = [nbformat.v4.new_output("display_data", {jupyter.WIDGET: {}})]
    nbformat.write(notebook, copy)
    jupyter.lay_out(print)
    assert (jupyter.WIDGET in copy.read_text()) == kept


@needs_chromium
def test_without_the_token_nobody_gets_in(browser, address):
    where, _ = address
    page = opened(browser, where)
    expect(page.locator("#password_input")).to_be_visible()
    assert "/login" in page.url


@needs_chromium
@needs_two_cpus
def test_a_change_is_the_readers_own_and_a_misspelt_one_an_error(browser, address, results):
    """What is edited, saved and run there leaves the default's notebook and figures."""
    where, token = address
    committed = execution.source(QUESTIONS[QUICK]).read_bytes()
    defaults = planning.defaults(QUESTIONS[QUICK])
    page = opened(browser, f"{where}/tree/{QUICK}.ipynb{token}")
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    type_into(page, cell, TINY)
    run_all(page)
    expect(page.get_by_text("\N{FULL BLOCK}").first).to_be_visible()
    expect(page.locator(".jp-RenderedImage img").first).to_be_visible()
    expect(page.get_by_text("Total throughput of several").first).to_be_visible()
    assert not page.get_by_text("news").count()
    page.keyboard.press("Control+s")
    copy = results / "lab" / f"{QUICK}.ipynb"
    page.wait_for_function("!document.querySelector('.jp-mod-dirty')")
    assert "64K" in copy.read_text() and copy.read_bytes() != committed
    assert execution.source(QUESTIONS[QUICK]).read_bytes() == committed
    assert planning.defaults(QUESTIONS[QUICK]) == defaults
    drawn = [path.name for path in (results / "this-machine" / "figures").iterdir()]
    assert drawn and all("modified" in name for name in drawn)
    type_into(page, cell, TINY.replace("rounds", "rouds"))
    run_all(page)
    expect(page.get_by_text("did you mean rounds?").first).to_be_visible()
    type_into(page, cell, TINY.replace("this-machine", "recorded/kvm-epyc-2cpu"))
    run_all(page)
    expect(page.get_by_text("it was recorded with other parameters").first).to_be_visible()
    assert not page.get_by_text("Traceback").count()


@needs_chromium
def test_explore_a_knob_is_turned_measured_stopped_and_reset(browser, serving, results):
    where, token = serving("explore")
    assert where.endswith("/lab/tree/explore.ipynb")
    page = opened(browser, where + token, permissions=["clipboard-read", "clipboard-write"])
    run_all(page)
    knob, note = (page.locator(f".explore-{name}") for name in ("call", "note-call"))
    picture, verdict = page.locator(".explore-picture img"), page.locator(".explore-verdict")
    expect(picture).to_have_attribute("alt", "nothing measured yet")

    page.locator(".explore-routine select").select_option("libc")
    page.get_by_role("button", name="Measure").click()
    expect(picture).to_have_attribute("alt", re.compile(r"yours \d.*\[.*default \d.*\["))
    expect(verdict).to_contain_text(re.compile("Over today's loop: .*Over the default: ", re.DOTALL))

    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".explore-status")).to_have_text("Stopped")
    assert eventually(lambda: "pagecopy" not in running(results))
    drawn = picture.get_attribute("src"), verdict.inner_text()

    knob.locator("input").fill("3M")
    knob.locator("input").press("Tab")
    expect(note).to_contain_text("does not divide 2M")
    expect(page.get_by_role("button", name="Measure")).to_be_disabled()
    assert (picture.get_attribute("src"), verdict.inner_text()) == drawn

    page.get_by_role("button", name="Default").click()
    expect(knob.locator("input")).to_have_value("")
    expect(note).not_to_contain_text("does not divide")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == choices.command(
        host.here(), choices.default(host.here()))


def type_into(page, cell, text):
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def run_all(page):
    # Before the kernel is there, JupyterLab runs nothing and does not say so.
    expect(page.get_by_role("button", name=re.compile(r"\| Idle$"))).to_be_visible()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
