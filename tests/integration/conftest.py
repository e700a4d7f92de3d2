"""Fixtures of the integration tests: `stack` (see stack.py)."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from stack import Stack  # noqa: E402

# A program that a shell starts in the background ignores SIGINT, one under nohup SIGHUP, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """The file of a secret that tokens are signed with."""
    path = tmp_path_factory.mktemp("keys") / "token.key"
    path.write_text("0123456789abcdef" * 3)
    path.chmod(0o600)
    return path


@pytest.fixture
def stack(request):
    made = Stack()
    yield made
    wrong = made.close()
    failed = getattr(request.node, "report_call", None) is None or request.node.report_call.failed
    if wrong or failed:
        print(made.logs())
    made.remove()
    if wrong:
        pytest.fail("; ".join(wrong), pytrace=False)
