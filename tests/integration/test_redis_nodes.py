"""The Redis bridge and what Redis says no to: rights that change, nodes that are the wrong ones, and what it never takes.
Real servers: replicas whose role changes, and a Cluster."""

import re
import signal
import subprocess

import pytest
import redis

from stack import LIMIT, SOURCE, free_port, wait_for
from test_redis import other  # noqa: F401
from test_redis import bridge, client, history, kept, listener, payloads, receive, subscriber_subscriptions, wait_report


# -- connected is not subscribed


def acl(stack, user, *rules):
    """Rules of redis' own words, since the client's function knows not all of them."""
    return client(stack).execute_command("ACL", "SETUSER", user, *rules)


def stat_shows(stack, *patterns):
    """What the operator sees."""
    wait_for(lambda: all(re.search(each, stack.zmq("stat").stdout, re.M) for each in patterns), lambda: stack.zmq("stat").stdout)


def test_a_subscription_that_is_forbidden_and_later_allowed(stack):
    """It is asked for again until it is confirmed; until then nobody says that all is well."""
    stack.redis()
    stack.broker()
    acl(stack, "me", "on", ">p", "+@all", "~*", "resetchannels", "&open")
    url = f"redis://me:p@127.0.0.1:{stack.redis_port}"
    daemon = bridge(stack, "-C", "closed", "-C", "open", "-P", "clo*", url=url)
    daemon.wait_log("not subscribed to channel closed: NOPERM .*; trying again")
    daemon.wait_log(r"not subscribed to pattern clo\*: NOPERM")
    figures = wait_report(stack, lambda each: each["redis"] == "refused", "the refusal")
    assert (figures["forbidden"], figures["subscribed"], figures["subscriptions"]) == (2, 1, 3)
    assert "NOPERM" in figures["redis_error"] and "ACL" in figures["redis_error"]
    stat_shows(stack, r"^redis +refused", r"redis, from Redis: .*NOPERM.*has 1 of 3 subscriptions")
    wait_for(lambda: sum(int(each["count"]) for each in client(stack).acl_log()) >= 6, "several attempts")
    assert daemon.log().count("NOPERM") == 2  # said once for each
    acl(stack, "me", "allchannels")
    wait_for(lambda: subscriber_subscriptions(stack) == 3, "all three")
    sub = stack.sub("closed")
    wait_for(lambda: client(stack).publish("closed", "heard") > 0, "someone to hear it")
    assert receive(sub, 1) == [(b"closed", b"heard")]
    figures = wait_report(stack, lambda each: each["redis"] == "connected", "all is well")
    assert (figures["redis_error"], figures["subscribed"], figures["redis_gaps"]) == ("", 3, 0)  # it was never there before
    assert "subscribed to channel closed" in daemon.log()


@pytest.mark.parametrize("rule, allow", [("-subscribe", "+subscribe"), ("resetchannels", "allchannels")])
def test_an_acl_that_changes_while_connected(stack, rule, allow):
    stack.redis()
    stack.broker()
    acl(stack, "me", "on", ">p", "+@all", "~*", "allchannels")
    daemon = bridge(stack, "-C", "t", url=f"redis://me:p@127.0.0.1:{stack.redis_port}")
    wait_for(lambda: subscriber_subscriptions(stack) == 1, "the subscription")
    acl(stack, "me", rule)
    if rule == "-subscribe":  # Redis lets what is there be: until the connection is made anew
        client(stack).execute_command("CLIENT", "KILL", "USER", "me")
    daemon.wait_log("not subscribed to channel t: NOPERM")
    wait_report(stack, lambda each: each["redis"] == "refused", "the refusal")
    client(stack).publish("t", "lost")
    acl(stack, "me", allow)
    wait_for(lambda: subscriber_subscriptions(stack) == 1, "the subscription again")
    client(stack).publish("t", "heard")
    figures = wait_report(stack, lambda each: each["redis"] == "connected" and each["published"] == 1, "all is well")
    assert history(stack, "t") == [b"heard"] and figures["redis_gaps"] == 1
    assert daemon.log().count("gap:") == 1


def test_a_subscription_that_is_forbidden_and_then_not_wanted(stack):
    stack.redis()
    stack.broker()
    acl(stack, "me", "on", ">p", "+@all", "~*", "resetchannels", "&open")
    path = stack.folder / "bridge.conf"
    path.write_text("bridge\n    subscribe-channel = closed\n    subscribe-channel = open\n")
    daemon = bridge(stack, f"--config={path}", url=f"redis://me:p@127.0.0.1:{stack.redis_port}")
    wait_report(stack, lambda each: each["redis"] == "refused", "the refusal")
    path.write_text("bridge\n    subscribe-channel = open\n")
    daemon.send_signal(signal.SIGHUP)
    figures = wait_report(stack, lambda each: each["redis"] == "connected", "all is well")
    assert (figures["subscribed"], figures["subscriptions"], figures["redis_error"]) == (1, 1, "")


DEPLOYMENT = (SOURCE / "doc/deployment.md").read_text()
RIGHTS = re.search("^user zcast on .*", DEPLOYMENT, re.M)[0].split()


def test_the_manual_page_has_the_same_rights():
    page = (SOURCE / "doc/zcast-redis.8.in").read_text()
    assert re.search(r"^user zcast on .*?(?=^\.fi)", page, re.M | re.S)[0].replace("\\-", "-").split() == RIGHTS


def allow_documented(stack, *more):
    """The user of the documents, with the password of a file; the options that say so."""
    secret = stack.folder / "secret"
    secret.write_text("hush\n")
    client(stack).execute_command("ACL", "SETUSER", *[word.replace("PASSWORD", "hush") for word in RIGHTS[1:]], *more)
    block = re.search("^bridge\n    redis = .*?(?=^```)", DEPLOYMENT, re.M | re.S)[0]
    path = stack.folder / "bridge.conf"
    path.write_text(re.sub("redis = .*", f"redis = {stack.redis_url}", block))
    return [f"--config={path}", f"--password-file={secret}"]


@pytest.mark.parametrize("database, more", [(0, ()), (1, ("+select",))])
def test_the_documented_rights_are_enough(stack, other, database, more):
    """In from other programs, and from another site; out to that one, the position, and a reload that ends subscriptions."""
    stack.redis()
    stack.broker()
    other.redis_port = stack.redis_port
    other.broker()
    options = [*allow_documented(stack, *more), f"--database={database}"]
    daemon = bridge(stack, *options, url=stack.redis_url)
    bridge(other, "--outgoing=shared/*", "--site=south")
    wait_for(lambda: subscriber_subscriptions(stack) == 4, "all subscriptions")
    here, there = stack.sub("shop/orders", "news.de", "shared/1"), other.sub("shared/2")
    client(stack).publish("orders", "an order")
    assert receive(here, 1) == [(b"shop/orders", b"an order")]
    client(stack).publish("news.de", "news")
    assert receive(here, 1) == [(b"news.de", b"news")]
    other.publish("shared/1", "from there")
    assert receive(here, 1) == [(b"shared/1", b"from there")]
    stack.publish("shared/2", "from here")
    assert receive(there, 1) == [(b"shared/2", b"from here")]
    wait_for(lambda: client(stack, db=database).get("zcast:position:north"), "the position")
    figures = wait_report(stack, lambda each: each["relayed"] == 1, "the relayed one")
    assert (figures["redis"], figures["relay"], figures["redis_error"], figures["relay_error"]) == ("connected", "on", "", "")
    assert {each["name"] for each in client(stack).client_list() if each["user"] == "zcast"} == {"zcast-subscriber", "zcast-publisher"}
    path = stack.folder / "bridge.conf"
    path.write_text(re.sub(" *subscribe-.*\n", "", path.read_text()))
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: subscriber_subscriptions(stack) == 2, "the relays' subscriptions alone")
    assert client(stack).acl_log() == []


# -- to Redis: what was answered isn't sent, where the node is the wrong one


def another_redis(stack, *options):
    """A second server; returns it and its port."""
    port = free_port()
    argv = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", stack.folder, "--dbfilename", f"{port}.rdb", *options]
    server = stack.start("redis-server", argv)
    wait_for(lambda: answers(port), f"redis-server at {port}")
    return server, port


def at(port):
    return redis.Redis(host="127.0.0.1", port=port)


def answers(port):
    try:
        return at(port).ping()
    except redis.ConnectionError:
        return False


def follow(port, master):
    """Makes a node a replica of another, or (None) a master; returns when it is."""
    link = at(port)
    link.replicaof(*(("NO", "ONE") if master is None else ("127.0.0.1", master)))
    if master:
        wait_for(lambda: link.info("replication").get("master_link_status") == "up", "the replica to be in step")


OUT = ["--outgoing=out/*", "--outgoing-format=payload", "--outgoing-prefix=", "--site=north"]


def relay_to(stack, port, *options, user="", ready=True):
    daemon = bridge(stack, *OUT, *options, url=f"redis://{user}127.0.0.1:{port}", ready=False)
    daemon.wait_log("relaying messages to Redis" if ready else "messages after .* go to Redis")
    return daemon


def publish(stack, *numbers, topic="out/1"):
    for number in numbers:
        stack.publish(topic, f"{number}")


def hear(listener, *numbers):
    assert payloads(listener, len(numbers)) == [f"{number}".encode() for number in numbers]


def listen_at(port, *channels):
    made = at(port).pubsub()
    made.subscribe(*channels)
    for _ in channels:
        assert made.get_message(timeout=LIMIT)["type"] == "subscribe"
    return made


def silent(listener):
    return listener.get_message(timeout=0.3) is None


def first_heard(listener, *numbers):
    """Waits until all have come. What was sent to a node before it was known to be the wrong one comes once more."""
    got = []

    def complete():
        while (message := listener.get_message(timeout=0.05)) is not None:
            got.append(int(message["data"]))
        return set(got) >= set(numbers)

    wait_for(complete, lambda: f"{numbers}: {got}")
    assert list(dict.fromkeys(got)) == list(numbers)


def test_a_bridge_that_is_given_a_replica(stack):
    """Nothing is taken for sent; once it is a master, all goes out."""
    stack.redis()
    stack.broker()
    _, port = another_redis(stack)
    follow(port, stack.redis_port)
    here, there = listen_at(port, "out/1"), listen_at(stack.redis_port, "out/1")
    daemon = relay_to(stack, port)
    publish(stack, 0, 1, 2)
    daemon.wait_log(rf"zcast-publisher\): of no use: it is a replica of 127.0.0.1:{stack.redis_port}, .*give the master's address")
    figures = wait_report(stack, lambda each: each.get("relay") == "stopped" and each["relay_waiting"] == 3, "three that wait")
    assert figures["relayed"] == 0 and "replica" in figures["relay_error"]
    stat_shows(stack, r"to Redis, stopped: it is a replica of .*\(3 messages wait\)")
    assert silent(here) and silent(there) and daemon.log().count("of no use") == 1
    follow(port, None)
    hear(here, 0, 1, 2)
    figures = wait_report(stack, lambda each: each["relayed"] == 3, "all relayed")
    assert (figures["relay"], figures["relay_error"], figures["relay_refused"], figures["relay_waiting"]) == ("on", "", 0, 0)


@pytest.mark.parametrize("rights", ["allcommands", "-role", "-role -hello"], ids=["role", "hello", "set"])
def test_a_node_that_changes_its_role(stack, rights):
    """Both ways, while the bridge is connected, and whatever way is left to see what the node is."""
    stack.redis()
    stack.broker()
    _, other = another_redis(stack)
    own = stack.redis_port
    acl(stack, "me", "on", ">p", "allcommands", "allkeys", "allchannels", *rights.split())
    here, there = listen_at(own, "out/1"), listen_at(other, "out/1")
    daemon = relay_to(stack, own, user="me:p@")
    publish(stack, 0, 1, 2)
    first_heard(here, 0, 1, 2)
    for round in range(1, 4):
        wait_report(stack, lambda each: each["relayed"] == 3 * round, "all so far")
        follow(own, other)
        publish(stack, *range(3 * round, 3 * round + 3))
        figures = wait_report(stack, lambda each: each["relay"] == "stopped", "the relay to stop")
        assert figures["relayed"] == 3 * round and silent(there)
        follow(own, None)
        first_heard(here, *range(3 * round, 3 * round + 3))
    figures = wait_report(stack, lambda each: each["relayed"] == 12, "all relayed")
    assert figures["relay"] == "on" and figures["relay_refused"] == 0
    assert re.search("it is a replica|READONLY", daemon.log())


def test_a_node_that_changes_its_role_under_load(stack):
    """Nothing is lost: who listens at the node itself hears everything at least once, first in order."""
    stack.redis()
    stack.broker("--topic-messages=100000")
    _, other = another_redis(stack)
    heard = listener(stack, "out/1")
    relay_to(stack, stack.redis_port)
    count, got = 2000, []
    feed = stack.start("zmq", ["zmq", "pub", *stack.endpoints(), "out/1", "--lines", "--quiet", "--timeout=0"], stdin=subprocess.PIPE, clean=False)

    def drain():
        while (message := heard.get_message(timeout=0)) is not None:
            got.append(int(message["data"]))
        return got

    for number in range(count):
        feed.process.stdin.write(b"%d\n" % number)
        if number % 500 == 250:
            feed.process.stdin.flush()
            follow(stack.redis_port, other)
            drain()
            follow(stack.redis_port, None)
    feed.process.stdin.close()
    feed.wait()
    wait_for(lambda: len(set(drain())) == count, lambda: f"{len(set(got))} of {count}")
    assert list(dict.fromkeys(got)) == list(range(count))
    figures = wait_report(stack, lambda each: each["relayed"] == count, "all relayed")
    assert figures["relay_gaps"] == 0 and figures["relay_refused"] == 0


def cluster_node(stack):
    """The port of a node, and that of its bus: by itself that would be 10000 above, where outgoing connections are."""
    bus = free_port()
    return another_redis(stack, "--cluster-enabled", "yes", "--cluster-config-file", f"nodes-{bus}.conf", "--cluster-port", bus)[1], bus


def test_a_cluster_that_is_not_whole_yet(stack):
    """CLUSTERDOWN passes: messages published since the bridge began go out then."""
    stack.broker()
    port, _ = cluster_node(stack)
    stack.redis_port = port
    daemon = relay_to(stack, port, ready=False)
    daemon.wait_log("zcast-publisher.*CLUSTERDOWN")
    wait_report(stack, lambda each: each["relay"] == "stopped", "the state")
    heard = listen_at(port, "out/1")
    publish(stack, 0, 1, 2)
    at(port).execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    hear(heard, 0, 1, 2)
    wait_report(stack, lambda each: each["relayed"] == 3 and each["relay"] == "on", "all relayed")


def cluster(stack):
    """Three nodes that have joined, and which of them has a key's slot: their ports, and a function of the key."""
    nodes = [cluster_node(stack) for _ in range(3)]
    ports = [port for port, _ in nodes]
    ranges = [(0, 5460), (5461, 10922), (10923, 16383)]
    for port, (first, last) in zip(ports, ranges):
        at(port).execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        at(port).execute_command("CLUSTER", "MEET", "127.0.0.1", *nodes[0])
    for port in ports:
        wait_for(lambda port=port: cluster_info(port)["cluster_state"] == "ok" and cluster_info(port)["cluster_known_nodes"] == "3", "the cluster")
    return ports


def cluster_info(port):
    return at(port).cluster("INFO")


def move_slot(ports, slot, port):
    """To another node. What was in it is forgotten."""
    node = at(port).execute_command("CLUSTER", "MYID").decode()
    for each in [port, *(other for other in ports if other != port)]:
        at(each).execute_command("CLUSTER", "SETSLOT", slot, "NODE", node)


def test_a_cluster_whose_other_node_has_the_position(stack):
    """MOVED is followed: what goes out goes there, in order, also when the slot moves while the bridge is connected."""
    stack.broker()
    ports = cluster(stack)
    slot = int(at(ports[0]).execute_command("CLUSTER", "KEYSLOT", "zcast:position:north"))
    home = slot // 5461
    right, wrong = ports[home], ports[(home + 1) % 3]
    stack.redis_port = wrong
    heard = listen_at(wrong, "out/1")
    relay_to(stack, wrong, ready=False)
    publish(stack, 0, 1, 2)
    hear(heard, 0, 1, 2)
    wait_report(stack, lambda each: each["relayed"] == 3 and each["relay"] == "on", "all relayed")
    wait_for(lambda: at(right).get("zcast:position:north"), "the position")
    at(right).delete("zcast:position:north")
    move_slot(ports, slot, wrong)
    publish(stack, 3, 4)
    wait_for(lambda: at(wrong).get("zcast:position:north"), "the position, there")
    got = []
    wait_for(lambda: got.append(heard.get_message(timeout=0.1)) or b"4" in [each["data"] for each in got if each], "what came meanwhile")
    assert list(dict.fromkeys(each["data"] for each in got if each)) == [b"3", b"4"]
    wait_report(stack, lambda each: each["relay"] == "on" and each["relay_error"] == "", "all is well")


def test_streams_of_a_cluster(stack):
    """Each is read at the node that has it, and at the one that gets it: MOVED, and ASK while it moves."""
    stack.broker()
    ports = cluster(stack)
    stack.redis_port = ports[0]
    names = [f"s{i}" for i in range(6)]
    slots = {name: int(at(ports[0]).execute_command("CLUSTER", "KEYSLOT", name)) for name in names}
    assert len({slot // 5461 for slot in slots.values()}) == 3
    words = [word for name in names for word in ("-S", name)]
    bridge(stack, *words, "--site=north", "--standby=yes", url=f"redis://127.0.0.1:{ports[0]}", ready=False)
    wait_report(stack, lambda each: each["streams_read"] == 6, "all are read")
    homes = {name: ports[min(slot // 5461, 2)] for name, slot in slots.items()}
    for name in names:
        for i in range(20):
            at(homes[name]).xadd(name, {"payload": f"{i}"})
    for name in names:
        wait_for(lambda name=name: history(stack, name) == [b"%d" % i for i in range(20)], name)
    name = names[0]
    source = homes[name]
    target = next(port for port in ports if port != source)
    place = f"zcast:stream:north:{{{name}}}"
    wait_for(lambda: at(source).get(place).endswith(b" 20"), "its place is kept")
    for port, state, peer in ((target, "IMPORTING", source), (source, "MIGRATING", target)):
        at(port).execute_command("CLUSTER", "SETSLOT", slots[name], state, at(peer).execute_command("CLUSTER", "MYID").decode())
    at(source).execute_command("MIGRATE", "127.0.0.1", target, "", 0, 5000, "KEYS", name, place)
    link = at(target)
    with link.pipeline(transaction=False) as both:  # the key is there, the slot isn't yet
        both.execute_command("ASKING")
        both.execute_command("XADD", name, "*", "payload", "20")
        both.execute()
    wait_for(lambda: history(stack, name)[-1] == b"20", "what ASK leads to")
    move_slot(ports, slots[name], target)
    at(target).xadd(name, {"payload": "21"})
    wait_for(lambda: history(stack, name) == [b"%d" % i for i in range(22)], "all of it, once each")
    wait_report(stack, lambda each: each["redis"] == "connected" and each["redis_error"] == "", "all is well")


def test_a_channel_that_is_forbidden_holds_up_only_itself(stack):
    stack.redis()
    stack.broker()
    acl(stack, "me", "on", ">p", "+@all", "~*", "allchannels")
    heard = listener(stack, "out/1", "out/2")
    daemon = relay_to(stack, stack.redis_port, user="me:p@")
    publish(stack, "first")
    hear(heard, "first")
    acl(stack, "me", "resetchannels", "&out/2")
    publish(stack, 0, 1, 2)
    publish(stack, "other", topic="out/2")
    hear(heard, "other")
    daemon.wait_log("channel out/1: NOPERM .*; its messages wait")
    figures = wait_report(stack, lambda each: each["relay"] == "held", "the state")
    assert (figures["relay_held"], figures["relay_waiting"], figures["relayed"], figures["relay_refused"]) == (3, 3, 2, 0)
    stat_shows(stack, r"to Redis, held: channel out/1: NOPERM .*\(3 messages wait\)")
    publish(stack, 3)
    publish(stack, "more", topic="out/2")
    hear(heard, "more")
    acl(stack, "me", "allchannels")
    hear(heard, 0, 1, 2, 3)
    figures = wait_report(stack, lambda each: each["relayed"] == 7, "all relayed")
    assert (figures["relay"], figures["relay_error"], figures["relay_held"]) == ("on", "", 0)
    assert daemon.log().count("NOPERM") == 1


def test_a_forbidden_channel_fills_the_queue(stack):
    """Then nothing goes out, which is said; once the channel is allowed, everything does, in order."""
    stack.redis()
    stack.broker()
    acl(stack, "me", "on", ">p", "+@all", "~*", "resetchannels", "&out/2")
    heard, other = listener(stack, "out/1"), listener(stack, "out/2")
    daemon = relay_to(stack, stack.redis_port, "--queue-bytes=8K", user="me:p@")
    big = [f"{number}".ljust(1000, "x") for number in range(12)]
    publish(stack, *big)
    daemon.wait_log(r"stopped: \d+ messages held for channels that this user may not publish to fill queue-bytes, .*channel out/1: NOPERM")
    figures = wait_report(stack, lambda each: each["relay"] == "stopped", "the state")
    assert figures["relay_held"] == figures["relay_waiting"] > 0 and "fill queue-bytes: channel out/1: NOPERM" in figures["relay_error"]
    stat_shows(stack, r"to Redis, stopped: held messages fill queue-bytes: channel out/1: NOPERM")
    publish(stack, "other", topic="out/2")
    assert silent(other) and daemon.log().count("stopped:") == 1
    acl(stack, "me", "allchannels")
    hear(heard, *big)
    hear(other, "other")
    figures = wait_report(stack, lambda each: each["relayed"] == 13, "all relayed")
    assert (figures["relay"], figures["relay_error"], figures["relay_gaps"]) == ("on", "", 0)
    assert daemon.log().count("stopped:") == 1 and "going on\n" in daemon.log()


def test_a_bridge_that_ends_while_a_channel_is_forbidden(stack):
    """What waited goes out from the next one: the position stays before it."""
    stack.redis()
    stack.broker()
    acl(stack, "me", "on", ">p", "+@all", "~*", "resetchannels", "&out/2")
    heard = listener(stack, "out/1")
    first = relay_to(stack, stack.redis_port, "--drain-timeout=1", user="me:p@")
    publish(stack, 0)
    publish(stack, "other", topic="out/2")
    first.wait_log("channel out/1: NOPERM")
    wait_report(stack, lambda each: each["relayed"] == 1, "the other channel's")
    assert first.stop() == 0 and "1 not Redis" in first.log()
    acl(stack, "me", "allchannels")
    relay_to(stack, stack.redis_port, user="me:p@")
    hear(heard, 0)


def test_the_command_is_forbidden(stack):
    stack.redis()
    stack.broker()
    acl(stack, "me", "on", ">p", "+@all", "~*", "allchannels")
    heard = listener(stack, "out/1")
    daemon = relay_to(stack, stack.redis_port, user="me:p@")
    acl(stack, "me", "-publish")
    publish(stack, 0, 1)
    daemon.wait_log("NOPERM.*publish")
    wait_report(stack, lambda each: each["relay_held"] == 2, "two that wait")
    acl(stack, "me", "+publish")
    hear(heard, 0, 1)


@pytest.mark.parametrize("trouble", ["maxmemory", "key"])
def test_a_position_that_is_not_kept(stack, trouble):
    """That is said, and no reason to stop: messages need no memory there."""
    stack.redis()
    stack.broker()
    acl(stack, "me", "on", ">p", "+@all", "~*", "allchannels")
    heard = listener(stack, "out/1")
    daemon = relay_to(stack, stack.redis_port, user="me:p@")
    publish(stack, 0)
    hear(heard, 0)
    wait_for(lambda: kept(stack, "north"), "a position")
    if trouble == "maxmemory":
        client(stack).config_set("maxmemory", 1)
    else:
        acl(stack, "me", "resetkeys", "%R~*")
    before = kept(stack, "north")
    publish(stack, 1, 2)
    hear(heard, 1, 2)
    daemon.wait_log(r"the position is not kept: (OOM .*maxmemory|NOPERM .*ACL)")
    figures = wait_report(stack, lambda each: each["relayed"] == 3 and each["relay_unkept"] > 0, "the state")
    assert figures["relay"] == "on" and "position is not kept" in figures["relay_error"] and kept(stack, "north") == before
    client(stack).config_set("maxmemory", 0)
    acl(stack, "me", "allkeys")
    daemon.wait_log("the position is kept")
    wait_report(stack, lambda each: each["relay_error"] == "", "all is well")
    assert daemon.log().count("not kept") == 1


def test_a_master_that_may_be_cut_off(stack):
    """It says so itself (min-replicas-to-write): nothing counts as sent until it has replicas again."""
    stack.redis()
    stack.broker()
    heard = listener(stack, "out/1")
    daemon = relay_to(stack, stack.redis_port)
    publish(stack, 0)
    hear(heard, 0)
    wait_report(stack, lambda each: each["relayed"] == 1, "the first")
    client(stack).config_set("min-replicas-to-write", 1)
    publish(stack, 1)
    daemon.wait_log("NOREPLICAS .*min-replicas-to-write")
    publish(stack, 2, 3)
    wait_report(stack, lambda each: each["relay"] == "stopped" and each["relay_waiting"] >= 2, "what waits")
    client(stack).config_set("min-replicas-to-write", 0)
    wait_report(stack, lambda each: each["relayed"] == 4, "all relayed")
    got = [message["data"] for message in iter(lambda: heard.get_message(timeout=0.5), None)]
    assert list(dict.fromkeys(got)) == [b"1", b"2", b"3"]


def test_a_message_that_redis_hangs_up_on(stack):
    """It is too large for it for good: it is refused, and what is behind it goes out."""
    stack.redis("--proto-max-bulk-len", 1 << 20)
    stack.broker("--max-payload=16M", "--topic-bytes=64M")
    heard = listener(stack, "out/1")
    daemon = relay_to(stack, stack.redis_port)
    for number in range(3):
        publish(stack, 2 * number)
        stack.publish("out/1", b"x" * ((1 << 20) + 1 + number * 5_000_000))
        publish(stack, 2 * number + 1)
    figures = wait_report(stack, lambda each: each["relayed"] == 6, "the small ones")
    got = [message["data"] for message in iter(lambda: heard.get_message(timeout=0.5), None)]
    assert list(dict.fromkeys(got)) == [b"%d" % number for number in range(6)]
    assert figures["relay_refused"] == 3 and figures["relay_waiting"] == 0
    assert "not sent, and lost: ERR Protocol error: invalid bulk length (see proto-max-bulk-len there)" in daemon.log()


def sentinel(stack):
    """Its port."""
    port = free_port()
    path = stack.folder / "sentinel.conf"
    path.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor m 127.0.0.1 {stack.redis_port} 1\n")
    stack.start("redis-server", ["redis-server", path, "--sentinel"])
    wait_for(lambda: answers(port), "the Sentinel")
    return port


def test_a_sentinel_in_the_place_of_redis(stack):
    stack.redis()
    stack.broker()
    daemon = relay_to(stack, sentinel(stack), ready=False)
    daemon.wait_log("zcast-publisher.*of no use: (it is a Sentinel|ERR unknown command)")


def test_a_sentinel_that_only_gives(stack):
    """It confirms subscriptions, and tells nothing but its own events: they are no topics, and nobody says that all is well."""
    stack.redis()
    stack.broker()
    port = sentinel(stack)
    daemon = bridge(stack, "-P", "*", url=f"redis://127.0.0.1:{port}", ready=False)
    daemon.wait_log("zcast-subscriber.*of no use: it is a Sentinel, .*give the master's address")
    figures = wait_report(stack, lambda each: "Sentinel" in each["redis_error"], "the state")
    assert (figures["redis"], figures["subscribed"]) == ("away", 0)
    stat_shows(stack, r"redis, from Redis: it is a Sentinel")
    at(port).execute_command("SENTINEL", "REMOVE", "m")  # an event: -monitor
    wait_for(lambda: int(at(port).info("stats")["total_connections_received"]) > 8, "several attempts")
    figures = wait_report(stack, lambda each: each["redis"] == "away", "the state still")
    assert (figures["received"], stack.stats()["published"]) == (0, 0)
    assert daemon.log().count("it is a Sentinel") == 1 and "): connected" not in daemon.log().split("of no use")[1]


@pytest.mark.parametrize("rights", ["-role", "-role -hello"])
def test_a_subscriber_that_may_not_ask_what_the_node_is(stack, rights):
    stack.redis()
    stack.broker()
    acl(stack, "me", "on", ">p", "allcommands", "allkeys", "allchannels", *rights.split())
    bridge(stack, "-C", "t", url=f"redis://me:p@127.0.0.1:{stack.redis_port}")
    wait_for(lambda: subscriber_subscriptions(stack) == 1, "the subscription")
    client(stack).publish("t", "heard")
    figures = wait_report(stack, lambda each: each["published"] == 1, "the message")
    assert (figures["redis"], figures["redis_error"]) == ("connected", "") and history(stack, "t") == [b"heard"]


def test_a_key_that_is_something_else(stack):
    stack.redis()
    stack.broker()
    client(stack).rpush("zcast:position:north", "x")
    daemon = relay_to(stack, stack.redis_port, ready=False)
    daemon.wait_log("of no use: WRONGTYPE .*another site name")
    heard = listener(stack, "out/1")
    publish(stack, 0)
    client(stack).delete("zcast:position:north")
    hear(heard, 0)
