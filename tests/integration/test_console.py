"""The console's doors, on zcast-ws and on zcast-fcgi behind nginx."""

import json

import pytest
from stack import SseClient, wait_for
from test_access import CARRIERS, Doors, secret, token  # noqa: F401 (a fixture)
from test_instructions import assert_dropped, ids, stream

NAME = "$zcast/console"
PAGES = {"/console": "text/html", "/console/app.js": "text/javascript", "/console/style.css": "text/css", "/console/zcast.js": "text/javascript"}
FIGURES = ["/console/state", "/console/topics", "/console/live", "/console/history?topic=news"]


def doors(stack, *options):
    """nginx passes /console, too, and its daemon is told the path."""
    plain = stack.nginx

    def with_console(**how):
        def edit(text):
            text = text.replace("location = /events {", "location ~ ^/(events$|console$|console/) {")
            return text.replace("fastcgi_param QUERY_STRING", "fastcgi_param REQUEST_URI $request_uri;\n    fastcgi_param QUERY_STRING")

        return plain(edit=edit, **how)

    stack.nginx = with_console
    return Doors(stack, *options)


def bearer(word):
    return {"Authorization": f"Bearer {word}", "Accept": "application/json"}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_off(stack, secret, carrier):  # noqa: F811
    """Off unless switched on: not even a token opens it."""
    one = doors(stack, f"--token-keys={secret}")
    good = bearer(token(secret, "--subscribe", NAME))
    for path in [*PAGES, *FIGURES]:
        assert one.get(carrier, path, good)[0] == 404, path


@pytest.mark.parametrize("carrier", CARRIERS)
def test_page(stack, secret, carrier):  # noqa: F811
    one = doors(stack, f"--token-keys={secret}", "--console", "--tokens=all")
    for path, kind in PAGES.items():
        status, fields, body = one.get(carrier, path)
        assert status == 200 and fields["content-type"].startswith(kind) and body, path
        policy = fields["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert one.get(carrier, path, method="POST")[0] == 405


@pytest.mark.parametrize("mode", ["open", "all"])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_only_with_its_token(stack, secret, carrier, mode):  # noqa: F811
    one = doors(stack, f"--token-keys={secret}", "--console", f"--tokens={mode}")
    good = bearer(token(secret, "--subscribe", NAME, "--subscribe", "news"))
    stack.publish("<i>hostile", "1")
    for path in FIGURES:
        status, fields, body = one.get(carrier, path)
        assert status == 401 and fields["www-authenticate"] == "Bearer" and "token is needed" in body
        for grant in ("*", "$zcast/*", "news"):
            status, fields, body = one.get(carrier, path, bearer(token(secret, "--subscribe", grant)))
            assert status == 403 and json.loads(body)["code"] == "forbidden" and NAME in body, grant
            assert "insufficient_scope" in fields["www-authenticate"]
        assert one.get(carrier, path, bearer("x"))[0] == 401
        status, fields, body = one.get(carrier, path, good)
        if path == "/console/live":
            continue
        assert status == 200 and fields["content-type"] == "application/json" and fields["cache-control"] == "no-store"
        assert json.loads(body)
    # every refusal is counted
    program = "fcgi" if carrier == "fcgi" else "ws"
    stack.wait_stats(lambda stats: any(name.startswith(program) and report["http"]["errors"] >= 10 for name, report in stats["workers"].items()), "refusals are counted")
    listed = json.loads(one.get(carrier, "/console/topics", good)[2])
    assert [(row["topic"], row["messages"]) for row in listed["topics"]] == [("<i>hostile", 1)] and listed["more"] is False


@pytest.mark.parametrize("carrier", CARRIERS)
def test_topics_are_bounded(stack, secret, carrier):  # noqa: F811
    one = doors(stack, f"--token-keys={secret}", "--console")
    for number in range(1005):
        stack.publish(f"t/{number}", "x")
    listed = json.loads(one.get(carrier, "/console/topics", bearer(token(secret, "--subscribe", NAME)))[2])
    assert len(listed["topics"]) == 1000 and listed["more"] is True


@pytest.mark.parametrize("carrier", CARRIERS)
def test_without_broker(stack, secret, carrier):  # noqa: F811
    one = doors(stack, f"--token-keys={secret}", "--console")
    stack.daemons[0].stop()
    good = bearer(token(secret, "--subscribe", NAME))

    def look():
        status, fields, body = one.get(carrier, "/console/state", good)
        return status == 503 and (fields, json.loads(body))

    fields, said = wait_for(look, "the broker is missed")
    assert said["code"] == "broker" and "retry-after" in fields
    assert one.get(carrier, "/console")[0] == 200


@pytest.mark.parametrize("carrier", CARRIERS)
def test_history(stack, secret, carrier):  # noqa: F811
    """Pages of a topic, for who may subscribe to it as well."""
    one = doors(stack, f"--token-keys={secret}", "--console", "--tokens=all")
    said = [stack.publish("news", f"{number} <b>", {"event": "report"}) for number in range(7)]
    stack.publish("large", "ä" * 5000)
    good = bearer(token(secret, "--subscribe", NAME, "--subscribe", "news", "--subscribe", "large", "--subscribe", "none"))

    def page(query):
        status, fields, body = one.get(carrier, f"/console/history?{query}", good)
        assert status == 200 and fields["content-type"] == "application/json" and fields["cache-control"] == "no-store"
        return json.loads(body)

    first = page("topic=news&count=3")
    assert [row["id"] for row in first["messages"]] == said[:3] and first["remaining"] == 4 and first["head"] == said[2]
    assert first["messages"][1] == {"id": said[1], "bytes": 5, "shown": 5, "data": "1 <b>", "headers": first["messages"][1]["headers"]}
    assert first["messages"][1]["headers"]["event"] == "report"
    rest = page(f"topic=news&since={said[2]}")
    assert [row["id"] for row in rest["messages"]] == said[3:] and rest["remaining"] == 0
    cut = page("topic=large")["messages"][0]
    assert cut["bytes"] == 10000 and 4090 < cut["shown"] <= 4096 and cut["data"] == "ä" * (cut["shown"] // 2)
    assert page("topic=large&count=1&cut=4294967295")["messages"][0]["data"] == "ä" * 5000
    assert page("topic=none")["messages"] == []
    for query in "", "topic=news&count=0", "topic=news&since=x", "topic=news&topic=large", "match=news/%23":
        status, _, body = one.get(carrier, f"/console/history?{query}", good)
        assert status == 400 and json.loads(body)["message"], query
    # the console's token alone shows figures, and no payload
    status, _, body = one.get(carrier, "/console/history?topic=news", bearer(token(secret, "--subscribe", NAME)))
    assert status == 403 and json.loads(body)["code"] == "forbidden"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_live(stack, secret, carrier):  # noqa: F811
    """Figures come on a stream, by way of the broker, while somebody reads them; and no other door has their topic."""
    one = doors(stack, f"--token-keys={secret}", "--console", "--tokens=all")
    good = {"Authorization": f"Bearer {token(secret, '--subscribe', NAME, '--subscribe', '*', '--publish', '*')}"}
    before = stack.stats()["published"]
    stream = SseClient(f"http://127.0.0.1:{one.ports[carrier]}/console/live", headers=good)

    def figures():
        return [json.loads(event.data) for event in list(stream.events) if not (event.event or "").startswith("zcast.")]

    seen = wait_for(lambda: len(figures()) >= 3 and figures()[:3], "three messages of figures")
    assert seen[0]["line"] == seen[2]["line"]
    assert seen[0]["uptime"] < seen[1]["uptime"] < seen[2]["uptime"]
    assert stack.stats()["published"] >= before + 3
    own = [row["topic"] for report in stack.wait_stats(lambda stats: any(report["popular"] for report in stats["workers"].values()), "the stream's topic")["workers"].values() for row in report["popular"]]
    assert len(own) == 1 and own[0].startswith("$zcast/console/")
    assert one.get(carrier, f"/events?topic={own[0]}", good)[0] == 403
    stream.close()
    stack.wait_stats(lambda stats: not any(report["popular"] for report in stats["workers"].values()), "nobody reads them any more")
    wait_for(lambda: calm(stack), "no figures are published")


def calm(stack):
    """Whether two reports of each worker came, and no message in between."""
    published, reports = stack.stats()["published"], stack.stats()["requests"]["REPORT"]
    stack.wait_stats(lambda stats: stats["requests"]["REPORT"] >= reports + 2, "more reports")
    return stack.stats()["published"] == published


@pytest.mark.parametrize("mode", ["open", "all"])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_drop(stack, secret, carrier, mode):  # noqa: F811
    """A slow client is disconnected, whichever worker has it, by who may act, and by nobody else."""
    one = doors(stack, f"--token-keys={secret}", "--console", f"--tokens={mode}", "--max-lag=64M", "--access=t=public")
    looks = token(secret, "--subscribe", NAME, "--subscribe", "*", "--publish", "*")
    acts = token(secret, "--subscribe", NAME, "--publish", NAME, "--subject", "ann")
    client = stream(stack.ws_port)
    other = SseClient(f"http://127.0.0.1:{stack.ws_port}/events?topic=t")
    (id,) = ids(stack, "ws.0", 1)
    path = f"/console/drop?client={id}"
    assert one.get(carrier, path, bearer(acts))[0] == 405
    assert one.get(carrier, path, method="POST")[0] == 401
    for headers in bearer(looks), {"Cookie": f"zcast_token={acts}"}:
        status, _, body = one.get(carrier, path, headers, method="POST")
        assert status == 403, body
    for query in "", "?client=", "?client=1", f"?client={'0' * 16}", f"?client={id}&client=x":
        status, _, body = one.get(carrier, f"/console/drop{query}", bearer(acts), method="POST")
        assert status == 400 and json.loads(body)["code"] == "client", query
    assert one.get(carrier, "/console/drop?client=00000000deadbeef", bearer(acts), method="POST")[0] == 200
    assert "an operator wants it" not in one.ws.log()
    status, _, body = one.get(carrier, path, bearer(acts), method="POST")
    assert status == 200 and json.loads(body) == {"told": True}
    assert_dropped(client.rest())
    program = one.fcgi if carrier == "fcgi" else one.ws
    assert f"console: ann wants connection {id} to end" in program.log()
    report = stack.wait_report("ws.0", lambda report: report["losses"]["ended"] == 1, "it is told why")
    assert report["incidents"][0]["reason"] == "ended" and report["incidents"][0]["topic"] == "t"
    stack.publish("t", "still there")
    other.wait_event(lambda event: event.data == "still there")
    other.close()


CONSOLES = {  # what the sample for each web server is included by
    "nginx": ("nginx/zcast-console.conf", "include nginx-zcast.conf;", "include console.conf;"),
    "nginx_proxy": ("nginx/zcast-console.conf", "include nginx-zcast-proxy.conf;", "include console.conf;"),
    "lighttpd": ("lighttpd/console.conf", '\ninclude "zcast/zcast.conf"', 'include "console.conf"'),
    "apache": ("apache/zcast-console.conf", "Include zcast.conf.apache", "Include console.conf"),
}


@pytest.mark.parametrize("web", CONSOLES)
def test_behind_web_servers(stack, secret, web):  # noqa: F811
    """The sample of each web server passes on the page, the figures and their stream, and nothing beside them."""
    sample, beside, line = CONSOLES[web]
    stack.broker()
    stack.ws("--console", f"--token-keys={secret}").wait_log("broker: connected")
    stack.render(sample, "console.conf")
    getattr(stack, web)(edit=lambda text: text.replace(beside, f"{beside}\n{line}"))
    good = bearer(token(secret, "--subscribe", NAME))
    one = Doors.__new__(Doors)
    one.ports = {"http": stack.web_port}
    for path, kind in PAGES.items():
        status, fields, body = one.get("http", path)
        assert status == 200 and fields["content-type"].startswith(kind) and body, path
    assert one.get("http", "/console/state")[0] == 401
    status, fields, body = one.get("http", "/console/state", good)
    assert status == 200 and json.loads(body)["version"]
    assert one.get("http", "/consoles")[0] == 404
    stream = SseClient(f"http://127.0.0.1:{stack.web_port}/console/live", headers={"Authorization": good["Authorization"]})
    wait_for(lambda: sum(not (event.event or "").startswith("zcast.") for event in list(stream.events)) >= 2, "figures on the stream")
    stream.close()
