"""The console in Chromium: with figures of a whole installation, hostile topics and payloads, by keyboard, on a phone, in the reader's colours."""

import subprocess
import threading

import pytest
from stack import BUILD, wait_for
from test_instructions import Stuck, assert_dropped, ids
from test_page import AXE, emulate

HOSTILE = '<img src=x onerror="window.hacked=1">'


@pytest.fixture
def console(stack, browser, tmp_path):
    key = tmp_path / "key"
    key.write_text("k" * 48)
    key.chmod(0o600)
    stack.broker()
    stack.ws("--console", "--tokens=all", f"--token-keys={key}", "--max-lag=64M").wait_log("broker: connected")
    words = ["token", "make", "--key", key, "--subscribe", "$zcast/console", "--subscribe", "*", "--publish", "*", "--publish", "$zcast/console"]
    stack.token = subprocess.run([BUILD / "tools/zmq", *map(str, words)], capture_output=True, text=True, check=True).stdout.strip()
    wait_for(lambda: stack.stats()["workers"], "a report")
    return stack


def enter(stack, browser, word=None):
    browser.open(f"http://127.0.0.1:{stack.ws_port}/console")
    browser.wait_js("return !!document.querySelector('#token')")
    browser.js("document.querySelector('#token').value = arguments[0]; document.querySelector('#ask').requestSubmit()", word or stack.token)


def wait_open(browser):
    browser.wait_js("return !document.querySelector('#console').hidden && document.querySelectorAll('#programs tbody tr').length > 0 && document.querySelector('.tile') !== null")


def listen(browser, stack, names):
    browser.js("document.querySelector('#names').value = arguments[0]; document.querySelector('#listen').requestSubmit()", names)
    browser.wait_js("return document.querySelector('#listen-state').textContent === 'open'")


def log(browser):
    return browser.js("return [...document.querySelectorAll('#log li')].filter((item) => !item.hidden).map((item) => item.lastElementChild.textContent)")


def test_token_is_asked_for(console, browser):
    enter(console, browser, "bad")
    browser.wait_js("return document.querySelector('#refusal').textContent !== ''")
    assert browser.js("return document.querySelector('#console').hidden")
    assert browser.js("return sessionStorage.length") == 0
    browser.errors()  # the browser logs the 401
    enter(console, browser)
    wait_open(browser)
    browser.js("location.reload()")
    wait_open(browser)
    browser.js("document.querySelector('#forget').click()")
    assert browser.js("return [document.querySelector('#console').hidden, sessionStorage.length, document.querySelector('#tiles').childElementCount]") == [True, 0, 0]


def test_figures(console, browser):
    enter(console, browser)
    wait_open(browser)
    assert browser.js("return document.querySelector('#programs tbody td').textContent").startswith("ws.0")
    listen(browser, console, "a")
    for number in range(20):
        console.publish("a", str(number))
    # a report says so within seconds
    browser.wait_js("return [...document.querySelectorAll('.tile')].some((tile) => tile.textContent.includes('median') && tile.textContent.includes('ms'))")
    # the stream of figures is a client, too
    browser.wait_js("return document.querySelector('.tile .value').textContent === '2'")
    assert browser.errors() == []


def test_hostile_text_stays_text(console, browser):
    console.publish(HOSTILE, HOSTILE)
    enter(console, browser)
    wait_open(browser)
    browser.wait_js("return document.querySelector('#topics td')?.textContent === arguments[0]", HOSTILE)
    browser.js("document.querySelector('#topics button').click()")
    # a topic with spaces is taken whole, from the table
    browser.wait_js("return document.querySelector('#listen-state').textContent === 'open'")
    console.publish(HOSTILE, HOSTILE)
    wait_for(lambda: log(browser) == [HOSTILE], "the message is shown as text")
    assert browser.js("return [window.hacked, document.querySelectorAll('main img').length]") == [None, 0]
    assert browser.errors() == []


def test_by_hand(console, browser):
    """Publish, filter, pause, go on; the lists are bounded."""
    enter(console, browser)
    wait_open(browser)
    listen(browser, console, "a b")
    browser.js("document.querySelector('#where').value = 'a'; document.querySelector('#what').value = 'by hand'; document.querySelector('#publish').requestSubmit()")
    browser.wait_js("return document.querySelector('#published').textContent.startsWith('Published: ')")
    wait_for(lambda: log(browser) == ["by hand"], "it comes back")
    console.publish("b", "other")
    wait_for(lambda: log(browser) == ["other", "by hand"], "the newest comes first")
    browser.js("const filter = document.querySelector('#filter'); filter.value = 'hand'; filter.dispatchEvent(new Event('input'))")
    assert log(browser) == ["by hand"]
    browser.js("const filter = document.querySelector('#filter'); filter.value = ''; filter.dispatchEvent(new Event('input')); document.querySelector('#pause').click()")
    for number in range(250):
        console.publish("a", str(number))
    browser.wait_js("return document.querySelector('#pause').textContent === 'Go on (250)'")
    assert log(browser) == ["other", "by hand"]
    browser.js("document.querySelector('#pause').click()")
    assert log(browser) == [str(number) for number in reversed(range(50, 250))]
    # what is refused is shown in the server's words
    browser.js("document.querySelector('#where').value = '$zcast/x'; document.querySelector('#publish').requestSubmit()")
    browser.wait_js("return document.querySelector('#published').textContent.startsWith('403: ')")


def live(browser):
    browser.wait_js("return document.querySelector('#status').textContent.endsWith('live')")


def test_live(console, browser):
    """Figures come by themselves; where they don't, they are asked for."""
    enter(console, browser)
    wait_open(browser)
    live(browser)
    browser.js("window.asked = 0; const plain = window.fetch; window.fetch = (...args) => { asked += String(args[0]).includes('/console/state'); return plain(...args) }")
    browser.js("window.seen = 0; new MutationObserver(() => seen++).observe(document.querySelector('#tiles'), { childList: true })")
    browser.wait_js("return seen >= 3")
    assert browser.js("return asked") == 0
    assert browser.errors() == []


@pytest.mark.parametrize(("code", "stays"), [("dropped", True), ("token", False)])
def test_its_own_stream_ends(console, browser, code, stays):
    """Who was disconnected by hand may come back as it is; a token that has ended is asked for anew."""
    enter(console, browser, "bad")
    browser.wait_js("return document.querySelector('#refusal').textContent !== ''")
    browser.errors()
    browser.js(
        """window.ended = 0; const plain = window.fetch, text = `event: zcast.end\\ndata: {"code":"${arguments[0]}","message":"it ends"}\\n\\n`;
        window.fetch = async (what, ...rest) => String(what).includes('/console/live') && ended++ === 0 ? new Response(text) : plain(what, ...rest)
        document.querySelector('#token').value = arguments[1]; document.querySelector('#ask').requestSubmit()""",
        code,
        console.token,
    )
    if stays:
        live(browser)
        assert browser.js("return [ended > 1, document.querySelector('#console').hidden, sessionStorage.length]") == [True, False, 1]
    else:
        browser.wait_js("return document.querySelector('#refusal').textContent === 'it ends'")
        assert browser.js("return [document.querySelector('#console').hidden, sessionStorage.length]") == [True, 0]
    assert browser.errors() == []


def test_asks_where_nothing_streams(console, browser):
    enter(console, browser, "bad")
    browser.wait_js("return document.querySelector('#refusal').textContent !== ''")
    browser.errors()
    browser.js("const plain = window.fetch; window.fetch = (what, ...rest) => String(what).includes('/console/live') ? Promise.reject(new TypeError('away')) : plain(what, ...rest)")
    browser.js("document.querySelector('#token').value = arguments[0]; document.querySelector('#ask').requestSubmit()", console.token)
    wait_open(browser)
    browser.js("window.seen = 0; new MutationObserver(() => seen++).observe(document.querySelector('#tiles'), { childList: true })")
    browser.wait_js("return seen >= 2 && document.querySelector('#status').textContent.endsWith('asked every 2 s')")
    assert browser.errors() == []


CELLS = "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"


def test_topics(console, browser):
    """By rate and by clients, over all programs; hostile names stay text, and a button keeps the focus while tables are made anew."""
    enter(console, browser)
    wait_open(browser)
    stop = threading.Event()

    def publish():
        number = 0
        while not stop.wait(0.05):
            number += 1
            console.publish(HOSTILE if number % 3 else "rare", str(number))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        listen(browser, console, "a b")
        wait_for(lambda: [row[0] for row in browser.js(CELLS, "#busy")] == [HOSTILE, "rare"], "topics by rate", 60)
        rates = [float(row[1]) for row in browser.js(CELLS, "#busy")]
        assert rates[0] > rates[1] > 0
        wait_for(lambda: sorted(row[:2] for row in browser.js(CELLS, "#popular")) == [["a", "1"], ["b", "1"]], "topics by clients", 60)
        # the page streams figures as well
        wait_for(lambda: browser.js(CELLS, "#clients")[0][-1] == "2", "clients by transport", 60)
        assert "SSE" in browser.js("return document.querySelector('#clients thead').textContent")
        browser.js("document.querySelector('#busy button').focus(); window.had = document.activeElement")
        browser.wait_js("return had !== document.activeElement && document.activeElement.dataset.key === had.dataset.key")
        assert browser.js("return [window.hacked, document.querySelectorAll('main img').length]") == [None, 0]
    finally:
        stop.set()
        thread.join()
    assert browser.errors() == []


def positions(browser):
    return browser.js("return [...document.querySelectorAll('#messages tbody tr')].map((row) => row.cells[1]?.textContent).filter(Boolean)")


def test_history(console, browser):
    """The newest page, back to the oldest and forth again: each message once, in order; one of them whole; both commands of curl."""
    said = [console.publish("news", f"number {number} <b>", {"event": "report"}) for number in range(173)]
    console.publish("other", b"\xff\x00binary")
    enter(console, browser)
    wait_open(browser)
    browser.wait_js("return [...document.querySelectorAll('#topics tbody tr')].some((row) => row.cells[0].textContent === 'news')")
    browser.js("[...document.querySelectorAll('#topics tbody tr')].find((row) => row.cells[0].textContent === 'news').querySelectorAll('button')[1].click()")
    browser.wait_js("return document.querySelectorAll('#messages tbody tr').length > 10")
    newest = positions(browser)
    found = newest[::-1]
    while found[0] != said[0]:
        had = positions(browser)
        browser.js("document.querySelector('#older').click()")
        wait_for(lambda: positions(browser) != had and positions(browser), "an older page")
        page = positions(browser)
        assert 0 < len(page) <= 50
        found = page[::-1] + found
    assert found == said
    browser.js("document.querySelector('#older').click()")
    browser.wait_js("return document.querySelector('#history-note').textContent === 'There are no older ones'")
    last = positions(browser)[0]
    browser.js("document.querySelector('#newer').click()")
    wait_for(lambda: positions(browser)[-1:] == [said[said.index(last) + 1]], "the page behind")
    # one of them
    browser.js("document.querySelector('#messages button').focus(); document.querySelector('#messages button').click()")
    browser.wait_js("return !document.querySelector('#message').hidden")
    shown = positions(browser)[0]
    assert browser.js("return document.querySelector('#message-text').textContent") == f"number {said.index(shown)} <b>"
    assert "event: report" in browser.js("return document.querySelector('#message-headers').textContent")
    assert browser.js("return document.activeElement.id") == "message-title"
    browser.js("window.copied = []; Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => copied.push(text) } })")
    browser.js("document.querySelector('#curl-again').click(); document.querySelector('#curl-from').click()")
    again, stream = browser.wait_js("return copied.length === 2 && copied")
    assert console.token not in again + stream
    shell = {"PATH": "/usr/bin:/bin", "ZCAST_TOKEN": console.token}
    subprocess.run(["sh", "-c", again.replace("curl ", "curl -sSf ", 1)], env=shell, capture_output=True, check=True)
    streamed = subprocess.run(["sh", "-c", f"{stream.replace('curl ', 'curl -sS ', 1)} | sed '/^data: number/q'"], env=shell, capture_output=True, text=True, timeout=60).stdout
    assert f"data: number {said.index(shown)} <b>" in streamed
    browser.js("document.querySelector('#close-message').click()")
    assert browser.js("return document.activeElement.dataset.key") == f"look {shown}"
    # what isn't text
    browser.js("document.querySelector('#history-topic').value = 'other'; document.querySelector('#browse').requestSubmit()")
    browser.wait_js("return document.querySelector('#messages td.text')?.textContent === 'not text'")
    browser.js("document.querySelector('#messages button').click()")
    browser.wait_js("return document.querySelector('#message-text').textContent === '/wBiaW5hcnk='")
    browser.js("document.querySelector('#curl-again').click()")
    again = browser.wait_js("return copied.length === 3 && copied[2]")
    subprocess.run(["sh", "-c", again.replace("curl ", "curl -sSf ", 1)], env=shell, capture_output=True, check=True)
    browser.js("document.querySelector('#browse').requestSubmit()")
    wait_for(lambda: len(positions(browser)) == 2, "it was published again")
    # a topic that has none
    browser.js("document.querySelector('#history-topic').value = 'nothing'; document.querySelector('#browse').requestSubmit()")
    browser.wait_js("return document.querySelector('#history-note').textContent.includes('no message')")
    assert browser.errors() == []


def test_gap_and_its_reason(console, browser):
    """A client that comes back with an id that history doesn't know is among what was lost, with the reason."""
    enter(console, browser)
    wait_open(browser)
    browser.js("fetch('/events?topic=gone&last-event-id=unheard', { headers: { authorization: 'Bearer ' + sessionStorage.getItem('zcast.console.token') } })")
    browser.wait_js("return [...document.querySelectorAll('#incidents tbody tr')].some((row) => row.textContent.includes('does not know') && row.textContent.includes('gone'))")
    browser.wait_js("return [...document.querySelectorAll('#losses tbody tr')].some((row) => row.textContent.includes('does not know'))")
    assert browser.errors() == []


def test_disconnect(console, browser):
    """A slow client is shown, and disconnected once that was confirmed."""
    client = Stuck(console.ws_port, f"GET /events?topic=t HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {console.token}\r\n\r\n".encode())
    enter(console, browser)
    wait_open(browser)
    ids(console, "ws.0", 1)
    press = "document.querySelector('#slow button')?.click(); return document.querySelector('#drop').open"
    browser.wait_js(press)
    assert browser.js("return document.activeElement.id") == "drop-no"
    browser.js(AXE.read_text())
    violations = browser.js("return (await axe.run(document, { resultTypes: ['violations'] })).violations.map(({ id, nodes }) => [id, nodes.length])")
    assert violations == []
    browser.js("document.querySelector('#drop-no').click()")
    assert not browser.js("return document.querySelector('#drop').open")
    browser.wait_js(press)
    browser.js("document.querySelector('#drop-yes').click()")
    browser.wait_js("return document.querySelector('#slow-note').textContent.startsWith('Told to disconnect')")
    assert_dropped(client.rest())
    browser.wait_js("return document.querySelector('#incidents').textContent.includes('an operator wanted it')")
    browser.wait_js("return document.querySelector('#slow').textContent.includes('No client is behind')")
    assert browser.errors() == []


def test_curl(console, browser):
    """What is copied runs in a shell, and doesn't have the token."""
    enter(console, browser)
    wait_open(browser)
    browser.js(
        """window.copied = []; Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => copied.push(text) } });
        document.querySelector('#where').value = "it's a&b"; document.querySelector('#what').value = "it's `id` $HOME\\n2";
        document.querySelector('#curl-publish').click();
        document.querySelector('#names').value = 'a b'; document.querySelector('#curl-listen').click()"""
    )
    publish, stream = browser.wait_js("return copied.length === 2 && copied")
    assert console.token not in publish + stream and "topic=a&topic=b" in stream
    done = subprocess.run(["sh", "-c", publish.replace("curl ", "curl -sS ", 1)], env={"PATH": "/usr/bin:/bin", "ZCAST_TOKEN": console.token}, capture_output=True, text=True)
    assert done.returncode == 0 and ('"id"' in done.stdout or "-" in done.stdout), (done.stdout, done.stderr)
    browser.wait_js("document.querySelector('#refresh').click(); return [...document.querySelectorAll('#topics td.name')].some((cell) => cell.textContent === \"it's a&b\")")


def test_keyboard(console, browser):
    """Tab reaches all that can be used, in the order of the page, and each shows that it is reached."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    enter(console, browser)
    wait_open(browser)
    usable = browser.js(
        """window.usable = [...document.querySelectorAll('button, input, textarea, [tabindex="0"]')].filter((one) => one.checkVisibility() && !one.disabled && !one.closest('table'));
        document.body.tabIndex = -1; document.body.focus(); return usable.length"""
    )
    reached = []
    while len(reached) < usable:
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        now = browser.js("return [usable.indexOf(document.activeElement), getComputedStyle(document.activeElement).outlineStyle]")
        if now[0] not in [index for index, _ in reached[-1:]]:  # a field for a time has several parts
            reached.append(now)
    assert usable > 15 and reached == [[i, "solid"] for i in range(usable)], reached


@pytest.mark.parametrize("width, media", [(390, {}), (1400, {}), (1400, {"prefers_color_scheme": "dark"}), (700, {"forced_colors": "active"})])
def test_axe_finds_nothing(console, browser, width, media):
    emulate(browser, width, **media)
    console.publish(HOSTILE, HOSTILE)
    for shown in False, True:
        if shown:
            enter(console, browser)
            wait_open(browser)
            browser.wait_js("return document.querySelector('#topics td') !== null")
            listen(browser, console, "a")
            console.publish("a", "here")
            wait_for(lambda: log(browser) == ["here"], "a message is shown")
            browser.js("document.querySelector('#history-topic').value = 'a'; document.querySelector('#browse').requestSubmit()")
            browser.wait_js("return document.querySelector('#messages button') !== null")
            browser.js("document.querySelector('#messages button').click()")
            browser.wait_js("return !document.querySelector('#message').hidden")
        else:
            browser.open(f"http://127.0.0.1:{console.ws_port}/console")
            browser.wait_js("return document.querySelector('#token')")
        browser.js(AXE.read_text())
        violations, passes = browser.js(
            """const { violations, passes } = await axe.run(document, { resultTypes: ['violations'] });
            return [violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])]), passes.length];"""
        )
        assert violations == [] and passes > 10
        assert browser.js("return document.documentElement.scrollWidth <= innerWidth"), "nothing is beside the screen"
