#!/usr/bin/python3
"""Counts the instructions of the hot paths (hot.c) with callgrind, and compares them with
hot.expected.json. Fails where one costs more than it did.

    quick.py              compare
    quick.py --update     what is measured now becomes what is expected; say why in the commit

The program is built here, with fixed flags, so that neither configure nor CFLAGS change a count.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

from place import BUILD, SOURCE

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hot.expected.json")
TOLERANCE = 0.05
FILES = {
    "tests/bench": ["hot"],
    "lib/base": ["base64", "buf", "clock", "daemon", "heap", "histogram", "log", "log_line", "slots", "table", "text", "timeouts", "timestamp"],
    "lib/wire": ["answer", "ask", "chunked", "encoding", "field", "head", "id", "line", "matcher", "message", "query", "selector", "sse", "traceparent",
                 "update"],
    "lib/access": ["grants"],
    "lib/order": ["losses", "order"],
    "lib/engine": ["ages", "channel", "client", "encoder", "feed", "held", "hub", "incidents", "join", "pump", "questions", "ring", "selection",
                   "rounds", "slow", "subscription"],
    "lib/front": ["request", "response"],
    "fcgi": ["framing", "params", "record"],
    "ws": ["deflate", "encoding", "extension", "frame", "receiver", "upgrade"],
}
LIBRARIES = ["libczmq", "libzmq", "libuv", "jansson", "zlib"]
with open(os.path.join(BUILD, "config.h"), encoding="utf-8") as config:
    if "#define HAVE_LIBURING 1" in config.read():
        LIBRARIES.append("liburing")


def output(argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}\n{done.stderr}")
    return done.stdout + done.stderr


def build(folder):
    program = os.path.join(folder, "hot")
    sources = [os.path.join(SOURCE, place, f"{name}.c")
               for place, names in FILES.items() for name in names]
    output(["gcc", "-std=gnu11", "-O2", "-g", f"-I{BUILD}", f"-I{SOURCE}",
            *output(["pkg-config", "--cflags", *LIBRARIES]).split(), *sources, "-o", program,
            *output(["pkg-config", "--libs", *LIBRARIES]).split(), "-lwslay"])
    return program


def instructions(program, name):
    text = output(["valgrind", "--tool=callgrind", "--toggle-collect=hot_measured",
                   "--callgrind-out-file=/dev/null", program, name])
    return int(re.search(r"Collected : (\d+)", text).group(1))


def measure():
    with tempfile.TemporaryDirectory(prefix="zcast-hot-") as folder:
        program = build(folder)
        counts = {}
        for line in output([program]).splitlines():
            name, times = line.split()
            counts[name] = round(instructions(program, name) / int(times), 1)
        return counts


def compare(counts, expected):
    worse = 0
    print(f"{'path':20} {'instructions':>14} {'expected':>12} {'change':>8}")
    for name, count in counts.items():
        before = expected["instructions"].get(name)
        change = count / before - 1 if before else None
        verdict = ("new" if change is None else "WORSE" if change > TOLERANCE
                   else "better" if change < -TOLERANCE else "")
        worse += verdict == "WORSE"
        shown = "" if change is None else f"{100 * change:+.1f} %"
        print(f"{name:20} {count:14.1f} {before or 0:12.1f} {shown:>8} {verdict}")
    print(f"{len(counts) - worse} passed, {worse} failed")
    if worse:
        print("Where the cost is meant: tests/bench/quick.py --update, and commit "
              "hot.expected.json with the reason.")
    return worse


def main():
    compiler = output(["gcc", "-dumpfullversion"]).strip()
    counts = measure()
    if "--update" in sys.argv:
        with open(EXPECTED, "w", encoding="utf-8") as file:
            json.dump({"compiler": compiler, "instructions": counts}, file, indent=1)
            file.write("\n")
        return 0
    with open(EXPECTED, encoding="utf-8") as file:
        expected = json.load(file)
    worse = compare(counts, expected)
    if expected["compiler"] != compiler:
        print(f"gcc {compiler} isn't gcc {expected['compiler']}, for which these figures stand: "
              "nothing fails.")
        return 0
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
