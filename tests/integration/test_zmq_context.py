"""Contexts: the addresses of several brokers in files of the user's own."""

import pytest

from stack import free_port, run
from test_zmq_live import in_bash


@pytest.fixture
def home(stack):
    """A folder for $XDG_CONFIG_HOME; contexts `right` and `wrong` are in it."""
    folder = stack.folder / "config/zcast/contexts"
    folder.mkdir(parents=True)
    (folder / "right.conf").write_text(f'zmq\n    control = "{stack.control_endpoint}"\n    subscribe = "{stack.subscribe_endpoint}"\n')
    (folder / "wrong.conf").write_text(f"zmq\n    control = tcp://127.0.0.1:{free_port()}\n")
    (folder / "notes.txt").write_text("")
    (folder / ".hidden.conf").write_text("")
    return {"XDG_CONFIG_HOME": str(stack.folder / "config")}


def ping(env, *words, before=()):
    return run("zmq", *before, "ping", "--timeout", "0.3", *words, env=env, check=False)


def test_a_context_leads_to_its_broker(stack, home):
    stack.broker()
    assert ping(home, before=["--context", "right"]).returncode == 0
    assert ping(home, before=["--context=right"]).returncode == 0
    assert ping(home, "--context", "right").returncode == 0
    assert ping({**home, "ZCAST_CONTEXT": "right"}).returncode == 0
    assert ping(home, before=["--context", "wrong"]).returncode == 1
    at_home = {"HOME": str(stack.folder / "home"), "XDG_CONFIG_HOME": ""}
    (stack.folder / "home/.config").mkdir(parents=True)
    (stack.folder / "home/.config/zcast").symlink_to(stack.folder / "config/zcast")
    assert ping({**at_home, "ZCAST_CONTEXT": "right"}).returncode == 0


def test_what_counts_more(stack, home):
    """The default, zcast.conf, ZCAST_CONTEXT, other variables, --context, the command line."""
    stack.broker()
    right, wrong = stack.control_endpoint, f"tcp://127.0.0.1:{free_port()}"
    path = stack.folder / "z.conf"
    path.write_text(f"zmq\n    control = {wrong}\n")
    assert ping({**home, "ZCAST_CONTEXT": "right"}, "-c", path).returncode == 0
    assert ping({**home, "ZCAST_CONTEXT": "right", "ZCAST_CONTROL": wrong}).returncode == 1
    assert ping({**home, "ZCAST_CONTEXT": "wrong", "ZCAST_CONTROL": right}).returncode == 0
    assert ping({**home, "ZCAST_CONTROL": wrong}, "--context", "right").returncode == 0
    assert ping({**home, "ZCAST_CONTEXT": "wrong"}, "--context", "right").returncode == 0
    assert ping(home, "--context", "right", "--control", wrong).returncode == 1
    assert ping(home, "--context", "wrong", "--control", right).returncode == 0


def test_list_and_show(stack, home):
    rows = run("zmq", "context", env={**home, "ZCAST_CONTEXT": "right"}).stdout.splitlines()
    assert [row.split() for row in rows[1:]] == [["*", "right", stack.control_endpoint], ["wrong", rows[2].split()[-1]]]
    shown = run("zmq", "context", "right", env=home).stdout
    assert f"{stack.folder}/config/zcast/contexts/right.conf" in shown and stack.control_endpoint in shown and stack.subscribe_endpoint in shown
    assert run("zmq", "context", env={"XDG_CONFIG_HOME": str(stack.folder / "none")}).stdout == ""


def test_mistakes(stack, home):
    folder = stack.folder / "config/zcast/contexts"
    for name, text, say in (
        ("gone", None, "gone.conf: No such file"),
        ("../right", None, "expected a name"),
        ("key", "zmq\n    contrl = tcp://a:1\n", "key.conf:2: contrl: unknown key; did you mean control?"),
        ("twice", "common\n    control = tcp://a:1\nzmq\n    control = tcp://a:1\n", "twice.conf:4: control: given twice"),
        ("value", "zmq\n    control = a\n", "value.conf:2: control: expected"),
        ("form", "zmq\n  control\n", "form.conf:2"),
    ):
        if text:
            (folder / f"{name}.conf").write_text(text)
        done = ping(home, "--context", name)
        assert done.returncode == 2 and say in done.stderr, done.stderr
    done = ping({**home, "ZCAST_CONTEXT": "a/b"})
    assert done.returncode == 2 and "ZCAST_CONTEXT: expected a name" in done.stderr
    assert run("zmq", "--context", "right", env=home, check=False).returncode == 2
    listed = run("zmq", "context", env=home, check=False)
    assert listed.returncode == 1 and "right" in listed.stdout and "key.conf:2" in listed.stderr


def test_completion(home, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", home["XDG_CONFIG_HOME"])
    assert in_bash("zmq", "--context", "") == {"right", "wrong"} == in_bash("zmq", "sub", "--context", "")
    assert in_bash("zmq", "--context", "right", "hist") == {"history"} == in_bash("zmq", "--context", "=", "right", "hist")
    assert in_bash("zmq", "--context", "right", "sub", "--pre") == {"--prefix"}
    assert in_bash("zmq", "context", "r") == {"right"}
