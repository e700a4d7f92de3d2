"""The cases, and the goals each is held to."""
import statistics

from place import Place
from systems import zcast_ws

WARM_UP = 2  # seconds, at the rate that is measured then
BEHIND_MS = 1000


class Entry:
    """One row of a case: a system, how it is started and how it is loaded."""

    def __init__(self, label, system, transport, load=(), measure=None, **options):
        self.label, self.system, self.transport = label, system, transport
        self.arguments, self.options = list(load), options
        self.custom = measure

    def measure(self, bench, place, system):
        if self.custom:
            return self.custom(bench, place, system, self)
        return bench.load(place, system, ["--warmup", WARM_UP, "--seconds", bench.seconds,
                                          *self.arguments])


class Case:
    def __init__(self, title, entries, goals):
        self.title, self.entries, self.goals = title, entries, goals

    def judge(self, rows):
        return [goal for make in self.goals for goal in make(rows)]

    def run(self, bench):
        bench.missing.clear()
        rows = bench.turns(self.entries)
        return {"rows": rows, "order": [entry.label for entry in self.entries],
                "goals": self.judge(rows), "missing": dict(bench.missing)}


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


def part(name):
    return lambda run: run["group_us"][name]


def each(rows, label, figure):
    return [figure(run) for run in rows.get(label, []) if run]


def ratios(rows, label, other, figure=total, other_figure=total):
    """Of the same round, where both ran."""
    pairs = zip(rows.get(label, []), rows.get(other, []))
    return [figure(a) / other_figure(b) for a, b in pairs
            if a and b and not a.get("lost") and not b.get("lost") and other_figure(b) > 0]


def behind(rows, label):
    """Whether a system didn't deliver everything, or failed, or was late by more than a second with half of it: then it is no
    measure for another."""
    runs = rows.get(label, [])
    return not runs or None in runs or any(run["missing"] + run["wrong"] or run["p50_ms"] > BEHIND_MS for run in runs)


def compared(make):
    """A goal beside another system. Where that fell behind, there is none; where zcast did, it is
    missed."""
    def check(rows, label, other, text, values, limit, unit=" ×"):
        if other in rows and behind(rows, other):
            return {"text": text, "measured": f"{other} fell behind", "limit": limit, "pass": None}
        made = make(rows, label, other, text, values, limit, unit)
        if label in rows and behind(rows, label):
            made.update({"pass": False, "measured": "it fell behind"})
        return made
    return check


@compared
def beside(rows, label, other, text, values, limit, unit):
    """Never without what it costs in time: both p50 stand beside it."""
    made = goal(text, values, limit, unit)
    if values:
        p50 = [statistics.median(each(rows, name, lambda run: run["p50_ms"])) for name in (label, other)]
        made["measured"] += f"; p50 {p50[0]:.1f} beside {p50[1]:.1f} ms"
    return made


def cpu_ratio(label, other, limit, figure=total, other_figure=total, text=None):
    words = text or f"CPU per delivery ≤ {limit} × {other}"
    return lambda rows: [beside(rows, label, other, words,
                                ratios(rows, label, other, figure, other_figure), limit)]


def latency_ratio(label, other, quantile, limit):
    def figure(run):
        return run[f"{quantile}_ms"]
    return lambda rows: [beside(rows, label, other, f"{quantile} ≤ {limit} × {other}",
                                ratios(rows, label, other, figure, figure), limit)]


def growth(label, other):
    """No dearer than 15 % more."""
    return cpu_ratio(label, other, 1.15, text=f"CPU per delivery: {label} ≤ 1.15 × {other}")


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


def difference(label, other, figure, limit, text, unit):
    def check(rows):
        pairs = zip(rows.get(label, []), rows.get(other, []))
        return [goal(text, [figure(a) - figure(b) for a, b in pairs if a and b], limit, unit)]
    return check


def at_most(label, figure, limit, text, unit=""):
    return lambda rows: [goal(text, each(rows, label, figure), limit, unit)]


def group(run, name):
    return run["raw"]["groups"][name]


def memory_per_client(name):
    """Anonymous memory of a group of processes, and the part that clients added."""
    def figure(run):
        own = group(run, name)
        return (own["anon_ready"] - own["anon_empty"]) / run["raw"]["clients"]
    return figure


def memory_growth(name):
    """MiB by which a group grew at most while it was sending."""
    def figure(run):
        own = group(run, name)
        return (own["anon_peak"] - own["anon_ready"]) / 2**20
    return figure


def idle_percent(name):
    return lambda run: 100 * group(run, name)["idle_cpu_ns"] / 1e9 / run["raw"]["idle_s"]


# ---- ways of measuring other than: publish for so many seconds ----

def idle(bench, place, system, entry):
    arguments = ["--rate", 0.1, "--seconds", 0.1, "--settle", 2, "--idle", bench.seconds + 2]
    return bench.load(place, system, arguments + entry.arguments)


def connects(bench, place, system, entry):
    """The rate of a static file over new connections, and of new streams, from the same nginx."""
    connect = system.load[system.load.index("--connect") + 1]
    count, window = 5000, ["--window", 256]
    static = system.__class__(system.groups, ["--transport", "http", "--connect", connect,
                                              "--path", "/1k.html", "--clients", count])
    first = bench.load(place, static, window)
    streams = bench.load(place, system, ["--clients", count, "--rate", 0.1, "--seconds", 0.1,
                                         *window, *entry.arguments])
    streams["static_rate"] = count / first["connect_s"]
    streams["stream_rate"] = count / streams["connect_s"]
    streams["relation"] = streams["stream_rate"] / streams["static_rate"]
    return streams


def storm(bench, place, system, entry):
    run = bench.load(place, system, ["--clients", 5000, "--window", 256, "--rate", 20,
                                     "--seconds", 3, "--storm", 20, *entry.arguments])
    raw = run["raw"]
    run["storm_s"], run["storm_connect_s"] = raw["storm_s"], raw["storm_connect_s"]
    run["relation"] = raw["storm_s"] / raw["connect_s"]
    return run


def answers(kind, clients):
    def measure(bench, place, system, entry):
        return bench.publish(place, kind, getattr(system, kind), clients)
    return measure


class CurveCase(Case):
    """The broker alone, and a worker with its clients, both with encryption and without, in turns."""

    def run(self, bench):
        broker = {}
        for _ in range(bench.rounds):
            with Place() as place:
                found = bench.broker(["memory", "memory-curve"], zcast_ws.keys(place))
            for name in ("memory", "memory-curve"):
                broker.setdefault(name, []).append(found.get(name))
        result = super().run(bench)
        result["rows"] = {**broker, **result["rows"]}
        result["order"] = list(result["rows"])
        result["goals"] = self.judge(result["rows"])
        return result


class BrokerCase(Case):
    """broker_bench.c has its own publisher and subscriber, and measures zproxy in the same run."""
    SYSTEMS = ["three-frames", "memory", "lmdb-interval", "memory-acknowledged", "lmdb-interval-acknowledged",
               "lmdb-always-acknowledged"]

    def run(self, bench):
        rows = {}
        for _ in range(bench.rounds):
            for name, run in bench.broker(self.SYSTEMS).items():
                rows.setdefault(name, []).append(run)
        return {"rows": rows, "order": ["zproxy", *self.SYSTEMS], "missing": {},
                "goals": self.judge(rows)}


def rate(run):
    return run["rate"]


def rate_ratio(label, limit, text, base="zproxy"):
    return lambda rows: [goal(text, ratios(rows, label, base, rate, rate), limit, " ×",
                              at_least=True)]


CLIENTS_1000 = ["--clients", 1000, "--rate", 40]
CLIENTS_500 = ["--clients", 500]
LIGHT = ["--clients", 200, "--rate", 20]  # nothing gathers, whoever else uses the machine
CLIENTS_10000 = ["--clients", 10000, "--connect-rate", 2500]
FLOOR = Entry("floor", "floor", "ws", CLIENTS_1000)
LIGHT_SSE = Entry("zcast", "zcast_fcgi", "sse", CLIENTS_1000)
MANY_TOPICS = ["--clients", 5000, "--path", "/events?topic=own/%d&topic=shared",
               "--topic", "own/%d", "--topics", 5000, "--shared", "shared", "--rate", 2000,
               "--shared-rate", 5]
LARGE = ["--clients", 200, "--payload", 65536, "--rate", 50]
HUGE = ["--clients", 50, "--payload", 1048576, "--rate", 2]
QUIET = ["--heartbeat=300s"]
ANYBODY = ["--allow-publish", "--address-rate=0"]


def ws(label, load, **options):
    return Entry(label, "zcast_ws", "ws", load, **options)


def sse(label, load, **options):
    return Entry(label, "zcast_fcgi", "sse", load, **options)


def direct(label, load, **options):
    """Server-Sent Events from zcast-ws itself."""
    return Entry(label, "zcast_ws", "sse", load, **options)


def plainer(make, label, load):
    """zcast as it comes; flushing each message at once; and without io_uring."""
    return [make(label, load), make(f"{label}, max-delay 0", load, options=["--max-delay=0"]),
            make(f"{label}, no io_uring", load, options=["--io-uring=no"])]


def beside_nchan(load, *more):
    """What SSE direct is held to at a rate."""
    return ([*plainer(direct, "zcast", load), Entry("Nchan", "nchan", "sse", load),
             Entry("axum", "axum", "sse", load), Entry("Centrifuge", "centrifuge", "sse", load),
             *more],
            [cpu_ratio("zcast", "Nchan", 1.0), latency_ratio("zcast", "Nchan", "p50", 1.0),
             latency_ratio("zcast", "Nchan", "p99", 1.0), complete("zcast")])


def figure_only(text, values, unit=" ×"):
    """What is to be known, and no goal."""
    made = goal(text, values, None, unit) if not values else {"text": text, "measured": spread(values) + unit}
    return {**made, "limit": None, "pass": "figure" if values else False}


def of_rate(label, base):
    return lambda rows: [figure_only(f"rate of {label} by that of {base}",
                                     ratios(rows, label, base, rate, rate))]


def by_fastcgi(way, case):
    label, base = f"proxy_pass over {way}, {case}", f"fastcgi_pass, {case}"
    return lambda rows: [figure_only(f"CPU of {label}, by that of fastcgi_pass", ratios(rows, label, base))]


CASES = {
    1: Case("WebSocket direct, 1,000 clients, 40 msg/s",
            [FLOOR, *plainer(ws, "zcast", CLIENTS_1000),
             Entry("Nchan", "nchan", "ws", CLIENTS_1000),
             Entry("axum", "axum", "ws", CLIENTS_1000),
             Entry("ws (npm)", "ws_example", "ws", CLIENTS_1000),
             Entry("Pushpin", "pushpin", "ws", CLIENTS_1000)],
            [cpu_ratio("zcast", "floor", 1.05), complete("zcast")]),
    2: Case("WebSocket direct, 500 clients, 1,000 msg/s",
            [Entry("floor", "floor", "ws", CLIENTS_1000),
             *plainer(ws, "zcast", CLIENTS_500 + ["--rate", 1000]),
             Entry("Nchan", "nchan", "ws", CLIENTS_500 + ["--rate", 1000]),
             Entry("axum", "axum", "ws", CLIENTS_500 + ["--rate", 1000]),
             Entry("ws (npm)", "ws_example", "ws", CLIENTS_500 + ["--rate", 1000])],
            [cpu_ratio("zcast", "floor", 0.25,
                       text="CPU per delivery ≤ 0.25 × floor's at case 1"),
             latency("zcast", "p99", 60), complete("zcast")]),
    3: Case("SSE, nginx + FastCGI, 500 clients, 400 msg/s",
            [*plainer(sse, "zcast", CLIENTS_500 + ["--rate", 400]),
             Entry("axum behind nginx", "axum", "sse", CLIENTS_500 + ["--rate", 400], web=True),
             Entry("Nchan", "nchan", "sse", CLIENTS_500 + ["--rate", 400]),
             Entry("thread a client", "threaded", "sse", CLIENTS_500 + ["--rate", 400])],
            [cpu_ratio("zcast", "Nchan", 1.0),
             latency("zcast", "p50", 20), latency("zcast", "p99", 60), complete("zcast")]),
    4: Case("SSE, nginx + FastCGI, 500 clients, 1,000 msg/s",
            [*plainer(sse, "zcast", CLIENTS_500 + ["--rate", 1000]),
             Entry("axum behind nginx", "axum", "sse", CLIENTS_500 + ["--rate", 1000], web=True),
             Entry("Nchan", "nchan", "sse", CLIENTS_500 + ["--rate", 1000]),
             Entry("thread a client", "threaded", "sse", CLIENTS_500 + ["--rate", 1000])],
            [cpu_ratio("zcast", "Nchan", 0.4), latency("zcast", "p99", 100), complete("zcast")]),
    5: Case("SSE, nginx + FastCGI, 1,000 clients, 40 msg/s",
            [FLOOR, *plainer(sse, "zcast", CLIENTS_1000),
             Entry("axum behind nginx", "axum", "sse", CLIENTS_1000, web=True),
             Entry("Nchan", "nchan", "sse", CLIENTS_1000),
             Entry("thread a client", "threaded", "sse", CLIENTS_1000)],
            [cpu_ratio("zcast", "floor", 0.5, part("worker"),
                       text="the worker's own share ≤ 0.5 × floor"),
             difference("zcast", "zcast, max-delay 0", lambda run: run["p50_ms"], 1,
                        "p50 within 1 ms of flushing at once", " ms"), complete("zcast")]),
    6: Case("10,000 idle connections",
            [ws("zcast, WebSocket", CLIENTS_10000, measure=idle, options=QUIET),
             sse("zcast, SSE", CLIENTS_10000, measure=idle, options=QUIET, workers=2),
             direct("zcast, SSE direct", CLIENTS_10000, measure=idle, options=QUIET),
             Entry("Nchan, WebSocket", "nchan", "ws", CLIENTS_10000, measure=idle),
             Entry("Nchan, SSE", "nchan", "sse", CLIENTS_10000, measure=idle)],
            [at_most("zcast, SSE", memory_per_client("worker"), 400,
                     "user memory per SSE client in the worker ≤ 400 bytes", " bytes"),
             at_most("zcast, SSE direct", memory_per_client("ws"), 300,
                     "user memory per SSE client, direct ≤ 300 bytes", " bytes"),
             at_most("zcast, WebSocket", memory_per_client("ws"), 800,
                     "user memory per WebSocket client ≤ 800 bytes", " bytes"),
             at_most("zcast, SSE", idle_percent("worker"), 0.5,
                     "worker's CPU while nothing happens ≤ 0.5 %", " %"),
             at_most("zcast, WebSocket", idle_percent("ws"), 0.5,
                     "WebSocket daemon's CPU while nothing happens ≤ 0.5 %", " %")]),
    7: Case("5,000 clients connect through nginx as fast as they can",
            [sse("zcast", [], measure=connects)],
            [lambda rows: [goal("streams ≥ 0.8 × static files over new connections",
                                each(rows, "zcast", lambda run: run["relation"]), 0.8, " ×",
                                at_least=True)]]),
    8: Case("5,000 topics, 5,000 clients on [own topic, one shared], 2,000 + 5 msg/s",
            [LIGHT_SSE, sse("zcast, 5,000 topics", MANY_TOPICS),
             sse("zcast, one topic, 5,000 clients", ["--clients", 5000, "--rate", 5])],
            [cpu_ratio("zcast, 5,000 topics", "zcast", 1.3, text="CPU per delivery ≤ 1.3 × case 5's"),
             complete("zcast, 5,000 topics")]),
    9: BrokerCase("the broker alone, 200 bytes, 1 → 1", [],
                  [rate_ratio("memory", 0.9, "memory history ≥ 0.9 × zproxy"),
                   rate_ratio("memory", 0.9, "memory history ≥ 0.9 × a bare forwarder of three frames",
                              "three-frames"),
                   rate_ratio("lmdb-interval", 0.5, "LMDB, sync = interval, ≥ 0.5 × zproxy")]),
    10: Case("reconnect storm: 5,000 reset and back with their last id",
             [sse("zcast", [], measure=storm)],
             [at_most("zcast", lambda run: run["relation"], 1.2,
                      "all current ≤ 1.2 × the time of connecting them the first time", " ×"),
              complete("zcast")]),
    11: Case("64 KiB payloads, 200 clients, 50 msg/s; 1 MiB, 50 clients, 2 msg/s",
             [ws("WebSocket, 64 KiB", LARGE), ws("WebSocket, 1 MiB", HUGE),
              sse("SSE, 64 KiB", LARGE), sse("SSE, 1 MiB", HUGE)],
             [at_most("WebSocket, 64 KiB", memory_growth("ws"), 200 / 16 / 2,
                      "memory grows by less than half a copy per client (64 KiB, ws)", " MiB"),
              at_most("SSE, 64 KiB", memory_growth("worker"), 200 / 16 / 2,
                      "memory grows by less than half a copy per client (64 KiB, SSE)", " MiB"),
              at_most("WebSocket, 1 MiB", memory_growth("ws"), 25,
                      "memory grows by less than half a copy per client (1 MiB, ws)", " MiB"),
              at_most("SSE, 1 MiB", memory_growth("worker"), 25,
                      "memory grows by less than half a copy per client (1 MiB, SSE)", " MiB"),
              complete("WebSocket, 1 MiB"), complete("SSE, 1 MiB")]),
    12: Case("growth: 100, 1,000 and 10,000 clients, one and two processes",
             [ws("ws, 100", ["--clients", 100, "--rate", 40]), ws("ws, 1,000", CLIENTS_1000),
              ws("ws, 10,000", CLIENTS_10000 + ["--rate", 4]),
              Entry("floor, 1,000", "floor", "ws", CLIENTS_1000),
              Entry("floor, 10,000", "floor", "ws", CLIENTS_10000 + ["--rate", 4]),
              ws("ws, 1,000, two processes", CLIENTS_1000, processes=2),
              sse("sse, 100", ["--clients", 100, "--rate", 40]), sse("sse, 1,000", CLIENTS_1000),
              sse("sse, 10,000", CLIENTS_10000 + ["--rate", 4], workers=2),
              sse("sse, 1,000, two processes", CLIENTS_1000, processes=2),
              sse("sse, 100, 400 msg/s", ["--clients", 100, "--rate", 400]),
              sse("sse, 1,000, 400 msg/s", ["--clients", 1000, "--rate", 400])],
             [growth("ws, 1,000", "ws, 100"), growth("ws, 10,000", "ws, 1,000"),
              growth("ws, 10,000", "floor, 10,000"),
              growth("sse, 1,000", "sse, 100"), growth("sse, 10,000", "sse, 1,000"),
              growth("sse, 1,000, 400 msg/s", "sse, 100, 400 msg/s"),
              growth("ws, 1,000, two processes", "ws, 1,000"),
              growth("sse, 1,000, two processes", "sse, 1,000")]),
    13: Case("SSE direct, 1,000 clients, 40 msg/s",
             [FLOOR, *plainer(direct, "zcast", CLIENTS_1000),
              Entry("Nchan", "nchan", "sse", CLIENTS_1000), Entry("axum", "axum", "sse", CLIENTS_1000)],
             [cpu_ratio("zcast", "floor", 1.05), complete("zcast")]),
    14: Case("SSE direct, 500 clients, 400 msg/s", *beside_nchan(CLIENTS_500 + ["--rate", 400])),
    15: Case("SSE direct, 500 clients, 1,000 msg/s", *beside_nchan(CLIENTS_500 + ["--rate", 1000])),
    16: Case("nginx in front: fastcgi_pass and proxy_pass",
             [entry for load, rate in ((LIGHT, "200 clients, 20 msg/s"),
                                       (CLIENTS_500 + ["--rate", 400], "500 clients, 400 msg/s"))
              for entry in (sse(f"fastcgi_pass, {rate}", load),
                            direct(f"proxy_pass over TCP, {rate}", load, web="tcp"),
                            direct(f"proxy_pass over a Unix socket, {rate}", load, web="unix"))],
             [by_fastcgi(way, rate)
              for rate in ("200 clients, 20 msg/s", "500 clients, 400 msg/s")
              for way in ("TCP", "a Unix socket")]),
    17: CurveCase("the cost of CURVE",
                  [ws("1 client, 2,000 msg/s", ["--clients", 1, "--rate", 2000]),
                   ws("the same with CURVE", ["--clients", 1, "--rate", 2000], encrypted=True),
                   ws("500 clients, 400 msg/s", CLIENTS_500 + ["--rate", 400]),
                   ws("500 clients with CURVE", CLIENTS_500 + ["--rate", 400], encrypted=True)],
                  [of_rate("memory-curve", "memory"),
                   complete("the same with CURVE"), complete("500 clients with CURVE")]),
    18: Case("publishing with an answer, 64 clients, one request each on its way",
             [Entry("PUBLISH on control", "zcast_ws", "sse", measure=answers("control", 64),
                    options=ANYBODY),
              Entry("POST /publish, direct", "zcast_ws", "sse", measure=answers("http", 64),
                    options=ANYBODY)],
             [rate_ratio("POST /publish, direct", 0.5, "POST /publish ≥ 0.5 × PUBLISH on control",
                         "PUBLISH on control")]),
    19: Case("SSE direct, 200 clients, 20 msg/s",
             [Entry("floor", "floor", "ws", LIGHT), *plainer(direct, "zcast", LIGHT),
              Entry("Nchan", "nchan", "sse", LIGHT), Entry("axum", "axum", "sse", LIGHT)],
             [cpu_ratio("zcast", "floor", 1.05), cpu_ratio("zcast", "Nchan", 1.0), complete("zcast")]),
}
