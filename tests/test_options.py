# SPDX-License-Identifier: MIT
"""Sizes that depend on each other: right bytes or one line, never a crash."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact import ctools

SIZES = ["64", "2K", "4K", "12K", "64K", "68K", "256K", "2M"]


@st.composite
def cells(draw):
    """A base page, a folio and variants of sizes that may or may not agree."""
    base = draw(st.sampled_from(SIZES), "base")
    huge = draw(st.sampled_from(SIZES[2:]), "huge")
    variants = draw(st.lists(variants_of_any_size(), min_size=1, max_size=3), "variants")
    return [f"--base={base}", f"--huge={huge}", *variants]


@st.composite
def variants_of_any_size(draw):
    rule = draw(st.sampled_from(["page", "bulk"]))
    primitive = draw(st.sampled_from(["memcpy", "word8"]))
    sizes = {key: draw(st.sampled_from(["", "", *SIZES, "1M", "192"]))
             for key in ("extent", "bytes", "chunk")}
    counts = {"folios": draw(st.sampled_from(["", "1", "2", "3", "8", "9"])),
              "threads": draw(st.sampled_from(["", "1", "2", "3", "5", "16"]))}
    model = draw(st.sampled_from(["", "", "padata", "padata", "2025", "2017:priority=normal"]))
    migrators = draw(st.sampled_from(["", "", "", "2"]))
    parallel = draw(st.sampled_from([True, True, True, False]))
    options = [f"{key}={value}" for key, value in
               {"model": model, "migrators": migrators, **sizes, **counts}.items()
               if value and (parallel or key not in ("chunk", "threads", "model"))]
    options = draw(st.permutations(options))
    strategy = "parallel" if parallel else "serial"
    return ":".join([f"{strategy}:{rule}:{primitive}", *options])


def right_bytes_or_one_line(pagecopy, arguments, **more):
    status, output, said = pagecopy("--verify", "--pairs=16", "--backing=auto", *arguments, **more)
    if status == 0:
        variants = sum(not argument.startswith("-") for argument in arguments)
        assert output.count("every byte right") == variants and said == []
    else:
        assert (status, output, len(said)) == (1, "", 1), (arguments, said)


@settings(max_examples=300, deadline=None)
@given(cells())
def test_any_sizes_end_in_right_bytes_or_a_line(pagecopy, arguments):
    right_bytes_or_one_line(pagecopy, arguments)


@settings(max_examples=40, deadline=None)
@given(cells())
def test_any_sizes_stay_inside_their_buffers(pagecopy, arguments):
    built = ctools.build(ctools.PAGECOPY.with_name("pagecopy-asan"))
    right_bytes_or_one_line(pagecopy, arguments, program=built)


@pytest.mark.parametrize("arguments", [
    ["--huge=2M", "parallel:page:memcpy:chunk=2K:threads=2"],
    ["--huge=2M", "parallel:bulk:memcpy:chunk=96K:bytes=192K:extent=64K:threads=2"],
])
def test_a_chunk_that_cuts_a_call_in_two_is_refused(pagecopy, arguments):
    status, _, said = pagecopy("--verify", "--pairs=2", "--backing=auto", *arguments)
    assert status == 1 and len(said) == 1 and "chunk= is no multiple" in said[0]


@pytest.mark.parametrize("base, huge", [("64K", "64K"), ("64K", "2M"), ("12K", "84K")])
def test_a_computed_chunk_is_made_of_whole_calls(pagecopy, base, huge):
    status, output, _ = pagecopy("--verify", "--pairs=2", "--backing=auto", f"--base={base}",
                                 f"--huge={huge}", "parallel:page:memcpy:model=padata")
    assert status == 0 and "every byte right" in output


def test_migrators_beside_each_other_need_room_as_folios_do(pagecopy):
    status, _, said = pagecopy("--verify", "--backing=auto", "--huge=64K",
                               "serial:bulk:memcpy:bytes=63K:migrators=2")
    assert status == 1 and len(said) == 1 and "must leave 4K of each folio" in said[0]


def explained(pagecopy, *arguments):
    status, output, said = pagecopy("--explain", "--json", *arguments)
    assert (status, said) == (0, [])
    return [entry["resolved"] for entry in json.loads(output)["variants"]]


@pytest.mark.parametrize("cpus, even, four", [(1, 1, 1), (2, 2, 2), (3, 2, 3), (7, 6, 4),
                                              (9, 8, 4), (1024, 8, 4)])
def test_models_take_what_threads_the_machine_has(pagecopy, cpus, even, four):
    old, new, padata, asked, overruled = explained(
        pagecopy, f"--assume-cpus={cpus}", "parallel:bulk:memcpy:model=2017",
        "parallel:bulk:memcpy:model=2025", "parallel:page:memcpy:model=padata",
        "parallel:bulk:memcpy:model=2017:threads=5", "parallel:bulk:memcpy:threads=5:model=2017")
    assert [v["threads"] for v in (old, new, padata, asked, overruled)] == [even, four, four, 5, even]
    assert (old["priority"], old["join"], old["split"]) == ("high", "each", "parts")
    assert (new["affinity"], new["caller"], new["join"]) == ("unbound", "waits", "each")
    assert (padata["caller"], padata["join"], padata["extent"]) == ("works", "all", 4096)
    assert padata["chunk"] == (2 << 20) // {1: 4, 2: 8, 3: 16, 4: 16}[four]


def test_sizes_follow_the_page_and_the_folio(pagecopy):
    page, bulk, cut, chunked, scan = explained(
        pagecopy, "--base=64K", "--huge=16M", "--cpus=1,5", "serial:page:memcpy:delay=50",
        "parallel:bulk:memcpy:model=2017:folios=3", "serial:page:memcpy:bytes=4K",
        "parallel:bulk:memcpy:threads=2:chunk=64M", "scan:written:64")
    assert (page["extent"], page["bytes"], page["map"], page["delay_ns"]) == (65536, 16 << 20, "delay", 50)
    assert (bulk["extent"], bulk["threads"], bulk["split"]) == (0, 2, "folios")
    assert (cut["extent"], cut["bytes"]) == (4096, 4096)
    assert chunked["chunk"] == 16 << 20
    assert (scan["rule"], scan["cpus"]) == ("written", 64) and "cpus" not in page


def test_what_is_explained_is_what_is_measured(pagecopy):
    variants = ["serial:page:memcpy:map=2017", "parallel:bulk:memcpy:model=padata:threads=2"]
    _, output, _ = pagecopy("--json", "--processes=1", "--rounds=2", "--pairs=8",
                            "--backing=auto", *variants)
    assert [arm["resolved"] for arm in json.loads(output)["arms"]] == explained(pagecopy, *variants)


def test_counts_of_an_arm_are_told_together(pagecopy):
    _, output, _ = pagecopy("--json", "--processes=1", "--rounds=2", "--pairs=8", "--backing=auto",
                            "--victim=integer", "--window=5", "alone:bulk:empty")
    arm, = json.loads(output)["arms"]
    assert arm["counts"] == {"victim_switches": arm["victim_switches"]}


def test_an_explanation_asks_nothing_of_the_machine_but_sense(pagecopy):
    status, output, _ = pagecopy("--explain", "--huge=1G", "--cpus=1000,1001",
                                 "parallel:bulk:memcpy:threads=4000:folios=100000",
                                 "parallel:bulk:memcpy:model=2017")
    assert status == 0 and "threads    4000" in output and "priority   high" in output
    for arguments, message in ((["--explain", "serial:half:memcpy"], "unknown rule 'half'"),
                               (["--explain", "serial:bulk:memcpy:bytes=4M"], "at most a folio"),
                               (["--explain", "--assume-cpus=0"], "a number from 1 to 1024"),
                               (["--assume-cpus=4"], "--assume-cpus is for --explain")):
        status, output, said = pagecopy(*arguments)
        assert (status, output, len(said)) == (1, "", 1) and message in said[0]


def test_the_table_of_options_is_what_is_understood(pagecopy):
    """Each word of each option is parsed, told of and given back."""
    options = json.loads(pagecopy("--list", "--json")[1])["options"]
    shown = pagecopy("--help")[1]
    for option in options:
        key = option["key"]
        assert f"  {key}=" in shown and option["for"] in ("every", "parallel")
        for word in option["words"]:
            status, output, said = pagecopy("--explain", "--json", "--assume-cpus=8",
                                            f"parallel:bulk:memcpy:{key}={word}")
            assert status == 0 or "unknown" not in said[0]
            resolved = json.loads(output)["variants"][0]["resolved"] if not status else {}
            assert key not in resolved or resolved[key] == word
        assert bool(option["words"]) == (option["value"] == "word")
