"""`zmq top`, `latency` and `bench`; completion, by the shells themselves."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import termios

import pytest

from stack import BUILD, program, run, wait_for
from test_zmq import Terminal, obeys, start

COLUMNS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def frame(terminal):
    """What stands on the terminal: the lines of the last whole frame."""
    text = terminal.read().decode()
    frames = text.split("\x1b[H")
    return [COLUMNS.sub("", line) for line in frames[-1].split("\n")] if frames[-1].endswith("\x1b[J") else []


def attributes(terminal):
    return termios.tcgetattr(terminal.ours)


@pytest.mark.parametrize("how", ["q", "Ctrl-C", "SIGTERM"])
def test_top_on_a_terminal(stack, how):
    stack.broker()
    stack.ws()
    for n in range(40):
        stack.publish(f"topic/{n}/x", "x")
    stack.publish("last/" + "ü" * 200, "x")
    terminal = Terminal(stack, "top", "--interval", "0.1", typed=True, size=(24, 80), env={"TERM": "xterm"})
    wait_for(lambda: any(line.startswith("WORKER") for line in frame(terminal)) and any("last/ü" in line for line in frame(terminal)), "workers and topics")
    lines = frame(terminal)
    assert len(lines) == 24 and max(len(line) for line in lines) == 80, lines
    assert "zcast-broker" in lines[0] and "published" in lines[1] and any(line.endswith("topic/39/x") for line in lines)
    assert not attributes(terminal)[3] & termios.ICANON
    terminal.resize(10, 40)
    wait_for(lambda: len(frame(terminal)) == 10 and max(map(len, frame(terminal))) <= 40, "the smaller size")
    for key in (termios.VQUIT, termios.VSUSP):  # would leave the terminal as it is now
        assert attributes(terminal)[6][key] == b"\0"
    if how == "q":
        terminal.write(b"q")
    elif how == "Ctrl-C":
        os.kill(terminal.process.pid, signal.SIGINT)
    else:
        terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 0
    assert terminal.read().endswith(b"\x1b[?25h\x1b[?1049l")  # the cursor, and the screen of before


def test_top_over_a_broker_that_is_away(stack):
    broker = stack.broker()
    terminal = Terminal(stack, "top", "--interval", "0.1", typed=True, size=(24, 80), env={"NO_COLOR": "1"})
    wait_for(lambda: frame(terminal) and "zcast-broker" in frame(terminal)[0], "the first frame")
    assert b"\x1b[1m" not in terminal.read()
    broker.stop()
    wait_for(lambda: "doesn't answer" in "".join(frame(terminal)), "the word that the broker is away")
    stack.broker()
    wait_for(lambda: frame(terminal) and "zcast-broker" in frame(terminal)[0], "the broker is back")
    terminal.write(b"q")
    assert terminal.end() == 0


def test_top_without_a_terminal(stack):
    done = stack.zmq("top", check=False)
    assert done.returncode == 1 and "no broker" in done.stderr
    stack.broker()
    stack.publish("a", "x")
    done = stack.zmq("top")
    assert "\x1b" not in done.stdout and "zcast-broker" in done.stdout and done.stdout.splitlines()[-1].split()[-1] == "a"
    stack.request("REPORT", "evil \u202e", '{"clients":1}')
    assert not obeys(stack.zmq("top").stdout.encode())


def test_latency(stack):
    stack.broker()
    made = json.loads(stack.zmq("latency", "--count", "20", "--interval", "0", "--json").stdout)
    assert made["count"] == 20 and 0 < made["min"] <= made["p50"] <= made["p99"] <= made["max"]
    assert "20 answers: min" in stack.zmq("latency", "--count", "20", "--interval", "0").stdout
    assert "answers" in stack.zmq("latency", "--seconds", "0.1").stdout
    running = start(stack, "latency", "--seconds", "3600")
    running.wait_handlers()
    before = stack.stats()["requests"]["PING"]
    wait_for(lambda: stack.stats()["requests"]["PING"] > before + 2, "answers, besides that of the first request, which connects")
    assert running.end(signal.SIGINT) == 0 and "answers: min" in running.out[0]


@pytest.mark.parametrize("mode, subscribers", [("publish", 0), ("fanout", 3), ("latency", 1)])
def test_bench(stack, mode, subscribers):
    stack.broker()
    kept = stack.publish("kept", "x")
    words = ["--count", "300", "--size", "1K", *(["--subscribers", "3"] if mode == "fanout" else []), *(["--rate", "1000"] if mode == "latency" else [])]
    made = json.loads(stack.zmq("bench", mode, "--json", *words).stdout)
    assert (made["bench"], made["published"], made["size"]) == (mode, 300, 1024) and made["per_second"] > 0
    assert 0 < made["answered_ms"]["p50"] <= made["answered_ms"]["max"]
    if subscribers:
        assert (made["subscribers"], made["delivered"], made["missing"]) == (subscribers, 300 * subscribers, 0)
        assert 0 < made["latency_ms"]["p50"] <= made["latency_ms"]["max"]
    assert stack.stats()["published"] == 301
    assert stack.zmq("history", "--prefix", "", "--format", "%i\\n").stdout == f"{kept}\n"  # its own are gone
    text = stack.zmq("bench", mode, "--count", "100").stdout
    assert "100 messages of 200 B" in text and ("latency" in text) == bool(subscribers)


def test_a_bench_that_is_stopped_takes_its_messages_along(stack):
    stack.broker()
    kept = stack.publish("kept", "x")
    running = start(stack, "bench", "publish", "--count", "100000000", "--seconds", "3600")
    wait_for(lambda: stack.stats()["published"] > 1000, "messages")
    running.end(signal.SIGINT)
    wait_for(lambda: stack.zmq("history", "--prefix", "", "--format", "%i\\n").stdout == f"{kept}\n", "only the other message is left")


def test_bench_is_bounded(stack):
    stack.broker()
    made = json.loads(stack.zmq("bench", "publish", "--count", "100000000", "--seconds", "0.3", "--json").stdout)
    assert 0 < made["published"] < 100000000
    done = run("zmq", "bench", "publish", "--control", "tcp://192.0.2.1:5562", check=False)
    assert done.returncode == 2 and "--remote" in done.stderr
    done = run("zmq", "bench", "fanout", "--control", "ipc:///nowhere", "--subscribe", "tcp://192.0.2.1:5561", check=False)
    assert done.returncode == 2 and "--remote" in done.stderr
    for words in ([], ["all"]):
        assert run("zmq", "bench", *words, check=False).returncode == 2


# -- completion

COMMANDS = {"pub", "sub", "topics", "history", "purge", "top", "stat", "ping", "latency", "bench", "token", "revoke", "keygen", "context", "completion", "help", "version"}


def in_bash(*words):
    """What bash offers for the last of the words."""
    script = """
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _zmq
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    return {line.strip() for line in run("/bin/bash", "-c", script, "bash", BUILD / "tools/completion/zmq", *words).stdout.splitlines() if line.strip()}


def test_bash():
    assert COMMANDS | {"--context", "--help", "--version"} <= in_bash("zmq", "")
    assert in_bash("zmq", "to") == {"token", "top", "topics"}
    assert {"--event", "--lines", "--help", "--control", "--config"} <= in_bash("zmq", "pub", "--")
    assert in_bash("zmq", "sub", "--pre") == {"--prefix"}
    assert in_bash("zmq", "sub", "--since", "e") == {"earliest"}
    assert in_bash("zmq", "sub", "--since", "=", "e") == {"earliest"} == in_bash("zmq", "sub", "-s", "e")
    assert in_bash("zmq", "pub", "-H", "tt") == {"ttl="}
    assert in_bash("zmq", "bench", "f") == {"fanout"} and in_bash("zmq", "completion", "") == {"bash", "zsh", "fish"}
    assert in_bash("zmq", "help", "st") == {"stat"}
    assert in_bash("zmq", "stat", "x") == set() == in_bash("zmq", "sub", "--count", "")


def test_bash_offers_files(tmp_path):
    (tmp_path / "a file").write_text("")
    assert in_bash("zmq", "pub", "--file", f"{tmp_path}/a") == {f"{tmp_path}/a file"}


class Typing:
    """An interactive shell on a terminal, in which the test types."""

    def __init__(self, stack, argv, env):
        self.ours, theirs = os.openpty()
        self.process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **env}, start_new_session=True)
        os.close(theirs)
        self.text = ""
        stack.closers.append(self.close)

    def expect(self, what):
        def look():
            while select.select([self.ours], [], [], 0)[0]:
                self.text += os.read(self.ours, 65536).decode(errors="replace")
            return what in COLUMNS.sub("", self.text)

        wait_for(look, lambda: f"{what} in {self.text!r}")

    def type(self, text):
        self.text = ""
        os.write(self.ours, text.encode())

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


def test_bash_runs_no_file_name(tmp_path, monkeypatch):
    contexts = tmp_path / "zcast/contexts"
    contexts.mkdir(parents=True)
    for name in ("north", "$(touch came)", "`touch came`"):
        (contexts / f"{name}.conf").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert in_bash("zmq", "--context", "") == {"north"} and not list(tmp_path.rglob("came"))


def test_bash_by_hand(stack, tmp_path):
    shell = Typing(stack, ["/bin/bash", "--norc", "--noprofile", "-i"], {"PS1": "ready> ", "TERM": "dumb", "HOME": str(tmp_path)})
    shell.expect("ready>")
    shell.type(f"PATH={os.path.dirname(program('zmq'))}:$PATH; eval \"$(zmq completion bash)\"; echo lo''aded\n")
    shell.expect("loaded")
    shell.type("zmq hist\t")
    shell.expect("zmq history ")
    shell.type("--ndj\t")
    shell.expect("--ndjson ")


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh isn't installed")
def test_zsh(stack, tmp_path):
    shell = Typing(stack, ["zsh", "-f", "-i"], {"PS1": "ready> ", "TERM": "dumb", "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path)})
    shell.expect("ready>")
    shell.type(f"fpath=({BUILD}/tools/completion $fpath); autoload -U compinit; compinit -u -D; echo lo''aded\n")
    shell.expect("loaded")
    shell.type("zmq hist\t")
    shell.expect("history ")
    shell.type("--ndj\t")
    shell.expect("--ndjson")
    shell.type("\x15zmq bench fan\t")
    shell.expect("fanout")
    shell.type("\x15zmq --context north hist\t")
    shell.expect("history")


@pytest.mark.skipif(not shutil.which("fish"), reason="fish isn't installed")
def test_fish(tmp_path):
    def offers(line):
        script = f"source {BUILD}/tools/completion/zmq.fish; complete -C {line!r}"
        done = run("/usr/bin/fish", "--no-config", "-c", script, env={"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)})
        return {row.split("\t")[0] for row in done.stdout.splitlines()}

    assert COMMANDS <= offers("zmq ")
    assert offers("zmq history --ndj") == {"--ndjson"}
    assert offers("zmq bench ") == {"publish", "fanout", "latency"}
