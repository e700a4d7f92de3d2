"""Several bridges: of one site, of which one works at a time; and of sites that share a log, which don't relay to one another."""

import pytest

from stack import wait_for
from test_brokers import Pair
from test_redis import bridge, client, history, other  # noqa: F401


def standby(stack, *words):
    """A bridge of the site `north` that works only while no other one does."""
    return bridge(stack, "--standby=yes", "--site=north", *words, ready=False)


def works(stack, count=1):
    """The brokers' view: so many bridges, one of which works."""

    def look():
        states = [report["redis"] for name, report in stack.stats()["workers"].items() if name.startswith("redis")]
        return sorted(states) == ["connected"] + ["standby"] * (count - 1)

    wait_for(look, f"one of {count} bridges works")


@pytest.fixture
def north(stack):
    stack.redis()
    stack.broker()
    return stack


@pytest.mark.parametrize("end", ["kill", "stop", "pause"])
def test_one_bridge_at_a_time(north, end):
    """Both hear all that comes; one publishes it. Where that one ends, or stands still, the other one goes on."""
    first = standby(north, "-C", "c", "-S", "s")
    works(north)
    second = standby(north, "-C", "c", "-S", "s")
    works(north, 2)
    redis = client(north)
    for i in range(50):
        redis.publish("c", f"{i}")
        redis.xadd("s", {"payload": f"{i}"})
    expected = [b"%d" % i for i in range(50)]
    wait_for(lambda: history(north, "c") == expected and history(north, "s") == expected, "each once")
    for i in range(50, 100):
        redis.xadd("s", {"payload": f"{i}"})
    getattr(first, end)()
    for i in range(100, 150):
        redis.xadd("s", {"payload": f"{i}"})
    second.wait_log("site north: this bridge works now")
    expected = [b"%d" % i for i in range(150)]
    wait_for(lambda: history(north, "s") == expected, "the stream, each entry once")
    wait_for(lambda: redis.publish("c", "after") and b"after" in history(north, "c"), "its channel is heard")
    if end == "pause":
        first.resume()
        first.wait_log("has lost the lease: it stands by")
        redis.publish("c", "once")
        wait_for(lambda: b"once" in history(north, "c"), "once")
        redis.xadd("s", {"payload": "last"})
        wait_for(lambda: history(north, "s") == [*expected, b"last"], "the stream goes on")
        assert history(north, "c").count(b"once") == 1


def test_the_relay_of_a_standby(north, other):  # noqa: F811
    """One of them sends topics out; the other one goes on at the position that is kept."""
    other.redis_port = north.redis_port
    other.broker()
    bridge(other, "--outgoing=t", "--site=south")
    first = standby(north, "--outgoing=t")
    works(north)
    second = standby(north, "--outgoing=t")
    works(north, 2)
    for i in range(50):
        north.publish("t", f"{i}")
    wait_for(lambda: history(other, "t") == [b"%d" % i for i in range(50)], "relayed once")
    first.kill()
    for i in range(50, 100):
        north.publish("t", f"{i}")
    second.wait_log("site north: this bridge works now")
    wait_for(lambda: history(other, "t") == [b"%d" % i for i in range(100)], "all, once each")
    other.publish("t", "back")
    wait_for(lambda: history(north, "t")[-1] == b"back", "the way back")


def test_a_lease_that_is_refused(north):
    client(north).execute_command("ACL", "SETUSER", "me", "on", ">p", "+@all", "-getex", "-set", "~*", "allchannels")
    daemon = bridge(north, "--standby=yes", "--site=north", "-C", "c", url=f"redis://me:p@127.0.0.1:{north.redis_port}", ready=False)
    daemon.wait_log("lease zcast:lease:north: NOPERM .*; this bridge stands by")
    client(north).execute_command("ACL", "SETUSER", "me", "+getex", "+set")
    daemon.wait_log("site north: this bridge works now")


def test_sites_on_one_log_do_not_relay(stack):
    """The messages of the one are those of the other: what comes from there is refused, and said."""
    pair = Pair(stack)
    first, second = pair.stacks
    bridge(first, "--outgoing=t", "--site=north").wait_log("relaying messages")
    south = bridge(second, "--outgoing=t", "--site=south")
    south.wait_log("relaying messages")
    first.publish("t", "once")
    south.wait_log("site north has our log, or our broker")
    first.publish("t", "twice")
    wait_for(lambda: history(second, "t")[-1] == b"twice", "both")
    assert history(second, "t") == [b"once", b"twice"]
