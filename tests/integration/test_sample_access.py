"""Rights through every sample: tokens, and the host that a browser asked for, reach the daemon."""

import pytest

from http11 import Http, request
from stack import program
from test_access import secret, token  # noqa: F401: a fixture

CGI = "lighttpd_cgi"
WAYS = ["nginx", "nginx_proxy", "lighttpd", CGI, "apache", "caddy", "caddy_fcgi", "haproxy", "haproxy_fcgi"]
EVIL = ("evil.example", "localhost.evil.example:8081")


def serve(stack, way, *keys):
    """The sample, and both daemons; `keys` are in the configuration, which a CGI program reads as well."""
    with stack.config_file().open("a") as config:
        config.write("".join(f"    {key}\n" for key in keys))
    config = f"--config={stack.config_file()}"
    stack.broker()
    stack.ws(config).wait_log("broker: connected")
    if way == CGI:
        program("zcast-fcgi")
        stack.lighttpd("events-cgi.conf")
        return
    stack.fcgi(config, "--socket-mode=0666").wait_log("broker: connected")
    getattr(stack, way)()


def status(stack, *arguments, **fields):
    """A request's status and header fields; a stream is left after its head."""
    link = Http(stack.web_port)
    try:
        link.send(request(*arguments, **fields))
        return link.response()
    finally:
        link.close()


def upgrade(stack, **fields):
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    return status(stack, "/ws?topic=a", Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", **handshake, **fields)[0]


@pytest.mark.parametrize("way", WAYS)
def test_a_token_reaches_the_worker(stack, secret, way):  # noqa: F811
    serve(stack, way, 'tokens = "all"', f'token-keys = "{secret}"', 'access = "wall/=public"')
    bearer = {"Authorization": f"Bearer {token(secret, '--subscribe', 'a', '--publish', 'a')}"}
    code, fields = status(stack, "/events?topic=a")
    assert code == 401 and fields["www-authenticate"] == "Bearer"
    assert status(stack, "/events?topic=a", **bearer)[0] == 200
    assert status(stack, "/events?topic=b", **bearer)[0] == 403
    assert status(stack, "/events?topic=wall/a", Authorization="Bearer x")[0] == 401, "a bad one isn't taken for none"
    post = {"method": "POST", "body": b"by token", "Content_Type": "text/plain"}
    assert status(stack, "/publish?topic=a", **post)[0] == 401
    assert status(stack, "/publish?topic=a", **post, **bearer)[0] == 200
    assert stack.stats()["published"] == 1, "what was refused is not published"
    assert upgrade(stack) == 401
    assert upgrade(stack, **bearer) == 101


@pytest.mark.parametrize("way", WAYS)
def test_the_host_reaches_the_worker(stack, way):
    """In mode `open` a page that was led here by a name of its own gets nothing."""
    serve(stack, way, 'hosts = "www.example.org"', "allow-publish = yes")
    post = {"method": "POST", "body": b"x", "Content_Type": "text/plain"}
    for host in EVIL:
        assert status(stack, "/events?topic=a", host=host)[0] == 403
        assert status(stack, "/publish?topic=a", host=host, **post)[0] == 403
        assert upgrade(stack, host=host) == 403
    for host in ("localhost", f"127.0.0.1:{stack.web_port}", "www.example.org"):
        assert status(stack, "/events?topic=a", host=host)[0] == 200
        assert status(stack, "/publish?topic=a", host=host, **post)[0] == 200
        assert upgrade(stack, host=host) == 101
