"""Rights: tokens, API keys, rules, origins and hosts, on every transport. The stacks are real; `zmq token` makes the tokens."""

import http.client
import json
import os
import subprocess

import pytest
import fastcgi
from http11 import Http, request
from stack import BUILD, SseClient, WsClient, position, wait_for
from wsraw import FIN, TEXT, Raw, head

SECRET = "0123456789abcdef" * 3


def make_token(*words):
    done = subprocess.run([BUILD / "tools/zmq", "token", *map(str, words)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "token.key"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return path


def token(secret, *words):
    return make_token("make", "--key", secret, *words)


class Doors:
    """zcast-ws over HTTP, and zcast-fcgi behind nginx: one request on each."""

    def __init__(self, stack, *options):
        stack.broker()
        self.stack = stack
        self.ws = stack.ws(*options)
        self.fcgi = stack.fcgi(*options)
        self.ws.wait_log("broker: connected")
        self.fcgi.wait_log("broker: connected")
        stack.nginx()
        self.ports = {"http": stack.ws_port, "fcgi": stack.web_port}

    def get(self, carrier, path, headers=None, method="GET", host=None):
        """Status, header fields and the beginning of the body; a stream is left after its head."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[carrier], timeout=60)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{self.ports[carrier]}")
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        stream = fields.get("content-type", "") == "text/event-stream"
        body = b"" if stream or method == "HEAD" else answer.read()
        connection.close()
        return answer.status, fields, body.decode()


CARRIERS = ["http", "fcgi"]


@pytest.fixture
def closed(stack, secret):
    return Doors(stack, "--tokens=all", f"--token-keys={secret}", "--access=wall/=public")


@pytest.mark.parametrize("carrier", CARRIERS)
def test_all_by_token(closed, secret, carrier):
    reader = token(secret, "--subscribe", "news/*")
    bearer = {"Authorization": f"Bearer {reader}"}
    status, fields, body = closed.get(carrier, "/events?topic=news/1")
    assert status == 401 and fields["www-authenticate"] == "Bearer" and "token" in body
    assert closed.get(carrier, "/events?topic=news/1", bearer)[0] == 200
    assert closed.get(carrier, "/events?topic=wall/1")[0] == 200, "a public topic needs none"
    status, fields, body = closed.get(carrier, "/events?topic=news/1&topic=other", bearer)
    assert status == 403 and "insufficient_scope" in fields["www-authenticate"]
    # what isn't good is never taken for none, also where none would do
    for bad in ("x", reader[:-2] + "AA", token(secret, "--claim", 'aud="else"'), "a" * (20000 if carrier == "http" else 4000)):  # nginx has a limit of its own
        status, fields, body = closed.get(carrier, "/events?topic=wall/1", {"Authorization": f"Bearer {bad}"})
        assert status == 401 and "invalid_token" in fields["www-authenticate"], (status, body)
        assert bad[:30] not in body
    cookie = {"Cookie": f"a=b; zcast_token={reader}"}
    assert closed.get(carrier, "/events?topic=news/1", cookie)[0] == 200
    assert closed.get(carrier, f"/events?topic=news/1&access_token={reader}")[0] == 401, "the query is off by default"
    log = closed.ws.log() + closed.fcgi.log()
    assert reader not in log, "a token is a secret"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_refusal_carries_cors(stack, secret, carrier):
    doors = Doors(stack, "--tokens=all", f"--token-keys={secret}", "--cors-origin=https://page.example")
    status, fields, _ = doors.get(carrier, "/events?topic=a", {"Origin": "https://page.example"})
    assert status == 401 and fields["access-control-allow-origin"] == "https://page.example"
    status, fields, _ = doors.get(carrier, "/events?topic=a", {"Origin": "https://page.example"}, method="OPTIONS")
    assert status == 204, "a preflight brings no token"


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
def test_pages_of_other_sites(stack, secret, carrier, origin):
    doors = Doors(stack, "--cors-origin=https://page.example", f"--token-keys={secret}", "--tokens=publish")
    good = {"Authorization": f"Bearer {token(secret)}"}
    assert doors.get(carrier, "/events?topic=a")[0] == 200
    assert doors.get(carrier, "/events?topic=a", {"Origin": "https://page.example"})[0] == 200
    for headers in ({}, good):
        status, fields, body = doors.get(carrier, "/events?topic=a", {"Origin": origin, **headers})
        assert status == 403 and "origin" in body and "access-control-allow-origin" not in fields


@pytest.mark.parametrize("carrier", ["http", "fcgi", "ws"])
@pytest.mark.parametrize(
    "options, other",
    [
        ([], 403),
        (["--allow-origin=https://page.example"], 403),
        (["--cors-origin=https://page.example"], 403),
        (["--cors-origin=*"], 200),
        (["--allow-origin=*"], 200),
        (["--cors-origin=https://evil.example"], 200),
        (["--allow-origin=https://evil.example"], 200),
    ],
)
def test_pages_in_open_mode(stack, carrier, options, other):
    """One rule for streams and WebSockets: the site's own, and those that are configured."""
    stack.broker()
    for worker in (stack.ws(*options), stack.fcgi(*options)):
        worker.wait_log("broker: connected")

    def status(origin, path):
        fields = {"Origin": origin, "Host": "127.0.0.1:80"}
        if carrier == "fcgi":
            sent = fastcgi.request(path.partition("?")[2], REQUEST_URI=path, **{f"HTTP_{name.upper()}": value for name, value in fields.items()})
            with fastcgi.Peer(stack.fcgi_socket, sent) as peer:
                peer.wait("\r\n\r\n")
                return int(peer.text.split()[1])
        with Raw(stack.ws_port) as raw:
            raw.send(head("/ws?topic=a", **fields) if carrier == "ws" else request(path, host=fields.pop("Host"), **fields))
            found = raw.response()[0]
            return 200 if found == 101 else found

    for path in ["/events?topic=a", "/live"]:
        assert status("http://127.0.0.1", path) == 200
        assert status("https://evil.example", path) == other
        for origin in ("http://127.0.0.1:81", "null"):
            assert status(origin, path) == (200 if options and "*" in options[0] else 403)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_visitor_s_cookie_is_not_for_pages_of_other_sites(stack, secret, carrier):
    """Where any page may read what anybody may have."""
    doors = Doors(stack, f"--token-keys={secret}", "--access=x/=private", "--cors-origin=*")
    cookie = {"Cookie": f"zcast_token={token(secret, '--subscribe', 'x/*')}"}
    other, ours = {"Origin": "https://evil.example"}, {"Origin": f"http://127.0.0.1:{doors.ports[carrier]}"}
    assert doors.get(carrier, "/events?topic=x/1", cookie)[0] == 200
    assert doors.get(carrier, "/events?topic=x/1", cookie | ours)[0] == 200
    assert doors.get(carrier, "/events?topic=open", other)[0] == 200
    status, _, body = doors.get(carrier, "/events?topic=x/1", cookie | other)
    assert status == 403 and "cookie" in body
    if carrier == "http":
        with Raw(stack.ws_port) as raw:
            raw.open("/ws?topic=x/1", Host=f"127.0.0.1:{stack.ws_port}", **cookie, **ours)
        with Raw(stack.ws_port) as raw:
            raw.send(head("/ws?topic=x/1", **cookie, **other))
            assert raw.response()[0] == 403


@pytest.mark.parametrize(
    "host, good",
    [
        ("localhost", True),
        ("LOCALHOST:8081", True),
        ("127.0.0.1", True),
        ("[::1]:8081", True),
        ("10.1.2.3:80", True),
        ("events.example.org", True),
        ("Events.Example.Org:443", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:8081", False),
        ("events.example.org.evil.example", False),
    ],
)
def test_rebinding(stack, host, good):
    stack.broker()
    stack.ws("--hosts=events.example.org").wait_log("broker: connected")
    connection = Http(stack.ws_port)
    stack.closers.append(connection.close)
    connection.send(request(host=host))
    assert connection.response()[0] == (200 if good else 403)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("host, options", [("evil.example", []), ("www.example.org", ["--hosts=www.example.org"]), ("any.example", ["--hosts=*"])])
def test_rebinding_where_no_token_is_asked_for(stack, secret, carrier, host, options):
    """Outside of open mode: what needs no token is for pages of our names only; a token shows that its page is good."""
    doors = Doors(stack, "--tokens=publish", f"--token-keys={secret}", "--access=x/=private", *options)
    known = bool(options)
    status, _, body = doors.get(carrier, "/events?topic=a", host=host)
    assert status == (200 if known else 403) and (known or "hosts" in body)
    bearer = {"Authorization": f"Bearer {token(secret, '--subscribe', '*')}"}
    assert doors.get(carrier, "/events?topic=a", bearer, host=host)[0] == 200
    assert doors.get(carrier, "/events?topic=x/1", bearer, host=host)[0] == 200
    assert doors.get(carrier, "/events?topic=x/1", host=host)[0] == 401, "a page has to learn that a token is needed"
    if carrier == "http":
        assert doors.get(carrier, "/metrics", host=host)[0] == (200 if known else 403)
        assert doors.get(carrier, "/metrics")[0] == 200
        assert doors.get(carrier, "/live", host=host)[0] == 200
        with Raw(stack.ws_port) as raw:
            raw.send(head("/ws?topic=a", Host=host))
            assert raw.response()[0] == (101 if known else 403)
        with Raw(stack.ws_port) as raw:  # it asks later
            raw.open("/ws", Host=host, Sec_WebSocket_Protocol="zcast.v1")
            raw.frame(FIN | TEXT, b'{"type":"subscribe","topics":["a"]}')
            said = json.loads(raw.read_message()[1])
            assert said["type"] == "subscribed" if known else said["code"] == "host"


def test_with_tokens_any_host_will_do(closed, secret):
    bearer = {"Authorization": f"Bearer {token(secret, '--subscribe', '*')}"}
    assert closed.get("http", "/events?topic=a", bearer, host="events.example.org")[0] == 200


def websocket_status(stack, path, headers=None, subprotocols=None):
    client = WsClient(f"ws://127.0.0.1:{stack.ws_port}{path}", subprotocols, headers=headers)
    stack.closers.append(client.close)
    return client


def test_websocket(closed, secret):
    stack = closed.stack
    both = token(secret, "--subscribe", "news/*", "--publish", "news/1", "--subject", "ann")
    with pytest.raises(Exception, match="401"):
        websocket_status(stack, "/ws?topic=news/1").wait_open()
    with pytest.raises(Exception, match="403"):
        websocket_status(stack, "/ws?topic=other", {"Authorization": f"Bearer {both}"}).wait_open()
    for path, protocols, code, word in [
        ("/ws?topic=news/1", ["zcast.v1"], 4401, "token"),
        ("/ws?topic=other", ["zcast.v1", f"zcast.token.{both}"], 4403, "topic"),
    ]:
        refused = websocket_status(stack, path, subprotocols=protocols)
        refused.wait_closed()
        assert refused.close_code == code and word in refused.close_reason
    client = websocket_status(stack, "/ws?topic=news/1", subprotocols=["zcast.v1", f"zcast.token.{both}"])
    client.wait_open()
    assert client.subprotocol == "zcast.v1", "a token is never said back"
    client.send_json({"type": "publish", "topic": "news/1", "data": "mine", "ref": 1})
    client.wait_message(lambda text: '"published"' in text)
    client.send_json({"type": "publish", "topic": "news/2", "data": "not mine", "ref": 2})
    client.wait_message(lambda text: '"forbidden"' in text)
    client.send_json({"type": "subscribe", "topics": ["news/2"]})
    client.wait_message(lambda text: '"subscribed"' in text)
    client.send_json({"type": "subscribe", "topics": ["other"]})
    client.wait_message(lambda text: '"forbidden"' in text and "topic" in text)
    assert stack.stats()["published"] == 1, "what was refused is not published"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_stream_ends_with_its_token(closed, secret, carrier):
    short = token(secret, "--subscribe", "a", "--for", "3s")
    url = f"http://127.0.0.1:{closed.ports[carrier]}/events?topic=a"
    with SseClient(url, headers={"Authorization": f"Bearer {short}"}) as client:
        client.wait_open()
        id = closed.stack.publish("a", "before")
        client.wait(1)
        end = client.wait_event(lambda event: event.event == "zcast.end")
        assert json.loads(end.data)["code"] == "token" and position(end.id) >= position(id)
        client.wait_closed()


def test_a_websocket_ends_with_its_token(closed, secret):
    short = token(secret, "--subscribe", "a", "--for", "3s")
    client = websocket_status(closed.stack, "/ws?topic=a", {"Authorization": f"Bearer {short}"})
    client.wait_open()
    client.wait_closed()
    assert client.close_code == 4401


def test_a_leaving_client_takes_its_end_along(closed, secret):
    """Ends that come after their clients have left find nobody."""
    for _ in range(20):
        short = token(secret, "--subscribe", "a", "--for", "2s")
        assert closed.get("http", "/events?topic=a", {"Authorization": f"Bearer {short}"})[0] == 200
    last = token(secret, "--subscribe", "a", "--for", "4s")
    with SseClient(f"http://127.0.0.1:{closed.ports['http']}/events?topic=a", headers={"Authorization": f"Bearer {last}"}) as client:
        client.wait_event(lambda event: event.event == "zcast.end")
    assert closed.ws.running()


def test_publish_by_token(stack, secret, tmp_path):
    """Reading is free, publishing isn't; a rule keeps ZeroMQ's publishers out of nothing by itself."""
    doors = Doors(stack, "--tokens=publish", f"--token-keys={secret}")
    assert doors.get("http", "/events?topic=a")[0] == 200
    client = websocket_status(stack, "/ws?topic=a", subprotocols=["zcast.v1"])
    client.wait_open()
    client.send_json({"type": "publish", "topic": "a", "data": "x"})
    client.wait_message(lambda text: '"token"' in text and '"error"' in text)


def test_keys_are_taken_up_when_they_change(closed, secret):
    old = {"Authorization": f"Bearer {token(secret, '--subscribe', '*')}"}
    assert closed.get("http", "/events?topic=a", old)[0] == 200
    other = secret.with_name("other")
    other.write_text("fedcba9876543210" * 3)
    new = {"Authorization": f"Bearer {token(other, '--subscribe', '*')}"}
    assert closed.get("http", "/events?topic=a", new)[0] == 401
    os.replace(other, secret)
    wait_for(lambda: closed.get("http", "/events?topic=a", new)[0] == 200, "the new key is in use")
    wait_for(lambda: closed.get("fcgi", "/events?topic=a", new)[0] == 200, "the new key is in use")
    assert closed.get("http", "/events?topic=a", old)[0] == 401
    secret.write_text("short")  # a mistake: what was read before stays
    closed.ws.wait_log("the keys and rules read before stay in use")
    assert closed.get("http", "/events?topic=a", new)[0] == 200


def test_connections_of_one_subject(stack, secret):
    stack.broker()
    stack.ws("--tokens=all", f"--token-keys={secret}", "--max-connections-per-subject=2").wait_log("broker: connected")
    ann = {"Authorization": f"Bearer {token(secret, '--subject', 'ann', '--subscribe', '*')}"}
    bob = {"Authorization": f"Bearer {token(secret, '--subject', 'bob', '--subscribe', '*')}"}
    first, second = (websocket_status(stack, "/ws?topic=a", ann) for _ in range(2))
    first.wait_open(), second.wait_open()
    with pytest.raises(Exception, match="429"):
        websocket_status(stack, "/ws?topic=a", ann).wait_open()
    websocket_status(stack, "/ws?topic=a", bob).wait_open()
    first.close()
    wait_for(lambda: stack.stats()["workers"].get("ws.0", {}).get("clients") == 2, "the first has left")

    def again():
        try:
            websocket_status(stack, "/ws?topic=a", ann).wait_open()
            return True
        except Exception as refusal:
            assert "429" in str(refusal)
            return False

    wait_for(again, "there is room again")


@pytest.mark.parametrize("program", ["zcast-ws", "zcast-fcgi"])
@pytest.mark.parametrize(
    "options, why",
    [
        (["--tokens=all"], "token-keys"),
        (["--token-keys=/nowhere"], "/nowhere"),
        (["--access=a=nonsense"], "expected public"),
        (["--api-keys=/"], "directory"),
    ],
)
def test_what_can_not_be_served(stack, program, options, why):
    folder = {"zcast-ws": "ws", "zcast-fcgi": "fcgi"}[program]
    where = ["--listen=127.0.0.1:0"] if program == "zcast-ws" else [f"--socket={stack.folder}/x.sock"]
    stack.broker()
    done = subprocess.run(
        [BUILD / folder / program, *stack.endpoints(), *where, *options], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and why in done.stderr and len(done.stderr.splitlines()) == 1


def test_open_only_on_loopback(secret):
    done = subprocess.run([BUILD / "ws/zcast-ws", "-t", "--listen=0.0.0.0:8081"], capture_output=True, text=True)
    assert done.returncode == 2 and "tokens = all" in done.stderr
    assert subprocess.run([BUILD / "ws/zcast-ws", "-t", "--listen=0.0.0.0:8081", "--insecure"]).returncode == 0
    assert subprocess.run([BUILD / "ws/zcast-ws", "-t", "--listen=0.0.0.0:8081", "--tokens=all", f"--token-keys={secret}"]).returncode == 0


@pytest.mark.parametrize(
    "options, why",
    [
        ([], "tokens = all"),
        (["--insecure"], "allow-peer"),
        (["--tokens=all"], "allow-peer"),
        (["--insecure", "--allow-peer=example.org"], "expected local"),
        (["--insecure", "--allow-peer=192.0.2.0/24"], None),
    ],
)
def test_fastcgi_only_for_those_that_are_named(secret, options, why):
    """Whoever speaks FastCGI says whose request it is: beyond this machine the operator names who may."""
    options = [*options, f"--token-keys={secret}"]
    done = subprocess.run([BUILD / "fcgi/zcast-fcgi", "-t", "--socket=0.0.0.0:9000", *options], capture_output=True, text=True)
    assert (done.returncode == 2 and why in done.stderr) if why else done.returncode == 0
    assert subprocess.run([BUILD / "fcgi/zcast-fcgi", "-t", "--socket=:9000", f"--token-keys={secret}"]).returncode == 0


def test_a_rule_for_tokens_only(stack, secret):
    """What came through a door with a token is published where ZeroMQ's own publishers may not."""
    rule = "--access=wall/=publish=token"
    stack.broker(rule)
    stack.ws(rule, "--tokens=publish", f"--token-keys={secret}").wait_log("broker: connected")
    assert stack.request(b"PUBLISH", b"wall/1", b"x")[:2] == [b"ERR", b"forbidden"]
    writer = {"Authorization": f"Bearer {token(secret, '--publish', 'wall/*')}"}

    def post(headers):
        link = http.client.HTTPConnection("127.0.0.1", stack.ws_port, timeout=60)
        link.request("POST", "/publish?topic=wall/1", body="x", headers=headers)
        answer = link.getresponse()
        return answer.status, answer.read()

    assert post({})[0] == 401
    assert post(writer)[0] == 200
    client = websocket_status(stack, "/ws?topic=wall/1", writer, ["zcast.v1"])
    client.wait_open()
    client.send_json({"type": "publish", "topic": "wall/1", "data": "y"})
    client.wait_message(lambda text: '"published"' in text)
    assert stack.stats()["published"] == 2
