"""The parsers of the Python client: bytes in, frames out, without a socket."""

import ast
import datetime
import json
import math
import random

import pytest

import wheel


@pytest.fixture(scope="module", autouse=True)
def package():
    """Not on import: where it can't be had, these tests fail, and no others."""
    global zcast, errors, events, frames, stream
    zcast = wheel.load()
    errors, events, frames, stream = (wheel.load(f"zcast.{name}") for name in ("errors", "events", "frames", "stream"))


def parse(data, *cuts):
    parser = events.EventParser()
    made = []
    for begin, end in zip([0, *cuts], [*cuts, len(data)]):
        made += parser.feed(data[begin:end])
    return [tuple(event) for event in made], parser.retry


# WHATWG HTML §9.2.6, and what its examples show
STREAMS = [
    (b"data: a\n\n", [("message", "a", "")]),
    (b"data: a\r\rdata: b\r\n\r\n", [("message", "a", ""), ("message", "b", "")]),
    (b"data: a\n\r\ndata: b\r\n\n", [("message", "a", ""), ("message", "b", "")]),
    (b"data: a\r\ndata: b\r\n\r\n", [("message", "a\nb", "")]),
    (b"\xef\xbb\xbfdata: a\n\n", [("message", "a", "")]),
    (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),  # one mark only
    (b"\n\xef\xbb\xbfdata: a\n\n", []),  # at the beginning only
    (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "")]),
    (b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n", [("message", "first event", "1"), ("message", "second event", "")]),
    (b"data\n\ndata\ndata\n\ndata:", [("message", "", ""), ("message", "\n", "")]),
    (b"data:test\n\ndata: test\n\n", [("message", "test", ""), ("message", "test", "")]),
    (b"event: add\ndata: 7\n\ndata: 8\n\n", [("add", "7", ""), ("message", "8", "")]),
    (b"event: add\n\ndata: 8\n\n", [("message", "8", "")]),  # a block without data is no event, and its type is forgotten
    (b"id: 1\n\ndata: a\n\n", [("message", "a", "1")]),  # but not its id
    (b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n", [("message", "a", "1"), ("message", "b", "1")]),
    (b"id: 1\ndata: a\n\nid\ndata: b\n\n", [("message", "a", "1"), ("message", "b", "")]),
    (b"data: a\nid: 1", []),  # cut off
    (b"data: a\nid: 1\n", []),
    (b"Data: a\nDATA: b\n data: c\ndata : d\nfoo: e\n\n", []),
    (b"data: \xff\xc3\n\n", [("message", "\ufffd\ufffd", "")]),
    (b"data: a\0b\x0bc\x0cd\xc2\x85e\xe2\x80\xa8f\n\n", [("message", "a\0b\x0bc\x0cd\x85e\u2028f", "")]),  # no ends of lines
    (b"data: a:b: c\n\n", [("message", "a:b: c", "")]),
    ("data: gr\u00fc\u00df \u2603 \U0001f600\n\n".encode(), [("message", "gr\u00fc\u00df \u2603 \U0001f600", "")]),
    (b"", []),
    (b"\r\n\r\n\n\n\r\r", []),
]


@pytest.mark.parametrize("data, expected", STREAMS)
def test_event_streams(data, expected):
    assert parse(data)[0] == expected
    for cut in range(len(data) + 1):
        assert parse(data, cut)[0] == expected, cut
    assert parse(data, *range(len(data)))[0] == expected


@pytest.mark.parametrize(
    "value, expected",
    [(b"100", 100), (b"0", 0), (b"007", 7), (b"", None), (b"-1", None), (b"1.5", None), (b"1 ", None), (b" 1", None), (b"+1", None), (b"1e3", None), ("\u0661".encode(), None)],
)
def test_retry(value, expected):
    assert parse(b"retry: " + value + b"\n\n")[1] == expected
    assert parse(b"retry: 5\nretry: " + value + b"\n")[1] == (5 if expected is None else expected)


def test_an_event_has_a_limit():
    parser = events.EventParser(limit=100)
    for _ in range(10):
        assert len(parser.feed(b"data: " + b"x" * 80 + b"\n\n")) == 1
    with pytest.raises(ValueError):
        parser.feed(b"data: " + b"x" * 101)
    parser = events.EventParser(limit=100)
    with pytest.raises(ValueError):
        for _ in range(100):
            parser.feed(b"data: xxxxx\n")


def test_a_stream_cut_at_random():
    draw = random.Random(7)
    for _ in range(300):
        pieces = [b"data: a", b"data:", b"id: 5", b"id: \0", b"event: x", b": c", b"retry: 3", "data: \u2603".encode(), b"\xef\xbb\xbf", b"data: \xe2\x98", b""]
        data = b"".join(draw.choice(pieces) + draw.choice([b"\n", b"\r", b"\r\n", b"\n\n"]) for _ in range(draw.randrange(20)))
        cuts = sorted(draw.randrange(len(data) + 1) for _ in range(draw.randrange(8)))
        assert parse(data, *cuts) == parse(data), (data, cuts)


def said(**words):
    return frames.parse_frame(json.dumps(words))


def test_frames():
    assert said(id="1-0", topic="a", event="price", data="x") == zcast.Message("a", "x", "price", "1-0")
    assert said(id="1-0", topic="a", event="message", base64="AP8=", eventId="own") == zcast.Message("a", b"\0\xff", "message", "1-0", "own")
    gap = {"status": "gap", "since": "1-0", "from": "5-0", "replayed": 0}
    assert said(id="6-0", topic="", event="zcast.continuity", data=json.dumps(gap)) == frames.Verdict("6-0", zcast.Gap("1-0", "5-0", "6-0"))
    assert said(id="6-0", topic="", event="zcast.continuity", data='{"status":"continued","since":"1-0","replayed":2}') == frames.Verdict("6-0", None)
    assert said(topic="a", event="zcast.continuity", data='{"status":"gap"}').topic == "a"  # a publisher's, if a broker let it through
    assert said(type="heartbeat", id="7-0") == frames.Said("heartbeat", "7-0")
    assert said(type="something-new").kind == "heartbeat"
    assert said(type="reconnect", after=1500).after == 1.5
    assert said(type="subscribed", topics=["a", "b"], id="8-0") == frames.Said("subscribed", "8-0", topics=("a", "b"))
    error = said(type="error", code="forbidden", message="no", ref="add")
    assert (error.ref, error.refusal.status, error.refusal.code, error.refusal.message) == ("add", 403, "forbidden", "no")
    assert said(topic="", event="zcast.stale", data='{"status":"stale"}').kind == "stale"
    assert said(topic="", event="zcast.stale", data='{"status":"live"}').kind == "live"
    end = frames.parse_event(events.Event("zcast.end", '{"code":"token","message":"it has expired"}', "9-0"))
    assert (end.kind, end.refusal.status, end.refusal.code, end.refusal.message) == ("end", 401, "token", "it has expired")
    end = frames.parse_event(events.Event("zcast.end", '{"code":"dropped","message":"by an operator"}', "9-0"))  # it may come back
    assert (end.refusal.status, end.refusal.code, end.refusal.is_final) == (429, "dropped", False)


BAD = ["", "x", "[]", "1", "null", '"a"', "{}", '{"topic":1}', '{"topic":"a"}', '{"topic":"a","data":1}', '{"topic":"a","base64":"%"}', '{"topic":"a","data":"x","id":3}']
BAD += ['{"topic":"","event":"zcast.continuity","data":"x"}', '{"topic":"","event":"zcast.continuity","data":"{}"}', '{"type":"subscribed"}', "[" * 100000]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_is_no_frame_is_refused(text):
    with pytest.raises(zcast.Refused) as refusal:
        frames.parse_frame(text)
    assert refusal.value.code == "frame" and len(str(refusal.value)) < 300


def test_whatever_comes_is_a_frame_or_refused():
    draw = random.Random(11)
    names = ["status", "since", "from", "type", "topic", "event", "id", "data", "base64", "eventId", "after", "topics", "code", "message", "ref"]
    words = ["", "a", "1-0", "heartbeat", "reconnect", "error", "subscribed", "zcast.continuity", "zcast.stale", "zcast.end", '{"status":"gap"}', "{}", "[]"]

    def value():
        return draw.choice([draw.choice(words), "gap", None, True, -1, 1e400, 10**30, [], ["a", 1], {}])

    kinds = set()
    for _ in range(5000):
        text = json.dumps({draw.choice(names): value() for _ in range(draw.randrange(7))})
        text = text if draw.random() < 0.9 else text[: draw.randrange(len(text))]
        try:
            kinds.add(type(frames.parse_frame(text)))
        except zcast.Refused:
            kinds.add(zcast.Refused)
        for type_ in ("zcast.continuity", "zcast.stale", "zcast.end", "zcast.new", "message"):
            try:
                kinds.add(type(frames.parse_event(events.Event(type_, text, "1-0"))))
            except zcast.Refused:
                kinds.add(zcast.Refused)
    assert kinds == {zcast.Message, frames.Verdict, frames.Said, zcast.Refused}


@pytest.mark.parametrize(
    "status, headers, body, expected",
    [
        (400, {"Content-Type": "application/json"}, b'{"code":"topic","message":"no topic"}', ("topic", "no topic", None)),
        (403, {"Content-Type": "text/plain; charset=utf-8"}, b"not for you\n", ("forbidden", "not for you", None)),
        (429, {"Content-Type": "text/plain", "Retry-After": "7"}, b"slowly", ("limit", "slowly", 7.0)),
        (502, {"Content-Type": "text/html"}, b"<h1>Bad Gateway</h1>", ("http", "status 502", None)),
        (418, {"Content-Type": "application/json"}, b"[1", ("http", "status 418", None)),
        (418, {"Content-Type": "application/json"}, b"[1]", ("http", "status 418", None)),
        (503, {}, b"\xff", ("busy", "status 503", None)),
    ],
)
def test_refusals(status, headers, body, expected):
    refusal = errors.read_refusal(status, headers, body)
    assert (refusal.code, refusal.message, refusal.retry_after) == expected and refusal.status == status
    assert refusal.is_final == (status in (400, 403, 418))


def test_retry_after():
    now = datetime.datetime(2026, 11, 28, 12, 0, 0, tzinfo=datetime.timezone.utc)
    good = {"0": 0, "120": 120, "Sat, 28 Nov 2026 12:00:30 GMT": 30, "Sat, 28 Nov 2026 11:00:00 GMT": 0, "99999999999": 86400}
    assert {text: errors.read_retry_after(text, now) for text in good} == good
    for text in (None, "", "-1", "1.5", "soon", "Sat, 99 Nov 2026 12:00:30 GMT", "\u0661", "9" * 5000 + "x"):
        assert errors.read_retry_after(text, now) is None


def test_addresses():
    assert frames.address("https://example.org/app/", "/events", "sse", [("topic", "a&b=ü +/#%")]) == "https://example.org/events?topic=a%26b%3D%C3%BC%20%2B%2F%23%25"
    assert frames.address("https://example.org", "/ws", "ws", []) == "wss://example.org/ws"
    assert frames.address("wss://example.org", "/events?a=b", "sse", [("c", "d")]) == "https://example.org/events?a=b&c=d"
    assert frames.address("http://[::1]:8080/", "ws://other.example/x", "ws", []) == "ws://other.example/x"
    for bad in ("", "example.org", "ftp://example.org", "http://", "http://example.org:x/", "http://example.org:99999/"):
        with pytest.raises(ValueError):
            frames.address(bad, "/events", "sse", [])


@pytest.mark.parametrize("bad", [[], [""], ["a\n"], ["a\x7f"], ["\x85"], ["x" * 1025], ["\u00fc" * 513], ["\ud800"], [1], [None]])
def test_topics_that_cannot_be(bad):
    with pytest.raises(ValueError):
        zcast.connect("http://127.0.0.1:1", bad)


def test_options_that_cannot_be():
    for name, value in {"silence": -1, "backoff": math.inf, "patience": "1", "queue": 0, "transport": "tcp"}.items():
        with pytest.raises(ValueError, match=name):
            zcast.connect("http://127.0.0.1:1", ["a"], **{name: value})
    assert zcast.connect("http://127.0.0.1:1", "a").topics == ["a"]


def test_when_a_token_ends():
    def token(claims):
        return "x." + frames.base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".y"

    assert frames.token_end(token({"exp": 1795478400})) == 1795478400
    for text in ("", "a.b", "a.%%.c", token({}), token([]), token({"exp": "x"}), token({"exp": None}), "zck_abc", "a.\u00fc.c"):
        assert frames.token_end(text) == math.inf


def test_backoff():
    longest = [stream.backoff_delay(failures, 1, 30, lambda: 1) for failures in range(8)]
    assert longest == [1, 2, 4, 8, 16, 30, 30, 30] and stream.backoff_delay(10**6, 1, 30, lambda: 0.5) == 15
    assert stream.backoff_delay(3, 1, 30, lambda: 0) == 0


def test_what_the_package_is():
    place = wheel.build()
    (metadata,) = place.glob("installed/zcast-*.dist-info/METADATA")
    text = metadata.read_text()
    assert "Name: zcast\n" in text and "Requires-Python: >=3.9\n" in text
    assert [line for line in text.splitlines() if line.startswith("Requires-Dist:")] == ["Requires-Dist: aiohttp >=3.8,<4"]
    version = (wheel.SOURCE / "configure.ac").read_text().split("AC_INIT([zcast], [")[1].split("]")[0]
    assert f"Version: {version}\n" in text
    assert (place / "installed/zcast/py.typed").exists()
    for path in (place / "installed/zcast").glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 9))
