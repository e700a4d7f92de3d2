"""doc/performance.md and its plots, from doc/performance.json and performance.template.md.

In the template a line `@goals@`, `@machine@`, `@floor@` or `@case N@` stands for what was measured; the
words around them are written by people who looked at the figures.
"""
import os
import re
import statistics

import plot

HERE = os.path.dirname(os.path.abspath(__file__))
DOC = os.path.join(os.path.dirname(os.path.dirname(HERE)), "doc")
TEMPLATE = os.path.join(HERE, "performance.template.md")


def middle(runs, figure):
    return statistics.median([figure(run) for run in runs])


def spread(runs, figure, form="{:.2f}"):
    values = [figure(run) for run in runs]
    return (form.format(statistics.median(values)) + " (" + form.format(min(values)) + " … "
            + form.format(max(values)) + ")")


def good(runs):
    return [run for run in runs if run and not run.get("lost")]


WORDS = {True: "pass", False: "MISS", None: "no ratio", "figure": "figure"}


def verdict(goal):
    """None: it couldn't be compared, since another system fell behind."""
    return {True: "✓", False: "**missed**", None: "not compared", "figure": "(no goal)"}[goal["pass"]]


def goals_table(kept):
    lines = ["| # | goal | measured: median (least … most) | |", "|---|---|---|---|"]
    for number in sorted(kept["cases"], key=int):
        for goal in kept["cases"][number]["goals"]:
            lines.append(f"| {number} | {goal['text']} | {goal['measured']} | {verdict(goal)} |")
    return lines


def machine_lines(kept):
    one = next(iter(kept["cases"].values()))["machine"]
    return [f"Machine: {one['cores']} cores, {one['cpu']}, Linux {one['kernel']}, nginx "
            f"{one['nginx']}, Node.js {one['node']}."]


def floor_lines(kept):
    """The machine's speed at the time of the other measurements."""
    lines = []
    for number in sorted(kept["cases"], key=int):
        runs = good(kept["cases"][number]["rows"].get("floor", []))
        if runs and "cpu_us" in runs[0]:
            cost = spread(runs, lambda run: run["cpu_us"])
            lines.append(f"case {number} {cost} µs, p50 "
                         f"{middle(runs, lambda run: run['p50_ms']):.1f} ms")
    return ["How fast the floor was, a send to a client: " + "; ".join(lines) + "."] if lines else []


def percent(part, whole):
    if part == whole:
        return "all"
    share = 100 * part / max(whole, 1)
    return f"{share:.1f} %" if share < 99.95 else f"all but {whole - part:,}"


def delivery_table(result):
    """The figures that every case shows of every system."""
    lines = ["| system | CPU µs per delivery | of which | p50 ms | p99 ms | delivered |",
             "|---|---|---|---|---|---|"]
    for label, runs in ordered(result):
        runs = good(runs)
        parts = ", ".join(f"{name} {middle(runs, lambda run, n=name: run['group_us'][n]):.2f}"
                          for name in runs[0]["group_us"]) if len(runs[0]["group_us"]) > 1 else ""
        delivered = percent(sum(run["received"] for run in runs),
                            sum(run["wanted"] for run in runs))
        lines.append(f"| {label} | {spread(runs, lambda run: run['cpu_us'])} | {parts} | "
                     f"{spread(runs, lambda run: run['p50_ms'], '{:.1f}')} | "
                     f"{spread(runs, lambda run: run['p99_ms'], '{:.1f}')} | {delivered} |")
    return lines


def idle_table(result):
    lines = ["| system | bytes per client: heap | PSS | kernel, both ends | CPU while idle |",
             "|---|---|---|---|---|"]
    for label, runs in ordered(result):
        runs = good(runs)
        for name in runs[0]["raw"]["groups"]:
            if name == "broker":
                continue

            def per_client(key, group=name):
                return lambda run: ((run["raw"]["groups"][group][f"{key}_ready"]
                                     - run["raw"]["groups"][group][f"{key}_empty"])
                                    / run["raw"]["clients"])

            def kernel(run):
                return (run["raw"]["slab_bytes"] + run["raw"]["socket_bytes"]) / run["raw"]["clients"]

            def idle(run, group=name):
                return run["raw"]["groups"][group]["idle_cpu_ns"] / 1e7 / run["raw"]["idle_s"]

            lines.append(f"| {label}: {name} | {spread(runs, per_client('anon'), '{:,.0f}')} | "
                         f"{middle(runs, per_client('pss')):,.0f} | {middle(runs, kernel):,.0f} | "
                         f"{spread(runs, idle)} % |")
    return lines


def connect_table(result):
    lines = ["| | static file, new connections | streams | relation |", "|---|---|---|---|"]
    for label, runs in ordered(result):
        runs = good(runs)
        lines.append(f"| {label} | {spread(runs, lambda run: run['static_rate'], '{:,.0f}')} /s | "
                     f"{spread(runs, lambda run: run['stream_rate'], '{:,.0f}')} /s | "
                     f"{spread(runs, lambda run: run['relation'])} |")
    return lines


def storm_table(result):
    lines = ["| | first connect | all connected again | all current | of it CPU: worker | nginx | "
             "worker's peak heap |", "|---|---|---|---|---|---|---|"]
    for label, runs in ordered(result):
        runs = good(runs)

        def cpu(name):
            return spread(runs, lambda run: run["raw"]["groups"][name]["storm_cpu_ns"] / 1e9)

        peak = middle(runs, lambda run: run["raw"]["groups"]["worker"]["anon_peak"] / 2**20)
        lines.append(f"| {label} | {spread(runs, lambda run: run['connect_s'])} s | "
                     f"{spread(runs, lambda run: run['storm_connect_s'])} s | "
                     f"{spread(runs, lambda run: run['storm_s'])} s | {cpu('worker')} s | "
                     f"{cpu('nginx')} s | {peak:.1f} MiB |")
    return lines


def memory_table(result):
    lines = ["", "| system | heap: before clients | with clients | most while sending |",
             "|---|---|---|---|"]
    for label, runs in ordered(result):
        runs = good(runs)
        for name in runs[0]["raw"]["groups"]:
            cells = [spread(runs, lambda run, k=key: run["raw"]["groups"][name][k] / 2**20, "{:.1f}")
                     for key in ("anon_empty", "anon_ready", "anon_peak")]
            lines.append(f"| {label}: {name} | " + " | ".join(f"{cell} MiB" for cell in cells)
                         + " |")
    return lines


def broker_table(result):
    lines = ["| | thousand messages/s |", "|---|---|"]
    for label, runs in ordered(result):
        cell = spread(good(runs), lambda run: run["rate"] / 1000, "{:,.0f}")
        lines.append(f"| {label} | {cell} |")
    return lines


def ordered(result):
    """The rows in the order in which they were run."""
    order = result.get("order", list(result["rows"]))
    return [(label, result["rows"][label]) for label in order
            if good(result["rows"].get(label, []))]


def rate_table(result):
    lines = ["| | answers/s |", "|---|---|"]
    for label, runs in ordered(result):
        lines.append(f"| {label} | {spread(good(runs), lambda run: run['rate'], '{:,.0f}')} |")
    return lines


def curve_table(result):
    rows = dict(ordered(result))
    broker = {label: runs for label, runs in rows.items() if "rate" in good(runs)[0]}
    workers = {label: runs for label, runs in rows.items() if label not in broker}
    lines = ["| broker, one publisher, one subscriber | thousand messages/s | CPU µs per message |",
             "|---|---|---|"]
    for label, runs in broker.items():
        rate = spread(good(runs), lambda run: run["rate"] / 1000, "{:,.0f}")
        lines.append(f"| {label} | {rate} | {spread(good(runs), lambda run: run['cpu_us'])} |")
    return [*lines, "", *delivery_table({"rows": workers})]


TABLES = {6: idle_table, 7: connect_table, 9: broker_table, 10: storm_table, 17: curve_table,
          18: rate_table}


def case_lines(kept, number):
    result = kept["cases"].get(str(number))
    if not result:
        return ["Not measured yet."]
    lines = TABLES.get(number, delivery_table)(result)
    if number == 11:
        lines += memory_table(result)
    for label, reason in result["missing"].items():
        lines.append(f"\n{label}: left out, {reason}.")
    busy = [run["foreign"] for runs in result["rows"].values() for run in good(runs)
            if "foreign" in run]
    others = (f" Others on the machine took {statistics.median(busy):.1f} cores meanwhile."
              if busy and statistics.median(busy) > 0.1 else "")
    lines += ["", f"{result['rounds']} rounds of {result['seconds']:g} s, {result['date']}.{others}", ""]
    lines += [f"- {verdict(goal)} {goal['text']}: {goal['measured']}" for goal in result["goals"]]
    return lines


def bar_groups(kept, numbers, stacks, note=lambda runs: ""):
    groups = []
    for number in numbers:
        result = kept["cases"].get(str(number))
        if result:
            rows = [(label, stacks(good(runs)), note(good(runs)))
                    for label, runs in ordered(result)]
            if rows:
                groups.append((f"{number}: {result['title']}", rows))
    return groups


def cpu_stack(runs):
    """Server by server; the ones without parts are one bar."""
    names = list(runs[0]["group_us"])
    return [(name if name in ("worker", "nginx", "broker", "ws") else "server",
             middle(runs, lambda run, n=name: run["group_us"][n])) for name in names]


def lost_note(runs):
    lost = sum(run["missing"] for run in runs)
    return f", {100 * lost / max(1, sum(run['wanted'] for run in runs)):.0f} % lost" if lost else ""


def plots(kept):
    groups = bar_groups(kept, (1, 2, 3, 4, 5, 13, 14, 15), cpu_stack, lost_note)
    for heading, rows in groups:  # Pushpin's bar would hide all others
        rows[:] = [row for row in rows if row[0] != "Pushpin"]
    if groups:
        plot.bars(os.path.join(DOC, "performance-cpu.svg"), "CPU per message delivered", "µs",
                  groups)
    groups = bar_groups(kept, (2, 3, 4, 14, 15),
                        lambda runs: [("p50", middle(runs, lambda run: run["p50_ms"])),
                                      ("p50 to p99", middle(runs, lambda run: run["p99_ms"]
                                                            - run["p50_ms"]))], lost_note)
    groups = [(heading, [row for row in rows if sum(v for _, v in row[1]) < 3000])
              for heading, rows in groups]
    if groups:
        plot.bars(os.path.join(DOC, "performance-latency.svg"),
                  "Latency from the time a message was due (beyond 3 s: left out)", "ms",
                  [group for group in groups if group[1]])
    growth = kept["cases"].get("12")
    if growth:
        series = []
        for name in ("ws", "sse"):
            points = [(count, middle(good(growth["rows"][f"{name}, {count:,}"]),
                                     lambda run: run["cpu_us"]))
                      for count in (100, 1000, 10000)
                      if good(growth["rows"].get(f"{name}, {count:,}", []))]
            if points:
                series.append((name, points))
        if series:
            plot.lines(os.path.join(DOC, "performance-growth.svg"),
                       "CPU per message delivered as the number of clients grows",
                       "clients", "µs per delivery", series)


def write(kept):
    if not kept["cases"] or not os.path.exists(TEMPLATE):
        return
    out = []
    with open(TEMPLATE, encoding="utf-8") as file:
        for line in file.read().splitlines():
            case = re.fullmatch(r"@case (\d+)@", line)
            if line == "@goals@":
                out += goals_table(kept)
            elif line == "@machine@":
                out += machine_lines(kept)
            elif line == "@floor@":
                out += floor_lines(kept)
            elif case:
                out += case_lines(kept, int(case.group(1)))
            else:
                out.append(line)
    with open(os.path.join(DOC, "performance.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
    plots(kept)
