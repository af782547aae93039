# SPDX-License-Identifier: MIT
"""Sizes that depend on each other: right bytes or one line, never a crash."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact import ctools, variant
from artifact.sizes import parse_size
from artifact.variant import Variant

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
    primitive = draw(st.sampled_from(["libc", "word8"]))
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


@settings(max_examples=300)
@given(cells())
def test_any_sizes_end_in_right_bytes_or_a_line(pagecopy, arguments):
    right_bytes_or_one_line(pagecopy, arguments)


@settings(max_examples=40)
@given(cells())
def test_any_sizes_stay_inside_their_buffers(pagecopy, arguments):
    built = ctools.build(ctools.PAGECOPY.with_name("pagecopy-asan"))
    right_bytes_or_one_line(pagecopy, arguments, program=built)


@pytest.mark.parametrize("arguments", [
    ["--huge=2M", "parallel:page:libc:chunk=2K:threads=2"],
    ["--huge=2M", "parallel:bulk:libc:chunk=96K:bytes=192K:extent=64K:threads=2"],
])
def test_a_chunk_that_cuts_a_call_in_two_is_refused(pagecopy, arguments):
    status, _, said = pagecopy("--verify", "--pairs=2", "--backing=auto", *arguments)
    assert status == 1 and len(said) == 1 and "chunk= is no multiple" in said[0]


@pytest.mark.parametrize("base, huge", [("64K", "64K"), ("64K", "2M"), ("12K", "84K")])
def test_a_computed_chunk_is_made_of_whole_calls(pagecopy, base, huge):
    status, output, _ = pagecopy("--verify", "--pairs=2", "--backing=auto", f"--base={base}",
                                 f"--huge={huge}", "parallel:page:libc:model=padata")
    assert status == 0 and "every byte right" in output


def test_migrators_beside_each_other_need_room_as_folios_do(pagecopy):
    status, _, said = pagecopy("--verify", "--backing=auto", "--huge=64K",
                               "serial:bulk:libc:bytes=63K:migrators=2")
    assert status == 1 and len(said) == 1 and "must leave 4K of each folio" in said[0]


OPTIONS = {option["key"]: option for option in ctools.listed()["options"]}
VALUES = {"size": ["4K", "64K", "192K", "2M"], "count": ["1", "2", "3", "16"], "ns": ["0", "25"]}


def values_of(key):
    return OPTIONS[key]["words"] or VALUES[OPTIONS[key]["value"]]


@st.composite
def variants_with_any_options(draw):
    """Every option that pagecopy lists, in any number and order."""
    strategy = draw(st.sampled_from(["serial", "parallel", "parallel"]))
    allowed = [key for key, option in OPTIONS.items()
               if strategy == "parallel" or option["for"] == "every"]
    keys = draw(st.lists(st.sampled_from(allowed), max_size=6))
    options = [f"{key}={draw(st.sampled_from(values_of(key)))}" for key in keys]
    return ":".join([strategy, draw(st.sampled_from(["page", "bulk"])), "libc", *options])


@settings(max_examples=400)
@given(variants_with_any_options(), st.sampled_from(["4K", "64K"]), st.sampled_from(["64K", "2M"]),
       st.sampled_from([1, 2, 3, 7, 16]))
def test_python_and_c_read_the_same_out_of_a_name(pagecopy, name, base, huge, cpus):
    status, output, said = pagecopy("--explain", "--json", f"--base={base}", f"--huge={huge}",
                                    f"--assume-cpus={cpus}", name)
    if status:
        assert len(said) == 1
        return
    theirs = json.loads(output)["variants"][0]["resolved"]
    ours = Variant.parse(name + "#2").resolved(parse_size(base), parse_size(huge), cpus)
    assert {key: list(value) if isinstance(value := getattr(ours, key), tuple) else value
            for key in theirs} == theirs


def test_every_option_of_pagecopy_is_known_here():
    known = {**variant.WORDS, **dict.fromkeys((*variant.SIZES, *variant.COUNTS, "delay"), ())}
    assert set(known) == set(OPTIONS)
    for key, option in OPTIONS.items():
        assert list(known[key]) == option["words"], key
