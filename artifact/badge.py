# SPDX-License-Identifier: MIT
"""What artifact evaluators of SOSP and EuroSys ask for, and the evidence that is here now.

Each item is a function that looks, and its docstring is what is asked. It returns the
evidence or raises Missing, which says what there is none of; a file that is not there, or
cannot be read, and a Problem are missing, too.
"""

import gzip
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

from artifact import machine, measured, paths
from artifact.problem import Problem, one_line
from artifact.verdicts import claims

COLUMNS, NAMES = 100, 47        # of a terminal, and of them for what is asked
SOURCES = ("artifact", "ctools", "tests")
# Where somebody lives; what a machine calls itself is never asked for.
PRIVATE = re.compile(r"(?:/home|/Users)/[\w.-]+|/root/")


class Missing(Exception):
    """What there is no evidence of."""


def archived() -> str:
    """an archive with a DOI"""
    found = re.search(r"^doi: *\"?(10\.\d{4,9}/[^\s\"]+)", _text("CITATION.cff"), re.MULTILINE)
    if not found:
        raise Missing("no doi: in CITATION.cff; archive a release, then add its DOI")
    return f"CITATION.cff: {found[1]}"


def licence() -> str:
    """a licence that allows comparison and extension"""
    name = _text("LICENSE").splitlines()[0]
    if "Permission is hereby granted" not in _text("LICENSE"):
        raise Missing("LICENSE grants nothing")
    return f"LICENSE: {name}"


def data_licence() -> str:
    """a licence for the data"""
    return _sentence("data/README.md", r"[^.|]*data may be used under[^.]*\.")


def marked() -> str:
    """an SPDX line in every source"""
    sources = [path for folder in SOURCES for path in sorted((paths.ROOT / folder).rglob("*"))
               if path.suffix in (".c", ".h", ".py") and not path.name.endswith(".mod.c")]
    _none_of("without one", [path for path in sources if "SPDX-License-Identifier:" not in
                             path.read_text()[:200]])
    return f"{len(sources)} files"


def folders() -> str:
    """what each folder is for"""
    there = [f.name for f in paths.ROOT.glob("[a-z]*/") if f.name != "results"]
    readme = _text("README.md")
    _none_of("not in README.md", [name for name in there if f"| `{name}/` |" not in readme])
    return f"README.md: {', '.join(sorted(there))}"


def recorded_machine() -> str:
    """the authors' hardware and software"""
    return "; ".join(dict.fromkeys(
        f"{machine.summary(found)}, CPU family/model/stepping {found['cpu']['family_model_stepping']}, "
        f"{found['memory_bytes'] >> 30} GiB, {found['operating_system']}, {found['compiler']}"
        for found in _machines()))


def needs() -> str:
    """needs, told and checked"""
    return f"{_targets('check')}; {_sentence('README.md', r'You need[*]* [^:;]*')}"


def pinned() -> str:
    """dependencies with versions and hashes"""
    blocks = re.findall(r"^[\w.-]+[^\\\n]*(?:\\\n[^\\\n]*)*", _text("requirements.txt"), re.MULTILINE)
    _none_of("without a hash", [block.split()[0] for block in blocks
                                if "==" not in block or "--hash=sha256:" not in block])
    return f"requirements.txt: {len(blocks)} packages"


def container() -> str:
    """a recipe for a container"""
    for name in ("Containerfile", "Dockerfile"):
        if (paths.ROOT / name).exists():
            return name
    raise Missing("neither Containerfile nor Dockerfile")


def resources() -> str:
    """minutes and memory of each experiment"""
    appendix = _text("ARTIFACT.md")
    names = dict.fromkeys(s.cell.experiment for run in _runs() for s in measured.of(run).timed)
    _none_of("not in ARTIFACT.md", [name for name in names if f"\n| {name} |" not in appendix])
    return f"ARTIFACT.md: {len(names)} experiments"


def extension() -> str:
    """how to extend it, tested"""
    recipes = re.findall(r"^\*\*(.+?)\*\*", _text("CONTRIBUTING.md"), re.MULTILINE)
    tests = _text("tests/test_recipes.py")
    _none_of("untested", [recipe for recipe in recipes if recipe.strip(",.") not in tests])
    return f"CONTRIBUTING.md: {len(recipes)} recipes, which tests/test_recipes.py carries out"


def anonymous() -> str:
    """no paths of a user in data or notebooks"""
    files = [path for folder in ("data", "notebooks") for path in sorted(
        (paths.ROOT / folder).rglob("*")) if path.is_file() and path.suffix != ".png"]
    _none_of("with one", [path for path in files if PRIVATE.search(_unpacked(path))])
    return f"{len(files)} files searched"


def clean_notebooks() -> str:
    """notebooks without outputs"""
    files = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))
    _none_of("with some", [path for path in files if any(
        cell.get("outputs") or cell.get("execution_count")
        for cell in json.loads(path.read_text())["cells"])])
    return f"{len(files)} notebooks"


def one_command() -> str:
    """one command to measure, one to draw our data"""
    return _targets("reproduce", "figures")


def verdicts() -> str:
    """a verdict on each claim, in a recorded run"""
    return "; ".join(f"{run.full_name}: {claims.tally(claims.verdicts(measured.of(run)))}"
                     for run in _runs())


def machines() -> str:
    """data of the authors, to compare with"""
    found = [machine.kind(each) for each in _machines()]
    kinds = len(set(found))
    return f"{len(found)} recorded runs, of {kinds} kind{'s' * (kinds > 1)} of machine"


def pictures() -> str:
    """a figure for each result, not text alone"""
    folder = paths.ROOT / "notebooks" / "rendered"
    questions = [path.stem for path in sorted((paths.ROOT / "notebooks").glob("[0-9]*.ipynb"))]
    _none_of("without a page of figures", [name for name in questions if "](pictures/" not in
                                           (folder / f"{name}.md").read_text()])
    return f"notebooks/rendered: {len(list(folder.glob('pictures/*.png')))} pictures, " \
        f"{len(questions)} pages"


def repetitions() -> str:
    """repetitions, and their spread"""
    return "; ".join(
        f"{run.full_name}: {min(counts)} to {max(counts)} processes of a cell, an interval with each "
        "ratio" for run in _runs() if (counts := [s.processes for s in measured.of(run).timed]))


def uncovered() -> str:
    """what cannot be reproduced, and why"""
    skipped = len(dict.fromkeys(what for run in _runs() for what in measured.of(run).plan.skipped))
    told = _sentence("README.md", r"Not covered here: [^.]*\.")
    return f"{told} {skipped} more in the reports of the recorded runs, each with its reason"


CHECKLIST: dict[str, tuple[Callable[[], str], ...]] = {
    "Available": (archived, licence, data_licence, marked),
    "Functional": (folders, recorded_machine, needs, pinned, container, resources, extension,
                   anonymous, clean_notebooks),
    "Reproduced": (one_command, verdicts, machines, pictures, repetitions, uncovered),
}


def lines() -> Iterator[str]:
    """The checklist for a terminal, each item with its evidence or as missing."""
    missing, items = [], 0
    for badge, checks in CHECKLIST.items():
        yield badge
        for check in checks:
            found, why = evidence(check)
            if why:
                missing.append(check.__doc__)
            items += 1
            yield from textwrap.wrap(
                found or f"missing: {why}", COLUMNS, initial_indent=f"  {check.__doc__:{NAMES}} ",
                subsequent_indent=" " * (NAMES + 3), break_on_hyphens=False)
    yield f"{items - len(missing)} of {items} found" + (
        f"; missing: {', '.join(filter(None, missing))}" if missing else "")


def evidence(check: Callable[[], str]) -> tuple[str, str]:
    """What a check found, and why it found nothing; one of them is empty."""
    try:
        return check(), ""
    except Missing as missing:
        return "", str(missing)
    except Problem as problem:
        return "", str(problem)
    except FileNotFoundError as error:
        return "", f"no {paths.shown(Path(error.filename))}"
    except (OSError, EOFError, ValueError) as error:
        return "", f"a file cannot be read: {one_line(error)}"


def _text(name: str) -> str:
    return (paths.ROOT / name).read_text()


def _unpacked(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()


def _sentence(name: str, pattern: str) -> str:
    found = re.search(pattern, _text(name))
    if not found:
        raise Missing(f"{name} does not say")
    return f"{name}: {' '.join(found[0].replace('*', '').split())}"


def _targets(*names: str) -> str:
    makefile = _text("Makefile")
    _none_of("not in the Makefile", [
        name for name in names if not re.search(rf"^{name}:", makefile, re.MULTILINE)])
    return ", ".join(f"make {name}" for name in names)


def _none_of(what: str, found: list) -> None:
    """Raises Missing that names the first of those there should be none of."""
    if found:
        first = paths.shown(found[0]) if isinstance(found[0], Path) else found[0]
        raise Missing(f"{len(found)} {what}: {first}" + ", ..." * (len(found) > 1))


def _runs() -> list[paths.Run]:
    names = paths.recorded_runs()
    if not names:
        raise Missing("no recorded run")
    return [paths.run(name) for name in names]


def _machines() -> list[dict]:
    return [machine.load(run.machine) for run in _runs()]
