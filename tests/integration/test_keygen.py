"""`zmq keygen`: certificates that czmq and libzmq take."""

import stat
import subprocess

import pytest
import zmq as libzmq
from stack import BUILD

ZMQ = BUILD / "tools/zmq"


def keygen(*words, **more):
    return subprocess.run([ZMQ, "keygen", *map(str, words)], capture_output=True, text=True, timeout=60, **more)


def value(path, key):
    for line in path.read_text().splitlines():
        name, _, rest = line.strip().partition(" = ")
        if name == key:
            return rest.strip('"')
    return None


def test_a_pair(tmp_path):
    file, secret = tmp_path / "broker", tmp_path / "broker_secret"
    done = keygen(file)
    assert done.returncode == 0 and not done.stderr, done.stderr
    public = done.stdout.strip()
    assert value(file, "public-key") == value(secret, "public-key") == public
    assert value(file, "secret-key") is None
    assert libzmq.curve_public(value(secret, "secret-key").encode()).decode() == public
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert value(file, "name") == "broker" and value(file, "publish") is None
    again = keygen(file)
    assert again.returncode == 1 and "is there already" in again.stderr
    assert value(file, "public-key") == public, "a key was overwritten"


def test_what_a_client_may(tmp_path):
    keygen(tmp_path / "broker")
    file = tmp_path / "shop"
    assert keygen(file, "-p", "orders/*", "-p", "stock", "--server", tmp_path / "broker", "--name", "The shop").returncode == 0
    assert value(file, "publish") == "orders/* stock" and value(file, "name") == "The shop"
    assert value(file, "server") == value(tmp_path / "broker", "public-key")
    assert value(file, "subscribe") is None and value(file, "control") is None
    worker = tmp_path / "workers"
    assert keygen(worker, "--worker", "--server", value(tmp_path / "broker", "public-key")).returncode == 0
    assert [value(worker, key) for key in ("publish", "subscribe", "control")] == ["*", "yes", "yes"]


@pytest.mark.parametrize(
    "words, why",
    [
        ([], "needs the FILE"),
        (["/nowhere/x"], "No such file"),
        (["x", "--publish", "a b"], "--publish a b"),
        (["x", "--server", "short"], "certificate short"),
        (["x", "--name", 'a"b'], "line "),
    ],
)
def test_misuse(tmp_path, words, why):
    done = keygen(*words, cwd=tmp_path)
    assert done.returncode in (1, 2) and why in done.stderr and not done.stdout
    assert not list(tmp_path.iterdir()), "half a key was left"
