"""The console's doors, on zcast-ws and on zcast-fcgi behind nginx."""

import json

import pytest
from stack import wait_for
from test_access import CARRIERS, Doors, secret, token  # noqa: F401 (a fixture)

NAME = "$zcast/console"
PAGES = {"/console": "text/html", "/console/app.js": "text/javascript", "/console/style.css": "text/css", "/console/zcast.js": "text/javascript"}


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
    for path in [*PAGES, "/console/state", "/console/topics"]:
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
    good = bearer(token(secret, "--subscribe", NAME))
    stack.publish("<i>hostile", "1")
    for path in "/console/state", "/console/topics":
        status, fields, body = one.get(carrier, path)
        assert status == 401 and fields["www-authenticate"] == "Bearer" and "token is needed" in body
        for grant in ("*", "$zcast/*", "news"):
            status, fields, body = one.get(carrier, path, bearer(token(secret, "--subscribe", grant)))
            assert status == 403 and json.loads(body)["code"] == "forbidden" and NAME in body, grant
            assert "insufficient_scope" in fields["www-authenticate"]
        assert one.get(carrier, path, bearer("x"))[0] == 401
        status, fields, body = one.get(carrier, path, good)
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
