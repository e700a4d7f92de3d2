"""Host names for which DNS takes its time: no loop waits for them, and no end of a program does."""

import os
import re
import signal
import time

import pytest

from stack import run, wait_for
from test_broker_disk import preloaded
from test_redis import bridge, client, receive, subscriber_subscriptions, wait_report

# The tests say what DNS does, by the name. "slow" takes longer than any test that passes: a program that waits for it
# would be late for that alone. Most of the others are this machine.
DNS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    int (*real) (const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym (RTLD_NEXT, "getaddrinfo");
    if (hints && hints->ai_flags & AI_NUMERICHOST)
        return real (node, service, hints, found);
    if (node && strcmp (node, "slow.test") == 0) {
        for (int left = 120; left; left--)
            usleep (1000000);
        return EAI_AGAIN;
    }
    if (node && strcmp (node, "late.test") == 0)
        usleep (6000000);
    if (node && strcmp (node, "nobody.test") == 0)
        return EAI_NONAME;
    if (node && strcmp (node, "two.test") == 0 && real ("127.0.0.2", service, hints, found) == 0)
        return real ("127.0.0.1", service, hints, &(*found)->ai_next);
    return real (node && strstr (node, ".test") ? "127.0.0.1" : node, service, hints, found);
}
"""
SOON = 60  # seconds: half of what DNS takes, and far more than a busy machine needs


def stop(daemon):
    """It ends at once, as far as a busy machine can tell."""
    assert daemon.stop(limit=SOON) == 0


def test_a_bridge_whose_redis_has_a_slow_name(stack):
    """All else goes on: the report to the broker, signals, and the end."""
    stack.broker()
    daemon = bridge(stack, url="redis://slow.test:6379", ready=False, env=preloaded(stack, DNS))
    daemon.wait_log("cannot connect: the look-up of its name takes long")
    wait_for(lambda: stack.stats()["requests"]["REPORT"] >= 2, "reports")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_log("reloaded")
    figures = wait_report(stack, lambda each: each["redis"] == "away", "its Redis is away")
    assert figures["broker_losses"] == 0
    assert daemon.log().count("takes long") == 1
    threads = daemon.threads()
    stop(daemon)
    assert threads < 10  # however long it takes, there is one look-up


def test_both_directions(stack):
    """What goes out has a connection, and so a look-up, of its own."""
    stack.broker()
    daemon = bridge(stack, "--outgoing=x", "--site=x", url="redis://slow.test", ready=False, env=preloaded(stack, DNS))
    daemon.wait_log("zcast-publisher.*takes long")
    stop(daemon)


def test_a_name_of_redis_that_comes_late(stack):
    stack.redis()
    stack.broker()
    daemon = bridge(stack, url=f"redis://late.test:{stack.redis_port}", env=preloaded(stack, DNS))
    wait_for(lambda: subscriber_subscriptions(stack) > 0, "subscription")
    sub = stack.sub("t")
    client(stack).publish("t", "x")
    assert receive(sub, 1) == [(b"t", b"x")]
    stop(daemon)


def test_a_name_of_redis_that_nobody_has(stack):
    stack.broker()
    daemon = bridge(stack, url="redis://nobody.test", ready=False, env=preloaded(stack, DNS))
    daemon.wait_log("nobody.test:6379 .*: cannot connect: Name or service not known; trying again")
    wait_report(stack, lambda each: each["redis"] == "away", "the report")
    time.sleep(1)
    assert daemon.log().count("Name or service not known") == 1
    stop(daemon)


def test_each_address_of_a_name_is_tried(stack):
    """This Redis isn't at the first one."""
    stack.redis()
    stack.broker()
    daemon = bridge(stack, url=f"redis://two.test:{stack.redis_port}", env=preloaded(stack, DNS))
    daemon.wait_log("zcast-subscriber.*: connected")
    assert "cannot connect" not in daemon.log()
    stop(daemon)


def slow_endpoints():
    return [f"--{name}=tcp://slow.test:{port}" for name, port in (("publish", 5560), ("subscribe", 5561), ("control", 5562))]


def test_a_bridge_whose_broker_has_a_slow_name(stack):
    """Redis is read all the same; what waits for the broker is told when it ends."""
    stack.redis()
    argv = ["zcast-redis", *slow_endpoints(), f"--redis={stack.redis_url}", "-P", "*", "--outgoing=x/*", "--site=x", "--drain-timeout=1"]
    daemon = stack.start("zcast-redis", argv, env=preloaded(stack, DNS))
    wait_for(lambda: subscriber_subscriptions(stack) > 0, "subscription")
    client(stack).publish("t", "x")
    daemon.wait_log("no connection; trying again, 1 messages wait")
    stop(daemon)
    assert "time is up: 1 messages have not reached the broker" in daemon.log()


@pytest.mark.parametrize("name", ["zcast-fcgi", "zcast-ws"])
def test_a_worker_whose_broker_has_a_slow_name(stack, name):
    """It serves its clients, and stops."""
    where = f"--socket={stack.fcgi_socket}" if name == "zcast-fcgi" else f"--listen=127.0.0.1:{stack.ws_port}"
    daemon = stack.start(name, [name, *slow_endpoints()[name == "zcast-fcgi" :], where], env=preloaded(stack, DNS))
    daemon.wait_log("broker: nobody answers")
    if name == "zcast-ws":
        with stack.websocket("a") as client_:
            client_.wait_open()
            stop(daemon)
    else:
        stop(daemon)


@pytest.mark.parametrize("words", [["ping"], ["stat"], ["pub", "t", "x"], ["pub", "t", "x", "--fast"], ["sub", "t"]])
def test_zmq_with_a_slow_name(stack, words):
    begun = time.monotonic()
    done = run("zmq", words[0], *slow_endpoints(), *words[1:], "--timeout", 1, check=False, env=preloaded(stack, DNS))
    assert done.returncode == 1 and "slow.test" in done.stderr
    assert time.monotonic() - begun < SOON


def test_zmq_that_is_interrupted(stack):
    argv = ["zmq", "sub", *slow_endpoints(), "t"]
    daemon = stack.start("zmq", argv, env=preloaded(stack, DNS), clean=False)
    wait_for(lambda: len(os.listdir(f"/proc/{daemon.pid}/task")) > 1, "ZeroMQ's threads")
    time.sleep(0.5)
    daemon.send_signal(signal.SIGINT)
    begun = time.monotonic()
    assert daemon.wait(SOON) in (0, 1, 130)
    assert time.monotonic() - begun < SOON and not re.search("assert", daemon.log(), re.I)
