"""Revoked tokens: connections end everywhere, nobody comes in with one any more, and no restart forgets it."""

import http.client
import signal
import subprocess
import time

import pytest

from stack import BUILD, SseClient, WsClient, wait_for
from test_access import secret, token  # noqa: F401 (a fixture)
from test_brokers import Pair


def options(secret):  # noqa: F811
    return "--tokens=all", f"--token-keys=first={secret}", "--access=wall/=public"


def bearer(word):
    return {"Authorization": f"Bearer {word}"}


def sse(port, word, topic="t"):
    return SseClient(f"http://127.0.0.1:{port}/events?topic={topic}", headers=bearer(word) if word else {})


def ws(port, word):
    return WsClient(f"ws://127.0.0.1:{port}/ws?topic=t", subprotocols=["zcast.v1", f"zcast.token.{word}"])


def ask(stack, word, topic="t"):
    """The status of a stream's request to zcast-ws, and the beginning of the stream."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.ws_port, timeout=60)
    connection.request("GET", f"/events?topic={topic}", headers=bearer(word))
    answer = connection.getresponse()
    first = answer.read1(100)
    connection.close()
    return answer.status, first


def status(stack, word):
    return ask(stack, word)[0]


def ended(client, code="revoked"):
    return client.wait_event(lambda event: event.event == "zcast.end" and event.json()["code"] == code)


def later_token(secret, *words):  # noqa: F811
    """One that was issued in a later second than any before."""
    now = int(time.time())
    wait_for(lambda: int(time.time()) > now, "the next second")
    return token(secret, *words)


def begun(*clients):
    for client in clients:
        client.wait_open()


def test_a_subject(stack, secret):  # noqa: F811
    """Its connections end on every carrier, each is told why; others' go on, and a token that is issued later is good."""
    stack.broker(f"--history=lmdb:{stack.folder}/history")
    stack.ws(*options(secret))
    stack.fcgi(*options(secret))
    stack.nginx()
    ann = token(secret, "--subject", "ann", "--subscribe", "*")
    bob = token(secret, "--subject", "bob", "--subscribe", "*")
    streams = [sse(stack.ws_port, ann), sse(stack.web_port, ann)]
    talk = ws(stack.ws_port, ann)
    others = [sse(stack.ws_port, bob), sse(stack.web_port, bob), sse(stack.ws_port, None, "wall/1")]
    begun(*streams, talk, *others)
    stack.zmq("revoke", "--subject", "ann")
    for stream in streams:
        ended(stream)
    talk.wait_closed()
    assert talk.close_code == 4401 and "revoked" in talk.close_reason
    assert status(stack, ann) == 401
    assert status(stack, later_token(secret, "--subject", "ann", "--subscribe", "*")) == 200
    stack.publish("t", "on")
    for other in others[:2]:
        other.wait_event(lambda event: event.data == "on")
    assert stack.zmq("revoke", "--list").stdout.startswith("subject ann since 2")


@pytest.mark.parametrize("kind, name", [("key", "first"), ("token", "nr-1")])
def test_a_key_and_a_token(stack, secret, kind, name):  # noqa: F811
    stack.broker(f"--revocations={stack.folder}/revoked")
    stack.ws(*options(secret))
    word = token(f"first={secret}", "--subscribe", "*", "--claim", 'jti="nr-1"')
    other = token(f"first={secret}", "--subscribe", "*", "--claim", 'jti="nr-2"')
    stream = sse(stack.ws_port, word)
    begun(stream)
    stack.zmq("revoke", f"--{kind}", name)
    ended(stream)
    assert status(stack, word) == 401
    assert status(stack, other) == (200 if kind == "token" else 401)
    stack.zmq("revoke", f"--{kind}", name, "--undo")
    wait_for(lambda: status(stack, word) == 200, "it is good again")
    assert stack.zmq("revoke", "--list").stdout == ""


def test_restarts(stack, secret):  # noqa: F811
    """Of the broker and of the worker; and a worker that has no list lets no token in, but others."""
    history = f"--history=lmdb:{stack.folder}/history"
    broker = stack.broker(history)
    worker = stack.ws(*options(secret))
    ann = token(secret, "--subject", "ann", "--subscribe", "*")
    assert status(stack, ann) == 200
    stack.zmq("revoke", "--subject", "ann", "--for", "1h")
    wait_for(lambda: status(stack, ann) == 401, "it is revoked")
    broker.kill()
    worker.stop()
    stack.ws(*options(secret))
    assert ask(stack, ann)[1].startswith(b": busy\nretry: "), "it is told to come back"
    begun(sse(stack.ws_port, None, "wall/1"))
    stack.broker(history)
    wait_for(lambda: status(stack, ann) == 401, "the worker has the list")
    listed = stack.zmq("revoke", "--list").stdout
    assert listed.startswith("subject ann since ") and " until " in listed


def test_an_upgrade(stack, secret):  # noqa: F811
    """A client that a new binary has taken over is still its token's; what is revoked meanwhile, too."""
    stack.broker(f"--revocations={stack.folder}/revoked")
    worker = stack.ws(*options(secret))
    clients = {name: sse(stack.ws_port, token(secret, "--subject", name, "--subscribe", "*")) for name in ("ann", "bob")}
    begun(*clients.values())
    wait_for(lambda: all(client.events for client in clients.values()), "they are served")
    worker.send_signal(signal.SIGUSR2)
    stack.zmq("revoke", "--subject", "bob")
    worker.wait_log("upgrade: complete")
    ended(clients["bob"])
    stack.zmq("revoke", "--subject", "ann")
    ended(clients["ann"])


def test_without_a_file(stack):
    """What the broker would forget is refused; to undo is not."""
    stack.broker()
    done = stack.zmq("revoke", "--subject", "ann", check=False)
    assert done.returncode != 0 and "revocations" in done.stderr
    assert stack.request("INSTRUCT", '{"do":"restore","subject":"ann"}')[0] == b"OK"


def test_a_bad_file(stack):
    path = stack.folder / "revoked"
    path.write_text('{"do":"revoke","subject":"ann","at":1}\nx\n')
    words = [f"--{name}=ipc://{stack.folder}/{name}" for name in ("publish", "subscribe", "control")]
    done = subprocess.run([BUILD / "broker/zcast-broker", *words, f"--revocations={path}"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and f"{path}:2: an instruction is one JSON object" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        '{"do":"revoke"}',
        '{"do":"revoke","subject":""}',
        '{"do":"revoke","subject":"a","key":"b"}',
        '{"do":"revoke","subject":1}',
        '{"do":"revoke","subject":"a\\n"}',
        '{"do":"revoke","subject":"' + "a" * 257 + '"}',
        '{"do":"revoke","subject":"a","at":"now"}',
        '{"do":"revoke","subject":"a","until":-1}',
    ],
)
def test_bad_revocations(stack, text):
    stack.broker(f"--revocations={stack.folder}/revoked")
    assert stack.request("INSTRUCT", text)[:2] == [b"ERR", b"arguments"]
    assert not (stack.folder / "revoked").exists()


def test_one_log(stack, secret):  # noqa: F811
    """What one broker is told holds at the workers of another one; a broker that starts from the log knows it, also when the log
    has let go of the entry."""
    limits = "--history-messages=200", "--topic-messages=200"
    pair = Pair(stack, *limits)
    one, other = pair.stacks
    stack.ws(*options(secret), *pair.options(first=1))
    ann = token(secret, "--subject", "ann", "--subscribe", "*")
    stream = sse(stack.ws_port, ann)
    begun(stream)
    one.zmq("revoke", "--subject", "ann")
    ended(stream)
    for turn in range(8):
        for i in range(100):
            one.publish("fill", "x")
        pair.brokers[1].kill()
        pair.brokers[1] = other.broker(f"--log={other.redis_url}", *limits)
        listed = wait_for(lambda: other.request("INSTRUCTIONS", "0-0", "?")[4], "the broker has read the log")
        assert b'"subject":"ann"' in listed, turn
    assert status(stack, ann) == 401
