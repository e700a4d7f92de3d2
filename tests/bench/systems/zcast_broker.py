"""The broker alone; the systems with a worker start it too."""
from place import System


def endpoints(place):
    ports = [place.port() for _ in range(3)]
    return [f"--{name}=tcp://127.0.0.1:{port}"
            for name, port in zip(("publish", "subscribe", "control"), ports)], ports


def broker(place, options=()):
    """Starts it. Returns its pid, the options by which a worker finds it, and its ports."""
    arguments, ports = endpoints(place)
    pid = place.spawn([place.built("broker/zcast-broker"), *arguments, *options])
    for port in ports:
        place.wait(port)
    return pid, arguments[1:], ports


def start(place, transport, broker_options=()):
    pid, _, ports = broker(place, broker_options)
    return System({"broker": pid}, ["--publish", f"zmq:tcp://127.0.0.1:{ports[0]}"])
