"""Clients that reconnect as browsers do, with their last id, on either transport: many in one thread.

Each follows one topic whose payloads are the numbers 1, 2, 3, …: the next one must be the last one plus one."""

import base64
import errno
import json
import os
import random
import select
import socket
import struct
import threading
import time


class Watcher:
    """One client. `faults` lists the messages that it should not have seen."""

    def __init__(self, address, path, topic, gaps_allowed=False, holes_allowed=False, selects=False):
        self.address, self.path, self.topic = address, path, topic
        self.wish = f"match={topic}/%23" if selects else f"topic={topic}"  # the topic, and what is below it: nothing
        self.gaps_allowed = gaps_allowed
        self.holes_allowed = holes_allowed  # what came before the broker may lose some; nothing may come twice
        self.last_id = None
        self.last = 0
        self.ids = {}  # of each number, the first id it came with; kept where gaps are allowed
        self.repeats = []  # (number, first id, later id): only a broker that lost its memory may cause them
        self.gaps = 0
        self.connects = 0
        self.faults = []
        self.socket = None
        self.retry_at = 0

    # -- the connection

    def request(self):
        raise NotImplementedError

    def feed(self, data):
        raise NotImplementedError

    def start(self):
        self.buffer = b""
        self.open = False
        self.verdict_due = self.last_id is not None
        self.connects += 1

    # -- what it sees

    def message(self, number, id):
        if self.verdict_due:
            self.faults.append(f"{self.topic}: {number} came before the verdict")
        excused = self.holes_allowed or (self.gaps_allowed and self.gaps)
        if number in self.ids:
            self.repeats.append((number, self.ids[number], id))
        elif number != self.last + 1 and not (excused and number > self.last):
            self.faults.append(f"{self.topic}: {number} after {self.last} (connection {self.connects}, id {id})")
        if self.gaps_allowed:
            self.ids.setdefault(number, id)
        self.last = number
        self.last_id = id

    def verdict(self, data, id):
        self.verdict_due = False
        if data["status"] == "gap":
            self.gaps += 1
            if not self.gaps_allowed:
                self.faults.append(f"{self.topic}: gap stated: {data}")
        self.last_id = id


class SseWatcher(Watcher):
    def request(self):
        last = f"Last-Event-ID: {self.last_id}\r\n" if self.last_id else ""
        return f"GET {self.path}?{self.wish} HTTP/1.0\r\nHost: localhost\r\n{last}\r\n".encode()

    def feed(self, data):
        self.buffer += data
        if not self.open:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 200 " not in head.split(b"\r\n")[0]:
                self.faults.append(f"{self.topic}: {head[:80]!r}")
            self.open, self.buffer = True, rest
        *blocks, self.buffer = self.buffer.split(b"\n\n")
        for block in blocks:
            self._block(block.decode())

    def _block(self, block):
        fields = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        if fields.get("event") == "zcast.continuity":
            self.verdict(json.loads(fields["data"]), fields["id"])
        elif "data" in fields:
            self.message(int(fields["data"]), fields["id"])
        elif "id" in fields:
            self.last_id = fields["id"]


class WsWatcher(Watcher):
    def request(self):
        last = f"&last-event-id={self.last_id}" if self.last_id else ""
        key = base64.b64encode(os.urandom(16)).decode()
        return (
            f"GET {self.path}?{self.wish}{last} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: zcast.v1\r\n\r\n"
        ).encode()

    def feed(self, data):
        self.buffer += data
        if not self.open:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.faults.append(f"{self.topic}: {head[:80]!r}")
            self.open, self.buffer = True, rest
        at = 0
        while len(self.buffer) - at >= 2:
            opcode, size, start = self.buffer[at] & 15, self.buffer[at + 1], at + 2
            if size == 126:
                if len(self.buffer) - at < 4:
                    break
                size, start = struct.unpack_from(">H", self.buffer, start)[0], start + 2
            if start + size > len(self.buffer):
                break
            payload = self.buffer[start : start + size]
            at = start + size
            if opcode == 9:
                self.socket.send(bytes([0x8A, 0x80 | size]) + bytes(4) + payload)
            elif opcode == 1:
                self._object(json.loads(payload))
        self.buffer = self.buffer[at:]

    def _object(self, message):
        if message.get("event") == "zcast.continuity":
            self.verdict(json.loads(message["data"]), message["id"])
        elif "data" in message:
            self.message(int(message["data"]), message["id"])
        elif message.get("type") == "heartbeat" and "id" in message:
            self.last_id = message["id"]


class Watchers:
    def __init__(self, watchers):
        self.watchers = watchers
        self.epoll = select.epoll()
        self.by_fd = {}

    def _connect(self, watcher):
        watcher.socket = socket.socket()
        watcher.socket.setblocking(False)
        watcher.socket.connect_ex(watcher.address)
        watcher.start()
        self.by_fd[watcher.socket.fileno()] = watcher
        self.epoll.register(watcher.socket.fileno(), select.EPOLLOUT)

    def _lost(self, fd, watcher):
        self.epoll.unregister(fd)
        watcher.socket.close()
        watcher.socket = None
        watcher.retry_at = time.monotonic() + random.uniform(0.05, 0.5)
        del self.by_fd[fd]

    def reset(self):
        """Every connection at once, by RST."""
        for fd, watcher in list(self.by_fd.items()):
            watcher.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._lost(fd, watcher)
            watcher.retry_at = 0

    def turn(self, pause=0.01):
        now = time.monotonic()
        if len(self.by_fd) < len(self.watchers):
            for watcher in self.watchers:
                if watcher.socket is None and watcher.retry_at <= now:
                    self._connect(watcher)
        for fd, events in self.epoll.poll(pause, 512):
            watcher = self.by_fd[fd]
            try:
                if events & select.EPOLLOUT:
                    watcher.socket.send(watcher.request())
                    self.epoll.modify(fd, select.EPOLLIN)
                    continue
                data = watcher.socket.recv(262144)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EINPROGRESS):
                    continue
                data = b""
            if data:
                watcher.feed(data)
            else:
                self._lost(fd, watcher)

    def until(self, condition, what, limit, tick=lambda: None):
        end = time.monotonic() + limit
        while not condition():
            self.turn()
            tick()
            faults = self.faults()
            if faults:
                raise AssertionError(f"{len(faults)} faults, such as:\n" + "\n".join(faults[:8]))
            if time.monotonic() > end:
                behind = [f"{w.topic} at {w.last} ({type(w).__name__}, open {w.socket and w.open})" for w in self.watchers]
                raise AssertionError(f"not within {limit} s: {what}; {behind[:6]}")

    def all_open(self):
        return all(w.socket is not None and w.open for w in self.watchers)

    def faults(self):
        return [fault for watcher in self.watchers for fault in watcher.faults]

    def close(self):
        for watcher in self.by_fd.values():
            watcher.socket.close()
        self.epoll.close()


def beside(job, until):
    """Does something that waits in a thread of its own. `until` waits for a condition, while messages flow. Passes on what goes wrong."""
    wrong = []

    def body():
        try:
            job()
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    until(lambda: not thread.is_alive())
    if wrong:
        raise wrong[0]
