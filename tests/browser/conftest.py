"""Fixtures of the browser tests: `stack`, as in tests/integration, and `browser`, a headless Chromium, or Firefox where a test asks for it."""

import contextlib
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

from browsers import Chromium, Firefox  # noqa: E402


@pytest.fixture(scope="session")
def browsers():
    """Those that have been asked for, each started once."""
    with contextlib.ExitStack() as ending:

        def get(name):
            if name not in made:
                folder = ending.enter_context(tempfile.TemporaryDirectory(prefix=f"zcast-{name}-", ignore_cleanup_errors=True))
                made[name] = {"chromium": Chromium, "firefox": Firefox}[name](folder)
                ending.callback(made[name].quit)
            return made[name]

        made = {}
        yield get


@pytest.fixture
def browser(browsers, request):
    made = browsers(getattr(request, "param", "chromium"))
    made.fresh()
    yield made
    made.fresh()  # before the stack goes: its pages would report what they lost
