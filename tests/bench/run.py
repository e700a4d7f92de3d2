#!/usr/bin/python3
"""Measures zcast beside its peers and writes doc/performance.md.

    run.py [--case N]… [--quick] [--rounds N] [--seconds S]     measure, keep, write
    run.py --report                                             write again from what was kept

Systems take turns: A B C, A B C, …; a claim is the median of the ratios within a round. What was
measured is kept in doc/performance.json, so that single cases can be repeated.
"""
import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases  # noqa: E402
import report  # noqa: E402
from place import BUILD, Missing, Place  # noqa: E402

FOREIGN = 0.15  # cores that others may take during a run
KEPT = os.path.join(report.DOC, "performance.json")


class Bench:
    """What a case needs: runs of systems, in turns."""

    def __init__(self, rounds, seconds, quick, patience=1):
        self.rounds, self.seconds, self.quick = rounds, seconds, quick
        self.patience = patience
        self.missing = {}

    def load(self, place, system, arguments):
        argv = [place.built("tests/bench/load"), *system.load, "--limit", "60"]
        for name, pid in system.groups.items():
            argv += ["--group", f"{name}={pid}"]
        done = subprocess.run([str(word) for word in [*argv, *arguments]], capture_output=True,
                              text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, argv))}\n{done.stderr}{place.logs()}")
        return figures(json.loads(done.stdout))

    def broker(self, systems, keys=None):
        """{system: figures} of one round of broker_bench; `keys`: a folder, for systems with CURVE."""
        count = 100000 if self.quick else 400000
        argv = [os.path.join(BUILD, "tests/bench/broker_bench"), "-b",
                os.path.join(BUILD, "broker/zcast-broker"), "-r", "1", "-n", str(count),
                *(["-c", keys] if keys else []), *systems]
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=True)
            try:
                process.wait(300)
            finally:  # what it may have left behind is of its own session
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            out.seek(0)
            text = out.read()
        found = {}
        for line in text.splitlines():
            say(f"  {line}")
            match = re.match(r"(\S+) +(\d+) msg/s .* ([\d.]+) us CPU a message, (\d+) lost", line)
            if match:
                found[match.group(1)] = {"rate": float(match.group(2)),
                                         "cpu_us": float(match.group(3)),
                                         "lost": int(match.group(4))}
        return found

    def publish(self, place, kind, address, clients):
        """Answers a second that so many clients get, each with one request on its way."""
        done = subprocess.run([place.built("tests/bench/publish_bench"), kind, address,
                               str(clients), str(self.seconds)],
                              capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"publish_bench: {done.stderr}{place.logs()}")
        return {**json.loads(done.stdout), "foreign": 0}

    def once(self, entry):
        """A run during which others used the machine is thrown away, a bounded number of times."""
        for left in range(self.patience - 1, -1, -1):
            run = self.attempt(entry)
            if run["foreign"] <= FOREIGN or not left:
                return run
            say(f"    thrown away: others took {run['foreign']:.2f} cores")
            time.sleep(5)
        raise AssertionError("patience is at least 1")

    def attempt(self, entry):
        with Place() as place:
            system = entry.system and place.system(entry.system, entry.transport,
                                                   **entry.options)
            return entry.measure(self, place, system)

    def turns(self, entries):
        """{label: [figures of each round]}; a round that failed is None."""
        rows = {entry.label: [] for entry in entries}
        for number in range(self.rounds):
            for entry in entries:
                if entry.label in self.missing:
                    continue
                try:
                    rows[entry.label].append(self.once(entry))
                    say(f"  {number + 1}/{self.rounds} {entry.label}: "
                        f"{brief(rows[entry.label][-1])}")
                except Missing as reason:
                    self.missing[entry.label] = str(reason)
                    say(f"  {entry.label}: left out: {reason}")
                except (RuntimeError, subprocess.TimeoutExpired, ValueError) as reason:
                    rows[entry.label].append(None)
                    say(f"  {number + 1}/{self.rounds} {entry.label}: FAILED: {reason}")
        return {label: runs for label, runs in rows.items() if any(runs)}


def figures(raw):
    """What is compared, from the line of the load generator."""
    received = max(raw["received"], 1)
    group_us = {name: group["cpu_ns"] / 1000 / received for name, group in raw["groups"].items()}
    seconds = max(raw["seconds"], 0.001)
    return {
        "cpu_us": sum(group_us.values()), "group_us": group_us,
        "p50_ms": raw["latency_us"]["p50"] / 1000, "p99_ms": raw["latency_us"]["p99"] / 1000,
        "max_ms": raw["latency_us"]["max"] / 1000,
        "received": raw["received"], "wanted": raw["wanted"], "missing": raw["missing"],
        "wrong": raw["repeats"] + raw["disorder"], "seconds": raw["seconds"],
        "late_ms": raw["late_max_us"] / 1000, "load": raw["load_cpu_s"] / seconds,
        "connect_s": raw["connect_s"], "foreign": raw["foreign_cores"], "raw": raw,
    }


def brief(run):
    if "rate" in run:
        return f"{run['rate']:.0f} /s, {run.get('refused', 0)} refused"
    parts = " + ".join(f"{name} {us:.2f}" for name, us in run["group_us"].items())
    lost = f", {run['missing']} MISSING" if run["missing"] else ""
    wrong = f", {run['wrong']} WRONG" if run["wrong"] else ""
    return (f"{run['cpu_us']:.2f} µs ({parts}), p50 {run['p50_ms']:.1f} p99 {run['p99_ms']:.1f} ms, "
            f"connect {run['connect_s']:.2f} s, others {run['foreign']:.2f}{lost}{wrong}")


def say(text):
    print(text, flush=True)


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if "model name" in line), "?")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release.split("-")[0],
            "nginx": version(["nginx", "-v"]), "node": version(["node", "--version"])}


def version(argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False,
                              env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
        return (done.stdout + done.stderr).strip().split("/")[-1]
    except OSError:
        return "not installed"


def keep(kept):
    with open(KEPT, "w", encoding="utf-8") as file:
        json.dump(kept, file, sort_keys=True, separators=(",", ":"))
        file.write("\n")


def load_kept():
    try:
        with open(KEPT, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {"cases": {}}


def main():
    parser = argparse.ArgumentParser(description="Measures zcast beside its peers.")
    parser.add_argument("--case", action="append", type=int, help="only this case; repeatable")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 4 seconds")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--patience", type=int, default=3,
                        help="times that a run is tried while others use the machine")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--try", action="store_true", dest="trial", help="keep nothing")
    options = parser.parse_args()
    kept = load_kept()
    started = time.monotonic()
    for number, result in kept["cases"].items():  # held against the rules of today
        result["goals"] = cases.CASES[int(number)].judge(result["rows"])
    bench = Bench(options.rounds or (2 if options.quick else 5),
                  options.seconds or (4 if options.quick else 8), options.quick, options.patience)
    for number in options.case or ([] if options.report else sorted(cases.CASES)):
        case = cases.CASES[number]
        say(f"case {number}: {case.title}")
        result = case.run(bench)
        for goal in result["goals"]:
            say(f"  {report.WORDS[goal['pass']]}  {goal['text']}: {goal['measured']}")
        result.update(rounds=bench.rounds, seconds=bench.seconds, title=case.title,
                      date=time.strftime("%Y-%m-%d"), machine=machine(),
                      load_average=os.getloadavg()[0])
        kept["cases"][str(number)] = result
        if not options.trial:
            keep(kept)
    if not options.trial:
        report.write(kept)
    say(f"{time.monotonic() - started:.0f} s")
    misses = [goal for result in kept["cases"].values() for goal in result["goals"]
              if goal["pass"] is False]
    say(f"{len(misses)} goals missed")


if __name__ == "__main__":
    main()
