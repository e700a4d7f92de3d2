#!/usr/bin/python3
"""CPU profiles of cases 1 and 4 as pictures: doc/profile-case-1.svg and doc/profile-case-4.svg.

Needs a build with frame pointers (ZCAST_BUILD): ./configure CFLAGS='-O2 -g -fno-omit-frame-pointer'
"""
import os
import subprocess
import sys

import cases
import report
from place import Place, System
from run import Bench

HERE = os.path.dirname(os.path.abspath(__file__))


def entry(number):
    return next(one for one in cases.CASES[number].entries if one.label == "zcast")


def descendants(pids):
    found = list(pids)
    for pid in found:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    return found


def profile(number, seconds=8):
    one = entry(number)
    with Place() as place:
        system = place.system(one.system, one.transport, **one.options)
        data = place.path("perf.data")
        pids = ",".join(map(str, descendants(system.groups.values())))
        perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-g",
                                 "-p", pids, "-o", data, "--", "sleep", str(seconds + 2)],
                                stderr=subprocess.DEVNULL)
        Bench(1, seconds, False).load(place, System(system.groups, system.load),
                                      ["--seconds", seconds, *one.arguments])
        perf.wait(60)
        script = subprocess.run(["perf", "script", "-i", data], capture_output=True, check=True)
        picture = subprocess.run([os.path.join(HERE, "flame.py"),
                                  f"Case {number}: {cases.CASES[number].title}"],
                                 input=script.stdout, capture_output=True, check=True)
        path = os.path.join(report.DOC, f"profile-case-{number}.svg")
        with open(path, "wb") as file:
            file.write(picture.stdout)
        print(path)


if __name__ == "__main__":
    for case in [int(word) for word in sys.argv[1:]] or (1, 4):
        profile(case)
