"""What a site costs: CPU, memory and network as a function of clients, messages, topics and sites.

    cost.py --measure       measures cases on this machine, fits the model's numbers to them, and checks it against cases of other
                            sizes (about ten minutes); writes cost.json
    cost.py --markdown      the tables of doc/scale.md, from cost.json
    cost.py --sites 4 --ws 250000 --messages 1000 --each 1      each site of an installation of your own

The model is arithmetic (`Model`), without I/O. A message is published at one site, appended to the log by that site's broker, read by
all brokers, and sent to the workers that want it; each worker sends it to its clients. CPU time is counted in µs:

    Redis master    append: a batch and each message; reading: a batch and each message, for each broker
    broker          the same for its own appends and its reads; and each message for each worker process
    worker          each message that it takes, and each delivery
    nginx           each delivery

How many messages share a batch depends on how long a batch is under way: `cycle_us`, also fitted. Deliveries that a busy worker gathers
into one send cost less than the model says, so it is an upper bound there."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEPT = HERE / "cost.json"
HEARTBEAT = 15  # seconds; clients that get nothing else get this
FRAME = 66  # bytes of Ethernet, IP and TCP around each send
ACK = 0.5  # of them comes back as a frame of its own
KERNEL = {"ws": 3971, "sse": 6748}  # bytes of the kernel for a client, this machine's end (doc/sizing.md: half of both ends)


# ---------------------------------------------------------------------------------------------------------
# the model


class Case:
    """One site of `sites`. `messages`: a second, at all sites together; `each`: of them, those that one client gets a second;
    `processes`: workers of each kind that has clients; `kept`: messages in history."""

    def __init__(self, sites=1, ws=0, sse=0, messages=0.0, each=0.0, size=200, processes=1, topics=1, kept=0):
        self.sites, self.ws, self.sse, self.messages, self.each = sites, ws, sse, messages, each
        self.size, self.processes, self.topics, self.kept = size, processes, topics, kept

    @property
    def workers(self):
        return self.processes * ((self.ws > 0) + (self.sse > 0))


class Model:
    def __init__(self, numbers):
        self.numbers = numbers

    def _sum(self, what, *amounts):
        """µs: each amount at its price."""
        return sum(price * amount for price, amount in zip(self.numbers[what], amounts))

    def batches(self, rate):
        """A second: messages that come while a batch is under way share the next one."""
        return rate / (1 + rate * self.numbers["cycle_us"] / 1e6)

    def cores(self, case):
        """By process. Redis is at one site only."""
        own = case.messages / case.sites
        reads, appends = self.batches(case.messages), self.batches(own)
        beats = max(case.each, 1 / HEARTBEAT)
        used = {
            "redis": self._sum("redis", 1, case.sites * appends, case.messages, case.sites * reads, case.sites * case.messages),
            "broker": self._sum("broker_read", reads, case.messages) + self._sum("broker_append", 1, appends, own),
        }
        for kind, clients in (("ws", case.ws), ("sse", case.sse)):
            if clients:
                used[kind] = self._sum(kind, case.processes * reads, case.processes * case.messages, clients * beats)
        if case.sse:
            used["nginx"] = self._sum("nginx", reads, case.sse * beats)
        return {name: us / 1e6 for name, us in used.items()}

    def memory(self, case):
        """Bytes by process; what the kernel holds for clients; Redis at one site only."""
        numbers = self.numbers
        used = {
            "redis": numbers["redis_base"] + case.kept * (case.size + numbers["redis_message"]),
            "broker": numbers["broker_base"] + case.kept * (case.size + numbers["broker_message"]) + case.topics * numbers["broker_topic"],
            "kernel": case.ws * KERNEL["ws"] + case.sse * KERNEL["sse"],
        }
        for kind, clients in (("ws", case.ws), ("sse", case.sse)):
            if clients:
                used[kind] = case.processes * (numbers[f"{kind}_base"] + case.topics * numbers["worker_topic"]) + clients * numbers[f"{kind}_client"]
        if case.sse:
            used["nginx"] = numbers["nginx_base"] + case.sse * numbers["nginx_client"]
        return used

    def network(self, case):
        """Bytes a second: to the clients of this site; between this site's broker and Redis, to it and from it."""
        numbers, beats = self.numbers, max(case.each, 1 / HEARTBEAT)
        own = case.messages / case.sites
        around = FRAME * (1 + ACK)
        sizes = {kind: (case.size if case.each else 0) + numbers[f"{kind}_bytes"] + around for kind in ("ws", "sse")}
        return {
            "clients": beats * (case.ws * sizes["ws"] + case.sse * sizes["sse"]),
            "to Redis": own * (case.size + numbers["append_bytes"]) + self.batches(own) * (numbers["batch_bytes"] + around),
            "from Redis": case.messages * (case.size + numbers["read_bytes"]) + self.batches(case.messages) * around,
        }


# ---------------------------------------------------------------------------------------------------------
# the fit


def solve(rows):
    """Prices for (amounts, cost): least squares of the relative errors, none below zero."""
    count = len(rows[0][0])
    free = list(range(count))
    while free:
        scaled = [([amounts[i] / cost for i in free], 1.0) for amounts, cost in rows]
        matrix = [[sum(a[i] * a[j] for a, _ in scaled) for j in range(len(free))] + [sum(a[i] for a, _ in scaled)] for i in range(len(free))]
        prices = eliminate(matrix)
        lowest = min(range(len(free)), key=lambda i: prices[i])
        if prices[lowest] >= 0:
            return [prices[free.index(i)] if i in free else 0.0 for i in range(count)]
        free.pop(lowest)
    return [0.0] * count


def eliminate(matrix):
    """Gauss, with the largest pivot; an amount that never changes by itself gets price 0."""
    size = len(matrix)
    for i in range(size):
        pivot = max(range(i, size), key=lambda row: abs(matrix[row][i]))
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        if abs(matrix[i][i]) < 1e-12:
            matrix[i] = [0.0] * i + [1.0] + [0.0] * (size - i)
        for row in range(size):
            if row != i:
                factor = matrix[row][i] / matrix[i][i]
                matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[i])]
    return [matrix[i][size] / matrix[i][i] for i in range(size)]


# ---------------------------------------------------------------------------------------------------------
# measuring


SECONDS, WARM_UP = 6, 2
# Each client has a topic of its own, and one that all have: (kind, clients, messages a second to one client each, to all, brokers).
# Without messages to one client, clients have the common topic only.
CALIBRATE = [
    ("ws", 300, 300, 2, 1),
    ("ws", 300, 2000, 2, 1),
    ("ws", 1500, 300, 8, 1),
    ("ws", 1500, 2000, 4, 3),
    ("ws", 300, 1000, 20, 3),
    ("ws", 2000, 0, 4, 1),
    ("sse", 1500, 0, 4, 1),
    ("sse", 200, 300, 4, 1),
    ("sse", 200, 1500, 4, 1),
    ("sse", 1000, 300, 4, 2),
]
CHECK = [
    ("ws", 700, 1200, 5, 2),
    ("ws", 1000, 600, 10, 3),
    ("sse", 500, 700, 5, 2),
]


class Measured:
    """What one run took: CPU in µs a second by process, and what else the model speaks of."""

    def __init__(self, kind, clients, own, shared, brokers):
        self.kind, self.clients, self.brokers = kind, clients, brokers
        self.messages, self.deliveries = own + shared, own + shared * clients
        self.topics = clients + 1 if own else 1

    def case(self, size=200):
        """The same in the model's words. All is published at one broker, of the one site that has clients."""
        return Case(1, **{self.kind: self.clients}, messages=self.messages, each=self.deliveries / self.clients, size=size, topics=self.topics)


def redis_figures(stack):
    """Calls of the script and of XREAD; bytes in and out; bytes of memory."""
    found = {}
    for part in ("commandstats", "stats", "memory"):
        for line in stack.redis_cli("info", part).splitlines():
            name, _, value = line.partition(":")
            found[name] = value
    calls = {name: int(found.get(f"cmdstat_{name}", "calls=0").split("=")[1].split(",")[0]) for name in ("evalsha", "xread")}
    return {**calls, "in": int(found["total_net_input_bytes"]), "out": int(found["total_net_output_bytes"]), "memory": int(found["used_memory"])}


def measure(words, size=200):
    from stack import BUILD, Stack, wait_for  # the model itself needs none of the tests' packages

    kind, clients, own, shared, brokers = words
    made = Measured(*words)
    stack = Stack().use_tcp()
    try:
        redis = stack.redis()
        daemons = {"redis": redis, "broker": stack.broker(f"--log={stack.redis_url}", "--topic-messages=100000")}
        others = []
        for _ in range(brokers - 1):
            other = Stack().use_tcp()
            stack.closers.append(other.close)
            others.append(other)
            other.broker(f"--log={stack.redis_url}", "--topic-messages=100000")
        daemons.update({f"other{i}": other.daemons[0] for i, other in enumerate(others)})
        limits = ["--max-connections-per-address=0", "--connect-rate=0"] if kind == "ws" else []
        daemons[kind] = stack.ws(*limits) if kind == "ws" else stack.fcgi()
        if kind == "sse":
            daemons["nginx"] = stack.nginx()
        for each in [stack, *others]:
            wait_for(lambda: each.stats()["log"]["state"] == "ok", "the log takes messages")
        argv = [str(BUILD / "tests/bench/load"), "--transport", kind, "--connect", f"127.0.0.1:{stack.ws_port if kind == 'ws' else stack.web_port}"]
        path = f"/{'ws' if kind == 'ws' else 'events'}?{'topic=own/%d&' if own else ''}topic=shared"
        argv += ["--path", path, "--clients", clients, "--payload", size]
        argv += ["--publish", f"zmq:{stack.publish_endpoint}", "--topic", "own/%d", "--topics", clients, "--rate", own]
        argv += ["--shared", "shared", "--shared-rate", shared, "--seconds", SECONDS, "--warmup", WARM_UP]
        for name, daemon in daemons.items():
            argv += ["--group", f"{name}={'+'.join(map(str, daemon.pids()))}"]
        before = redis_figures(stack)
        done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=300, check=True)
        after = redis_figures(stack)
        take(made, json.loads(done.stdout), before, after, stack, size)
    finally:
        wrong = stack.close()
        for each in [stack, *others]:
            each.remove()
    assert not wrong, wrong
    return made


def take(made, raw, before, after, stack, size):
    assert raw["missing"] + raw["repeats"] + raw["disorder"] == 0, raw
    groups, published = raw["groups"], raw["published"]
    made.cpu = {name: group["cpu_ns"] / 1000 / raw["seconds"] for name, group in groups.items()}
    made.foreign = raw["foreign_cores"]
    made.batches = (after["evalsha"] - before["evalsha"]) / published * made.messages
    made.reads = (after["xread"] - before["xread"]) / published * made.messages / made.brokers
    made.memory = {name: group["anon_ready"] - group["anon_empty"] for name, group in groups.items()}
    made.base = {name: group["anon_empty"] for name, group in groups.items()}
    made.kept_bytes = {
        "redis": (after["memory"] - before["memory"]) / published - size,
        "broker": (groups["broker"]["anon_peak"] - groups["broker"]["anon_before"]) / published - size,
    }
    made.net_in = (after["in"] - before["in"]) / published * made.messages
    made.net_out = (after["out"] - before["out"]) / published * made.messages / made.brokers
    made.delivered_bytes = raw["bytes"] / max(raw["received"] * (SECONDS + WARM_UP) / raw["seconds"], 1) - size


# ---------------------------------------------------------------------------------------------------------
# from what was measured to the numbers


def medians(runs):
    """One for all runs of a case."""
    first = runs[0]
    for name in ("batches", "reads", "net_in", "net_out", "delivered_bytes"):
        setattr(first, name, statistics.median(getattr(run, name) for run in runs))
    for name in ("cpu", "memory", "base", "kept_bytes"):
        setattr(first, name, {key: statistics.median(getattr(run, name)[key] for run in runs) for key in getattr(first, name)})
    first.foreign = statistics.median(run.foreign for run in runs)
    return first


def fit(cases):
    """The numbers that suit these cases best; of `cycle_us`, the best of some."""

    def badness(numbers):
        return sum(off * off for _, name, _, _, off in errors(numbers, cases) if name == "all")

    best = min((fit_cpu(cases, cycle_us) for cycle_us in range(0, 4001, 100)), key=badness)
    return {**best, **fit_sizes(cases, Model(best))}


def fit_cpu(cases, cycle_us):
    numbers = {"cycle_us": cycle_us}
    model = Model(numbers)

    def prices(amounts, name, some=cases, less=lambda case: 0):
        rows = [(amounts(case, model.batches(case.messages)), case.cpu[name] - less(case)) for case in some if name in case.cpu]
        return solve(rows)

    several = [case for case in cases if case.brokers > 1]
    numbers["broker_read"] = prices(lambda case, batches: (batches, case.messages), "other0", several)
    numbers["broker_append"] = prices(
        lambda case, batches: (1, batches, case.messages),
        "broker",
        less=lambda case: model._sum("broker_read", model.batches(case.messages), case.messages),
    )
    numbers["redis"] = prices(
        lambda case, batches: (1, batches, case.messages, batches * case.brokers, case.messages * case.brokers), "redis"
    )
    for kind in ("ws", "sse"):
        numbers[kind] = prices(lambda case, batches: (batches, case.messages, case.deliveries), kind)
    numbers["nginx"] = prices(lambda case, batches: (batches, case.deliveries), "nginx")
    return numbers


def fit_sizes(cases, model, size=200):
    """Memory and network."""
    numbers = {}
    for kind, names in (("ws", ["ws"]), ("sse", ["sse", "nginx"])):
        some = [case for case in cases if case.kind == kind]
        for name in names:
            numbers[f"{name}_base"] = statistics.median(case.base[name] for case in some)
            grown = [((case.clients, case.topics), max(case.memory[name], 1)) for case in some]
            numbers[f"{name}_client"], topic = solve(grown)
            if name == "ws":
                numbers["worker_topic"] = topic
        numbers[f"{kind}_bytes"] = statistics.median(case.delivered_bytes for case in some)
    for name in ("redis", "broker"):
        numbers[f"{name}_base"] = statistics.median(case.base[name] for case in cases)
        numbers[f"{name}_message"] = statistics.median(case.kept_bytes[name] for case in cases if case.messages > 200)
    numbers["broker_topic"] = statistics.median(case.memory["broker"] / case.topics for case in cases if case.topics > 1)
    into = [((case.messages, model.batches(case.messages)), case.net_in - case.messages * size) for case in cases]
    numbers["append_bytes"], numbers["batch_bytes"] = solve(into)
    numbers["read_bytes"] = statistics.median(case.net_out / case.messages - size for case in cases)
    return numbers


def predicted(model, case):
    """CPU in µs a second by process, of a measured case."""
    cores, reads, more = model.cores(case.case()), model.batches(case.messages), case.brokers - 1
    cores["redis"] += model._sum("redis", 0, 0, 0, more * reads, more * case.messages) / 1e6
    return {name: cores[name] * 1e6 for name in case.cpu if name in cores}


def errors(numbers, cases):
    """(case, process, measured, predicted, share that the prediction is off) for each process, and for all together."""
    model, found = Model(numbers), []
    for case in cases:
        guess = predicted(model, case)
        guess["all"], measured = sum(guess.values()), {**case.cpu, "all": sum(case.cpu[name] for name in guess)}
        found += [(case, name, measured[name], us, us / measured[name] - 1) for name, us in guess.items()]
    return found


def measure_all(rounds):
    wanted = CALIBRATE + CHECK
    runs = [[] for _ in wanted]
    for _ in range(rounds):
        for kept, words in zip(runs, wanted):
            kept.append(measure(words))
            print(words, {name: round(us) for name, us in kept[-1].cpu.items()}, f"others {kept[-1].foreign:.2f} cores", flush=True)
    return [medians(each) for each in runs]


def load():
    """The numbers, the cases that they were fitted to, and those that they are checked against."""
    kept = json.loads(KEPT.read_text())
    cases = []
    for each in kept["cases"]:
        case = Measured.__new__(Measured)
        case.__dict__.update(each)
        cases.append(case)
    return kept["numbers"], cases[: len(CALIBRATE)], cases[len(CALIBRATE) :]


def say(error):
    case, name, measured, guess, off = error
    return f"{case.kind} {case.clients:5} clients {case.messages:5} messages/s {case.brokers} brokers  {name:7} {measured:8.0f} {guess:8.0f} µs {off:+.1%}"


# ---------------------------------------------------------------------------------------------------------
# tables


EXAMPLES = [
    ("10,000 WebSockets on one machine", dict(ws=10_000, messages=100, each=1, topics=100)),
    ("10,000 SSE clients on one machine", dict(sse=10_000, messages=100, each=1, topics=100)),
    ("100,000 WebSockets at one site", dict(ws=100_000, messages=1000, each=1, topics=1000)),
    ("a million WebSockets at 4 sites, idle", dict(sites=4, ws=250_000, topics=1000)),
    ("a million WebSockets at 4 sites", dict(sites=4, ws=250_000, messages=1000, each=1, topics=1000)),
    ("a million SSE clients at 4 sites", dict(sites=4, sse=250_000, messages=1000, each=1, topics=1000)),
]
KEPT_MESSAGES = 250_000  # in history and in the log
FULL = 0.6  # of a core: what one worker is given to do at most
PROCESSES = {"redis": "Redis", "broker": "broker", "ws": "zcast-ws", "sse": "zcast-fcgi", "nginx": "nginx"}


def sized(model, options):
    """A case with as many workers as it takes."""
    case = Case(**{"kept": KEPT_MESSAGES, **options})
    while any(model.cores(case).get(kind, 0) > FULL * case.processes for kind in ("ws", "sse")) and case.processes < 64:
        case.processes += 1
    return case


def amount(value, units=("", "k", "M", "G")):
    unit = 0
    while value >= 1000 and unit < len(units) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.{0 if value >= 10 or unit == 0 else 1}f} {units[unit]}"


def row(model, case):
    """Cells: workers; cores by process and in all; memory of our processes, nginx and Redis, and of the kernel; network."""
    cores, memory, network = model.cores(case), model.memory(case), model.network(case)
    kernel = memory.pop("kernel")
    between = network["to Redis"] + network["from Redis"]
    parts = ", ".join(f"{PROCESSES[name]} {used:.2f}" for name, used in cores.items())
    return [
        str(case.processes), parts, f"{sum(cores.values()):.1f}", amount(sum(memory.values())) + "B", amount(kernel) + "B",
        amount(8 * network["clients"]) + "bit/s", amount(8 * between) + "bit/s",
    ]


def markdown():
    numbers, fitted, checked = load()
    model = Model(numbers)
    lines = ["| each site | workers | cores | in all | memory | and the kernel | to clients | to and from Redis |", "|---|---|---|---|---|---|---|---|"]
    lines += [f"| {title} | " + " | ".join(row(model, sized(model, options))) + " |" for title, options in EXAMPLES]
    lines += ["", "| checked against | measured | the model | off by |", "|---|---|---|---|"]
    for case, name, measured, guess, off in errors(numbers, checked):
        if name == "all":
            lines.append(
                f"| {case.clients:,} clients ({'WebSocket' if case.kind == 'ws' else 'SSE, nginx'}), {case.messages:,} messages/s, "
                f"{case.deliveries:,} deliveries/s, {case.brokers} brokers | {measured / 1e6:.3f} cores | {guess / 1e6:.3f} | {off:+.0%} |"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--fit", action="store_true", help="once more, to what was measured")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown", action="store_true")
    for name, kind in (("sites", int), ("ws", int), ("sse", int), ("messages", float), ("each", float), ("size", int), ("topics", int), ("kept", int)):
        parser.add_argument(f"--{name}", type=kind)
    options = parser.parse_args()
    if options.measure or options.fit:
        sys.path.insert(0, str(HERE.parent / "integration"))
        cases = measure_all(options.rounds) if options.measure else sum(load()[1:], [])
        numbers = fit(cases[: len(CALIBRATE)])
        KEPT.write_text(json.dumps({"numbers": numbers, "cases": [case.__dict__ for case in cases]}, indent=1, sort_keys=True) + "\n")
    numbers, fitted, checked = load()
    own = {name: value for name, value in vars(options).items() if name in ("sites", "ws", "sse", "messages", "each", "size", "topics", "kept") and value}
    if options.markdown:
        print(markdown())
    elif own:
        names = ("workers of each kind", "cores", "in all", "memory", "and the kernel", "to clients", "to and from Redis")
        for name, value in zip(names, row(Model(numbers), sized(Model(numbers), own))):
            print(f"{name}: {value}")
    else:
        for title, some in (("fitted", fitted), ("checked", checked)):
            print(title)
            for error in errors(numbers, some):
                print(" ", say(error))


if __name__ == "__main__":
    main()
