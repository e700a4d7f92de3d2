"""Redis Streams as a source of the bridge: every entry once, from the place where it left off; what is gone is told."""

import json
import signal

import pytest

from stack import wait_for
from test_redis import bridge, client, history, wait_report
from test_redis_nodes import acl, stat_shows


def reading(stack, *streams, site="north", **how):
    words = [word for each in streams for word in ("-S", each)]
    made = bridge(stack, *words, f"--site={site}", ready=False, **how)
    wait_report(stack, lambda each: each["streams_read"] == len(streams), "all streams are read")
    return made


def come(stack, topic, payloads):
    wait_for(lambda: history(stack, topic) == payloads, lambda: f"{payloads[:3]}… of {topic}, not {history(stack, topic)[:3]}…")


def place(stack, stream="s", site="north"):
    return client(stack).get(f"zcast:stream:{site}:{{{stream}}}")


def test_entries_of_many_streams(stack):
    stack.redis()
    stack.broker()
    daemon = reading(stack, "plain", "orders -> shop/orders", "raw")
    redis = client(stack)
    for i in range(600):
        redis.xadd("plain", {"payload": f"{i}"})
    redis.xadd("orders", {"id": "7", "text": "ä\"\n"})
    redis.xadd("raw", {"other": b"\xff", "payload": b"\xff\0"})
    redis.xadd("raw", {"no payload": b"\xff"})
    redis.xadd("raw", {"payload": "after"})
    come(stack, "plain", [b"%d" % i for i in range(600)])
    wait_for(lambda: json.loads(history(stack, "shop/orders")[0]) == {"id": "7", "text": "ä\"\n"}, "JSON")
    come(stack, "raw", [b"\xff\0", b"after"])
    figures = wait_report(stack, lambda each: each["entries"] == 604 and each["published"] == 603, "all of them")
    assert (figures["invalid"], figures["entries_missed"], figures["redis"]) == (1, 0, "connected")
    assert "entry" in daemon.log() and "dropped: its fields are no UTF-8" in daemon.log()


def test_it_goes_on_where_it_left_off(stack):
    """A bridge that is stopped, and one that is killed: every entry once."""
    stack.redis()
    stack.broker()
    redis = client(stack)
    redis.xadd("s", {"payload": "before"})
    daemon = reading(stack, "s")
    for turn in range(4):
        for i in range(100):
            redis.xadd("s", {"payload": f"{turn * 200 + i}"})
        if turn % 2:
            wait_for(lambda: history(stack, "s"), "something of it")
            daemon.kill()
        else:
            daemon.stop()
        for i in range(100, 200):
            redis.xadd("s", {"payload": f"{turn * 200 + i}"})
        daemon = reading(stack, "s")
        come(stack, "s", [b"%d" % i for i in range((turn + 1) * 200)])
    assert "reading after" not in daemon.log() or daemon.log().count("reading after") == 1


def test_from_the_earliest_entry(stack):
    stack.redis()
    stack.broker()
    client(stack).xadd("s", {"payload": "before"})
    bridge(stack, "-S", "s", "--stream-begin=earliest", ready=False)
    come(stack, "s", [b"before"])


def test_the_broker_is_away(stack):
    """Entries wait in Redis, however many, and none is dropped."""
    stack.redis()
    broker = stack.broker()
    bridge(stack, "-S", "s", "--site=north", "--queue-bytes=64K", ready=False)
    wait_report(stack, lambda each: each["streams_read"] == 1, "it is read")
    broker.stop()
    redis = client(stack)
    for i in range(1000):
        redis.xadd("s", {"payload": f"{i}".rjust(500)})
    stack.broker()
    come(stack, "s", [f"{i}".rjust(500).encode() for i in range(1000)])
    figures = wait_report(stack, lambda each: each["published"] == 1000, "all of them")
    assert (figures["dropped"], figures["entries_missed"]) == (0, 0)


def test_redis_restarts(stack):
    server = stack.redis("--appendonly", "yes", "--appendfsync", "always")
    stack.broker()
    daemon = reading(stack, "s")
    client(stack).xadd("s", {"payload": "0"})
    come(stack, "s", [b"0"])
    server.stop()
    daemon.wait_log("lost the connection")
    stack.redis("--appendonly", "yes", "--appendfsync", "always")
    client(stack).xadd("s", {"payload": "1"})
    come(stack, "s", [b"0", b"1"])


def test_what_is_trimmed_is_told(stack):
    stack.redis()
    stack.broker()
    daemon = reading(stack, "s")
    redis = client(stack)
    redis.xadd("s", {"payload": "read"})
    come(stack, "s", [b"read"])
    redis.xtrim("s", maxlen=0)  # it was read
    daemon.stop()
    for i in range(10):
        redis.xadd("s", {"payload": f"{i}"}, maxlen=4, approximate=False)
    daemon = reading(stack, "s")
    come(stack, "s", [b"read", b"6", b"7", b"8", b"9"])
    daemon.wait_log("stream s: gap: at least 6 entries were removed before they were read")
    figures = wait_report(stack, lambda each: each["entries_missed"] == 6, "six are missed")
    with redis.pipeline(transaction=True) as batch:  # while it is read
        for i in range(10):
            batch.xadd("s", {"payload": f"1{i}"}, maxlen=2, approximate=False)
        batch.execute()
    figures = wait_report(stack, lambda each: each["entries_missed"] == 14, "fourteen")
    come(stack, "s", [b"read", b"6", b"7", b"8", b"9", b"18", b"19"])
    daemon.stop()
    daemon = reading(stack, "s")
    redis.xadd("s", {"payload": "20"})
    come(stack, "s", [b"read", b"6", b"7", b"8", b"9", b"18", b"19", b"20"])
    assert "gap" not in daemon.log() and figures["redis"] == "connected"


def test_a_stream_that_is_another_one(stack):
    stack.redis()
    stack.broker()
    daemon = reading(stack, "s")
    redis = client(stack)
    redis.xadd("s", {"payload": "a"})
    come(stack, "s", [b"a"])
    wait_for(lambda: place(stack) and not place(stack).startswith(b"0-0"), "its place")
    daemon.stop()
    redis.delete("s")
    redis.xadd("s", {"payload": "b"}, id="5-0")
    daemon = reading(stack, "s")
    come(stack, "s", [b"a", b"b"])
    daemon.wait_log("it ends before the place that was read")


def test_a_key_of_another_type(stack):
    stack.redis()
    stack.broker()
    redis = client(stack)
    redis.set("s", "no stream")
    daemon = bridge(stack, "-S", "s", "-S", "other", "--site=north", ready=False)
    daemon.wait_log("stream s: not read: WRONGTYPE .*it is no Stream.*; trying again")
    wait_report(stack, lambda each: each["redis"] == "refused" and each["streams_read"] == 1, "the other one is read")
    stat_shows(stack, r"^redis +refused", r"redis, from Redis: stream s: not read: WRONGTYPE")
    redis.xadd("other", {"payload": "x"})
    come(stack, "other", [b"x"])
    redis.delete("s")
    wait_report(stack, lambda each: each["redis"] == "connected" and each["streams_read"] == 2, "both are read")
    redis.xadd("s", {"payload": "y"})
    come(stack, "s", [b"y"])


def test_rights(stack):
    """The documented rights are enough; without that of the key, it is said and tried again."""
    stack.redis()
    stack.broker()
    acl(stack, "me", "on", ">p", "-@all", "resetchannels", "~zcast:stream:north:{s}", *"+ping +client|setname +role +get +set +xread +xinfo|stream".split())
    daemon = bridge(stack, "-S", "s", "--site=north", url=f"redis://me:p@127.0.0.1:{stack.redis_port}", ready=False)
    daemon.wait_log("stream s: not read: NOPERM")
    acl(stack, "me", "~s")
    wait_report(stack, lambda each: each["streams_read"] == 1 and each["redis"] == "connected", "it is read")
    client(stack).xadd("s", {"payload": "x"})
    come(stack, "s", [b"x"])
    wait_for(lambda: place(stack) and not place(stack).startswith(b"0-0"), "its place")


def test_reload(stack):
    stack.redis()
    stack.broker()
    path = stack.folder / "bridge.conf"
    path.write_text("bridge\n    site = north\n    subscribe-stream = a\n")
    daemon = bridge(stack, f"--config={path}", ready=False)
    wait_report(stack, lambda each: each["streams_read"] == 1, "a is read")
    client(stack).xadd("a", {"payload": "1"})
    come(stack, "a", [b"1"])
    path.write_text("bridge\n    site = north\n    subscribe-stream = \"b -> other/b\"\n")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_log("reloaded")
    wait_report(stack, lambda each: (each["streams"], each["streams_read"]) == (1, 1), "b is read")
    wait_for(lambda: place(stack, "a") and not place(stack, "a").startswith(b"0-0"), "the place in a")
    client(stack).xadd("a", {"payload": "2"})
    client(stack).xadd("b", {"payload": "3"})
    come(stack, "other/b", [b"3"])
    path.write_text("bridge\n    site = north\n    subscribe-stream = a\n    subscribe-stream = \"b -> other/b\"\n")
    daemon.send_signal(signal.SIGHUP)
    come(stack, "a", [b"1", b"2"])


@pytest.mark.parametrize(
    "words, error",
    [
        (["-S", "x" * 201], "a stream's name is up to 200 bytes"),
        (["-S", "a", "-S", "a -> b"], "is there twice"),
        (["-S", "a -> {1}"], "there is no '\\*' number 1"),
        ([word for i in range(257) for word in ("-S", f"s{i}")], "reads 256 streams at most"),
    ],
)
def test_bad_options(stack, words, error):
    stack.redis()
    made = bridge(stack, *words, ready=False, clean=False)
    assert made.wait() == 2
    made.wait_log(error)


# -- names


def test_parts_of_a_pattern(stack):
    stack.redis()
    stack.broker()
    bridge(stack, "-P", "app.*.room.* -> rooms/{2}/of/{1}")
    client(stack).publish("app.7.room.blue", "x")
    come(stack, "rooms/blue/of/7", [b"x"])


def test_channels_of_redis_itself(stack):
    """A pattern that stands for everything doesn't bring an event for each command."""
    stack.redis("--notify-keyspace-events", "KEA")
    stack.broker()
    bridge(stack, "-P", "*", "-P", "__keyevent@0__:del -> deleted")
    redis = client(stack)
    redis.set("key", "value")
    redis.delete("key")
    redis.publish("after", "x")
    come(stack, "after", [b"x"])
    assert history(stack, "deleted") == [b"key"]
    listed = stack.zmq("topics").stdout
    assert "__key" not in listed and "after" in listed
