"""Keys, passwords and tokens are in no log, no argument, no core dump and no environment; and
browsers take the doors' answers for no other type than they state."""

import resource
import signal
from pathlib import Path

import pytest

from fastcgi import Peer, request as records
from http11 import Http, request
from stack import is_sanitized, wait_for
from wsraw import head

SECRET = "a-secret-that-nobody-is-to-see-0123456789"


@pytest.fixture
def key(stack):
    path = stack.folder / "token.key"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def dumped(stack, daemon):
    """The core dump of a daemon that crashes; None if this system writes none into the folder."""
    daemon.killed = True
    resource.prlimit(daemon.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    daemon.send_signal(signal.SIGABRT)
    daemon.process.wait(60)
    found = [path.read_bytes() for path in stack.folder.glob("core*")]
    for path in stack.folder.glob("core*"):
        path.unlink()
    return found[0] if found else None


@pytest.mark.parametrize("with_memory", [False, True])
def test_core_dumps(stack, key, with_memory):
    """Neither the key nor a token on its way. Whoever looks for a bug can have the memory, by one word to a running process."""
    stack.broker()
    worker = stack.ws("--tokens=all", f"--token-keys={key}")
    worker.wait_log("broker: connected")
    client = Http(stack.ws_port)
    stack.closers.append(client.close)
    client.send(request("/events?topic=a", Authorization=f"Bearer {SECRET}")[:-2])  # its head isn't complete
    wait_for(lambda: stack.wait_report("ws.0")["ws"]["sessions"] >= 1, "it is there")
    chosen = Path(f"/proc/{worker.pid}/coredump_filter")
    assert int(chosen.read_text(), 16) == 0
    if is_sanitized():
        return  # its dump would be of terabytes
    if with_memory:
        chosen.write_text("0x33")
    dump = dumped(stack, worker)
    if dump is None:
        assert not Path("/proc/sys/kernel/core_pattern").read_text().startswith("core\n"), "a dump was to be written"
        return
    assert dump[:4] == b"\x7fELF"
    assert (SECRET[:20].encode() in dump) == with_memory


@pytest.mark.parametrize("processes", [1, 2])
def test_every_process_keeps_its_memory(stack, key, processes):
    stack.broker()
    for daemon in [*stack.daemons, stack.ws(f"--processes={processes}"), stack.fcgi(processes=processes)]:
        for pid in daemon.pids():
            assert int(Path(f"/proc/{pid}/coredump_filter").read_text(), 16) == 0


def test_environment_and_arguments(stack):
    """A password is nowhere where another user's `ps` would show it, and is still known after SIGHUP."""
    stack.broker()
    stack.redis("--requirepass", SECRET)
    bridge = stack.start("zcast-redis", ["zcast-redis", *stack.endpoints(), f"--redis={stack.redis_url}", "--subscribe-channel=a"], env={"ZCAST_BRIDGE_PASSWORD": SECRET})
    bridge.wait_log("connected")
    for name in ("environ", "cmdline"):
        assert SECRET.encode() not in Path(f"/proc/{bridge.pid}/{name}").read_bytes()
    bridge.send_signal(signal.SIGHUP)
    wait_for(lambda: SECRET not in bridge.log() and "takes effect after a restart" not in bridge.log(), "no complaint")


def test_the_environment_of_all(stack):
    """In a container all programs have one environment, with the bridge's password in it."""
    secrets = {"ZCAST_BRIDGE_PASSWORD": SECRET, "ZCAST_REDIS": f"redis://ann:{SECRET}@redis"}
    for daemon in (stack.start("zcast-broker", ["zcast-broker", *stack.endpoints()], stack.broker_answers, env=secrets), stack.ws("--processes=2", env=secrets)):
        for pid in daemon.pids():
            found = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"ZCAST_BRIDGE_PASSWORD=***" in found and SECRET.encode() not in found


def test_logs(stack, key):
    """Whatever is refused, and however much is logged."""
    stack.broker()
    options = ["--tokens=all", f"--token-keys={key}", "--token-query", "--log-level=debug"]
    daemons = [stack.ws(*options), stack.fcgi(*options)]
    for daemon in daemons:
        daemon.wait_log("broker: connected")
    path = f"/events?topic=a&access_token={SECRET}"
    for fields in ({}, {"Authorization": f"Bearer {SECRET}"}, {"Cookie": f"zcast_token={SECRET}"}, {"Sec_WebSocket_Protocol": f"zcast.v1, zcast.token.{SECRET}"}):
        for sent in (request(path, **fields), head(path, **fields), request(path, "PUT", **fields), b"GET " + request(path, **fields)):
            with Http(stack.ws_port) as client:
                client.send(sent)
                assert client.response()[0] in (101, 400, 401, 405)
    with Peer(stack.fcgi_socket, records(f"topic=a&access_token={SECRET}", HTTP_AUTHORIZATION=f"Bearer {SECRET}")) as peer:
        assert "401" in peer.finish()
    for daemon in daemons:
        daemon.stop()
        assert SECRET not in daemon.log()


@pytest.mark.parametrize("path, method", [("/events?topic=a", "GET"), ("/events", "GET"), ("/nothing", "GET"), ("/live", "GET"), ("/metrics", "GET"), ("/publish?topic=a", "POST"), ("/publish", "POST"), ("/live", "OPTIONS")])
def test_no_answer_is_taken_for_something_else(stack, path, method):
    stack.broker()
    for daemon in (stack.ws("--allow-publish"), stack.fcgi("--allow-publish")):
        daemon.wait_log("broker: connected")
    with Http(stack.ws_port) as client:
        client.send(request(path, method, Content_Length="0"))
        assert client.response()[1]["x-content-type-options"] == "nosniff"
    target, _, query = path.partition("?")
    with Peer(stack.fcgi_socket, records(query, method=method, REQUEST_URI=path, SCRIPT_NAME=target)) as peer:
        peer.wait("\r\n\r\n")
        assert b"X-Content-Type-Options: nosniff\r\n" in peer.text


def test_a_head_that_can_not_be_read(stack):
    stack.ws()
    with Http(stack.ws_port) as client:
        client.send(b"<script>\r\n\r\n")
        status, fields = client.response()
        assert status == 400 and fields["x-content-type-options"] == "nosniff"
        assert fields["content-type"] == "text/plain; charset=utf-8"
