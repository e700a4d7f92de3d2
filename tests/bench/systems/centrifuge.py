"""Centrifuge's Go module as a small program (tests/bench/peers/centrifuge), built by go. Its WebSocket needs a client of its own; an
event stream brings the word that it wants in its address."""
import os
import subprocess
import urllib.parse
from place import BUILD, SOURCE, Missing, System

TRANSPORTS = ("sse",)
PATH = "/events?cf_connect=" + urllib.parse.quote('{"id":1,"connect":{}}')


def build(place):
    folder = os.path.join(BUILD, "tests", "bench", "cache", "centrifuge")
    program = os.path.join(folder, "hub")
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run([place.program("go"), "build", "-o", program, "."],
                          cwd=os.path.join(SOURCE, "tests", "bench", "peers", "centrifuge"),
                          capture_output=True, timeout=1800, check=False)
    if done.returncode != 0:
        raise Missing("go can't build it")
    return program


def start(place, transport):
    port = place.port()
    groups = {"centrifuge": place.spawn([build(place), str(port)])}
    place.wait(port)
    return System(groups, ["--transport", transport, "--connect", f"127.0.0.1:{port}",
                           "--path", PATH, "--publish", f"http:127.0.0.1:{port}/pub"])
