"""zcast-broker by its wire protocol (doc/protocol.md), as any publisher, subscriber and client of control sees it."""

import json
import os
import random
import signal
import socket
import time

import pytest
import zmq

from stack import LIMIT, SOURCE, frame, free_port, is_sanitized, position, run, wait_for


def meta(text):
    return dict(line.split(": ", 1) for line in text.decode().splitlines())


def receive(sub, count):
    got = []
    while len(got) < count:
        assert sub.poll(LIMIT * 1000), f"{len(got)} of {count} messages have come"
        got.append(sub.recv_multipart())
    return got


def control(stack, kind=zmq.DEALER):
    return stack.socket(kind, stack.control_endpoint, linger=0)


def ask(dealer, *frames):
    dealer.send_multipart([frame(part) for part in frames])
    return receive(dealer, 1)[0]


# Publishing and delivery


def test_two_three_and_one_frame(stack):
    stack.broker()
    sub = stack.sub("a")
    pub = stack.pub()
    pub.send_multipart([b"a", b"payload"])
    pub.send_multipart([b"a", b"\x00\xff", b"event: tick\nid: own-1\nx-other: y"])
    pub.send(b"a one frame of text")
    pub.send_multipart([b"a", b""])
    plain, full, one, empty = receive(sub, 4)
    assert plain[:2] == [b"a", b"payload"]
    assert list(meta(plain[2])) == ["id", "prev"]
    assert full[:2] == [b"a", b"\x00\xff"]
    headers = meta(full[2])
    assert (headers["event"], headers["event-id"], headers["x-other"]) == ("tick", "own-1", "y")
    assert one[:2] == [b"a", b"one frame of text"]
    assert empty[:2] == [b"a", b""]


def test_ids_increase_over_all_topics_and_prev_chains_each(stack):
    stack.broker()
    sub = stack.sub("")
    start = position(stack.request("SYNC", "", "t0")[3])
    pub = stack.pub()
    pub.sndhwm = 0
    for i in range(2000):
        pub.send_multipart([b"t%d" % random.randrange(20), b"%d" % i])
    last, ids = {}, []
    for topic, _, text in receive(sub, 2000):
        headers = meta(text)
        ids.append(position(headers["id"]))
        assert position(headers["prev"]) == last.get(topic, start)
        last[topic] = ids[-1]
    assert all(a < b for a, b in zip(ids, ids[1:]))


def test_ids_follow_the_clock(stack):
    stack.broker()
    before = time.time() * 1000
    id = position(stack.publish("a", "x"))
    assert before - 1 <= id[0] <= time.time() * 1000 + 1


REFUSED = {
    "no space in a single frame": [b"topic-alone"],
    "four frames": [b"a", b"x", b"", b""],
    "an empty topic": [b"", b"x"],
    "a control character in the topic": [b"a\nb", b"x"],
    "a topic that is not UTF-8": [b"\xff", b"x"],
    "a topic of 1025 bytes": [b"a" * 1025, b"x"],
    "a payload beyond max-payload": [b"a", b"x" * 1001],
    "headers that aren't lines": [b"a", b"x", b"nonsense"],
    "a control character in the event": [b"a", b"x", b"event: a\x01b"],
    "an empty id": [b"a", b"x", b"id: "],
    "an id of 257 bytes": [b"a", b"x", b"id: " + b"i" * 257],
    "a ttl that is no number": [b"a", b"x", b"ttl: soon"],
}


def test_what_is_refused_is_counted_and_never_forwarded(stack):
    broker = stack.broker("--max-payload=1000")
    sub = stack.sub("")
    pub = stack.pub()
    for frames in REFUSED.values():
        pub.send_multipart(frames)
    pub.send_multipart([b"a" * 1024, b"x" * 1000])
    assert receive(sub, 1)[0][0] == b"a" * 1024
    stats = stack.stats()
    assert (stats["refused"], stats["received"], stats["published"]) == (len(REFUSED), len(REFUSED) + 1, 1)
    assert "refused a message" in broker.log()


def test_a_large_payload_goes_through_whole(stack):
    stack.broker()
    sub = stack.sub("a")
    payload = os.urandom(1 << 20)
    stack.publish("a", payload)
    assert receive(sub, 1)[0][1] == payload
    assert stack.requests("REPLAY", "earliest", "a")[0][2] == payload


# Control


def test_delimiter_and_tag_come_back(stack):
    stack.broker()
    rep = control(stack, zmq.REQ)
    rep.send(b"PING")
    assert receive(rep, 1)[0][0] == b"OK"
    dealer = control(stack)
    assert ask(dealer, "PING")[0] == b"OK"
    assert ask(dealer, "", "PING")[:2] == [b"", b"OK"]
    assert ask(dealer, "#7", "PING")[:2] == [b"#7", b"OK"]
    assert ask(dealer, "", "#" + "t" * 63, "PING")[:3] == [b"", b"#" + b"t" * 63, b"OK"]
    assert ask(dealer, "#7", "NIX")[:3] == [b"#7", b"ERR", b"verb"]


ERRORS = [
    ([""], b"verb"),
    (["ping"], b"verb"),
    (["#", "#"], b"verb"),
    (["#" + "t" * 64, "PING"], b"arguments"),
    (["PING", "x"], b"arguments"),
    (["STATS", "x"], b"arguments"),
    (["PUBLISH"], b"arguments"),
    (["PUBLISH", "a"], b"arguments"),
    (["PUBLISH", "a", "x", "", "y"], b"arguments"),
    (["PUBLISH", "", "x"], b"topic"),
    (["PUBLISH", b"\xff", "x"], b"topic"),
    (["PUBLISH", "a", "x" * 1001], b"payload"),
    (["PUBLISH", "a", "x", "nonsense"], b"headers"),
    (["PUBLISH", "a", "x", "x: " + "y" * 9000], b"headers"),
    (["REPLAY", "1-1"], b"arguments"),
    (["REPLAY", "", "a"], b"since"),
    (["REPLAY", "x\n", "a"], b"since"),
    (["REPLAY", "i" * 257, "a"], b"since"),
    (["REPLAY", "1-1", "a", ""], b"topic"),
    (["REPLAY", "1-1", *["a"] * 10001], b"arguments"),
    (["FETCH", "1-1", "1", "1"], b"arguments"),
    (["FETCH", "", "1", "1", "a"], b"since"),
    (["FETCH", "1-1", "0", "1", "a"], b"arguments"),
    (["FETCH", "1-1", "-1", "1", "a"], b"arguments"),
    (["FETCH", "1-1", "1", "x", "a"], b"arguments"),
    (["FETCH", "1-1", "1", "1", ""], b"topic"),
    (["FETCH", "1-1", "1", "1", "a\n"], b"topic"),
    (["FETCH", "1-1", "1", "1", "\n".join(["a"] * 10001)], b"arguments"),
    (["SYNC", "n"], b"arguments"),
    (["SYNC", "n" * 65, "a"], b"arguments"),
    (["SYNC", "", "a\n\nb"], b"topic"),
    (["REPORT", "a"], b"arguments"),
    (["REPORT", "", "{}"], b"arguments"),
    (["REPORT", "a\n", "{}"], b"arguments"),
    (["REPORT", "a", "[]"], b"arguments"),
    (["REPORT", "a", "{"], b"arguments"),
    (["REPORT", "a", '{"a":1}}'], b"arguments"),
    (["REPORT", "a", '{"a":1,"a":2}'], b"arguments"),
    (["REPORT", "a", '{"a":' + "[" * 32 + "]" * 32 + "}"], b"arguments"),
    (["REPORT", "a", '{"a":"' + "x" * 65536 + '"}'], b"arguments"),
]


def test_errors_have_a_code_and_a_sentence(stack):
    stack.broker("--max-payload=1000")
    dealer = control(stack)
    for frames, code in ERRORS:
        reply = ask(dealer, "", *frames)
        assert reply[-3:-1] == [b"ERR", code], frames[:3]
        assert len(reply[-1]) > 10
    assert stack.stats()["errors"] == len(ERRORS)


def test_ten_thousand_topics_in_one_request(stack):
    stack.broker()
    topics = ["topic-%d" % i for i in range(10000)]
    dealer = control(stack)
    for i in range(0, 10000, 100):
        ask(dealer, "PUBLISH", topics[i], "x")
    assert len(ask(dealer, "SYNC", "", "\n".join(topics))[3].split(b"\n")) == 10000
    assert len(stack.requests("REPLAY", "earliest", *topics)) == 101
    assert len(stack.requests("FETCH", "earliest", 1000, 1 << 20, "\n".join(topics))) == 101


def test_publish_is_answered_with_the_id_that_subscribers_see(stack):
    stack.broker()
    sub = stack.sub("a")
    id = stack.publish("a", "x", {"event": "e"})
    assert meta(receive(sub, 1)[0][2])["id"] == id


def test_an_own_id_is_published_once(stack):
    stack.broker()
    sub = stack.sub("")
    first = stack.publish("a", "x", {"id": "1"})
    assert stack.publish("a", "x", {"id": "1"}) == first
    assert stack.publish("b", "another topic", {"id": "1"}) != first
    pub = stack.pub()
    pub.send_multipart([b"a", b"x", b"id: 1"])
    pub.send_multipart([b"a", b"new", b"id: 2"])
    got = receive(sub, 3)
    assert [message[1] for message in got] == [b"x", b"another topic", b"new"]
    assert stack.stats()["duplicates"] == 2


def test_an_own_id_that_is_still_on_its_way_into_history(stack):
    stack.broker(f"--history=lmdb:{stack.folder}/history", "--sync=always")
    dealer = control(stack)
    for i in range(2000):
        dealer.send_multipart([b"#%d" % i, b"PUBLISH", b"a", b"x", b"id: %d" % (i % 50)])
    answers = {int(tag[1:]): rest for tag, *rest in receive(dealer, 2000)}
    assert len(answers) == 2000
    first = [answers[i] for i in range(50)]
    assert all(verdict == b"OK" for verdict, _ in first) and len({id for _, id in first}) == 50
    assert all(answers[i] == first[i % 50] for i in range(2000))
    assert stack.stats()["published"] == 50


def test_an_own_id_is_forgotten_after_the_window(stack):
    stack.broker("--dedup-window=1s")
    first = stack.publish("a", "x", {"id": "1"})
    wait_for(lambda: stack.publish("a", "x", {"id": "1"}) != first, "the window is over")


def fill(stack, count, topics=("a", "b", "c"), **headers):
    """Publishes in turn on the topics; [(topic, payload, id)]."""
    dealer = control(stack)
    sent = []
    for i in range(count):
        topic = topics[i % len(topics)]
        lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
        dealer.send_multipart([b"PUBLISH", topic.encode(), b"%d" % i, lines.encode()])
        sent.append((topic.encode(), b"%d" % i))
    return [(*message, reply[1].decode()) for message, reply in zip(sent, receive(dealer, count))]


def told(replies):
    """The messages of a REPLAY or FETCH as fill returns them."""
    return [(topic, payload, meta(text)["id"]) for verb, topic, payload, text in replies[:-1]]


def test_replay_of_ten_thousand_in_order(stack):
    stack.broker()
    sent = fill(stack, 10000)
    replies = stack.requests("REPLAY", "earliest", "a", "c", "nothing here")
    assert told(replies) == [message for message in sent if message[0] != b"b"]
    assert replies[-1][0] == b"END"
    assert replies[-1][1].decode() == sent[-1][2]
    middle = sent[5000]
    replies = stack.requests("REPLAY", middle[2], "a", "b", "c")
    assert told(replies) == sent[5001:]
    assert position(replies[-1][2]) <= position(middle[2])


def test_replay_from_an_own_id(stack):
    stack.broker()
    stack.publish("a", "0")
    since = stack.publish("a", "1", {"id": "own"})
    stack.publish("b", "2", {"id": "other"})
    stack.publish("a", "3")
    replies = stack.requests("REPLAY", "own", "a", "b")
    assert [reply[2] for reply in replies[:-1]] == [b"2", b"3"]
    assert stack.requests("FETCH", "own", 1, 0, "a\nb")[-1][3].decode() == since
    unknown = stack.requests("FETCH", "nobody's", 10, 1000, "a\nb")
    assert unknown[-1][3] == b"?"
    assert len(unknown) == 5


def test_fetch_by_pages(stack):
    stack.broker()
    sent = fill(stack, 1000)
    since, got, pages = "earliest", [], 0
    while True:
        replies = stack.requests("FETCH", since, 64, 1 << 20, "a\nb\nc\nb")
        verb, head, floor, meant, remaining, *_ = replies[-1]
        got += told(replies)
        assert int(remaining) == 1000 - len(got)
        if since != "earliest":
            assert meant.decode() == since
        since = head.decode()
        pages += 1
        if int(remaining) == 0:
            break
        assert since == got[-1][2]
    assert (got, pages) == (sent, 16)
    assert since == sent[-1][2]
    assert stack.requests("FETCH", since, 10, 10, "a")[-1][4] == b"0"


def test_fetch_is_limited_by_bytes_but_gives_one(stack):
    stack.broker()
    for i in range(5):
        stack.publish("a", "x" * 1000)
    assert len(stack.requests("FETCH", "earliest", 100, 0, "a")) == 2
    replies = stack.requests("FETCH", "earliest", 100, 2500, "a")
    assert 3 <= len(replies) <= 4
    assert int(replies[-1][4]) == 5 - (len(replies) - 1)


def test_since_of_the_future_and_of_before_history(stack):
    stack.broker()
    id = stack.publish("a", "x")
    future = stack.requests("FETCH", "17592186044415-0", 10, 10, "a")
    assert len(future) == 1
    assert future[0][1].decode() == id
    past = stack.requests("FETCH", "1-0", 10, 10, "a")
    assert len(past) == 2
    assert position(past[-1][2]) > (1, 0), "complete after the broker's start only"


def test_history_is_bounded_and_the_floor_tells(stack):
    stack.broker("--topic-messages=10", "--history-messages=25")
    sent = fill(stack, 300, topics=("a", "b"))
    replies = stack.requests("REPLAY", "earliest", "a", "b")
    assert told(replies) == sent[-20:]
    assert replies[-1][2].decode() == sent[-21][2]
    more = fill(stack, 10, topics=("c",))
    assert told(stack.requests("REPLAY", "earliest", "a", "b", "c")) == sent[-15:] + more
    assert stack.stats()["history"]["messages"] == 25


def test_ttl_and_age(stack):
    stack.broker("--history-age=3s")
    kept = stack.publish("a", "kept")
    gone = stack.publish("a", "gone", {"ttl": 1})
    last = stack.publish("a", "last")
    assert len(stack.requests("REPLAY", "earliest", "a")) == 4

    def payloads():
        return [reply[2] for reply in stack.requests("REPLAY", kept, "a")[:-1]]

    wait_for(lambda: payloads() == [b"last"], "the message with a ttl is gone")
    assert stack.requests("REPLAY", kept, "a")[-1][2].decode() == gone, "and that is said"
    wait_for(lambda: payloads() == [], "all are gone with age")
    assert stack.requests("REPLAY", kept, "a")[-1][2].decode() == last


def test_forgotten_topics_leave_their_position(stack):
    stack.broker("--max-topics=10")
    ids = [stack.publish("topic-%d" % i, "x") for i in range(100)]
    stats = stack.stats()
    assert stats["topics"] <= 10
    forgotten, known = stack.request("SYNC", "", "topic-0\ntopic-99")[3].decode().split("\n")
    # of one connection the least recently used; which of these publishes share a descriptor is the system's choice
    assert known == ids[99] and 89 <= ids.index(forgotten) < 99
    sub = stack.sub("topic-0")
    stack.publish("topic-0", "y")
    assert position(meta(receive(sub, 1)[0][2])["prev"]) >= position(ids[89])


# TOPICS


def test_topics_that_begin_with(stack):
    stack.broker("--max-topics=4")
    publisher = control(stack)  # one, since each makes room among its own

    def publish(topic):
        ok, id = ask(publisher, "PUBLISH", topic, "x")
        assert ok == b"OK"
        return id.decode()

    ids = {topic: publish(topic) for topic in ("a/2", "b", "a/1", "a", "a/1")}

    def listed(since, *prefixes):
        ok, head, forgotten, lines = stack.request("TOPICS", since, *prefixes)
        assert ok == b"OK" and position(head) >= position(ids["a/1"])
        return lines.decode(), position(forgotten)

    assert listed("0-0", "a/")[0] == f"{ids['a/1']} a/1\n{ids['a/2']} a/2\n", "the latest first"
    assert listed("0-0", "")[0].count("\n") == 4
    assert listed(ids["a/2"], "a/2", "b")[0] == f"{ids['b']} b\n"
    assert listed(ids["a/1"], "")[0] == ""
    before = listed("0-0", "")[1]
    assert before < position(ids["a/2"])
    publish("c")
    lines, forgotten = listed("0-0", "")
    assert "a/2" not in lines and forgotten == position(ids["a/2"]), "the least recent has made room"


def test_topics_that_begin_with_some_of_a_hundred(stack):
    stack.broker()
    chance = random.Random(7)

    def text(most):
        return "".join(chance.choice("ab\u00e9") for _ in range(chance.randrange(most))).encode()

    topics = sorted({text(8) for _ in range(500)} - {b""})
    for topic in topics:
        stack.publish(topic, "x")
    for _ in range(200):
        prefixes = [text(6) or b"b" for _ in range(chance.choice([1, 2, 5, 100]))]
        lines = stack.request("TOPICS", "0-0", *prefixes)[3].splitlines()
        assert sorted(line.split(b" ")[1] for line in lines) == [
            topic for topic in topics if topic.startswith(tuple(prefixes))
        ]
    assert len(stack.request("TOPICS", "0-0", "a", "", "b")[3].splitlines()) == len(topics)


def test_topics_that_are_too_many_to_be_listed(stack):
    stack.broker()
    dealer = control(stack)
    names = [(b"%04d" % i).ljust(1000, b"x") for i in range(2000)]
    for name in names:
        dealer.send_multipart([b"PUBLISH", name, b""])
    ids = [reply[1] for reply in receive(dealer, len(names))]
    _, head, forgotten, text = ask(dealer, "TOPICS", "0-0", "")
    lines = [tuple(line.split(b" ")) for line in text.splitlines()]
    assert 1000 <= len(lines) < 1100 and len(text) <= (1 << 20) + 1000
    assert lines == list(zip(ids, names))[: -len(lines) - 1 : -1], "the latest, the last one first"
    assert (head, forgotten) == (ids[-1], ids[-len(lines) - 1]), "nothing after that on those left out"
    _, _, forgotten, text = ask(dealer, "TOPICS", "0-0", "0000")
    assert position(forgotten) < position(ids[0]) and text == ids[0] + b" " + names[0] + b"\n"


# SYNC


def test_sync_answers_once_the_subscription_is_there(stack):
    stack.broker()
    last = stack.publish("a", "x")
    other = stack.publish("b", "x")
    dealer = control(stack)
    dealer.send_multipart([b"SYNC", b"nonce", b"a\nb\nunknown"])
    assert not dealer.poll(200), "nobody has subscribed"
    sub = stack.socket(zmq.SUB, stack.subscribe_endpoint)
    sub.subscribe(b"a")
    sub.subscribe(b"\x01nonce")
    ok, head, dropped, lasts, line = receive(dealer, 1)[0]
    assert (ok, head.decode(), dropped) == (b"OK", other, b"0-0")
    a, b, unknown = lasts.decode().split("\n")
    assert (a, b) == (last, other)
    assert position(unknown) < position(last)
    stack.publish("a", "y")
    assert receive(sub, 1)[0][1] == b"y"
    assert ask(dealer, "SYNC", "nonce", "")[0] == b"OK", "a nonce that came first is remembered"
    assert ask(dealer, "SYNC", "", "")[3] == b""


def test_sync_proves_every_subscription_before_it(stack):
    """The join race: what is published after the answer arrives; prev of the first shows whether there is a hole."""
    stack.broker()
    pub = stack.pub()
    for round in range(50):
        topic = b"race-%d" % round
        sub = stack.socket(zmq.SUB, stack.subscribe_endpoint)
        nonce = b"%d" % round
        for i in range(20):
            pub.send_multipart([topic, b"before %d" % i])
        sub.subscribe(topic)
        sub.subscribe(b"\x01" + nonce)
        ok, head, dropped, last, line = stack.request("SYNC", nonce, topic)
        for i in range(3):
            pub.send_multipart([topic, b"after %d" % i])
        while True:
            message = receive(sub, 1)[0]
            headers = meta(message[2])
            if position(headers["id"]) > position(last):
                assert position(headers["prev"]) <= position(last)
                break
        sub.close()


def test_sync_that_nobody_subscribes_for_expires(stack):
    stack.broker()
    began = time.monotonic()
    assert ask(control(stack), "SYNC", "never", "a")[:2] == [b"ERR", b"internal"]
    assert time.monotonic() - began > 9


# Full queues


def stop_subscriber(stack, topic, rcvhwm=10):
    """A SUB that subscribes, and never reads."""
    sub = stack.socket(zmq.SUB, stack.subscribe_endpoint, rcvhwm=rcvhwm, rcvbuf=4096)
    sub.subscribe(topic)
    sub.subscribe(b"\x01stopped")
    assert stack.request("SYNC", "stopped", "")[0] == b"OK"
    return sub


def test_a_full_queue_loses_for_its_subscriber_alone_and_says_so(stack):
    stack.broker("--subscribe-hwm=1000").log()
    stopped = stop_subscriber(stack, b"a")
    healthy = stack.sub("a", "quiet")
    payload = b"x" * 2000
    dealer = control(stack)
    ids = []
    for block in range(100):
        for i in range(100):
            dealer.send_multipart([b"PUBLISH", b"a", payload])
        ids += [reply[1].decode() for reply in receive(dealer, 100)]
        got = receive(healthy, 100)
        assert [meta(message[2])["id"] for message in got] == ids[-100:], "the healthy one misses nothing"
    stats = stack.stats()["dropped"]
    assert 0 < stats["episodes"] == stats["count"] < 100, "of 10,000 messages nearly all were lost to a queue that is full"
    text = stack.zmq("stat").stdout
    assert f"full queues    {stats['episodes']}, of subscribers that didn't keep up; something was last dropped at " in text
    assert position(stats["position"]) > position(ids[0])
    quiet = stack.publish("quiet", "x")
    headers = meta(receive(healthy, 1)[0][2])
    assert headers["id"] == quiet
    assert position(stats["position"]) <= position(headers["dropped"]) < position(quiet)
    # The stopped one reads on: whole messages, then a hole that prev shows, and the position of the drop.
    wait_for(lambda: drain(stopped) is None and stack.publish("a", "wake") and drain(stopped), "it gets messages again")


def drain(sub):
    """Reads what there is. A message that tells of a drop, if one came."""
    told = None
    while sub.poll(50):
        message = sub.recv_multipart()
        assert len(message) == 3
        if "dropped" in meta(message[2]):
            told = message
    return told


def test_losses_in_silence_move_dropped_on(stack):
    """ZeroMQ answers EAGAIN for the first message that a full queue refuses, and for no later one: a subscriber that
    was complete after the first is told of the later ones all the same."""
    stack.broker("--subscribe-hwm=100")
    stop_subscriber(stack, b"a")
    payload = b"x" * 5000
    wait_for(lambda: stack.publish("a", payload) and stack.stats()["dropped"]["count"] > 0, "its queue is full")
    verified = stack.request("SYNC", "", "")[1]
    lost = stack.publish("a", payload)
    assert position(lost) > position(verified)
    wait_for(lambda: position(stack.request("SYNC", "", "")[2]) >= position(lost), "dropped has moved on")


def test_a_peer_that_never_reads_its_replay_holds_nobody_up(stack):
    stack.broker("--control-hwm=100")
    dealer = control(stack)
    for i in range(2000):
        dealer.send_multipart([b"PUBLISH", b"a", b"x" * 5000])
    receive(dealer, 2000)
    lazy = stack.socket(zmq.DEALER, stack.control_endpoint, linger=0, rcvhwm=10)
    for i in range(20):
        lazy.send_multipart([b"#%d" % i, b"REPLAY", b"earliest", b"a"])
    wait_for(lambda: stack.stats()["jobs"] > 0, "replays wait for their peer")
    assert len(stack.requests("REPLAY", "earliest", "a")) == 2001
    ends = set()
    while len(ends) < 20:
        reply = receive(lazy, 1)[0]
        if reply[1] == b"END":
            ends.add(reply[0])
    assert stack.stats()["jobs"] == 0
    for i in range(20):
        lazy.send_multipart([b"#%d" % i, b"REPLAY", b"earliest", b"a"])
    wait_for(lambda: stack.stats()["jobs"] > 0, "replays wait again")
    lazy.close()
    wait_for(lambda: stack.stats()["jobs"] == 0, "a peer that has gone ends its replays")


def test_peers_that_never_read_their_answers_hold_nobody_up(stack):
    stack.broker("--control-hwm=1")
    names = b"\n".join(b"topic/%d" % i for i in range(10000))
    for _ in range(20):
        lazy = stack.socket(zmq.DEALER, stack.control_endpoint, rcvhwm=1)
        for _ in range(20):
            lazy.send_multipart([b"SYNC", b"", names])
    wait_for(lambda: stack.stats()["unread"] > 100, "answers wait for their peers")
    dealer = control(stack)
    for i in range(100):
        assert ask(dealer, "#%d" % i, "PUBLISH", "a", "x")[:2] == [b"#%d" % i, b"OK"]
    assert stack.stats()["unread"] > 100
    assert [ask(lazy, "PING")[0] for _ in range(2)] == [b"OK"] * 2, "they are still there for who reads late"


def test_the_replays_of_one_peer_leave_room_for_others(stack):
    stack.broker("--control-hwm=10")
    names = [b"topic/%d" % i for i in range(10000)]
    dealer = control(stack)
    for name in names:
        dealer.send_multipart([b"PUBLISH", name, b"x" * 100])
    receive(dealer, len(names))
    lazy = stack.socket(zmq.DEALER, stack.control_endpoint, rcvhwm=10)
    lazy.sndhwm = 0
    for _ in range(250):
        lazy.send_multipart([b"FETCH", b"earliest", b"10000", b"100000000", b"\n".join(names)])
    wait_for(lambda: stack.stats()["requests"]["FETCH"] == 250, "all have been looked at")
    stats = stack.stats()
    assert 50 < stats["jobs"] < 250 and stats["errors"] > 0, "not all find room"
    assert len(stack.requests("FETCH", "earliest", 20000, 100000000, "\n".join(map(bytes.decode, names)))) == 10001


def test_a_replay_keeps_no_more_than_the_topics_that_it_found(stack):
    broker = stack.broker("--control-hwm=1")
    dealer = control(stack)
    for _ in range(200):
        assert ask(dealer, "PUBLISH", "a", "x" * 5000)[0] == b"OK"
    before = broker.pss()
    lazy = stack.socket(zmq.DEALER, stack.control_endpoint, rcvhwm=1)
    for names in (b"a", b"b", b"a\nb"):
        for _ in range(200):
            lazy.send_multipart([b"FETCH", b"earliest", b"1000", b"10000000", b"\n".join([b"a"] + [names] * 4999)])
    wait_for(lambda: stack.stats()["jobs"] > 590, "they wait for their peer")
    if not is_sanitized():
        assert broker.pss() - before < 20_000_000


@pytest.mark.parametrize("verb, limits", [("REPLAY", []), ("FETCH", [3000, 1 << 30])])
def test_what_is_trimmed_while_it_is_replayed_is_said(stack, verb, limits):
    stack.broker("--control-hwm=100", "--topic-messages=2000")
    dealer = control(stack)

    def publish(count):
        for i in range(count):
            dealer.send_multipart([b"PUBLISH", b"a", b"x" * 5000])
        return [reply[1].decode() for reply in receive(dealer, count)]

    sent = publish(2000)
    lazy = stack.socket(zmq.DEALER, stack.control_endpoint, linger=0, rcvhwm=10)
    lazy.send_multipart([verb.encode(), b"earliest", *[str(limit).encode() for limit in limits], b"a"])
    wait_for(lambda: stack.stats()["jobs"] > 0, "the replay waits for its peer")
    publish(1900)
    replies = []
    while not replies or replies[-1][0] == b"MSG":
        replies += receive(lazy, 1)
    got = [id for _, _, id in told(replies)]
    missing = set(sent) - set(got)
    assert missing and sorted(got, key=position) == got
    assert position(replies[-1][2].decode()) == max(map(position, missing)), "complete after the floor"


# What comes from anywhere


def test_random_bytes_on_every_port(stack):
    stack.use_tcp()
    broker = stack.broker()
    generator = random.Random(7)
    for endpoint in (stack.publish_endpoint, stack.subscribe_endpoint, stack.control_endpoint):
        port = int(endpoint.rsplit(":", 1)[1])
        for i in range(30):
            with socket.create_connection(("127.0.0.1", port)) as link:
                greeting = b"\xff\0\0\0\0\0\0\0\1\x7f\3" if i % 2 else b""
                try:
                    link.sendall(greeting + generator.randbytes(generator.randrange(1, 3000)))
                except OSError:
                    pass
    stack.publish("a", "x")
    assert broker.running()


def test_strangers_are_counted_and_logged_at_a_bounded_rate(stack):
    stack.use_tcp()
    broker = stack.broker()
    assert stack.stats()["strangers"] == 0
    for endpoint in (stack.publish_endpoint, stack.subscribe_endpoint, stack.control_endpoint):
        for sent in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 100):
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", int(endpoint.rsplit(":", 1)[1]))) as link:
                    link.sendall(sent)
    wait_for(lambda: stack.stats()["strangers"] == 45, "all of them counted")
    assert 10 <= broker.log().count("without having spoken ZeroMQ") < 45
    with stack.sub("a") as sub:
        stack.publish("a", "x")
        assert receive(sub, 1)
    assert stack.stats()["strangers"] == 45


# -- what libzmq has no bounds for

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)


def zmtp(endpoint, kind):
    """A connection that has said in ZMTP 3.0 what it is, byte by byte."""
    link = socket.socket(socket.AF_UNIX if endpoint.startswith("ipc") else socket.AF_INET)
    link.settimeout(LIMIT)
    link.connect(endpoint[6:] if endpoint.startswith("ipc") else ("127.0.0.1", int(endpoint.rsplit(":", 1)[1])))
    ready = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    link.sendall(GREETING + bytes([4, len(ready)]) + ready)
    said = b""
    while b"READY" not in said:
        said += link.recv(4096)
    return link


def send_until_cut(link, bytes, times):
    """Sends until the connection is ended; how many times it could."""
    for sent in range(times):
        try:
            link.sendall(bytes)
        except (BrokenPipeError, ConnectionResetError):
            return sent
    return times


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
@pytest.mark.parametrize("role", ["publish", "control", "subscribe"])
def test_a_message_of_endless_frames(stack, role, kind):
    """Each empty frame takes 64 bytes in libzmq, for two on the wire, and none is seen before the last."""
    if kind == "tcp":
        stack.use_tcp()
    broker = stack.broker()
    dealer = control(stack)
    assert ask(dealer, "PING")[0] == b"OK"
    before = broker.pss()
    endpoint = {"publish": stack.publish_endpoint, "control": stack.control_endpoint, "subscribe": stack.subscribe_endpoint}[role]
    with zmtp(endpoint, {"publish": b"PUB", "control": b"DEALER", "subscribe": b"SUB"}[role]) as link:
        assert send_until_cut(link, b"\x01\x00" * 50_000, 240) < 240  # 24 MB would be 743 MiB
    assert broker.pss() - before < 50 << 20
    wait_for(lambda: stack.stats()["cut"] == 1, "it is counted")
    broker.wait_log(f"{role} endpoint: .* sent a message of too many frames: its connection is cut")
    assert stack.publish("a", "x")


def test_a_message_of_endless_bytes(stack):
    """Each frame is as large as it may be, and there is always another."""
    broker = stack.broker("--max-payload=1M")
    before = broker.pss()
    with zmtp(stack.publish_endpoint, b"PUB") as link:
        frame = b"\x03" + (1 << 20).to_bytes(8, "big") + b"x" * (1 << 20)
        assert send_until_cut(link, frame, 200) < 200
    assert broker.pss() - before < 50 << 20
    broker.wait_log("publish endpoint: .* sent a message that is too large: its connection is cut")
    assert stack.publish("a", "x" * (1 << 20))


def test_subscriptions_without_number(stack):
    """Of one peer, however it ends and begins them; another has as many."""
    broker = stack.broker("--max-subscriptions=1000")
    before = broker.pss()

    def subscriptions(first, count):
        names = [b"topic/%d" % number for number in range(first, first + count)]
        return b"".join(bytes([0, 1 + len(name), 1]) + name for name in names)

    with zmtp(stack.subscribe_endpoint, b"SUB") as good, zmtp(stack.subscribe_endpoint, b"SUB") as link:
        good.sendall(subscriptions(0, 1000))
        wait_for(lambda: stack.stats()["subscriptions"] == 1000, "they are there")
        sent = 0
        try:
            for sent in range(0, 2_000_000, 1000):
                link.sendall(subscriptions(5000 + sent, 1000))
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 1_990_000
        broker.wait_log("subscribe endpoint: .* sent more than max-subscriptions: its connection is cut")
        wait_for(lambda: stack.stats()["subscriptions"] == 1000, "those of the other are left")
        assert broker.pss() - before < 50 << 20
        stack.publish("topic/7", "for the good one")
        end = time.monotonic() + LIMIT
        text = b""
        while b"for the good one" not in text and time.monotonic() < end:
            text += good.recv(65536)
        assert b"for the good one" in text


def test_out_of_descriptors_is_said(stack):
    """Who is connected goes on, and the others get in by themselves once there is room."""
    stack.use_tcp()
    broker = stack.broker(limit_fds=64)
    dealer = control(stack)
    assert ask(dealer, "PING")[0] == b"OK"
    crowd = [stack.context.socket(zmq.DEALER) for _ in range(60)]
    for peer in crowd:
        peer.linger = 0
        peer.connect(stack.control_endpoint)
        peer.send(b"PING")
    broker.wait_log("out of descriptors")
    assert ask(dealer, "PING")[0] == b"OK"
    assert json.loads(ask(dealer, "STATS")[1])["out_of_files"] >= 1
    used, began = broker.cpu(), time.monotonic()
    time.sleep(3)  # nothing is waited for: this is how long it is looked at
    assert broker.cpu() - used < (time.monotonic() - began) / 8, "to be out of descriptors costs a core"
    for peer in crowd:
        peer.close()
    assert stack.publish("a", "x")
    late = control(stack)
    assert ask(late, "PING")[0] == b"OK"
    assert json.loads(ask(late, "STATS")[1])["out_of_files"] >= 1


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_who_waits_for_a_descriptor_gets_one(stack, kind):
    """Again and again: whoever leaves makes room for one that waits, on each endpoint."""
    if kind == "tcp":
        stack.use_tcp()
    broker = stack.broker(limit_fds=64)
    dealer = control(stack)
    assert ask(dealer, "PING")[0] == b"OK"
    crowd = []
    for endpoint, type in ((stack.control_endpoint, zmq.DEALER), (stack.subscribe_endpoint, zmq.SUB), (stack.publish_endpoint, zmq.PUB)):
        for _ in range(30):
            crowd.append(stack.context.socket(type))
            crowd[-1].linger = 0
            crowd[-1].connect(endpoint)
    broker.wait_log("out of descriptors")
    for peer in crowd[:80]:
        peer.close()
    for _ in range(2):
        late = control(stack)
        assert ask(late, "PING")[0] == b"OK"
        with stack.sub("a") as sub:
            stack.publish("a", "x")
            assert receive(sub, 1)
    for peer in crowd[80:]:
        peer.close()


def test_messages_of_random_frames(stack):
    """Frames from a small alphabet of what means something, on all three endpoints."""
    broker = stack.broker("--max-payload=100")
    words = [b"", b"#1", b"PUBLISH", b"REPLAY", b"FETCH", b"SYNC", b"STATS", b"REPORT", b"PING", b"a", b"a\nb", b"1-1",
             b"earliest", b"\x01n", b"\x00", b"\x01", b"0", b"5", b"{}", b"id: 1", b"ttl: 0", b"x" * 200, b"\xff" * 9]  # fmt: skip
    generator = random.Random(11)
    dealer = control(stack)
    xsub = stack.socket(zmq.XSUB, stack.subscribe_endpoint)
    pub = stack.pub()
    pub.sndhwm = 0
    for i in range(3000):
        frames = [generator.choice(words) for _ in range(generator.randrange(1, 7))]
        generator.choice((dealer, xsub, pub)).send_multipart(frames)
    sync = stack.request("SYNC", "", "a")
    assert sync[0] == b"OK"
    wait_for(lambda: stack.stats()["errors"] > 100 and stack.stats()["refused"] > 100, "refusals are counted")
    assert broker.running()


def test_a_frame_larger_than_any_costs_its_connection_only(stack):
    broker = stack.broker("--max-payload=1000")
    sub = stack.sub("a")
    pub = stack.socket(zmq.PUB, stack.publish_endpoint)
    pub.send_multipart([b"a", b"x" * 100000])
    dealer = control(stack)
    dealer.send_multipart([b"PUBLISH", b"a", b"x" * (20 << 20)])
    stack.publish("a", "fine")
    assert receive(sub, 1)[0][1] == b"fine"
    assert broker.running()


# The program


def test_stats(stack):
    stack.broker()
    stack.publish("a", "12345")
    stack.requests("REPLAY", "earliest", "a")
    assert stack.request("REPORT", "fcgi.0", json.dumps({"clients": 7})) == [b"OK"]
    sub = stack.sub("a", "b")
    stats = wait_for(lambda: (s := stack.stats())["subscriptions"] == 2 and s, "its nonce is unsubscribed")
    assert (stats["received"], stats["published"], stats["bytes"], stats["replayed"]) == (1, 1, 5, 1)
    assert stats["topics"] == 2, "a, and b, which isn't forgotten while somebody subscribes to it"
    assert stats["version"] and stats["uptime"] > 0
    assert stats["workers"] == {"fcgi.0": {"clients": 7}}
    assert (stats["history"]["kind"], stats["history"]["state"], stats["history"]["messages"]) == ("memory", "ok", 1)
    assert stats["requests"]["REPLAY"] == 1
    assert set(stats["rates"]) == {"received", "published"}
    sub.close()
    wait_for(lambda: stack.stats()["subscriptions"] == 0, "the subscriptions are gone")


def test_reports_come_back_as_they_were_and_are_bounded(stack):
    stack.broker()
    assert stack.stats()["workers"] == {}
    odd = {"\"é\\": {"clients": 7}, "deep": {"a": json.loads("[" * 31 + "]" * 31)}, "spaced": {"b": [1.5, None]}}
    dealer = control(stack)
    for name, report in odd.items():
        assert ask(dealer, "REPORT", name, json.dumps(report, indent=2)) == [b"OK"]
    assert stack.stats()["workers"] == odd
    large = {"a": "x" * 60000}
    answers = [ask(dealer, "REPORT", "large.%d" % i, json.dumps(large)) for i in range(100)]
    kept = answers.count([b"OK"])
    assert 60 < kept < 80 and answers[-1][:2] == [b"ERR", b"busy"]
    assert len(stack.stats()["workers"]) == kept + len(odd)
    assert ask(dealer, "REPORT", "large.0", json.dumps(large)) == [b"OK"], "one takes the place of its last one"
    assert ask(dealer, "REPORT", "large.0", "{}") == [b"OK"]
    assert ask(dealer, "REPORT", "large.99", json.dumps(large)) == [b"OK"]
    workers = stack.stats()["workers"]
    assert workers["large.0"] == {} and workers["large.99"] == large


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_within_five_seconds_and_leaves_nothing(stack, number):
    broker = stack.broker()
    sub = stack.sub("a")
    dealer = control(stack)
    for i in range(1000):
        dealer.send_multipart([b"PUBLISH", b"a", b"%d" % i])
    receive(dealer, 1)
    began = time.monotonic()
    assert broker.stop(number) == 0
    assert time.monotonic() - began < 5
    answered = 1
    while dealer.poll(200):
        answered += dealer.recv_multipart()[0] == b"OK"
    assert answered == 1000, "what was sent before is answered"
    assert [message[1] for message in receive(sub, 1000)] == [b"%d" % i for i in range(1000)]
    assert not [path for path in stack.folder.iterdir() if path.is_socket()]


def test_a_reload_changes_the_limits(stack):
    config = stack.config_file()
    config.write_text(config.read_text() + "broker\n    topic-messages = 100\n")
    broker = stack.broker(f"--config={config}")
    fill(stack, 200, topics=("a",))
    assert stack.stats()["history"]["messages"] == 100
    config.write_text(config.read_text().replace("topic-messages = 100", "topic-messages = 5"))
    broker.send_signal(signal.SIGHUP)
    broker.wait_log("reloaded")
    wait_for(lambda: stack.publish("a", "x") and stack.stats()["history"]["messages"] == 5, "the new limit holds")
    config.write_text(config.read_text().replace("topic-messages = 5", "topic-messages = nonsense"))
    broker.send_signal(signal.SIGHUP)
    broker.wait_log("not reloaded")
    assert stack.stats()["history"]["messages"] == 5


def refused(stack, *options):
    """Starts a broker that must not start; its exit status and its complaint."""
    done = run("zcast-broker", *options, check=False)
    lines = [line for line in done.stderr.splitlines() if " info " not in line]
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


def test_an_endpoint_in_use_is_one_clear_line(stack):
    for kind in ("ipc", "tcp"):
        if kind == "tcp":
            stack.use_tcp()
        broker = stack.broker()
        status, line = refused(stack, *stack.endpoints())
        assert status == 1
        assert stack.control_endpoint in line and "in use" in line
        assert stack.publish("a", "still there")
        broker.stop()


def test_an_endpoint_without_right_is_one_clear_line(stack):
    status, line = refused(stack, *stack.endpoints()[:2], "--control=ipc:///nonexistent/folder/control")
    assert status == 1
    assert "/nonexistent/folder/control" in line


def test_a_stale_socket_file_is_replaced(stack):
    broker = stack.broker()
    broker.kill()
    assert [path for path in stack.folder.iterdir() if path.is_socket()]
    stack.broker()
    assert stack.publish("a", "x")


def test_endpoints_beyond_this_machine_need_insecure(stack):
    port = free_port()
    for address in ("0.0.0.0", "*"):
        status, line = refused(stack, *stack.endpoints()[:2], f"--control=tcp://{address}:{port}")
        assert status == 2
        assert "CURVE" in line and "insecure" in line and f"tcp://{address}:{port}" in line
    stack.control_endpoint = f"tcp://127.0.0.1:{port}"
    argv = ["zcast-broker", *stack.endpoints()[:2], f"--control=tcp://0.0.0.0:{port}", "--insecure"]
    stack.start("zcast-broker", argv, ready=stack.broker_answers)


def test_a_port_is_chosen_where_none_is_given(stack):
    broker = stack.start("zcast-broker", ["zcast-broker", *stack.endpoints()[:2], "--control=tcp://127.0.0.1:*"])
    stack.control_endpoint = broker.wait_log(r"control endpoint (tcp://127\.0\.0\.1:\d+)").group(1)
    assert stack.request("PING")[0] == b"OK"


def test_bad_options(stack):
    for option in ("--history=bogus", "--history-messages=many", "--nix", "--publish=nonsense"):
        status, line = refused(stack, option)
        assert status == 2, option
        assert option.split("=")[0].lstrip("-") in line


def test_notifies_systemd(stack):
    path = str(stack.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(LIMIT)
        broker = stack.broker(env={"NOTIFY_SOCKET": path})
        assert b"READY=1" in notify.recv(1000)
        broker.stop()
        assert b"STOPPING=1" in notify.recv(1000)


def test_no_descriptor_is_left_over(stack):
    broker = stack.broker()
    stack.publish("a", "x")
    before = broker.fds()
    for i in range(50):
        sub = stack.sub("a")
        stack.publish("a", "x")
        receive(sub, 1)
        sub.close()
    wait_for(lambda: broker.fds() <= before, "the descriptors are back")
