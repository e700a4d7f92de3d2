"""The log's Redis behind Sentinels: brokers ask them for the master, and follow it when it changes (doc/scale.md)."""

import redis

from stack import LIMIT, free_port, position, run, wait_for
from test_log import Publisher, history, second


def cli(port, *words, password=None):
    login = ["-a", password, "--no-auth-warning"] if password else []
    return run("redis-cli", "-p", port, *login, *words, check=False).stdout.strip()


class Group:
    """A master, replicas and Sentinels, real processes. `password`: of Redis, and of the Sentinels."""

    def __init__(self, stack, replicas=2, sentinels=3, password=None):
        self.stack, self.password, self.servers, self.sentinels = stack, password, {}, {}
        for i in range(1 + replicas):
            self.server(i)
        for i in range(sentinels):
            self.sentinel(i)
        self.wait_whole()

    def server(self, index):
        port = free_port()
        folder = self.stack.folder / f"redis{index}"
        folder.mkdir()
        argv = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder, "--repl-diskless-sync-delay", "0"]
        if self.password:
            argv += ["--requirepass", self.password, "--masterauth", self.password]
        if self.servers:
            argv += ["--replicaof", "127.0.0.1", next(iter(self.servers))]
        self.servers[port] = self.stack.start(f"redis{index}", argv, ready=lambda: cli(port, "ping", password=self.password) == "PONG")

    def sentinel(self, index):
        port = free_port()
        folder = self.stack.folder / f"sentinel{index}"
        folder.mkdir()
        lines = [
            f"port {port}",
            "bind 127.0.0.1",
            f"dir {folder}",
            f"sentinel monitor mine 127.0.0.1 {next(iter(self.servers))} 2",
            "sentinel down-after-milliseconds mine 3000",
            "sentinel failover-timeout mine 2000",
        ]
        if self.password:
            lines += [f"requirepass {self.password}", f"sentinel sentinel-pass {self.password}", f"sentinel auth-pass mine {self.password}"]
        path = folder / "sentinel.conf"
        path.write_text("\n".join(lines) + "\n")
        argv = ["redis-server", path, "--sentinel"]
        ready = lambda: cli(port, "ping", password=self.password) == "PONG"
        self.sentinels[port] = self.stack.start(f"sentinel{index}", argv, ready=ready)

    def told(self, port):
        """What a Sentinel says of the master: its port, its replicas, the other Sentinels."""
        lines = cli(port, "sentinel", "master", "mine", password=self.password).splitlines()
        fields = dict(zip(lines[::2], lines[1::2]))
        return fields.get("port"), fields.get("num-slaves"), fields.get("num-other-sentinels")

    def wait_whole(self):
        goal = (str(next(iter(self.servers))), str(len(self.servers) - 1), str(len(self.sentinels) - 1))
        wait_for(lambda: all(self.told(port) == goal for port in self.sentinels), f"Sentinels see {goal}", LIMIT * 2)
        for port in list(self.servers)[1:]:
            wait_for(lambda: "master_link_status:up" in cli(port, "info", "replication", password=self.password), "a replica follows")

    def url(self, login=""):
        return f"redis+sentinel://{login}" + ",".join(f"127.0.0.1:{port}" for port in self.sentinels) + "/mine"

    def master(self):
        return int(self.told(next(iter(self.sentinels)))[0])

    def wait_promoted(self, before):
        wait_for(lambda: self.master() != before, "another master", LIMIT * 2)
        return self.master()


def test_the_master_stands_still_under_two_brokers(stack):
    """It keeps its connections, and answers nothing. Both brokers find the new one; what was acknowledged is there once, in one order,
    also when the old one goes on."""
    group = Group(stack)
    stacks = stack, second(stack)
    for each in stacks:
        each.broker(f"--log={group.url()}", "--log-timeout=1s")
    publishers = [Publisher(each, f"p{i}-") for i, each in enumerate(stacks)]
    for each in publishers:
        each.wait(100)
    before = group.master()
    group.servers[before].pause()
    group.wait_promoted(before)
    for each in publishers:
        each.wait(100)
    group.servers[before].resume()
    for each in publishers:
        each.wait(100)
    acknowledged = sorted((one for each in publishers for one in each.stop()), key=lambda one: position(one[1]))
    for each in stacks:
        each.wait_stats(lambda stats: stats["log"]["state"] == "ok", "the log takes messages")
    heads = [history(each)[0] for each in stacks]
    assert heads[0] == acknowledged and heads[1] == acknowledged


def test_an_old_master_that_is_demoted(stack):
    """The Sentinels change the master while the old one lives, and the broker's connection to it stands."""
    group = Group(stack, replicas=1)
    broker = stack.broker(f"--log={group.url()}", "--log-timeout=1s")
    publisher = Publisher(stack)
    publisher.wait(50)
    before = group.master()
    wait_for(lambda: cli(next(iter(group.sentinels)), "sentinel", "failover", "mine") == "OK", "a Sentinel begins a failover")
    group.wait_promoted(before)
    publisher.wait(50)
    acknowledged = publisher.stop()
    assert history(stack)[0] == acknowledged
    assert broker.log().count("the master is 127.0.0.1") >= 2


def test_passwords_and_sentinels_that_are_away(stack):
    """The first Sentinel of the list is dead, the second one stands still, and they want the password, too."""
    group = Group(stack, replicas=1, password="s3cret")
    sentinels = list(group.sentinels.values())
    sentinels[0].kill()
    sentinels[1].pause()
    file = stack.folder / "password"
    file.write_text("s3cret\n")
    broker = stack.broker(f"--log={group.url()}", f"--log-password-file={file}")
    assert stack.publish("t", "one")
    assert "s3cret" not in broker.log()
    sentinels[1].resume()


def test_sentinels_that_do_not_know(stack):
    group = Group(stack, replicas=0)
    wrong = group.url().replace("/mine", "/other")
    daemon = stack.start("zcast-broker", ["zcast-broker", *stack.endpoints(), f"--log={wrong}"])
    daemon.wait_log("other of the Sentinels at 127.0.0.1.*cannot connect: the Sentinel at 127.0.0.1:.*ERR No such master with that name")
    for each in group.sentinels.values():
        each.kill()
    daemon.wait_log("cannot connect: the Sentinel at 127.0.0.1:.*: Connection refused")


def test_the_bridge_follows_the_master(stack):
    """In and out, before and after."""
    group = Group(stack, replicas=1)
    stack.broker()
    sub = stack.sub("t")
    argv = ["zcast-redis", *stack.endpoints(), f"--redis={group.url()}", "-C", "t", "-o", "out", "--site=here"]
    stack.start("zcast-redis", argv)

    def subscribed():
        server = redis.Redis(port=group.master())
        return server if server.pubsub_numsub("t")[0][1] > 0 else None

    def passes(text):
        server = wait_for(subscribed, "the bridge has subscribed", LIMIT * 2)
        server.publish("t", text)
        assert sub.recv_multipart()[1] == text.encode()
        listener = server.pubsub()
        listener.subscribe("zcast:out")
        wait_for(lambda: listener.get_message(timeout=1), "the subscription is confirmed")
        stack.publish("out", text)
        assert wait_for(lambda: listener.get_message(timeout=1), "it goes out", LIMIT * 2)["data"].endswith(text.encode())

    passes("before")
    before = group.master()
    group.servers[before].kill()
    group.wait_promoted(before)
    passes("after")
