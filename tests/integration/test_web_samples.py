"""The samples for the web servers and for systemd, where no worker is there."""

import re
import socket

import pytest

from stack import SOURCE, SseClient, run, wait_for

WEB = ["nginx", "lighttpd", "apache"]


def start_web(stack, name):
    return getattr(stack, name)()


@pytest.mark.parametrize("web", WEB)
def test_a_missing_worker_is_a_stream_that_ends(stack, web):
    """Browsers give an EventSource up for good on a 502 or a 503."""
    start_web(stack, web)
    status, headers, body = stack.get("/events?topic=a")
    assert status == 200
    assert headers["Content-Type"].split(";")[0] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache, no-transform"
    assert re.fullmatch(rb"retry: [1-9]\d{3}\n", body)


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_the_time_to_come_back_is_spread(stack, web):
    start_web(stack, web)
    wait_for(lambda: len({stack.get("/events?topic=a")[2] for _ in range(20)}) > 1, "different retry times")


@pytest.mark.parametrize("web", WEB)
def test_a_worker_that_hangs_up_is_a_stream_that_ends(stack, web):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stack.fcgi_socket))
        stack.fcgi_socket.chmod(0o666)
        listener.listen(8)
        start_web(stack, web)
        with SseClient(stack.url("/events", ["a"])) as client:
            worker, _ = listener.accept()
            worker.recv(100)
            worker.close()
            client.wait_closed()
            assert client.status == 200 and client.parser.retry >= 1000 and not client.given_up


@pytest.mark.parametrize("web", WEB)
def test_no_websocket_daemon_is_an_error(stack, web):
    start_web(stack, web)
    assert stack.get("/ws?topic=a")[0] in (502, 503)


def test_nginx_limits_an_address_and_says_so_in_a_stream(stack):
    """Connections from 127.0.0.2 are counted, those from 127.0.0.1 are not."""
    # No worker has to be there: the limit on new streams comes before it.
    stack.nginx(edit=lambda text: text.replace("rate=50r/s", "rate=1r/m").replace("burst=200 nodelay", "burst=1 nodelay"))

    def answer(address):
        with socket.create_connection(("127.0.0.1", stack.web_port), 30, source_address=(address, 0)) as link:
            link.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return link.makefile("rb").readline().split()[1]

    assert [answer("127.0.0.2") for _ in range(3)] == [b"502", b"502", b"503"]
    assert [answer("127.0.0.1") for _ in range(3)] == [b"502"] * 3


@pytest.mark.parametrize("unit", ["zcast-broker.service", "zcast-fcgi.service", "zcast-fcgi.socket", "zcast-ws.service", "zcast-redis.service"])
def test_systemd_takes_the_unit(stack, unit):
    for path in (SOURCE / "etc/systemd").iterdir():
        if not path.name.endswith((".service", ".socket")):
            continue
        text = re.sub(r"/usr/sbin/(zcast-\w+)", lambda match: "/bin/true", path.read_text())
        (stack.folder / path.name).write_text(text)
    done = run("systemd-analyze", "verify", "--man=no", stack.folder / unit)
    assert done.stderr == ""
