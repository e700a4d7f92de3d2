"""A whole installation under faults, for as long as asked: `SOAK=2h make soak` (1 h by default).

A broker with history on disk, zcast-fcgi behind nginx, zcast-ws, zcast-redis and a Redis. Publishers number the messages of
each topic; clients on Server-Sent Events (behind nginx, and at zcast-ws) and on WebSocket come back with their last id, as
browsers do. What each of them sees is checked at once: the numbers increase strictly, and where some are missing, a gap that
covers them was stated before.

In the first part all programs are also killed, restarted and upgraded. In the second part none ends, while clients churn, storm
and don't read, Redis restarts, and the disk is full: there memory must be flat. Descriptors and threads must be flat in both
parts, at the quiet moments after each fault, so that an upgrade that leaves some behind is seen. What is left in FOLDER: the
samples, a plot, and the verdict. Exit status 0 if all is well."""

import argparse
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from chart import draw  # noqa: E402
from flat import Verdict  # noqa: E402
from stack import Stack, is_sanitized, position, program, run, wait_for  # noqa: E402
from watchers import SseWatcher, Watchers, WsWatcher, beside  # noqa: E402

TOPICS = 10
RATE = 10  # messages a second of each topic
LIMIT = 120
OURS = ("zcast-broker", "zcast-fcgi", "zcast-ws", "zcast-redis")
# What may grow without being a leak: MiB beside a share of what is there; descriptors, threads. An upgraded broker has a master.
ALLOWED = {"memory": (1.0, 0.05), "descriptors": (10, 0), "threads": (2, 0)}
WARM = 600  # seconds; in a shorter run memory is still on its way to its level, and only much growth says anything


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)([smh]?)", text).groups()
    return int(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]


# ---------------------------------------------------------------------------------------------------------
# publishers


class Source:
    """Numbers on one topic, by `zmq pub --lines`: acknowledged, and tried again until it is."""

    def __init__(self, stack, topic, rate, pad=0):
        self.topic, self.rate, self.pad = topic, rate, b" " + b"x" * pad if pad else b""
        self.sent, self.due_at, self.burst = 0, time.monotonic(), 0
        argv = [program("zmq"), "pub", *stack.endpoints(), "--lines", "--timeout=0", topic]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdin.fileno(), False)
        self.left = b""

    def tick(self, now):
        """Writes what is due; what the program doesn't take yet stays for the next time."""
        while len(self.left) < 65536 and (self.burst > 0 or now >= self.due_at):
            self.sent += 1
            self.left += b"%d%s\n" % (self.sent, self.pad)
            if self.burst > 0:
                self.burst -= 1
            else:
                self.due_at += 1 / self.rate
        try:
            self.left = self.left[os.write(self.process.stdin.fileno(), self.left) :] if self.left else b""
        except BlockingIOError:
            pass

    def close(self):
        os.set_blocking(self.process.stdin.fileno(), True)
        self.process.stdin.write(self.left)
        self.process.stdin.close()

    def check(self):
        status = self.process.wait(LIMIT)
        assert status == 0, f"publisher of {self.topic}: {status} {self.process.stderr.read().decode()}"


class RedisSource:
    """Numbers on a Redis channel. What Redis tells nobody is sent again; what is on its way when Redis ends is lost there."""

    topic = "redis"

    def __init__(self, stack):
        self.stack, self.link, self.sent, self.due_at = stack, None, 0, 0

    def tick(self, now):
        if now < self.due_at:
            return
        self.due_at = now + 1 / RATE
        try:
            self.link = self.link or socket.create_connection(("127.0.0.1", self.stack.redis_port), 1)
            self.link.sendall(b"PUBLISH soak %d\r\n" % (self.sent + 1))
            receivers = self.link.recv(64)
        except OSError:
            receivers = b""
        if not receivers:
            if self.link:
                self.link.close()
                self.sent += 1  # whether it was told to the bridge is unknown: no number is used twice
            self.link = None
        elif int(receivers[1:]) > 0:
            self.sent += 1

    def close(self):
        if self.link:
            self.link.close()


# ---------------------------------------------------------------------------------------------------------
# clients


class Follower:
    """The oracle: numbers increase, and a hole lies within a gap that was stated."""

    stated = ()  # of the last gaps: (since, from)
    holes = repeats = 0

    def message(self, number, id):
        if self.verdict_due:
            self.faults.append(f"{self.topic}: {number} came before the verdict")
        if number <= self.last:
            self.faults.append(f"{self.topic}: {number} again, after {self.last} (connection {self.connects}, id {id})")
        elif number != self.last + 1 and self.last and not self.holes_allowed:
            low, high = position(self.last_number_id), position(id)
            if not any(since < high and until > low for since, until in self.stated):
                self.faults.append(f"{self.topic}: {number} after {self.last}, and no gap said so (connection {self.connects}, id {id})")
            self.holes += 1
        self.last, self.last_id, self.last_number_id = number, id, id

    def verdict(self, data, id):
        if data["status"] == "gap":
            self.gaps += 1
            self.stated = (*self.stated[-7:], (position(data["since"]), position(data["from"])))
        self.verdict_due, self.last_id = False, id

    def _number(self, text):
        return int(text.split(" ", 1)[0])


class SseFollower(Follower, SseWatcher):
    def _block(self, block):
        head, found, rest = block.partition(" x")  # the padding isn't looked at
        super()._block(head + rest[rest.index("\n") :] if found else block)


class WsFollower(Follower, WsWatcher):
    def _object(self, message):
        if "data" in message and "event" in message and not message["event"].startswith("zcast."):
            message["data"] = message["data"].split(" ", 1)[0]
        super()._object(message)


class Crowd(Watchers):
    """Followers of which some don't read for a while, and some leave and come back."""

    def __init__(self, watchers):
        super().__init__(watchers)
        self.asleep = set()

    def _lost(self, fd, watcher):
        self.asleep.discard(fd)
        super()._lost(fd, watcher)

    def leave(self, watcher, abruptly):
        if watcher.socket is not None:
            if abruptly:
                watcher.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._lost(watcher.socket.fileno(), watcher)

    def sleep(self, watchers):
        for watcher in watchers:
            if watcher.socket is not None and watcher.open:
                watcher.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # the kernel holds little for it
                self.asleep.add(watcher.socket.fileno())
                self.epoll.modify(watcher.socket.fileno(), 0)

    def wake(self):
        """Those that are still connected give up, and come back: their window would stay small."""
        for fd in list(self.asleep):
            self._lost(fd, self.by_fd[fd])


# ---------------------------------------------------------------------------------------------------------
# the samples


class Sampler(threading.Thread):
    """Each second: memory that is a program's own (MiB), descriptors and threads, of all its processes together."""

    def __init__(self, soak):
        super().__init__(daemon=True)
        self.soak, self.samples, self.over = soak, [], threading.Event()

    def run(self):
        while not self.over.wait(1 if self.soak.length >= 120 else 0.25):
            now = self.soak.elapsed()
            for name in OURS:
                try:
                    self.samples.append({"at": round(now, 2), "program": name, **self.look(self.soak.daemons[name])})
                except (OSError, KeyError):
                    pass  # it is just ending

    @staticmethod
    def look(daemon):
        pids = daemon.pids()
        memory = 0
        for pid in pids:
            memory += int(re.search(r"^Pss_Anon: *(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1))
        return {
            "memory": round(memory / 1024, 3),
            "descriptors": daemon.fds(),
            "threads": daemon.threads(),
            "processes": pids,
        }


# ---------------------------------------------------------------------------------------------------------
# the run


class Soak:
    def __init__(self, length, clients):
        self.length = length
        self.step = min(10, max(0.3, length / 120))  # how long a fault lasts
        self.began = time.monotonic()
        self.stack = Stack()
        self.daemons, self.marks, self.quiet_times, self.sources = {}, [], [], []
        self.clients, self.crowd, self.judged_from, self.dropped = clients, Crowd([]), 0, 0
        self.start = {
            "zcast-broker": self._broker,
            "zcast-fcgi": lambda: self.stack.fcgi(processes=2),
            "zcast-ws": lambda: self.stack.ws("--processes=2", "--max-connections-per-address=0", "--connect-rate=0"),
            "zcast-redis": lambda: self.stack.bridge("--subscribe-channel=soak -> redis", "--outgoing=t0"),
            "redis-server": self.stack.redis,
        }

    def launch(self):
        for name in ("zcast-broker", "zcast-fcgi", "zcast-ws", "redis-server", "zcast-redis"):
            self.daemons[name] = self.start[name]()
        self.stack.nginx()
        for topic in range(TOPICS):
            self.sources.append(Source(self.stack, f"t{topic}", RATE))
        self.bulk = Source(self.stack, "bulk", RATE, pad=4000)
        self.sources += [self.bulk, RedisSource(self.stack)]
        self.crowd = Crowd([self._client(number) for number in range(self.clients)])

    def _broker(self):
        # small limits, which are reached soon: from then on nothing has a reason to grow
        return self.stack.broker(
            f"--history=lmdb:{self.stack.folder}/history", "--topic-messages=3000", "--topic-bytes=8M", "--dedup-window=15s"
        )

    def _client(self, number):
        kinds = [(SseFollower, "/events", self.stack.web_port), (SseFollower, "/events", self.stack.ws_port), (WsFollower, "/ws", self.stack.ws_port)]
        kind, path, port = kinds[number % 3]
        topic = self.sources[number // 3 % len(self.sources)].topic
        return kind(("127.0.0.1", port), path, topic, holes_allowed=topic == "redis")

    def elapsed(self):
        return time.monotonic() - self.began

    # -- time goes on

    def tick(self):
        now = time.monotonic()
        for source in self.sources:
            source.tick(now)

    def until(self, condition, what, limit=LIMIT):
        self.crowd.until(condition, what, limit, self.tick)

    def flow(self, duration):
        end = time.monotonic() + duration
        self.until(lambda: time.monotonic() >= end, "messages flow", duration + LIMIT)

    def quiet(self):
        """Everybody is there and has what was published until now; then a moment in which nothing happens."""
        until = {source.topic: source.sent for source in self.sources}
        self.until(lambda: self.crowd.all_open() and all(w.last >= until[w.topic] for w in self.crowd.watchers), "all are complete")
        self.flow(max(0.5, self.step / 2))
        self.quiet_times.append(self.elapsed())

    def beside(self, job):
        beside(job, lambda over: self.until(over, "the fault is over"))

    # -- faults

    def churn(self):
        end = time.monotonic() + self.step
        while time.monotonic() < end:
            for watcher in random.sample(self.crowd.watchers, len(self.crowd.watchers) // 10):
                self.crowd.leave(watcher, random.random() < 0.5)
            self.flow(self.step / 5)

    def storm(self):
        for _ in range(3):
            self.crowd.reset()
            self.flow(self.step / 3)

    def behind(self):
        """How often the workers' logs say that a client was disconnected (a message that is often said is counted once)."""
        return sum(self.daemons[name].log().count("it fell too far behind") for name in ("zcast-fcgi", "zcast-ws"))

    def slow(self):
        """Those of `bulk` don't read while more comes than may wait for them; they are disconnected, and resume."""
        before = self.behind()
        self.crowd.sleep([watcher for watcher in self.crowd.watchers if watcher.topic == "bulk"])
        self.bulk.burst += 2000
        self.flow(self.step)
        self.until(lambda: self.behind() > before, "who doesn't read is disconnected")
        self.dropped += self.behind() - before
        self.crowd.wake()

    def end(self, name, kill):
        daemon = self.daemons[name]

        def job():
            daemon.kill() if kill else daemon.stop()
            time.sleep(self.step / 5)
            self.stack.daemons.remove(daemon)
            daemon.close()
            assert not daemon.complaints(), daemon.complaints()
            self.daemons[name] = self.start[name]()

        self.beside(job)

    def upgrade(self, name):
        daemon = self.daemons[name]

        def job():
            complete = daemon.log().count("upgrade: complete")
            daemon.send_signal(signal.SIGUSR2)
            wait_for(lambda: daemon.log().count("upgrade: complete") > complete, f"upgrade of {name}")

        self.beside(job)

    def full_disk(self):
        """A write beyond the first 64 KiB of a file fails, until it is over."""
        broker = self.daemons["zcast-broker"]
        state = lambda: self.stack.stats()["history"]["state"]

        def limit(size):
            for pid in broker.pids():  # after an upgrade it has a master
                run("prlimit", f"--pid={pid}", f"--fsize={size}:unlimited")

        def job():
            limit(65536)
            try:
                wait_for(lambda: state() == "failed", "history fails")
                time.sleep(self.step)
            finally:
                limit("unlimited")
            wait_for(lambda: state() == "ok", "history goes on")

        self.beside(job)

    def faults(self):
        """Of both parts, those of the first one first: (name, job)."""
        lasting = [
            ("churn", self.churn),
            ("storm", self.storm),
            ("slow clients", self.slow),
            ("Redis restart", lambda: self.end("redis-server", kill=False)),
            ("full disk", self.full_disk),
        ]
        ending = [(f"{name} killed", lambda name=name: self.end(name, kill=True)) for name in OURS]
        ending += [(f"{name} restarted", lambda name=name: self.end(name, kill=False)) for name in OURS]
        ending += [(f"{name} upgraded", lambda name=name: self.upgrade(name)) for name in ("zcast-broker", "zcast-fcgi", "zcast-ws")]
        return ending + lasting, lasting

    def round(self, faults, share):
        """Each fault once, or more often, until a share of the time is over."""
        while True:
            for name, job in random.sample(faults, len(faults)):
                self.marks.append((round(self.elapsed(), 1), name))
                print(f"{self.elapsed():7.1f} s  {name}", flush=True)
                job()
                self.quiet()
            if self.elapsed() >= self.length * share:
                return

    def run(self):
        self.launch()
        sampler = Sampler(self)
        try:
            self.until(self.crowd.all_open, "all streams are open")
            sampler.start()
            first, second = self.faults()
            self.round(first, 0.3)
            part = self.elapsed()
            # a third of what is left is for warming up
            self.judged_from = part + max(0, self.length - part) / 3
            self.round(second, 1)
            self.finish()
        finally:
            sampler.over.set()
            if sampler.is_alive():
                sampler.join(LIMIT)
        return sampler.samples

    def finish(self):
        for source in self.sources:
            source.close()
        self.sources, ended = [], self.sources
        last = {source.topic: source.sent for source in ended if source.topic != "redis"}
        self.until(lambda: all(w.last == last[w.topic] for w in self.crowd.watchers if w.topic in last), "everybody has everything")
        for source in ended:
            if isinstance(source, Source):
                source.check()

    def close(self):
        for source in self.sources:
            if isinstance(source, Source):
                source.process.kill()
                source.process.wait()
        self.crowd.close()
        return self.stack.close()


# ---------------------------------------------------------------------------------------------------------
# the verdict


def pick(samples, program, figure, times=None):
    """The series of a figure; only the last sample before each of `times`, if there are any."""
    series = [(sample["at"], sample[figure]) for sample in samples if sample["program"] == program]
    if times is None:
        return series
    found = []
    for time in times:
        before = [point for point in series if point[0] <= time]
        if before and (not found or before[-1] != found[-1]):
            found.append(before[-1])
    return found


def judge(samples, quiet_times, judged_from, length):
    """[(program, figure, Verdict)]."""
    rows = []
    for name in OURS:
        for figure, (least, share) in ALLOWED.items():
            if figure == "memory":
                series = [point for point in pick(samples, name, figure) if point[0] >= judged_from]
            else:
                series = pick(samples, name, figure, quiet_times)
            level = sum(value for _, value in series) / len(series) if series else 0
            if figure == "memory" and (length < WARM or is_sanitized()):  # AddressSanitizer keeps what is freed
                least = 256.0 if is_sanitized() else 16.0
            rows.append((name, figure, Verdict(series, max(least, share * level))))
    return rows


def table(rows):
    lines = [f"{'program':<14}{'figure':<13}{'level':>9}{'growth':>9}{'allowed':>9}{'an hour':>10}  verdict"]
    for name, figure, one in rows:
        said = {True: "flat", False: "GROWS", None: "too few samples"}[one.flat]
        lines.append(f"{name:<14}{figure:<13}{one.level:>9.2f}{one.growth:>9.2f}{one.allowed:>9.2f}{one.per_hour:>10.2f}  {said}")
    return "\n".join(lines)


def plot(soak, samples):
    length = max([soak.elapsed(), *(sample["at"] for sample in samples)])
    panels = [
        (title, {name: pick(samples, name, figure) for name in OURS})
        for figure, title in (("memory", "memory of its own, MiB"), ("descriptors", "file descriptors"), ("threads", "threads"))
    ]
    note = f"{len(soak.crowd.watchers)} clients, {len(soak.marks)} faults (dashed: point at one); shaded: where memory must be flat"
    return draw(f"zcast under faults for {length / 60:.0f} minutes", note, panels, length, soak.marks, soak.judged_from)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--time", type=seconds, default=seconds(os.environ.get("SOAK") or "1h"), help="such as 40s, 20m, 2h")
    parser.add_argument("--clients", type=int, default=108)
    parser.add_argument("--folder", type=Path, default=Path("soak"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    soak, wrong, samples = Soak(options.time, options.clients), [], []
    try:
        samples = soak.run()
    except AssertionError as error:
        wrong.append(str(error))
        print(soak.stack.logs())
    finally:
        wrong += soak.close()
    (options.folder / "samples.ndjson").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    (options.folder / "soak.svg").write_text(plot(soak, samples))
    rows = judge(samples, soak.quiet_times, soak.judged_from, options.time)
    wrong += [f"{name}: {figure} grows" for name, figure, one in rows if one.flat is False]
    wrong += [f"{name}: too few samples of {figure}" for name, figure, one in rows if one.flat is None]
    watchers = soak.crowd.watchers
    text = "\n".join([
        f"{soak.elapsed():.0f} s, {len(watchers)} clients, {len(soak.marks)} faults, {sum(w.connects for w in watchers)} connections, "
        f"{sum(w.last for w in watchers)} messages received",
        f"{sum(w.gaps for w in watchers)} gaps stated, {sum(w.holes for w in watchers)} holes, all within one; "
        f"{soak.dropped} times the logs say that a client fell too far behind",
        table(rows),
        *[f"WRONG: {each}" for each in wrong],
    ])
    (options.folder / "verdict.txt").write_text(text + "\n")
    print(text)
    soak.stack.remove()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
