"""The hub that most people would write: axum with one tokio broadcast channel, built by cargo
(tests/bench/peers/axum); direct, or behind nginx as its manual shows it."""
import os
import shutil
import subprocess
from place import BUILD, SOURCE, Missing, System

TRANSPORTS = ("sse", "ws")
PATH = {"sse": "/events", "ws": "/ws"}


def build(place):
    """In the build folder: cargo writes beside its manifest."""
    folder = os.path.join(BUILD, "tests", "bench", "cache", "axum")
    shutil.copytree(os.path.join(SOURCE, "tests", "bench", "peers", "axum"), folder,
                    dirs_exist_ok=True)
    done = subprocess.run([place.program("cargo"), "build", "--release", "--quiet",
                           "--manifest-path", os.path.join(folder, "Cargo.toml"),
                           "--target-dir", folder],
                          capture_output=True, timeout=1800, check=False)
    if done.returncode != 0:
        raise Missing("cargo can't build it")
    return os.path.join(folder, "release", "hub")


def start(place, transport, web=False):
    port = place.port()
    groups = {"axum": place.spawn([build(place), str(port)])}
    place.wait(port)
    shown = port
    if web:
        shown = place.port()
        groups["nginx"] = place.nginx(f"""
    server {{
        listen 127.0.0.1:{shown} backlog=4096;
        location / {{
            proxy_pass http://127.0.0.1:{port};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $http_connection;
            proxy_buffering off;
        }}
    }}
""")
        place.wait(shown)
    return System(groups, ["--transport", transport, "--connect", f"127.0.0.1:{shown}",
                           "--path", PATH[transport],
                           "--publish", f"http:127.0.0.1:{port}/pub"])
