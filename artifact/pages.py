# SPDX-License-Identifier: MIT
"""notebooks/rendered: what a recorded run shows, as Markdown that a code host displays.

The answer comes first and code is folded, with links to the page before, the next
one and the contents.
"""

from collections.abc import Iterator
from pathlib import Path

from artifact import execution, glossary, headline, kept, machine, measured, paths, rendering
from artifact.problem import Lacking
from artifact.questions import QUESTIONS
from artifact.questions.question import Question
from artifact.verdicts import claims
from artifact.verdicts.tests import Absent, Evidence

HEADLINE = "headline"
CONTENTS = "README.md"
FOLDER = paths.rendered_picture(HEADLINE).parents[1]
PICTURES = paths.rendered_picture(HEADLINE).parent.name


def write(run: paths.Run, folder: Path = FOLDER) -> None:
    """All pages of a run that was drawn, and their pictures."""
    for name, text in pages(run).items():
        paths.write_atomically(folder / name, text.encode())
    wanted = {f"{name}.png": run.figures / f"{name}.png" for name in [HEADLINE, *kept.figures(run)]}
    for stale in folder.glob(f"{PICTURES}/*.png"):
        if stale.name not in wanted:
            stale.unlink()
    for name, drawn in wanted.items():
        paths.write_atomically(folder / PICTURES / name, drawn.read_bytes())


def pages(run: paths.Run) -> dict[str, str]:
    """The Markdown of each page, by its file's name; README.md has the contents.

    Raises Lacking of a run without a serial ladder.
    """
    names = list(QUESTIONS)
    found = {}
    for nth, name in enumerate(names):
        around = [names[other] if 0 <= other < len(names) else "" for other in (nth - 1, nth + 1)]
        found[f"{name}.md"] = glossary.in_markdown(_page(run, QUESTIONS[name], *around), CONTENTS)
    everything = measured.of(run)
    try:
        evidence = Evidence(everything)
        rows, cards = headline.rows(evidence), headline.cards(evidence)
    except Absent as absent:
        raise Lacking(f"run {run.name}", str(absent), "render one that measured 01-serial-copy with "
                      "its default parameters") from absent
    found[CONTENTS] = _filled(
        "contents.md.j2", cards=cards, words=glossary.WORDS, picture=picture(HEADLINE),
        alt=headline.described(rows), tally=claims.tally(claims.verdicts(everything)),
        machine=machine.summary(everything.machine), run=run.full_name,
        questions={name: execution.title(question) for name, question in QUESTIONS.items()})
    return found


def _page(run: paths.Run, question: Question, before: str, after: str) -> str:
    import nbformat

    executed = nbformat.read(run.notebooks / f"{question.notebook}.ipynb", as_version=4)
    found = kept.read(run, question.notebook)
    figures = iter(found["figures"])
    cells = [{"code": cell.cell_type == "code", "source": cell.source,
              "outputs": list(filter(None, (_shown(output, figures)
                                            for output in cell.get("outputs", []))))}
             for cell in executed.cells
             if "injected-parameters" not in cell.metadata.get("tags", [])]
    cells[0]["source"] = cells[0]["source"].partition("\n")[2]     # the title is above the answer
    return _filled("page.md.j2", title=execution.title(question), before=before, after=after,
                   answer=found["answer"], cells=cells)


def _shown(output: dict, figures: Iterator[dict]) -> str:
    """An output as Markdown. Empty for a figure that is not one of ours: it is the
    reader's to change, and not kept."""
    if output["output_type"] == "stream":
        return f"```text\n{output['text'].rstrip()}\n```"
    data = output.get("data", {})
    if "image/png" not in data:
        return data.get("text/markdown", "")
    if "Figure" in data.get("text/plain", ""):
        return ""
    figure = next(figures)
    return f"![{figure['shows']}]({picture(figure['file'])})"


def picture(name: str) -> str:
    """The address of a figure, for a page beside it."""
    return f"{PICTURES}/{name}.png"


def _filled(template: str, **words) -> str:
    return rendering.environment(html=False).get_template(template).render(**words)
