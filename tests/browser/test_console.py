"""The console in Chromium: with figures of a whole installation, hostile topics and payloads, by keyboard, on a phone, in the reader's colours."""

import subprocess

import pytest
from stack import BUILD, wait_for
from test_page import AXE, emulate

HOSTILE = '<img src=x onerror="window.hacked=1">'


@pytest.fixture
def console(stack, browser, tmp_path):
    key = tmp_path / "key"
    key.write_text("k" * 48)
    key.chmod(0o600)
    stack.broker()
    stack.ws("--console", "--tokens=all", f"--token-keys={key}").wait_log("broker: connected")
    words = ["token", "make", "--key", key, "--subscribe", "$zcast/console", "--subscribe", "*", "--publish", "*"]
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
    browser.wait_js("return document.querySelector('.tile .value').textContent === '1'")
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
    assert done.returncode == 0 and '"id"' in done.stdout or "-" in done.stdout, (done.stdout, done.stderr)
    browser.wait_js("document.querySelector('#refresh').click(); return [...document.querySelectorAll('#topics td.name')].some((cell) => cell.textContent === \"it's a&b\")")


def test_keyboard(console, browser):
    """Tab reaches all that can be used, in the order of the page, and each shows that it is reached."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    enter(console, browser)
    wait_open(browser)
    usable = browser.js(
        """window.usable = [...document.querySelectorAll('button, input, textarea, [tabindex]')].filter((one) => one.checkVisibility() && !one.closest('table'));
        document.body.tabIndex = -1; document.body.focus(); return usable.length"""
    )
    reached = []
    for _ in range(usable):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        reached.append(browser.js("return [usable.indexOf(document.activeElement), getComputedStyle(document.activeElement).outlineStyle]"))
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
