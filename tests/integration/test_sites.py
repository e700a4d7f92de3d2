"""Three sites on one log, under faults of processes and of the network (tests/sites): the short form, and what it judges by."""

import sys
from types import SimpleNamespace

import pytest

from stack import BUILD, SOURCE, run

sys.path.insert(0, str(SOURCE / "tests/sites"))

from network import why_not  # noqa: E402
from sites import Judge  # noqa: E402


# Of the seeds, two that bring a killed broker and a promoted replica; a site that is cut off, a killed broker and a slow link.
@pytest.mark.parametrize("faults, seed, more", [("crashes", 42, ["--sentinels"]), ("all", 141, [])])
def test_the_short_form(faults, seed, more):
    reason = why_not()
    if reason:
        pytest.skip(reason)
    argv = [SOURCE / "tests/sites/sites.py", "--time=13s", "--clients=12", "--rate=90", "--topics=9", f"--seed={seed}", f"--faults={faults}", *more]
    said = run("/usr/bin/python3", *argv, timeout=900, env={"ZCAST_BUILD": str(BUILD), "PYTHONDONTWRITEBYTECODE": "1"}).stdout
    assert "WRONG" not in said and " gaps stated" in said


def judged(faults="crashes", seen=((11, 1), (12, 3), (13, 5)), stated=(), log=((11, 1), (12, 3), (13, 5)), acknowledged=()):
    """What is wrong where one client has topic 1 of 2, and came at position 10."""
    client = SimpleNamespace(topics=[1], among=2, began=10, stated=stated, seen=[at for at, _ in seen], numbers=[number for _, number in seen])
    run = SimpleNamespace(
        options=SimpleNamespace(faults=faults),
        publishers=[SimpleNamespace(acknowledged={number: at for at, number in acknowledged or log})],
        movers=SimpleNamespace(watchers=[client]),
    )
    return " ".join(Judge(run, {0: [], 1: list(log)}).wrong)


GAP = [(11, 12, "a")]  # after 11, up to 12


@pytest.mark.parametrize("faults", ["crashes", "all"])
def test_what_is_well(faults):
    assert judged(faults) == ""
    assert judged(faults, log=[(9, 7), (11, 1), (12, 3), (13, 5)]) == ""  # before it came
    assert judged(faults, stated=GAP) == ""


def test_what_is_missing():
    one_less = [(11, 1), (13, 5)]
    assert "1 messages are missing, such as 0-12, and no gap said so" in judged("all", seen=one_less)
    assert judged("all", seen=one_less, stated=GAP) == ""
    assert "and no gap said so" in judged("all", seen=one_less, stated=[(12, 13, "a")])
    assert "though only processes failed" in judged("crashes", seen=one_less, stated=GAP)


def test_what_is_lost():
    """Acknowledged, and not in the log."""
    all_three, two = [(11, 1), (12, 3), (13, 5)], [(11, 1), (13, 5)]
    assert "1 of 3 acknowledged messages are lost" in judged("crashes", log=two, acknowledged=all_three)
    assert judged("all", log=two, acknowledged=all_three) == ""  # the client has it
    assert "and no gap said so" in judged("all", seen=two, log=two, acknowledged=all_three)
    assert judged("all", seen=two, log=two, acknowledged=all_three, stated=GAP) == ""


def test_what_comes_twice_or_elsewhere():
    assert "the log has a message twice" in judged(log=[(11, 1), (12, 1)], seen=[(11, 1), (12, 1)])
    assert "messages came twice" in judged(seen=[(11, 1), (12, 3), (13, 5), (14, 5)])
    assert "at positions that the log hasn't" in judged(seen=[(11, 1), (12, 5), (13, 3)])
