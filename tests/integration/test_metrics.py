"""The window: /metrics, /live and /ready, on both carriers, with the broker there, away and stuck."""

import http.client
import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from stack import SseClient, WsClient, program, wait_for

ETC = Path(__file__).resolve().parents[2] / "etc"
CARRIERS = ["http", "fcgi"]


def with_all_doors(text):
    """The sample's stream, and the other doors beside it: they are told apart by the path."""
    text = text.replace("location = /events {", "location ~ ^/(events|metrics|live|ready)$ {")
    return text.replace("fastcgi_param QUERY_STRING", "fastcgi_param REQUEST_URI $request_uri;\n    fastcgi_param QUERY_STRING")


@pytest.fixture
def served(stack):
    stack.broker()
    stack.ws().wait_log("broker: connected")
    stack.fcgi().wait_log("broker: connected")
    stack.nginx(edit=with_all_doors)
    stack.ports = {"http": stack.ws_port, "fcgi": stack.web_port}
    return stack


def get(stack, carrier, path, method="GET", **headers):
    link = http.client.HTTPConnection("127.0.0.1", stack.ports[carrier], timeout=60)
    try:
        link.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = link.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        link.close()


def samples(text):
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line).groups()
            found[(name, labels or "")] = float(value)
    return found


def lint(text):
    """promtool's verdict on the text."""
    done = subprocess.run([program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("carrier", CARRIERS)
def test_figures_of_all(served, carrier):
    wait_for(lambda: {"ws.0", "fcgi.0"} <= {name.split("@")[0] for name in served.stats()["workers"]}, "both have reported")
    for number in range(5):
        served.publish("a", f"m{number}")
    status, headers, text = get(served, carrier, "/metrics")
    assert status == 200 and headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert lint(text) == (0, ""), text
    found = samples(text)
    assert found[("zcast_broker_published_total", "")] == 5
    assert found[("zcast_broker_history_messages", "")] == 5
    assert found[("zcast_broker_requests_total", 'verb="PUBLISH"')] == 5
    up = {labels: value for (name, labels), value in found.items() if name == "zcast_up"}
    assert len(up) == 3 and set(up.values()) == {1.0}
    assert 'program="broker",worker="broker"' in up
    assert not any("topic=" in labels for _, labels in found), "there may be any number of topics"


def test_histograms(stack):
    """The counters count each delivery, each publish, and each client."""
    stack.broker()
    stack.ws("--allow-publish").wait_log("broker: connected")
    stack.ports = {"http": stack.ws_port}
    raw = stack.websocket("a").wait_open()
    with SseClient(f"http://127.0.0.1:{stack.ws_port}/events?topic=a") as stream:
        stream.wait_open()
        for number in range(5):
            post(stack, "/publish?topic=a", f"m{number}")
        stack.publish("b", "for nobody")
        stream.wait(5)
        raw.wait(5)
        wait_for(lambda: stack.wait_report("ws.0")["delivered"] == 10, "its report")
    for accept in ("text/plain", "application/openmetrics-text"):
        _, _, text = get(stack, "http", "/metrics", Accept=accept)
        assert accept != "text/plain" or lint(text) == (0, ""), text
        found = samples(text.replace("# EOF\n", ""))
        for name, count in (("publish_to_send", 10), ("publish_acknowledged", 5), ("connect_to_first_byte", 2)):
            assert f"# TYPE zcast_{name}_seconds histogram\n" in text
            buckets = {labels: value for (metric, labels), value in found.items() if metric == f"zcast_{name}_seconds_bucket"}
            assert len(buckets) == 14 and list(buckets.values()) == sorted(buckets.values())
            last = 'program="ws",worker="ws.0"'
            assert buckets[last + ',le="+Inf"'] == found[f"zcast_{name}_seconds_count", last] == count
            assert 0 <= found[f"zcast_{name}_seconds_sum", last] < 60 * count


def post(stack, path, body):
    link = http.client.HTTPConnection("127.0.0.1", stack.ws_port, timeout=60)
    link.request("POST", path, body)
    assert link.getresponse().status == 200
    link.close()


@pytest.mark.parametrize("carrier", CARRIERS)
def test_openmetrics(served, carrier):
    status, headers, text = get(served, carrier, "/metrics", Accept="application/openmetrics-text; version=1.0.0,text/plain;q=0.5")
    assert status == 200 and headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n") and "# TYPE zcast_broker_published counter\n" in text
    assert "zcast_broker_published_total " in text
    assert get(served, carrier, "/metrics", method="HEAD")[2] == ""


@pytest.mark.parametrize("carrier", CARRIERS)
def test_without_a_broker(served, carrier):
    served.daemons[0].kill()
    wait_for(lambda: 'zcast_up{program="broker",worker="broker"} 0\n' in get(served, carrier, "/metrics")[2], "the broker is down")
    assert lint(get(served, carrier, "/metrics")[2])[0] == 0
    assert get(served, carrier, "/live")[0] == 200
    status, _, text = get(served, carrier, "/ready")
    assert status == 503 and "not ready" in text


@pytest.mark.parametrize("carrier", CARRIERS)
def test_ready_is_a_message_that_came_back(served, carrier):
    wait_for(lambda: get(served, carrier, "/ready")[0] == 200, "ready")
    before = served.stats()
    asked = 50
    for _ in range(asked):
        assert get(served, carrier, "/ready")[0] == 200
    after = served.stats()
    assert after["published"] - before["published"] <= 25, "each asking must not fly a canary"
    assert after["history"]["messages"] == 0, "history keeps no canary"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_stuck_broker_is_not_ready(served, carrier):
    wait_for(lambda: get(served, carrier, "/ready")[0] == 200, "ready")
    served.daemons[0].pause()
    wait_for(lambda: get(served, carrier, "/ready")[0] == 503, "not ready")
    assert get(served, carrier, "/live")[0] == 200
    assert 'worker="broker"} 0' in get(served, carrier, "/metrics")[2]
    served.daemons[0].resume()
    wait_for(lambda: get(served, carrier, "/ready")[0] == 200, "ready again")


def test_the_canary_is_nobody_s(served):
    wait_for(lambda: get(served, "http", "/ready")[0] == 200, "ready")
    for carrier in CARRIERS:
        status, _, text = get(served, carrier, "/events?topic=%24zcast/ready/x")
        assert status == 403 and "zcast's own" in text
    client = WsClient(f"ws://127.0.0.1:{served.ws_port}/ws?topic=a", ["zcast.v1"])
    served.closers.append(client.close)
    client.wait_open()
    client.send_json({"type": "subscribe", "topics": ["$zcast/ready/x"]})
    client.wait_message(lambda text: '"forbidden"' in text)


def test_who_may_read_figures(stack):
    stack.broker()
    stack.ws("--trust-proxy=always").wait_log("broker: connected")
    stack.ports = {"http": stack.ws_port}
    assert get(stack, "http", "/metrics")[0] == 200
    assert get(stack, "http", "/metrics", X_Forwarded_For="203.0.113.7")[0] == 403
    assert get(stack, "http", "/live", X_Forwarded_For="203.0.113.7")[0] == 200
    stack.daemons[-1].stop()
    stack.ws("--trust-proxy=always", "--metrics=all").wait_log("broker: connected")
    assert get(stack, "http", "/metrics", X_Forwarded_For="203.0.113.7")[0] == 200
    stack.daemons[-1].stop()
    stack.ws("--metrics=off").wait_log("broker: connected")
    assert get(stack, "http", "/metrics")[0] == 404


def test_askers_that_leave(served):
    """A client that leaves while its canary is under way breaks nothing."""
    wait_for(lambda: get(served, "http", "/ready")[0] == 200, "ready")
    served.daemons[0].pause()
    for path in ("/ready", "/metrics") * 5:
        link = http.client.HTTPConnection("127.0.0.1", served.ws_port)
        link.request("GET", path)
        link.close()
    served.daemons[0].resume()
    wait_for(lambda: get(served, "http", "/ready")[0] == 200, "ready again")


def test_a_drain_while_somebody_asks(served):
    wait_for(lambda: get(served, "http", "/ready")[0] == 200, "ready")
    ws = served.daemons[1]
    served.daemons[0].pause()
    wait_for(lambda: get(served, "http", "/ready")[0] == 503, "not ready")
    link = http.client.HTTPConnection("127.0.0.1", served.ws_port, timeout=60)
    link.request("GET", "/metrics")
    ws.send_signal(signal.SIGTERM)
    served.daemons[0].resume()
    ws.wait()
    link.close()


def test_dashboard_and_alerts():
    """Both speak of figures that there are."""
    done = subprocess.run([program("promtool"), "check", "rules", ETC / "prometheus/zcast-alerts.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    source = "".join((ETC.parent / name).read_text() for name in ("lib/wire/figures.h", "lib/front/metrics.c"))
    known = {f"zcast_{name}" for name in re.findall(r'"(\w+)",[\s\\]*ZC_GAUGE', source)}
    known |= {f"zcast_{name}_total" for name in re.findall(r'"(\w+)",[\s\\]*ZC_COUNTER', source)}
    histograms = re.findall(r'\{"\w+", "(\w+_seconds)",\n', source)
    assert len(histograms) == 3
    known |= {f"zcast_{name}_bucket" for name in histograms}
    dashboard = json.loads((ETC / "grafana/zcast.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions.append((ETC / "prometheus/zcast-alerts.yml").read_text())
    used = {name for text in expressions for name in re.findall(r"zcast_\w+", text)}
    assert len(used) > 15 and used <= known, used - known
    assert {f"zcast_{name}_bucket" for name in histograms} <= used
