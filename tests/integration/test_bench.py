"""The bench counts as it says, and states no ratio without a meaning."""

import json
import os
import sys

import pytest

from stack import BUILD, SOURCE, can_connect, free_port, run

sys.path.insert(0, str(SOURCE / "tests/bench"))

import cases  # noqa: E402

# Works in threads, or in children, that end. It says what all of them have used so far, on the clock that the kernel keeps.
BURNER = """
import os, sys, threading, time

def burn():
    end = time.thread_time() + 0.02
    while time.thread_time() < end:
        pass

def child():
    pid = os.fork()
    if pid == 0:
        burn()
        os._exit(0)
    os.waitpid(pid, 0)

def thread():
    one = threading.Thread(target=burn)
    one.start()
    one.join()

work = {"threads": thread, "children": child}[sys.argv[1]]
print("ready", flush=True)
while True:
    work()
"""


@pytest.fixture(scope="module")
def load():
    run("make", "-C", BUILD, "-s", "tests/bench/load", "tests/bench/floor", timeout=600)
    return BUILD / "tests/bench/load"


def measure(stack, load, *options):
    clients, publisher = free_port(), free_port()
    stack.start("floor", [str(BUILD / "tests/bench/floor"), clients, publisher], ready=lambda: can_connect(("127.0.0.1", clients)), clean=False)
    words = ["--transport", "ws", "--connect", f"127.0.0.1:{clients}", "--publish", f"raw:127.0.0.1:{publisher}", "--clients", 3, "--rate", 50]
    return json.loads(run(load, *words, "--settle", "0.1", *options).stdout)


@pytest.mark.parametrize("what", ["threads", "children"])
def test_who_ends_is_counted(stack, load, what):
    """What the kernel says that it used before and after frames what was counted."""
    burner = stack.start("burner", ["/usr/bin/python3", "-c", BURNER, what], clean=False)
    burner.wait_log("ready")
    hertz = os.sysconf("SC_CLK_TCK")

    def used():
        words = open(f"/proc/{burner.pid}/stat").read().rsplit(")", 1)[1].split()
        return sum(map(int, words[11:15])) / hertz

    before = used()
    said = measure(stack, load, "--seconds", 3, "--group", f"burner={burner.pid}")
    all_of_it, counted = used() - before, said["groups"]["burner"]["cpu_ns"] / 1e9
    # it works all the time, most of which is measured; its main thread does next to nothing
    assert 0.1 * all_of_it <= counted <= all_of_it + 0.1, (said, all_of_it)


def test_a_warm_up_is_not_counted(stack, load):
    said = measure(stack, load, "--warmup", 1, "--seconds", 1)
    assert said["published"] == 100 and said["wanted"] == said["received"] == 150 and said["missing"] == 0


# -- what is claimed


def row(cpu, p50=5.0, missing=0):
    return {"cpu_us": cpu, "group_us": {"all": cpu}, "p50_ms": p50, "p99_ms": 2 * p50, "missing": missing, "wrong": 0, "received": 100}


def judged(ours, theirs):
    (goal,) = cases.cpu_ratio("zcast", "peer", 1.0)({"zcast": ours, "peer": theirs})
    return goal


def test_a_ratio_has_both_times_beside_it():
    goal = judged([row(1), row(2), row(3)], [row(2, 7.0), row(2, 8.0), row(2, 9.0)])
    assert goal["pass"] is True and goal["value"] == 1 and goal["measured"] == "1 (0.5 … 1.5) ×; p50 5.0 beside 8.0 ms"


@pytest.mark.parametrize("fell", [row(9, missing=1), row(9, p50=1500.0), None])
def test_no_ratio_to_who_fell_behind(fell):
    goal = judged([row(1), row(1)], [row(2), fell])
    assert goal["pass"] is None and goal["measured"] == "peer fell behind"
    goal = judged([row(1), fell], [row(2), row(2)])
    assert goal["pass"] is False and goal["measured"] == "it fell behind"


def test_every_case_can_be_judged_without_a_figure():
    """Where nothing was measured there is no claim."""
    for case in cases.CASES.values():
        assert not any(goal["pass"] for goal in case.judge({}))
