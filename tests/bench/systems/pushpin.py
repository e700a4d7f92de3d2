"""Pushpin, Debian's package, as it is configured there but for the addresses, its limit of
messages a second, and its log. Its built-in test route holds the stream open, so no backend's
time is in the figures."""
import os
import re
from place import Missing, System

TRANSPORTS = ("sse", "ws")
BODY = {"sse": 'J{"channel":"bench","formats":{"http-stream":{"content":"data: %s\\n\\n"}}}',
        "ws": 'J{"channel":"bench","formats":{"ws-message":{"content":"%s"}}}'}
PATH = {"sse": "/stream?channel=bench", "ws": "/ws?channel=bench"}


def start(place, transport):
    program = place.program("pushpin")
    place.program("condure")
    if not os.path.exists("/etc/pushpin/pushpin.conf"):
        raise Missing("pushpin's sample configuration isn't there")
    with open("/etc/pushpin/pushpin.conf", encoding="utf-8") as file:
        text = file.read()
    port, push = place.port(), place.port()
    os.makedirs(place.path("run"))
    for key, value in {
            "rundir": place.path("run"), "logdir": place.path("run"), "log_level": 1,
            "include": "/usr/lib/pushpin/internal.conf", "http_port": f"127.0.0.1:{port}",
            "routesfile": place.write("routes", "* test\n"), "message_rate": 1000000000,
            "push_in_spec": f"ipc://{place.path('in')}", "push_in_http_port": push,
            "push_in_sub_specs": f"ipc://{place.path('sub')}",
            "command_spec": f"ipc://{place.path('command')}"}.items():
        text = re.sub(rf"(?m)^{key}=.*$", f"{key}={value}", text)
    pid = place.spawn([program, "--config", place.write("pushpin.conf", text), "--loglevel=1"])
    place.wait(port)
    place.wait(push)
    place.wait_http(port, PATH["sse"])
    return System({"pushpin": pid},
                  ["--transport", transport, "--connect", f"127.0.0.1:{port}",
                   "--path", PATH[transport], "--publish", f"push:ipc://{place.path('in')}",
                   "--body", BODY[transport]])
