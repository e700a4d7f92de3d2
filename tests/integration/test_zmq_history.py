"""What `zmq` shows and removes of history: topics, history, purge; formats; and NDJSON, out and in."""

import json
import subprocess
import time

import pytest

from stack import LIMIT, position, program, wait_for
from test_zmq import ID, Terminal, live_sub, obeys

EVERYWHERE = pytest.mark.parametrize("history", ["memory", "lmdb"])


def begin(stack, history):
    stack.broker("--history", history if history == "memory" else f"lmdb:{stack.folder}/history", "--dedup-window", "0")


def lines(done):
    return done.stdout.splitlines()


@EVERYWHERE
def test_topics(stack, history):
    begin(stack, history)
    ids = [stack.publish(topic, "x" * size) for topic, size in (("a", 10), ("b/1", 2000), ("a", 10), ("ü", 1))]
    rows = [line.split() for line in lines(stack.zmq("topics"))]
    assert rows[0] == ["MESSAGES", "SIZE", "LAST", "ID", "TIME", "TOPIC"]
    assert [(row[0], row[3], row[-1]) for row in rows[1:]] == [("1", ids[3], "ü"), ("2", ids[2], "a"), ("1", ids[1], "b/1")]
    objects = [json.loads(line) for line in lines(stack.zmq("topics", "--json"))]
    assert [(each["topic"], each["messages"], each["id"]) for each in objects] == [("ü", 1, ids[3]), ("a", 2, ids[2]), ("b/1", 1, ids[1])]
    assert objects[2]["bytes"] >= 2000 > objects[1]["bytes"] >= 20 and objects[0]["time"].endswith("Z")
    assert len(lines(stack.zmq("topics", "b/"))) == 2 and stack.zmq("topics", "c").stdout == ""
    assert [json.loads(line)["topic"] for line in lines(stack.zmq("topics", "--json", "--count", "2"))] == ["ü", "a"]
    stack.zmq("purge", "a", "--yes")
    assert json.loads(lines(stack.zmq("topics", "a", "--json"))[0]) == {**objects[1], "messages": 0, "bytes": 0}


def test_more_topics_than_an_answer_has(stack):
    stack.broker("--max-topics", "20000")
    stack.zmq("pub", "--ndjson", "--quiet", "--fast", input="".join(f'{{"topic":"t/{n}","data":""}}\n' for n in range(12000)))
    wait_for(lambda: stack.stats()["published"] == 12000, "all are published")
    assert {json.loads(line)["topic"] for line in lines(stack.zmq("topics", "--json", "t/"))} == {f"t/{n}" for n in range(12000)}
    assert len(lines(stack.zmq("topics", "t/", "--count", "1500", "--json"))) == 1500
    assert stack.zmq("purge", "--prefix", "t/", "--yes").stdout == "12,000 messages removed\n"
    assert stack.stats()["history"]["messages"] == 0


def test_a_topic_that_is_published_on_while_pages_are_read(stack):
    """The page goes on behind the topic that it ended with, wherever that is now."""
    stack.broker()
    for topic in "abcde":
        stack.publish(topic, "x")
    answer = stack.request("LIST", "2", "")
    assert [line.split()[-1] for line in answer[2].splitlines()] == [b"e", b"d"] and answer[3].endswith(b" d")
    stack.publish("d", "y")
    rest = stack.request("LIST", "9", "", answer[3])
    assert [line.split()[-1] for line in rest[2].splitlines()] == [b"c", b"b", b"a"] and rest[3] == b""
    assert stack.request("LIST", "9", "", "7-0 gone")[2] == b""


@EVERYWHERE
def test_history(stack, history):
    begin(stack, history)
    ids = [stack.publish("news", f"m{n}") for n in range(5)]
    other = stack.publish("other", "o", {"event": "e", "ttl": "60"})
    rows = [line.split("  ") for line in lines(stack.zmq("history", "news"))]
    assert [(row[1], row[2]) for row in rows] == [(id, f"m{n}") for n, id in enumerate(ids)] and rows[0][0].endswith("Z")
    assert lines(stack.zmq("history", "news", "other"))[-1].endswith(f"{other}  other\to")

    def payloads(*words):
        return lines(stack.zmq("history", "news", "--format", "%p\\n", *words))

    assert payloads("--since", ids[1]) == ["m2", "m3", "m4"]
    assert payloads("--since", ids[1], "--until", ids[3]) == ["m2", "m3"]
    assert payloads("--last", "2") == ["m3", "m4"]
    assert payloads("--last", "2", "--until", ids[2]) == ["m1", "m2"]
    assert payloads("--since", "1h") == payloads("--until", "2100-01-01T00:00:00Z") == payloads("--until", "0s") == [f"m{n}" for n in range(5)]
    assert payloads("--until", "1h") == payloads("--since", "2100-01-01T00:00:00Z") == []
    for words, count in (((), 5), (("--since", ids[1]), 3), (("--until", ids[1]), 2), (("--last", "4", "--until", ids[1]), 2), (("--until", "1h"), 0)):
        assert stack.zmq("history", "news", "--count", *words).stdout == f"{count}\n"
    assert stack.zmq("history", "--prefix", "", "--count").stdout == "6\n" and stack.zmq("history", "--prefix", "x", "--count").stdout == "0\n"
    assert stack.zmq("history", "unknown").stdout == ""


def test_history_of_more_than_a_page(stack):
    stack.broker("--topic-messages", "3000")
    stack.zmq("pub", "n", "--lines", "--quiet", input="".join(f"{n}\n" for n in range(5000)))
    assert lines(stack.zmq("history", "n", "--format", "%p\\n")) == [str(n) for n in range(2000, 5000)]
    done = stack.zmq("history", "n", "--since", "1h", "--count")
    assert done.stdout == "3000\n" and "complete after" in done.stderr
    done = stack.zmq("history", "n", "--last", "4000", "--format", "%p\\n")
    assert len(lines(done)) == 3000 and "no more than 3000 of the last 4000" in done.stderr


def test_history_that_goes_while_it_is_read(stack):
    """What is gone between two pages is said, and is no success."""
    stack.broker("--topic-messages", "20000")
    stack.zmq("pub", "n", "--lines", "--quiet", input="".join(f"{n:04}{'x' * 200}\n" for n in range(5000)))
    words = [program("zmq"), "history", *stack.endpoints(), "n", "--format", "%p\\n"]
    reader = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # nobody reads it yet
    wait_for(lambda: stack.stats()["requests"]["FETCH"] >= 1, "the first page")
    stack.zmq("purge", "n", "--yes")
    out, err = reader.communicate(timeout=LIMIT)
    assert reader.returncode == 1 and "some are missing" in err.decode()
    found = out.decode().splitlines()
    assert 0 < len(found) < 5000 and [int(line[:4]) for line in found] == list(range(len(found)))


@EVERYWHERE
def test_purge_is_a_gap_for_who_has_not_had_all(stack, history):
    begin(stack, history)
    ids = [stack.publish("a", f"m{n}") for n in range(3)]
    kept = stack.publish("b", "kept")
    refused = stack.zmq("purge", "a", check=False)
    assert refused.returncode == 1 and "3 messages of 1 topic" in refused.stderr and "--yes" in refused.stderr
    assert stack.zmq("purge", "a", "--yes").stdout == "3 messages removed\n"
    assert stack.zmq("history", "a", "b", "--format", "%i\\n").stdout == f"{kept}\n"
    stack.ws()
    stack.web_port = stack.ws_port
    for since, status in ((ids[0], "gap"), (ids[2], "continued"), (kept, "continued")):
        with stack.sse("a", headers={"Last-Event-ID": since}) as stream:
            verdict = stream.wait_event(lambda event: event.event == "zcast.continuity")
            assert verdict.json()["status"] == status, verdict
    gap = stack.zmq("sub", "a", "--since", ids[0], "--timeout", "0.3", check=False)
    assert gap.stdout == "" and "gap:" in gap.stderr and ids[2] in gap.stderr
    newer = stack.publish("a", "new")
    assert position(newer) > position(ids[2])
    assert lines(stack.zmq("history", "a", "--format", "%i\\n")) == [newer]


def test_a_purge_survives_a_restart(stack):
    broker = stack.broker("--history", f"lmdb:{stack.folder}/history")
    first, last = stack.publish("a", "x"), stack.publish("a", "y")
    stack.zmq("purge", "a", "--yes")
    broker.kill()
    stack.broker("--history", f"lmdb:{stack.folder}/history")
    assert stack.zmq("history", "a", "--count").stdout == "0\n"
    assert stack.request("FETCH", first, "9", "9", "a")[2] == last.encode()


def test_purge_asks_on_a_terminal(stack):
    stack.broker()
    stack.publish("a", "x")
    for answer, left in ((b"n\n", 1), (b"\n", 1), (b"y\n", 0)):
        terminal = Terminal(stack, "purge", "a", typed=True)
        wait_for(lambda: b"[y/N]" in terminal.read(), "the question")
        terminal.write(answer)
        terminal.end()
        assert stack.stats()["history"]["messages"] == left


def test_ndjson_goes_out_and_back_in(stack):
    stack.broker("--dedup-window", "0")
    stack.publish("a", b"\xff\0x", {"ttl": "600", "key": "k", "content-type": "text/x"})
    stack.publish("a", "ä\n\"", {"event": "e", "id": "own", "x": "1"})
    stack.publish("b", "")
    before = stack.zmq("history", "a", "b", "--ndjson").stdout
    stack.zmq("purge", "a", "b", "--yes")
    done = stack.zmq("pub", "--ndjson", input=before)
    assert len([line for line in lines(done) if ID.fullmatch(line)]) == 3
    after = stack.zmq("history", "a", "b", "--ndjson").stdout

    def bare(text):
        made = [json.loads(line) for line in text.splitlines()]
        for each in made:
            del each["id"], each["time"]
        made[2].get("headers", {}).pop("key", None)  # made up, where there was none
        made[2].pop("headers", None)
        return made

    assert bare(after) == bare(before)
    assert json.loads(before.splitlines()[0])["base64"] == "/wB4"


def test_lines_that_are_no_messages(stack):
    stack.broker()
    text = '{"topic":"a","data":"1"}\n\nnonsense\n{"topic":"a","data":"2","event":"zcast.end"}\n{"topic":"a","data":"3"}\n{"data":"4"}'
    done = stack.zmq("pub", "--ndjson", input=text, check=False)
    assert done.returncode == 1 and len(lines(done)) == 2
    assert [line.split(":")[1].split()[:2] for line in done.stderr.splitlines()] == [["line", "3"], ["line", "4"], ["line", "6"]]
    assert len(lines(stack.zmq("pub", "b", "--ndjson", input='{"data":"4"}'))) == 1
    done = stack.zmq("pub", "k", "--lines", "--key-field", "\\t", input="a\t1\nb 2\nc\t3\t4\n", check=False)
    assert "line 2 refused" in done.stderr
    assert lines(stack.zmq("history", "k", "--format", "%k=%p\\n")) == ["a=1", "c=3\t4"]
    # a refusal of the broker's names the line, also behind lines that were none
    stack.publish("k", "9", {"key": "d"})
    done = stack.zmq("pub", "k", "--lines", "--key-field", ":", input="none\ne:1\nd:2\n", check=False)
    assert [line.split()[2:4] for line in done.stderr.splitlines()] == [["line", "1"], ["line", "3"]], done.stderr


@pytest.mark.parametrize("how", [(), ("--fast",)])
def test_repeat_and_rate(stack, how):
    stack.broker()
    stack.zmq("pub", "a", "x", "--repeat", "2500", "--quiet", *how)
    wait_for(lambda: stack.stats()["published"] == 2500, "all have come")
    begun = time.monotonic()
    stack.zmq("pub", "b", "--lines", "--rate", "50", "--quiet", *how, input="1\n2\n3\n4\n5\n6")
    assert time.monotonic() - begun >= 0.1  # five steps of 20 ms
    wait_for(lambda: stack.stats()["published"] == 2506, "all have come")
    assert lines(stack.zmq("history", "b", "--format", "%p\\n")) == list("123456")


def test_format(stack):
    stack.broker()
    sub = live_sub(stack, "a", "--format", "%t %s %p %{ttl}|\\x41\\n")
    stack.publish("a", "hello", {"ttl": "60"})
    assert sub.wait_lines(1) == ["a 5 hello 60|A"]
    sub.end(2)
    stack.publish("a", "\x1b]0;x\x07\u202e")
    terminal = Terminal(stack, "history", "a", "--last", "1", "--format", "%p %T\\n")
    terminal.end()
    assert b"\\x1b" in terminal.read() and not obeys(terminal.read())


@pytest.mark.parametrize(
    "words, say",
    [
        (["history"], "which topic"),
        (["history", ""], "a topic is"),
        (["history", "a", "--since", "1h", "--last", "3"], "not both"),
        (["history", "a", "--until", "last:3"], "a time"),
        (["history", "a", "--until", "own"], "a time"),
        (["history", "a", "--last", "0"], "last"),
        (["history", "a", "--ndjson", "--format", "%p"], "not both"),
        (["sub", "a", "--format", "%z"], "'%z' is none of"),
        (["purge", "--yes"], "which topic"),
        (["purge", "a", "a", "--yes"], "twice"),
        (["revoke"], "one of --subject"),
        (["revoke", "--subject", "a", "--key", "b"], "one of --subject"),
        (["topics", "a", "b"], "unexpected argument"),
        (["topics", "x" * 1025], "at most 1024"),
        (["pub", "a", "x", "--ndjson"], "not both"),
        (["pub", "--ndjson", "--event", "e"], "--ndjson"),
        (["pub", "a", "--key-field", ":"], "--lines"),
        (["pub", "a", "--lines", "--repeat", "2"], "--repeat"),
        (["pub", "a", "x", "--id", "1", "--repeat", "2"], "one message"),
        (["pub", "--ndjson", "--http", "http://127.0.0.1:1"], "--http"),
    ],
)
def test_wrong_use(stack, words, say):
    done = stack.zmq(*words, check=False)
    assert done.returncode == 2 and say in done.stderr, done.stderr
