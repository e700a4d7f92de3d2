"""The Python client, from its wheel, against real workers: what it is given is one unbroken run of messages, or a gap is stated."""

import asyncio
import base64
import contextlib
import gc
import hashlib
import hmac
import json
import random
import re
import socket
import ssl
import struct
import time
import warnings

import pytest

import wheel
from stack import LIMIT, connections, position, run, wait_for


@pytest.fixture(scope="module", autouse=True)
def package():
    """Not on import: where it can't be had, these tests fail, and no others."""
    global zcast, web
    zcast = wheel.load()
    from aiohttp import web


KINDS = ["sse", "ws"]
FAST = {"backoff": 0.05, "max_backoff": 0.2, "patience": LIMIT, "silence": LIMIT}


def site(port):
    return f"http://127.0.0.1:{port}"


def connect(stack, topics="a", port=None, **options):
    return zcast.connect(site(port or stack.ws_port), topics, **{**FAST, **options})


def go(stack, test):
    """Runs an asynchronous test; nothing of it may be left behind."""

    async def whole():
        await asyncio.wait_for(test, 2 * LIMIT)
        return asyncio.all_tasks() - {asyncio.current_task()}

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert asyncio.run(whole()) == set(), "tasks are left"
        gc.collect()
    assert [str(warning.message) for warning in said if issubclass(warning.category, (ResourceWarning, RuntimeWarning))] == []
    wait_for(lambda: not connections(f":{stack.ws_port}"), "no connection is left")


async def until(condition, what=""):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, what or condition
        await asyncio.sleep(0.005)


async def take(stream, count):
    items = []
    while len(items) < count:
        items.append(await stream.__anext__())
    return items


def texts(items):
    return [item if isinstance(item, zcast.Gap) else item.data for item in items]


@pytest.fixture
def ready(stack):
    stack.broker()
    stack.worker = stack.ws("--allow-publish", "--retry=100ms")
    stack.worker.wait_log("broker: connected")
    return stack


@pytest.mark.parametrize("kind", KINDS)
def test_messages(ready, kind):
    """As published; the stream stands when it is entered."""

    async def test():
        states = []
        async with connect(ready, ["a", "b/ü &+%"], transport=kind, on_state=lambda status: states.append(status.state)) as stream:
            assert (stream.state, stream.transport, stream.topics) == ("open", kind, ["a", "b/ü &+%"])
            id = ready.publish("a", "text ☃\n\r\n", {"event": "price", "id": "own"})
            ready.publish("b/ü &+%", b"\0\xff")
            ready.publish("c", "for others")
            ready.publish("a", "")
            first, second, third = await take(stream, 3)
            assert first == zcast.Message("a", "text ☃\n\r\n", "price", id, "own")
            assert (second.topic, second.data, second.event, second.event_id) == ("b/ü &+%", b"\0\xff", "message", None)
            assert third.data == "" and stream.last_id == third.id
        assert states == ["connecting", "open", "closed"] or states == ["open", "closed"]
        with pytest.raises(StopAsyncIteration):
            await stream.__anext__()

    go(ready, test())


def test_what_its_readme_shows(ready):
    """In a process of its own, with nothing but the wheel and aiohttp."""
    shown, publishing = re.findall(r"^```python\n(.*?)^```$", (wheel.CLIENT / "README.md").read_text(), re.M | re.S)
    more = publishing.replace("token=token", "key='k'").replace("id = ", "    print('published', ") .rstrip() + ")\n"
    text = shown.replace("asyncio.run(main())", f"async def publish():\n    await asyncio.sleep(0)\n{more}\nasync def both():\n    reader = asyncio.ensure_future(main())\n    await publish()\n    await reader\n")
    text = text.replace("topics=", "since='earliest', topics=").replace("print(item.topic, item.data)", "print(item.topic, item.data, item.event); return")
    text = (text + "\nasyncio.run(both())\n").replace("https://www.example.org", site(ready.ws_port))
    said = run("/usr/bin/python3", "-W", "error", "-c", text, env={"PYTHONPATH": str(wheel.build() / "installed")}).stdout.splitlines()
    assert sorted(said)[0] == "news Water is back report" and re.fullmatch(r"published \d+-\d+", sorted(said)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_history_and_resume(ready, kind):
    ids = [ready.publish("a", number) for number in range(5)]

    async def test():
        async with connect(ready, transport=kind, since="earliest") as stream:
            assert texts(await take(stream, 5)) == list("01234")
        async with connect(ready, transport=kind, since=ids[2], queue=1) as stream:
            assert stream.last_id == ids[2]
            assert texts(await take(stream, 1)) == ["3"] and stream.last_id == ids[3]
        async with connect(ready, transport=KINDS[kind == "sse"], since=stream.last_id) as stream:  # across transports
            ready.publish("a", 5)
            assert texts(await take(stream, 2)) == ["4", "5"]

    go(ready, test())


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_comes_back(ready, kind):
    async def test():
        async with connect(ready, transport=kind) as stream:
            ready.publish("a", "before")
            assert texts(await take(stream, 1)) == ["before"]
            ready.worker.kill()
            await until(lambda: stream.state == "waiting")
            assert stream.status.error and stream.status.delay is not None
            ready.publish("a", "missed")
            ready.ws()
            assert texts(await take(stream, 1)) == ["missed"]
            await until(lambda: stream.state == "open" and stream.status.attempt == 0)

    go(ready, test())


@pytest.mark.parametrize("kind", KINDS)
def test_a_gap_is_stated(stack, kind):
    """What is gone from history is an item, before what is left."""
    stack.broker("--topic-messages=3")
    stack.ws().wait_log("broker: connected")
    ids = [stack.publish("a", number) for number in range(10)]

    async def test():
        async with connect(stack, transport=kind, since=ids[1]) as stream:
            gap, *left = await take(stream, 4)
            assert isinstance(gap, zcast.Gap) and (gap.since, gap.from_) == (ids[1], ids[6]) and texts(left) == list("789")
        async with connect(stack, transport=kind, since="unheard-of") as stream:
            assert isinstance((await take(stream, 1))[0], zcast.Gap)
        async with connect(stack, transport=kind, since=ids[8]) as stream:
            assert texts(await take(stream, 1)) == ["9"]

    go(stack, test())


@pytest.mark.parametrize("kind", KINDS)
def test_topics_come_and_go(ready, kind):
    async def test():
        async with connect(ready, transport=kind) as stream:
            await stream.add("b", "a", "c")
            assert stream.topics == ["a", "b", "c"]
            for topic in "abc":
                ready.publish(topic, topic)
            assert texts(await take(stream, 3)) == list("abc")
            await stream.remove("a", "c")
            for topic in "acb":
                ready.publish(topic, topic + "2")
            assert texts(await take(stream, 1)) == ["b2"]
            await stream.remove("b")
            await until(lambda: stream.state == "idle")
            ready.publish("b", "to nobody")
            await stream.add("b")
            assert stream.state == "open"
            ready.publish("b", "b3")
            assert texts(await take(stream, 1)) == ["b3"]
            with pytest.raises(ValueError):
                await stream.add("")

    go(ready, test())


def test_the_transport_changes_in_the_middle(ready):
    async def test():
        async with connect(ready) as stream:
            for number in range(200):
                ready.publish("a", number)
                if number % 40 == 20:
                    stream.use(["ws", "sse", "auto"][number // 40 % 3])
            assert texts(await take(stream, 200)) == [str(number) for number in range(200)]
            stream.use("ws")
            await until(lambda: (stream.transport, stream.state) == ("ws", "open"))
            with pytest.raises(ValueError):
                stream.use("tcp")

    go(ready, test())


def test_auto_takes_the_transport_that_works(ready):
    async def test():
        for paths, kind in (({"sse": "/nothing"}, "ws"), ({"ws": "/nothing"}, "sse"), ({"sse": "http://127.0.0.1:1/events"}, "ws")):
            async with connect(ready, **paths) as stream:
                assert stream.transport == kind
                ready.publish("a", "x")
                assert texts(await take(stream, 1)) == ["x"]
        with pytest.raises(zcast.Refused) as refusal:
            async with connect(ready, sse="/nothing", ws="/nothing"):
                pass
        assert refusal.value.status == 404 and refusal.value.is_final

    go(ready, test())


@pytest.mark.parametrize("kind", KINDS)
def test_who_reads_slowly_holds_the_stream_up(ready, kind):
    """No more is read than the queue takes, and nothing is lost by that."""
    count, payload = 2000, "x" * 2000

    async def test():
        async with connect(ready, transport=kind, queue=4, silence=0.2) as stream:
            for number in range(count):
                ready.publish("a", f"{number} {payload}")
            await asyncio.sleep(0.5)  # longer than `silence`
            assert stream._queue.qsize() <= 4
            got = await take(stream, count)
            assert [int(text.split()[0]) for text in texts(got)] == list(range(count))

    go(ready, test())


def test_a_silent_connection_is_given_up(ready):
    """One that says nothing, and one that has stopped; nobody is told by the network."""

    async def test():
        async with Proxy(ready.ws_port) as proxy:
            proxy.plan = [(0, "stall"), (0, "stall"), (1500, "stall")]
            async with connect(ready, port=proxy.port, transport="sse", patience=0.5, silence=1) as stream:
                assert proxy.connections >= 3
                for number in range(30):
                    ready.publish("a", f"{number} {'x' * 100}")
                assert [int(text.split()[0]) for text in texts(await take(stream, 30))] == list(range(30))
                assert proxy.connections >= 4

    go(ready, test())


class Proxy:
    """Passes connections on, each by the next line of its plan: after so many bytes of the server's, `cut` (a reset), `end` (in order)
    or `stall`; without a plan for ever."""

    def __init__(self, target, tls=None):
        self.target = target
        self._tls = tls
        self.plan = []
        self.connections = 0
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await asyncio.gather(*self._tasks)  # their clients are gone

    async def _accept(self, reader, writer):
        self.connections += 1
        self._tasks.add(asyncio.current_task())
        left, how = self.plan.pop(0) if self.plan else (float("inf"), "")
        await relay(reader, writer, self.target, left, how)
        self._tasks.discard(asyncio.current_task())


async def relay(reader, writer, target, left=float("inf"), how=""):
    """Passes on what both say, until one leaves or the server has said so many bytes."""
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
    up = asyncio.ensure_future(carry(reader, far_writer, float("inf")))
    down = asyncio.ensure_future(carry(far_reader, writer, left))
    await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
    if how == "stall":
        await asyncio.wait({up})  # until the client gives up
    elif how == "cut":
        with contextlib.suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for task in (up, down):
        task.cancel()
    await asyncio.gather(up, down, return_exceptions=True)
    for each in (writer, far_writer):
        each.close()
        with contextlib.suppress(OSError):
            await each.wait_closed()


async def carry(reader, writer, left):
    while left > 0 and (data := await reader.read(int(min(left, 65536)))):
        left -= len(data)
        writer.write(data)
        await writer.drain()


class Site:
    """A server that answers as it is told: `answers` are functions of a request, one for each, and the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []  # (when, request)
        self.bodies = []

    async def __aenter__(self):
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    async def _answer(self, request):
        self.asked.append((time.monotonic(), request))
        self.bodies.append(await request.read())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


def stream(*blocks, stays=True):
    """An event stream of these blocks."""

    async def answer(request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for block in blocks:
            await response.write(block.encode() + b"\n\n")
        while stays:
            await asyncio.sleep(0.05)
            await response.write(b": on\n")
        return response

    return answer


def refusal(status, text="no", **headers):
    async def answer(request):
        return web.Response(status=status, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def block(id, **about):
    return f"data: {json.dumps({'id': id, **about})}\nid: {id}"


HEARTBEAT = "event: zcast.heartbeat\ndata:{}\nid: 1-0"


def verdict(id, **about):
    return f"event: zcast.continuity\ndata: {json.dumps(about)}\nid: {id}"


def alone(test, **options):
    """A test against a Site; returns what it has seen."""

    async def whole():
        await asyncio.wait_for(test, LIMIT)

    asyncio.run(whole())


def reach(site, topics="a", **options):
    return connect(None, topics, port=site.port, transport="sse", **options)


def test_what_is_said_in_a_running_stream():
    blocks = [HEARTBEAT, block("2-0", topic="a", data="x"), verdict("4-0", status="gap", since="2-0", **{"from": "3-0"}, topic="a"), block("5-0", topic="a", data="y")]
    stale = "event: zcast.stale\ndata: {\"status\":\"stale\"}\nid: 5-0"

    async def test():
        async with Site(stream(*blocks, stale)) as site, reach(site) as stream_:
            first, gap, second = await take(stream_, 3)
            assert (first.data, gap, second.data) == ("x", zcast.Gap("2-0", "3-0", "4-0", "a"), "y")
            await until(lambda: stream_.state == "stale")

    alone(test())


def test_the_server_says_when_to_come_back():
    """By retry:, by Retry-After; and with neither the backoff."""

    async def test():
        answers = [stream("retry: 300\n" + HEARTBEAT, stays=False), refusal(429, Retry_After="1"), stream("retry: 200\n", stays=False), stream(verdict("1-0", status="continued", since="1-0", replayed=0))]
        async with Site(*answers) as site, reach(site) as one:
            await until(lambda: len(site.asked) == 4 and one.state == "open")
            pauses = [after - before for (before, _), (after, _) in zip(site.asked, site.asked[1:])]
            assert pauses[0] >= 0.3 and pauses[1] >= 1 and pauses[2] >= 0.2, pauses
            assert [request.query.get("last-event-id") for _, request in site.asked] == [None, "1-0", "1-0", "1-0"]

    alone(test())


def test_a_stream_that_does_not_say_how_it_resumes():
    """Something on the way took the id out: messages that follow it aren't taken for the next ones."""

    async def test():
        wrong = stream("event: zcast.heartbeat\ndata:{}\nid: 9-0", block("9-1", topic="a", data="too late"))
        right = stream(verdict("1-0", status="continued", since="1-0", replayed=1), block("2-0", topic="a", data="next"))
        async with Site(wrong, wrong, right) as site, reach(site, since="1-0") as one:
            assert texts(await take(one, 1)) == ["next"] and len(site.asked) == 3

    alone(test())


@pytest.mark.parametrize(
    "answer, status, code",
    [
        (refusal(403, "not for you"), 403, "forbidden"),
        (refusal(401), 401, "token"),
        (refusal(200, "<h1>Welcome</h1>"), 404, "type"),
        (stream(HEARTBEAT, "data: what is this?"), 0, "frame"),
    ],
)
def test_what_is_refused_is_raised(answer, status, code):
    async def test():
        async with Site(answer) as site:
            with pytest.raises(zcast.Refused) as refused:
                async with reach(site) as one:
                    await take(one, 1)
            assert (refused.value.status, refused.value.code) == (status, code) and refused.value.message
            assert len(site.asked) == 1

    alone(test())


def test_what_was_added_is_refused_alone(stack, key):
    stack.broker()
    stack.ws("--tokens=all", f"--token-keys={key}").wait_log("broker: connected")

    async def test():
        for kind in KINDS:
            async with connect(stack, transport=kind, token=token(key, 3600)) as one:
                with pytest.raises(zcast.Refused) as refused:
                    await one.add("forbidden")
                assert refused.value.status == 403 and one.topics == ["a"]
                await until(lambda: one.state == "open")
                await one.add("b")
                for topic in "ab":
                    stack.publish(topic, kind)
                items = await take(one, 2)
                while items[0].data != kind:  # `b` from where the stream was
                    items = [*items[1:], *await take(one, 1)]
                assert [(item.topic, item.data) for item in items] == [("a", kind), ("b", kind)]

    go(stack, test())


def token(key, seconds, **more):
    """A JSON Web Token (HS256) of the key in a file."""
    claims = {"sub": "ann", "exp": int(time.time()) + seconds, "zcast": {"subscribe": ["a", "b"], "publish": ["a"]}, **more}
    words = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    sign = hmac.new(key.read_text().strip().encode(), b".".join(words), hashlib.sha256).digest()
    return b".".join([*words, base64.urlsafe_b64encode(sign).rstrip(b"=")]).decode()


@pytest.mark.parametrize("kind", KINDS)
def test_tokens(stack, key, kind):
    """As text, and of a function that is asked before the token ends, and after it was refused."""
    stack.broker()
    stack.ws("--tokens=all", f"--token-keys={key}", "--allow-publish").wait_log("broker: connected")
    given = []

    async def ask():
        await asyncio.sleep(0)
        given.append(token(key, 2 if len(given) < 2 else 3600))
        return given[-1]

    async def test():
        for bad in (None, "no.token.at all", token(key, -10)):
            with pytest.raises(zcast.Refused) as refused:
                async with connect(stack, transport=kind, token=bad):
                    pass
            assert refused.value.status == 401 and "token" in str(refused.value)
        async with connect(stack, transport=kind, token=ask) as one:
            stack.publish("a", "1")
            await until(lambda: len(given) >= 3)
            await until(lambda: one.state == "open")
            await one.publish("a", "2")
            assert texts(await take(one, 2)) == ["1", "2"]

    go(stack, test())


def test_a_token_is_asked_for_again_once_it_was_refused():
    """One that was good before; a new one that is refused is refused for good. A stream that ends with its token goes on with another."""
    end = 'event: zcast.end\ndata: {"code":"token","message":"it has expired"}\nid: 1-0'
    whole = verdict("1-0", status="continued", since="1-0", replayed=0)
    given = []

    def ask():
        given.append(f"t{len(given)}")
        return given[-1]

    async def test():
        async with Site(stream(HEARTBEAT, stays=False), refusal(401), stream(whole, end), stream(whole, stays=False), refusal(401)) as site:
            with pytest.raises(zcast.Refused) as refused:
                async with reach(site, token=ask) as one:
                    await take(one, 1)
            assert refused.value.status == 401
            assert [request.headers["Authorization"] for _, request in site.asked] == [f"Bearer t{number}" for number in (0, 0, 1, 2, 2, 3)]

    alone(test())


def test_a_token_that_cannot_be_had_now(ready):
    asked = []

    def ask():
        asked.append(1)
        if len(asked) < 3:
            raise OSError("the door of tokens is closed")
        if len(asked) == 4:
            raise KeyError("a mistake")
        return "x"

    async def test():
        async with connect(ready, transport="sse", token=ask, sse="/nothing"):
            pass

    async def whole():
        with pytest.raises(zcast.Refused):  # with its third token, since nothing is there
            await test()
        with pytest.raises(KeyError):
            await test()

    go(ready, whole())


def test_publishing(ready):
    async def test():
        at = site(ready.ws_port)
        async with connect(ready, ["a"]) as one:
            first = await zcast.publish(at, "a", "text ☃", event="price", id="own", ttl=60)
            assert await zcast.publish(at, "a", "text ☃", event="price", id="own") == first
            trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            second = await one.publish("a", b"\0\xff", key="k", traceparent=trace)
            items = await take(one, 2)
            assert [item.traceparent for item in items] == [None, trace]
            assert [(item.id, item.data, item.event, item.event_id) for item in items] == [(first, "text ☃", "price", "own"), (second, b"\0\xff", "message", None)]
            with pytest.raises(zcast.Refused) as refused:
                await one.publish("a", "another", key="k")
            assert (refused.value.status, refused.value.code) == (409, "conflict") and refused.value.message
            with pytest.raises(zcast.Refused) as refused:
                await zcast.publish(at, "a", "x", event="zcast.mine")
            assert refused.value.status == 400
            with pytest.raises(ValueError):
                await zcast.publish(at, "", "x")

    go(ready, test())


def test_what_is_sent_again_is_published_once(ready):
    """The answer is lost, twice: by a reset, and while the connection says nothing; under one key."""

    async def test():
        async with Proxy(ready.ws_port) as proxy:
            proxy.plan = [(0, "cut"), (10, "end"), (40, "cut")]
            id = await zcast.publish(site(proxy.port), "a", "once", backoff=0.01)
            assert proxy.connections == 4 and position(id)
            assert ready.stats()["published"] == 1

    go(ready, test())


def test_publishing_waits_for_what_passes():
    async def fine(request):
        return web.json_response({"id": "5-0"})

    async def test():
        async with Site(refusal(503, Retry_After="1"), refusal(429), refusal(502, "<h1>"), fine) as site_:
            assert await zcast.publish(site(site_.port), "a", "x", backoff=0.01) == "5-0"
            (first, _), (second, _), *_ = site_.asked
            assert second - first >= 1
            keys = {request.headers["Idempotency-Key"] for _, request in site_.asked}
            assert len(site_.asked) == 4 and len(keys) == 1 and set(site_.bodies) == {b"x"}
        async with Site(refusal(503)) as site_:
            with pytest.raises(zcast.Refused) as refused:
                await zcast.publish(site(site_.port), "a", "x", backoff=0.01, timeout=0.1)
            assert refused.value.status == 503
        with pytest.raises(asyncio.TimeoutError):
            await zcast.publish("http://127.0.0.1:1", "a", "x", backoff=0.01, timeout=0.1)

    alone(test())


def test_given_up_while_it_opens(ready):
    """Cancelled before the stream stands, in the middle of an iteration, and with messages that wait."""

    async def test():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(connect(ready, port=1).__aenter__(), 0.2)
        for kind in KINDS:
            async with connect(ready, transport=kind) as one:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(one.__anext__(), 0.05)
                ready.publish("a", "still here")
                assert texts(await take(one, 1)) == ["still here"]
                waiting = asyncio.ensure_future(one.__anext__())
                await asyncio.sleep(0)
                await one.close()
                with pytest.raises(StopAsyncIteration):
                    await waiting
                assert one.state == "closed"
                with pytest.raises(RuntimeError):
                    await one.add("b")
            async with connect(ready, transport=kind, queue=1):
                for number in range(20):
                    ready.publish("a", number)
                await asyncio.sleep(0.05)

    go(ready, test())


@pytest.mark.parametrize("kind", KINDS)
def test_through_a_proxy_with_tls(ready, kind):
    """An HTTP proxy, and a TLS context for a certificate of our own."""
    certificate = ready.folder / "site.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost", "-keyout", certificate.with_suffix(".key"), "-out", certificate)  # fmt: skip
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, certificate.with_suffix(".key"))

    async def connected(reader, writer):
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode())
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await relay(reader, writer, secure.port)

    asked = []

    async def test():
        nonlocal secure
        async with Proxy(ready.ws_port, server) as secure:
            tunnel = await asyncio.start_server(connected, "127.0.0.1", 0)
            how = {"proxy": site(tunnel.sockets[0].getsockname()[1]), "ssl": ssl.create_default_context(cafile=str(certificate))}
            async with zcast.connect(f"https://localhost:{secure.port}", "a", transport=kind, **FAST, **how) as one:
                await one.publish("a", "x")
                assert texts(await take(one, 1)) == ["x"]
            assert asked == [f"CONNECT localhost:{secure.port} HTTP/1.1"] * 2
            tunnel.close()

    secure = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.11's own, of TLS that is closed
        asyncio.run(asyncio.wait_for(test(), LIMIT))


@pytest.mark.parametrize("kind, messages", [("sse", 10000), ("ws", 10000), ("auto", 10000), ("auto", 8)])
def test_torture(stack, kind, messages):
    """A network that cuts, ends and stalls connections at any byte, a transport and topics that change, and with a short history
    gaps: what is given increases strictly, and where it has a hole, a gap was stated."""
    stack.broker(f"--topic-messages={messages}")
    worker = stack.ws("--retry=100ms")
    worker.wait_log("broker: connected")
    seed = random.randrange(10**6)
    draw = random.Random(seed)
    last = 800

    async def publish():
        for number in range(last + 1):
            stack.publish("a", number)
            if number % 100 == 0:
                stack.publish("b", number)
            await asyncio.sleep(0.0005)

    async def test():
        async with Proxy(stack.ws_port) as proxy:
            proxy.plan = [(draw.choice([draw.randrange(300), draw.randrange(3000), draw.randrange(30000)]), draw.choice(["cut", "end"])) for _ in range(40)]
            for place in draw.sample(range(20), 3):
                proxy.plan[place] = (proxy.plan[place][0], "stall")
            got, gaps, before = [], 0, -1
            async with connect(stack, ["a", "b"], port=proxy.port, transport=kind, since="earliest", patience=0.5, silence=0.5, backoff=0.01) as stream:
                publisher = asyncio.ensure_future(publish())
                async for item in stream:
                    assert not got or position(item.id) >= position(got[-1]), (seed, item)
                    if isinstance(item, zcast.Gap):
                        gaps += 1
                        before = None
                    else:
                        assert not got or position(item.id) > position(got[-1]) or before is None, (seed, item)
                        if item.topic == "a":
                            number = int(item.data)
                            assert number == before + 1 if before is not None else True, (seed, before, item)
                            before = number
                            if number % 200 == 150:
                                await stream.add("c")
                            if number % 200 == 50:
                                await stream.remove("c")
                            if kind == "auto" and number % 300 == 100:
                                stream.use(draw.choice(["sse", "ws", "auto"]))
                            if number == last:
                                break
                    got.append(item.id)
                await publisher
            assert proxy.connections > 3
            assert messages < 100 or gaps == 0

    go(stack, test())
