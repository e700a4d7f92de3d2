"""How fast the log is, on this machine: two brokers ("sites") on one log, all on the loopback.

    throughput      messages of 200 bytes from a PUB socket until the broker has read them back from the log, beside what
                    redis-benchmark reaches with XADD in a pipeline of 50, in turn
    latency         1,000 messages a second by POST /publish at one site, over several connections, until a browser at the other one has
                    them; without a log, at one broker; and the floor: Redis' PUBLISH until a subscriber has it

Says how many cores others used meanwhile: on a busy machine only the ratios mean something. About two minutes."""

import argparse
import contextlib
import re
import select
import socket
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from stack import Stack, run, wait_for  # noqa: E402

CONNECTIONS = 20  # that publish
PIPELINE = 50


def busy():
    """CPU seconds that this machine has spent."""
    line = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return sum(map(int, line[:3] + line[5:8])) / 100


@contextlib.contextmanager
def two_sites(log):
    with contextlib.ExitStack() as ends:
        sites = [Stack().use_tcp() for _ in range(2 if log else 1)]
        for site in reversed(sites):
            ends.callback(site.remove)
            ends.callback(site.close)
        if log:
            sites[0].redis()
        options = [f"--log={sites[0].redis_url}"] if log else []
        for site in sites:
            site.broker(*options)
            site.ws("--allow-publish", "--max-connections-per-address=0", "--connect-rate=0")
            site.web_port = site.ws_port
        for site in sites if log else []:
            wait_for(lambda: site.stats()["log"]["state"] == "ok", "the log takes messages")
        yield sites[0], sites[-1]


# ---------------------------------------------------------------------------------------------------------


def benchmark(site, count):
    said = run("redis-benchmark", "-p", site.redis_port, "-P", PIPELINE, "-c", 1, "-n", count, "--csv", "XADD", "bench", "*", "m", "x" * 200).stdout
    return float(re.findall(r'"([\d.]+)"', said.splitlines()[-1])[0])


def throughput(rounds, count):
    """(messages a second, XADDs a second, CPU µs of broker and Redis for a message, of Redis for an XADD)."""
    with two_sites(log=True) as (site, _):
        redis, broker = site.daemons[0], site.daemons[1]
        for _ in range(rounds):
            before = redis.cpu()
            xadd = benchmark(site, count)
            alone = redis.cpu() - before
            site.redis_cli("del", "bench")
            first, began, cpu = site.stats()["log"]["number"], time.monotonic(), (broker.cpu(), redis.cpu())
            site.zmq("pub", "--fast", "--quiet", f"--repeat={count}", "t", "x" * 200)
            wait_for(lambda: site.stats()["log"]["number"] >= first + count, "all is read back")
            passed = time.monotonic() - began
            yield (count / passed, xadd, *(1e6 * used / count for used in (broker.cpu() - cpu[0], redis.cpu() - cpu[1], alone)))


# ---------------------------------------------------------------------------------------------------------


class Poster:
    """One connection that publishes, one message at a time."""

    def __init__(self, port):
        self.socket, self.waits = socket.create_connection(("127.0.0.1", port)), False
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, text):
        self.socket.sendall(b"POST /publish?topic=t HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        self.waits = True


def http_latency(site, other, rate, seconds):
    """[seconds from the moment at which a message was due to its arrival at a stream]."""
    posters = [Poster(site.web_port) for _ in range(CONNECTIONS)]
    stream = socket.create_connection(("127.0.0.1", other.web_port))
    stream.sendall(b"GET /events?topic=t HTTP/1.0\r\n\r\n")
    text = stream.recv(65536)
    while b"id: " not in text:  # the stream has begun
        text += stream.recv(65536)
    by_fd = {poster.socket.fileno(): poster for poster in posters}
    poll = select.epoll()
    for fd in [*by_fd, stream.fileno()]:
        poll.register(fd, select.EPOLLIN)
    found, rest, began, made = [], b"", time.monotonic() + 0.1, 0
    total = int(rate * seconds)
    while len(found) < total and time.monotonic() < began + seconds + 30:
        due = began + made / rate
        idle = next((poster for poster in posters if not poster.waits), None)
        if made < total and idle and time.monotonic() >= due:
            idle.post(b"%.6f" % due + b"x" * 184)
            made += 1
            continue
        wait = max(0.0, due - time.monotonic()) if made < total and idle else 0.1
        for fd, _ in poll.poll(wait):
            if fd == stream.fileno():
                *lines, rest = (rest + stream.recv(262144)).split(b"\n")
                now = time.monotonic()
                found += [now - float(line[6:].rstrip(b"x")) for line in lines if line.startswith(b"data: ")]
            else:
                by_fd[fd].socket.recv(65536)
                by_fd[fd].waits = False
    for one in posters:
        one.socket.close()
    stream.close()
    assert len(found) == total, f"{len(found)} of {total} came"
    return found


def redis_latency(site, rate, seconds):
    """The floor: one hop to Redis and one from it."""
    address = ("127.0.0.1", site.redis_port)
    publisher, subscriber = socket.create_connection(address), socket.create_connection(address)
    subscriber.sendall(b"SUBSCRIBE t\r\n")
    subscriber.recv(4096)
    found, began = [], time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        at = time.monotonic()
        publisher.sendall(b"PUBLISH t %s\r\n" % (b"x" * 200))
        subscriber.recv(4096)
        found.append(time.monotonic() - at)
        publisher.recv(64)
    return found


def timed(what, measure):
    before, at = busy(), time.monotonic()
    ordered = sorted(measure())
    cores = (busy() - before) / (time.monotonic() - at)
    p50, p99 = (ordered[int(len(ordered) * part)] * 1000 for part in (0.5, 0.99))
    print(f"{what:46} p50 {p50:7.2f} ms, p99 {p99:8.2f} ms, least {ordered[0] * 1000:.2f} ms; the machine was {cores:.1f} cores busy", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=300000)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    ratios = []
    for ours, xadd, broker, redis, alone in throughput(options.rounds, options.count):
        ratios.append(ours / xadd)
        print(
            f"through the log {ours:8.0f} /s, redis-benchmark XADD {xadd:8.0f} /s: {ratios[-1]:.2f}; "
            f"CPU of a message: broker {broker:.1f} µs, Redis {redis:.1f} µs; of an XADD {alone:.1f} µs",
            flush=True,
        )
    print(f"median {statistics.median(ratios):.2f}")
    for log in (True, False) * options.rounds:
        with two_sites(log) as (site, other):
            what = "HTTP at one site, SSE at another" if log else "HTTP and SSE at one broker without a log"
            timed(what, lambda: http_latency(site, other, options.rate, options.seconds))
            if log:
                timed("the floor: Redis' PUBLISH", lambda: redis_latency(site, options.rate, options.seconds))


if __name__ == "__main__":
    main()
