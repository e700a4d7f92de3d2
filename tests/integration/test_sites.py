"""Three sites on one log, under faults of processes and of the network (tests/sites): the short form."""

import sys

import pytest

from stack import BUILD, SOURCE, run

sys.path.insert(0, str(SOURCE / "tests/sites"))

from network import why_not  # noqa: E402

pytestmark = pytest.mark.skipif(bool(why_not()), reason=str(why_not()))


def short_form(*words):
    argv = [SOURCE / "tests/sites/sites.py", "--clients=12", "--rate=90", "--topics=9", *words]
    return run("/usr/bin/python3", *argv, timeout=600, env={"ZCAST_BUILD": str(BUILD), "PYTHONDONTWRITEBYTECODE": "1"}).stdout


@pytest.mark.parametrize("faults", ["crashes"])
def test_the_short_form(faults):
    said = short_form("--time=15s", f"--faults={faults}", "--seed=1")
    assert "WRONG" not in said
    assert " gaps stated" in said
