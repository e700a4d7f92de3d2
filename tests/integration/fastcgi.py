"""FastCGI 1.0 from a web server's side, byte by byte where a test wants it so."""

import re
import socket
import struct
import time

from stack import LIMIT

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = range(1, 12)
RESPONDER, KEEP_CONN = 1, 1
COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = range(4)


def record(kind, id, content=b"", padding=0):
    return struct.pack(">BBHHBx", 1, kind, id, len(content), padding) + content + b"\xaa" * padding


def length(number):
    return bytes([number]) if number < 128 else struct.pack(">I", number | 0x80000000)


def pair(name, value=b""):
    name, value = (text.encode() if isinstance(text, str) else text for text in (name, value))
    return length(len(name)) + length(len(value)) + name + value


def begin(id=1, role=RESPONDER, flags=0, padding=0):
    return record(BEGIN, id, struct.pack(">HB5x", role, flags), padding)


def params(id, pairs, padding=0, cut=None):
    content = b"".join(pair(*both) for both in pairs.items())
    step = cut or max(len(content), 1)
    parts = [content[at : at + step] for at in range(0, len(content), step)]
    return b"".join(record(PARAMS, id, part, padding) for part in [*parts, b""])


def request(query="topic=a", id=1, method="GET", flags=0, padding=0, cut=None, **more):
    """All records of one request."""
    pairs = {"QUERY_STRING": query, "REQUEST_METHOD": method, "REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4711", **more}
    return begin(id, flags=flags, padding=padding) + params(id, pairs, padding, cut) + record(STDIN, id, b"", padding)


class Peer:
    """One connection to a worker."""

    def __init__(self, address, sent=b""):
        self.socket = socket.socket(socket.AF_UNIX if not isinstance(address, tuple) else socket.AF_INET)
        self.socket.settimeout(LIMIT)
        self.socket.connect(address if isinstance(address, tuple) else str(address))
        self.text = b""  # all STDOUT contents
        self.records = 0
        self._bytes = b""
        if sent:
            self.send(sent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))
        return self

    def _fill(self, count):
        while len(self._bytes) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(f"the connection ended {count - len(self._bytes)} bytes early")
            self._bytes += more

    def read(self):
        """The next record: (type, id, content). EOFError at the end. A timeout takes nothing away."""
        self._fill(8)
        version, kind, id, size, padding = struct.unpack(">BBHHBx", self._bytes[:8])
        assert version == 1
        self._fill(8 + size + padding)
        content, self._bytes = self._bytes[8 : 8 + size], self._bytes[8 + size + padding :]
        self.records += 1
        if kind == STDOUT:
            self.text += content
        return kind, id, content

    def expect(self, kind, id, content):
        """The next record that is none of the stream's, which may say something at any time."""
        got = self.read()
        while got[0] == STDOUT and got[2]:
            got = self.read()
        assert got == (kind, id, content)

    def wait(self, part, start=0):
        """Reads until STDOUT has had `part` from `start` on; returns where it ends."""
        part = part.encode() if isinstance(part, str) else part
        end = time.monotonic() + LIMIT
        while part not in self.text[start:]:
            assert time.monotonic() < end, f"no {part!r} in {self.text!r}"
            kind, _, content = self.read()
            assert kind == STDOUT and content, f"no {part!r} in {self.text!r}, but record {kind}"
        return self.text.index(part, start) + len(part)

    def wait_open(self):
        """Waits for the stream's first event, or for the time to come back, if the worker is busy."""
        self.wait("\n", self.wait("retry: "))
        if b": busy\n" not in self.text:
            self.wait("\n\n", self.text.index(b"retry: "))
        return self

    def payloads(self):
        """The data of all messages so far, but for zcast's own."""
        blocks = self.text.decode().partition("\r\n\r\n")[2].split("\n\n")[:-1]
        return ["\n".join(re.findall(r"^data: (.*)$", block, re.M)) for block in blocks if "event: zcast." not in block]

    def finish(self, id=1, status=COMPLETE):
        """Reads to the end of the request, which must be a proper one; returns what STDOUT has had."""
        while True:
            kind, got, content = self.read()
            assert got == id
            if kind == STDOUT and not content:
                break
            assert kind == STDOUT
        self.expect(END, id, struct.pack(">IB3x", 0, status))
        return self.text.decode()

    def cut(self):
        """Reads to the end of the connection, which must not be one of the request: what a stream had until then."""
        while True:
            try:
                kind, _, content = self.read()
                assert kind == STDOUT and content, "the stream ended in order"
            except (EOFError, ConnectionResetError):
                return self.text.decode()

    def wait_closed(self):
        """Reads until the worker closes."""
        while True:
            try:
                if not self.socket.recv(65536):
                    return self
            except ConnectionResetError:
                return self
