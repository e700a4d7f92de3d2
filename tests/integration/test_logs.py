"""The log in JSON: of every program, from the first line to the last, through reloads, processes, syslog and mistakes."""

import json
import os
import re
import signal
import socket

import pytest

from stack import can_connect, program, run, wait_for
from test_daemons import DAEMONS, argv

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def lines(daemon):
    """All of them, each one object with what every line has."""
    found = [json.loads(line) for line in daemon.log().splitlines()]
    for line in found:
        assert list(line)[:6] == ["time", "level", "program", "pid", "event", "message"], line
        assert re.fullmatch(TIME, line["time"]) and line["level"] in ("error", "warn", "info", "debug"), line
        assert line["event"] != "other" and re.fullmatch(r"[a-z]+\.[a-z]+", line["event"]), line
    return found


def wait_event(daemon, event, **fields):
    def look():
        return [line for line in lines(daemon) if line["event"] == event and fields.items() <= line.items()]

    return wait_for(look, f"{event} {fields}")[0]


def start(stack, name, *options, **how):
    if name == "zcast-broker":
        ready = stack.broker_answers
    else:
        stack.broker()
        ready = {"zcast-fcgi": lambda: can_connect(stack.fcgi_socket), "zcast-ws": lambda: can_connect(("127.0.0.1", stack.ws_port))}.get(name)
    return stack.start(name, argv(stack, name, *options), ready=ready, **how)


@pytest.mark.parametrize("name", DAEMONS)
def test_every_line_of_every_program(stack, name):
    daemon = start(stack, name, "--log-format=json", "--log-level=debug")
    if name == "zcast-redis":
        lost = wait_event(daemon, "redis.lost")
        assert lost["redis"].startswith("127.0.0.1:") and lost["error"] in lost["message"] and lost["program"] == name and lost["pid"] == daemon.pid
    elif name != "zcast-broker":
        assert wait_event(daemon, "broker.connected")["message"] == "broker: connected"
    else:
        assert wait_event(daemon, "endpoint.bound", role="publish")["endpoint"] == stack.publish_endpoint
        assert stack.request("NIX")[0] == b"ERR"
        assert wait_event(daemon, "request.refused", level="debug")["code"] == "verb"
    daemon.send_signal(signal.SIGHUP)
    wait_event(daemon, "reload.done")
    daemon.stop()
    if name != "zcast-fcgi":
        wait_event(daemon, "program.stopping", level="info")
    lines(daemon)


@pytest.mark.parametrize("name", DAEMONS)
def test_mistakes_before_the_options_are_known(stack, name):
    """By the command line as by the environment; a command has no log."""
    for words, env in (([], {"ZCAST_LOG_FORMAT": "json"}), (["--log-format=json"], {}), (["--log-format", "json"], {"ZCAST_LOG_FORMAT": "text"}), ([], {f"ZCAST_{DAEMONS[name].upper()}_LOG_FORMAT": "json"})):
        done = run(name, *words, "--contrl=x", env=env, check=False)
        line = json.loads(done.stderr)
        assert done.returncode == 2 and line["event"] == "options.refused" and "did you mean --control?" in line["error"] and line["program"] == name
    config = stack.folder / "bad.conf"
    config.write_text(f"{DAEMONS[name]}\n    control = nowhere\n")
    line = json.loads(run(name, f"--config={config}", env={"ZCAST_LOG_FORMAT": "json"}, check=False).stderr)
    assert line["error"].startswith(f"{config}:2: control: ")
    done = run(name, "-t", env={"ZCAST_LOG_FORMAT": "json", "ZCAST_LOG_LEVL": "x"})
    assert json.loads(done.stderr)["event"] == "options.doubted"
    assert run(name, "--log-format=json", "--log-format=text", "--contrl=x", check=False).stderr.startswith(f"{name}: --contrl=x: ")
    assert "expected one of text|json" in run(name, "--log-format=xml", check=False).stderr


def test_the_format_is_read_again_by_the_master_and_its_processes(stack):
    stack.broker()
    config = stack.folder / "format.conf"
    config.write_text("fcgi\n    log-level = info\n")
    daemon = stack.start("zcast-fcgi", [*argv(stack, "zcast-fcgi"), f"--config={config}", "--processes=2"], ready=lambda: can_connect(stack.fcgi_socket))
    wait_for(lambda: daemon.log().count("broker: connected\n") == 2, "both processes")
    before = len(daemon.log())
    config.write_text("common\n    log-format = json\n")
    daemon.send_signal(signal.SIGHUP)
    later = lambda: [json.loads(line) for line in daemon.log()[before:].splitlines()]
    wait_for(lambda: [line["event"] for line in later()].count("reload.done") == 2, "the reload")
    children = {line["pid"] for line in later()}
    assert len(children) == 2 and daemon.pid not in children
    os.kill(max(children), signal.SIGKILL)
    ended = wait_for(lambda: [line for line in later() if line["event"] == "worker.ended"], "the master's line")[0]
    assert ended["pid"] == daemon.pid and ended["process"] == max(children) and ended["signal"] == signal.SIGKILL
    wait_for(lambda: [line for line in later() if line["event"] == "broker.connected" and line["pid"] not in children], "its successor")


def test_what_peers_send_is_escaped(stack):
    broker = stack.broker("--log-format=json")
    pub = stack.pub()
    topic = 'a"b\\c\u202e\u20ac' + "x" * 990
    pub.send_multipart([topic.encode(), b"x", b"event: error\n"])
    refused = wait_event(broker, "publish.refused")
    assert refused["topic"] == topic[: len(refused["topic"].removesuffix("..."))] + "..." and len(refused["topic"]) > 400
    assert "\u202e" not in broker.log() and max(map(len, broker.log().encode().split(b"\n"))) < 4096


def test_syslog(stack):
    """With a /dev of its own, in which log is a socket of this test's."""
    if os.geteuid() != 0 or run("unshare", "--mount", "true", check=False).returncode != 0:
        pytest.skip("needs a mount namespace")
    path, dev = stack.folder / "log", stack.folder / "dev"
    dev.mkdir()
    shell = f"""mount -t tmpfs tmpfs {dev}; cd {dev}; mkdir shm; ln -s {path} log
        for file in null zero random urandom; do touch $file; mount --bind /dev/$file $file; done
        mount --rbind {dev} /dev; exec "$@\""""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))
        log.settimeout(60)
        words = argv(stack, "zcast-broker", "--syslog", "--log-format=json")
        daemon = stack.start("unshare", ["unshare", "--mount", "sh", "-ec", shell, "sh", program(words[0]), *words[1:]])
        said = log.recv(8192).decode()
        assert re.match(r"<30>.* zcast-broker\[\d+\]: \{", said), said
        assert json.loads(said[said.index("{") :].rstrip("\0\n"))["event"] == "endpoint.bound"
        assert daemon.stop() == 0 and daemon.log() == ""
