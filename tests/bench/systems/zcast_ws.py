"""zcast: broker and WebSocket daemon, clients connect to it directly."""
from place import System
from systems.zcast_broker import broker

TRANSPORTS = ("ws",)
# The load generator is one address; what an address may hold is not what is measured.
LIMITS = ["--max-connections-per-address=0"]


def start(place, transport, processes=1, options=()):
    pid, endpoints, ports = broker(place)
    port = place.port()
    ws = place.spawn([place.built("ws/zcast-ws"), *endpoints, f"--listen=127.0.0.1:{port}",
                      f"--processes={processes}", *LIMITS, *options])
    place.wait(port)
    return System({"ws": ws, "broker": pid},
                  ["--transport", transport, "--connect", f"127.0.0.1:{port}",
                   "--path", "/ws?topic=bench",
                   "--publish", f"zmq:tcp://127.0.0.1:{ports[0]}"])
