# SPDX-License-Identifier: MIT
"""Workers, victims and load: right bytes, right places, and nobody left behind."""

import contextlib
import ctypes
import glob
import json
import math
import os
import re
import signal
import statistics
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact import ctools, machine
from tests.conftest import eventually, seen_in_time

SMALL = ("--pairs=64", "--backing=auto", "--huge=256K")
CPUS = machine.usable_cpus()
two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")

# Every way for work to reach the workers.
WAYS = ["model=2017", "model=2017:priority=normal", "model=2025", "model=padata", "caller=works",
        "caller=waits", "caller=reclaims", "caller=reclaims:chunk=64K", "chunk=64", "parts=shared",
        "parts=shared:caller=waits", "model=padata:priority=low:caller=reclaims",
        "priority=low", "priority=idle:caller=waits", "affinity=unbound:caller=reclaims",
        "dispatch=spawn", "pick=idle", "observe=phases"]


def arms(pagecopy, *arguments, **more):
    status, output, said = pagecopy("--json", "--processes=1", *arguments, **more)
    assert (status, said) == (0, [])
    return {arm["variant"]: arm for arm in json.loads(output)["arms"]}


@settings(max_examples=40)
@given(st.data())
def test_every_byte_whatever_way_the_work_goes(pagecopy, data):
    way = data.draw(st.sampled_from([w for w in WAYS if "2017" not in w
                                     or "normal" in w or ctools.listed()["high_priority"]]))
    folios = data.draw(st.integers(1, 9), "folios")
    threads = "" if way.startswith("model=2017") else \
        f":threads={data.draw(st.integers(1, 9), 'threads')}"
    migrators = 1 if "pick" in way or "observe" in way else data.draw(st.integers(1, 5))
    size = data.draw(st.sampled_from(["", ":bytes=128K"]))
    variant = f"parallel:bulk:libc:{way}{threads}:folios={folios}:migrators={migrators}{size}"
    status, output, said = pagecopy("--verify", "--backing=auto", "--huge=256K", variant)
    assert (status, said) == (0, []) and "every byte right" in output


LATE = ("--backing=auto", "--pairs=64", "--processes=1", "--rounds=150")


@pytest.mark.parametrize("variant, options, where", [
    ("serial:bulk:planted-late", ("--huge=256K",), "byte 262136 of folio"),
    ("serial:bulk:planted-late:bytes=128K", ("--huge=256K",), "byte 131064 of folio"),
    ("serial:bulk:planted-late", ("--huge=320", "--base=64"), "byte 312 of folio"),
    ("serial:bulk:planted-late:folios=3", ("--huge=256K", "--destination=warm"), "byte 262136"),
    ("parallel:bulk:planted-late:threads=2", ("--huge=256K",), "of folio"),
    ("parallel:bulk:planted-late:threads=2:dispatch=spin", ("--huge=256K",), "of folio"),
    ("serial:bulk:planted-late:migrators=2", ("--huge=64K",), "byte 65528 of folio"),
    ("serial:bulk:planted-late", ("--huge=64K", "--victim=timer", "--window=10", "--rate=1000"),
     "byte 65528 of folio"),
    ("serial:bulk:planted-late", ("--huge=64K", "--recover=l2"), "byte 65528 of folio"),
])
def test_a_routine_that_is_wrong_only_later_is_caught(pagecopy, variant, options, where):
    """It drops the last word from its 101st call on, where an older copy has left the same."""
    if "parallel" in variant and len(CPUS) < 2:
        pytest.skip("needs two CPUs")
    ctools.build(ctools.PLANTED)
    status, output, said = pagecopy("--json", *LATE, *options, "serial:bulk:libc", variant,
                                    program=ctools.PLANTED)
    assert status == 2 and output == "" and len(said) == 1
    assert said[0].startswith(f"pagecopy: {variant}: wrong copy at") and where in said[0]
    assert "in the timed rounds: no time is told" in said[0]


@pytest.mark.parametrize("options", [
    (), ("--destination=warm", "--source=warm"), ("--huge=320", "--base=64"), ("--load=100",)])
def test_who_copies_right_is_not_accused_whatever_others_leave_behind(pagecopy, options):
    """The pools are gone through many times, by copies of any size and by such as leave
    folios as they were."""
    huge = "320" if "--huge=320" in options else "64K"
    crowds = ["serial:bulk:libc:migrators=2", "parallel:bulk:libc:threads=1:migrators=3"]
    status, _, said = pagecopy(
        "--json", "--backing=auto", "--pairs=29", "--huge=64K", "--processes=1", "--rounds=40",
        *options, "serial:bulk:libc", "serial:bulk:empty", "serial:bulk:libc:bytes=64",
        "serial:page:libc:folios=3", "serial:bulk:libc:observe=stretch:extent=64",
        f"parallel:bulk:libc:threads=1:folios=5:bytes={huge}", *crowds)
    assert (status, said) == (0, [])


@pytest.mark.parametrize("threads, bytes_left", [(2, 0), (3, 2), (6, 2), (8, 0), (12, 8)])
def test_the_dropped_tail_of_both_series_is_there_when_asked_for(pagecopy, threads, bytes_left):
    """size / threads each: two bytes of 2 MiB stay behind with 6 threads, 8 with 12."""
    status, _, said = pagecopy("--verify", "--backing=auto", "--pairs=4",
                               f"parallel:bulk:libc:threads={threads}:defect=tail")
    assert status == (2 if bytes_left else 0)
    if bytes_left:      # words are what is compared
        assert f"wrong copy at byte {(2 << 20) - 8} of {2 << 20}" in said[0]


@pytest.mark.clock
@two_cpus
def test_the_early_return_of_2017_is_caught_and_only_timed_when_asked_for(pagecopy):
    """Each folio takes 5 ms of sleep, so the workers need 0.3 s from the first on."""
    ctools.build(ctools.PLANTED)
    variant = "parallel:bulk:planted-dozing:model=2017:priority=normal:folios=128"

    def run(*arguments):
        return pagecopy("--backing=auto", "--huge=64K", "--pairs=128", *arguments,
                        program=ctools.PLANTED)
    status, output, _ = run("--verify", variant)
    assert status == 0 and "every byte right" in output
    status, _, said = run("--verify", f"{variant}:defect=early")
    assert status == 2 and "wrong copy" in said[0]
    # Twice in a cell, as a baseline is four times, it is verified once.
    early = f"{variant}:defect=early"
    status, output, said = run("--processes=1", "--rounds=2", variant, early, early)
    assert status == 0 and output.count("defect=early") == 2
    assert len(said) == 1 and "wrong copy" in said[0]


def test_one_cpu_has_a_team_of_one_in_2017_and_no_division_by_zero(pagecopy):
    status, output, _ = pagecopy("--verify", *SMALL, f"--cpus={CPUS[0]}",
                                 "parallel:bulk:libc:model=2017:priority=normal")
    assert status == 0 and "every byte right" in output
    status, _, said = pagecopy("--verify", *SMALL, f"--cpus={CPUS[0]}",
                               "parallel:bulk:libc:model=2017:priority=normal:defect=zero")
    assert status == 1 and "divides by zero on one CPU" in said[0]


def test_a_victims_speed_is_not_called_a_throughput(pagecopy):
    _, output, _ = pagecopy("--processes=1", "--rounds=2", "--window=5", *SMALL, "--victim=integer",
                            "alone:bulk:empty", "serial:bulk:libc")
    assert "GB/s" not in output and "a copy " in output and "victim's work" in output
    assert max(map(len, output.splitlines())) <= 75


def test_a_priority_that_is_not_allowed_is_named(pagecopy):
    def may_not_be_nice():
        libc = ctypes.CDLL(None)
        libc.prctl(24, 23)      # PR_CAPBSET_DROP, CAP_SYS_NICE: root loses it with exec
        import resource
        resource.setrlimit(resource.RLIMIT_NICE, (0, 0))
        if os.getuid():
            os.nice(0)
    status, _, said = pagecopy("--verify", "parallel:bulk:libc:priority=high:threads=2",
                               preexec_fn=may_not_be_nice)
    assert status == 1 and "nice -20 needs CAP_SYS_NICE" in said[0]
    _, output, _ = pagecopy("--list", "--json", preexec_fn=may_not_be_nice)
    assert json.loads(output)["high_priority"] is False


@two_cpus
def test_phases_come_in_their_order(pagecopy):
    found = arms(pagecopy, *SMALL, "--rounds=20", "serial:bulk:libc",
                 *(f"parallel:bulk:libc:threads=2:{way}:observe=phases" for way in
                   ("caller=works", "caller=waits", "caller=reclaims", "dispatch=spin",
                    "dispatch=spawn")))
    for name, arm in found.items():
        if name.startswith("serial"):
            assert arm["channels"] == {}
            continue
        phases = arm["channels"]
        began = 20 - arm["counts"]["taken_back"]
        assert (began == 20) or "reclaims" in name
        for phase in ("allocated", "queued", "last end", "joined"):
            assert len(phases[phase]) == 20
        assert phases["joined"] == arm["ns"]
        for k in range(20):
            at = {name: phases[name][k] for name in ("allocated", "queued", "last end", "joined")}
            assert at["allocated"] <= min(at["queued"], at["last end"])
            assert max(at["queued"], at["last end"]) <= at["joined"]
        for name in ("first start", "last start", "wait"):
            assert len(phases.get(name, [])) == began
        for first, last in zip(phases.get("first start", []), phases.get("last start", [])):
            assert first <= last <= max(arm["ns"])


@two_cpus
def test_half_a_load_beside_a_whole_one_is_never_taken_for_idle(pagecopy):
    variant = "parallel:bulk:libc:threads=2:pick=idle"
    arm = arms(pagecopy, *SMALL, "--load=150", "--pause=200", "--rounds=40", variant)[variant]
    assert arm["counts"]["found_idle"] == 0


@two_cpus
def test_each_migrator_makes_its_copies(pagecopy):
    """Each takes 5 ms of sleep, beside which it is nothing that somebody starts late."""
    ctools.build(ctools.PLANTED)
    found = arms(pagecopy, *SMALL, "--rounds=5", "serial:bulk:planted-dozing:migrators=3",
                 "parallel:bulk:planted-dozing:threads=2:migrators=3", program=ctools.PLANTED)
    for arm in found.values():
        assert arm["bytes"] == 3 * 8 * (256 << 10)
        assert len(arm["channels"]["latency"]) == 5 * 3 * 8
        for k, total in enumerate(arm["ns"]):
            each = arm["channels"]["latency"][24 * k:24 * (k + 1)]
            assert max(sum(each[8 * m:8 * m + 8]) for m in range(3)) <= total
            assert min(each) >= 5e6 and total <= 3 * sum(each)


@two_cpus
@seen_in_time
def test_shared_parts_go_to_whoever_is_free(pagecopy):
    """Each takes 5 ms of sleep, which leaves a helper time to begin: half of two each. A
    caller that waits does none, and of fixed parts nobody counts."""
    ctools.build(ctools.PLANTED)
    copy = "parallel:bulk:planted-dozing:threads=2"
    padata, waits, fixed = arms(pagecopy, *SMALL, "--rounds=5", f"{copy}:model=padata:threads=2",
                                f"{copy}:parts=shared:caller=waits", copy,
                                program=ctools.PLANTED).values()
    assert padata["counts"] == {"parts": 10, "drained": 5}
    assert waits["counts"] == {"parts": 10, "drained": 0} and fixed["counts"] == {}


@two_cpus
@seen_in_time
def test_whoever_comes_late_finds_nothing_to_do(pagecopy):
    """Beside a load that never rests, a helper at SCHED_IDLE comes when all is done."""
    variant = "parallel:bulk:libc:model=padata:priority=idle"
    arm = arms(pagecopy, *SMALL, "--load=200", "--pause=200", "--rounds=20", variant)[variant]
    assert arm["counts"]["parts"] == 20 * min(len(CPUS), 4)
    assert arm["counts"]["drained"] > 0.7 * arm["counts"]["parts"]


@seen_in_time
def test_a_steady_rate_goes_on_from_window_to_window(pagecopy):
    """One and a half copies in each window: neither one nor two."""
    found = arms(pagecopy, *SMALL, "--victim=timer", "--window=5", "--rate=300", "--rounds=40",
                 "alone:bulk:empty", "serial:bulk:libc")["serial:bulk:libc"]
    asked = sum(found["channels"]["window"]) / 1e9 * 300
    assert 0.85 * asked < len(found["channels"]["copy"]) < 1.15 * asked


def test_text_that_does_not_arrive_is_an_error(pagecopy):
    with open("/dev/full", "w") as full:
        done = subprocess.run([ctools.build(), *SMALL, "--processes=1", "--rounds=1",
                               "serial:bulk:libc"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "cannot write the output: No space left" in done.stderr


@pytest.mark.parametrize("variant", [
    "parallel:bulk:libc:model=2017:dispatch=spawn:priority=normal:folios=20000",
    "serial:bulk:libc:migrators=1024", "parallel:bulk:libc:threads=4096"])
def test_crowds_of_any_size_end_in_a_result_or_a_line(pagecopy, variant):
    status, output, said = pagecopy("--verify", "--huge=64", "--base=64", "--backing=base", variant)
    assert status == 0 and "every byte right" in output or status == 1 and len(said) == 1


@two_cpus
def test_a_scan_is_told_for_one_look(pagecopy, tmp_path):
    """Of hot lines a sample has 64 looks, of written ones a single one."""
    file = tmp_path / "samples"
    _, output, _ = pagecopy(*SMALL, "--processes=3", "--rounds=50", f"--samples={file}",
                            "scan:hot:64", "scan:written:64")
    told = [json.loads(line)["arms"] for line in file.read_text().splitlines()]
    hot, written = ([[ns / looks for ns in arms[nth]["ns"]] for arms in told]
                    for nth, looks in ((0, 64), (1, 1)))
    for name, each in (("scan:hot:64", hot), ("scan:written:64", written)):
        shown = float(output.split(name + "\n")[1].split()[0])
        assert shown == pytest.approx(statistics.median(map(statistics.median, each)) / 1e3,
                                      abs=0.00051)
    ratios = [statistics.median(math.log(a / b) for a, b in zip(*each))
              for each in zip(hot, written)]
    speed = float(output.split("scan:written:64")[1].split("x")[0].split()[-1])
    assert speed == pytest.approx(math.exp(statistics.mean(ratios)), rel=0.01, abs=0.00051)


@two_cpus
@seen_in_time
def test_a_planted_starving_policy_is_caught(pagecopy):
    ctools.build(ctools.PLANTED)
    alone, fair, starving = arms(
        pagecopy, *SMALL, "--victim=integer", "--window=30", "--rate=400", "--rounds=8",
        "alone:bulk:empty", "parallel:bulk:libc:threads=2",
        "parallel:bulk:planted-starving:threads=2", program=ctools.PLANTED).values()
    middle = [sorted(arm["ns"])[4] for arm in (alone, fair, starving)]
    assert middle[2] > 1.2 * middle[1] and middle[2] > 1.2 * middle[0]
    assert sum(starving["channels"]["victim cpu"]) < 0.85 * sum(alone["channels"]["victim cpu"])


def test_a_planted_leaking_victim_is_caught(pagecopy):
    ctools.build(ctools.PLANTED)
    status, output, said = pagecopy("--victim=integer", "--processes=1", "--rounds=1", "--window=5",
                                    *SMALL, "alone:bulk:empty", program=ctools.PLANTED,
                                    env={**os.environ, "PLANTED_LEAK": "1"})
    assert status == 1 and output == ""
    assert said == ["pagecopy: a thread has outlived its measurement: the next one would suffer "
                    "from it"]


@pytest.mark.parametrize("kind", ["integer", "l2", "llc", "stream"])
@seen_in_time
def test_a_spinning_team_hurts_every_victim_but_the_serial_copy_does_not(pagecopy, kind):
    if len(CPUS) < 2:
        pytest.skip("needs two CPUs")
    alone, serial, spinning = arms(
        pagecopy, *SMALL, f"--victim={kind}", "--window=30", "--rate=100", "--rounds=6",
        "alone:bulk:empty", "serial:bulk:libc",
        "parallel:bulk:libc:threads=2:dispatch=spin").values()
    got = [sum(arm["channels"]["victim cpu"]) for arm in (alone, serial, spinning)]
    assert got[2] < 0.8 * got[0] and got[1] > 0.8 * got[0]
    # How often it is switched alone depends on who else is there.
    assert spinning["counts"]["victim_switches"] >= 6      # once in each window


def test_a_timer_tells_how_late_each_wake_up_came(pagecopy):
    """It hardly needs the CPU, so its loss is no share of it; one that is late for
    several periods wakes up once for all of them."""
    alone, = arms(pagecopy, *SMALL, "--victim=timer", "--window=20", "--rounds=5",
                  "alone:bulk:empty").values()
    late, windows = alone["channels"]["wakeup"], alone["channels"]["window"]
    assert len(windows) == 5 and 0 < len(late) <= sum(windows) / 1e6 + 2 * len(windows)
    assert max(late) < sum(windows)


def test_a_lock_tells_how_long_each_hand_over_was_waited_for(pagecopy):
    """Whoever waits asks at 1 kHz at most, and in every window of a machine that lets it."""
    alone, = arms(pagecopy, *SMALL, "--victim=lock", "--window=20", "--rounds=5",
                  "alone:bulk:empty").values()
    waited, windows = alone["channels"]["wakeup"], alone["channels"]["window"]
    assert len(windows) == 5 and 0 < len(waited) <= sum(windows) / 1e6 + 2 * len(windows)
    assert alone["ns"] != [1] * 5


@two_cpus
@seen_in_time
def test_a_lock_whose_holder_is_kept_from_its_cpu_is_waited_for(pagecopy):
    """A planted routine keeps the holder's CPU for 2 ms; a lock is held for 20 us. Mostly the
    scheduler changes over when the lock is handed on, and nobody waits: so look for one."""
    ctools.build(ctools.PLANTED)
    alone, starving = arms(
        pagecopy, *SMALL, "--victim=lock", "--window=30", "--rate=200", "--rounds=8",
        "alone:bulk:empty", "parallel:bulk:planted-starving:threads=2",
        program=ctools.PLANTED).values()
    assert max(starving["channels"]["wakeup"]) > 10 * statistics.median(alone["channels"]["wakeup"])


@seen_in_time
def test_a_pass_after_a_copy_is_slower_and_the_last_is_not(pagecopy):
    alone, copied = arms(pagecopy, "--pairs=64", "--backing=auto", "--recover=l2", "--rounds=8",
                         "alone:bulk:empty", "serial:bulk:libc:folios=32").values()
    passes = [sorted(copied["channels"]["pass"][nth::6])[4] for nth in (0, 5)]
    assert len(alone["channels"]["pass"]) == 6 * 8
    assert passes[0] > 1.5 * passes[1]


READERS = ["here", pytest.param("elsewhere", marks=two_cpus)]


@pytest.mark.parametrize("where", READERS)
@pytest.mark.parametrize("pieces", ["", ":bytes=4K:folios=16"])
def test_a_pass_of_reading_follows_each_copy_and_spoils_none(pagecopy, where, pieces):
    """A wrong copy would not have been timed."""
    arm, = arms(pagecopy, *SMALL, f"--reader={where}", "--rounds=5",
                f"serial:bulk:libc{pieces}").values()
    assert len(arm["ns"]) == len(arm["channels"]["copy"]) == 5
    assert min(arm["ns"]) > 0 and arm["bytes"] == (16 * 4096 if pieces else 256 << 10)


@pytest.mark.parametrize("where", READERS)
@seen_in_time
def test_a_pass_of_reading_is_over_all_that_was_copied(pagecopy, where):
    few, many = arms(pagecopy, *SMALL, f"--reader={where}", "--rounds=9", "serial:bulk:libc",
                     "serial:bulk:libc:folios=32").values()
    assert min(many["ns"]) > 10 * min(few["ns"])


@two_cpus
def test_a_reader_elsewhere_is_never_anywhere_but_on_the_second_cpu():
    caller, second = CPUS[-1], CPUS[0]
    with subprocess.Popen([ctools.PAGECOPY, *SMALL, f"--cpus={caller},{second}", "--processes=1",
                           "--rounds=100000", "--reader=elsewhere", "serial:bulk:libc"]) as running:
        try:
            for cpu in (caller, second):
                assert eventually(lambda cpu=cpu: {cpu} in places(running.pid))
        finally:
            running.kill()


@two_cpus
@seen_in_time
def test_a_pass_on_the_workers_cpu_is_slower_after_its_part_of_a_copy(pagecopy):
    alone, copied = arms(pagecopy, "--pairs=64", "--backing=auto", "--recover=l2",
                         "--recover-on=worker", "--rounds=8", "alone:bulk:empty",
                         "parallel:bulk:libc:threads=2:folios=32").values()
    passes = [statistics.median(copied["channels"]["pass"][nth::6]) for nth in (0, 5)]
    assert len(alone["channels"]["pass"]) == 6 * 8 and len(alone["ns"]) == 8
    assert passes[0] > 1.5 * passes[1]


def ran_ns(task):
    """How long a thread has run, by the CPU that it is bound to."""
    cpu = re.search(r"Cpus_allowed_list:\t(\S+)", (task / "status").read_text())[1]
    return cpu, int((task / "schedstat").read_text().split()[0])


@two_cpus
def test_passes_on_the_workers_cpu_are_made_there(pagecopy):
    """Nobody copies, so all threads beside the caller are there for the passes."""
    with subprocess.Popen([ctools.PAGECOPY, *SMALL, "--recover=l2", "--recover-on=worker",
                           "--json", f"--cpus={CPUS[0]},{CPUS[1]}", "--processes=1",
                           "--rounds=100000", "alone:bulk:empty"],
                          stdout=subprocess.DEVNULL) as running:
        def is_busy():
            with contextlib.suppress(OSError, ValueError):      # of who comes or goes
                child, = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
                ran = dict(map(ran_ns, Path(f"/proc/{child}/task").iterdir()))
                return ran.get(str(CPUS[1]), 0) > ran.get(str(CPUS[0]), 0) > 0
            return False
        try:
            assert eventually(is_busy)
        finally:
            running.kill()


def places(pid):
    """The CPUs that each thread of its children may use."""
    found = []
    with contextlib.suppress(OSError):      # of one that has just ended
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [os.sched_getaffinity(int(task.name))
                      for task in Path(f"/proc/{child}/task").iterdir()]
    return found


STREAMING = [name for name, routine in ctools.listed()["primitives"].items()
             if "streaming" in routine["roles"] and not routine["lacks"]]


@pytest.mark.skipif(not STREAMING, reason="no non-temporal stores here")
@seen_in_time
def test_what_is_read_is_the_destination(pagecopy):
    """Which non-temporal stores keep out of the cache, unlike the source."""
    cached, past = arms(pagecopy, "--pairs=512", "--backing=auto", "--huge=256K", "--reader=here",
                        "--rounds=9", "serial:bulk:libc:bytes=64K",
                        f"serial:bulk:{STREAMING[0]}:bytes=64K").values()
    assert sorted(past["ns"])[4] > 2 * sorted(cached["ns"])[4]


@seen_in_time
def test_looking_at_more_cpus_takes_longer(pagecopy):
    few, many = arms(pagecopy, *SMALL, "scan:hot:1", "scan:hot:1024").values()
    assert min(many["ns"]) > 20 * min(few["ns"])


@two_cpus
def test_a_loaded_cpu_is_not_taken_for_idle(pagecopy):
    variant = "parallel:bulk:libc:threads=2:pick=idle"
    for load, share in ((0, 1.0), (100, 0.0)):
        arm = arms(pagecopy, *SMALL, f"--load={load}", "--pause=200", "--rounds=20",
                   variant)[variant]
        assert arm["counts"]["scanned"] == 20 and arm["counts"]["found_idle"] == share * 20


@seen_in_time
def test_what_the_load_did_meanwhile_is_counted(pagecopy):
    """A planted copy sleeps for 5 ms, which is long beside one of 256 KiB."""
    ctools.build(ctools.PLANTED)
    variants = ("serial:bulk:libc", "serial:bulk:planted-dozing")
    quick, dozing = arms(pagecopy, *SMALL, "--load=100", "--rounds=6", *variants,
                         program=ctools.PLANTED).values()
    work = [arm["channels"]["load work"] for arm in (quick, dozing)]
    assert [len(each) for each in work] == [6, 6]
    assert 0 < 10 * sum(work[0]) < sum(work[1])
    without = arms(pagecopy, *SMALL, "--rounds=2", "serial:bulk:libc")["serial:bulk:libc"]
    assert "load work" not in without["channels"]


def test_beside_a_crowd_the_load_is_counted_once_a_sample(pagecopy):
    crowd, = arms(pagecopy, *SMALL, "--load=100", "--rounds=6",
                  "serial:bulk:libc:migrators=2").values()
    assert len(crowd["channels"]["load work"]) == 6


def energy_of(tmp_path, readings, span):
    """What pagecopy makes of a counter in uJ that shows these readings in turn.

    Each reading is a FIFO of its own: the next takes its place as soon as the
    reader has opened it, so no reading is missed or seen twice, however slow.
    """
    counter, upcoming = tmp_path / "energy_uj", tmp_path / "next"
    (tmp_path / "max_energy_range_uj").write_text(str(span))
    os.mkfifo(counter)
    rounds = len(readings) // 2 - 1         # the first pair is the unmeasured round's
    running = subprocess.Popen(
        [ctools.PAGECOPY, "--json", "--processes=1", *SMALL, "--victim=timer", "--window=5",
         f"--rounds={rounds}", f"--energy={counter}", "alone:bulk:empty"],
        stdout=subprocess.PIPE, text=True)

    def show():
        for reading in readings:
            with open(counter, "w") as opened:
                os.mkfifo(upcoming)
                os.replace(upcoming, counter)
                opened.write(str(reading))
    # A daemon, as it would wait for ever for a reader that reads too little.
    threading.Thread(target=show, daemon=True).start()
    arm, = json.loads(running.communicate(timeout=600)[0])["arms"]
    return arm["counts"]["energy_uj"]


def test_energy_is_read_around_each_window(pagecopy, tmp_path):
    found = energy_of(tmp_path, [7, 9, 1_000, 51_000, 90_000, 140_000], span=1 << 32)
    assert found == 100_000


def test_an_energy_counter_that_begins_again_loses_nothing(pagecopy, tmp_path):
    found = energy_of(tmp_path, [7, 9, 200_000, 38_000, 90_000, 140_000], span=212_000)
    assert found == 100_000


@seen_in_time
def test_a_limited_caller_is_slower_but_its_workers_are_not(pagecopy):
    serial, team = "serial:bulk:libc:folios=64", \
        "parallel:bulk:libc:threads=1:caller=waits:folios=64"
    options = ("--huge=2M", "--backing=auto", "--rounds=6", "--pause=5000")
    status, _, said = pagecopy("--verify", "--limit=10", serial)
    if status:
        assert "cgroup" in said[0]
        pytest.skip(said[0])
    limited = arms(pagecopy, *options, "--limit=10", serial, team)
    assert sum(limited[serial]["ns"]) > 2 * sum(limited[team]["ns"])
    # Its janitor is waited for, so nothing has to be waited for here.
    assert not orphans()


def groups():
    """The cgroup of each limited pagecopy on this machine, by process id."""
    found = glob.glob("/sys/fs/cgroup/**/pagecopy-*", recursive=True)
    return {path.rpartition("-")[2]: Path(path) for path in found}


def orphans():
    """cgroups whose pagecopy is gone: their janitor may need a moment."""
    return [path for pid, path in groups().items() if not os.path.exists(f"/proc/{pid}")]


def groups_below(running):
    """cgroups of that process's children, which come and go."""
    made = groups()
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    return [made[pid] for pid in children if pid in made]


def test_a_cgroup_that_somebody_left_is_removed_by_the_next_run(pagecopy):
    """Left by a pagecopy that was killed together with its janitor."""
    limited = (*SMALL, "--limit=50", "serial:bulk:libc")
    status, _, said = pagecopy("--verify", *limited)
    if status:
        pytest.skip(said[0])
    gone = subprocess.Popen([ctools.PAGECOPY, "--processes=1000", *limited],
                            stdout=subprocess.DEVNULL)
    seen = []
    assert eventually(lambda: seen.extend(groups_below(gone)) or seen)
    gone.kill()
    gone.wait()
    left = seen[0].with_name(f"pagecopy-{gone.pid}")
    left.mkdir()
    assert pagecopy("--verify", *limited)[0] == 0
    assert not left.exists() and eventually(lambda: not orphans())


def threads(pid):
    """Of that process and its children."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return len(os.listdir(f"/proc/{pid}/task")) + sum(map(threads, children))
    return 0


def still_running(mark):
    """Processes with that argument, the dead that nobody fetched aside."""
    found = []
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{path}/cmdline") as cmdline, open(f"{path}/stat") as stat:
                if mark in cmdline.read() and stat.read().rpartition(")")[2].split()[0] != "Z":
                    found.append(path)
        except OSError:
            pass        # gone meanwhile
    return found


@pytest.mark.clock
@pytest.mark.parametrize("blow", [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("options", [("--load=200",), ("--victim=stream",), ("--limit=50",)])
def test_nobody_outlives_the_run_whatever_ends_it(pagecopy, options, blow):
    mark = f"--seed={os.getpid()}{abs(hash((options, blow))) % 1000}"
    limited = pagecopy("--verify", *SMALL, *options, "serial:bulk:libc")
    if limited[0]:
        pytest.skip(limited[2][0])
    running = subprocess.Popen(
        [ctools.PAGECOPY, *SMALL, *options, mark, f"--processes={1000 if blow else 1}",
         "--rounds=4", "serial:bulk:libc"], stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    if blow:
        # Until those are there who must go.
        assert eventually(lambda: groups_below(running) if "--limit=50" in options else
                          threads(running.pid) > 2)
        running.send_signal(blow)
    assert running.wait(timeout=600) == (-blow if blow else 0)
    assert eventually(lambda: not still_running(mark) and
                      not ("--limit=50" in options and orphans()))


@pytest.mark.parametrize("program", ["pagecopy-asan", "pagecopy-tsan"])
def test_teams_victims_and_load_are_clean_under_sanitizers(pagecopy, program, tmp_path, monkeypatch):
    built = ctools.build(ctools.PAGECOPY.with_name(program))
    ways = [w for w in WAYS if w != "chunk=64" and ("2017" not in w or "normal" in w
                                                    or ctools.listed()["high_priority"])]
    team = [f"parallel:bulk:libc:{way}" + ("" if "2017" in way else f":threads={len(CPUS)}")
            for way in ways]
    crowds = [f"{v}:migrators=3" for v in team if "pick" not in v and "observe" not in v]
    for options in (("--load=150", "--pause=50", *team, *crowds),
                    ("--victim=timer", "--window=5", "alone:bulk:empty", team[1]),
                    ("--victim=lock", "--window=5", "alone:bulk:empty", team[1]),
                    ("--victim=l2", "--window=5", "alone:bulk:empty", team[4]),
                    ("--recover=l2", "alone:bulk:empty", team[4],
                     "parallel:bulk:libc:threads=2:dispatch=spin"),
                    ("--recover=l2", "--recover-on=worker", "alone:bulk:empty", team[4]),
                    (f"--reader={'elsewhere' if len(CPUS) > 1 else 'here'}", "serial:bulk:libc",
                     team[4])):
        # As text it is summed up here as well; by the slow one of the two not again.
        for form in (["--json"], []) if program == "pagecopy-asan" else (["--json"],):
            status, _, said = pagecopy(*form, *SMALL, "--processes=1", "--rounds=3", *options,
                                       program=built)
            assert (status, said) == (0, [])
    if len(CPUS) > 1:
        # What returns early is verified while it is written: this race, and no
        # other, is the defect itself.
        suppressed = tmp_path / "suppressed"
        suppressed.write_text("race:first_wrong\n")
        monkeypatch.setenv("TSAN_OPTIONS", f"suppressions={suppressed}:print_suppressions=0")
        for variant in ("parallel:bulk:libc:model=2017:priority=normal:folios=16:defect=early",
                        "scan:written:8"):
            status, _, said = pagecopy("--json", "--huge=64K", "--pairs=64", "--backing=auto",
                                       "--processes=1", "--rounds=3", variant, program=built)
            assert status == 0 and all("wrong copy" in line for line in said)
