"""The Python client (clients/python), as its users have it: built into a wheel, and installed from that by pip.

    zcast = wheel.load()"""

import fcntl
import functools
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile

from stack import BUILD, SOURCE, Missing

CLIENT = SOURCE / "clients/python"
PACKAGES = BUILD / "tests/clients"


def pip(*words):
    env = {**os.environ, "PYTHONPATH": str(PACKAGES / "python"), "PYTHONDONTWRITEBYTECODE": "1", "PIP_CONFIG_FILE": os.devnull}
    argv = ["/usr/bin/python3", "-m", "pip", "-q", "--disable-pip-version-check", "--no-input", *map(str, words)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@functools.lru_cache(None)
def build():
    """The folder with the wheel and with `installed/`; made once for each state of the sources, whoever asks first."""
    if not (PACKAGES / "python/flit_core").exists():
        raise Missing("what builds the wheel isn't installed: tools/quickstart check, or make check-clients")
    files = sorted(path for path in CLIENT.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    state = hashlib.sha256(b"".join(str(path.relative_to(CLIENT)).encode() + b"\0" + path.read_bytes() for path in files)).hexdigest()
    place = PACKAGES / "wheel" / state[:16]
    with open(PACKAGES / ".wheel.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            shutil.rmtree(PACKAGES / "wheel", ignore_errors=True)
            (PACKAGES / "wheel").mkdir()
            with tempfile.TemporaryDirectory(dir=PACKAGES) as work:
                source = shutil.copytree(CLIENT, f"{work}/source", ignore=shutil.ignore_patterns("__pycache__"))
                pip("wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", f"{work}/made", source)
                (made,) = os.listdir(f"{work}/made")
                pip("install", "--no-deps", "--no-index", "--root-user-action=ignore", "--target", f"{work}/made/installed", f"{work}/made/{made}")
                os.rename(f"{work}/made", place)
    return place


def load(name="zcast"):
    """A module of the installed package."""
    folder = str(build() / "installed")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    made = importlib.import_module(name)
    assert made.__file__.startswith(folder), made.__file__
    return made
