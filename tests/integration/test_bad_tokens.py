"""Tokens that are no good, each on each carrier: 401, and nothing is shown or published. Made by hand, as no library would."""

import base64
import hashlib
import hmac
import json
import subprocess
import time

import pytest

from http11 import Http
from test_bad_input import ask_fcgi
from test_fcgi_start import Cgi
from wsraw import Raw, head

NOW = int(time.time())
CLAIMS = {"sub": "ann", "iss": "us", "aud": "site", "exp": NOW + 3600, "zcast": {"subscribe": ["*"], "publish": ["*"]}}


def encoded(part):
    part = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def made(secret, header=None, hash=hashlib.sha256, **claims):
    text = encoded({"alg": "HS256", "kid": "shared", **(header or {})}) + "." + encoded(claims.pop("raw", None) or {**CLAIMS, **claims})
    return text + "." + encoded(hmac.new(secret, text.encode(), hash).digest())


def unsigned(alg):
    return encoded({"alg": alg, "kid": "shared"}) + "." + encoded(CLAIMS) + "."


def deep(levels):
    return json.dumps({**CLAIMS, "x": 0}).replace('"x": 0', '"x": ' + "[" * levels + "]" * levels).encode()


TWICE = json.dumps(CLAIMS)[:-1] + ', "sub": "root"}'
BAD = {
    "no token": lambda secret, public: "x",
    "no algorithm": lambda secret, public: unsigned("none"),
    "no algorithm, in other letters": lambda secret, public: unsigned("nOnE"),
    "an algorithm that isn't the key's": lambda secret, public: made(secret, {"alg": "RS256"}),
    "an algorithm that isn't the signature's": lambda secret, public: made(secret, {"alg": "HS512"}),
    "a public key as a secret": lambda secret, public: made(public, {"kid": "pair"}),
    "a public key as a secret, trimmed": lambda secret, public: made(public.strip(), {"kid": "pair"}),
    "another secret": lambda secret, public: made(secret[::-1]),
    "a key of its own": lambda secret, public: made(b"x" * 32, {"jwk": {"kty": "oct", "k": encoded(b"x" * 32)}}),
    "an unknown kid": lambda secret, public: made(secret, {"kid": "other"}),
    "an unknown extension": lambda secret, public: made(secret, {"crit": ["b64"], "b64": False}),
    "expired": lambda secret, public: made(secret, exp=NOW - 60),
    "not yet": lambda secret, public: made(secret, nbf=NOW + 3600),
    "issued later": lambda secret, public: made(secret, iat=NOW + 3600),
    "wrong audience": lambda secret, public: made(secret, aud=["others"]),
    "no audience": lambda secret, public: made(secret, aud=None),
    "wrong issuer": lambda secret, public: made(secret, iss="them"),
    "duplicate claims": lambda secret, public: made(secret, raw=TWICE.encode()),
    "deep JSON": lambda secret, public: made(secret, raw=deep(3000)),
    "100 KB": lambda secret, public: made(secret, sub="s" * 75_000),
}


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    for words in (["genpkey", "-algorithm", "RSA", "-out", folder / "private"], ["pkey", "-in", folder / "private", "-pubout", "-out", folder / "public"]):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
    return folder / "public"


def options(key, public):
    return ["--tokens=all", f"--token-keys=shared={key}", f"--token-keys=pair={public}", "--token-issuers=us", "--token-audiences=site", "--max-head=1M", "--failure-rate=0"]


def answers(stack, key, public, token):
    """The statuses of a stream and a publish over each carrier."""
    bearer = {"Authorization": f"Bearer {token}"}
    short = len(token) < 50_000  # FastCGI's parameters are 64 KB at most
    with Http(stack.ws_port) as client:
        yield client.ask("/events?topic=a", "HEAD", **bearer)[0]
    with Http(stack.ws_port) as client:
        yield client.ask("/publish?topic=a", "POST", body=b"x", Connection="close", **bearer)[0]
    if short:
        variables = {"HTTP_AUTHORIZATION": bearer["Authorization"]}
        yield ask_fcgi(stack, "/events?topic=a", "HEAD", **variables)[0]
        yield ask_fcgi(stack, "/publish?topic=a", "POST", b"x", **variables)[0]
        cgi = Cgi(stack, *stack.endpoints(), *options(key, public), method="HEAD", **variables)
        yield int(cgi.process.stdout.read().split()[1])
    with Raw(stack.ws_port) as raw:
        raw.send(head(**bearer))
        yield {101: 200}.get(status := raw.response()[0], status)
    with Raw(stack.ws_port) as raw:
        raw.open(Sec_WebSocket_Protocol=f"zcast.v1, zcast.token.{token}")
        first, payload = raw.read_frame()
        yield int.from_bytes(payload[:2], "big") - 4000 if first == 0x88 else 200


@pytest.fixture
def doors(stack, key, public):
    stack.broker()
    for worker in (stack.ws(*options(key, public)), stack.fcgi(*options(key, public))):
        worker.wait_log("broker: connected")
    return stack


def test_a_good_one(doors, key, public):
    """What is made here is good but for what is wrong with it."""
    assert set(answers(doors, key, public, made(key.read_bytes()))) == {200}


@pytest.mark.parametrize("name", BAD)
def test_bad(doors, key, public, name):
    token = BAD[name](key.read_bytes(), public.read_bytes())
    assert set(answers(doors, key, public, token)) == {401}
    assert doors.stats()["published"] == 0
    for daemon in doors.daemons:
        assert token not in daemon.log() or name == "no token"
