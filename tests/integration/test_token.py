"""`zmq token` makes the tokens that it checks, and openssl agrees."""

import base64
import json
import os
import stat
import subprocess

import pytest
from stack import BUILD

ZMQ = BUILD / "tools/zmq"


def zmq(*words, **more):
    return subprocess.run([ZMQ, "token", *map(str, words)], capture_output=True, text=True, timeout=60, **more)


def good(*words, **more):
    done = zmq(*words, **more)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def claims_of(token):
    return json.loads(good("show", input=token))["claims"]


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "token.key"
    path.write_text("0123456789abcdef" * 3 + "\n")
    path.chmod(0o640)
    return path


def private_key(tmp_path, *algorithm):
    path = tmp_path / "private.pem"
    subprocess.run(["openssl", "genpkey", "-quiet", *algorithm, "-out", path], check=True, capture_output=True)
    public = tmp_path / "public.pem"
    subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-out", public], check=True)
    return path, public


def test_make_show_check(secret):
    token = good("make", "--key", secret, "--subject", "ann", "-p", "a", "-p", "b/*", "-r", "*", "--for", "10m")
    claims = claims_of(token)
    assert claims["sub"] == "ann" and claims["exp"] - claims["iat"] == 600
    assert claims["zcast"] == {"publish": ["a", "b/*"], "subscribe": ["*"]}
    said = good("check", "--token-keys", secret, "--tokens", "all", "-p", "b/1", "-r", "x", input=token)
    assert said.startswith("good, of ann\nends 20") and "publish b/*" in said
    refused = zmq("check", "--token-keys", secret, "--tokens", "all", "-p", "c", "-r", "x", input=token)
    assert refused.returncode == 1 and refused.stderr == "zmq token: it may not publish c\n"


@pytest.mark.parametrize(
    "algorithm, name",
    [
        (["-algorithm", "ED25519"], "EdDSA"),
        (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "ES256"),
        (["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "ES384"),
        (["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "RS256"),
    ],
)
def test_key_pairs(tmp_path, algorithm, name):
    private, public = private_key(tmp_path, *algorithm)
    token = good("make", "--key", f"mine={private}", "--for", "0").strip()
    header = json.loads(good("show", token))["header"]
    assert header == {"alg": name, "typ": "JWT", "kid": "mine"}
    assert good("check", token, "--token-keys", f"mine={public}") == "good\nends never\n"
    refused = zmq("check", token, "--token-keys", f"other={public}")
    assert refused.returncode == 1 and "kid" in refused.stderr
    refused = zmq("make", "--key", public)
    assert refused.returncode == 1 and "private" in refused.stderr
    refused = zmq("make", "--key", private, "--algorithm", "HS256")
    assert refused.returncode == 1 and "isn't for it" in refused.stderr


def test_openssl_agrees(secret):
    token = good("make", "--key", secret).strip()
    text, signature = token.rsplit(".", 1)
    key = secret.read_text().strip().encode().hex()
    done = subprocess.run(
        ["openssl", "mac", "-digest", "SHA256", "-macopt", f"hexkey:{key}", "HMAC"], input=text.encode(), capture_output=True
    )
    mac = bytes.fromhex(done.stdout.decode().strip())
    assert base64.urlsafe_b64encode(mac).decode().rstrip("=") == signature


def test_tampered(secret):
    header, claims, signature = good("make", "--key", secret, "--subject", "ann").strip().split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"sub": "root"}).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for token, why in [
        (f"{header}.{forged}.{signature}", "signature"),
        (f"{none}.{claims}.", "algorithm"),
        (f"{header}.{claims}", "no JSON Web Token"),
        ("", "no JSON Web Token"),
        ("x" * 100000, "too long"),
    ]:
        refused = zmq("check", "--token-keys", secret, input=token)
        assert refused.returncode == 1 and why in refused.stderr, (token[:80], refused.stderr)
        assert token[:40] not in refused.stderr or not token, "a token is a secret, and is not repeated"


def test_claims(secret):
    claims = claims_of(good("make", "--key", secret, "--claim", 'aud="zcast"', "--claim", "roles=[1,2]"))
    assert claims["aud"] == "zcast" and claims["roles"] == [1, 2]
    refused = zmq("make", "--key", secret, "--claim", "aud=zcast")
    assert refused.returncode == 1 and "quotes" in refused.stderr
    token = good("make", "--key", secret, "--claim", 'aud="zcast"', "--claim", 'iss="https://a"')
    assert zmq("check", "--token-keys", secret, input=token).returncode == 1
    good("check", "--token-keys", secret, "--token-audiences", "zcast", "--token-issuers", "https://a", input=token)


def test_api_key(tmp_path):
    path = tmp_path / "api-keys"
    key = good("api-key", "shop", "--publish", "orders/*", "--publish", "stock", "--file", path).strip()
    good("api-key", "other", "--file", path)
    assert key.startswith("zck_") and key not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
    said = good("check", key, "--api-keys", path, "--tokens", "publish", "-p", "orders/1", "-p", "stock")
    assert said == "good, of shop\nends never\npublish orders/*\npublish stock\n"
    assert zmq("check", key[:-1] + ("A" if key[-1] != "A" else "B"), "--api-keys", path).returncode == 1
    for name in ("", "a b", "#a", "n" * 65):
        assert zmq("api-key", name).returncode != 0, name
    assert zmq("api-key", "shop", "--publish", "a,b").returncode == 1


@pytest.mark.parametrize(
    "words, why",
    [
        ([], "expected make"),
        (["mend"], "and not mend"),
        (["make"], "--key"),
        (["make", "--key", "/nowhere"], "No such file"),
        (["api-key"], "NAME"),
        (["check", "x"], "keys"),
    ],
)
def test_misuse(words, why):
    done = zmq(*words, input="", env={**os.environ, "HOME": "/nonexistent"})
    assert done.returncode in (1, 2) and why in done.stderr and not done.stdout


def test_keys_of_the_configuration(tmp_path, secret):
    conf = tmp_path / "zcast.conf"
    conf.write_text(f'common\n    tokens = "all"\n    token-keys = "{secret}"\n    access = "news/=public"\n    access = "wall/=private"\n')
    token = good("make", "--key", secret)
    done = zmq("check", "--config", conf, "--subscribe", "news/1", input=token)
    assert done.returncode == 0, done.stderr
    assert zmq("check", "--config", conf, "--subscribe", "else", input=token).returncode == 1


def test_a_secret_that_all_can_read(secret):
    token = good("make", "--key", secret)
    secret.chmod(0o644)
    done = zmq("check", "--token-keys", secret, input=token)
    assert done.returncode == 0 and "chmod o-r" in done.stderr
