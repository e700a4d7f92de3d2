"""The log in Redis (doc/scale.md): messages get their order from a Stream, and outlive the broker, Redis, and both."""

import copy
import os
import re
import shutil
import signal
import threading
import urllib.error
import urllib.request

import pytest
import redis
import zmq

from stack import LIMIT, SOURCE, Reply, free_port, position, run, wait_for

LOG, STATE = "{zcast}:log", "{zcast}:state"


@pytest.fixture
def logged(stack):
    """A stack with Redis and a broker whose order is there."""
    stack.redis()
    stack.use_log = lambda *options, **how: stack.broker(f"--log={stack.redis_url}", *options, **how)
    return stack


def client(stack):
    return redis.Redis(port=stack.redis_port)


def entries(stack):
    """The messages in the Stream: id, number, payload."""
    found = client(stack).xrange(LOG)
    return [(id, int(fields[b"n"]), fields[b"p"]) for id, fields in found if b"m" in fields]


def caught_up(stack):
    stack.wait_stats(lambda stats: stats["log"]["state"] == "ok", "the log takes messages")


def history(stack, topic="t", since="earliest"):
    """Payloads and ids of what history has after a position, and the floor."""
    *found, end = stack.requests("REPLAY", since, topic)
    assert end[0] == b"END", end
    return [(each[2].decode(), re.search(r"^id: (\S+)$", each[3].decode(), re.M)[1]) for each in found], end[2].decode()


def metas(sub, count):
    found = [sub.recv_multipart() for _ in range(count)]
    return [(payload.decode(), dict(line.split(": ", 1) for line in meta.decode().splitlines())) for _, payload, meta in found]


class Publisher(threading.Thread):
    """Publishes numbers, each until it is acknowledged, with a key, as publishers do."""

    def __init__(self, stack, name="p", limit=20):
        super().__init__()
        self.limit = limit
        self.stack, self.name_, self.acknowledged, self.errors, self.more = stack, name, [], set(), True
        self.start()

    def run(self):
        count = 0
        while self.more:
            text = f"{self.name_}{count}"
            try:
                self.acknowledged.append((text, self.stack.publish("t", text, {"key": text}, limit=self.limit)))
                count += 1
            except (Reply, TimeoutError) as error:
                self.errors.add(str(error)[:12])

    def stop(self):
        self.more = False
        self.join()
        return self.acknowledged

    def wait(self, more):
        goal = len(self.acknowledged) + more
        wait_for(lambda: len(self.acknowledged) >= goal, f"{goal} messages", LIMIT * 2)


def check(stack, sub, acknowledged):
    """Everything acknowledged is there once, in the same order, with the same position, in the log, in history and at a subscriber."""
    texts = [text for text, _ in acknowledged]
    assert len(set(texts)) == len(texts)
    kept, _ = history(stack)
    assert kept == sorted(acknowledged, key=lambda each: position(each[1]))
    assert [(p.decode(), id.decode()) for id, _, p in entries(stack)] == kept
    got = metas(sub, len(kept))
    assert [(payload, meta["id"]) for payload, meta in got] == kept
    for (_, before), (_, after) in zip(got, got[1:]):
        assert position(after["prev"]) >= position(before["id"])


def test_the_way_of_a_message(logged):
    stack = logged
    stack.use_log()
    sub = stack.sub("t", "u")
    first = stack.publish("t", "one", {"event": "news", "id": "mine", "ttl": 60})
    stack.pub().send_multipart([b"u", b"two"])
    third = stack.publish("t", b"\0\xff")
    got = [sub.recv_multipart() for _ in range(3)]
    assert [each[1] for each in got if each[0] == b"t"] == [b"one", b"\0\xff"]
    meta = next(each[2].decode() for each in got if each[1] == b"\0\xff")
    assert f"id: {third}\nprev: {first}\n" in meta
    assert "event: news" in got[0][2].decode() and "event-id: mine" in got[0][2].decode()
    assert sorted(id.decode() for id, _, _ in entries(stack)) == sorted(
        re.search(r"^id: (\S+)$", each[2].decode(), re.M)[1] for each in got
    )
    assert [number for _, number, _ in entries(stack)] == [1, 2, 3]
    assert stack.stats()["log"] | {"number": 3, "state": "ok", "waiting": 0} == stack.stats()["log"]
    assert client(stack).xinfo_stream(LOG)["length"] == 3
    assert stack.request("PURGE", "t")[:2] == [b"ERR", b"forbidden"]  # it would come back with the next start


def test_a_repeat_and_a_conflict(logged):
    stack = logged
    stack.use_log()
    first = stack.publish("t", "one", {"id": "a"})
    assert stack.publish("t", "one", {"id": "a"}) == first
    assert stack.publish("t", "one", {"key": "a", "other": "header"}) == first
    assert stack.publish("u", "one", {"id": "a"}) != first
    with pytest.raises(Reply, match="conflict"):
        stack.publish("t", "two", {"id": "a"})
    with pytest.raises(Reply, match="conflict"):
        stack.publish("t", "one", {"id": "a", "event": "other"})
    assert len(entries(stack)) == 2
    stats = stack.stats()
    assert (stats["duplicates"], stats["conflicts"]) == (2, 2)


def test_names_outlive_the_broker_and_their_number_is_bounded(logged):
    stack = logged
    broker = stack.use_log("--dedup-max=10")
    first = stack.publish("t", "one", {"id": "a"})
    broker.kill()
    stack.use_log("--dedup-max=10")
    assert stack.publish("t", "one", {"id": "a"}) == first
    for i in range(40):
        stack.publish("t", "more", {"id": f"b{i}"})
    assert client(stack).hlen("{zcast}:names") + client(stack).hlen("{zcast}:older") <= 22
    assert stack.publish("t", "one", {"id": "a"}) != first


@pytest.mark.parametrize("kept", ["memory", "lmdb"])
def test_a_broker_that_is_killed(logged, kept):
    stack = logged
    option = f"--history={kept}" + (f":{stack.folder}/h" if kept == "lmdb" else "")
    broker = stack.use_log(option)
    ids = [stack.publish("t", f"{i}") for i in range(50)]
    line = stack.stats()["line"]
    broker.kill()
    for i in range(3):  # while the broker is away: another program has no way in
        assert client(stack).xlen(LOG) == 50
    stack.use_log(option)
    caught_up(stack)
    assert stack.stats()["line"] == line
    found, floor = history(stack)
    assert found == [(f"{i}", id) for i, id in enumerate(ids)]
    *page, end = stack.requests("FETCH", ids[9], 100, 1000000, "t", line)
    assert len(page) == 40 and position(end[2]) <= position(ids[9])  # nothing is missing after it
    later = stack.publish("t", "more")
    assert position(later) > position(ids[-1])
    assert history(stack, since=ids[-1])[0] == [("more", later)]


# -- two brokers


def second(stack):
    """The same stack, seen from another broker."""
    other = copy.copy(stack)
    other.publish_endpoint, other.subscribe_endpoint, other.control_endpoint = (
        f"ipc://{stack.folder}/{name}2" for name in ("publish", "subscribe", "control")
    )
    other.use_log = lambda *options, **how: other.broker(f"--log={other.redis_url}", *options, **how)
    return other


@pytest.fixture
def both(logged):
    """Two brokers on one log."""
    return logged, second(logged)


def check_both(both, subs, acknowledged):
    """Everything acknowledged is there once, and all see it in one order, with the same positions."""
    kept, _ = history(both[0])
    wait_for(lambda: history(both[1])[0] == history(both[0])[0], "both have the same history")
    kept, _ = history(both[0])
    assert sorted(set(acknowledged) ^ set(kept)) == []
    assert [(p.decode(), id.decode()) for id, _, p in entries(both[0])] == kept
    for sub in subs:
        got = metas(sub, len(kept))
        assert [(payload, meta["id"]) for payload, meta in got] == kept


def test_two_brokers_give_one_order(both):
    for each in both:
        each.use_log()
    subs = [each.sub("t") for each in both]
    publishers = [Publisher(each, name) for each, name in zip(both, "ab")]
    for publisher in publishers:
        publisher.wait(300)
    check_both(both, subs, [pair for publisher in publishers for pair in publisher.stop()])
    assert both[0].stats()["line"] == both[1].stats()["line"]
    first = both[0].publish("t", "one", {"id": "own"})
    assert both[1].publish("t", "one", {"id": "own"}) == first  # recognised everywhere
    with pytest.raises(Reply, match="conflict"):
        both[1].publish("t", "two", {"id": "own"})
    with pytest.raises(Reply, match="conflict"):
        both[0].publish("t", "two", {"id": "own"})


def test_one_of_two_brokers_is_killed_and_comes_back(both):
    first, other = both[0].use_log(), both[1].use_log()
    sub = both[1].sub("t")
    publishers = [Publisher(each, name, 1) for each, name in zip(both, "ab")]  # a request to the one that was killed has no answer
    for _ in range(2):
        for publisher in publishers:
            publisher.wait(50)
        first.kill()
        publishers[1].wait(50)
        first = both[0].use_log()
        caught_up(both[0])
    for publisher in publishers:
        publisher.wait(50)
    acknowledged = [pair for publisher in publishers for pair in publisher.stop()]
    assert "closed" not in other.log()
    check_both(both, [sub], acknowledged)
    assert both[1].stats()["log"]["jumps"] == both[1].stats()["log"]["epochs"] == 0


@pytest.mark.parametrize("older", [False, True])
def test_redis_comes_back_without_its_end_under_two_brokers(both, older):
    """Empty, or with an older file."""
    server = both[0].daemons[-1]
    options = ["--dbfilename", "older.rdb"] if older else []
    for each in both:
        each.use_log("--log-timeout=1s")
    subs = [each.sub("t") for each in both]
    publishers = [Publisher(each, name) for each, name in zip(both, "ab")]
    for turn in range(2):
        for publisher in publishers:
            publisher.wait(50)
        if older:
            client(both[0]).save()
            if turn == 0:  # then Redis saves to that file
                shutil.copy(both[0].folder / "dump.rdb", both[0].folder / "older.rdb")
            for publisher in publishers:
                publisher.wait(50)
        server.kill()
        server = restart_redis(both[0], *options)
    for publisher in publishers:
        publisher.wait(50)
    check_both(both, subs, [pair for publisher in publishers for pair in publisher.stop()])
    logs = [each.stats()["log"] for each in both]
    assert all(log["jumps"] == 0 for log in logs) and sum(log["epochs"] for log in logs) == 2
    for each in both:  # nothing is lost, so nobody is told of a gap
        *_, end = each.requests("FETCH", "1-0", 1, 100000, "t", each.stats()["line"])
        assert position(end[2]) < position(history(each)[0][0][1])


class Older:
    """A broker with an earlier script, which is loaded beside ours: what it asks, as it asked it then."""

    def __init__(self, stack):
        self.stack, self.batch, self.sequence = stack, 0, 0
        self.script = (SOURCE / "tests/integration/older_log.lua").read_text()

    def ask(self, verb, *arguments):
        server = client(self.stack)
        keys = [f"{{zcast}}:{part}" for part in ("log", "state", "names", "older", "brokers")]
        sha = server.script_load(self.script)
        return server.evalsha(sha, 5, *keys, verb, "older", server.info()["run_id"], *arguments)

    def join(self, last="0-0", number=0):
        state = client(self.stack).hgetall(STATE)
        limits = [state[name] for name in (b"window", b"names", b"messages", b"age", b"bytes")]
        again = int(number > 0)
        words = [state[b"settings"], state[b"line"], last, last, number, *limits, again, self.batch, 0, number, last]
        answer = self.ask("join", "2", *words)
        assert answer[0] == b"ok", answer
        return answer

    def append(self, text, repeat=False):
        if not repeat:
            self.batch += 1
            self.sequence += 1
        return self.ask("append", self.batch, 0, f"older {self.sequence}\nt\nx: 1\n", text, "")


def test_a_broker_of_an_earlier_version(logged):
    """Both append to one log and read each other's entries, before and after Redis has lost all of it."""
    stack = logged
    server = stack.daemons[-1]
    stack.use_log()
    older = Older(stack)

    def kept(*texts):
        wait_for(lambda: [text for text, _ in history(stack)[0]] == [*texts], f"history has {texts}")

    stack.publish("t", "one")
    older.join()
    assert older.append("two") == older.append("two", repeat=True)
    kept("one", "two")
    stack.publish("t", "three")
    kept("one", "two", "three")
    (last, number, _), before = entries(stack)[-1], history(stack)[0]
    server.kill()
    restart_redis(stack)
    wait_for(lambda: client(stack).hget(STATE, "settings"), "the log is made anew")
    older.join(last.decode(), number)
    wait_for(lambda: client(stack).hget(STATE, "run") == client(stack).info()["run_id"].encode(), "the log is open", LIMIT * 2)
    assert history(stack)[0] == before
    older.join(last.decode(), number)
    assert older.append("four")[0] == b"ok"
    stack.publish("t", "five")
    kept("one", "two", "three", "four", "five")
    assert stack.stats()["log"]["jumps"] == 0


def test_a_broker_with_other_limits_is_refused(both):
    both[0].use_log()
    refused(both[1], "other limits than this broker", "--topic-messages=10")
    assert both[0].publish("t", "one")


def test_a_broker_that_has_stopped_leaves_the_log_free(logged):
    """The next one doesn't wait until its lease has passed."""
    stack = logged
    for number in range(3):
        broker = stack.use_log()
        stack.publish("t", f"{number}")
        broker.stop()
        assert "another broker uses it" not in broker.log()


# -- Redis fails


def restart_redis(stack, *options):
    return stack.redis(*options)


def test_redis_is_killed_and_comes_back_empty(logged):
    stack = logged
    server = stack.daemons[-1]
    stack.use_log("--log-timeout=1s")
    sub = stack.sub("t")
    publisher = Publisher(stack)
    for _ in range(2):
        publisher.wait(100)
        server.kill()
        server = restart_redis(stack)
    publisher.wait(100)
    acknowledged = publisher.stop()
    check(stack, sub, acknowledged)
    log = stack.stats()["log"]
    assert log["epochs"] >= 2 and log["restored"] >= 200 and log["jumps"] == 0


def test_redis_restarts_with_an_older_file(logged):
    stack = logged
    server = stack.daemons[-1]
    stack.use_log("--log-timeout=1s")
    sub = stack.sub("t")
    publisher = Publisher(stack)
    publisher.wait(100)
    client(stack).save()
    shutil.copy(stack.folder / "dump.rdb", stack.folder / "older.rdb")
    publisher.wait(100)
    server.kill()
    restart_redis(stack, "--dbfilename", "older.rdb")
    publisher.wait(100)
    check(stack, sub, publisher.stop())
    assert stack.stats()["log"]["restored"] >= 90


def test_redis_stands_still(logged):
    stack = logged
    server = stack.daemons[-1]
    stack.use_log("--log-timeout=500ms")
    sub = stack.sub("t")
    stack.publish("t", "before")
    server.pause()
    with pytest.raises(Reply, match="^ERR log"):
        stack.publish("t", "during", {"key": "k"})
    assert stack.request("PING")[0] == b"OK"  # nothing else waits for it
    server.resume()
    stack.publish("t", "during", {"key": "k"})
    stack.publish("t", "after")
    assert [text for text, _ in history(stack)[0]] == ["before", "during", "after"]
    assert [payload for payload, _ in metas(sub, 3)] == ["before", "during", "after"]


def test_a_replica_is_promoted(logged):
    """The address leads to another server, as a virtual address or a proxy does; what the replica lacks is put back."""
    stack = logged
    sockets = [stack.folder / name for name in ("a.sock", "b.sock", "now.sock")]

    def server(index, *options):
        argv = ["redis-server", "--port", "0", "--save", "", "--dir", str(stack.folder), "--unixsocket", str(sockets[index])]
        return stack.start(f"redis{index}", [*argv, *options], ready=lambda: cli(index, "ping") == "PONG")

    def cli(index, *words):
        return run("redis-cli", "-s", sockets[index], *words, check=False).stdout.strip()

    port = free_port()
    first = server(0, "--port", str(port), "--repl-diskless-sync-delay", "0")
    server(1, "--replicaof", "127.0.0.1", str(port))
    wait_for(lambda: "master_link_status:up" in cli(1, "info", "replication"), "the replica follows")
    os.symlink(sockets[0], sockets[2])
    stack.broker(f"--log=unix://{sockets[2]}", "--log-timeout=1s")
    sub = stack.sub("t")
    publisher = Publisher(stack)
    publisher.wait(100)
    cli(1, "replicaof", "127.0.0.1", str(free_port()))  # cut off: it gets nothing more
    lacks = int(cli(1, "xlen", LOG))
    publisher.wait(100)
    first.kill()
    cli(1, "replicaof", "no", "one")
    os.symlink(sockets[1], f"{sockets[2]}.new")
    os.rename(f"{sockets[2]}.new", sockets[2])
    publisher.wait(100)
    acknowledged = publisher.stop()
    assert lacks < len(acknowledged) - 180
    kept, _ = history(stack)
    assert kept == acknowledged
    assert [payload for payload, _ in metas(sub, len(kept))] == [text for text, _ in acknowledged]
    assert int(cli(1, "xlen", LOG)) == len(acknowledged) + 1  # and the epoch
    assert stack.stats()["log"]["restored"] >= 90


TROUBLES = [
    (("config", "set", "maxmemory", "1"), ("config", "set", "maxmemory", "0")),
    (("config", "set", "min-replicas-to-write", "1"), ("config", "set", "min-replicas-to-write", "0")),
    (("replicaof", "127.0.0.1", "1"), ("replicaof", "no", "one")),
    (("acl", "setuser", "default", "-xadd"), ("acl", "setuser", "default", "+xadd")),
]  # fmt: skip


def test_redis_takes_nothing_from_two_brokers(both):
    """Full, without its replicas, read-only, without rights, standing still: both say so, and both go on by themselves."""
    server = both[0].daemons[-1]
    for each in both:
        each.use_log("--log-timeout=500ms")
    subs = [each.sub("t") for each in both]
    publishers = [Publisher(each, name) for each, name in zip(both, "ab")]
    for begin, end in [*TROUBLES, (None, None)]:
        for publisher in publishers:
            publisher.wait(10)
        both[0].redis_cli(*begin) if begin else server.pause()
        for publisher in publishers:
            publisher.errors.clear()
            wait_for(lambda: any("ERR log" in error for error in publisher.errors), f"an error during {begin}", LIMIT * 2)
        both[0].redis_cli(*end) if end else server.resume()
    for publisher in publishers:
        publisher.wait(10)
    check_both(both, subs, [pair for publisher in publishers for pair in publisher.stop()])


@pytest.mark.parametrize("begin, end", TROUBLES)
def test_redis_takes_nothing(logged, begin, end):
    """Full, without its replicas, read-only, without rights: an error says so, and all goes on by itself."""
    stack = logged
    broker = stack.use_log("--log-timeout=500ms")
    stack.publish("t", "before")
    stack.redis_cli(*begin)
    with pytest.raises(Reply, match="^ERR log"):
        stack.publish("t", "during", {"key": "k"})
    assert stack.stats()["log"]["error"]
    broker.wait_log("of no use|replica")
    said = re.findall(r"\(zcast-log\S*\): of no use: .*", broker.log())
    assert len(said) == len(set(said))  # each reason of each connection is said once
    stack.redis_cli(*end)

    def published():
        try:
            return stack.publish("t", "during", {"key": "k"})
        except Reply:
            return False

    wait_for(published, "the message is taken", LIMIT * 2)
    assert [text for text, _ in history(stack)[0]] == ["before", "during"]
    caught_up(stack)


def test_too_much_waits(logged):
    stack = logged
    server = stack.daemons[-1]
    stack.use_log("--log-bytes=64K", "--log-timeout=1m")
    server.pause()
    dealer = stack.socket(zmq.DEALER, stack.control_endpoint)
    for i in range(100):
        dealer.send_multipart([b"#%d" % i, b"PUBLISH", b"t", b"x" * 2000])
    reply = dealer.recv_multipart()
    assert reply[1:3] == [b"ERR", b"log"]
    server.resume()
    replies = [dealer.recv_multipart() for _ in range(99)]
    good = sum(1 for each in replies if each[1] == b"OK")
    assert good >= 20 and len(history(stack)[0]) == good


def test_over_http(logged):
    """POST /publish: 503 while Redis stands still; a stream goes on."""
    stack = logged
    server = stack.daemons[-1]
    stack.use_log("--log-timeout=500ms")
    stack.ws("--allow-publish")
    stack.web_port = stack.ws_port

    def post(text):
        request = urllib.request.Request(stack.url("/publish", ["t"], id=text), text.encode())
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    events = stack.sse("t")
    wait_for(lambda: events.events, "the stream begins")
    assert post("one")[0] == 200
    server.pause()
    status, text = post("two")
    assert status == 503 and "log" in text
    server.resume()
    wait_for(lambda: post("two")[0] == 200, "it is taken")
    wait_for(lambda: [each.data for each in events.events if each.data in ("one", "two")] == ["one", "two"], "both arrive, once")


def test_behind_until_it_has_read_all(logged):
    stack = logged
    broker = stack.use_log()
    ids = [stack.publish("t", f"{i}") for i in range(20)]
    broker.stop()
    stack.redis_cli("acl", "setuser", "default", "-xread")
    again = stack.use_log()
    assert stack.request("SYNC", "", "t")[:2] == [b"ERR", b"behind"]
    assert stack.request("REPLAY", "earliest", "t")[:2] == [b"ERR", b"behind"]
    assert stack.request("TOPICS", "0-0", "")[:2] == [b"ERR", b"behind"]
    assert stack.request("LIST", 10, "")[:2] == [b"ERR", b"behind"]
    assert stack.stats()["log"]["state"] != "ok" and " ready" not in again.log()
    stack.redis_cli("acl", "setuser", "default", "+xread")
    again.wait_log(" ready")
    assert history(stack)[0] == [(f"{i}", id) for i, id in enumerate(ids)]
    assert stack.request("SYNC", "", "t")[0] == b"OK"


def test_positions_that_the_log_has_lost(logged):
    """Redis and the broker both come back without the tail: who has seen it is told of a gap, and no position is given twice."""
    stack = logged
    server = stack.daemons[-1]
    broker = stack.use_log()
    kept = stack.publish("t", "kept")
    client(stack).save()
    line, lost = stack.stats()["line"], stack.publish("t", "lost")
    broker.kill()
    server.kill()
    stack.redis()
    stack.use_log()
    caught_up(stack)
    assert stack.stats()["line"] == line
    later = stack.publish("t", "later")
    assert position(later) > position(lost)
    *page, end = stack.requests("FETCH", kept, 100, 100000, "t", line)
    assert [each[2] for each in page] == [b"later"] and position(end[2]) >= position(lost)


def test_a_worker_is_ahead_of_the_log(logged):
    stack = logged
    stack.use_log()
    stack.publish("t", "one")
    stats = stack.stats()
    ahead = f"{position(stats['head'])[0] + 3600000}-5"  # it had that from a broker, and nobody has it any more
    assert stack.request("SYNC", "", "t", stats["line"], ahead)[:2] == [b"ERR", b"behind"]
    wait_for(lambda: stack.request("SYNC", "", "t", stats["line"], ahead)[0] == b"OK", "the log was raised", LIMIT * 2)
    assert position(stack.publish("t", "two")) > position(ahead)
    *page, end = stack.requests("FETCH", ahead, 100, 100000, "t", stats["line"])
    assert [each[2] for each in page] == [b"two"] and position(end[2]) >= position(ahead)
    far = f"{position(stats['head'])[0] + 10**9}-5"
    assert stack.request("SYNC", "", "t", stats["line"], far)[:2] == [b"ERR", b"behind"]
    assert position(stack.publish("t", "three"))[0] < position(far)[0] - 10**8


# -- what isn't ours


def refused(stack, pattern, *options):
    broker = stack.start("zcast-broker", ["zcast-broker", *stack.endpoints(), f"--log={stack.redis_url}", *options], clean=False)
    assert broker.wait(LIMIT) == 1, broker.log()
    assert re.search(pattern, broker.log()), broker.log()


def test_logs_that_are_refused(logged):
    stack = logged
    server = client(stack)
    server.set(LOG, "text")
    refused(stack, r"another program's, of another type: \{zcast\}:log")
    server.delete(LOG)
    server.xadd(LOG, {"a": "b"})
    refused(stack, "its Stream is another program's")
    server.delete(LOG)
    server.set(STATE, "text")
    refused(stack, r"of another type: \{zcast\}:state")
    server.delete(STATE)
    for part in ("names", "older", "brokers"):
        server.rpush(f"{{zcast}}:{part}", "a")
        refused(stack, rf"of another type: \{{zcast\}}:{part}")
        server.delete(f"{{zcast}}:{part}")
    stack.use_log().stop()
    refused(stack, "other limits than this broker: .*max-payload 1048576", "--max-payload=1000")
    refused(stack, "other limits than this broker", "--dedup-window=1h")
    server.hset(STATE, "version", "1")
    refused(stack, "another version of zcast")
    server.hset(STATE, "version", "2")
    server.config_set("maxmemory-policy", "allkeys-lru")
    refused(stack, "noeviction")
    server.config_set("maxmemory-policy", "noeviction")
    server.hdel(STATE, "settings")  # as doc/scale.md says
    stack.use_log("--max-payload=1000").stop()
    refused(stack, "other limits than this broker: .*max-payload 1000")


def test_two_installations_on_one_name(logged):
    stack = logged
    broker = stack.broker(f"--history=lmdb:{stack.folder}/other")
    stack.publish("t", "theirs")
    broker.stop()
    stack.use_log().stop()
    refused(stack, "another installation's log", f"--history=lmdb:{stack.folder}/other")
    stack.broker(f"--log={stack.redis_url}", "--log-name=other", f"--history=lmdb:{stack.folder}/other")
    assert [text for text, _ in history(stack)[0]] == ["theirs"]


def test_entries_of_others(logged):
    stack = logged
    broker = stack.use_log()
    sub = stack.sub("")
    first = stack.publish("t", "one")
    ms = position(first)[0]
    for fields in ({"a": "b"}, {"n": "2"}, {"n": "x", "m": "a 1\nt\n", "p": "no"}, {"n": "9", "m": "no", "p": "no"}):
        client(stack).xadd(LOG, fields)
    client(stack).xadd(LOG, {"n": "1", "m": "forged 1\nt\n", "p": "forged"})
    second = stack.publish("t", "two")
    assert [payload for payload, _ in metas(sub, 2)] == ["one", "two"]
    assert position(second)[0] >= ms
    client(stack).xadd(LOG, {"a": "b"}, id=f"{position(second)[0]}-{1 << 20}")  # no position, but an id of Redis
    third = stack.publish("t", "three")
    assert [payload for payload, _ in metas(sub, 1)] == ["three"] and position(third) > position(second)
    assert stack.stats()["log"]["foreign"] == 6
    broker.wait_log("isn't passed on")
    assert [text for text, _ in history(stack)[0]] == ["one", "two", "three"]


def test_an_id_in_the_far_future(logged):
    stack = logged
    broker = stack.use_log("--log-timeout=500ms")
    first = stack.publish("t", "one")
    client(stack).xadd(LOG, {"a": "b"}, id=f"{position(first)[0] + 10**9}-0")
    with pytest.raises(Reply, match="^ERR log"):
        stack.publish("t", "two", {"key": "k"})
    broker.wait_log("far ahead of the clock of Redis")
    assert "far ahead" in stack.stats()["log"]["error"]
    client(stack).xdel(LOG, f"{position(first)[0] + 10**9}-0")
    stack.redis_cli("xsetid", LOG, first)
    wait_for(lambda: not stack.stats()["log"].get("error"), "the log is mended", LIMIT * 2)
    second = stack.publish("t", "two", {"key": "k"})
    assert position(second)[0] - position(first)[0] < 10**8
    assert [text for text, _ in history(stack)[0]] == ["one", "two"]


def test_entries_that_were_deleted(logged):
    """A hole in the numbers is never passed over."""
    stack = logged
    broker = stack.use_log()
    ids = [stack.publish("t", f"{i}") for i in range(5)]
    broker.stop()
    client(stack).xdel(LOG, ids[2])
    broker = stack.use_log()
    caught_up(stack)
    assert stack.stats()["log"]["jumps"] == 1
    line = stack.stats()["line"]
    *page, end = stack.requests("FETCH", ids[0], 100, 100000, "t", line)
    assert position(end[2]) > position(ids[0])  # a gap
    *page, end = stack.requests("FETCH", ids[3], 100, 100000, "t", line)
    assert [each[2] for each in page] == [b"4"] and position(end[2]) <= position(ids[3])


# -- moving


def test_from_none_to_a_log_and_back(logged):
    stack = logged
    folder = f"--history=lmdb:{stack.folder}/h"
    ids, lines = [], set()
    for log in (False, True, True, False, True):
        broker = stack.use_log(folder) if log else stack.broker(folder)
        ids += [stack.publish("t", f"{len(ids) + i}") for i in range(3)]
        lines.add(stack.stats()["line"])
        *page, end = stack.requests("FETCH", ids[0], 100, 100000, "t", *lines)
        assert [each[2].decode() for each in page] == [f"{i}" for i in range(1, len(ids))]
        # What was published without the log isn't in it, and other brokers never read it: so all are told.
        assert (position(end[2]) <= position(ids[0])) == (len(ids) < 15)
        broker.stop()
    assert len(lines) == 1 and ids == sorted(ids, key=position)


def test_backup_and_restore(logged):
    """What doc/scale.md says: the file of Redis is the log; history is made anew from it."""
    stack = logged
    server = stack.daemons[-1]
    broker = stack.use_log()
    ids = [stack.publish("t", f"{i}", {"id": f"own{i}"}) for i in range(10)]
    client(stack).save()
    broker.stop()
    server.stop()
    stack.redis_port = None
    stack.redis()
    stack.use_log()
    caught_up(stack)
    assert [id for _, id in history(stack)[0]] == ids
    assert stack.publish("t", "3", {"id": "own3"}) == ids[3]


def test_a_script_that_redis_forgets(logged):
    stack = logged
    stack.use_log()
    stack.publish("t", "one")
    stack.redis_cli("script", "flush")
    stack.publish("t", "two")
    assert [text for text, _ in history(stack)[0]] == ["one", "two"]


def test_the_log_is_deleted(logged):
    stack = logged
    stack.use_log()
    ids = [stack.publish("t", f"{i}") for i in range(10)]
    stack.redis_cli("flushall")
    later = stack.publish("t", "later")
    assert position(later) > position(ids[-1])
    assert [id.decode() for id, _, _ in entries(stack)] == [*ids, later]
    assert stack.stats()["log"]["jumps"] == 0


def test_the_log_is_trimmed_to_the_limits(logged):
    stack = logged
    stack.use_log("--history-messages=100")
    dealer = stack.socket(zmq.DEALER, stack.control_endpoint, sndhwm=0, rcvhwm=0)
    for i in range(15000):
        dealer.send_multipart([b"#1", b"PUBLISH", b"t", b"%d" % i])
        if i >= 100:
            assert dealer.recv_multipart()[1] == b"OK"
    wait_for(lambda: stack.stats()["published"] >= 15000, "all")
    assert client(stack).xlen(LOG) < 12000
    assert len(history(stack)[0]) == 100


def test_a_password_from_a_file(logged):
    stack = logged
    stack.redis_cli("acl", "setuser", "me", "on", ">hush", "+@all", "~{zcast}:*")
    (stack.folder / "secret").write_text("hush\n")
    url = stack.redis_url.replace("//", "//me:wrong@")
    broker = stack.broker(f"--log={url}", f"--log-password-file={stack.folder}/secret")
    assert stack.publish("t", "one")
    assert "wrong" not in broker.log() and "hush" not in broker.log()


def test_redis_is_away_when_the_broker_starts(stack):
    stack.redis_port = free_port()
    broker = stack.start("zcast-broker", ["zcast-broker", *stack.endpoints(), f"--log={stack.redis_url}"])
    broker.wait_log("cannot connect")
    assert not stack.broker_answers()
    stack.redis()
    wait_for(stack.broker_answers, "the broker answers")
    assert stack.publish("t", "one")
    broker.stop()
    stack.daemons[1].stop()
    broker = stack.start("zcast-broker", ["zcast-broker", *stack.endpoints(), f"--log={stack.redis_url}"])
    broker.wait_log("cannot connect")
    broker.stop()  # with status 0


def test_large_messages(logged):
    """Small ones let the broker read many at a time; then large ones come."""
    stack = logged
    stack.use_log("--log-bytes=200M", "--history-bytes=1G", "--topic-bytes=1G", "--max-payload=4M")
    sub = stack.sub("t")
    dealer = stack.socket(zmq.DEALER, stack.control_endpoint)
    sizes = [10] * 2000 + [4 << 20] * 20 + [10] * 100
    for i, size in enumerate(sizes):
        dealer.send_multipart([b"#1", b"PUBLISH", b"t", bytes([i % 251]) * size])
        if i >= 50:
            assert dealer.recv_multipart()[1] == b"OK"
    got = [sub.recv_multipart()[1] for _ in sizes]
    assert [(len(each), each[0]) for each in got] == [(size, i % 251) for i, size in enumerate(sizes)]


def test_the_documented_rights_are_enough(logged):
    """Those of doc/scale.md: also for putting back, and for names."""
    stack = logged
    (line,) = re.findall("^user zcast on .*", (SOURCE / "doc/scale.md").read_text(), re.M)
    words = [word.replace("PASSWORD", "hush") for word in line.split()[1:]]
    client(stack).execute_command("ACL", "SETUSER", *words)
    (stack.folder / "secret").write_text("hush\n")
    url = stack.redis_url.replace("//", "//zcast:x@")
    stack.broker(f"--log={url}", f"--log-password-file={stack.folder}/secret", "--dedup-max=2")
    for i in range(10):
        stack.publish("t", f"{i}", {"id": f"own{i}"})
    for key in (LOG, STATE):
        client(stack).delete(key)
    for i in range(100):
        stack.publish("t", f"{i}", {"id": f"more{i}"})
    assert [text for text, _ in history(stack)[0]] == [f"{i}" for i in [*range(10), *range(100)]]
    assert stack.stats()["log"]["restored"] == 10
    assert "log            ok: entry" in stack.zmq("stat").stdout
