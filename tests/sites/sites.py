"""Three sites on one log, under faults, for as long as asked: `SITES=10m make sites` (5 min by default). It takes root.

Each site is a host in a network namespace (network.py): a broker, two SSE workers behind nginx, zcast-ws, and a Redis, of which
one is the master; with `--sentinels`, a Sentinel. Messages are published at all sites. Clients on Server-Sent Events and on WebSocket come to any site, move to
others at random, and resume with their last id.

The faults come from a seed. With `--faults=crashes` processes are killed or stand still: then nothing that was acknowledged may be
lost, nothing may come twice, and no gap is stated. With `--faults=all` the network fails too: then what a client misses lies
within a gap that it was told of. What each client has seen is compared with the log at the end. Exit status 0 if all is well."""

import argparse
import array
import json
import os
import random
import re
import select
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import redis  # noqa: E402
import zmq  # noqa: E402
from network import Network, why_not  # noqa: E402
from stack import Stack, can_connect, position, run, wait_for  # noqa: E402
from watchers import SseWatcher, Watchers, WsWatcher, beside  # noqa: E402

SITES = ("a", "b", "c")
MASTER = "10.77.1.100"  # the address that the Redis has which is the master, without Sentinels
PORTS = {"publish": 5560, "subscribe": 5561, "control": 5562}
WEB, WS, REDIS, SENTINEL = 8080, 8081, 6379, 26379
LIMIT = 180
SILENCE = 6  # seconds, after which a client takes its connection for dead: heartbeats come each second
RESEND = 8
TIRED = {b"log", b"busy", b"history", b"internal", b"behind"}  # a publisher tries these again


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)([smh]?)", text).groups()
    return int(number) * {"": 1, "s": 1, "m": 60, "h": 3600}[unit]


def as_number(id):
    ms, counter = position(id)
    return ms << 20 | counter


# ---------------------------------------------------------------------------------------------------------
# a site


class Site:
    def __init__(self, network, name):
        self.network, self.name, self.daemons, self.log = network, name, {}, f"redis://{MASTER}:{REDIS}"
        self.stack = Stack()
        self.wan, self.front = network.address(name, "wan"), network.address(name, "front")
        self.stack.publish_endpoint, self.stack.subscribe_endpoint, self.stack.control_endpoint = (
            f"tcp://{self.wan}:{port}" for port in PORTS.values()
        )
        self.stack.web_port, self.stack.ws_port = WEB, WS
        self.launch = {"redis": self._redis, "sentinel": self._sentinel, "broker": self._broker, "fcgi": self._fcgi, "ws": self._ws, "nginx": self._nginx}

    def inside(self):
        return self.network.inside(self.name)

    def start(self, kind):
        with self.inside():
            self.daemons[kind] = self.launch[kind]()

    def _workers(self):
        """This site's broker first, and the others in turn."""
        at = SITES.index(self.name)
        order = [self.network.address(each, "wan") for each in SITES[at:] + SITES[:at]]
        lists = {name: " ".join(f"tcp://{address}:{PORTS[name]}" for address in order) for name in ("subscribe", "control")}
        return [f"--{name}={value}" for name, value in lists.items()] + ["--heartbeat=1s", "--retry=300"]

    def _broker(self):
        return self.stack.broker(
            f"--log={self.log}", "--insecure", "--topic-messages=1000000", "--topic-bytes=256M", "--history-bytes=512M"
        )

    def _fcgi(self):
        return self.stack.fcgi(*self._workers(), processes=2)

    def _ws(self):
        options = ["--insecure", "--max-connections-per-address=0", "--connect-rate=0"]
        argv = ["zcast-ws", *self._workers(), f"--listen=0.0.0.0:{WS}", *options]
        return self.stack.start("zcast-ws", argv, ready=lambda: can_connect(("127.0.0.1", WS)))

    def _nginx(self):
        def edit(text):
            near = "127.0.0.1 1;\n    10.77.2.0/24 1;"
            return text.replace("127.0.0.1 1;", near).replace("listen 127.0.0.1:", "listen ")

        return self.stack.nginx(edit)

    def _redis(self):
        folder = self.stack.folder / "redis"
        folder.mkdir(exist_ok=True)
        options = ["--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--appendonly", "yes", "--dir", folder]
        options += ["--repl-diskless-sync-delay", "0", "--repl-timeout", "10"]
        return self.stack.start("redis-server", ["redis-server", "--port", REDIS, *options], ready=self._redis_answers)

    def _sentinel(self):
        """It keeps its file when it is started again."""
        path = self.stack.folder / "sentinel.conf"
        if not path.exists():
            lines = [f"port {SENTINEL}", "protected-mode no", f"dir {self.stack.folder}", "sentinel resolve-hostnames no"]
            lines += [f"sentinel monitor zcast {self.network.address(SITES[0], 'wan')} {REDIS} 2"]
            lines += ["sentinel down-after-milliseconds zcast 1000", "sentinel failover-timeout zcast 4000"]
            path.write_text("\n".join(lines) + "\n")
        return self.stack.start("sentinel", ["redis-server", path, "--sentinel"], ready=lambda: can_connect(("127.0.0.1", SENTINEL)))

    def named(self):
        """The address of the master, by this site's Sentinel."""
        with self.inside():
            said = run("redis-cli", "-p", SENTINEL, "sentinel", "get-master-addr-by-name", "zcast", check=False).stdout.split()
        return said[0] if len(said) == 2 else None

    def _redis_answers(self):
        return run("redis-cli", "-p", REDIS, "ping", check=False).stdout.strip() == "PONG"

    def redis(self, *words):
        with self.inside():
            return run("redis-cli", "-p", REDIS, *words, check=False).stdout.strip()

    def forget(self, kind):
        """A process that was killed is no part of the stack any more."""
        daemon = self.daemons.pop(kind)
        self.stack.daemons.remove(daemon)
        daemon.close()
        assert not daemon.complaints(), daemon.complaints()


# ---------------------------------------------------------------------------------------------------------
# publishers


class Publisher(threading.Thread):
    """Publishes different numbers at one site; sends each one again, under the same key, until it is acknowledged."""

    def __init__(self, site, first, rate, topics):
        super().__init__(daemon=True)
        self.site, self.rate, self.topics, self.next = site, rate, topics, first
        self.waiting, self.acknowledged, self.refusals, self.wrong = {}, {}, {}, None
        self.publishes, self.over = True, False
        self.start()

    def run(self):
        try:
            with self.site.inside(), zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
                dealer.linger, dealer.sndhwm, dealer.rcvhwm = 0, 0, 0
                dealer.reconnect_ivl_max = 500
                dealer.connect(self.site.stack.control_endpoint)
                self._publish(dealer)
        except BaseException as wrong:
            self.wrong = wrong

    def _publish(self, dealer):
        due = time.monotonic()
        while not self.over:
            now = time.monotonic()
            while self.publishes and due <= now and len(self.waiting) < 10 * self.rate:
                self._send(dealer, self.next, now)
                self.next += len(SITES)
                due += 1 / self.rate
            due = max(due, now - 1)  # what couldn't be published isn't made up for
            for number in [number for number, at in self.waiting.items() if at <= now]:
                self._send(dealer, number, now)
            dealer.poll(max(1, min(20, int((due - time.monotonic()) * 1000))))
            self._answers(dealer)

    def _send(self, dealer, number, now):
        self.waiting[number] = now + RESEND
        topic = f"t{number % self.topics}".encode()
        dealer.send_multipart([b"", b"#%d" % number, b"PUBLISH", topic, b"%d" % number, b"key: k%d\n" % number])

    def _answers(self, dealer):
        while dealer.poll(0):
            _, tag, verdict, *rest = dealer.recv_multipart()
            number = int(tag[1:])
            if verdict == b"OK":
                id = as_number(rest[0])
                before = self.acknowledged.setdefault(number, id)
                assert before == id, f"{number} was acknowledged at {before}, and at {id}"
                self.waiting.pop(number, None)
            else:
                self.refusals[rest[0]] = self.refusals.get(rest[0], 0) + 1
                assert rest[0] in TIRED, rest
                if number in self.waiting:
                    self.waiting[number] = time.monotonic() + 0.3


# ---------------------------------------------------------------------------------------------------------
# clients


class Mover:
    """What a client has seen: the ids and numbers of messages, in the order in which they came, and the gaps that it was told."""

    def __init__(self, sites, path, port, topics, among):
        super().__init__(None, path, "")
        self.sites, self.port, self.topics, self.among = sites, port, topics, among
        self.wish = "&".join(f"topic=t{topic}" for topic in topics)
        self.seen, self.numbers = array.array("Q"), array.array("Q")  # positions, and what came there
        self.stated, self.began = [], None
        self.move()

    def move(self):
        site = random.choice(self.sites)
        self.site, self.address = site.name, (site.front, self.port)

    def start(self):
        super().start()
        self.asked, self.heard_at = 0, time.monotonic()

    def feed(self, data):
        if not self.open:
            head, found, _ = (self.buffer + data).partition(b"\r\n\r\n")
            if found and head.split(b" ")[1] not in (b"200", b"101"):
                raise ConnectionError("the worker sends it elsewhere")
        super().feed(data)
        if self.last_id and self.began is None:
            self.began = as_number(self.last_id)

    def message(self, number, id):
        at = as_number(id)
        where = f"client {self.topics} at {self.site}, connection {self.connects}"
        if self.verdict_due:
            self.faults.append(f"{where}: {number} came before the verdict")
        if self.seen and at <= self.seen[-1]:
            self.faults.append(f"{where}: {number} at {id}, after {self.seen[-1] >> 20}-{self.seen[-1] & 0xfffff}; gaps {self.stated}")
        if number % self.among not in self.topics:
            self.faults.append(f"{where}: {number} isn't of its topics")
        self.seen.append(at)
        self.numbers.append(number)
        self.last_id = id

    def verdict(self, data, id):
        self.verdict_due = False
        if data["status"] == "gap":
            self.gaps += 1
            self.stated.append((as_number(data["since"]), as_number(data["from"]), self.site, self.connects, data, id))
        self.last_id = id


class SseMover(Mover, SseWatcher):
    def _block(self, block):
        if "event: zcast.stale" not in block:
            super()._block(block)


class WsMover(Mover, WsWatcher):
    def _object(self, message):
        if message.get("event") != "zcast.stale":
            super()._object(message)


class Movers(Watchers):
    """All of them, in one thread. One that hears nothing for long goes to another site, as one does whose connection ends."""

    moves = 0

    def _lost(self, fd, watcher):
        super()._lost(fd, watcher)
        watcher.move()

    def leave(self, watcher):
        if watcher.socket is not None:
            self.moves += 1
            self._lost(watcher.socket.fileno(), watcher)

    def turn(self, pause=0.01):
        now = time.monotonic()
        for watcher in self.watchers:
            if watcher.socket is None and watcher.retry_at <= now:
                self._connect(watcher)
            elif watcher.socket is not None and now - watcher.heard_at > SILENCE:
                self._lost(watcher.socket.fileno(), watcher)
        for fd, _ in self.epoll.poll(pause, 512):
            self._serve(fd, self.by_fd[fd])

    def _serve(self, fd, watcher):
        try:
            if not watcher.asked:
                watcher.asked = watcher.socket.send(watcher.request())
                self.epoll.modify(fd, select.EPOLLIN)
                return
            data = watcher.socket.recv(262144)
            if data:
                watcher.heard_at = time.monotonic()
                watcher.feed(data)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost(fd, watcher)


# ---------------------------------------------------------------------------------------------------------
# the run


class Run:
    def __init__(self, options):
        self.options = options
        self.began = time.monotonic()
        self.network = Network([*SITES, "clients"])
        self.sites = [Site(self.network, name) for name in SITES]
        self.publishers, self.movers, self.done = [], Movers([]), []
        self.master = self.sites[0]

    def launch(self):
        if self.options.sentinels:
            for site in self.sites:
                site.log = "redis+sentinel://" + ",".join(f"{each.wan}:{SENTINEL}" for each in self.sites) + "/zcast"
        else:
            self.network.move(MASTER, "a")
        kinds = ["redis", *(["sentinel"] if self.options.sentinels else []), "broker", "fcgi", "ws", "nginx"]
        for kind in kinds:
            for site in self.sites:
                site.start(kind)
                if kind == "redis" and site is not self.master:
                    site.redis("replicaof", self.address(), REDIS)
        for site in self.sites:
            wait_for(lambda: self.log(site)["state"] == "ok", f"the log at {site.name}")
        topics = self.options.topics
        for number, site in enumerate(self.sites):
            self.publishers.append(Publisher(site, number, self.options.rate / len(SITES), topics))
        kinds = [(SseMover, "/events", WEB), (WsMover, "/ws", WS)]
        self.movers = Movers([
            kind(self.sites, path, port, sorted(random.sample(range(topics), 2)), topics)
            for _ in range(self.options.clients)
            for kind, path, port in kinds
        ])

    def address(self):
        """Of the master."""
        return self.master.wan if self.options.sentinels else MASTER

    def ask_sentinels(self):
        """Whom two of them name is the master."""
        named = [site.named() for site in self.sites if "sentinel" in site.daemons and site.daemons["sentinel"].running()]
        self.master = next((site for site in self.sites if named.count(site.wan) >= 2), self.master)
        return self.master

    def follow(self, site):
        """A Redis that was away is a replica. Sentinels see to that themselves."""
        if not self.options.sentinels:
            site.redis("replicaof", MASTER, REDIS)

    def log(self, site):
        return site.stack.stats()["log"]

    def elapsed(self):
        return time.monotonic() - self.began

    # -- time goes on

    def tick(self):
        wrong = [publisher.wrong for publisher in self.publishers if publisher.wrong]
        if wrong:
            raise AssertionError(f"a publisher: {wrong[0]!r}") from wrong[0]
        if random.random() < 0.01 * len(self.movers.watchers) / 20:
            self.movers.leave(random.choice(self.movers.watchers))

    def until(self, condition, what, limit=LIMIT):
        self.movers.until(condition, what, limit, self.tick)

    def flow(self, duration):
        end = time.monotonic() + duration
        self.until(lambda: time.monotonic() >= end, "messages flow", duration + LIMIT)

    def beside(self, job):
        beside(job, lambda over: self.until(over, "the fault is over"))

    # -- faults of processes

    def killed(self, site, kind, duration):
        site.daemons[kind].kill()
        time.sleep(duration)
        site.forget(kind)
        site.start(kind)

    def paused(self, site, kind, duration):
        daemon = site.daemons[kind]
        daemon.pause()
        try:
            time.sleep(duration)
        finally:
            daemon.resume()

    def child_killed(self, site, kind, duration):
        """One of the workers; their master starts another one."""
        daemon = site.daemons[kind]
        children = [pid for pid in daemon.pids() if pid != daemon.pid]
        os.kill(children[0], signal.SIGKILL)
        time.sleep(duration)

    def promote(self, site):
        """A replica becomes the master, and has its address; the others follow it. With Sentinels, the one that they choose does."""
        old = self.master
        if self.options.sentinels:
            wait_for(lambda: self.ask_sentinels() is not old, "Sentinels name another master", LIMIT / 2)
            return
        site.redis("replicaof", "no", "one")
        self.network.move(MASTER, site.name)
        self.master = site
        for other in self.sites:
            if other is not site and other is not old:
                other.redis("replicaof", MASTER, REDIS)

    def master_killed(self, site, _, duration):
        self.killed(self.master, "redis", duration)

    def master_paused(self, site, _, duration):
        self.paused(self.master, "redis", duration)

    def replica_killed(self, site, _, duration):
        if site is not self.master:
            self.killed(site, "redis", duration)
            self.follow(site)

    def master_replaced(self, site, _, duration):
        if site is self.master:
            site = self.sites[(self.sites.index(site) + 1) % len(SITES)]
        old = self.master
        old.daemons["redis"].kill()
        self.promote(site)
        time.sleep(duration)
        old.forget("redis")
        old.start("redis")
        self.follow(old)

    # -- faults of the network

    def cut(self, site, what, duration):
        networks, silently = what
        for name in networks:
            self.network.cut(site.name, name, silently)
        time.sleep(duration)
        self.network.mend(site.name)

    def slowed(self, site, _, duration):
        self.network.slow(site.name, delay=0.04, loss=0.02, rate=500_000)
        time.sleep(duration)
        self.network.mend(site.name)

    def master_cut(self, site, _, duration):
        """The master's site is cut off, and a replica becomes the master meanwhile. What the old one has taken is lost."""
        old = self.master
        self.network.cut(old.name, "wan", True)
        time.sleep(duration / 2)
        self.promote(next(each for each in self.sites if each is not old))
        time.sleep(duration / 2)
        self.network.mend(old.name)
        self.follow(old)

    def faults(self):
        """(its name, job, of what, seconds that it lasts at most)."""
        crashes = [(f"{kind} killed", self.killed, kind, 3) for kind in ("broker", "fcgi", "ws", "nginx")]
        crashes += [(f"{kind} stands still", self.paused, kind, 5) for kind in ("broker", "fcgi", "ws")]
        crashes += [
            ("a worker killed", self.child_killed, "fcgi", 1),
            ("Redis master killed", self.master_killed, None, 3),
            ("Redis master stands still", self.master_paused, None, 4),
            ("Redis master replaced", self.master_replaced, None, 4),
            ("Redis replica killed", self.replica_killed, None, 3),
        ]
        if self.options.sentinels:
            crashes += [("Sentinel killed", self.killed, "sentinel", 3), ("Sentinel stands still", self.paused, "sentinel", 5)]
        if self.options.faults == "crashes":
            return crashes
        cut = min(40, self.options.time / 6)
        return crashes + [
            ("wan silent", self.cut, (["wan"], True), 8),
            ("wan without carrier", self.cut, (["wan"], False), 8),
            ("front silent", self.cut, (["front"], True), 8),
            ("slow link", self.slowed, None, 10),
            ("cut off", self.cut, (["wan", "front"], True), cut),
            ("Redis master's site cut", self.master_cut, None, 8),
        ]

    def plan(self):
        """All faults in random order, and again; the same for the same seed."""
        chance = random.Random(self.options.seed)
        while True:
            faults = self.faults()
            for name, job, what, most in chance.sample(faults, len(faults)):
                yield name, job, chance.choice(self.sites), what, chance.uniform(0.3, 1) * most, chance.uniform(0, 2)

    def run(self):
        self.launch()
        self.until(self.movers.all_open, "all clients are there")
        for name, job, site, what, duration, pause in self.plan():
            if self.elapsed() >= self.options.time:
                break
            print(f"{self.elapsed():7.1f} s  {name} at {site.name}, {duration:.1f} s", flush=True)
            self.done.append(name)
            self.beside(lambda: (self.options.sentinels and self.ask_sentinels(), job(site, what, duration)))
            self.flow(pause)
        return self.judge()

    # -- the end

    def history(self, site):
        """{(position, number)}: what this broker has."""
        topics = [f"t{topic}" for topic in range(self.options.topics)]
        *messages, end = site.stack.requests("REPLAY", "earliest", *topics, limit=LIMIT)
        assert end[0] == b"END", end
        return {(as_number(re.search(rb"^id: (\S+)$", meta, re.M).group(1)), int(payload)) for _, _, payload, meta in messages}

    def logged(self):
        """{(position, number)}: what the log has."""
        found, after = set(), "-"
        if self.options.sentinels:
            self.ask_sentinels()
        with self.master.inside(), redis.Redis(host=self.address(), port=REDIS) as link:
            while page := link.xrange("{zcast}:log", after, count=10000):
                found.update((as_number(id), int(fields[b"p"])) for id, fields in page if b"m" in fields)
                after = f"({page[-1][0].decode()}"
        return found

    def judge(self):
        """What is wrong, as lines."""
        for publisher in self.publishers:
            publisher.publishes = False
        self.until(lambda: not any(publisher.waiting for publisher in self.publishers), "all is acknowledged")
        for publisher in self.publishers:
            publisher.over = True
            publisher.join(LIMIT)
        found = {}
        self.beside(lambda: wait_for(lambda: self.all_have(found), lambda: self.differences(found), LIMIT / 2))
        truth = {topic: [] for topic in range(self.options.topics)}
        for at, number in sorted(found["log"]):
            truth[number % self.options.topics].append((at, number))
        newest = {topic: max((at for at, _ in messages), default=0) for topic, messages in truth.items()}

        def complete():
            return all(w.last_id and as_number(w.last_id) >= max(newest[topic] for topic in w.topics) for w in self.movers.watchers)

        self.until(complete, "all clients are complete")
        return Judge(self, truth).wrong

    def all_have(self, found):
        """Each broker has what the log has. Where a master that was cut off has taken messages, the broker beside it keeps those in its
        history, and lacks what others appended meanwhile: then all have the newest messages, and clients were told gaps."""
        found.update({site.name: self.history(site) for site in self.sites}, log=self.logged())
        if self.options.faults == "crashes":
            return all(found[name] == found["log"] for name in SITES)
        newest = sorted(found["log"])[-100:]
        return all(found[name].issuperset(newest) for name in SITES)

    def differences(self, found):
        """In words."""
        text = "all brokers have what the log has"
        for name in SITES:
            more, less = sorted(found[name] - found["log"]), sorted(found["log"] - found[name])
            text += f"; {name} has {len(found[name])} messages, {len(more)} more, such as {more[:3]}, and lacks {len(less)}, such as {less[:3]}"
        return text

    def close(self):
        wrong = []
        self.movers.close()
        for publisher in self.publishers:
            publisher.over = True
        for publisher in self.publishers:
            publisher.join(LIMIT)
        for site in self.sites:
            with site.inside():
                wrong += [f"{site.name}: {text}" for text in site.stack.close()]
        self.network.close()
        return wrong


class Judge:
    """Compares what was acknowledged, and what each client has seen, with the log."""

    def __init__(self, run, truth):
        self.crashes = run.options.faults == "crashes"
        self.wrong, self.truth = [], truth
        self.places = {number: at for found in truth.values() for at, number in found}
        if len(self.places) != sum(map(len, truth.values())):
            self.wrong.append("the log has a message twice")
        self.acknowledged = {}
        for publisher in run.publishers:
            self.acknowledged.update(publisher.acknowledged)
        self.lost = sorted((at, number) for number, at in self.acknowledged.items() if self.places.get(number) != at)
        if self.lost and self.crashes:
            self.wrong.append(f"{len(self.lost)} of {len(self.acknowledged)} acknowledged messages are lost, such as {self.lost[:3]}")
        for client in run.movers.watchers:
            self.look(client)

    def look(self, client):
        who = f"{type(client).__name__} of {client.topics}"
        owed = {at for topic in client.topics for at, _ in self.truth[topic] if at > client.began}
        owed |= {at for at, number in self.lost if number % client.among in client.topics and at > client.began}
        missing = sorted(owed - set(client.seen))
        untold = [at for at in missing if not any(since < at <= upto for since, upto, *_ in client.stated)]
        if untold:
            self.wrong.append(f"{who}: {len(untold)} messages are missing, such as {untold[0] >> 20}-{untold[0] & 0xfffff}, and no gap said so")
        if missing and self.crashes:
            self.wrong.append(f"{who}: {len(missing)} messages are missing, though only processes failed")
        strange = [number for at, number in zip(client.seen, client.numbers) if self.places.get(number) != at]
        if strange and self.crashes:
            self.wrong.append(f"{who}: {len(strange)} messages came at positions that the log hasn't, such as {strange[0]}")
        if len(set(client.numbers)) != len(client.numbers) and self.crashes:
            self.wrong.append(f"{who}: messages came twice")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", default=os.environ.get("SITES", "5m"), type=seconds)
    parser.add_argument("--clients", type=int, default=200, help="of each kind (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=1000, help="messages a second (default: %(default)s)")
    parser.add_argument("--topics", type=int, default=50)
    parser.add_argument("--faults", choices=("crashes", "all"), default="all")
    parser.add_argument("--sentinels", action="store_true", help="three Sentinels promote; else the test does, by moving an address")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    reason = why_not()
    if reason:
        print(f"not here: {reason}")
        return 77
    random.seed(options.seed)
    print(f"seed {options.seed}", flush=True)
    made, wrong = Run(options), []
    try:
        with made.network.inside("clients"):
            wrong = made.run()
    except AssertionError as error:
        wrong.append(str(error))
    finally:
        wrong += made.close()
    watchers = made.movers.watchers
    print(
        f"{made.elapsed():.0f} s, {len(made.done)} faults, {len(watchers)} clients, {sum(w.connects for w in watchers)} connections, "
        f"{sum(len(p.acknowledged) for p in made.publishers)} messages acknowledged, {sum(len(w.seen) for w in watchers)} received, "
        f"{sum(len(w.stated) for w in watchers)} gaps stated"
    )
    for publisher in made.publishers:
        print(f"refused at {publisher.site.name}: { {code.decode(): n for code, n in publisher.refusals.items()} }")
    for each in wrong:
        print(f"WRONG: {each}")
    for site in made.sites:
        if wrong:
            print(site.stack.logs())
        site.stack.remove()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
