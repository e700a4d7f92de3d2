"""Topics that begin with `$zcast/` are zcast's own: nobody publishes to them, by whatever door, and no door shows them."""

import json

import pytest

from http11 import Http
from stack import wait_for
from test_access import make_token
from test_fcgi_start import Cgi
from test_publish import NDJSON, WAYS, Door
from test_redis import bridge, client as redis_client
from wsraw import FIN, TEXT, Raw, head

OWN = "$zcast/ready/x"


@pytest.mark.parametrize("way", WAYS)
def test_publish(stack, way):
    stack.broker()
    door = Door(stack, way)
    for query, body, fields in [
        ("topic=%24zcast/ready/x", b"x", {}),
        ("topic=$zcast/", b"x", {}),
        ("", b"x", {"Zcast_Topic": OWN}),
        ("", b"topic=%24zcast/a&data=x", {"Content_Type": "application/x-www-form-urlencoded"}),
        ("", json.dumps({"topic": OWN, "data": "x"}).encode(), NDJSON),
    ]:
        answer = door.post(query, body, **fields)
        assert answer.status == 403 and "zcast's own" in answer.body, (query, fields)
    assert door.post("topic=%24zcast", b"theirs").id, "another topic"
    assert stack.stats()["published"] == 1


def test_streams(stack):
    stack.broker()
    stack.ws().wait_log("broker: connected")
    stack.fcgi().wait_log("broker: connected")
    stack.nginx()
    for port in (stack.ws_port, stack.web_port):
        with Http(port) as client:
            status, _, text = client.ask("/events?topic=a&topic=%24zcast/ready/x")
            assert status == 403 and b"zcast's own" in text
    cgi = Cgi(stack, query="topic=%24zcast/ready/x")
    assert cgi.process.stdout.read().startswith(b"Status: 403 ")


def test_websocket(stack):
    stack.broker()
    stack.ws("--allow-publish").wait_log("broker: connected")
    with Raw(stack.ws_port) as raw:
        raw.send(head("/ws?topic=%24zcast/ready/x"))
        assert raw.response()[0] == 403
    with Raw(stack.ws_port) as raw:
        raw.open("/ws?topic=%24zcast/ready/x", Sec_WebSocket_Protocol="zcast.v1")
        assert raw.read_close()[0] == 4403
    with Raw(stack.ws_port) as raw:
        raw.open("/ws", Sec_WebSocket_Protocol="zcast.v1")
        for command in ({"type": "subscribe", "topics": ["a", OWN]}, {"type": "publish", "topic": OWN, "data": "x"}):
            raw.frame(FIN | TEXT, json.dumps(command).encode())
            assert json.loads(raw.read_message()[1])["code"] == "forbidden"
    assert stack.stats()["published"] == 0


def test_a_token_for_everything_is_none_for_these(stack, key):
    stack.broker()
    token = make_token("make", "--key", key, "--subscribe", "*", "--publish", "*")
    stack.ws("--tokens=all", f"--token-keys={key}").wait_log("broker: connected")
    bearer = {"Authorization": f"Bearer {token}"}
    for path, method in (("/events?topic=%24zcast/ready/x", "GET"), ("/publish?topic=%24zcast/ready/x", "POST")):
        with Http(stack.ws_port) as client:
            assert client.ask(path, method, body=b"x" if method == "POST" else b"", **bearer)[0] == 403


def test_zeromq(stack):
    """The broker refuses them, and goes on; a worker's own canary comes back."""
    stack.broker()
    stack.ws().wait_log("broker: connected")
    refused = stack.stats()["refused"]
    pub = stack.pub()
    for frames in ([OWN.encode(), b"x"], [OWN.encode(), b"x", b"key: a\n"], [f"{OWN} x".encode()]):
        pub.send_multipart(frames)
    pub.send_multipart([b"a", b"behind"])
    wait_for(lambda: stack.stats()["refused"] == refused + 3, "all are counted")
    assert stack.request("PUBLISH", OWN, b"x")[:2] == [b"ERR", b"forbidden"]
    assert stack.request("PUBLISH", OWN, b"x", b"via: redis\n")[:2] == [b"ERR", b"forbidden"]
    wait_for(lambda: stack.stats()["published"] == 1, "what came behind them is published")
    with Http(stack.ws_port) as client:
        assert client.ask("/ready")[0] == 200


def test_redis(stack):
    stack.redis()
    stack.broker()
    stack.ws().wait_log("broker: connected")
    bridge(stack, "-P", "*", "--outgoing", "*")
    heard = redis_client(stack).pubsub()
    heard.psubscribe("zcast:*")
    heard.get_message(timeout=60)
    redis_client(stack).publish(OWN, "x")
    stack.wait_report("redis", lambda report: report["refused"] == 1, "it is counted")
    with Http(stack.ws_port) as client:
        wait_for(lambda: client.ask("/ready")[0] == 200, "a canary has come back")
    stack.publish("a", "behind it")
    while (message := heard.get_message(timeout=60)) and b"behind it" not in message["data"]:
        assert OWN[:7].encode() not in message["channel"], message
    assert message
