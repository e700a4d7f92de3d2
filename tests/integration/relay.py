"""A narrow, slow or broken network between programs on the loopback.

    link = Link(rate=125_000, delay=0.02)       # bytes a second each way; seconds
    stack.through(link)                         # workers reach the broker over it
    ...
    link.down                                   # bytes that it has carried to the workers
    link.cut(); link.mend(); link.reset()

All connections share a link's rate, a packet of each in turn, as at a router with fair queues. What waits at the router is
bounded, and so is what the kernel takes: a sender notices how narrow the link is."""

import collections
import contextlib
import selectors
import socket
import struct
import threading
import time

PACKET = 1460
QUEUE = 32 * 1024  # bytes of a connection that wait at the router
KERNEL = 32 * 1024  # and in each of its sockets, which take some more


def _narrow(side):
    """Small buffers; and small segments, since one as large as a buffer would wait for a timer of TCP's."""
    side.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL)
    side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL)
    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, PACKET)


class _Pipe:
    """One direction of a connection."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.packets = collections.deque()  # of (when it arrives, bytes)
        self.size = 0
        self.readable = False
        self.writable = True
        self.ended = False  # the source has


class Link:
    def __init__(self, rate=None, delay=0.0):
        self.rate, self.delay = rate, delay
        self.down = self.up = 0  # bytes carried: down to those who connect, up to whom they connect to
        self.connections = 0  # made so far
        self._broken = False
        self._free = {"up": 0.0, "down": 0.0}  # when the next packet may go
        self._turns = {"up": collections.deque(), "down": collections.deque()}
        self._pairs = {}  # of sockets
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._jobs = collections.deque()
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # -- for tests

    def listen(self, port, target):
        """Takes connections at a port of the loopback to (host, port)."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _narrow(listener)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        listener.setblocking(False)
        self._do(lambda: self._selector.register(listener, selectors.EVENT_READ, target))

    def cut(self):
        """From now on nothing passes, and nobody is told."""
        self._do(lambda: setattr(self, "_broken", True))

    def mend(self):
        self._do(lambda: setattr(self, "_broken", False))

    def reset(self):
        """Every connection at once, by RST."""
        self._do(self._reset)

    def close(self):
        self._closed = True
        self._wake.send(b"x")
        self._thread.join(30)

    # -- the router

    def _do(self, job):
        done = threading.Event()
        self._jobs.append((job, done))
        self._wake.send(b"x")
        assert done.wait(30)

    def _reset(self):
        for near in list(self._pairs):
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for near in list(self._pairs):
            if near in self._pairs:
                self._end(near)

    def _run(self):
        while not self._closed:
            wait = self._carry()
            for key, events in self._selector.select(wait):
                if key.fileobj is self._woken:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(64)
                elif isinstance(key.data, tuple):
                    self._accept(key.fileobj, key.data)
                else:
                    self._ready(key, events)
            while self._jobs:
                job, done = self._jobs.popleft()
                job()
                done.set()
        for near in list(self._pairs):
            if near in self._pairs:
                self._end(near)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        self._wake.close()

    def _accept(self, listener, target):
        try:
            near, _ = listener.accept()
        except OSError:
            return
        far = socket.socket()
        _narrow(far)
        try:
            far.connect(target)  # on the loopback: at once, or not at all
        except OSError:
            near.close()
            return
        self.connections += 1
        up, down = _Pipe(near, far), _Pipe(far, near)
        self._pairs[near], self._pairs[far] = (up, down, far), (down, up, near)
        self._turns["up"].append(up)
        self._turns["down"].append(down)
        for side in (near, far):
            side.setblocking(False)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(side, selectors.EVENT_READ)

    def _end(self, side):
        out, back, other = self._pairs.pop(side)
        self._pairs.pop(other)
        for turns in self._turns.values():
            for pipe in (out, back):
                with contextlib.suppress(ValueError):
                    turns.remove(pipe)
        for each in (side, other):
            with contextlib.suppress(KeyError):
                self._selector.unregister(each)
            each.close()

    def _watch(self, side):
        out, back, _ = self._pairs[side]
        events = 0 if out.readable or out.ended else selectors.EVENT_READ
        events |= 0 if back.writable else selectors.EVENT_WRITE
        if side in self._selector.get_map():
            self._selector.unregister(side)
        if events:
            self._selector.register(side, events)

    def _ready(self, key, events):
        side = key.fileobj
        if side not in self._pairs:
            return
        out, back, _ = self._pairs[side]
        out.readable |= bool(events & selectors.EVENT_READ)
        back.writable |= bool(events & selectors.EVENT_WRITE)
        self._watch(side)

    def _carry(self):
        """Moves what may move now. Returns how long until more may; None: until something happens."""
        if self._broken:
            return None
        now = time.monotonic()
        waits = [self._take(way, now) for way in ("up", "down")]
        waits += [self._give(pipe, now) for way in ("up", "down") for pipe in list(self._turns[way])]
        waits = [wait for wait in waits if wait is not None]
        for way, turns in self._turns.items():
            if any(pipe.readable and pipe.size < QUEUE for pipe in turns):  # what was handed on has made room
                waits.append(max(0.0, self._free[way] - now) if self.rate else 0.0)
        return min(waits) if waits else None

    def _take(self, way, now):
        """Packets from the connections' sources to the router, as the rate allows."""
        turns = self._turns[way]
        idle = 0
        while idle < len(turns):
            if self.rate and self._free[way] > now:
                return self._free[way] - now
            pipe = turns[0]
            turns.rotate(-1)
            size = self._read(pipe, way, now) if pipe.readable and pipe.size < QUEUE else 0
            if size:
                idle = 0
                if self.rate:
                    self._free[way] = max(self._free[way], now - 0.01) + size / self.rate
            else:
                idle += 1
        return None

    def _read(self, pipe, way, now):
        try:
            data = pipe.source.recv(PACKET)
        except BlockingIOError:
            data = None
        except OSError:
            data = b""
        if not data:
            pipe.readable = False
            pipe.ended |= data == b""
            self._watch(pipe.source)
            return 0
        pipe.packets.append((now + self.delay, data))
        pipe.size += len(data)
        setattr(self, way, getattr(self, way) + len(data))
        return len(data)

    def _give(self, pipe, now):
        """What has arrived, to the connection's sink."""
        while pipe.packets and pipe.writable:
            when, data = pipe.packets[0]
            if when > now:
                return when - now
            try:
                sent = pipe.sink.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._end(pipe.sink)
                return None
            pipe.size -= sent
            if sent == len(data):
                pipe.packets.popleft()
            else:
                pipe.packets[0] = (when, data[sent:])
                pipe.writable = False
                self._watch(pipe.sink)
        if pipe.ended and not pipe.packets and pipe.sink in self._pairs:
            self._end(pipe.sink)
        return None
