"""The floor: one send() a client and message, and nothing else (tests/bench/floor.c)."""
from place import System

TRANSPORTS = ("ws",)


def start(place, transport):
    clients, publisher = place.port(), place.port()
    pid = place.spawn([place.built("tests/bench/floor"), str(clients), str(publisher)])
    place.wait(clients)
    return System({"floor": pid}, ["--transport", transport, "--connect", f"127.0.0.1:{clients}",
                                   "--publish", f"raw:127.0.0.1:{publisher}"])
