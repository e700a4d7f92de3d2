"""The cases, and the goals each is held to."""
import statistics


class Entry:
    """One row of a case: a system, how it is started and how it is loaded."""

    def __init__(self, label, system, transport, load=(), measure=None, **options):
        self.label, self.system, self.transport = label, system, transport
        self.arguments, self.options = list(load), options
        self.custom = measure

    def measure(self, bench, place, system):
        if self.custom:
            return self.custom(bench, place, system, self)
        return bench.load(place, system, ["--seconds", bench.seconds, *self.arguments])


class Case:
    def __init__(self, title, entries, goals):
        self.title, self.entries, self.goals = title, entries, goals

    def run(self, bench):
        rows = bench.turns(self.entries)
        return {"rows": rows, "goals": [goal for make in self.goals for goal in make(rows)],
                "missing": dict(bench.missing)}


def spread(values):
    return f"{statistics.median(values):.3g} ({min(values):.3g} … {max(values):.3g})"


def goal(text, values, limit, unit="", at_least=False):
    """One line: the median of `values` held against `limit`."""
    if not values:
        return {"text": text, "measured": "not measured", "limit": limit, "pass": False}
    middle = statistics.median(values)
    return {"text": text, "measured": spread(values) + unit, "value": middle, "limit": limit,
            "pass": middle >= limit if at_least else middle <= limit}


def total(run):
    return run["cpu_us"]


def without_broker(run):
    return sum(us for name, us in run["group_us"].items() if name != "broker")


def part(name):
    return lambda run: run["group_us"][name]


def each(rows, label, figure):
    return [figure(run) for run in rows.get(label, []) if run]


def ratios(rows, label, other, figure=total, other_figure=total):
    """Of the same round, where both ran."""
    pairs = zip(rows.get(label, []), rows.get(other, []))
    return [figure(a) / other_figure(b) for a, b in pairs if a and b and other_figure(b) > 0]


def cpu_ratio(label, other, limit, figure=total, other_figure=total, text=None):
    words = text or f"CPU per delivery ≤ {limit} × {other}"
    return lambda rows: [goal(words, ratios(rows, label, other, figure, other_figure), limit, " ×")]


def latency(label, quantile, limit):
    return lambda rows: [goal(f"{quantile} ≤ {limit} ms",
                              each(rows, label, lambda run: run[f"{quantile}_ms"]), limit, " ms")]


def complete(label):
    """Everything on every client, in order, once."""
    def check(rows):
        runs = [run for run in rows.get(label, []) if run]
        bad = sum(run["missing"] + run["wrong"] for run in runs)
        delivered = sum(run["received"] for run in runs)
        return [{"text": "all delivered, in order, once", "limit": 0, "value": bad,
                 "measured": f"{bad} of {delivered} missing or wrong",
                 "pass": bool(runs) and None not in rows[label] and bad == 0}]
    return check


CLIENTS_1000 = ["--clients", 1000, "--rate", 40]
CLIENTS_500 = ["--clients", 500]
FLOOR = Entry("floor", "floor", "ws", CLIENTS_1000)

CASES = {
    1: Case("WebSocket direct, 1,000 clients, 40 msg/s",
            [FLOOR, Entry("zcast", "zcast_ws", "ws", CLIENTS_1000),
             Entry("Nchan", "nchan", "ws", CLIENTS_1000),
             Entry("ws (npm)", "ws_example", "ws", CLIENTS_1000)],
            [cpu_ratio("zcast", "floor", 1.05), complete("zcast")]),
    2: Case("WebSocket direct, 500 clients, 1,000 msg/s",
            [Entry("floor", "floor", "ws", CLIENTS_1000),
             Entry("zcast", "zcast_ws", "ws", CLIENTS_500 + ["--rate", 1000]),
             Entry("Nchan", "nchan", "ws", CLIENTS_500 + ["--rate", 1000]),
             Entry("ws (npm)", "ws_example", "ws", CLIENTS_500 + ["--rate", 1000])],
            [cpu_ratio("zcast", "floor", 0.15,
                       text="CPU per delivery ≤ 0.15 × floor's at case 1"),
             latency("zcast", "p99", 60), complete("zcast")]),
    3: Case("SSE, nginx + FastCGI, 500 clients, 400 msg/s",
            [Entry("zcast", "zcast_fcgi", "sse", CLIENTS_500 + ["--rate", 400]),
             Entry("Nchan", "nchan", "sse", CLIENTS_500 + ["--rate", 400]),
             Entry("thread a client", "threaded", "sse", CLIENTS_500 + ["--rate", 400])],
            [cpu_ratio("zcast", "Nchan", 1.0, without_broker, text="worker + nginx ≤ 1 × Nchan"),
             latency("zcast", "p50", 20), latency("zcast", "p99", 60), complete("zcast")]),
    4: Case("SSE, nginx + FastCGI, 500 clients, 1,000 msg/s",
            [Entry("zcast", "zcast_fcgi", "sse", CLIENTS_500 + ["--rate", 1000]),
             Entry("Nchan", "nchan", "sse", CLIENTS_500 + ["--rate", 1000]),
             Entry("thread a client", "threaded", "sse", CLIENTS_500 + ["--rate", 1000])],
            [cpu_ratio("zcast", "Nchan", 0.4), latency("zcast", "p99", 100), complete("zcast")]),
}
