# SPDX-License-Identifier: MIT
"""report.html: the answers, the figures, and what they rest on, in one file."""

import base64
import json
from pathlib import Path

import jinja2

from artifact import changelog, claims, machine, notebooks, paths, published
from artifact.problem import Problem, one_line

TEMPLATE = Path(__file__).with_name("report.html.j2")


def write(run: paths.Run) -> Path:
    """Makes the report from what the notebooks kept; no network is needed to
    read it, and it can be mailed as it is."""
    parts = {name: kept(run, name) for name in notebooks.names()}
    for part in parts.values():
        for figure in part["figures"]:
            figure["png"] = embedded(run.figures / f"{figure['file']}.png")
    found = machine.load(run.machine)
    evidence = notebooks.evidence(run)
    verdicts = claims.verdicts(evidence)
    paths.write_atomically(run.drawn / "changelog.txt",
                           changelog.text(evidence, verdicts).encode("ascii"))
    html = environment().get_template(TEMPLATE.name).render(
        run=run, parts=parts, machine=found, summary=machine.summary(found),
        skipped=dict.fromkeys((what, why) for part in parts.values()
                              for what, why in part["skipped"]),
        # Notebooks share cells: each is shown once.
        cells={cell["cell"]: cell for part in parts.values() for cell in part["cells"]}.values(),
        kernels={cell["cell"]: cell for part in parts.values()
                 for cell in part["kernels"]}.values(),
        verdicts=verdicts, coverage=claims.coverage(notebooks.drawn(run), evidence.skipped),
        facts=_flat(found), request=published.REQUEST, sources=published.sources(),
        mixture=sorted({line for part in parts.values() for line in part["mixture"]}))
    paths.write_atomically(run.report, html.encode())
    return run.report


def kept(run: paths.Run, name: str) -> dict:
    """What a notebook kept of its answer; Problem where it has not run."""
    path = run.notebooks / f"{name}.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Problem(f"cannot read {paths.shown(path)}", one_line(error),
                      "run 'make reproduce' to its end") from error


def headlines(run: paths.Run) -> dict[str, list[float]]:
    """Name to value, low and high of every ratio that an answer rests on."""
    return {key: numbers for name in notebooks.names()
            for key, numbers in kept(run, name)["headlines"].items()}


def agreement(one: paths.Run, other: paths.Run) -> tuple[list[str], bool]:
    """Compares two runs' headline ratios: lines to print, and whether each
    is inside the other's interval every time."""
    here, there = headlines(one), headlines(other)
    lines, all_agree = [], bool(here) and here.keys() == there.keys()
    for key in here.keys() & there.keys():
        (a, a_low, a_high), (b, b_low, b_high) = here[key], there[key]
        agree = b_low <= a <= b_high and a_low <= b <= a_high
        all_agree &= agree
        lines.append(f"{'agree ' if agree else 'DIFFER'}  {a:.3f} [{a_low:.3f}, {a_high:.3f}]  "
                     f"{b:.3f} [{b_low:.3f}, {b_high:.3f}]  {key}")
    lines += [f"DIFFER  only in one run: {key}" for key in here.keys() ^ there.keys()]
    return sorted(lines, key=lambda line: line.split("]  ")[-1]), all_agree


def environment() -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATE.parent), autoescape=True,
                              undefined=jinja2.StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)


def embedded(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _flat(record: dict, prefix: str = "") -> list[tuple[str, str]]:
    """A nested record as dotted names and texts, for a table."""
    rows = []
    for key, value in record.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, dict):
            rows += _flat(value, f"{name}: ")
        elif isinstance(value, list):
            texts = [", ".join(f"{k} {v}" for k, v in item.items()) if isinstance(item, dict)
                     else str(item) for item in value]
            rows.append((name, ("; " if value and isinstance(value[0], dict) else " ").join(texts)))
        else:
            rows.append((name, str(value) if value != "" else "not known"))
    return rows
