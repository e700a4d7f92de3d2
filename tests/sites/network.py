"""Hosts in network namespaces of their own, and two networks between them: `wan`, which joins the sites, and `front`, by which
clients reach them. All packets stay in these namespaces. It takes root.

    network = Network(["a", "b"])
    with network.inside("a"):                   # sockets and processes that are made here are a's
        ...
    network.cut("a", "wan", silently=True)      # no carrier is lost: whoever waits isn't told
    network.slow("a", delay=0.05, loss=0.01, rate=250_000)
    network.mend("a")
    network.close()

Kernels without netem are expected: a slow link is two TAP devices, and a process between them that carries their frames."""

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time

NETWORKS = {"wan": "10.77.1", "front": "10.77.2"}
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
FRAME = 65536
QUEUE = 256 * 1024  # bytes that wait for a narrow link; more are dropped, as at a router

libc = ctypes.CDLL(None, use_errno=True)


def ip(*words, check=True):
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise OSError(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.returncode == 0


def why_not():
    """Why there can be no such network here; None if there can."""
    if os.getuid() != 0:
        return "only root makes network namespaces"
    name = f"zcast-probe-{os.getpid()}"
    try:
        ip("netns", "add", name)
        ip("-n", name, "link", "add", "name", "b", "type", "bridge")
        ip("-n", name, "link", "add", "name", "v", "type", "veth", "peer", "name", "w")
        ip("-n", name, "tuntap", "add", "dev", "t", "mode", "tap")
    except (OSError, FileNotFoundError) as error:
        return f"no network namespaces here: {error}"
    finally:
        with contextlib.suppress(FileNotFoundError):
            ip("netns", "delete", name, check=False)
    return None


def enter(namespace):
    """The calling thread goes into a namespace; what it starts from now on is there."""
    with open(f"/run/netns/{namespace}" if "/" not in namespace else namespace, "rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


class Network:
    def __init__(self, hosts):
        self.prefix = f"zcast-{os.getpid()}"
        self.hub = f"{self.prefix}-hub"
        self.hosts = list(hosts)
        self.relays = {}
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self):
        ip("netns", "add", self.hub)
        for name in NETWORKS:
            ip("-n", self.hub, "link", "add", "name", name, "type", "bridge")
            ip("-n", self.hub, "link", "set", name, "up")
        for number, host in enumerate(self.hosts, 1):
            ip("netns", "add", self.namespace(host))
            ip("-n", self.namespace(host), "link", "set", "lo", "up")
            for name, subnet in NETWORKS.items():
                port = f"{name}-{host}"
                ip("-n", self.hub, "link", "add", "name", port, "type", "veth", "peer", "name", name, "netns", self.namespace(host))
                ip("-n", self.hub, "link", "set", port, "master", name, "up")
                ip("-n", self.namespace(host), "address", "add", f"{subnet}.{number}/24", "dev", name)
                ip("-n", self.namespace(host), "link", "set", name, "up")

    def namespace(self, host):
        return f"{self.prefix}-{host}"

    def address(self, host, network):
        return f"{NETWORKS[network]}.{self.hosts.index(host) + 1}"

    @contextlib.contextmanager
    def inside(self, host):
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            enter(self.namespace(host))
            yield
        finally:
            libc.setns(before, CLONE_NEWNET)
            os.close(before)

    # -- an address that moves

    def move(self, address, host):
        """A host has this address from now on, and no other one that can be told. Others learn it at once."""
        for other in self.hosts:
            ip("-n", self.namespace(other), "address", "delete", f"{address}/24", "dev", "wan", check=False)
        ip("-n", self.namespace(host), "address", "add", f"{address}/24", "dev", "wan")
        for other in self.hosts:
            ip("-n", self.namespace(other), "neighbour", "flush", "all", check=False)

    # -- faults

    def cut(self, host, network, silently):
        """Silently: packets end nowhere. Otherwise the host sees that it has no carrier."""
        port = f"{network}-{host}"
        ip("-n", self.hub, "link", "set", port, *(["nomaster"] if silently else ["down"]))

    def slow(self, host, delay, loss, rate):
        """The host's link to the other sites: seconds and a share of the frames, each way; bytes a second."""
        ends = f"near-{host}", f"far-{host}"
        for end in ends:
            ip("-n", self.hub, "tuntap", "add", "dev", end, "mode", "tap")
            ip("-n", self.hub, "link", "set", end, "up")
        ip("-n", self.hub, "link", "add", "name", f"slow-{host}", "type", "bridge")
        ip("-n", self.hub, "link", "set", f"slow-{host}", "up")
        ip("-n", self.hub, "link", "set", ends[0], "master", f"slow-{host}")
        ip("-n", self.hub, "link", "set", ends[1], "master", "wan")
        argv = [sys.executable, __file__, self.hub, *ends, delay, loss, rate]
        self.relays[host] = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL)
        ip("-n", self.hub, "link", "set", f"wan-{host}", "master", f"slow-{host}")

    def mend(self, host):
        for name in NETWORKS:
            ip("-n", self.hub, "link", "set", f"{name}-{host}", "master", name, "up")
        relay = self.relays.pop(host, None)
        if relay:
            relay.send_signal(signal.SIGTERM)
            relay.wait()
            for device in f"near-{host}", f"far-{host}", f"slow-{host}":
                ip("-n", self.hub, "link", "delete", device)

    def close(self):
        for relay in self.relays.values():
            relay.kill()
            relay.wait()
        self.relays.clear()
        for host in self.hosts:
            ip("netns", "delete", self.namespace(host), check=False)
        ip("netns", "delete", self.hub, check=False)


# ---------------------------------------------------------------------------------------------------------
# the process between two TAP devices


def open_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


class Way:
    """Frames from one device to the other: as many as the rate allows, each after the delay, but for those that are lost."""

    def __init__(self, source, sink, delay, loss, rate):
        self.source, self.sink, self.delay, self.loss, self.rate = source, sink, delay, loss, rate
        self.frames, self.waiting, self.free_at, self.count = [], 0, 0.0, 0

    def take(self, now):
        with contextlib.suppress(BlockingIOError):
            while True:
                frame = os.read(self.source, FRAME)
                if random.random() < self.loss or self.waiting + len(frame) > QUEUE:
                    continue
                self.free_at = max(self.free_at, now) + len(frame) / self.rate
                self.count += 1
                heapq.heappush(self.frames, (self.free_at + self.delay, self.count, frame))
                self.waiting += len(frame)

    def give(self, now):
        """Returns how long until the next frame is due."""
        while self.frames and self.frames[0][0] <= now:
            frame = heapq.heappop(self.frames)[2]
            self.waiting -= len(frame)
            with contextlib.suppress(BlockingIOError):
                os.write(self.sink, frame)
        return self.frames[0][0] - now if self.frames else 1.0


def relay(hub, near, far, delay, loss, rate):
    enter(hub)
    taps = open_tap(near), open_tap(far)
    ways = [Way(*pair, float(delay), float(loss), float(rate)) for pair in (taps, taps[::-1])]
    while os.getppid() != 1:  # who started it lives
        wait = min(way.give(time.monotonic()) for way in ways)
        select.select(taps, [], [], max(0.0, wait))
        for way in ways:
            way.take(time.monotonic())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    relay(*sys.argv[1:])
