"""The broadcast example of the npm package ws, as its README has it."""
import os
import subprocess
from place import BUILD, Missing, System

TRANSPORTS = ("ws",)
VERSION = "8"
SERVER = """
const { WebSocket, WebSocketServer } = require('ws');
const wss = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) });
wss.on('connection', function connection(ws) {
  ws.on('error', console.error);
  ws.on('message', function message(data, isBinary) {
    wss.clients.forEach(function each(client) {
      if (client !== ws && client.readyState === WebSocket.OPEN) {
        client.send(data, { binary: isBinary });
      }
    });
  });
});
"""


def install(place):
    folder = os.path.join(BUILD, "tests", "bench", "cache")
    if not os.path.isdir(os.path.join(folder, "node_modules", "ws")):
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run([place.program("npm"), "install", "--prefix", folder, "--no-save",
                               "--no-audit", "--no-fund", f"ws@{VERSION}"],
                              capture_output=True, timeout=120, check=False)
        if done.returncode != 0:
            raise Missing("npm can't install ws")
    return os.path.join(folder, "node_modules")


def start(place, transport):
    port = place.port()
    modules = install(place)
    pid = place.spawn([place.program("node"), place.write("server.js", SERVER), str(port)],
                      env=dict(os.environ, NODE_PATH=modules))
    place.wait(port)
    return System({"node": pid}, ["--transport", transport, "--connect", f"127.0.0.1:{port}",
                                  "--publish", f"ws:127.0.0.1:{port}/"])
