# SPDX-License-Identifier: MIT
"""What a packed run is, for whoever finds it in an archive: an RO-Crate description.

By RO-Crate 1.1 and, for who measured what with which program, Process Run Crate 0.5
(https://w3id.org/ro/crate/1.1, https://w3id.org/ro/wfrun/process/0.5). Everything in
it is from the run's own records, so that a run is packed to the same bytes whenever
and wherever that is done.
"""

import functools
import hashlib
import json
import typing
from collections.abc import Iterator

import yaml

from artifact import machine, paths
from artifact.measured import Measured

FILE = "ro-crate-metadata.json"     # the name that the specification asks for
CONTEXT = ["https://w3id.org/ro/crate/1.1/context",
           {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
PRONOM = "https://www.nationalarchives.gov.uk/PRONOM/"
# By the end of a file's name: media type, and what PRONOM calls it.
ENCODINGS = {".json": ("application/json", "fmt/817", "JSON Data Interchange Format"),
             ".gz": ("application/gzip", "x-fmt/266", "GZIP Format")}

Entity = dict[str, typing.Any]


def description(measured: Measured, files: dict[str, bytes]) -> bytes:
    """The description of a run with these files, by their names in the package."""
    graph = [_descriptor(), *_root(measured, files), *map(_file, files, files.values()),
             _measuring(measured), _software(measured), *_machine(measured), *_formats(files)]
    return json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1).encode()


def _descriptor() -> Entity:
    return {"@id": FILE, "@type": "CreativeWork", "conformsTo": _to(SPECIFICATION),
            "about": _to("./")}


def _root(measured: Measured, files: dict[str, bytes]) -> Iterator[Entity]:
    citation, days = _citation(), _days(measured)
    licence = f"https://spdx.org/licenses/{citation['license']}"
    processes = sum(samples.processes for samples in measured.timed)
    yield {"@id": "./", "@type": "Dataset", "conformsTo": _to(PROFILE),
           "name": f"Run {measured.run.name} of {citation['title']}",
           "description": f"Raw samples of {processes} processes in {len(measured.plan.cells)} cells"
           f"{', not measured to their end,' if measured.provisional else ''} on "
           f"{machine.summary(measured.machine)}. {' '.join(citation['abstract'].split())}",
           **({"datePublished": days[1]} if days else {}),
           "license": _to(licence), "keywords": ", ".join(citation["keywords"]),
           "hasPart": [_to(name) for name in files], "mentions": _to("#measuring")}
    yield {"@id": licence, "@type": "CreativeWork", "name": f"{citation['license']} licence",
           "description": "Of the program; what it measured may be used under the same."}
    yield {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}


def _file(name: str, content: bytes) -> Entity:
    media, pronom, _ = _encoding(name)
    return {"@id": name, "@type": "File", "name": name, "contentSize": str(len(content)),
            "sha256": hashlib.sha256(content).hexdigest(),
            "encodingFormat": [media, _to(PRONOM + pronom)],
            **({"about": _to("#machine")} if name == "machine.json" else {})}


def _measuring(measured: Measured) -> Entity:
    """What made the files. It names nobody: who measures is not recorded."""
    days = _days(measured)
    return {"@id": "#measuring", "@type": "CreateAction", "name": "measuring",
            "description": "Runs pagecopy once for each process of each cell; the cells take turns.",
            "instrument": _to("#pagecopy"), "object": _to(measured.run.plan.name),
            "result": _to("./"),
            **(dict(zip(("startTime", "endTime"), days)) if days else {})}


def _software(measured: Measured) -> Entity:
    return {"@id": "#pagecopy", "@type": "SoftwareApplication",
            "name": f"pagecopy: {_citation()['title']}",
            "description": "Its version is the commit or release that measured, or all that did.",
            "softwareVersion": ", ".join(measured.commits)}


def _machine(measured: Measured) -> Iterator[Entity]:
    found = measured.machine
    facts = {"CPU": found["cpu"]["model"], "CPU family/model/stepping":
             found["cpu"]["family_model_stepping"], "usable CPUs": found["cpu"]["usable"],
             "NUMA nodes": len(found["numa_nodes"]), "memory in bytes": found["memory_bytes"],
             "kernel": found["kernel"]["release"], "hypervisor": found["virtual_machine"] or "none",
             "operating system": found["operating_system"], "compiler": found["compiler"]}
    ids = {name: f"#machine-{name.replace(' ', '-').replace('/', '-')}" for name in facts}
    yield {"@id": "#machine", "@type": "IndividualProduct", "name": machine.summary(found),
           "additionalProperty": [_to(key) for key in ids.values()]}
    for name, value in facts.items():
        yield {"@id": ids[name], "@type": "PropertyValue", "name": name, "value": value}


def _formats(files: dict[str, bytes]) -> Iterator[Entity]:
    for _, pronom, name in dict.fromkeys(map(_encoding, files)):
        yield {"@id": PRONOM + pronom, "@type": "WebSite", "name": name}


def _encoding(name: str) -> tuple[str, str, str]:
    return ENCODINGS[name[name.rindex("."):]]


def _days(measured: Measured) -> tuple[str, str] | None:
    """Of the first and the last process. Their hours are without a time zone."""
    days = [fact["date"][:10] for samples in measured.timed for fact in samples.facts]
    return (min(days), max(days)) if days else None


def _to(key: str) -> dict[str, str]:
    return {"@id": key}


@functools.cache
def _citation() -> dict[str, typing.Any]:
    return yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())
