"""The line of positions: positions of two orders are never taken for one another, and a broker that is late says so."""

import threading
import time

import pytest
import zmq

from stack import position, run, wait_for
from test_broker import ask, control
from test_broker_disk import FAKETIME, on_disk, preloaded

DAY = 86400


def in_file(stack, **how):
    return stack.broker(f"--position-file={stack.folder}/position", **how)


def plain(stack, **how):
    return stack.broker(**how)


def line(stack):
    return stack.request("SYNC", "", "")[4].decode()


def ahead(seconds):
    return f"{int((time.time() + seconds) * 1000)}-0"


def sync(stack, of, have):
    return [part.decode() for part in stack.request("SYNC", "", "", of, have)]


def clock_behind(stack, seconds):
    return {**preloaded(stack, FAKETIME), "CLOCK_OFFSET": str(-seconds)}


@pytest.mark.parametrize("begin, lasts", [(plain, False), (in_file, True), (on_disk, True)])
@pytest.mark.parametrize("how", ["kill", "stop"])
def test_the_line_lasts_as_long_as_the_order(stack, begin, lasts, how):
    broker = begin(stack)
    before, ids = line(stack), [stack.publish("a", str(i)) for i in range(3)]
    assert line(stack) == before and stack.stats()["line"] == before
    getattr(broker, how)()
    begin(stack, env=clock_behind(stack, 3600))
    assert (line(stack) == before) == lasts
    after = position(stack.publish("a", "x"))
    assert (after > position(ids[-1])) == lasts
    if how == "stop" and lasts:
        assert after == position(ids[-1])[:1] + (position(ids[-1])[1] + 1,) or after[0] > position(ids[-1])[0]


def test_the_file_is_for_one_broker(stack):
    in_file(stack)
    done = run("zcast-broker", "--publish=tcp://127.0.0.1:*", "--subscribe=tcp://127.0.0.1:*", "--control=tcp://127.0.0.1:*",
               f"--position-file={stack.folder}/position", check=False)  # fmt: skip
    assert done.returncode == 1
    assert "another broker" in done.stderr and f"{stack.folder}/position" in done.stderr


@pytest.mark.parametrize("begin", [plain, on_disk])
def test_a_broker_that_is_behind_says_so(stack, begin):
    begin(stack)
    id, ours = stack.publish("a", "x"), line(stack)
    assert sync(stack, ours, id)[0] == "OK"
    late = ahead(1)
    assert sync(stack, ours, late)[:2] == ["ERR", "behind"]
    before = time.monotonic()
    dealer = control(stack)
    dealer.send_multipart([b"#1", b"FETCH", late.encode(), b"10", b"1000", b"a", ours.encode()])
    while not dealer.poll(10):
        assert stack.request("PING")[0] == b"OK", "others are answered meanwhile"
    assert dealer.recv_multipart()[:3] == [b"#1", b"ERR", b"behind"]
    assert time.monotonic() - before >= 1
    assert stack.request("FETCH", late, "10", "1000", "a")[0] == b"END", "an older worker is answered as ever"
    assert stack.request("FETCH", id, "10", "1000", "a", "another")[:2] == [b"ERR", b"line"]


def test_a_fetch_waits_for_what_is_about_to_come(stack):
    stack.broker()
    ours, dealer = line(stack), control(stack)
    for since in (ahead(0.5), ahead(100)):
        dealer.send_multipart([b"#" + since.encode(), b"FETCH", since.encode(), b"10", b"1000", b"a", ours.encode()])
    while not dealer.poll(50):
        stack.publish("a", "x")
    tag, verb = dealer.recv_multipart()[:2]
    assert verb in (b"MSG", b"END") and not tag.startswith(b"#" + ahead(100)[:10].encode())


def test_what_workers_have_raises_the_clock(stack):
    stack.broker(env=clock_behind(stack, 3600))
    have = ahead(0)
    assert position(stack.publish("a", "x")) < position(have)
    reply = sync(stack, "1-0.another", have)
    assert reply[0] == "OK" and reply[4] == line(stack) and position(reply[5]) > position(have)
    assert position(stack.publish("a", "y")) > position(have)


@pytest.mark.parametrize("of", ["ours", "1-0.another"])
def test_what_is_far_off_is_not_believed(stack, of):
    stack.broker()
    stack.publish("a", "x")
    for have in (ahead(2 * DAY), "17592186044415-1048575"):
        sync(stack, line(stack) if of == "ours" else of, have)
        assert position(stack.publish("a", "y"))[0] < (time.time() + DAY) * 1000
        assert sync(stack, of, "1-0")[5] == "0-0"


def test_what_a_client_brings_is_not_believed(stack):
    stack.broker()
    stack.ws()
    stack.web_port = stack.ws_port
    for forged in ("17592186044415-1048575", "17592186044415-0", ahead(3600)):
        client = stack.sse("a", headers={"Last-Event-ID": forged})
        event = client.wait_event(lambda event: event.event == "zcast.continuity")
        assert event.json()["status"] == "gap"
        assert position(stack.publish("a", "x"))[0] < (time.time() + 60) * 1000
        client.wait(1)


def test_a_clock_that_is_behind(stack):
    """The broker lost its history, and its clock is two seconds behind; a worker stood still meanwhile. What its clients
    had counts on another line, so what comes on this one isn't taken for old, nor for the next, and all of it comes."""
    broker = stack.broker()
    worker = stack.ws()
    stack.web_port = stack.ws_port
    stays, leaves = stack.sse("t"), stack.sse("t")
    for client in (stays, leaves):
        client.wait_open()
    last = stack.publish("t", "before")
    for client in (stays, leaves):
        client.wait(1)
    leaves.close()
    worker.pause()
    broker.kill()
    stack.broker(env=clock_behind(stack, 2))
    sent = []
    while not sent or position(sent[-1]) < position(last):
        sent.append(stack.publish("t", f"old {len(sent)}"))
        time.sleep(0.05)
    sent += [stack.publish("t", f"new {i}") for i in range(25)]
    worker.resume()
    gap = stays.wait_event(lambda event: event.event == "zcast.continuity").json()
    assert gap["status"] == "gap" and gap["since"] == last
    stays.wait(1 + len(sent))
    assert [event.id for event in stays.messages()][1:] == sent, "all that there is, once"
    back = stack.sse("t", headers={"Last-Event-ID": last})
    assert back.wait_event(lambda event: event.event == "zcast.continuity").json()["status"] == "gap"
    # what is of this line goes on without
    more = stack.publish("t", "more")
    on = stack.sse("t", headers={"Last-Event-ID": more})
    assert on.wait_event(lambda event: event.event == "zcast.continuity").json()["status"] == "continued"


def test_no_gap_where_nothing_was_lost(stack):
    """A quiet topic, a broker with memory history that is stopped and comes back: its worker knows that nothing was lost."""
    broker = in_file(stack)
    stack.ws("--heartbeat=1s")
    stack.web_port = stack.ws_port
    client = stack.sse("quiet", format="zcast.v1")
    client.wait_open()
    stack.publish("quiet", '"x"')
    client.wait(1)
    last = stack.publish("other", "x")
    client.wait_event(lambda event: event.id == last)  # a heartbeat: the worker has asked about it
    broker.stop()
    in_file(stack)
    stack.publish("quiet", '"y"')
    client.wait(2)
    assert not [event for event in client.events if event.event == "zcast.continuity"]


class OldBroker(threading.Thread):
    """The control endpoint of a broker of the last release, made from one of today's."""

    def __init__(self, stack, endpoint):
        super().__init__(daemon=True)
        self.stopping = False
        self.refused = 0
        self.context = zmq.Context()
        self.front = self.context.socket(zmq.ROUTER)
        self.front.bind(endpoint)
        self.back = {}
        self.endpoint = stack.control_endpoint

    def take(self):
        who, tag, verb, *rest = self.front.recv_multipart()
        if verb in (b"SYNC", b"FETCH") and len(rest) > {b"SYNC": 2, b"FETCH": 4}[verb]:
            self.refused += 1
            self.front.send_multipart([who, tag, b"ERR", b"arguments", b"SYNC nonce topics"])
            return
        if who not in self.back:
            self.back[who] = self.context.socket(zmq.DEALER)
            self.back[who].connect(self.endpoint)
        self.back[who].send_multipart([tag, verb, *rest])

    def run(self):
        while not self.stopping:
            poller = zmq.Poller()
            for socket in (self.front, *self.back.values()):
                poller.register(socket, zmq.POLLIN)
            ready = dict(poller.poll(50))
            if self.front in ready:
                self.take()
            for who, socket in self.back.items():
                if socket in ready:
                    tag, verb, *rest = socket.recv_multipart()
                    self.front.send_multipart([who, tag, verb, *(rest[:3] if verb == b"OK" else rest)])
        self.context.destroy(linger=0)


def test_an_older_broker(stack):
    stack.broker()
    endpoint = f"ipc://{stack.folder}/old"
    old = OldBroker(stack, endpoint)
    old.start()
    stack.closers.append(lambda: setattr(old, "stopping", True))
    stack.ws(f"--control={endpoint}")
    stack.web_port = stack.ws_port
    sub = stack.start("sub", ["zmq", "sub", f"--subscribe={stack.subscribe_endpoint}", f"--control={endpoint}", "--since=earliest", "t"])
    client = stack.sse("t")
    client.wait_open()
    wait_for(lambda: stack.stats()["subscriptions"] >= 2, "both have subscribed")
    first = stack.publish("t", "first")
    client.wait(1)
    sub.wait_log("first")
    client.close()
    stack.publish("t", "second")
    back = stack.sse("t", headers={"Last-Event-ID": first})
    back.wait(1)
    verdict = back.events[0].json()  # without what the worker hasn't heard of yet, which follows live
    assert (verdict["status"], verdict["since"]) == ("continued", first)
    sub.wait_log("second")
