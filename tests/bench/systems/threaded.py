"""A worker in the obvious style behind nginx: libfcgi's loop, a thread and a SUB socket a client
(tests/bench/threaded_fcgi.c), on zcast's broker."""
from place import System
from systems.zcast_broker import broker

TRANSPORTS = ("sse",)


def start(place, transport, threads=1100):
    pid, endpoints, ports = broker(place)
    subscribe = endpoints[0].split("=", 1)[1]
    socket, port = place.path("threaded.sock"), place.port()
    worker = place.spawn([place.built("tests/bench/threaded_fcgi"), socket, subscribe,
                          str(threads)])
    place.wait(socket)
    nginx = place.nginx(f"""
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            include /etc/nginx/fastcgi_params;
            fastcgi_pass unix:{socket};
            fastcgi_buffering off;
        }}
    }}
""")
    place.wait(port)
    return System({"worker": worker, "nginx": nginx, "broker": pid},
                  ["--transport", transport, "--connect", f"127.0.0.1:{port}",
                   "--path", "/?topic=bench", "--publish", f"zmq:tcp://127.0.0.1:{ports[0]}"])
