"""A tab whose renderer is stopped (SIGSTOP), frozen or discarded by the browser, or killed: each tab hears every message
once and in order, and the others go on meanwhile, even if it was the one that led."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from test_page import numbers, start, wait_more

# What was heard outlives the page, as in an application that wants to go on where it was discarded.
SUBSCRIBE = """
const [name, transport] = arguments;
window.kept = JSON.parse(localStorage[name] ?? '{"got":[],"gaps":0}');
import('/zcast.js').then(({ subscribe }) => {
  window.sub = subscribe('a', ({ id, data }) => {
    kept.got.push(Number(data));
    localStorage[name] = JSON.stringify({ ...kept, since: id });
  }, { transport, share: true, since: kept.since, backoff: 100, maxBackoff: 500, silence: 3000, patience: 3000,
       onContinuity: ({ status }) => (kept.gaps += status === 'gap') });
});"""


def open_tab(stack, browser, number, transport):
    browser.open(stack.url("/zcast.js"))
    subscribe(browser, number, transport)


def subscribe(browser, number, transport):
    browser.js(SUBSCRIBE, f"tab {number}", transport)
    browser.wait_js("return window.sub?.state === 'open'")


def children_of(pid):
    """All processes below it."""
    below = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            one, rest = entry.read_text().split(" (", 1)
            below.setdefault(int(rest.rsplit(") ", 1)[1].split()[1]), []).append(int(one))
    found = list(below.get(pid, []))
    for one in found:
        found += below.get(one, [])
    return found


def renderer_of(browser):
    """The process of the page: the one that is busy while the page is."""

    def cpu(pid):
        with contextlib.suppress(OSError):
            if b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes():
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
                return int(fields[11]) + int(fields[12])
        return 0

    pids = children_of(browser.driver.service.process.pid)
    before = {pid: cpu(pid) for pid in pids}
    browser.js("for (let i = 0; i < 3e7; i++) window.busy = i;")
    return max(pids, key=lambda pid: cpu(pid) - before[pid])


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def three_tabs(stack, browser, transport):
    start(stack)
    tabs = [browser.handle, browser.window(), browser.window()]
    for number, tab in enumerate(tabs):
        browser.switch(tab)
        open_tab(stack, browser, number, transport)
    return tabs


def role_of(browser, tab):
    browser.switch(tab)
    return browser.js("return sub.status.role")


def check(browser, tabs, last):
    for tab in tabs:
        browser.switch(tab)
        browser.wait_js("return kept.got.at(-1) >= arguments[0]", last)
        got, gaps = browser.js("return [kept.got, kept.gaps]")
        assert (got, gaps) == (list(range(got[0], got[-1] + 1)), 0)


def set_life(browser, state):
    browser.driver.execute_cdp_cmd("Page.setWebLifecycleState", {"state": state})


@pytest.mark.parametrize("transport", ["sse", "ws"])
def test_a_tab_is_stopped_frozen_and_killed(stack, browser, transport):
    tabs = three_tabs(stack, browser, transport)
    with numbers(stack, pause=0.01) as sent:

        def go_on(which):
            wait_more(sent, 20)
            check(browser, which, sent[-1])

        go_on(tabs)
        leader, *others = sorted(tabs, key=lambda tab: role_of(browser, tab) != "leader")
        browser.switch(leader)
        pid = renderer_of(browser)
        with stopped(pid):
            go_on(others)
        go_on(tabs)
        follower = next(tab for tab in tabs if role_of(browser, tab) == "follower")
        with stopped(renderer_of(browser)):
            go_on([tab for tab in tabs if tab != follower])
        go_on(tabs)
        for tab in (leader, others[0]):
            browser.switch(tab)
            set_life(browser, "frozen")
            go_on([other for other in tabs if other != tab])
            browser.switch(tab)
            set_life(browser, "active")
        go_on(tabs)
        # it ends without a word
        os.kill(pid, signal.SIGKILL)
        go_on([tab for tab in tabs if tab != leader])
        tabs[tabs.index(leader)] = browser.window()
        open_tab(stack, browser, tabs.index(browser.handle), transport)
        go_on(tabs)
    check(browser, tabs, sent[-1])


@pytest.mark.parametrize("transport", ["sse", "ws"])
def test_a_tab_is_discarded(stack, browser, transport):
    """Without a word to the page, which is loaded anew when somebody looks at it, and goes on with what it has kept."""
    tabs = three_tabs(stack, browser, transport)
    with numbers(stack, pause=0.01) as sent:
        wait_more(sent, 20)
        check(browser, tabs, sent[-1])
        for role in "leader", "follower":
            tab = next(tab for tab in tabs if role_of(browser, tab) == role)
            number = tabs.index(tab)
            tabs[number] = browser.discard(tab)
            wait_more(sent, 20)
            check(browser, [other for other in tabs if other != tabs[number]], sent[-1])
            browser.switch(tabs[number])
            browser.wait_js("return document.wasDiscarded && document.readyState === 'complete'")
            assert browser.js("return window.sub") is None
            subscribe(browser, number, transport)
            wait_more(sent, 20)
            check(browser, tabs, sent[-1])
    check(browser, tabs, sent[-1])
