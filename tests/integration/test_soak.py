"""The soak (tests/soak) judges well, and its short form passes."""

import random
import sys
import xml.dom.minidom

import pytest

from stack import BUILD, SOURCE, run

sys.path.insert(0, str(SOURCE / "tests/soak"))

from chart import draw  # noqa: E402
from flat import Verdict  # noqa: E402


def series(count, value, seed=1):
    noise = random.Random(seed)
    return [(second, value(second, noise)) for second in range(count)]


@pytest.mark.parametrize(
    "flat, value",
    [
        (True, lambda second, noise: 20.0),
        (True, lambda second, noise: 20 + noise.gauss(0, 2)),
        (True, lambda second, noise: 20 + (second % 60) / 10),  # a saw tooth
        (True, lambda second, noise: 20 + (200 if second % 100 == 99 else 0)),  # peaks
        (True, lambda second, noise: 30 - second / 100),  # it falls
        (True, lambda second, noise: 20 + second / 2400),  # certain, but less than is allowed
        (False, lambda second, noise: 20 + second / 300),
        (False, lambda second, noise: 20 + second / 300 + noise.gauss(0, 1)),
        (False, lambda second, noise: 20 + 5 * (second // 300)),  # in steps
        (False, lambda second, noise: 20 + second / 300 + (second % 60) / 30),
    ],
)
def test_a_leak_is_told_from_noise(flat, value):
    for seed in range(20):
        assert Verdict(series(1200, lambda second, noise: value(second, noise), seed), allowed=1.0).flat is flat


def test_the_growth_is_what_was_put_in():
    one = Verdict(series(3600, lambda second, noise: 20 + second / 600 + noise.gauss(0, 0.5)), allowed=1.0)
    assert 5.5 < one.growth < 6.5 and 5.5 < one.per_hour < 6.5 and 22 < one.level < 24


def test_too_few_samples_say_nothing():
    assert Verdict(series(7, lambda second, noise: second), allowed=1.0).flat is None
    assert Verdict([], allowed=1.0).flat is None


def test_the_plot_is_well_formed():
    lines = {"a & b": [(0.0, 1.0), (30.0, 4.0)], "c": []}
    text = draw("<title>", "note", [("memory", lines), ("threads", lines)], 60, [(10, "kill > all")], 20)
    root = xml.dom.minidom.parseString(text).documentElement
    assert root.tagName == "svg" and len(root.getElementsByTagName("path")) == 4


def test_the_short_form(tmp_path):
    """Every fault at least once: nothing is lost or comes twice, nothing grows, all processes end well."""
    words = [SOURCE / "tests/soak/soak.py", "--time=30s", "--clients=72", f"--folder={tmp_path}"]
    said = run("/usr/bin/python3", *words, timeout=600, env={"ZCAST_BUILD": str(BUILD)}).stdout
    for fault in ("zcast-broker killed", "zcast-ws upgraded", "zcast-fcgi upgraded", "Redis restart", "full disk", "slow clients", "storm"):
        assert fault in said
    assert said.count(" flat") == 12 and "WRONG" not in said
    assert (tmp_path / "soak.svg").stat().st_size > 10000 and (tmp_path / "samples.ndjson").stat().st_size > 10000
