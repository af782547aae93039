# SPDX-License-Identifier: MIT
"""Runs beside each other, and foreign ones: data that is checked and never run."""

import gzip
import hashlib
import io
import json
import shutil
import tarfile

import pytest

from artifact import cells, machine, measured, paths
from artifact.estimate import Estimate
from artifact.problem import Problem
from artifact.verdicts import claims, compare, crate, pack

RECORDED = sorted(folder.name for folder in paths.RECORDED.glob("*/"))[0]


@pytest.fixture(scope="module")
def packed_once(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RESULTS", tmp_path_factory.mktemp("packed"))
        return pack.pack(paths.run(f"recorded/{RECORDED}"))


@pytest.fixture
def packed(results, packed_once):
    return shutil.copy(packed_once, results / packed_once.name)


def renamed_cell(content, old, new):
    """A plan with another variant in a cell, and with the id that goes with that."""
    stored = json.loads(content.replace(old, new))
    for key, fields in list(stored["cells"].items()):
        stored["cells"][cells.from_json(fields).id] = stored["cells"].pop(key)
    text = json.dumps(stored)
    for key, fields in json.loads(content)["cells"].items():
        changed = json.loads(json.dumps(fields).replace(old.decode(), new.decode()))
        text = text.replace(key, cells.from_json(changed).id)
    return text.encode()


def members(file):
    with tarfile.open(file) as archive:
        return {m.name.partition("/")[2]: archive.extractfile(m).read() for m in archive}


def repacked(file, files, fix_sums=True, **odd):
    """The same with other content; odd: a member's attributes by name."""
    files = dict(files)
    if fix_sums:
        files[pack.SUMS] = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in
                                   files.items() if n != pack.SUMS).encode()
    with tarfile.open(file, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(odd.get(name, {}).get("name", f"run/{name}"))
            member.size = len(content)
            for key, value in odd.get(name, {}).items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return file


def negative(file):
    """The second member says that it is -512 bytes long: tar would read it for ever."""
    plain = bytearray(gzip.decompress(file.read_bytes()))
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        at = archive.getmembers()[1].offset
    plain[at + 124:at + 136] = b"\xff" * 10 + b"\xfe\x00"      # base 256, two's complement
    plain[at + 148:at + 156] = b" " * 8
    plain[at + 148:at + 156] = b"%06o\0 " % sum(plain[at:at + 512])
    file.write_bytes(gzip.compress(bytes(plain)))
    return file


def test_a_packed_run_is_the_same_elsewhere(packed):
    ours, theirs = paths.run(f"recorded/{RECORDED}"), pack.opened(str(packed))
    lines, report = compare.write([ours, renamed(theirs)])
    html = report.read_text()
    assert "elsewhere" in html and html.count("data:image/png;base64") == 2
    assert lines[:2] == ["the same kind of machine", ""]
    assert "<strong>the same kind of machine</strong>; nothing that is recorded differs" in html
    assert not any("differs" in line for line in lines)
    assert any("same verdict" in line for line in lines[3:])
    assert len(lines) == 3 + len(claims.published_claims())
    assert sorted(p.name for p in theirs.cells.iterdir()) == sorted(
        n.removeprefix("cells/") for n in members(packed) if n.startswith("cells/"))
    assert packed.read_bytes() == pack.pack(ours).read_bytes()       # no times in it


def test_recorded_runs_of_one_machine_never_contradict_each_other(results):
    """Not even where their arms differ, as those of an older protocol do."""
    runs = [paths.run(f"recorded/{folder.name}") for folder in sorted(paths.RECORDED.glob("*/"))]
    kinds = [machine.kind(machine.load(run.machine)) for run in runs]
    runs = [run for run, kind in zip(runs, kinds) if kind == kinds[0]]
    assert len(runs) >= 2
    for found in zip(*(claims.verdicts(measured.of(run)) for run in runs)):
        assert not {"holds", "does not hold"} <= {verdict.word for verdict in found}, found[0].claim.id


@pytest.mark.parametrize("described", [None, b"", b"[" * 200_000,
                                       b'{"@graph": [{"@id": "/etc/passwd"}]}'])
def test_a_description_is_neither_needed_nor_believed(packed, described):
    """Packed runs of older code have none."""
    files = members(packed)
    del files[crate.FILE]
    given = files if described is None else {**files, crate.FILE: described}
    run = pack.opened(str(repacked(packed, given)))
    assert {str(path.relative_to(run.measured)): path.read_bytes() for path in
            run.measured.rglob("*") if path.is_file()} == {
        name: content for name, content in files.items() if name != pack.SUMS}


ZEN_3 = {"model": "AMD EPYC", "family_model_stepping": "25/1/1"}


def with_machine(file, **changes):
    """Such a packed run, of a machine with another CPU and whatever else is given."""
    record = json.loads(members(file)["machine.json"])
    record["cpu"] |= ZEN_3
    return repacked(file, {**members(file), "machine.json": json.dumps(record | changes).encode()})


def test_what_differs_between_the_machines_is_said_first(packed):
    ours = paths.run(f"recorded/{RECORDED}")
    lines, report = compare.write([ours, renamed(pack.opened(str(with_machine(
        packed, compiler="<b>cc\x1b[31m 99", memory_bytes=512 << 30, virtual_machine=""))))])
    above = lines[:lines.index("")]
    assert above[0] == "different kinds of machine:"
    assert [line.partition(":")[0].strip() for line in above[1:]] == [
        "CPU", "memory", "runs on", "compiler"]
    for told in (f"(Zen 4) 25/17/1 ({ours.name})", "AMD EPYC (Zen 3) 25/1/1 (elsewhere)",
                 "512 GiB (elsewhere)", "bare metal (elsewhere)", "<b>cc[31m 99 (elsewhere)"):
        assert sum(told in line for line in above) == 1, told
    html = report.read_text()
    assert "different kinds of machine" in html and "&lt;b&gt;cc[31m 99 (elsewhere)" in html
    assert html.index("different kinds") < html.index("<h2>Claims")
    assert compare.write([ours])[0][0].startswith("claim")


def renamed(run):
    run.name = "elsewhere"
    return run


def test_two_runs_of_one_name_cannot_be_told_apart():
    run = paths.run(f"recorded/{RECORDED}")
    with pytest.raises(Problem, match="same name"):
        compare.write([run, run])


@pytest.mark.parametrize("why, spoil", [
    ("is no file of a run", lambda f, m: repacked(f, {**m, "evil.py": b"print()"})),
    ("is no file of a run", lambda f, m: repacked(f, m, **{"machine.json": {"name": "run/../x.json"}})),
    ("is no file of a run", lambda f, m: repacked(f, m, **{"machine.json": {
        "name": "/machine.json/x"}})),
    ("is no file of a run", lambda f, m: repacked(f, m, **{"machine.json": {
        "type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0}})),
    ("checksum of machine.json", lambda f, m: repacked(f, {**m, "machine.json": b"{}"},
                                                       fix_sums=False)),
    ("checksums does not fit", lambda f, m: repacked(f, {n: c for n, c in m.items()
                                                         if n != "plan.json"}, fix_sums=False)),
    ("unpacks to more than", lambda f, m: repacked(f, {**m, "cells/bomb.json.gz": gzip.compress(
        bytes(pack.MOST_CELL_BYTES + 1))})),
    ("ro-crate-metadata.json has more than", lambda f, m: repacked(f, {**m, crate.FILE: b" " * (
        pack.MOST_CRATE_BYTES + 1)})),
    ("checksum of ro-crate-metadata.json", lambda f, m: repacked(f, {**m, crate.FILE: b"{}"},
                                                                fix_sums=False)),
    ("is no file of a run", lambda f, m: repacked(f, {**m, "cells/" + crate.FILE: b"{}"})),
    ("of them twice", lambda f, m: negative(repacked(f, m))),
    ("of them twice", lambda f, m: repacked(f, m, **{"plan.json": {"name": "run/machine.json"}})),
    ("is serial-ladder-", lambda f, m: repacked(f, {**m, "plan.json": m["plan.json"].replace(
        b'"serial:bulk:byte"', b'"serial:bulk:word8"')})),
    ("no proper name", lambda f, m: repacked(f, {**m, "plan.json": renamed_cell(
        m["plan.json"], b"serial:bulk:byte", b"serial:bulk:$x$")})),
    ("unknown option", lambda f, m: repacked(f, {**m, "plan.json": renamed_cell(
        m["plan.json"], b"serial:bulk:byte", b"serial:bulk:byte:x=y")})),
    ("machine record", lambda f, m: repacked(f, {**m, "machine.json": b"[]"})),
    ("have it packed again", lambda f, m: with_machine(f, transparent_huge_pages=[])),
    ("no readable plan", lambda f, m: repacked(f, {**m, "plan.json": b"{"})),
    ("packed run", lambda f, m: repacked(f, {**m, "machine.json": b"[" * 200_000})),
    ("packed run", lambda f, m: repacked(f, {**m, "plan.json": b'{"format": 99}'})),
    ("packed run", lambda f, m: repacked(f, {**m, "cells/cut.json.gz": gzip.compress(b"x" * 999)[:-9]
                                             + b"damaged!!"})),
    ("packed run", lambda f, m: repacked(f, m, **{"machine.json": {"pax_headers": {
        "comment": "0" * (pack.MOST_BYTES + 1)}}})),
    ("packed run", lambda f, m: f.write_bytes(b"no archive") and f),
    ("packed run", lambda f, m: f.write_bytes(f.read_bytes()[:1000]) and f)])
def test_a_foreign_run_that_is_not_just_data_is_refused(packed, why, spoil):
    file = spoil(packed, members(packed))
    with pytest.raises(Problem, match=why):
        pack.opened(str(file))
    assert not (paths.RESULTS.parent / "x.json").exists()


def test_a_cell_that_was_changed_on_the_way_is_found_when_it_is_read(packed):
    files = members(packed)
    name = next(n for n in files if n.startswith("cells/serial-ladder-cold-cold"))
    files[name] = gzip.compress(json.dumps({"not": "pyperf"}).encode())
    run = pack.opened(str(repacked(packed, files)))
    with pytest.raises(Problem, match="not a pyperf file"):
        compare.write([run])


def test_an_unfinished_run_cannot_be_packed(results):
    (results / "half" / "cells").mkdir(parents=True)
    with pytest.raises(Problem, match="nothing was planned or measured"):
        pack.pack(paths.run("half"))


def test_a_run_that_lacks_a_cell_cannot_be_packed(results):
    shutil.copytree(paths.RECORDED / RECORDED, results / "copy")
    next((results / "copy" / "cells").glob("threads-*.json.gz")).unlink()
    run = paths.Run(results / "copy", results / "drawn", may_measure=False)
    with pytest.raises(Problem, match="not measured far enough .1 of .* cells are missing"):
        pack.pack(run)


def verdict(word, measured=True):
    return claims.Verdict(claims.published_claims()[0], word, "",
                          Estimate(1, 1, 1) if measured else None)


@pytest.mark.parametrize("words, found", [
    (("holds", "holds"), "same verdict"), (("holds", "does not hold"), "differs"),
    (("holds", "inconclusive"), "open in 1 of 2"),
    (("premise absent", "premise absent"), "same verdict"),
    (("premise absent", "holds"), "premise absent in 1 of 2"),
    (("premise absent", "inconclusive", "holds"), "open in 1 of 3, premise absent in 1 of 3"),
    (("inconclusive", "inconclusive"), "open in 2 of 2"),
    (("holds", None), "one run only"), ((None, None), "not tested")])
def test_portable_is_the_same_wherever_it_was_tested(words, found):
    assert compare.portable(tuple(verdict(w or "not applicable", w is not None)
                                  for w in words)) == found
