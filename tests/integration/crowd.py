"""Many clients at once, in one thread: raw sockets and epoll. What each receives is kept as it came and looked at afterwards, so
that the reader is not what is measured."""

import base64
import errno
import os
import select
import socket
import struct
import time

from stack import LIMIT, SseParser


class Client:
    """One connection: sends its request, keeps the reply's header and its body."""

    def __init__(self, request):
        self.request = request
        self.socket = None
        self.head = None  # the reply's header, once it is complete
        self.ready = False  # it is a stream that has begun
        self.received = bytearray()
        self.closed = False

    def take(self, data):
        self.received += data
        if self.head is None:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            self.head = bytes(self.received[:end])
            del self.received[: end + 4]
        if not self.ready:
            self.begin()

    def begin(self):
        self.ready = True

    def contains(self, text):
        """Whether `text` is at the end of the body, or close to it."""
        return self.received.find(text, max(0, len(self.received) - 4096)) >= 0


class SseCrowdClient(Client):
    def __init__(self, path, headers=()):
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Accept: text/event-stream", *headers]
        super().__init__("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")

    def begin(self):
        self.ready = self.head.startswith(b"HTTP/1.1 200") and len(self.received) > 0

    def body(self):
        """The body, without HTTP's chunks."""
        if b"transfer-encoding: chunked" not in self.head.lower():
            return bytes(self.received)
        parts, at = [], 0
        while True:
            end = self.received.find(b"\r\n", at)
            if end < 0:
                break
            size = int(self.received[at:end].split(b";")[0], 16)
            parts.append(self.received[end + 2 : end + 2 + size])
            at = end + 2 + size + 2
            if size == 0 or at > len(self.received):
                break
        return b"".join(parts)

    def messages(self):
        parser = SseParser()
        events = [parser.line(line) for line in self.body().decode().split("\n")]
        return [event.data for event in events if event and not event.event.startswith("zcast.")]


class WsCrowdClient(Client):
    """Raw mode. Answers pings."""

    def __init__(self, path):
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        super().__init__("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
        self.frames = []
        self.at = 0

    def begin(self):
        self.ready = self.head.startswith(b"HTTP/1.1 101")

    def take(self, data):
        super().take(data)
        while self.ready:
            left = len(self.received) - self.at
            if left < 2:
                return
            opcode, size, start = self.received[self.at] & 15, self.received[self.at + 1], self.at + 2
            if size == 126:
                if left < 4:
                    return
                size, start = struct.unpack_from(">H", self.received, start)[0], start + 2
            elif size == 127:
                if left < 10:
                    return
                size, start = struct.unpack_from(">Q", self.received, start)[0], start + 8
            if start + size > len(self.received):
                return
            payload = bytes(self.received[start : start + size])
            self.at = start + size
            if opcode in (1, 2):
                self.frames.append(payload)
            elif opcode == 9:  # a pong has the ping's payload, masked (with zeros)
                self.socket.send(bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)

    def messages(self):
        return [payload.decode() for payload in self.frames]


class Crowd:
    """Clients of one server, at (host, port)."""

    def __init__(self, address, clients, at_once=100):
        self.address = address
        self.clients = clients
        self._waiting = list(reversed(clients))
        self._at_once = at_once
        self._epoll = select.epoll()
        self._by_fd = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _connect_some(self):
        opening = sum(1 for client in self._by_fd.values() if not client.ready)
        while self._waiting and opening < self._at_once:
            client = self._waiting.pop()
            client.socket = socket.socket()
            client.socket.setblocking(False)
            code = client.socket.connect_ex(self.address)
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
            self._by_fd[client.socket.fileno()] = client
            self._epoll.register(client.socket.fileno(), select.EPOLLOUT)
            opening += 1

    def _serve(self, fd, events):
        client = self._by_fd[fd]
        try:
            if events & select.EPOLLOUT:
                client.socket.send(client.request)
                self._epoll.modify(fd, select.EPOLLIN)
                return
            data = client.socket.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            client.take(data)
            return
        client.closed = True
        self._epoll.unregister(fd)
        client.socket.close()
        del self._by_fd[fd]

    def pump(self, until, what, limit=LIMIT * 2, tick=lambda: None, pause=0.01):
        """Reads for all, and calls `tick`, until the condition holds."""
        end = time.monotonic() + limit
        checked = 0
        while True:
            if self._waiting:
                self._connect_some()
            for fd, events in self._epoll.poll(pause, 512):
                if fd in self._by_fd:
                    self._serve(fd, events)
            tick()
            now = time.monotonic()
            if now - checked > 0.1:
                checked = now
                if until():
                    return self
                if now > end:
                    raise AssertionError(f"not within {limit:.0f} s: {what}; {self.summary()}")

    def open(self, limit=LIMIT * 2):
        return self.pump(lambda: all(client.ready for client in self.clients), "all streams open", limit)

    def receive(self, text, limit=LIMIT * 2, tick=lambda: None):
        """Until every client has `text`."""
        return self.pump(lambda: all(client.contains(text) for client in self.clients), f"{text!r} at all", limit, tick)

    def summary(self):
        ready = sum(1 for client in self.clients if client.ready)
        closed = sum(1 for client in self.clients if client.closed)
        size = [len(client.received) for client in self.clients]
        odd = next((client.head or bytes(client.received) for client in self.clients if not client.ready), b"")
        return f"{len(self.clients)} clients, {ready} ready, {closed} closed, {min(size)} to {max(size)} bytes, {odd[:200]!r}"

    def close(self):
        for client in list(self._by_fd.values()):
            client.socket.close()
        self._by_fd.clear()
        self._epoll.close()
