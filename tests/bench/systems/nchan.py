"""Nchan, Debian's libnginx-mod-nchan: the publish/subscribe module inside nginx, memory store.

Two workers, and a message buffer raised from 10 to 20,000, so that no burst overtakes its
subscribers; the rest is as its manual shows it.
"""
import os
from place import Missing, System

TRANSPORTS = ("sse", "ws")
MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"
BODY = """
    nchan_max_reserved_memory 512M;
    server {{
        listen 127.0.0.1:{port} backlog=4096 reuseport;
        location = /pub {{
            nchan_publisher;
            nchan_channel_id $arg_id;
            nchan_message_buffer_length 20000;
            nchan_message_timeout 5m;
            client_max_body_size 4m;
            client_body_buffer_size 2m;
        }}
        location = /sub {{
            nchan_subscriber eventsource websocket;
            nchan_channel_id $arg_id;
            nchan_subscriber_first_message newest;
        }}
    }}
"""


def start(place, transport):
    if not os.path.exists(MODULE):
        raise Missing("libnginx-mod-nchan is not installed")
    port = place.port()
    pid = place.nginx(BODY.format(port=port), modules=[MODULE], workers=2)
    place.wait(port)
    return System({"nginx": pid}, ["--transport", transport, "--connect", f"127.0.0.1:{port}",
                                   "--path", "/sub?id=bench",
                                   "--publish", f"http:127.0.0.1:{port}/pub?id=%s"])
