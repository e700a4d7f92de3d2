"""A WebSocket client by hand: every byte of the handshake and of each frame is the test's own."""

import base64
import contextlib
import hashlib
import os
import socket
import struct

from stack import LIMIT

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def head(path="/ws?topic=a", method="GET", version="HTTP/1.1", drop=(), **fields):
    """A request head; fields by name with _ for -, in addition to those of a handshake or instead of them; names in
    `drop` are left out."""
    named = {
        "Host": "localhost",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }
    for name, value in fields.items():
        known = [key for key in named if key.lower() == name.replace("_", "-").lower()]
        named[known[0] if known else name.replace("_", "-")] = value
    lines = [f"{method} {path} {version}"]
    lines += [f"{name}: {value}" for name, value in named.items() if name not in drop]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def encode(first, payload=b"", mask=True, form=None):
    """A frame: its first byte, its payload. `form`: 7, 16 or 64, the width of the length, which is the shortest
    otherwise."""
    size = len(payload)
    form = form or (7 if size < 126 else 16 if size < 65536 else 64)
    bit = 0x80 if mask else 0
    made = bytes([first])
    if form == 7:
        made += bytes([bit | size])
    elif form == 16:
        made += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        made += bytes([bit | 127]) + struct.pack(">Q", size)
    if not mask:
        return made + payload
    key = os.urandom(4)
    long_key = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(long_key, "big")
    return made + key + mixed.to_bytes(size, "big")


def close_body(code, reason=b""):
    return struct.pack(">H", code) + reason


class Closed(AssertionError):
    """The server closed the connection where a test wanted more bytes."""


class Raw:
    """One connection. `address`: a port of the loopback, or a path. `source`: the address it comes from."""

    def __init__(self, address, receive_buffer=None, source=None):
        self.socket = socket.socket(socket.AF_INET if isinstance(address, int) else socket.AF_UNIX)
        if source:
            self.socket.bind((source, 0))
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(LIMIT)
        self.socket.connect(("127.0.0.1", address) if isinstance(address, int) else str(address))
        self.bytes = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Sends; a server that has closed already is no error here, what it said is looked at next."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def frame(self, first, payload=b"", **how):
        self.send(encode(first, payload, **how))

    def _more(self):
        try:
            more = self.socket.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            raise Closed(f"the server closed the connection; it had sent {self.bytes[:200]!r}")
        self.bytes += more

    def take(self, size):
        while len(self.bytes) < size:
            self._more()
        taken, self.bytes = self.bytes[:size], self.bytes[size:]
        return taken

    def response(self):
        """The response head: (status, fields by lower-case name)."""
        while b"\r\n\r\n" not in self.bytes:
            self._more()
        text, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        first, *lines = text.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1)[:1] + line.split(": ", 1)[1:] for line in lines)
        return int(first.split(" ")[1]), fields

    def open(self, path="/ws?topic=a", **fields):
        """The handshake, which must succeed. Returns the response's fields."""
        self.send(head(path, **fields))
        status, found = self.response()
        assert status == 101, (status, found, self.bytes)
        assert found["upgrade"].lower() == "websocket" and found["connection"].lower() == "upgrade"
        expected = base64.b64encode(hashlib.sha1((KEY + GUID).encode()).digest()).decode()
        assert found["sec-websocket-accept"] == expected
        return found

    def read_frame(self):
        """(first byte, payload) of the next frame, which must not be masked and has the shortest form of length."""
        first, second = self.take(2)
        assert second & 0x80 == 0, "the server masks"
        size = second
        if second == 126:
            (size,) = struct.unpack(">H", self.take(2))
            assert size >= 126
        elif second == 127:
            (size,) = struct.unpack(">Q", self.take(8))
            assert size >= 65536
        return first, self.take(size)

    def read_message(self):
        """The next frame that is no ping and no heartbeat: (first byte, payload)."""
        while True:
            first, payload = self.read_frame()
            if first != FIN | PING and not payload.startswith(b'{"type":"heartbeat"'):
                return first, payload

    def read_close(self):
        """The code and reason of a close frame, which must be the next one; pings are passed over."""
        first, payload = self.read_message()
        assert first == FIN | CLOSE, (first, payload)
        if not payload:
            return None, ""
        return struct.unpack(">H", payload[:2])[0], payload[2:].decode()

    def at_end(self):
        """True once the server has closed, and has sent nothing more."""
        try:
            self._more()
        except Closed:
            return True
        return False

    def reset(self):
        """Closes with a reset, as a peer that is gone."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
