"""Tabs behind a network that cuts, stalls and is narrow, while their leader is closed: each of them hears every message once
and in order, or is told of a gap."""

import pytest

from relay import Link
from stack import free_port, wait_for
from test_page import numbers, start, wait_more

SUBSCRIBE = """
window.got = []; window.both = []; window.gaps = [];
import('/zcast.js').then(({ subscribe }) => {
  const options = { transport: arguments[0], share: arguments[1], backoff: 100, maxBackoff: 500, silence: 3000, patience: 3000,
    onContinuity: ({ status }) => status === 'gap' && gaps.push(status) };
  window.sub = subscribe('a', ({ data }) => got.push(Number(data)), options);
  window.other = subscribe(['a', 'b'], ({ topic, data }) => both.push([topic, Number(data)]), options);
});"""


@pytest.mark.parametrize(
    "browser, transport, share",
    [("chromium", "sse", True), ("chromium", "ws", True), ("chromium", "ws", False), ("firefox", "ws", True)],
    indirect=["browser"],
)
def test_torture(stack, browser, transport, share):
    start(stack)
    link = Link(rate=250_000, delay=0.01)
    near = free_port()
    link.listen(near, ("127.0.0.1", stack.web_port))
    windows = [browser.handle, browser.window(), browser.window()]
    for window in windows:
        browser.switch(window)
        browser.open(f"http://127.0.0.1:{near}/zcast.js")
        browser.js(SUBSCRIBE, transport, share)
        browser.wait_js("return window.other?.state === 'open' && sub.state === 'open'")

    def all_have(number):
        for window in windows:
            browser.switch(window)
            browser.wait_js("return got.at(-1) >= arguments[0] && both.at(-1)?.[1] >= arguments[0]", number)

    with numbers(stack, pause=0.01) as sent:
        wait_more(sent)
        link.reset()
        wait_more(sent)
        all_have(sent[-1])
        link.cut()  # nobody is told: silence shows it
        browser.wait_js("return sub.state !== 'open'")
        link.mend()
        all_have(sent[-1])
        if share:
            browser.switch(next(window for window in windows if (browser.switch(window), browser.js("return sub.status.role"))[1] == "leader"))
            leader = browser.handle
            browser.close()
            windows.remove(leader)
            wait_more(sent)
            all_have(sent[-1])
    last = sent[-1]
    stack.publish("b", last)
    for window in windows:
        browser.switch(window)
        wait_for(lambda: browser.js("return both.at(-1)") == ["b", last], lambda: browser.js("return [both.at(-1), sub.status]"))
        got, both, gaps = browser.js("return [got, both, gaps]")
        assert got == list(range(got[0], last + 1)) and gaps == []
        assert [number for topic, number in both if topic == "a"] == list(range(both[0][1], last + 1))
    link.close()
