"""A backup of history, by the commands that doc/deployment.md shows."""

import re
import subprocess

from stack import SOURCE, position


def commands(text, stack):
    """The steps of one block, without systemctl: (before the broker stops is nothing) what happens while it is stopped."""
    lines = [line for line in text.splitlines() if "systemctl" not in line]
    assert len(lines) == 1
    return lines[0].replace("sudo ", "").replace("/var/backups/zcast", f"{stack.folder}/backup").replace("/var/lib/zcast", f"{stack.folder}/history")


def test_backup_and_restore(stack):
    section = (SOURCE / "doc/deployment.md").read_text().split("### Backup and restore\n")[1].split("\n#")[0]
    backup, restore = re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)
    assert all(block.splitlines()[0].endswith("stop zcast-broker") and block.splitlines()[-1].endswith("start zcast-broker") for block in (backup, restore))

    def restart(broker, steps):
        broker.stop()
        for _ in range(2):  # it can be run again
            subprocess.run(["bash", "-ec", commands(steps, stack)], check=True)
        return stack.broker(f"--history=lmdb:{stack.folder}/history")

    broker = stack.broker(f"--history=lmdb:{stack.folder}/history")
    stack.ws("--retry=200ms").wait_log("broker: connected")
    stack.web_port = stack.ws_port
    with stack.sse("a", reconnect=True) as client:
        client.wait_open()
        first = stack.publish("a", "kept")
        client.wait(1)
        broker = restart(broker, backup)
        last = stack.publish("a", "lost")
        assert [event.data for event in client.wait(2)] == ["kept", "lost"]
        restart(broker, restore)
        # the broker goes on once it has heard from a worker which positions there were
        client.wait_event(lambda event: event.event == "zcast.continuity" and event.json()["status"] == "gap")
        again = stack.publish("a", "new")
        assert [event.data for event in client.wait(3)] == ["kept", "lost", "new"]
        assert position(again) > position(last) > position(first)
    with stack.sse("a", last_event_id="earliest") as client:
        assert [event.data for event in client.wait(2)] == ["kept", "new"]


def test_a_restore_that_no_worker_lived_through(stack):
    """No worker remembers which positions there were: a client that comes back is told nevertheless."""
    section = (SOURCE / "doc/deployment.md").read_text().split("### Backup and restore\n")[1].split("\n#")[0]
    backup, restore = re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)
    history = f"--history=lmdb:{stack.folder}/history"
    broker = stack.broker(history)
    first = stack.publish("a", "kept")
    broker.stop()
    subprocess.run(["bash", "-ec", commands(backup, stack)], check=True)
    broker = stack.broker(history)
    lost = [stack.publish("a", "lost") for _ in range(3)]
    broker.stop()
    subprocess.run(["bash", "-ec", commands(restore, stack)], check=True)
    stack.broker(history)
    stack.ws("--retry=200ms").wait_log("broker: connected")
    stack.web_port = stack.ws_port
    new = stack.publish("a", "new")
    assert position(new) > position(lost[-1])
    for id in (first, *lost):
        with stack.sse("a", last_event_id=id) as client:
            verdict = client.wait_event(lambda event: event.event == "zcast.continuity")
            assert verdict.json()["status"] == "gap"
            assert client.wait(1)[-1].data == "new"
