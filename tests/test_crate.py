# SPDX-License-Identifier: MIT
"""The description of a packed run, as those who made the format read and check it."""

import hashlib
import importlib.resources
import json
import shutil
import tarfile
from types import SimpleNamespace

import pytest
import requests
from rocrate.rocrate import ROCrate
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester

from artifact import measured, paths
from artifact.verdicts import crate, pack

# Of the validator's own library.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))[0]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A recorded run packed and unpacked again."""
    folder = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RESULTS", folder)
        with tarfile.open(pack.pack(paths.run(f"recorded/{RECORDED}"))) as archive:
            archive.extractall(folder, filter="data")
    return folder / RECORDED


@pytest.fixture
def offline(monkeypatch):
    """The one context that a crate of 1.1 names is in the package rocrate; nothing else is there."""
    context = importlib.resources.files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes()

    def get(self, url, *arguments, **more):
        answer = requests.Response()
        answer.status_code, answer.url = 404, url
        if url == crate.CONTEXT[0]:
            answer.status_code, answer._content = 200, context
            answer.headers["Content-Type"] = "application/ld+json"
        return answer
    assert json.loads(context)["@id"] == crate.CONTEXT[0]
    monkeypatch.setattr(HttpRequester, "get", get, raising=False)


def issues(folder, tmp_path):
    """What the validator of the RO-Crate community has against it, by both specifications."""
    found = services.validate(ValidationSettings(
        rocrate_uri=str(folder), profile_identifier="process-run-crate",
        requirement_severity=Severity.REQUIRED, cache_path=tmp_path / "cache", offline=True))
    return "\n".join(issue.message for issue in found.get_issues())


def test_the_validator_accepts_it(package, offline, tmp_path):
    assert issues(package, tmp_path) == ""


def test_the_validator_would_find_what_is_wrong(package, offline, tmp_path):
    shutil.copytree(package, tmp_path / "spoilt")
    file = tmp_path / "spoilt" / crate.FILE
    stored = json.loads(file.read_text())
    graph = {entity["@id"]: entity for entity in stored["@graph"]}
    for entity, name in (("./", "license"), ("./", "datePublished"), ("./", "conformsTo"),
                         ("#measuring", "instrument")):
        del graph[entity][name]
    graph["#pagecopy"]["colour"] = "red"
    (tmp_path / "spoilt" / "machine.json").unlink()
    file.write_text(json.dumps(stored))
    found = issues(file.parent, tmp_path)
    for word in ("`license`", "`datePublished`", "permalink of the profile", "instrument property",
                 '"colour"', "machine.json"):
        assert word in found, found


def test_it_describes_every_file_as_it_is(package):
    read = ROCrate(package)
    there = {str(file.relative_to(package)) for file in package.rglob("*") if file.is_file()}
    assert {entity.id for entity in read.data_entities} == there - {crate.FILE, pack.SUMS}
    for entity in read.data_entities:
        content = (package / entity.id).read_bytes()
        assert entity["sha256"] == hashlib.sha256(content).hexdigest()
        assert entity["contentSize"] == str(len(content))


def test_it_says_when_where_and_with_what_the_run_was_measured():
    """Here on two days, the second time with another version."""
    everything = measured.of(paths.run(f"recorded/{RECORDED}"))
    facts = [{"date": "2026-01-02 03:04:05", "commit": "b"},
             {"date": "2026-01-01 23:00:00", "commit": "a"}]
    vars(everything).update(timed=[SimpleNamespace(processes=2, facts=facts)],
                            provisional="2 of 3 processes")
    graph = {entity["@id"]: entity for entity in
             json.loads(crate.description(everything, {}))["@graph"]}
    assert graph["./"]["datePublished"] == graph["#measuring"]["endTime"] == "2026-01-02"
    assert graph["#measuring"]["startTime"] == "2026-01-01"
    assert graph["#pagecopy"]["softwareVersion"] == "a, b"
    for words in ("of 2 processes", "not measured to their end"):
        assert words in graph["./"]["description"]
    assert graph["#machine-CPU"]["value"] == everything.machine["cpu"]["model"]
