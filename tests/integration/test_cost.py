"""The model of what a site costs (tests/sites/cost.py): its arithmetic, what it was checked against, and doc/scale.md's tables."""

import sys

import pytest

from stack import SOURCE

sys.path.insert(0, str(SOURCE / "tests/sites"))

import cost  # noqa: E402

PLAIN = {
    "cycle_us": 1000,
    "redis": [1000, 100, 10, 20, 2],
    "broker_read": [40, 4],
    "broker_append": [500, 100, 20],
    "ws": [50, 1, 5],
    "sse": [60, 2, 3],
    "nginx": [30, 15],
    **{"redis_base": 3e6, "redis_message": 80, "broker_base": 2e6, "broker_message": 400, "broker_topic": 500},
    **{"ws_base": 1e6, "ws_client": 200, "sse_base": 1e6, "sse_client": 300, "nginx_base": 5e6, "nginx_client": 18000},
    **{"worker_topic": 1000, "ws_bytes": 5, "sse_bytes": 40, "append_bytes": 200, "batch_bytes": 300, "read_bytes": 150},
}


@pytest.fixture
def model():
    return cost.Model(PLAIN)


def test_messages_share_batches(model):
    assert model.batches(0) == 0
    assert model.batches(1000) == pytest.approx(500)  # one a millisecond is on its way, and one joins it
    assert model.batches(1e9) == pytest.approx(1000, rel=1e-3)  # never more than cycles


def test_cores(model):
    """By hand: 2 sites, 2,000 messages a second of which each site publishes 1,000; 100 WebSockets that get 10 each."""
    used = model.cores(cost.Case(2, ws=100, messages=2000, each=10))
    own, all_ = 500, 2000 / 3  # batches
    assert used["redis"] == pytest.approx((1000 + 2 * own * 100 + 2000 * 10 + 2 * all_ * 20 + 2 * 2000 * 2) / 1e6)
    assert used["broker"] == pytest.approx((all_ * 40 + 2000 * 4 + 500 + own * 100 + 1000 * 20) / 1e6)
    assert used["ws"] == pytest.approx((all_ * 50 + 2000 * 1 + 1000 * 5) / 1e6)
    assert set(used) == {"redis", "broker", "ws"}


def test_nginx_is_there_for_sse(model):
    used = model.cores(cost.Case(sse=100, messages=0, each=0))  # heartbeats alone
    assert used["nginx"] == pytest.approx(100 / 15 * 15 / 1e6)
    assert used["sse"] == pytest.approx(100 / 15 * 3 / 1e6)


def test_memory(model):
    used = model.memory(cost.Case(ws=10, sse=20, size=100, processes=2, topics=3, kept=50))
    assert used["redis"] == 3e6 + 50 * 180 and used["broker"] == 2e6 + 50 * 500 + 3 * 500
    assert used["ws"] == 2 * (1e6 + 3000) + 10 * 200 and used["sse"] == 2 * (1e6 + 3000) + 20 * 300
    assert used["nginx"] == 5e6 + 20 * 18000
    assert used["kernel"] == 10 * cost.KERNEL["ws"] + 20 * cost.KERNEL["sse"]


def test_network(model):
    used = model.network(cost.Case(2, ws=10, sse=20, messages=2000, each=3, size=100))
    assert used["clients"] == 3 * (10 * (105 + 99) + 20 * (140 + 99))
    assert used["to Redis"] == pytest.approx(1000 * 300 + 500 * (300 + 99))
    assert used["from Redis"] == pytest.approx(2000 * 250 + 2000 / 3 * 99)


def test_prices_are_found_again():
    rows = [((1, 2, 0), 8.0), ((2, 1, 1), 7.5), ((3, 3, 0), 15.0), ((1, 1, 4), 7.0)]
    assert cost.solve(rows) == pytest.approx([2, 3, 0.5])
    assert min(cost.solve([((1, 1), 1.0), ((1, 2), 0.5)])) == 0  # nothing costs less than nothing


def test_as_many_workers_as_it_takes(model):
    assert cost.sized(model, {"ws": 1000, "messages": 100, "each": 1}).processes == 1
    many = cost.sized(model, {"ws": 1_000_000, "messages": 100, "each": 1})
    assert many.processes > 1 and model.cores(many)["ws"] <= cost.FULL * many.processes


def test_within_15_percent():
    """Of what was measured, at the sizes that it was fitted to and at those that weren't used for that."""
    numbers, fitted, checked = cost.load()
    assert len(fitted) == len(cost.CALIBRATE) and len(checked) == len(cost.CHECK) >= 3
    sizes = [{(case.kind, case.clients, case.messages) for case in some} for some in (fitted, checked)]
    assert not sizes[0] & sizes[1]
    far = [cost.say(error) for error in cost.errors(numbers, fitted + checked) if error[1] == "all" and abs(error[4]) > 0.15]
    assert not far
    assert max(abs(error[4]) for error in cost.errors(numbers, checked)) < 0.18  # of a single process


def test_the_numbers_are_those_of_the_fit():
    numbers, fitted, _ = cost.load()
    again = cost.fit(fitted)
    assert set(again) == set(numbers)
    for name, value in again.items():
        assert value == pytest.approx(numbers[name]), name


def test_the_tables_of_the_doc():
    text = (SOURCE / "doc/scale.md").read_text()
    for table in cost.markdown().split("\n\n"):
        assert table in text, "tests/sites/cost.py --markdown makes it"
