"""doc/openapi.yaml and doc/asyncapi.yaml are valid, say what the programs do, and leave out nothing that the code knows."""

import contextlib
import json
import re
import subprocess
from urllib.parse import parse_qs

import pytest

from http11 import Http
from stack import BUILD, LIMIT, SOURCE, environment, free_port, program, wait_for

CLIENTS = BUILD / "tests/clients"
OPENAPI, ASYNCAPI = SOURCE / "doc/openapi.yaml", SOURCE / "doc/asyncapi.yaml"


def look(values=(), openapi=OPENAPI, asyncapi=ASYNCAPI):
    """What tests/clients/specs.mjs says of the documents, and of values: (schema, value)."""
    asked = json.dumps([{"schema": schema, "value": value} for schema, value in values])
    words = [program("node"), SOURCE / "tests/clients/specs.mjs", openapi, asyncapi]
    done = subprocess.run(words, input=asked, capture_output=True, text=True, cwd=CLIENTS, env=environment(), timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def documents():
    return look()["documents"]


def test_they_are_valid():
    said = look()
    assert said["openapi"] == [] and said["asyncapi"] == []


@pytest.mark.parametrize(
    "name, good, bad",
    [
        ("openapi", "  title: zcast\n", ""),
        ("openapi", "in: query", "in: question"),
        ("openapi", "#/components/responses/Later", "#/components/responses/Never"),
        ("asyncapi", "  title: zcast\n", ""),
        ("asyncapi", "action: send", "action: shout"),
    ],
)
def test_a_bad_one_is_refused(tmp_path, name, good, bad):
    source = {"openapi": OPENAPI, "asyncapi": ASYNCAPI}[name]
    text = source.read_text()
    assert good in text
    (tmp_path / source.name).write_text(text.replace(good, bad))
    with contextlib.suppress(AssertionError):  # a reference that leads nowhere ends the script
        assert look([("openapi#/paths/~1ws/get/responses/503", {})], **{name: tmp_path / source.name})[name]
        return
    assert "Never" in bad


# ---------------------------------------------------------------------------------------------------------
# nothing is left out


def source(*names):
    return "\n".join((SOURCE / name).read_text() for name in names)


def resolve(document, value):
    while "$ref" in value:
        found = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def test_every_door_and_method(documents):
    """The doors that the programs open, and the methods of each in its definition."""
    opened = dict(re.findall(r'zc_front_open \(\S+, "([^"]+)", &zc_door_(\w+)\)', source("ws/server.c", "fcgi/conn.c", "fcgi/cgi.c")))
    assert opened.pop("/") == "ws" and opened.pop("/echo") == "echo"  # another path of /ws; and one for tests of WebSocket clients
    opened["/ws"] = "ws"
    others = set(re.findall(r'zc_front_open \(\S+, "([^"]+)", &(?!zc_door_)', source(*(path.relative_to(SOURCE) for path in SOURCE.glob("*/**/*.c") if "tests" not in path.parts))))
    assert all(path.startswith("/console") for path in others), "the console is for people, and the document says so"
    texts = source("ws/handshake.c", *(f"lib/front/{name}.c" for name in ("events", "publish", "metrics", "health")))
    methods = {
        name: {method.lower() for method in re.findall(r"ZC_METHOD_(\w+)", words)} | {"options"}
        for name, words in re.findall(r"zc_door_(\w+) = \{.*?\.methods = ([^,]*),", texts, re.S)
    }
    documented = {path: set(item) for path, item in documents["openapi"]["paths"].items()}
    assert documented == {path: methods[name] for path, name in opened.items()}


def parameters(documents, path, method):
    found = [resolve(documents["openapi"], each) for each in documents["openapi"]["paths"][path][method].get("parameters", [])]
    return {(each["in"], each["name"]) for each in found}


def test_every_parameter(documents):
    """The names in the tables of the parsers, in the query and in the head."""
    query = re.findall(r'zc_slice_is \(name, "([\w-]+)"\)|\{"(\w+)", ZC_SELECTOR', source("lib/wire/query.c", "lib/front/events.c"))
    names = {one or other for one, other in query}
    assert {"topic", "match", "last-event-id", "format"} <= names
    assert {name for place, name in parameters(documents, "/events", "get") if place == "query"} == names
    assert {name for place, name in parameters(documents, "/ws", "get") if place == "query"} == names - {"format"}
    items = re.findall(r'\[ZC_ITEM_\w+\] = \{"([\w-]+)"', source("lib/front/publication.c"))
    posted = parameters(documents, "/publish", "post")
    assert {name for place, name in posted if place == "query"} == set(items) - {"content-type"}
    fields = set(re.findall(r'\[ZC_FIELD_\w+\] = \{"([\w-]+)"', source("lib/front/request.c")))
    documented = {name for path in ("/events", "/ws", "/publish", "/metrics") for method in ("get", "post")
                  if method in documents["openapi"]["paths"][path] for place, name in parameters(documents, path, method) if place == "header"}
    # of the request as such, of a proxy, or of a token, which are no parameters of a door
    others = {"Authorization", "Content-Type", "Cookie", "Forwarded", "Host", "If-None-Match", "Referer", "X-Forwarded-For", "X-Forwarded-Host"}
    assert documented == fields - others


def test_every_status_and_code(documents):
    """Those that the doors refuse with are in the document, and no code is that the doors don't know."""
    texts = source(*(f"lib/front/{name}.c" for name in ("front", "events", "publish", "metrics", "keeper", "posting")), "ws/handshake.c")
    # the head of zcast-ws, before there is a door; what the broker answers
    found = re.findall(r'(?:zc_exchange_refuse \([\w ]+, |s_deny \(|s_receipt \(|s_refuse \(self, )(\d+), "([\w-]+)"', re.sub(r"\s+", " ", texts))
    found += re.findall(r'\.status = (\d+), \.code = "([\w-]+)"', re.sub(r"\s+", " ", texts))
    codes = {code for _, code in found} | set(re.findall(r'zc_refusal_t \w+ = \{\s*"([a-z]+)",', source("lib/front/publication.c")))
    assert {"topics", "limit", "busy", "headers"} <= codes
    known = set(documents["openapi"]["components"]["schemas"]["Error"]["properties"]["code"]["enum"])
    assert codes <= known, codes - known
    others = [path.relative_to(SOURCE) for path in (*SOURCE.glob("broker/**/*.c"), *SOURCE.glob("ws/*.c"))]
    broker = set(re.findall(r'"([a-z]+)"', source(*others, "lib/wire/query.c", "lib/wire/message.c", "lib/wire/answer.c", "lib/engine/questions.c", "lib/engine/link.c", "lib/peer/control.c")))
    assert known <= codes | broker, known - codes - broker
    statuses = {int(status) for item in documents["openapi"]["paths"].values() for operation in item.values() for status in operation["responses"]}
    assert {int(status) for status, _ in found if status != "431"} <= statuses


def test_every_message_of_zcast_v1(documents):
    """The types that a WebSocket is sent and understands."""
    sent = set(re.findall(r's_begin_answer \(out, "(\w+)"', source("ws/command.c"))) | {"heartbeat", "reconnect"}
    understood = set(re.search(r"types\[\] = \{([^}]*)\}", source("ws/command.c")).group(1).replace('"', "").replace(",", "").split())
    types = set()
    for message in documents["asyncapi"]["channels"]["socket"]["messages"].values():
        kind = resolve(documents["asyncapi"], message)["payload"]["properties"].get("type", {})
        types |= set(kind.get("enum", [kind["const"]] if "const" in kind else []))
    assert types == sent | understood


# ---------------------------------------------------------------------------------------------------------
# the programs do so

JSON = {"Accept": "application/json"}
NDJSON = {"Content_Type": "application/x-ndjson"}
FORM = {"Content_Type": "application/x-www-form-urlencoded"}
ELSEWHERE = {"Origin": "https://elsewhere.example"}
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}

# server, status, method, path, header fields, body. The servers are those of `servers`.
CASES = [
    ("open", 200, "GET", "/events?topic=a", {}, b""),
    ("open", 200, "GET", "/events?match=a/%23&pattern=b&template=c&format=zcast.v1&last-event-id=1-0", {}, b""),
    *[("open", 200, "GET", f"/events?topic=a&{name}=1-0", {}, b"") for name in ("lastEventId", "lastEventID", "last_event_id")],
    ("open", 400, "GET", "/events", {}, b""),
    ("open", 400, "GET", "/events?topic=", JSON, b""),
    ("open", 400, "GET", "/events?topic=a&format=xml", JSON, b""),
    ("open", 400, "GET", "/events?match=a/%23/b", JSON, b""),
    ("token", 401, "GET", "/events?topic=a", {}, b""),
    ("open", 403, "GET", "/events?topic=a", ELSEWHERE, b""),
    ("open", 405, "GET->DELETE", "/events?topic=a", JSON, b""),
    ("open", 200, "HEAD", "/events?topic=a", {}, b""),
    ("open", 400, "HEAD", "/events", {}, b""),
    ("open", 204, "OPTIONS", "/events", {}, b""),
    ("open", 101, "GET", "/ws?topic=a", {**UPGRADE, "Sec_WebSocket_Protocol": "zcast.v1"}, b""),
    ("open", 400, "GET", "/ws", UPGRADE, b""),
    ("open", 400, "GET", "/ws?topic=a", {**UPGRADE, "Sec_WebSocket_Key": "short"}, b""),
    ("token", 401, "GET", "/ws?topic=a", UPGRADE, b""),
    ("open", 403, "GET", "/ws?topic=a", {**UPGRADE, **ELSEWHERE}, b""),
    ("open", 405, "GET->POST", "/ws?topic=a", {}, b""),
    ("open", 426, "GET", "/ws?topic=a", {}, b""),
    ("open", 204, "OPTIONS", "/ws", {}, b""),
    ("narrow", 429, "GET", "/ws?topic=a", {**UPGRADE, "X_Forwarded_For": "192.0.2.9"}, b""),
    ("open", 200, "POST", "/publish?topic=a&event=e&id=i1&ttl=5&retry=1000&private=no", {}, b"payload"),
    ("open", 200, "POST", "/publish?topic=a&data=payload&key=k1&traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", JSON, b""),
    ("open", 200, "POST", "/publish", {"Zcast_Topic": "a", "Zcast_Event": "e", "Zcast_Id": "i2", "Zcast_Ttl": "5", "Zcast_Retry": "9", "Zcast_Private": "yes"}, b"x"),
    ("open", 200, "POST", "/publish", {"Zcast_Topic": "a", "Zcast_Key": "k2"}, b"x"),
    ("open", 200, "POST", "/publish?topic=a", {"Idempotency_Key": "k3"}, b"x"),
    ("open", 200, "POST", "/publish", FORM, b"topic=a&data=x&event=e&private=no"),
    ("open", 200, "POST", "/publish?topic=a", NDJSON, b'{"data":"1","ttl":5,"private":true}\n\n{"topic":"b","base64":"AAE="}\n{}\n'),
    ("open", 400, "POST", "/publish", {}, b"x"),
    ("open", 400, "POST", "/publish?topic=a&ttl=soon", JSON, b"x"),
    ("open", 400, "POST", "/publish", NDJSON, b"nonsense\n"),
    ("token", 401, "POST", "/publish?topic=a", {}, b"x"),
    ("narrow", 403, "POST", "/publish?topic=a", JSON, b"x"),
    ("open", 405, "POST->GET", "/publish?topic=a", {}, b""),
    ("open", 200, "POST", "/publish?topic=a&key=same", {}, b"one"),
    ("open", 409, "POST", "/publish?topic=a&key=same", JSON, b"another"),
    ("open", 413, "POST", "/publish?topic=a", JSON, b"x" * 5000),
    ("quota", 429, "POST", "/publish?topic=a", {**JSON, "X_Forwarded_For": "192.0.2.9"}, b"x"),
    ("open", 204, "OPTIONS", "/publish", {}, b""),
    ("open", 200, "GET", "/metrics", {}, b""),
    ("open", 200, "GET", "/metrics", {"Accept": "application/openmetrics-text"}, b""),
    ("open", 200, "HEAD", "/metrics", {}, b""),
    ("open", 204, "OPTIONS", "/metrics", {}, b""),
    ("narrow", 403, "GET", "/metrics", {"X_Forwarded_For": "192.0.2.1", **JSON}, b""),
    ("token", 404, "GET", "/metrics", {}, b""),
    ("open", 405, "GET->POST", "/metrics", {}, b""),
    ("open", 200, "GET", "/live", {}, b""),
    ("open", 200, "HEAD", "/live", {}, b""),
    ("open", 204, "OPTIONS", "/live", {}, b""),
    ("open", 405, "GET->POST", "/live", {}, b""),
    ("open", 200, "GET", "/ready", {}, b""),
    ("open", 200, "HEAD", "/ready", {}, b""),
    ("open", 204, "OPTIONS", "/ready", {}, b""),
    ("open", 405, "GET->POST", "/ready", {}, b""),
    # once the broker is gone
    ("lonely", 503, "GET", "/ready", {}, b""),
    ("lonely", 503, "HEAD", "/ready", {}, b""),
    ("lonely", 503, "POST", "/publish?topic=a", JSON, b"x"),
    ("lonely", 503, "GET", "/ws?topic=a", UPGRADE, b""),
]


def ask(port, method, path, fields, body):
    """One request on a connection of its own; a stream is left after its head. Returns status, fields and body, None of a stream."""
    with contextlib.closing(Http(port)) as http:
        lines = {name.replace("_", "-"): value for name, value in fields.items()}
        text = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **lines}.items())
        length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
        http.send(f"{method} {path} HTTP/1.1\r\n{text}{length}\r\n".encode() + body)
        status, found = http.response()
        if status == 101 or (status == 200 and found["content-type"] == "text/event-stream"):
            return status, found, None
        if method == "HEAD" or status == 204:
            return status, found, b""
        if found.get("transfer-encoding") == "chunked":
            return status, found, b"".join(iter(http.chunk, b""))
        return status, found, http.take(int(found["content-length"]))


class Reality:
    """Answers beside the document; what their bodies must be is asked at the end, at once."""

    def __init__(self, document):
        self.document, self.values, self.seen = document, [], set()

    def compare(self, case, answer):
        _, expected, method, path, fields, _ = case
        operation = method.split("->")[0].lower()
        path, _, query = path.partition("?")
        item = self.document["paths"][path][operation]
        status, found, body = answer
        assert status == expected, (case, answer)
        assert str(status) in item["responses"], f"{operation} {path}: {status} isn't documented"
        if "->" not in method and status < 400:
            self._asked(item, query, fields, case)
        self.seen.add((path, operation, str(status)))
        place = f"/paths/{path.replace('/', '~1')}/{operation}/responses/{status}"
        said = item["responses"][str(status)]
        if "$ref" in said:
            place, said = said["$ref"].removeprefix("#"), resolve(self.document, said)
        self._fields(place, said, found, case)
        if body:
            self._body(place, said, found, body, case)

    def _asked(self, item, query, fields, case):
        """Whatever the case asks with is documented."""
        known = {(each["in"], each["name"].lower()) for each in (resolve(self.document, each) for each in item.get("parameters", []))}
        asked = {("query", name.lower()) for name in parse_qs(query)}
        asked |= {("header", name.replace("_", "-").lower()) for name in fields}
        free = {("header", name) for name in ("accept", "content-type", "connection", "upgrade", "origin", "x-forwarded-for")}
        assert asked <= known | free, (case, asked - known - free)

    def _fields(self, place, said, found, case):
        for name, field in said.get("headers", {}).items():
            value = found.get(name.lower())
            assert value is not None or not field.get("required"), f"{case}: no {name} in {found}"
            if value is not None:
                self.values.append((f"openapi#{place}/headers/{name}/schema", value, case))

    def _body(self, place, said, found, body, case):
        kind = found["content-type"].split(";")[0]
        assert kind in said.get("content", {}), f"{case}: {kind} isn't documented"
        value = json.loads(body) if kind == "application/json" else body.decode()
        self.values.append((f"openapi#{place}/content/{kind.replace('/', '~1')}/schema", value, case))
        if kind == "application/x-ndjson":
            self.values += [("openapi#/components/schemas/Receipt", json.loads(line), case) for line in body.splitlines()]

    def finish(self):
        errors = look([(schema, value) for schema, value, _ in self.values])["values"]
        assert len(errors) == len(self.values)
        wrong = [(case, schema, value, error) for (schema, value, case), error in zip(self.values, errors) if error]
        assert not wrong, wrong[:5]


def servers(stack, tmp_path):
    """The port of each server that the cases ask."""
    key = tmp_path / "token.key"
    key.write_text("0123456789abcdef" * 3)
    key.chmod(0o600)
    options = {
        "open": ["--allow-publish", "--max-payload=4K"],
        "token": ["--tokens=all", f"--token-keys={key}", "--metrics=off"],
        "narrow": ["--connect-rate=1", "--connect-burst=1", "--trust-proxy=127.0.0.1"],
        "quota": ["--allow-publish", "--address-rate=1", "--address-burst=1", "--trust-proxy=127.0.0.1"],
        "lonely": ["--allow-publish", "--stale-after=1s"],
    }
    ports = {}
    for name, words in options.items():
        ports[name] = stack.ws_port
        stack.ws(*words, f"--name={name}")
        stack.ws_port = free_port()
    return ports


def test_the_doors_do_what_openapi_says(stack, tmp_path, documents):
    """Each status that the document has is met, and each answer is as the document says: status, header fields, type and body."""
    broker = stack.broker()
    ports = servers(stack, tmp_path)
    reality = Reality(documents["openapi"])
    for port in ports.values():
        wait_for(lambda port=port: ask(port, "GET", "/ready", {}, b"")[0] == 200, "a worker is ready")
    for case in CASES:
        if case[0] == "lonely" and broker.running():
            broker.stop()
            wait_for(lambda: ask(ports["lonely"], "GET", "/ws?topic=a", UPGRADE, b"")[0] == 503, "the worker knows that its broker is gone")
        server, status, method, path, fields, body = case
        answer = ask(ports[server], method.split("->")[-1], path, fields, body)
        for _ in range(1000 if status == 429 else 0):  # what is allowed comes first
            if answer[0] != 429:
                answer = ask(ports[server], method, path, fields, body)
        reality.compare(case, answer)
    reality.finish()
    documented = {
        (path, method, status)
        for path, item in documents["openapi"]["paths"].items()
        for method, operation in item.items()
        for status in operation["responses"]
    }
    assert reality.seen == documented


def test_zcast_fcgi_does_so_too(stack, documents):
    """Behind nginx, for the doors that it has there."""
    stack.broker()
    stack.fcgi("--allow-publish", "--max-payload=4K")
    stack.nginx()
    reality = Reality(documents["openapi"])
    # nginx answers a client's 405 and 413 by itself
    cases = [case for case in CASES if case[0] == "open" and case[3].split("?")[0] in ("/events", "/publish") and case[1] not in (405, 413)]
    for case in cases:
        _, _, method, path, fields, body = case
        reality.compare(case, ask(stack.web_port, method, path, fields, body))
    reality.finish()
    assert len(reality.seen) >= 8


def test_the_streams_do_what_asyncapi_says(stack, documents):
    """Every message that comes, on each transport, is one of the channel's."""
    stack.broker()
    stack.ws("--allow-publish")
    stack.web_port = stack.ws_port
    client = stack.websocket("a", subprotocols=["zcast.v1"]).wait_open()
    commands = [
        {"type": "subscribe", "topics": ["b"], "match": ["c/#"], "ref": 1},
        {"type": "publish", "topic": "a", "data": "x", "event": "e", "id": "own", "ttl": 5, "retry": 1000, "private": False, "ref": "p"},
        {"type": "publish", "topic": "b", "base64": "AP8=", "key": "k", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        {"type": "ping", "ref": "last"},
    ]
    for command in commands:
        client.send_json(command)
    client.send_json({"type": "nonsense"})
    client.wait_message(lambda text: '"base64"' in text)
    client.wait_message(lambda text: '"code":"type"' in text)
    client.wait_message(lambda text: '"p"' in text)
    old = stack.websocket("a", subprotocols=["zcast.v1"], query={"last-event-id": "earliest"})
    old.wait_message(lambda text: "zcast.continuity" in text)
    values = [("socket", json.loads(text)) for one in (client, old) for text in one.messages]
    values += [("socket", command) for command in commands]
    with stack.sse("a", format="zcast.v1", headers={"Last-Event-ID": "earliest"}) as stream, stack.sse("q") as quiet:
        stream.wait(1)
        quiet.wait_event(lambda event: event.event == "zcast.heartbeat")
        events = [(event.event, json.loads(event.data)) for event in stream.events + quiet.events]
    kinds = documents["asyncapi"]["channels"]
    names = {each["name"]: key for key, each in documents["asyncapi"]["components"]["messages"].items() if "name" in each}
    asked = [(f"asyncapi#/components/messages/{names.get(event, 'Message')}/payload", data) for event, data in events]
    errors = look(asked)["values"]
    assert not any(errors), errors
    messages = [each["$ref"].removeprefix("#") for each in kinds["socket"]["messages"].values()]
    asked = [(f"asyncapi#{message}/payload", value) for _, value in values for message in messages]
    errors = look(asked)["values"]
    for number, (_, value) in enumerate(values):
        fits = [message for message, wrong in zip(messages, errors[number * len(messages) :]) if not wrong]
        assert len(fits) == 1, (value, fits)
