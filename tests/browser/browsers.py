"""Chromium by ChromeDriver, and Firefox by WebDriver BiDi (W3C), which it speaks itself: Debian has no geckodriver."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import subprocess
from pathlib import Path

import pytest

from stack import LIMIT, Missing, program, wait_for

BOTH = pytest.mark.parametrize("browser", ["chromium", "firefox"], indirect=True)


class Browser:
    """The functions that tests use, for either browser; each test has a window of its own."""

    def fresh(self):
        """Closes the windows that an earlier test has left open."""
        for handle in self.windows():
            if handle != self.base:
                self.switch(handle)
                self.close()
        self.switch(self.base)
        self.errors()
        return self.window()

    def wait_js(self, script, *arguments, limit=LIMIT):
        """Until the script's value is true; returns it."""
        return wait_for(lambda: self.js(script, *arguments), script, limit)


CHROMIUM = """--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync --disable-default-apps --window-size=1400,1000
--disable-features=DisableLoadExtensionCommandLineSwitch"""

# What may ask Chromium to discard a tab: an extension, whose address is a digest of its folder.
EXTENSION = {"manifest_version": 3, "name": "discards tabs", "version": "1", "permissions": ["tabs"]}
DISCARD = """
const [mark, done] = arguments;
chrome.tabs.query({}).then((all) => chrome.tabs.discard(all.find(({ title }) => title === mark).id)).then(({ discarded }) => done(discarded), String);"""


class Chromium(Browser):
    def __init__(self, folder):
        try:
            from selenium import webdriver
            from selenium.webdriver.chrome.service import Service
        except ImportError:
            raise Missing("python3-selenium is not installed: tools/quickstart check installs it") from None
        options = webdriver.ChromeOptions()
        options.binary_location = program("chromium")
        extension = Path(folder).resolve() / "extension"
        extension.mkdir()
        (extension / "manifest.json").write_text(json.dumps(EXTENSION))
        (extension / "page.html").write_text("<!doctype html>")
        digest = hashlib.sha256(str(extension).encode()).hexdigest()[:32]
        self.extension = f"chrome-extension://{''.join(chr(ord('a') + int(digit, 16)) for digit in digest)}/page.html"
        for word in [*CHROMIUM.split(), f"--user-data-dir={folder}", f"--load-extension={extension}"]:
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(program("chromedriver")), options=options)
        self.driver.set_script_timeout(LIMIT)
        self.driver.set_page_load_timeout(LIMIT)
        self.base = self.handle

    @property
    def handle(self):
        return self.driver.current_window_handle

    def windows(self):
        return self.driver.window_handles

    def window(self):
        self.driver.switch_to.new_window("tab")
        return self.handle

    def switch(self, handle):
        self.driver.switch_to.window(handle)

    def close(self):
        self.driver.close()

    def open(self, url):
        self.driver.get(url)

    def back(self):
        self.driver.back()

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def discard(self, handle):
        """As the browser does where memory is short. Returns the handle of the tab, which is loaded anew once it is switched to."""
        self.switch(handle)
        self.js("document.title = arguments[0]", handle)
        self.window()
        self.open(self.extension)
        before = set(self.windows())
        assert self.driver.execute_async_script(DISCARD, handle) is True
        [made] = wait_for(lambda: set(self.windows()) - before, "the tab's new handle")
        self.close()
        return made

    def errors(self):
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def quit(self):
        self.driver.quit()


# Nothing that asks somebody else.
FIREFOX = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}


class Firefox(Browser):
    def __init__(self, folder):
        try:
            import websockets
        except ImportError:
            raise Missing("python3-websockets is not installed: tools/quickstart check installs it") from None
        profile = Path(folder)
        (profile / "user.js").write_text("".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in FIREFOX.items()))
        argv = [program("firefox-esr"), "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port", "0", "about:blank"]
        with open(profile / "log", "wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "HOME": folder})
        self.loop = asyncio.new_event_loop()
        self.ids = itertools.count(1)
        self.heard = []
        try:
            server = wait_for(lambda: self.read_server(profile), lambda: f"Firefox listens: {(profile / 'log').read_text()}")
            url = f"ws://127.0.0.1:{server['ws_port']}/session"
            self.socket = self.loop.run_until_complete(self.connect(websockets, url))
            self.ask("session.new", capabilities={})
            self.ask("session.subscribe", events=["log.entryAdded"])
            self.handle = self.base = self.windows()[0]
        except BaseException:
            self.process.kill()
            raise

    def read_server(self, profile):
        assert self.process.poll() is None, (profile / "log").read_text()
        try:
            return json.loads((profile / "WebDriverBiDiServer.json").read_text())
        except (FileNotFoundError, ValueError):
            return None

    @staticmethod
    async def connect(websockets, url):
        return await websockets.connect(url, max_size=None, ping_interval=None)

    def ask(self, method, **params):
        return self.loop.run_until_complete(asyncio.wait_for(self.exchange(method, params), LIMIT))

    async def exchange(self, method, params):
        number = next(self.ids)
        await self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(await self.socket.recv())
            if said.get("id") == number:
                assert said["type"] == "success", f"{method}: {said.get('message')}"
                return said["result"]
            self.heard.append(said)

    def windows(self):
        return [context["context"] for context in self.ask("browsingContext.getTree", maxDepth=0)["contexts"]]

    def window(self):
        self.handle = self.ask("browsingContext.create", type="tab")["context"]
        return self.handle

    def switch(self, handle):
        self.handle = handle
        self.ask("browsingContext.activate", context=handle)

    def close(self):
        self.ask("browsingContext.close", context=self.handle)

    def open(self, url):
        self.ask("browsingContext.navigate", context=self.handle, url=url, wait="complete")

    def back(self):
        self.ask("browsingContext.traverseHistory", context=self.handle, delta=-1)

    def js(self, script, *arguments):
        """As JSON there and back, which leaves out what is undefined, as Selenium does."""
        code = f"async (text) => JSON.stringify((await (async function () {{ {script}\n }}).apply(null, JSON.parse(text))) ?? null)"
        words = {"type": "string", "value": json.dumps(arguments)}
        made = self.ask("script.callFunction", functionDeclaration=code, awaitPromise=True, target={"context": self.handle}, arguments=[words])
        assert made["type"] == "success", made["exceptionDetails"]["text"]
        return json.loads(made["result"]["value"])

    def errors(self):
        self.ask("session.status")  # and what was said before it
        heard, self.heard = self.heard, []
        return [said["params"]["text"] for said in heard if said.get("method") == "log.entryAdded" and said["params"]["level"] == "error"]

    def quit(self):
        with contextlib.suppress(Exception):
            self.ask("browser.close")
        with contextlib.suppress(Exception):
            self.loop.run_until_complete(asyncio.wait_for(self.socket.close(), LIMIT))
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.loop.close()
