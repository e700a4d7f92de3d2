"""tests/again.py: what failed once runs once more, alone, and is named; what fails twice fails."""

import subprocess
import sys
from pathlib import Path

import pytest

AGAIN = Path(__file__).parents[1] / "again.py"
TESTS = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("n", range(5))
def test_some(n):
    seen = Path(__file__).with_name(f"seen{n}")
    first = not seen.exists()
    seen.touch()
    assert n >= ONCE or not first
    assert n >= ALWAYS
"""


@pytest.mark.parametrize(
    ("once", "always", "code", "runs", "named"),
    [
        (0, 0, 0, 1, []),
        (2, 0, 0, 2, ["test_some[0]", "test_some[1]"]),
        (2, 1, 1, 2, []),
        (5, 0, 1, 1, []),  # too many for an accident
    ],
)
def test_again(tmp_path, once, always, code, runs, named):
    test = tmp_path / "test_it.py"
    test.write_text(TESTS.replace("ONCE", str(once)).replace("ALWAYS", str(always)))
    said = subprocess.run(
        [sys.executable, AGAIN, tmp_path / ".again", "-n", "0", str(test)], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert said.returncode == code, said.stdout
    assert ("once more, alone" in said.stdout) == (runs == 2)
    lines = [line for line in said.stdout.splitlines() if line.startswith("AGAIN ")]
    assert [line.split("::")[1].split(":")[0] for line in lines] == named


def test_another_fault_is_not_tried_again(tmp_path):
    """A file that can't be read is no accident of a busy machine."""
    test = tmp_path / "test_it.py"
    test.write_text("import nothing_of_this_name\n")
    said = subprocess.run(
        [sys.executable, AGAIN, tmp_path / ".again", "-n", "0", str(test)], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert said.returncode == 2, said.stdout
    assert "once more" not in said.stdout
