"""zcast: broker, and zcast-ws, which clients reach directly, for WebSocket and for Server-Sent Events; or through nginx on
the project's own samples, with proxy_pass over TCP or over a Unix socket."""
import os
import subprocess
from place import System
from systems.zcast_broker import broker
from systems.zcast_fcgi import sample

TRANSPORTS = ("ws", "sse")
PATH = {"ws": "/ws?topic=bench", "sse": "/events?topic=bench"}
# The load generator is one address; what an address may hold is not what is measured.
LIMITS = ["--max-connections-per-address=0"]


def web_server(place, upstream):
    changes = {"127.0.0.1:8081": upstream, "/usr/share/zcast/www": place.folder}
    port = place.port()
    pid = place.nginx(f"""
    include {sample(place, "zcast-http.conf", changes)};
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        include {sample(place, "zcast-proxy.conf", changes)};
    }}
""")
    place.wait(port)
    return pid, port


def keys(place):
    """A folder of CURVE keys: for the broker, and for all that connects to it."""
    folder = place.path("keys")
    os.makedirs(os.path.join(folder, "clients"))
    zmq = place.built("tools/zmq")
    subprocess.run([zmq, "keygen", os.path.join(folder, "broker")], check=True, capture_output=True)
    subprocess.run([zmq, "keygen", os.path.join(folder, "bench"), "--worker", "--publish", "*",
                    "--server", os.path.join(folder, "broker")], check=True, capture_output=True)
    os.rename(os.path.join(folder, "bench"), os.path.join(folder, "clients", "bench"))
    return folder


def key(path, name):
    with open(path, encoding="utf-8") as file:
        return next(line.split('"')[1] for line in file if line.strip().startswith(name))


def curve(place):
    """Options of broker, worker, and load generator."""
    folder = keys(place)
    own = os.path.join(folder, "bench_secret")
    return ([f"--curve-key={folder}/broker_secret", f"--curve-clients={folder}/clients"],
            [f"--curve-key={own}", f"--curve-server={folder}/broker"],
            ["--curve", key(os.path.join(folder, "broker"), "public-key")
             + key(own, "public-key") + key(own, "secret-key")])


def start(place, transport, processes=1, options=(), web=None, encrypted=False):
    """`web`: None, "tcp" or "unix"."""
    for_broker, for_worker, for_load = curve(place) if encrypted else ([], [], [])
    pid, endpoints, ports = broker(place, for_broker)
    port, path = place.port(), place.path("ws.sock")
    listen = f"unix:{path}" if web == "unix" else f"127.0.0.1:{port}"
    ws = place.spawn([place.built("ws/zcast-ws"), *endpoints, f"--listen={listen}",
                      f"--processes={processes}", *LIMITS, *for_worker, *options])
    place.wait(path if web == "unix" else port)
    groups = {"ws": ws, "broker": pid}
    if web:
        groups["nginx"], port = web_server(place, listen)
    system = System(groups, ["--transport", transport, "--connect", f"127.0.0.1:{port}",
                             "--path", PATH[transport],
                             "--publish", f"zmq:tcp://127.0.0.1:{ports[0]}", *for_load])
    system.http, system.control = f"127.0.0.1:{port}", f"tcp://127.0.0.1:{ports[2]}"
    return system
