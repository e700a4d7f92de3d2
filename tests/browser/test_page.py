"""The demo page in Chromium, and zcast.js in Chromium and Firefox, on the whole stack."""

import contextlib
import itertools
import json
import re
import threading
import time

import pytest

from browsers import BOTH
from stack import BUILD, SOURCE, program, wait_for


def start(stack, web="nginx"):
    stack.broker()
    workers = stack.fcgi(processes=2), stack.ws()
    getattr(stack, web)()
    return workers


@contextlib.contextmanager
def numbers(stack, topic="a", pause=0.004):
    """Publishes 0, 1, 2 … with acknowledgement until the block ends, and yields how many there have been."""
    done = threading.Event()
    count = itertools.count()
    sent = []

    def run():
        while not done.wait(pause):
            stack.publish(topic, number := next(count))
            sent.append(number)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield sent
    finally:
        done.set()
        thread.join()


def wait_more(sent, count=50):
    before = len(sent)
    wait_for(lambda: len(sent) >= before + count, f"{count} more messages published")


def listen(browser, stack, topic="a", **options):
    """subscribe() in a window that has nothing else; its events go to `got`."""
    browser.open(stack.url("/zcast.js"))
    browser.js(
        """
        window.got = []; window.verdicts = []; window.states = []; window.windowErrors = [];
        const [topic, options] = arguments;
        import('/zcast.js').then(({ subscribe }) => {
          window.sub = subscribe(topic, (message) => got.push(message.data), {
            backoff: 100, onContinuity: (verdict) => verdicts.push(verdict), onState: (status) => states.push(status), ...options,
          });
        });
        """,
        topic,
        options,
    )
    browser.wait_js("return window.sub?.state === 'open' && (sub.lastId || sub.status.role)")


def check_complete(browser, sent, first=None):
    """The window has every number from its first (or from `first`) to the last, once and in order."""
    last = sent[-1]
    browser.wait_js("return Number(got.at(-1)) >= arguments[0]", last)
    got = [int(data) for data in browser.js("return got")]
    begin = got[0] if first is None else first
    assert got == list(range(begin, last + 1))
    return got


# the page


def rows(browser, pane):
    """The pane's list, oldest first: (topic, text)."""
    return browser.js(
        """return [...document.querySelectorAll('.view')[arguments[0]].querySelectorAll('.log li:not(.note)')]
        .map((row) => [row.querySelector('.topic').textContent, row.querySelector('.data').textContent]).reverse()""",
        pane,
    )


def wait_row(browser, pane, row):
    wait_for(lambda: list(row) in rows(browser, pane), f"{row} in pane {pane}")


DEMO = "?topic=host/metrics&topic=host/access&topic=demo"


def open_page(browser, stack, query=""):
    browser.open(stack.url("/") + query)
    for pane in 0, 1:
        browser.wait_js("return document.querySelectorAll('.card .state')[arguments[0]]?.textContent === 'open'", pane)


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_a_publish_reaches_both_panes(stack, browser, web):
    start(stack, web)
    open_page(browser, stack)
    assert browser.js("return [...document.querySelectorAll('.card h2')].map((title) => title.textContent)") == [
        "Server-Sent Events",
        "WebSocket",
    ]
    stack.zmq("pub", "host/access", '127.0.0.1 - - [24/Nov/2026:01:41:50 +0000] "GET /icon.svg HTTP/1.1" 200 373 "-" "x"')
    for pane in 0, 1:
        wait_for(lambda: any("GET /icon.svg" in text for _, text in rows(browser, pane)), f"the line in pane {pane}")

    field = browser.driver.find_element("id", "topic")
    field.send_keys("demo/Ελλάδα & more")
    field.submit()
    browser.wait_js("return document.querySelector('#chips').textContent.includes('Ελλάδα')")
    for pane in 0, 1:
        browser.wait_js("return document.querySelectorAll('.card .state')[arguments[0]].textContent === 'open'", pane)
    text = "<img src=x onerror='document.title = 1'>\n  & \"so on\" ü€"
    stack.zmq("pub", "demo/Ελλάδα & more", text)
    for pane in 0, 1:
        wait_row(browser, pane, ("demo/Ελλάδα & more", text))
    assert browser.js("return [document.title, document.querySelectorAll('.log img').length]") == ["zcast: this machine, live", 0]
    browser.wait_js("return document.querySelector('#step').textContent.startsWith('In step')")

    here = stack.url("/")
    loaded = browser.js("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded and all(name.startswith((here, here.replace("http", "ws"))) for name in loaded)
    assert browser.errors() == []


def test_metrics_of_this_machine_are_plotted(stack, browser):
    start(stack)
    feed = f"'{SOURCE}/tools/feed-metrics' | '{program('zmq')}' pub {' '.join(stack.endpoints())} --lines host/metrics"
    stack.start("feed", ["bash", "-c", feed], clean=False)
    open_page(browser, stack)
    for pane in 0, 1:
        values = wait_for(
            lambda: [
                text
                for text in browser.js(
                    "return [...document.querySelectorAll('.view')[arguments[0]].querySelectorAll('canvas')].map((c) => c.ariaLabel)", pane
                )
                if text and "–" not in text
            ],
            "figures",
        )
        assert [value.split(",")[0] for value in values] == ["CPU", "Memory used", "Network", "Load"]
        # something is drawn: more than one colour in each canvas
        painted = browser.js(
            """return [...document.querySelectorAll('.view')[arguments[0]].querySelectorAll('canvas')].map((canvas) => {
              const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
              return new Set(new Uint32Array(data.buffer)).size; })""",
            pane,
        )
        assert min(painted) > 4
    assert rows(browser, 0) == [], "metrics are drawn, not listed"


@pytest.mark.parametrize("width, scheme", [(390, "dark"), (390, "light"), (1400, "dark")])
def test_fits_its_window(stack, browser, width, scheme):
    start(stack)
    cdp = browser.driver.execute_cdp_cmd
    cdp("Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 2, "mobile": width < 500})
    cdp("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    open_page(browser, stack, DEMO)
    stack.publish("demo", "x" * 500)
    wait_row(browser, 1, ("demo", "x" * 500))
    assert browser.js("return document.documentElement.scrollWidth") <= width
    page, text = browser.js("const style = getComputedStyle(document.body); return [style.backgroundColor, style.color]")
    lightness = [sum(map(int, color.strip("rgba()").split(",")[:3])) for color in (page, text)]
    assert abs(lightness[0] - lightness[1]) > 450
    assert (lightness[0] < lightness[1]) == (scheme == "dark")


def test_a_pane_that_was_dropped_is_complete_again(stack, browser):
    start(stack)
    open_page(browser, stack, DEMO)
    stack.publish("demo", "before")
    wait_row(browser, 0, ("demo", "before"))
    browser.js("document.querySelector('.card .drop').click()")
    browser.wait_js("return document.querySelector('.card .state').textContent.startsWith('dropped, back in ')")
    stack.publish("demo", "while it was away")
    wait_row(browser, 1, ("demo", "while it was away"))
    browser.wait_js("return document.querySelector('.card .verdict').textContent === 'complete, 1 replayed'")
    assert rows(browser, 0) == rows(browser, 1) == [["demo", "before"], ["demo", "while it was away"]]
    assert browser.js("return document.querySelectorAll('.view .log .history').length") == 1


def test_what_is_not_seen_is_shown(stack, browser):
    """Control characters, and those that turn the direction of what stands beside them, in payloads and in addresses of the access log."""
    start(stack)
    browser.open(stack.url("/?topic=odd&topic=host/access"))
    browser.wait_js("return [...document.querySelectorAll('.card.good')].length === 2")
    stack.publish("odd", "a\x1b[2J\x7f\u009b\u202eb\n\tc")
    stack.publish("host/access", '10.0.0.1 - - [] "GET /%E2%80%AEgpj.exe%00 HTTP/1.1" 200 5 "-" "-"')
    for pane in (0, 1):
        wait_for(lambda: len(rows(browser, pane)) == 2, lambda: rows(browser, pane))
        (_, text), (_, address) = rows(browser, pane)
        assert text == "a\\x1b[2J\\x7f\\x9b\\u202eb\n\tc" and "/\\u202egpj.exe\\x00" in address, (text, address)


def test_a_page_that_is_cut_off_says_so(stack, browser):
    """And comes back at once where it is told to."""
    workers = start(stack)
    open_page(browser, stack, DEMO)
    stack.publish("demo", "before")
    for pane in 0, 1:
        wait_row(browser, pane, ("demo", "before"))
    browser.wait_js("return document.querySelector('#step').textContent.startsWith('In step')")
    for worker in workers:
        worker.kill()
    browser.wait_js("return document.querySelector('#step').textContent.startsWith('Both are cut off')")
    states = "return [...document.querySelectorAll('.card .state')].map((state) => state.textContent)"
    assert all(state.startswith("reconnecting") for state in browser.js(states))
    # where the wait is known, it is counted down
    browser.wait_js("return [...document.querySelectorAll('.card .when')].every((when) => /in \\d s/.test(when.textContent))")
    stack.fcgi(processes=2), stack.ws()
    stack.publish("demo", "meanwhile")
    for pane in 0, 1:
        browser.js("const button = document.querySelectorAll('.card .drop')[arguments[0]]; if (button.textContent === 'Reconnect now') button.click()", pane)
        wait_row(browser, pane, ("demo", "meanwhile"))
    wait_for(lambda: browser.js(states) == ["open", "open"], "both open")
    browser.wait_js("return document.querySelector('#step').textContent.startsWith('In step')")


def test_topics_that_cannot_be(stack, browser):
    """A bad topic is refused at the field, and one in the page's address doesn't keep the page from the others."""
    start(stack)
    open_page(browser, stack, "?topic=%01&topic=demo")
    refusal = "return document.querySelector('#refusal').textContent"
    topics = "return [...document.querySelectorAll('#chips span')].map((chip) => chip.textContent)"
    assert "control characters" in browser.js(refusal)
    assert browser.js(topics) == ["demo"]
    field = browser.driver.find_element("id", "topic")
    for text, why in ("é" * 513, "at most 1024 bytes"), ("  demo ", "there already"), ("", "Which topic"):
        browser.js("arguments[0].value = arguments[1]", field, text)
        field.send_keys("\n")
        assert why in browser.js(refusal)
        assert browser.js("return document.activeElement.id") == "topic"
    assert browser.js(topics) == ["demo"]
    field.send_keys("<b>é/ü</b>\n")
    assert browser.js(refusal) == ""
    assert browser.js(topics)[-1] == "<b>é/ü</b>"


def test_the_keyboard_keeps_its_place(stack, browser):
    start(stack)
    open_page(browser, stack, DEMO)
    browser.js("document.querySelectorAll('#chips button')[1].focus()")
    for after in "demo", "host/metrics":
        browser.driver.switch_to.active_element.send_keys("\n")
        assert browser.js("return document.activeElement.getAttribute('aria-label')") == f"Unsubscribe from {after}"
    browser.driver.switch_to.active_element.send_keys("\n")
    assert browser.js("return document.activeElement.id") == "topic"
    browser.wait_js("return [...document.querySelectorAll('.card .state')].every((state) => state.textContent === 'no topic')")
    browser.driver.switch_to.active_element.send_keys("again\n")
    for pane in 0, 1:
        browser.wait_js("return document.querySelectorAll('.card .state')[arguments[0]].textContent === 'open'", pane)
    stack.publish("again", "here")
    wait_row(browser, 1, ("again", "here"))


def test_a_pane_changes_its_transport(stack, browser):
    start(stack)
    open_page(browser, stack, "?topic=a")
    with numbers(stack) as sent:
        wait_more(sent, 20)
        for title in "WebSocket", "Server-Sent Events":
            browser.js("document.querySelector('.card .switch').click()")
            browser.wait_js("return document.querySelector('.card h2').textContent === arguments[0]", title)
            browser.wait_js("return document.querySelector('.card .state').textContent === 'open'")
            wait_more(sent, 20)
    for pane in 0, 1:
        wait_row(browser, pane, ("a", str(sent[-1])))
        got = [int(text) for _, text in rows(browser, pane)]
        assert got == list(range(got[0], sent[-1] + 1))


def emulate(browser, width, **media):
    cdp = browser.driver.execute_cdp_cmd
    cdp("Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500})
    features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
    cdp("Emulation.setEmulatedMedia", {"features": features})


LINE = '198.51.100.7 - - [24/Nov/2026:01:41:50 +0000] "GET %s HTTP/1.1" 200 373 "-" "x"'
SHOWN = "return [...document.querySelectorAll(arguments[0])].map((one) => one.checkVisibility())"
TALLY = "return [...document.querySelectorAll('.tally dd')].map((one) => [one.textContent, one.classList.contains('bad')])"
FIGURES = {"time": 0, "cpu": 40, "cores": 2, "load": [1, 2, 3], "memory": {"used": 5e8, "total": 1e9}, "network": {"rx": 5e3, "tx": 2e3}}


def publish_figures(stack):
    for age in range(200, 0, -1):
        figures = FIGURES | {"time": int(time.time() * 1000) - age * 1000, "cpu": age % 100, "load": [age % 3, 2, 1]}
        stack.publish("host/metrics", json.dumps(figures))


def test_on_a_phone_one_view_and_a_strip_that_compares(stack, browser):
    start(stack)
    emulate(browser, 390)
    open_page(browser, stack, DEMO)
    stack.publish("demo", "here")
    wait_row(browser, 1, ("demo", "here"))
    places = browser.js("return [...document.querySelectorAll('.card')].map((card) => card.getBoundingClientRect().toJSON())")
    assert places[0]["top"] == places[1]["top"] and places[0]["right"] <= places[1]["left"] and places[1]["right"] <= 390
    assert browser.js(SHOWN, ".card .missed, .card .repeated, .card .latency, .card .state") == [True] * 8
    assert browser.js(SHOWN, ".view") == [True, False] and browser.js(SHOWN, "canvas") == [True] * 4 + [False] * 4
    # by the keyboard, as radio buttons are
    browser.js("document.querySelector('#choose input').focus()")
    browser.driver.switch_to.active_element.send_keys("\ue014")
    assert browser.js(SHOWN, ".view") == [False, True]
    assert browser.js("return document.querySelector('#choose :checked + span').textContent") == "WebSocket"
    emulate(browser, 1400)
    assert browser.js(SHOWN, ".view") == [True, True] and browser.js(SHOWN, "#choose") == [False]


@pytest.mark.parametrize("width", [360, 700, 1400])
def test_what_is_touched_is_large(stack, browser, width):
    start(stack)
    emulate(browser, width)
    open_page(browser, stack, DEMO)
    small = browser.js(
        """return [...document.querySelectorAll('button, input, a, summary, select, textarea, label:has(input)')]
        .filter((one) => one.checkVisibility()).map((one) => [one.outerHTML, one.getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 44 || height < 44).map(([html]) => html)"""
    )
    assert small == []


@pytest.mark.parametrize("width", [360, 1400])
def test_a_row_cuts_nothing_in_the_middle(stack, browser, width):
    """An address of the access log breaks between its parts; the status, the size and who asked are whole, however long it is."""
    start(stack)
    emulate(browser, width)
    open_page(browser, stack, DEMO)
    parts = [f"/part-{number}-of-an-address" for number in range(30)]
    stack.publish("host/access", LINE % "".join(parts))
    browser.wait_js("return document.querySelector('.view .address')")
    cut, lines, texts, clipped = browser.js(
        """const row = document.querySelector('.view .request');
        const parts = [...row.querySelectorAll('.address span')];
        const lines = (node) => { const range = new Range(); range.selectNodeContents(node);
          return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size; };
        const whole = [row.querySelector('.status'), ...row.querySelectorAll('small span')];
        const list = document.querySelector('.view .log').getBoundingClientRect();
        return [parts.length < 30 ? ['few'] : parts.filter((part) => lines(part) > 1).map((part) => part.textContent), whole.map(lines), whole.map((one) => one.textContent),
          whole.filter((one) => one.getBoundingClientRect().right > list.right).length];"""
    )
    assert cut == [] and lines == [1, 1, 1] and texts == ["200", "373 B,", "198.51.100.7"] and clipped == 0
    assert browser.js("return document.querySelector('.view .request').title") == LINE % "".join(parts)


def test_plots_have_a_time_axis(stack, browser):
    start(stack)
    publish_figures(stack)
    open_page(browser, stack)
    for width in 360, 1400:
        emulate(browser, width)
        browser.js(
            """window.texts = [];
            const paint = CanvasRenderingContext2D.prototype.fillText;
            CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
              texts.push([text, x, y, this.canvas.clientWidth, this.canvas.clientHeight]); paint.call(this, text, x, y); };"""
        )
        browser.wait_js("return texts.filter(([text]) => /^\\d\\d:\\d\\d$/.test(text)).length >= 8")
        drawn = browser.js("return texts")
        first = drawn[0][3:]
        times = {text: (x, y) for text, x, y, *size in drawn if re.fullmatch(r"\d\d:\d\d", text) and size == first}
        places = sorted(x for x, _ in times.values())
        assert len(places) >= 2 and all(b - a >= 40 for a, b in itertools.pairwise(places)), times
        assert all(0 < x < first[0] and y == first[1] for x, y in times.values()), "below the figures, and whole"
        minutes = [int(text[:2]) * 60 + int(text[3:]) for text, _ in sorted(times.items(), key=lambda item: item[1])]
        for (a, b), (from_, to) in zip(itertools.pairwise(minutes), itertools.pairwise(places)):
            assert abs((to - from_) / first[0] * 5 - (b - a) % 1440) < 0.1, "a minute is a fifth of the width"


def test_missed_and_repeated_are_told_large(stack, browser):
    """By what each of the two streams brought; a gap that the server tells counts, also where nobody knows how much it was."""
    broker = stack.broker()
    stack.fcgi(), stack.ws(), stack.nginx()
    open_page(browser, stack, DEMO)
    browser.js("document.querySelector('.card .drop').click()")
    for number in range(3):
        stack.publish("demo", number)
    wait_row(browser, 1, ("demo", "2"))
    browser.wait_js("return document.querySelector('#step').textContent === 'Server-Sent Events is 3 messages behind'")
    browser.js("document.querySelector('.card .drop').click()")
    wait_row(browser, 0, ("demo", "2"))
    browser.wait_js("return document.querySelector('#step').textContent.startsWith('In step')")
    assert browser.js(TALLY) == [["0", False]] * 4
    sizes = browser.js("return ['.tally dd', '.count', '.tally dt'].map((one) => parseFloat(getComputedStyle(document.querySelector(one)).fontSize))")
    assert sizes[0] >= 30 > 2 * sizes[1] * 0.9 and sizes[0] >= 2 * sizes[2]
    broker.kill()
    stack.broker()  # whose history in memory is a new one
    stack.publish("demo", "after")
    for pane in 0, 1:
        wait_row(browser, pane, ("demo", "after"))
        browser.wait_js("return document.querySelectorAll('.card .missed')[arguments[0]].textContent === 'some'", pane)
    assert browser.js(TALLY) == [["some", True], ["0", False]] * 2


def test_topics_are_in_the_address(stack, browser):
    start(stack)
    topics = "return [...document.querySelectorAll('#chips span')].map((chip) => chip.textContent)"
    query = "return location.search"
    open_page(browser, stack)
    assert browser.js(topics) == ["host/metrics", "host/access"] and browser.js(query) == ""
    browser.driver.find_element("id", "topic").send_keys("a & b/ü=?#+\n")
    asked = "?topic=host/metrics&topic=host/access&topic=a%20%26%20b/%C3%BC%3D%3F%23%2B"
    assert browser.js(query) == asked
    browser.js("document.querySelector('#chips button').click()")
    assert browser.js(query) == asked.replace("topic=host/metrics&", "")
    browser.back()
    browser.wait_js("return document.querySelectorAll('#chips li').length === 3")
    assert browser.js(query) == asked
    open_page(browser, stack, asked)  # as somebody who was sent it
    assert browser.js(topics) == ["host/metrics", "host/access", "a & b/ü=?#+"]
    stack.publish("a & b/ü=?#+", "here")
    for pane in 0, 1:
        wait_row(browser, pane, ("a & b/ü=?#+", "here"))
    for _ in range(3):
        browser.js("document.querySelector('#chips button').click()")
    assert browser.js(query) == "?topic="
    browser.driver.refresh()
    browser.wait_js("return [...document.querySelectorAll('.card .state')].filter((state) => state.textContent === 'no topic').length === 2")
    assert browser.js(topics) == []


def test_the_page_publishes(stack, browser):
    stack.broker()
    worker = stack.fcgi("--allow-publish")
    worker.wait_log("broker: connected")
    stack.ws(), stack.nginx()
    open_page(browser, stack, DEMO)
    where, what = (browser.driver.find_element("id", name) for name in ("where", "what"))
    answer = "return document.querySelector('#answer').textContent"

    def publish(topic, text):
        for field, words in (where, topic), (what, text):
            browser.js("arguments[0].value = ''", field)
            field.send_keys(words)
        what.send_keys("\n")
        return browser.wait_js("return !/^(|Publishing …)$/.test(document.querySelector('#answer').textContent) && document.querySelector('#answer').textContent")

    text = "it's <b>ü</b> & \"so on\""
    assert re.fullmatch(r"Published: \d+-\d+", publish("demo", text))
    for pane in 0, 1:
        wait_row(browser, pane, ("demo", text))
    assert "isn't subscribed to other" in publish("other", "x")
    assert browser.js("return document.querySelector('#example').textContent") == "other x"
    assert publish(" ", "x") == "Which topic?" and browser.js("return document.activeElement.id") == "where"
    # what the server refuses is shown in its own words
    worker.stop()
    stack.fcgi().wait_log("broker: connected")
    browser.wait_js("return document.querySelector('.card .state').textContent === 'open'")
    said = publish("demo", "y")
    status, refused = browser.js(
        """const response = await fetch('/publish?topic=demo', { method: 'POST', body: 'y', headers: { accept: 'application/json' } });
        return [response.status, await response.json()]"""
    )
    assert said == f"{status} {refused['code']}: {refused['message']}" and status == 403, (said, refused)
    assert browser.js("return document.querySelector('#answer').className") == "answer bad"
    assert [text for _, text in rows(browser, 1)] == [text]


AXE = BUILD / "tests/clients/node_modules/axe-core/axe.min.js"


@pytest.mark.parametrize("width, media", [(390, {}), (1400, {}), (1400, {"prefers_color_scheme": "dark"}), (700, {"forced_colors": "active"})])
def test_axe_finds_nothing(stack, browser, width, media):
    """In use, in each of its states: all rules, with those that are no more than good practice."""
    start(stack)
    emulate(browser, width, **media)
    publish_figures(stack)
    open_page(browser, stack, DEMO)
    stack.publish("host/access", LINE % "/a/address")
    stack.publish("demo", "here")
    for pane in 0, 1:
        wait_row(browser, pane, ("demo", "here"))
    browser.js(
        """document.querySelector('#topics button:not(#chips *)').click(); document.querySelector('#publish button').click();
        document.querySelector('.card .drop').click();"""
    )
    browser.wait_js("return document.querySelector('.card .state').textContent.startsWith('dropped')")
    browser.js(AXE.read_text())
    # what fades is looked at when it has faded
    found = browser.js(
        """for (const one of document.getAnimations()) if (one instanceof CSSTransition) one.finish();
        const { violations, passes } = await axe.run(document, { resultTypes: ['violations'] });
        return [violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])]), passes.length];"""
    )
    assert found[0] == [] and found[1] > 25


def test_forced_colours(stack, browser):
    """What a colour says elsewhere, a frame, a word or a dash says there; nothing that was painted is lost on the reader's ground."""
    start(stack)
    emulate(browser, 1400, forced_colors="active")
    publish_figures(stack)
    open_page(browser, stack, DEMO)
    browser.js(
        """window.dashes = new Set(); const set = CanvasRenderingContext2D.prototype.setLineDash;
        CanvasRenderingContext2D.prototype.setLineDash = function (dash) { dashes.add(dash.join()); set.call(this, dash); };"""
    )
    browser.js("document.querySelector('.card .drop').click()")
    browser.wait_js("return document.querySelector('.card .state').textContent.startsWith('dropped')")
    browser.wait_js("return dashes.size === 3")
    ground = browser.js("const one = document.createElement('i'); one.style.color = 'Canvas'; document.body.append(one); return getComputedStyle(one).color")
    looks = browser.js(
        """return [...document.querySelectorAll('.card .dot')].map((dot) => { const { backgroundColor, borderStyle } = getComputedStyle(dot); return [backgroundColor, borderStyle]; })"""
    )
    assert looks[0] != looks[1] and looks[1][0] != ground
    assert browser.js("return [...document.querySelectorAll('.card')].map((card) => getComputedStyle(card).borderTopStyle)") == ["dashed", "solid"]
    assert browser.js("return getComputedStyle(document.body).backgroundColor") == ground
    # CanvasText is painted
    assert browser.js(
        """const canvas = document.querySelector('canvas'), { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const text = getComputedStyle(document.body).color.match(/\\d+/g).map(Number);
        for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && text.every((value, j) => Math.abs(value - data[i + j]) < 30)) return true;
        return false;"""
    )


def test_reduced_motion(stack, browser):
    start(stack)
    moving = "return document.getAnimations().length"
    for motion in "no-preference", "reduce":
        emulate(browser, 1400, prefers_reduced_motion=motion)
        open_page(browser, stack, DEMO)
        stack.publish("demo", motion)
        wait_row(browser, 1, ("demo", motion))
        browser.js("document.querySelector('.card .drop').click()")  # what is busy pulses elsewhere
        browser.wait_js("return document.querySelector('#step.busy')")
        assert bool(browser.js(moving)) == (motion == "no-preference")
        durations = browser.js("return [...document.querySelectorAll('.card, canvas')].map((one) => getComputedStyle(one).transitionDuration)")
        assert ({"0s"} == set(durations)) == (motion == "reduce")


def test_the_keyboard_reaches_everything(stack, browser):
    """In the order in which it stands there, and it is seen where one is."""
    start(stack)
    emulate(browser, 390)
    open_page(browser, stack, DEMO)
    reached = []
    browser.js("document.body.tabIndex = -1; document.body.focus()")
    for _ in range(30):
        browser.driver.switch_to.active_element.send_keys("\ue004")
        name, outline, top = browser.js(
            """const one = document.activeElement, seen = one.matches('#choose input') ? one.nextElementSibling : one;
            return [one.id || one.className || one.getAttribute('aria-label') || one.name || one.textContent, getComputedStyle(seen).outlineStyle,
              one.getBoundingClientRect().top + scrollY]"""
        )
        if browser.js("return document.activeElement === document.body") or reached and name == reached[0][0]:
            break
        reached.append((name, outline, top))
    names = [name for name, _, _ in reached]
    assert names == [f"Unsubscribe from {topic}" for topic in ("host/metrics", "host/access", "demo")] + [
        "topic", "Subscribe", "where", "what", "Publish", "drop", "switch", "drop", "switch", "shown", "log"], names
    assert all(outline != "none" for _, outline, _ in reached)


# zcast.js


@BOTH
@pytest.mark.parametrize("transport", ["sse", "ws"])
def test_nothing_is_missed_over_a_killed_server(stack, browser, transport):
    workers = dict(zip(("sse", "ws"), start(stack)))
    restart = {"sse": lambda: stack.fcgi(processes=2), "ws": stack.ws}[transport]
    listen(browser, stack, transport=transport)
    with numbers(stack) as sent:
        wait_more(sent)
        for _ in range(3):
            workers[transport].kill()
            wait_more(sent, 20)
            workers[transport] = restart()
            browser.wait_js("return sub.state === 'open'")
            wait_more(sent)
    check_complete(browser, sent, first=0)
    assert browser.js("return verdicts.map((verdict) => verdict.status)") == ["continued"] * 3


@BOTH
def test_drained_clients_come_back(stack, browser):
    """SIGTERM: the daemon says when to come back; then another one is there."""
    _, daemon = start(stack)
    listen(browser, stack, transport="ws")
    with numbers(stack) as sent:
        wait_more(sent)
        assert daemon.stop() == 0
        stack.ws()
        browser.wait_js("return verdicts.length === 1 && sub.state === 'open'")
        wait_more(sent)
    check_complete(browser, sent, first=0)
    assert browser.js("return states.some(({ delay }) => delay !== undefined)")


@BOTH
def test_changing_the_transport_in_the_middle(stack, browser):
    start(stack)
    listen(browser, stack)
    assert browser.js("return sub.transport") == "ws", "the page came by HTTP/1.1"
    with numbers(stack, pause=0.002) as sent:
        for transport in ["sse", "ws"] * 5:
            wait_more(sent, 30)
            browser.js("sub.use(arguments[0])", transport)
            browser.wait_js("return sub.state === 'open' && sub.transport === arguments[0]", transport)
    check_complete(browser, sent, first=0)


@BOTH
def test_auto_takes_the_transport_that_works(stack, browser):
    workers = start(stack)
    workers[1].kill()
    listen(browser, stack)
    assert browser.js("return sub.transport") == "sse"
    with numbers(stack) as sent:
        wait_more(sent)
        stack.ws()
        workers[0].kill()
        browser.wait_js("return sub.transport === 'ws' && sub.state === 'open'")
        wait_more(sent)
    check_complete(browser, sent, first=0)


@BOTH
@pytest.mark.parametrize("transport", ["sse", "ws", "auto"])
def test_a_page_has_one_connection(stack, browser, transport):
    """Twenty subscriptions, by HTTP/1.1, and the page still loads what it wants; an added topic gets its history."""
    start(stack)
    for number in range(3):
        stack.publish("t3", f"before {number}")
    listen(browser, stack, topic="a", transport=transport)
    browser.js(
        """
        window.heard = {}; window.all = []; window.added = [];
        import('/zcast.js').then(({ subscribe }) => {
          for (let i = 0; i < 20; i++)
            all.push(subscribe(`t${i}`, ({ topic, data }) => (heard[topic] ??= []).push(data), { backoff: 100, transport: arguments[0] }));
          sub.add('t3', { since: 'earliest' });
        });""",
        transport,
    )
    browser.wait_js("return all.length === 20 && all.every(({ state }) => state === 'open') && got.length === 3")
    loaded = browser.js("fetch('/plot.js').then((made) => (window.loaded = made.status)); return 1")
    browser.wait_js("return window.loaded === 200", loaded)
    for number in range(20):
        stack.publish(f"t{number}", number)
    browser.wait_js("return Object.keys(heard).length === 20 && got.length === 4")
    assert browser.js("return heard") == {f"t{number}": [str(number)] for number in range(20)}
    assert browser.js("return got") == ["before 0", "before 1", "before 2", "3"]
    names = ["ws.0"] if transport != "sse" else ["fcgi.0", "fcgi.1"]
    clients = lambda stats: sum(stats["workers"].get(name, {}).get("clients", 0) for name in names)  # noqa: E731
    stack.wait_stats(lambda stats: clients(stats) == 1, "one connection")


@BOTH
@pytest.mark.parametrize("transport", ["sse", "ws", "auto"])
def test_refusals_are_heard(stack, browser, transport):
    """A page sees neither the status of an EventSource nor that of an upgrade. What is too much for one connection comes over another one."""
    start(stack)
    listen(browser, stack, topic=[f"t{n}" for n in range(100)], transport=transport)
    browser.js(
        """window.errors = []; window.opened = states.length;
        import('/zcast.js').then(({ subscribe }) => {
          const topics = Array.from({ length: 101 }, (_, n) => `t${n}`);
          window.refused = subscribe(topics, () => {}, { transport: arguments[0], onError: (error) => errors.push(error) });
        });
        sub.add('more');""",
        transport,
    )
    browser.wait_js("return window.refused?.state === 'refused'")
    error = browser.js("return refused.status.error")
    assert error["status"] == 400 and "topics" in error["message"] and error["code"].startswith("topic"), error
    assert error in browser.js("return errors")
    browser.wait_js("return states.length > opened && sub.state === 'open' && sub.topics.length === 101")
    stack.publish("t99", "after")
    browser.wait_js("return got.length")
    stack.publish("more", "and more")
    browser.wait_js("return got.length === 2")
    assert browser.js("return got") == ["after", "and more"]


@pytest.mark.parametrize("transport", ["sse", "ws"])
def test_a_gap_is_told_to_whom_it_concerns(stack, browser, transport):
    """Two subscriptions on one connection come back, and history has let go of messages of one's topic."""
    stack.broker("--topic-messages=8")
    workers = [stack.ws(), stack.fcgi()]
    stack.nginx()
    listen(browser, stack, "quiet", transport=transport)
    browser.js(
        """const [transport] = arguments;
        import('/zcast.js').then(({ subscribe }) => {
          window.told = [];
          const options = { transport, backoff: 100, onContinuity: ({ status, replayed }) => told.push([status, replayed]) };
          window.busy = subscribe('busy', ({ data }) => told.push(data), options);
        });""",
        transport,
    )
    browser.wait_js("return window.busy?.state === 'open'")
    stack.publish("quiet", "q0")
    stack.publish("busy", "b0")
    browser.wait_js("return got.length === 1 && told.length === 1")
    browser.js("sub.pause(); busy.pause()")
    for worker in workers:
        worker.kill()  # they would still have it all
    stack.publish("quiet", "q1")
    for number in range(1, 13):
        stack.publish("busy", f"b{number}")
    workers = [stack.ws(), stack.fcgi()]
    browser.js("sub.resume(); busy.resume()")
    browser.wait_js("return got.at(-1) === 'q1' && told.at(-1) === 'b12' && sub.state === 'open' && busy.state === 'open'")
    assert browser.js("return [got, verdicts.map(({ status }) => status)]") == [["q0", "q1"], ["continued"]]
    assert browser.js("return told") == ["b0", ["gap", 8], *(f"b{number}" for number in range(5, 13))]
    stack.wait_report({"ws": "ws.0", "sse": "fcgi.0"}[transport], lambda report: report["clients"] == 1, "one connection")


@BOTH
def test_a_page_that_is_left_lets_go_and_comes_back(stack, browser):
    """The back/forward cache would keep the leader, its lock and its connection."""
    start(stack)
    windows = [browser.handle, browser.window()]
    for window in windows:
        browser.switch(window)
        listen(browser, stack, transport="ws", share=True)
    browser.switch(windows[0])
    browser.wait_js("return sub.status.role === 'leader'")
    stack.publish("a", "one")
    browser.wait_js("return got.length === 1")
    browser.open(stack.url("/plot.js"))
    browser.switch(windows[1])
    browser.wait_js("return sub.status.role === 'leader' && sub.state === 'open'")
    stack.publish("a", "two")
    browser.wait_js("return got.length === 2")
    browser.switch(windows[0])
    browser.back()
    if browser.js("return typeof sub") == "object":  # it was kept
        browser.wait_js("return sub.state === 'open' && got.length === 2")
        assert browser.js("return [got, sub.status.role]") == [["one", "two"], "follower"]


@BOTH
def test_a_page_publishes(stack, browser):
    stack.broker()
    stack.fcgi("--allow-publish").wait_log("broker: connected")
    stack.nginx()
    listen(browser, stack, transport="sse")
    browser.js(
        """window.published = null;
        import('/zcast.js').then(async ({ publish }) => {
          const made = [];
          for (const words of [['a', 'one', { key: 'k' }], ['a', 'one', { key: 'k' }], ['a', 'two', { key: 'k' }], ['a', new Uint8Array([116, 111]), {}]])
            made.push(await publish(...words).catch(({ status, code, message }) => ({ status, code, message })));
          published = made;
        });"""
    )
    browser.wait_js("return window.published && got.length === 2")
    first, again, other, last = browser.js("return published")
    assert first["id"] == again["id"] < last["id"]
    assert (other["status"], other["code"]) == (409, "conflict") and other["message"]
    assert browser.js("return [got, sub.lastId]") == [["one", "to"], last["id"]]


@pytest.mark.parametrize("web", ["nginx", "lighttpd"])
def test_messages_come_compressed(stack, browser, web):
    """Chromium offers permessage-deflate by itself, and gets the messages as they were published."""
    start(stack, web)
    browser.open(stack.url("/zcast.js"))
    browser.js(
        """
        window.got = [];
        window.socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws?topic=a');
        socket.binaryType = 'arraybuffer';
        socket.onmessage = ({ data }) => got.push(typeof data === 'string' ? data : new Uint8Array(data).join());
        """
    )
    browser.wait_js("return socket.readyState === 1")
    assert browser.js("return socket.extensions").startswith("permessage-deflate; server_no_context_takeover")
    text = '{"state":"running — ✓"},' * 5000
    for payload in (text, "small", b"\xff" + bytes(3000), text * 4):
        stack.publish("a", payload)
    browser.wait_js("return got.length === 4")
    assert browser.js("return got") == [text, "small", "255" + ",0" * 3000, text * 4]


@BOTH
def test_tabs_share_a_connection(stack, browser):
    """Two windows, one connection; when the window that holds it closes, the other goes on where both were."""
    start(stack)
    windows = [browser.handle, browser.window()]

    def each(script):
        made = []
        for window in windows:
            browser.switch(window)
            made.append(browser.js(script))
        return made

    for window in windows:
        browser.switch(window)
        listen(browser, stack, transport="ws", share=True)
    wait_for(lambda: sorted(each("return sub.status.role")) == ["follower", "leader"], "a leader and a follower")
    with numbers(stack) as sent:
        wait_more(sent)
        leader = windows[each("return sub.status.role").index("leader")]
        for window in windows:  # both are current when it closes
            browser.switch(window)
            browser.wait_js("return got.length > 20")
        browser.switch(leader)
        browser.close()
        windows.remove(leader)
        browser.switch(windows[0])
        browser.wait_js("return sub.status.role === 'leader' && sub.state === 'open'")
        wait_more(sent)
        # a newcomer with a past reads it on its own, and then shares
        windows.append(browser.window())
        listen(browser, stack, transport="ws", share=True, since="earliest")
        wait_more(sent)
    for window in windows:
        browser.switch(window)
        check_complete(browser, sent, first=0)
    stack.publish("a", sent[-1] + 1)
    stack.wait_report("ws.0", lambda report: report["clients"] == 1, "one connection for both")


@BOTH
def test_tabs_with_a_past_share_on_a_quiet_topic(stack, browser):
    """Each of the two workers gives positions of its own, as others publish on other topics."""
    stack.broker()
    stack.ws("--processes=2", "--heartbeat=2s")
    stack.nginx()
    first = stack.publish("quiet", "one")
    stack.publish("quiet", "two")
    listen(browser, stack, topic="quiet", transport="ws", share=True)
    with numbers(stack, topic="noise"):
        browser.js(
            """const [since] = arguments;
            import('/zcast.js').then(({ subscribe }) => {
              window.past = Array.from({ length: 6 }, () => []);
              for (const got of past)
                subscribe('quiet', ({ data }) => got.push(data), { backoff: 100, transport: 'ws', share: true, since });
            });""",
            first,
        )
        browser.wait_js("return window.past?.every((got) => got.length)")
        both = lambda stats: sum(stats["workers"][f"ws.{i}"]["clients"] for i in (0, 1))  # noqa: E731
        stack.wait_stats(lambda stats: both(stats) == 1, "one connection for all")
        stack.publish("quiet", "three")
        browser.wait_js("return got.length && past.every((got) => got.length > 1)")
    assert browser.js("return [got, ...past]") == [["three"]] + [["two", "three"]] * 6


def test_a_sandboxed_frame_that_would_share_has_its_own_connection(stack, browser):
    """Without allow-same-origin each request for a lock is refused, and the page's origin is null."""
    stack.broker()
    stack.fcgi()
    stack.ws("--cors-origin=*")
    stack.nginx()
    module = (SOURCE / "www/zcast.js").read_text().replace("export ", "")
    script = """
        let asked = 0;
        const request = navigator.locks.request.bind(navigator.locks);
        navigator.locks.request = (...words) => (++asked > 100 ? new Promise(() => {}) : request(...words));
        const tell = (data) => parent.postMessage({ data, asked }, '*');
        const sub = subscribe('a', ({ data }) => tell(data), { transport: 'ws', ws: ADDRESS, share: true,
          since: 'earliest', onState: ({ state }) => tell(state) });"""
    script = script.replace("ADDRESS", repr(stack.url("/ws").replace("http", "ws")))
    browser.open(stack.url("/zcast.js"))
    browser.js(
        """window.heard = [];
        window.onmessage = ({ data }) => heard.push(data);
        const frame = document.createElement('iframe');
        frame.sandbox = 'allow-scripts';
        frame.srcdoc = arguments[0];
        document.body.append(frame);""",
        f"<script type=module>{module}{script}</script>",
    )
    stack.publish("a", "one")
    browser.wait_js("return heard.some(({ data }) => data === 'one')")
    assert browser.js("return heard.at(-1).asked") == 1


# The browser's own EventSource, without zcast.js


@BOTH
def test_plain_eventsource_over_a_killed_worker(stack, browser):
    """A browser's EventSource over workers that are killed, and while there is none: it comes back by itself, without a hole."""
    worker, _ = start(stack)
    browser.open(stack.url("/zcast.js"))
    browser.js(
        """window.got = []; window.verdicts = []; window.closed = false;
        window.source = new EventSource('/events?topic=a');
        source.onmessage = (event) => got.push(event.data);
        source.addEventListener('zcast.continuity', (event) => verdicts.push(JSON.parse(event.data).status));
        source.onerror = () => { closed ||= source.readyState === EventSource.CLOSED; };"""
    )
    browser.wait_js("return source.readyState === EventSource.OPEN")
    with numbers(stack) as sent:
        wait_more(sent)
        for count in 1, 2, 3:
            worker.kill()
            wait_more(sent, 20)
            worker = stack.fcgi(processes=2)
            browser.wait_js("return verdicts.length === arguments[0]", count)
            wait_more(sent)
    check_complete(browser, sent)
    assert browser.js("return [closed, ...verdicts]") == [False] + ["continued"] * 3
