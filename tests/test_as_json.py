# SPDX-License-Identifier: MIT
"""The verdicts for a program: they fit their schema, and nothing else does."""

import copy
import hashlib
import json
import math
import subprocess
import sys

import jsonschema
import pytest

from artifact import measured, paths
from artifact.estimate import Estimate
from artifact.verdicts import as_json, claims
from tests.conftest import not_of_a_make, one_line

RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))
SCHEMA = json.loads(as_json.SCHEMA.read_text())


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def read(text):
    return json.loads(text, parse_constant=refuse)


def complaints(document):
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)]


def judged(name):
    everything = measured.of(paths.run(f"recorded/{name}"))
    return everything, claims.verdicts(everything)


@pytest.fixture(scope="module")
def found():
    return judged(RECORDED[0])


@pytest.fixture(scope="module")
def document(found):
    return read(as_json.text(*found))


def test_the_schema_is_one_and_knows_every_verdict():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    claim = SCHEMA["$defs"]["claim"]
    assert claim["properties"]["verdict"]["enum"] == list(claims.WORDS)
    assert set(claim["required"]) == set(claim["properties"])
    assert SCHEMA["properties"]["format"]["const"] == as_json.FORMAT


@pytest.mark.parametrize("name", RECORDED[1:])
def test_an_older_run_fits_it_too(document, name):
    assert complaints(document) == complaints(read(as_json.text(*judged(name)))) == []


def test_it_says_what_was_judged(found, document):
    everything, verdicts = found
    assert document["measured_with"] == sorted({
        fact["commit"] for samples in everything.timed for fact in samples.facts})
    assert len(document["claims"]) == len(verdicts) and not document["provisional"]
    for told, verdict in zip(document["claims"], verdicts):
        assert (told["claim"], told["verdict"], told["reason"]) == \
            (verdict.claim.id, verdict.word, verdict.why)
        if verdict.measured:
            assert (told["ratio"], told["interval"]) == \
                (verdict.measured.value, [verdict.measured.low, verdict.measured.high])
        assert [cell["cell"] for cell in told["cells"]] == list(dict.fromkeys(verdict.cells))
    files = {file: digest for told in document["claims"] for cell in told["cells"]
             for file, digest in cell["sha256"].items()}
    assert len(files) > 5
    for file, digest in files.items():
        assert hashlib.sha256((everything.run.measured / file).read_bytes()).hexdigest() == digest


def test_an_open_end_is_null(found):
    everything, verdicts = found
    verdict = next(v for v in verdicts if v.claim.holds and v.claim.holds[1] == math.inf)
    wide = claims.Verdict(verdict.claim, "inconclusive", "wide", Estimate(1.5, -math.inf, math.inf))
    told, = as_json.document(everything, [wide])["claims"]
    assert told["region"] == [verdict.claim.holds[0], None] and told["interval"] == [None, None]
    assert complaints(read(as_json.text(everything, [wide]))) == []


def test_an_unfinished_cell_has_a_digest_of_each_process(tmp_path):
    run = paths.Run(tmp_path, tmp_path, may_measure=True)
    for index in (0, 1):
        run.process_file("x-1", index).parent.mkdir(parents=True, exist_ok=True)
        run.process_file("x-1", index).write_bytes(b"%d" % index)
    assert as_json._digests(run, "x-1") == {
        f"cells/x-1/{index:03}.json": hashlib.sha256(b"%d" % index).hexdigest() for index in (0, 1)}


def held(document):
    return next(told for told in document["claims"] if told["verdict"] == "holds")


@pytest.mark.parametrize("spoil", [
    lambda d: held(d).update(verdict="passes"),
    lambda d: held(d).pop("cells"),
    lambda d: held(d).update(cells=[]),
    lambda d: held(d).update(ratio=math.nan),
    lambda d: held(d).update(ratio=math.inf),
    lambda d: held(d).update(ratio="1.2"),
    lambda d: held(d).update(interval=None),
    lambda d: held(d).update(interval=[1.0]),
    lambda d: held(d).update(interval=[1.0, math.nan]),
    lambda d: held(d).update(region=None),
    lambda d: held(d).update(certainty=1),
    lambda d: held(d).update(verdict="inconclusive", reason=""),
    lambda d: held(d)["cells"][0].update(sha256={}),
    lambda d: held(d)["cells"][0].update(sha256={"cells/a.json.gz": "0" * 63}),
    lambda d: held(d)["cells"][0].update(sha256={"cells/../a.json.gz": "0" * 64}),
    lambda d: d.update(provisional=True),
    lambda d: d.update(format=2),
    lambda d: d.update(claims=[]),
    lambda d: d.pop("machine")])
def test_what_is_no_verdict_does_not_fit(document, spoil):
    spoilt = copy.deepcopy(document)
    spoil(spoilt)
    assert complaints(document) == [] and complaints(spoilt)


def test_make_prints_the_document_and_nothing_else(results):
    done = subprocess.run(["make", "-s", "claims", f"RUN=recorded/{RECORDED[0]}", "FORMAT=json",
                           f"PY={sys.executable}"], cwd=paths.ROOT, capture_output=True, text=True,
                          env=not_of_a_make(RESULTS=str(results)))
    assert (done.returncode, done.stderr) == (0, "")
    assert complaints(read(done.stdout)) == []


def test_an_unknown_format_is_misuse(artifact):
    done = artifact("claims", f"--run=recorded/{RECORDED[0]}", "--format=xml")
    one_line(done, "FORMAT=xml", "choose from text, json")
    assert done.returncode == 2 and done.stdout == ""
