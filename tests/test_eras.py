# SPDX-License-Identifier: MIT
"""What kernels of several eras do around a copy, and what they copy with."""

import json
import platform
import re

import pytest

from artifact.variant import Variant
from tests.conftest import disassembled

MAPS = ("none", "2026", "2017", "2017-voluntary")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads x86 instructions")
def test_each_era_pays_for_what_its_kernel_did(pagecopy):
    loops = {name: disassembled(f"loop_{name.replace('-', '_')}") for name in MAPS}
    counters = {name: len(re.findall(r"%fs:", text)) for name, text in loops.items()}
    calls = {name: len(re.findall(r"call.*<cond_resched>", text)) for name, text in loops.items()}
    assert counters["none"] == counters["2026"] == 0
    assert 0 < counters["2017-voluntary"] < counters["2017"]    # pagefault_disabled is left
    assert calls == {"none": 0, "2026": 1, "2017": 1, "2017-voluntary": 1}


def test_no_preemption_model_is_left_out(pagecopy):
    text = " ".join(pagecopy("--list")[1].split())
    assert "2017-voluntary the same with CONFIG_PREEMPT_COUNT=n" in text
    assert "no call under full and lazy preemption" in text
    status, output, said = pagecopy("--verify", "--huge=64K", "--pairs=4", "--backing=auto",
                                    *(f"serial:page:libc:map={name}" for name in MAPS))
    assert (status, output.count("every byte right"), said) == (0, len(MAPS), [])


def test_every_era_is_a_variant_that_copies_every_byte_where_it_runs(pagecopy):
    listed = json.loads(pagecopy("--list", "--json")[1])
    variants = [era["variant"] for era in listed["eras"]]
    assert len(set(variants)) == len(variants) > 5
    for name in variants:
        variant = Variant.parse(name)
        assert variant.primitive in listed["primitives"] and variant.rule == "page"
        status, output, said = pagecopy("--explain", name)
        assert (status, said) == (0, []), name
    here = [name for name in variants
            if not listed["primitives"][Variant.parse(name).primitive]["lacks"]]
    status, output, said = pagecopy("--verify", "--pairs=4", "--backing=auto", *here)
    assert (status, output.count("every byte right"), said) == (0, len(here), [])


def test_which_era_runs_here_and_which_is_todays(pagecopy):
    listed = json.loads(pagecopy("--list", "--json")[1])
    text = pagecopy("--list")[1].split("base page by base page\n")[1].split("\nvictims")[0]
    told = dict(re.findall(r"^  (serial:\S+)\n(?:    .*\n)*    \((.*)\)$", text, re.MULTILINE))
    assert list(told) == [era["variant"] for era in listed["eras"]]
    today = f"serial:page:{listed['folio_mc_copy']}:map=2026"
    for name, said in told.items():
        lacks = listed["primitives"][Variant.parse(name).primitive]["lacks"]
        assert said == (f"not on this machine: needs {lacks}" if lacks else
                        "runs here, today's on this CPU" if name == today else "runs here")
    assert today in told
