# SPDX-License-Identifier: MIT
"""The C side: every byte, every misuse, and the kernels planted to be caught."""

import json
import os
import re
import resource
import shlex
import signal
import subprocess
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact import answer, check, ctools, machine
from artifact.cells import Cell
from artifact.estimate import Estimate
from artifact.measuring import forecast
from artifact.sizes import parse_size
from tests.conftest import seen_in_time, without_huge_pages

LACKS = {name: facts["lacks"] for name, facts in ctools.listed()["primitives"].items()}
RUNNING = [name for name, lacks in LACKS.items() if not lacks and name != "empty"]
SMALL = ("--pairs=8", "--backing=auto")


@settings(max_examples=60)
@given(st.data())
def test_every_byte_for_any_size_thread_count_and_split(pagecopy, data):
    base = 64 * data.draw(st.integers(1, 64), "base / 64")
    pages = data.draw(st.integers(1, 40), "pages")
    threads = data.draw(st.integers(1, 67), "threads")
    folios = data.draw(st.integers(1, 5), "folios")
    primitive = data.draw(st.sampled_from(RUNNING), "primitive")
    team = data.draw(st.sampled_from(["wake:caller=works", "wake:caller=waits", "spawn",
                                      "spawn:caller=waits"]), "team")
    variants = [f"{strategy}:{rule}:{primitive}:map={cost}:folios={folios}{options}"
                for strategy, options in (("serial", ""),
                                          ("parallel", f":threads={threads}:dispatch={team}"))
                for rule in ("page", "bulk")
                for cost in ("none", "2026", "2017", "2017-voluntary")]
    status, output, said = pagecopy("--verify", *SMALL, f"--base={base}",
                                    f"--huge={base * pages}", *variants)
    assert (status, said) == (0, [])
    assert output.count("every byte right") == len(variants)


def test_spinning_team_copies_every_byte(pagecopy):
    threads = len(machine.usable_cpus())
    status, output, _ = pagecopy("--verify", *SMALL, f"parallel:bulk:libc:threads={threads}"
                                 ":dispatch=spin:folios=3")
    assert status == 0 and "every byte right" in output


def test_without_a_variant_all_is_compared_with_what_kernels_do_now(pagecopy):
    listed = ctools.listed()
    now, then = listed["folio_mc_copy"], listed["copy_page"]
    arms = [line for line in pagecopy("--explain", "--assume-cpus=16")[1].splitlines()
            if not line.startswith(" ")]
    assert arms == [
        f"serial:page:{now}:map=2026", f"serial:page:{then}:map=2017", f"serial:page:{now}",
        f"serial:bulk:{now}", f"parallel:page:{now}:map=2026:threads=8",
        f"parallel:bulk:{now}:threads=8",
        f"parallel:bulk:{now}:dispatch=spawn:caller=waits:threads=8"]
    assert "parallel" not in pagecopy("--explain", "--assume-cpus=1")[1]


@pytest.mark.parametrize("base, huge, pairs", [("4K", "2M", 8), ("64K", "2M", 8),
                                               ("64K", "16M", 4), ("4K", "1G", 1)])
def test_published_page_sizes(pagecopy, base, huge, pairs):
    if 4 * parse_size(huge) * pairs > machine.memory_bytes():
        pytest.skip(f"two pools of {pairs} x {huge} need more memory")
    status, output, _ = pagecopy("--verify", "--backing=auto", f"--base={base}", f"--huge={huge}",
                                 f"--pairs={pairs}", "serial:page:libc:map=2017",
                                 "parallel:bulk:libc:threads=3")
    assert status == 0 and output.count("every byte right") == 2


@pytest.mark.parametrize("planted, where", [("truncated", "byte 2097144 of 2097152"),
                                            ("overrun", "byte 2097152 of 2097152")])
def test_planted_corrupting_kernel_is_caught_and_not_timed(pagecopy, planted, where):
    ctools.build(ctools.PLANTED)
    status, output, said = pagecopy(*SMALL, "--processes=1", "serial:bulk:libc",
                                    f"serial:bulk:planted-{planted}", program=ctools.PLANTED)
    assert status == 2 and output == ""
    assert len(said) == 1 and f"planted-{planted}: wrong copy at {where}" in said[0]


@seen_in_time
def test_planted_3_percent_slower_kernel_is_caught():
    ctools.build(ctools.PLANTED)
    ratio = check.planted_slowdown(processes=20, rounds=128)
    assert ratio.high < 1 and ratio.low < 1 / 1.03 < ratio.high


def test_planted_kernels_are_not_in_the_program_people_use():
    assert not any("planted" in name for name in LACKS)


@pytest.mark.parametrize("arguments, message", [
    (["serial:bulk:nosuch"], "unknown primitive 'nosuch': --list names them"),
    (["sideways:bulk:libc"], "unknown strategy 'sideways'"),
    (["serial:half:libc"], "unknown rule 'half'"),
    (["serial:bulk"], "a variant is STRATEGY:RULE:PRIMITIVE"),
    (["serial:bulk:libc:colour=red"], "'colour'"),
    (["serial:bulk:libc:threads=2"], "only a parallel copy has an option 'threads'"),
    (["serial:page:libc:map=1999"], "unknown map cost '1999'"),
    (["serial:page:libc:delay=50:map=2017"], "give map= or delay=, not both"),
    (["serial:page:libc:delay=-5"], "give 0 to 1000000 ns"),
    (["serial:bulk:libc:extent=48K"], "do not divide what is copied"),
    (["serial:bulk:libc:extent=0"], "extent=0: not a size"),
    (["serial:bulk:libc:bytes=4M"], "at most a folio"),
    (["serial:bulk:libc:bytes=100"], "multiple of 64"),
    (["serial:bulk:libc:observe=phases"], "observe=phases is for parallel copies"),
    (["serial:bulk:libc:folios=2:extent=4K:observe=stretch"], "is for one folio"),
    (["parallel:bulk:libc:threads=2:chunk=96K"], "chunk= does not divide"),
    (["parallel:bulk:libc:model=1917"], "unknown model '1917'"),
    (["parallel:bulk:libc:priority=royal"], "unknown priority 'royal'"),
    (["parallel:bulk:libc:priority=low:dispatch=spawn"], "are for dispatch=wake"),
    (["parallel:bulk:libc:caller=reclaims:dispatch=spin"], "needs dispatch=wake"),
    (["parallel:bulk:libc:dispatch=spin:migrators=2"], "migrators= are for woken"),
    (["parallel:bulk:movsb:defect=tail"], "defect=tail is for libc"),
    (["parallel:bulk:libc:defect=early"], "defect=early is for model=2017"),
    (["parallel:bulk:libc:model=2017:priority=normal:pick=idle"], "does not look"),
    (["parallel:bulk:libc:model=2017:priority=normal:defect=early:observe=phases"],
     "copies without a defect"),
    (["serial:bulk:libc:migrators=0"], "give 1 to 1024"),
    (["parallel:bulk:libc:threads=9999"], "give 1 to 4096"),
    (["parallel:bulk:libc:model=2025:pick=idle"], "for bound workers"),
    (["parallel:bulk:libc:caller=reclaims:pick=idle"], "for bound workers"),
    (["parallel:bulk:libc:model=2017:priority=normal:dispatch=spawn:defect=early"],
     "dispatch=wake"),
    (["serial:bulk:libc", "scan:hot:64"], "compared with scans only"),
    (["--victim=integer", "scan:hot:64"], "a scan goes with no --victim"),
    (["--recover=l2", "serial:bulk:libc:migrators=2"], "with none of --victim, --recover and"),
    (["--reader=here", "serial:bulk:libc:migrators=2"], "with none of --victim, --recover and"),
    (["--reader=here", "scan:hot:64"], "a scan goes with no --victim, --recover, --reader"),
    (["--reader=here", "alone:bulk:empty"], "nothing to time"),
    (["--reader=there"], "--reader=there: give here or elsewhere"),
    (["--reader=elsewhere", f"--cpus={min(os.sched_getaffinity(0))}"],
     "give --reader=here, or two --cpus"),
    (["--victim=integer", "--rate=10", "--window=30"], "a --window=30: raise one of them"),
    (["--energy=/nonexistent", "--victim=integer"], "files that can be read"),
    (["--energy=/proc/uptime"], "windows of a --victim"),
    (["alone:bulk:empty"], "nothing to time without --victim or --recover"),
    (["scan:hot:5000"], "give 1 to 1024"),
    (["scan:warm:5"], "unknown scan 'warm'"),
    (["--victim=innocent"], "integer, l2, llc, lock, stream or timer"),
    (["--recover=timer"], "l2 or llc"),
    (["--victim=l2", "--recover=l2"], "give one of --victim, --recover and --reader"),
    (["--victim=l2", "--reader=here"], "give one of --victim, --recover and --reader"),
    (["--recover=l2", "--reader=elsewhere"], "give one of --victim, --recover and --reader"),
    (["--victim=l2", "serial:bulk:libc:migrators=2"], "with none of --victim, --recover and"),
    (["--recover-on=worker"], "no passes to make: give --recover"),
    (["--recover=l2", "--recover-on=worker", f"--cpus={machine.usable_cpus()[0]}"],
     "on one CPU no worker has its own: give two"),
    (["--recover=l2", "--recover-on=victim"], "give caller or worker"),
    (["--load=5000"], "--load=5000: give a number"),
    (["--window=0"], "--window=0: give a number from 1"),
    (["--limit=101"], "--limit=101: give a number from 1"),
    (["serial:bulk:libc:folios=0"], "give 1 to 1048576"),
    (["serial:bulk:libc:folios=9", "--pairs=8"], "more folios than --pairs=8"),
    (["parallel:bulk:libc:threads=0"], "give 1 to 4096"),
    (["parallel:bulk:libc:threads=-3"], "give 1 to 4096"),
    (["parallel:bulk:libc:threads=4096"], "more threads than CPUs"),
    (["parallel:bulk:libc:dispatch=shout"], "unknown dispatch 'shout'"),
    (["parallel:bulk:libc:dispatch=spin:caller=waits"], "needs caller=works"),
    (["parallel:bulk:libc:observe=stretch"], "observe=stretch is for serial copies"),
    (["--huge=2M", "--base=3K"], "--base=3072 does not divide --huge=2097152"),
    (["--huge=0"], "--huge=0: give a size"),
    (["--huge=2X"], "--huge=2X: give a size"),
    (["--base=100"], "a multiple of 64"),
    (["--rounds=0"], "--rounds=0: give a number from 1"),
    (["--rounds=-1"], "--rounds=-1: give a number from 1"),
    (["--processes=many"], "--processes=many: give a number"),
    (["--source=lukewarm"], "--source=lukewarm: give cold or warm"),
    (["--backing=silk"], "huge, auto or base"),
    (["--json", "--export-markdown"], "give one of --verify, --json and --export-markdown"),
    (["--export-markdown", "--explain"], "without --list and --explain"),
    (["--export-markdown=table.md"], "doesn't allow an argument"),
    (["--cpus=0,0"], "CPU 0 is named twice"),
    (["--cpus=1023"], "may not run on CPU 1023"),
    (["--source-node=999", "--processes=1"], "NUMA node"),
    (["--huge=1G", "--pairs=100000"], "not enough memory"),
    (["--huge=4611686018427387904", "--pairs=4"], "not enough memory"),
    (["--frobnicate"], "--frobnicate"),
])
def test_misuse_gets_one_line_and_a_status(pagecopy, arguments, message):
    status, output, said = pagecopy(*arguments)
    assert status == 1 and output == ""
    assert len(said) == 1 and message in said[0]


@pytest.mark.parametrize("primitive", [n for n, lacks in LACKS.items() if lacks])
def test_what_the_cpu_lacks_is_listed_with_the_reason(pagecopy, primitive):
    needs = LACKS[primitive]
    assert f"needs {needs}" in pagecopy("--list")[1]
    status, _, said = pagecopy(f"serial:bulk:{primitive}")
    assert status == 1 and f"needs {needs}" in said[0]


def test_no_huge_pages_is_an_error_or_marked_but_never_silent(pagecopy):
    small = ("--pairs=8", "--processes=1", "--rounds=2", "serial:bulk:libc")
    status, _, said = pagecopy(*small, preexec_fn=without_huge_pages)
    assert status == 1 and len(said) == 1 and "no huge pages behind the buffers" in said[0]
    status, output, _ = pagecopy("--backing=auto", "--json", *small,
                                 preexec_fn=without_huge_pages)
    assert status == 0 and json.loads(output)["source_huge_bytes"] == 0
    _, output, _ = pagecopy("--backing=auto", *small, preexec_fn=without_huge_pages)
    assert "huge pages behind 0 % of the buffers" in output


def test_no_memory_is_one_line(pagecopy):
    def starve():
        resource.setrlimit(resource.RLIMIT_AS, (100 << 20, 100 << 20))
    status, _, said = pagecopy("--pairs=64", "serial:bulk:libc", preexec_fn=starve)
    assert status == 1 and len(said) == 1 and "not enough memory" in said[0]


def test_who_ignores_its_children_gets_the_same_answer(pagecopy):
    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    status, output, said = pagecopy(*SMALL, "--json", "--processes=1", "--rounds=2",
                                    "serial:bulk:libc", preexec_fn=ignore)
    assert status == 0 and not said and json.loads(output)["arms"]


def test_full_disk_is_an_error(pagecopy):
    import subprocess

    with open("/dev/full", "w") as full:
        done = subprocess.run([ctools.PAGECOPY, "--list"], stdout=full, stderr=subprocess.PIPE,
                              text=True)
    assert done.returncode == 1 and "cannot write the output" in done.stderr


def test_json_has_every_sample_of_every_arm(pagecopy):
    status, output, _ = pagecopy("--json", *SMALL, "--processes=2", "--rounds=5",
                                 "serial:bulk:libc", "serial:page:libc:delay=50",
                                 "parallel:bulk:libc:threads=1:caller=waits")
    processes = [json.loads(line) for line in output.splitlines()]
    assert status == 0 and len(processes) == 2
    assert processes[0]["seed"] != processes[1]["seed"]
    for process in processes:
        bulk, delayed, parallel = process["arms"]
        assert all(len(arm["ns"]) == 5 and min(arm["ns"]) > 0 for arm in process["arms"])
        assert delayed["delay_ns"] == 50 and delayed["delay_achieved_ns"] > 0
        assert len(parallel["worker_cpu_ns"]) == 5 and min(parallel["worker_cpu_ns"]) > 0
        assert min(bulk["caller_cpu_ns"]) > 0


def phases(pagecopy, *arguments, **more):
    """Of one process, with what it told; as many ns as it ran, or less."""
    started = time.monotonic_ns()
    status, output, said = pagecopy("--json", *SMALL, "--processes=1", *arguments, **more)
    ran = time.monotonic_ns() - started
    assert (status, said) == (0, [])
    process = json.loads(output)
    found = process["phases_ns"]
    assert list(found) == ["pools", "start", "verify", "samples", "pauses", "rest", "end"]
    assert min(found.values()) >= 0 and sum(found.values()) <= ran
    return found, process


def test_every_phase_has_at_least_what_was_to_happen_in_it(pagecopy):
    """A planted copy sleeps for 5 ms, a pause for 2 ms, and no sleep is shorter."""
    ctools.build(ctools.PLANTED)
    found, process = phases(pagecopy, "--rounds=4", "--pause=2000", "serial:bulk:planted-dozing",
                            "serial:bulk:libc", program=ctools.PLANTED)
    assert found["verify"] >= 5e6 and found["start"] >= 5e6
    assert found["samples"] >= sum(sum(arm["ns"]) for arm in process["arms"]) >= 4 * 5e6
    assert found["pauses"] >= 4 * 2 * 2e6
    assert found["pools"] > 0 and found["rest"] > 0 and found["end"] > 0


@pytest.mark.parametrize("arguments, channel", [
    (["--victim=integer", "--window=5", "--rate=400", "alone:bulk:empty", "serial:bulk:libc"],
     "window"),
    (["--recover=l2", "alone:bulk:empty", "serial:bulk:libc"], "pass"),
    (["--reader=here", "serial:bulk:libc"], "copy"),
    (["--pairs=16", "serial:bulk:libc:migrators=2"], None),
    (["scan:hot:64"], None),
])
def test_whatever_a_sample_is_its_time_is_the_samples(pagecopy, arguments, channel):
    found, process = phases(pagecopy, "--rounds=3", *arguments)
    assert found["samples"] >= sum(sum(arm["channels"][channel] if channel else arm["ns"])
                                   for arm in process["arms"])


def test_a_window_that_is_measured_is_a_whole_one(pagecopy):
    """That of the round before them need not be: a copy is enough for it."""
    _, process = phases(pagecopy, "--rounds=3", "--victim=integer", "--window=20", "--rate=200",
                        "alone:bulk:empty", "serial:bulk:libc")
    assert all(len(arm["channels"]["window"]) == 3 and min(arm["channels"]["window"]) >= 20e6
               for arm in process["arms"])


@seen_in_time
def test_a_modelled_cost_is_about_what_was_asked_for(pagecopy):
    _, output, _ = pagecopy("--json", *SMALL, "--processes=1", "--rounds=5", "serial:bulk:libc",
                            "serial:page:libc:delay=50")
    assert 25 < json.loads(output)["arms"][1]["delay_achieved_ns"] < 100


def test_text_fits_a_changelog_and_says_what_the_bench_costs(pagecopy):
    _, output, _ = pagecopy("--processes=3", "--rounds=4", *SMALL)
    assert max(map(len, output.splitlines())) <= 75 and output.isascii()
    assert "A copy of nothing takes" in output and "GB/s" in output
    assert "huge pages behind" in output


@seen_in_time
def test_a_word_says_what_the_interval_does(pagecopy):
    """By its own numbers, whatever they are; and as the answers say it, but for room."""
    _, text, _ = pagecopy(*SMALL, "--processes=5", "--rounds=9", "serial:bulk:libc",
                          "serial:bulk:byte", "serial:page:libc", "serial:bulk:word8")
    found = re.findall(r"([\d.]+)x  \[([\d.]+), ([\d.]+)\]  ([a-z ]+)\n", text)
    assert len(found) == 3 and "slower" in [word for *_, word in found]     # byte by byte
    for *numbers, word in found:
        ratio = Estimate(*map(float, numbers))
        wanted = answer.word(ratio).replace(answer.NO_DIFFERENCE, "unclear")
        assert word == wanted or min(abs(ratio.low - 1), abs(ratio.high - 1)) < 0.001   # by rounding


@seen_in_time
def test_one_call_of_a_copy_is_a_typical_one(pagecopy):
    """Every tenth call of a planted routine takes 5 ms, as if an interrupt had come."""
    ctools.build(ctools.PLANTED)
    call = "observe=stretch:extent=4K"
    _, output, _ = pagecopy("--json", "--huge=128K", *SMALL, "--processes=1", "--rounds=5",
                            f"serial:bulk:planted-interrupted:{call}",
                            f"serial:bulk:planted-dozing:{call}",
                            "serial:bulk:planted-interrupted:extent=4K", program=ctools.PLANTED)
    some, every, copies = (arm["ns"] for arm in json.loads(output)["arms"])
    assert max(some) < 5e6 / 10 and min(every) >= 5e6 and min(copies) >= 3 * 5e6


def markdown(pagecopy, *arguments):
    """The line above the table, and its rows as lists of cells."""
    status, output, said = pagecopy("--export-markdown", *SMALL, "--rounds=9", *arguments)
    assert (status, said) == (0, [])
    above, blank, *table = output.split("\n\nIn each row:")[0].splitlines()
    assert not blank and all(line[0] == line[-1] == "|" for line in table)
    return above, [[cell.strip() for cell in line[1:-1].split("|")] for line in table]


def test_a_table_for_a_mail_has_what_the_text_has(pagecopy):
    variants = ["serial:bulk:libc", "serial:bulk:byte", "serial:bulk:libc:observe=stretch"]
    above, (heads, rule, *rows) = markdown(pagecopy, "--processes=3", *variants)
    assert len({len(row) for row in (heads, rule, *rows)}) == 1
    assert [row[0] for row in rows] == [f"`{variant}`" for variant in variants]
    assert all(re.fullmatch(r"[\d.]+ us", row[1]) for row in rows)
    first, other, stretch = ([bool(cell) for cell in row[2:]] for row in rows)
    assert first == [True, True, False, False]
    assert other == [True] * 4 and not any(stretch)
    assert re.fullmatch(r"\[[\d.]+, [\d.]+\]", rows[1][4])
    assert rows[1][5] in ("unclear", "faster", "slower", "barely faster", "barely slower")


def test_a_table_for_a_mail_says_where_it_comes_from(pagecopy, tmp_path):
    """The command can be given again as it stands there."""
    given = ["--cpus=" + ",".join(map(str, machine.usable_cpus())), "--processes=1",
             f"--samples={tmp_path / 'it`s'} 'own'", "serial:bulk:libc"]
    above, _ = markdown(pagecopy, *given)
    assert machine.record()["cpu"]["model"] in above
    assert "pools of 8 folios" in above and "1 processes x 9 rounds" in above
    command, = re.findall("`` (.+) ``", above)
    assert shlex.split(command) == ["pagecopy", "--export-markdown", *SMALL, "--rounds=9", *given]


def test_a_table_beside_a_victim_has_what_a_copy_took(pagecopy):
    _, (heads, _, alone, beside) = markdown(
        pagecopy, "--processes=1", "--victim=integer", "--window=10", "--rate=400",
        "alone:bulk:empty", "serial:bulk:libc")
    assert heads[2] == "a copy" and not alone[2] and re.fullmatch(r"[\d.]+ us", beside[2])


def test_who_waits_at_a_terminal_sees_a_dot_for_each_process(pagecopy):
    ours, theirs = os.openpty()
    done = subprocess.run([ctools.PAGECOPY, *SMALL, "--processes=3", "--rounds=1",
                           "serial:bulk:libc"], stdout=subprocess.PIPE, stderr=theirs, text=True)
    assert done.returncode == 0 and "." in done.stdout
    assert os.read(ours, 100) == b"...\r\n"
    os.close(ours)
    os.close(theirs)


def test_pools_hold_the_largest_batch_unless_told(pagecopy):
    """A small cache alone would make them smaller than 16 folios."""
    _, output, _ = pagecopy("--json", "--backing=auto", "--processes=1", "--rounds=1",
                            "--huge=16M", "serial:bulk:libc:folios=16")
    assert json.loads(output)["pairs"] >= 16


def made_up_caches(root, last):
    """What sysfs tells of CPUs; last: CPU to KiB of its last-level cache and who shares it."""
    for cpu, (size, shared) in last.items():
        for index, (depth, kind, kb, cpus) in enumerate((
                (1, "Data", 32, cpu), (1, "Instruction", 64, cpu), (2, "Unified", 512, cpu),
                (3, "Unified", size, shared))):
            folder = root / f"devices/system/cpu/cpu{cpu}/cache/index{index}"
            folder.mkdir(parents=True)
            for name, value in (("level", depth), ("type", kind), ("size", f"{kb}K"),
                                ("shared_cpu_list", cpus)):
                (folder / name).write_text(f"{value}\n")
    return root


@pytest.mark.parametrize("last, cpus, mib", [
    ({0: (8192, "0"), 1: (8192, "1")}, "0,1", 16),
    ({0: (8192, "0"), 1: (8192, "1")}, "0", 8),
    ({0: (8192, "0-1,96"), 1: (8192, "0-1,96")}, "1,0", 8),
    ({0: (8192, "0,2-3"), 1: (4096, "1,10-11")}, "0,1", 12),    # 1 is not in 10-11
    ({}, "0,1", 0),
])
def test_pools_hold_four_times_the_caches_of_all_cpus_in_use(pagecopy, tmp_path, monkeypatch, last,
                                                             cpus, mib):
    if not set(map(int, cpus.split(","))) <= set(machine.usable_cpus()):
        pytest.skip(f"needs CPUs {cpus}")
    monkeypatch.setenv("PAGECOPY_SYSFS", str(made_up_caches(tmp_path, last)))
    arguments = ("--backing=auto", "--processes=1", "--rounds=1", f"--cpus={cpus}")
    told = json.loads(pagecopy("--json", *arguments, "serial:bulk:libc")[1])
    assert told["last_level_caches"] == mib << 20
    assert told["last_level_cache"] == (last[0][0] << 10 if last else 0)
    assert told["pool_bytes"] == 4 * (mib or 64) << 20
    cell = Cell("test", "caches", (*arguments, "--huge=2M"), ("serial:bulk:libc",), 1)
    assert forecast.pool_bytes(cell) == 2 * told["pool_bytes"]
    text = pagecopy(*arguments, "serial:bulk:libc")[1]
    assert (f"last-level caches {mib << 10} KiB together" if mib else "not known") in text


def test_speedup_counts_bytes_not_calls(pagecopy):
    _, output, _ = pagecopy("--json", *SMALL, "--processes=1", "--rounds=2",
                            "serial:bulk:libc:folios=3")
    assert json.loads(output)["arms"][0]["bytes"] == 3 * (2 << 20)


@pytest.mark.parametrize("program", ["pagecopy-asan", "pagecopy-tsan"])
def test_clean_under_sanitizers(pagecopy, program):
    built = ctools.build(ctools.PAGECOPY.with_name(program))
    threads = len(machine.usable_cpus())
    status, _, said = pagecopy("--verify", *SMALL, program=built)
    assert (status, said) == (0, [])
    team = [f"parallel:{rule}:libc:threads={threads}:dispatch={dispatch}:folios={folios}"
            for rule in ("page", "bulk") for folios in (1, 3)
            for dispatch in ("wake", "spin", "spawn", "wake:caller=waits")]
    status, _, said = pagecopy("--json", *SMALL, "--huge=64K", "--processes=2", "--rounds=5",
                               "serial:bulk:libc:observe=stretch:extent=4K",
                               "serial:page:libc:map=2017", *team, program=built)
    assert (status, said) == (0, [])


def test_without_python_it_says_what_it_can(pagecopy):
    status, output, _ = pagecopy("--help")
    assert status == 0 and "Examples:" in output and max(map(len, output.splitlines())) <= 80
    assert all(name in pagecopy("--list")[1] for name in LACKS)
