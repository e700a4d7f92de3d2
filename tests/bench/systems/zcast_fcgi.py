"""zcast: broker, FastCGI worker and nginx with the project's own sample files. With
`web=False` the load generator speaks FastCGI to the worker itself."""
import os
from place import SOURCE, System
from systems.zcast_broker import broker

TRANSPORTS = ("sse",)


def sample(place, name, changes):
    with open(os.path.join(SOURCE, "etc", "nginx", name), encoding="utf-8") as file:
        text = file.read()
    for old, new in changes.items():
        text = text.replace(old, new)
    return place.write(name, text)


def web_server(place, socket, workers):
    os.makedirs(place.path("www"), exist_ok=True)
    place.write("www/1k.html", "x" * 1024)
    changes = {"/run/zcast/sse.sock": socket, "/usr/share/zcast/www": place.path("www")}
    port = place.port()
    reuse = " reuseport" if workers > 1 else ""
    pid = place.nginx(f"""
    include {sample(place, "zcast-http.conf", changes)};
    server {{
        listen 127.0.0.1:{port} backlog=4096{reuse};
        include {sample(place, "zcast.conf", changes)};
    }}
""", workers=workers)
    place.wait(port)
    return pid, port


def start(place, transport, processes=1, options=(), web=True, workers=1):
    pid, endpoints, ports = broker(place)
    socket = place.path("sse.sock")
    worker = place.spawn([place.built("fcgi/zcast-fcgi"), *endpoints, f"--socket={socket}",
                          f"--processes={processes}", *options])
    place.wait(socket)
    groups = {"worker": worker, "broker": pid}
    load = ["--transport", transport if web else "fcgi", "--connect", socket]
    if web:
        groups["nginx"], port = web_server(place, socket, workers)
        load[-1] = f"127.0.0.1:{port}"
    return System(groups, load + ["--path", "/events?topic=bench",
                                  "--publish", f"zmq:tcp://127.0.0.1:{ports[0]}"])
