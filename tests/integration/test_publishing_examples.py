"""Every example of doc/publishing.md works, in its own language."""

import os
import re
import threading

import pytest

from stack import BUILD, SOURCE, run, wait_for

FOUND = re.findall(r"^```(\w+) run\n(.*?)^```$", (SOURCE / "doc/publishing.md").read_text(), re.MULTILINE | re.DOTALL)
LANGUAGES = {
    "sh": ("bash", "-e"),
    "python": ("/usr/bin/python3",),
    "javascript": ("node",),
    "php": ("php",),
    "ruby": ("ruby",),
    "go": ("go", "run"),
}
SUFFIXES = {"javascript": "mjs", "python": "py", "ruby": "rb"}


def test_every_language_has_its_example():
    assert {language for language, _ in FOUND} == set(LANGUAGES)


@pytest.fixture
def ready(stack):
    stack.broker()
    stack.ws("--allow-publish").wait_log("broker: connected")
    return stack


def written(stack, number):
    language, text = FOUND[number]
    assert "127.0.0.1:8081" in text
    path = stack.folder / f"example.{SUFFIXES.get(language, language)}"
    path.write_text(text.replace("127.0.0.1:8081", f"127.0.0.1:{stack.ws_port}"))
    return [*LANGUAGES[language], path]


def start(stack, number):
    environment = {"PATH": f"{BUILD}/tools:{os.environ['PATH']}", "no_proxy": "*"}
    environment |= {"GOCACHE": str(stack.folder / "go"), "GOPATH": str(stack.folder / "gopath"), "GO111MODULE": "off", "GOFLAGS": "-mod=mod"}
    return run(*written(stack, number), env={"HOME": str(stack.folder), **environment}, timeout=600).stdout


@pytest.mark.parametrize("number", range(len(FOUND)), ids=[f"{number}-{language}" for number, (language, _) in enumerate(FOUND)])
def test_an_example(ready, number):
    sub = ready.sub("news/local")
    said = start(ready, number)
    topic, payload, meta = sub.recv_multipart()
    assert (topic, payload) == (b"news/local", b"Water is back") and b"\nevent: report\n" in meta
    id = re.search(rb"^id: (.*)$", meta, re.M).group(1).decode()
    assert id in said
    if "ndjson" not in FOUND[number][1]:
        assert said.strip() == id


@pytest.mark.parametrize("number", [number for number, (language, _) in enumerate(FOUND) if language not in ("sh", "go")])
def test_an_example_tries_again(stack, number):
    """While the broker is away: messages published then are published once."""
    broker = stack.broker()
    worker = stack.ws("--allow-publish", "--retry=500ms")
    worker.wait_log("broker: connected")
    broker.kill()
    done = []
    thread = threading.Thread(target=lambda: done.append(start(stack, number)))
    thread.start()
    worker.wait_log("refused 503")
    stack.broker()
    wait_for(lambda: done or not thread.is_alive(), "an answer")
    assert re.fullmatch(r"\d+-\d+\n", done[0])
    assert stack.stats()["published"] == 1
