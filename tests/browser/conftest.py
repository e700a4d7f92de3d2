"""Fixtures of the browser tests: `stack`, as in tests/integration, and `browser`, a headless Chromium."""

import importlib.util
import sys
import tempfile
from pathlib import Path

import pytest

INTEGRATION = Path(__file__).resolve().parents[1] / "integration"
sys.path.insert(0, str(INTEGRATION))
_spec = importlib.util.spec_from_file_location("integration_conftest", INTEGRATION / "conftest.py")
_integration = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_integration)
stack = _integration.stack
pytest_runtest_makereport = _integration.pytest_runtest_makereport

from stack import LIMIT, Missing, program, wait_for  # noqa: E402

OPTIONS = """--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync --disable-default-apps --window-size=1400,1000"""


class Browser:
    """Chromium; each test has a window of its own."""

    def __init__(self, folder):
        try:
            from selenium import webdriver
            from selenium.webdriver.chrome.service import Service
        except ImportError:
            raise Missing("python3-selenium is not installed: tools/quickstart check installs it") from None
        options = webdriver.ChromeOptions()
        options.binary_location = program("chromium")
        for word in [*OPTIONS.split(), f"--user-data-dir={folder}"]:
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(program("chromedriver")), options=options)
        self.driver.set_script_timeout(LIMIT)
        self.driver.set_page_load_timeout(LIMIT)
        self.base = self.driver.current_window_handle

    def fresh(self):
        """Closes what a test before has left open."""
        for handle in self.driver.window_handles:
            if handle != self.base:
                self.driver.switch_to.window(handle)
                self.driver.close()
        self.driver.switch_to.window(self.base)
        self.driver.get_log("browser")
        return self.window()

    def window(self):
        self.driver.switch_to.new_window("tab")
        return self.driver.current_window_handle

    def open(self, url):
        self.driver.get(url)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait_js(self, script, *arguments, limit=LIMIT):
        """Until the script's value is true; returns it."""
        return wait_for(lambda: self.js(script, *arguments), script, limit)

    def errors(self):
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="session")
def chromium():
    with tempfile.TemporaryDirectory(prefix="zcast-chromium-", ignore_cleanup_errors=True) as folder:
        made = Browser(folder)
        yield made
        made.driver.quit()


@pytest.fixture
def browser(chromium):
    chromium.fresh()
    yield chromium
    chromium.fresh()  # before the stack goes: its pages would report what they lost
