"""Every program over IPv6, and host names that stand for addresses of either family."""

import os
import re
import subprocess

import pytest

from stack import WsClient, free_port, program, run, wait_for


def test_every_program(stack):
    stack.use_tcp("[::1]")
    stack.fcgi_socket = f"[::1]:{free_port()}"
    stack.redis("--bind", "::1", "127.0.0.1")
    broker = stack.broker()
    for endpoint in (stack.publish_endpoint, stack.subscribe_endpoint, stack.control_endpoint):
        broker.wait_log(rf"endpoint {re.escape(endpoint)}")
    stack.start("zcast-fcgi", ["zcast-fcgi", *stack.endpoints()[1:], f"--socket={stack.fcgi_socket}"])
    stack.ws(listen=f"[::1]:{stack.ws_port}")
    stack.nginx(edit=lambda text: text.replace("server unix:[", "server [").replace("127.0.0.1:%d" % stack.ws_port, "[::1]:%d" % stack.ws_port))
    bridge = stack.start(
        "zcast-redis",
        ["zcast-redis", *stack.endpoints(), f"--redis=redis://[::1]:{stack.redis_port}", "--subscribe-channel=r", "--outgoing=t"],
    )
    bridge.wait_log("zcast-subscriber.*: connected")

    socket = stack.websocket("t", port=stack.web_port).wait_open()
    with stack.sse("t") as stream:
        stream.wait_open()
        stack.zmq("pub", "t", "one")
        stack.zmq("pub", "--fast", "t", "two")
        assert [event.data for event in stream.wait(2)] == ["one", "two"]
    assert socket.wait(2) == ["one", "two"]
    assert stack.zmq("sub", "--since=earliest", "--count=2", "t").stdout.split() == ["one", "two"]
    assert "version" in stack.zmq("stat", "--json").stdout
    stack.zmq("ping")
    sub = stack.sub("r")
    wait_for(lambda: stack.redis_cli("publish", "r", "there") != "0", "the bridge's subscription")
    assert sub.recv_multipart()[:2] == [b"r", b"there"]
    wait_for(lambda: {"fcgi.0", "ws.0"} <= set(stack.stats()["workers"]), "reports")


@pytest.fixture
def hosts(tmp_path):
    """A prefix of a command line that runs it with an /etc/hosts in which `both` has addresses of both families, and
    `six` one of IPv6 only."""
    names = tmp_path / "hosts"
    names.write_text("127.0.0.1 localhost\n::1 localhost\n::1 both\n127.0.0.1 both\n::1 six\n")
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    prefix = ["unshare", "--mount", *rights, "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(names)]
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace here")
    return prefix


@pytest.mark.parametrize("side", ["127.0.0.1", "[::1]"])
def test_a_name_of_both_families(stack, hosts, side):
    """The broker is at one of its addresses only; each program gets there."""
    stack.use_tcp(side)
    stack.broker()
    there = [option.replace(side, "both") for option in stack.endpoints()]
    ws = stack.start("zcast-ws", [*hosts, program("zcast-ws"), *there, f"--listen=127.0.0.1:{stack.ws_port}"], clean=True)
    ws.wait_log("broker: connected")
    bridge = stack.start("zcast-redis", [*hosts, program("zcast-redis"), *there, "--redis=redis://127.0.0.1:1", "--subscribe-channel=r"], clean=True)
    bridge.wait_log("broker .*: connected")
    for fast in ([], ["--fast"]):
        run(*hosts, program("zmq"), "pub", *there, *fast, "t", "x")
    for words in (["sub", "--since=earliest", "--count=2", "t"], ["ping"], ["stat"]):
        run(*hosts, program("zmq"), words[0], *there, *words[1:])
    with WsClient(f"ws://127.0.0.1:{stack.ws_port}/ws?topic=t&last-event-id=earliest") as client:
        client.wait(2)


@pytest.mark.parametrize("name, served", [("both", "127.0.0.1"), ("both", "[::1]"), ("six", "[::1]")])
def test_listening_at_a_name(stack, hosts, name, served):
    """The broker listens at all addresses of a name, the daemons at its IPv4 one where it has one."""
    stack.use_tcp(served)
    there = [option.replace(served, name) for option in stack.endpoints()]
    stack.start("zcast-broker", [*hosts, program("zcast-broker"), "--insecure", *there], ready=stack.broker_answers, clean=True)
    stack.zmq("ping")
    if (name, served) == ("both", "[::1]"):
        return
    stack.start("zcast-ws", [*hosts, program("zcast-ws"), *stack.endpoints(), f"--listen={name}:{stack.ws_port}", "--insecure"], clean=True)

    def open_socket():
        client = WsClient(f"ws://{served}:{stack.ws_port}/ws?topic=t")
        try:
            client.wait_open()
            return True
        except AssertionError:
            return False
        finally:
            client.close()

    wait_for(open_socket, f"a WebSocket at {served}")


def test_loopback_is_not_exposed(stack):
    for host in ("[::1]", "[0:0::1]", "[::ffff:127.0.0.1]"):
        run("zcast-broker", "-t", f"--publish=tcp://{host}:5560")
    for host in ("[::]", "[::ffff:10.0.0.1]", "[fe80::1]"):
        refused = run("zcast-broker", "-t", f"--publish=tcp://{host}:5560", check=False)
        assert refused.returncode == 2 and "insecure" in refused.stderr
