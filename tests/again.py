#!/usr/bin/python3
"""Runs pytest; what failed, if it's little, runs once more with nothing beside it.

On a machine with two cores, six tests at a time, one of two thousand may miss what it waits for. Such a test is not hidden:
its failure stays in the output, and a line "AGAIN" names it at the end. What fails alone, too, fails.

usage: again.py FOLDER ARGUMENT ...   FOLDER keeps the list of what failed; the arguments are pytest's
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

MOST = 3  # more than this many failures are no accident


def main():
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    shutil.rmtree(folder, ignore_errors=True)
    pytest = [sys.executable, "-m", "pytest", "-q", "-o", f"cache_dir={folder.absolute()}"]
    code = subprocess.call([*pytest, *arguments])
    failures = folder / "v/cache/lastfailed"
    if code != 1 or not failures.exists():  # 1: tests have failed, and nothing else went wrong
        return code
    failed = list(json.loads(failures.read_text()))
    if len(failed) > MOST:
        return code
    print(f"\n=== {len(failed)} failed: once more, alone", flush=True)
    code = subprocess.call([*pytest, *arguments, "-n", "0", "--last-failed", "--last-failed-no-failures", "none"])
    if code == 0:
        for name in failed:
            print(f"AGAIN {name}: failed among others, passed alone")
    return code


if __name__ == "__main__":
    sys.exit(main())
