"""The samples for the web servers and for systemd: where no worker is there, where limits are met, beside what a distribution's
own configuration has, and without systemd."""

import grp
import os
import itertools
import re
import shutil
import socket

import pytest

from stack import SOURCE, SseClient, can_connect, free_port, program, run, wait_for

WEB = ["nginx", "lighttpd", "apache"]
ORIGIN = "https://pages.example"


def start_web(stack, name, **how):
    return getattr(stack, name)(**how)


# -- the answer in a worker's place


def head(stack, path="/events?topic=a", method="GET", source="127.0.0.1", **headers):
    """Status and headers of an answer, and what of its body comes within a second where it is short."""
    request = f"{method} {path} HTTP/1.0\r\nHost: localhost\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", stack.web_port), 30, source_address=(source, 0)) as link:
        link.sendall(request.encode() + b"\r\n")
        with link.makefile("rb") as reply:
            status = int(reply.readline().split()[1])
            lines = iter(lambda: reply.readline().strip().decode(), "")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            return status, fields, reply.readline() if method == "GET" else b""


def check_later(answer):
    """A stream that ends, says when to come back, and gives no client a message."""
    status, headers, line = answer
    assert status == 200 and headers["content-type"] == "text/event-stream"
    assert headers["cache-control"] == "no-cache, no-transform" and headers["x-accel-buffering"] == "no"
    assert headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(rb"retry: [1-9]\d{3}\n", line)


def check_cors(answer, origin=ORIGIN):
    _, headers, _ = answer
    assert headers["access-control-allow-origin"] == origin
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["vary"] == "Origin"


@pytest.mark.parametrize("web", WEB)
def test_a_missing_worker_is_a_stream_that_ends(stack, web):
    """Browsers give an EventSource up for good on a 502 or a 503."""
    start_web(stack, web)
    status, headers, body = stack.get("/events?topic=a")
    check_later((status, {name.lower(): value for name, value in headers.items()}, body))
    assert not any(name.lower().startswith("access-control") for name in headers)


@pytest.mark.parametrize("web", WEB)
def test_the_answer_in_a_worker_s_place_has_the_stream_s_headers(stack, web):
    """A browser gives the EventSource of another origin's page up for good where they are missing, whatever the status."""
    stack.broker()
    worker = stack.fcgi(f"--cors-origin={ORIGIN}", "--socket-mode=0666")
    start_web(stack, web)

    def headers(**asked):
        status, fields, _ = head(stack, Origin=ORIGIN, **asked)
        assert status in (200, 204)
        return {name: value for name, value in fields.items() if name.startswith(("access-control-allow", "vary"))}

    stream = head(stack, Origin=ORIGIN)
    preflight = headers(method="OPTIONS")
    worker.kill()
    answer = head(stack, Origin=ORIGIN)
    check_later(answer)
    check_cors(answer)
    for name in ("content-type", "cache-control", "x-accel-buffering", "access-control-allow-origin", "access-control-allow-credentials", "vary"):
        assert answer[1][name] == stream[1][name], name
    # what a page's own fetch() has to ask for before it comes back with its last id
    instead = headers(method="OPTIONS", **{"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id"})
    for name in ("access-control-allow-origin", "access-control-allow-credentials", "vary"):
        assert instead[name] == preflight[name]
    for name in ("Last-Event-ID", "Cache-Control", "Authorization"):
        assert name in preflight["access-control-allow-headers"] and name in instead["access-control-allow-headers"]
    assert "GET" in instead["access-control-allow-methods"]


@pytest.mark.parametrize("door", ["fcgi", "ws"])
def test_a_worker_without_room_answers_with_the_stream_s_headers(stack, door):
    asked = {"Origin": ORIGIN, "X-Forwarded-For": "198.51.100.1"}
    stack.broker()
    if door == "fcgi":
        stack.fcgi(f"--cors-origin={ORIGIN}", "--max-clients=1")
        stack.nginx()
    else:
        stack.ws(f"--cors-origin={ORIGIN}", "--max-clients=1")
        stack.web_port = stack.ws_port
    with stack.sse("a", headers=asked) as client:
        client.wait_open()
        status, headers, line = head(stack, **asked)
        assert (status, line) == (200, b": busy\n")
        check_cors((status, headers, line))
        for name in ("Content-Type", "Cache-Control", "X-Accel-Buffering", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"):
            assert headers[name.lower()] == client.reply_headers[name], name


def test_a_cgi_program_s_stream_has_the_headers_too(stack):
    program("zcast-fcgi")
    stack.broker()
    with stack.config_file().open("a") as config:
        config.write(f"fcgi\n    cors-origin = {ORIGIN}\n    heartbeat = 1s\n")
    stack.lighttpd("events-cgi.conf")
    status, headers, line = head(stack, Origin=ORIGIN)
    assert (status, line) == (200, b": zcast\n")
    assert headers["cache-control"] == "no-cache, no-transform" and headers["x-accel-buffering"] == "no"
    check_cors((status, headers, line))


@pytest.mark.parametrize("events", ["events-spawn.conf", "events-cgi.conf"])
def test_lighttpd_s_own_worker_that_cannot_start(stack, events):
    program("zcast-fcgi")
    stack.config_file().write_text("fcgi\n    nonsense = 1\n")
    stack.lighttpd(events, clean=False)
    answer = head(stack, Origin=ORIGIN)
    check_later(answer)
    check_cors(answer)


@pytest.mark.parametrize("web", WEB)
def test_the_time_to_come_back_is_spread(stack, web):
    start_web(stack, web)
    wait_for(lambda: len({stack.get("/events?topic=a")[2] for _ in range(20)}) > 1, "different retry times")


@pytest.mark.parametrize("web", WEB)
def test_a_worker_that_hangs_up_is_a_stream_that_ends(stack, web):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stack.fcgi_socket))
        stack.fcgi_socket.chmod(0o666)
        listener.listen(8)
        start_web(stack, web)
        with SseClient(stack.url("/events", ["a"])) as client:
            worker, _ = listener.accept()
            worker.recv(100)
            worker.close()
            client.wait_closed()
            assert client.status == 200 and client.parser.retry >= 1000 and not client.given_up


@pytest.mark.parametrize("web", WEB)
def test_no_websocket_daemon_is_an_error(stack, web):
    start_web(stack, web)
    assert stack.get("/ws?topic=a")[0] in (502, 503)


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize("limit", ["limit_req", "limit_conn"])
def test_who_is_over_a_limit_of_nginx_comes_back(stack, limit, status):
    """Connections from 127.0.0.2 are counted, those from 127.0.0.1 are not: that is a proxy in front."""
    narrow = {
        "limit_req zone=zcast_opened burst=200 nodelay;": "limit_req zone=zcast_opened;" if limit == "limit_req" else "",
        "limit_conn zcast_held 200;": "limit_conn zcast_held 1;" if limit == "limit_conn" else "",
        "rate=50r/s": "rate=1r/m",
        "http {\n": f"http {{\n    {limit}_status {status};\n",
    }

    def edit(text):
        for wide, ours in narrow.items():
            text = text.replace(wide, ours)
        return text

    stack.broker()
    stack.fcgi(f"--cors-origin={ORIGIN}")
    stack.nginx(edit=edit)
    with socket.create_connection(("127.0.0.1", stack.web_port), 30, source_address=("127.0.0.2", 0)) as held:
        held.sendall(b"GET /events?topic=a HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in held.makefile("rb").readline()
        answer = head(stack, source="127.0.0.2", Origin=ORIGIN)
        check_later(answer)
        check_cors(answer)
        for _ in range(3):
            assert head(stack)[2] == b": zcast\n"


@pytest.mark.parametrize("web", ["lighttpd", "apache"])
def test_who_is_over_a_limit_of_a_module_comes_back(stack, web):
    """Neither has such a limit without a module of others; a line that refuses all in its place."""
    refuses = stack.folder / "refuses.lua"
    refuses.write_text("return 429\n")
    line = {
        "lighttpd": ('$HTTP["url"] == "/events" {\n', f'magnet.attract-raw-url-to = ("{refuses}")\n'),
        "apache": ('<Location "/events">\n', "Redirect 429\n"),
    }[web]
    start_web(stack, web, edit=lambda text: text.replace(line[0], "".join(line)))
    answer = head(stack, Origin=ORIGIN)
    check_later(answer)
    check_cors(answer)
    assert head(stack, "/publish", Origin=ORIGIN)[0] != 200


@pytest.mark.parametrize("connections", [8, 9])
def test_nginx_out_of_connections_is_no_end(stack, connections):
    """For its side of the stream: it closes. For the worker's side: its own status for that is 500."""
    stack.broker()
    stack.fcgi()
    stack.nginx(edit=lambda text: text.replace("worker_connections 8192", f"worker_connections {connections}"))
    streams = []
    while len(streams) < 10 and not any(client.closed for client in streams):
        streams.append(stack.sse("a"))
        wait_for(lambda: streams[-1].closed or streams[-1].parser.comments, "a stream, or none")
    assert streams[-1].closed and not streams[-1].given_up, f"{streams[-1].given_up}: {streams[-1].body!r}"


# -- behind a load balancer


BALANCER, BROWSERS = "127.0.0.2", ["198.51.100.1", "198.51.100.2", "198.51.100.3"]


def uncommented(text, word):
    """A sample in which the lines about a balancer are in use: those for the header, or for the PROXY protocol."""
    blocks = re.findall(r"(?:^ *#(?:set_real_ip_from|real_ip|server\.modules|extforward|RemoteIP|http-request|tcp-request).*\n)+", text, re.M)
    for block in blocks:
        if ("proxy" in block.lower().replace("internalproxy", "")) == (word == "protocol"):
            text = text.replace(block, re.sub("^( *)#", r"\1", block, flags=re.M).replace("192.0.2.0/24", BALANCER), 1)
    return text


LIES = (f"203.0.113.{n}" for n in itertools.count())


def through_balancer(stack, how, browser, request):
    """A connection on which a balancer has sent a browser's request. With the PROXY protocol it passes on what browsers
    say of themselves, which nobody believes."""
    line = f"PROXY TCP4 {browser} 127.0.0.1 4711 80\r\n" if how == "protocol" else ""
    said = f"X-Forwarded-For: {browser if how == 'header' else next(LIES)}\r\n"
    link = socket.create_connection(("127.0.0.1", stack.web_port), 30, source_address=(BALANCER, 0))
    stack.closers.append(link.close)
    link.sendall(f"{line}GET {request} HTTP/1.1\r\nHost: localhost\r\n{said}\r\n".encode())
    return link.makefile("rb").readline().split()[1]


UPGRADE = (
    "/ws?topic=a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Rest: a"
)


@pytest.mark.parametrize("how", ["header", "protocol"])
@pytest.mark.parametrize("web", ["nginx", "lighttpd", "apache", "haproxy"])
def test_browsers_are_counted_and_not_their_balancer(stack, web, how):
    """With the lines of the samples that are commented out. What counts is nginx and zcast-ws, which has to be told of the balancer
    as well where lighttpd passes on what that says."""

    def edit(text):
        text = uncommented(text, how)
        text = text.replace("limit_conn zcast_held 200;", "limit_conn zcast_held 1;")
        if how == "protocol":
            text = text.replace(f"listen 127.0.0.1:{stack.web_port};", f"listen 127.0.0.1:{stack.web_port} proxy_protocol;")
        return text.replace("LoadModule mime_module", "LoadModule remoteip_module /usr/lib/apache2/modules/mod_remoteip.so\nLoadModule mime_module")

    stack.broker()
    stack.fcgi("--socket-mode=0666")
    # not `local`, which this test's balancer is as well
    proxies = ["127.0.0.1", BALANCER] if (web, how) == ("lighttpd", "header") else ["127.0.0.1"]
    stack.ws("--max-connections-per-address=1", *(f"--trust-proxy={proxy}" for proxy in proxies))
    getattr(stack, web)(edit=edit)
    for browser in BROWSERS:
        assert through_balancer(stack, how, browser, UPGRADE) == b"101"
    assert through_balancer(stack, how, BROWSERS[0], UPGRADE) in (b"429", b"503")


def test_caddy_counts_browsers_and_not_their_balancer(stack):
    """It says both, and the daemon has to trust both."""

    def trusting(text):
        return re.sub(r"^( *reverse_proxy 127\S+).*", rf"\1 {{\n trusted_proxies {BALANCER}\n }}", text, count=1, flags=re.M)

    stack.broker()
    stack.ws("--max-connections-per-address=1", "--trust-proxy=127.0.0.1", f"--trust-proxy={BALANCER}")
    stack.caddy(edit=trusting)
    for browser in BROWSERS:
        assert through_balancer(stack, "header", browser, UPGRADE) == b"101"
    assert through_balancer(stack, "header", BROWSERS[0], UPGRADE) == b"429"


def test_lighttpd_logs_browsers_and_not_their_balancer(stack):
    web = stack.lighttpd(edit=lambda text: uncommented(text, "header"))
    for browser in BROWSERS:
        assert through_balancer(stack, "header", browser, "/zcast/icon.svg") == b"200"  # so small that it has gone out whole by then
    web.stop()
    logged = (stack.folder / "access.log").read_text()
    assert [line.split()[0] for line in logged.splitlines()] == BROWSERS


# -- beside what is there


def documented(document, heading, replace):
    """The commands that a document shows in the block after `heading`, but for what installs packages, starts services, or makes
    files elsewhere, and with other paths."""
    text = (SOURCE / document).read_text().split(heading, 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]
    text = re.sub(r"sudo apt-get install [\w-]+ && ", "", text.replace("\\\n", " "))
    lines = [line for line in text.splitlines() if not re.search("systemctl|apt-get|sudo install", line)]
    text = "\n".join(lines).replace("sudo ", "")
    for old, new in replace.items():
        text = text.replace(old, str(new))
    return text


def site(stack, name):
    """A folder for what a distribution's configuration serves, with the page of a site that was there before."""
    folder = stack.folder / name
    folder.mkdir()
    (folder / "index.html").write_text("the site's own page")
    return folder


def check_site(stack):
    """The site's own page is where it was; the module and the demo page are reachable; a stream flows."""
    assert stack.get("/")[2] == b"the site's own page"
    module = stack.get("/zcast.js")
    assert module[0] == 200 and module[1]["Content-Type"].split(";")[0] in ("text/javascript", "application/javascript")
    assert module[2] == (SOURCE / "www/zcast.js").read_bytes()
    page = stack.get("/zcast/")
    assert page[0] == 200 and page[2] == (SOURCE / "www/index.html").read_bytes()
    assert module[1]["X-Content-Type-Options"] == page[1]["X-Content-Type-Options"] == "nosniff"
    assert page[1]["Content-Security-Policy"] == "frame-ancestors 'none'" and page[1]["Referrer-Policy"] == "no-referrer"
    for name in re.findall(r'(?:src|href)="(\w[^":]*)"', page[2].decode()):
        assert stack.get(f"/zcast/{name}")[0] == 200, name
    with stack.sse("a") as client:
        client.wait_open()
        stack.publish("a", "through the site")
        assert client.wait(1)[0].data == "through the site"


def samples(stack):
    """The checkout's etc/ with this stack's addresses. What it serves and starts are copies, since a web server's user may not
    reach the checkout."""
    folder = stack.folder / "etc"
    ours = {"/usr/share/zcast/www": str(stack.folder / "www"), "/usr/sbin/zcast-fcgi": str(stack.folder / "zcast-fcgi")}
    ours |= {f"/etc/{name}": str(stack.folder / f"debian-{name}") for name in ("nginx", "lighttpd", "apache2")}
    shutil.copytree(SOURCE / "www", stack.folder / "www")
    shutil.copy(program("zcast-fcgi"), stack.folder)
    for path in (SOURCE / "etc").rglob("*"):
        if path.is_file():
            made = folder / path.relative_to(SOURCE / "etc")
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_text(stack.rendered(str(path.relative_to(SOURCE / "etc")), ours))
            made.chmod(path.stat().st_mode)
    return folder


def configuration(stack, name, edit):
    """A copy of what the distribution's package has put into /etc/NAME; `edit` changes the text of each file."""
    source, made = f"/etc/{name}", stack.folder / f"debian-{name}"
    if not os.path.isdir(source):
        pytest.fail(f"no {source}: tools/quickstart check installs {name}", pytrace=False)
    shutil.copytree(source, made, symlinks=True)
    for path in made.rglob("*"):
        if path.is_symlink() and str(path.readlink()).startswith(source):
            target = str(path.readlink()).replace(source, str(made))
            path.unlink()
            path.symlink_to(target)
        elif path.is_file() and not path.is_symlink():
            path.write_text(edit(path.read_text(errors="surrogateescape")), errors="surrogateescape")
    return made


def start_backend(stack):
    stack.broker()
    stack.fcgi("--socket-mode=0666")
    stack.web_port = free_port()


def test_beside_debian_s_default_site_of_nginx(stack):
    """The commands of the README, on the configuration that the package brings."""
    start_backend(stack)
    html = site(stack, "html")
    made = configuration(
        stack,
        "nginx",
        lambda text: re.sub(r"^\s*listen \[::\]:80.*$", "", text, flags=re.M)
        .replace("listen 80 default_server;", f"listen 127.0.0.1:{stack.web_port} default_server;")
        .replace("/etc/nginx", f"{stack.folder}/debian-nginx")
        .replace("/var/log/nginx", str(stack.folder))
        .replace("/run/nginx.pid", f"{stack.folder}/nginx.pid")
        .replace("/var/www/html", str(html))
        .replace("user www-data;", "user root;"),
    )
    run("bash", "-ec", documented("README.md", "under nginx:", {"/etc/nginx": made, " etc/": f" {samples(stack)}/"}))
    default = made / "sites-available/default"
    text = default.read_text()
    assert "server_name _;\n" in text
    default.write_text(text.replace("server_name _;\n", "server_name _;\n    include snippets/zcast.conf;\n", 1))
    run("nginx", "-t", "-c", made / "nginx.conf")
    argv = ["nginx", "-c", made / "nginx.conf", "-g", "daemon off;"]
    stack.start("nginx", argv, ready=lambda: can_connect(("127.0.0.1", stack.web_port)))
    check_site(stack)


def debian_lighttpd(stack):
    """Its user is www-data."""
    html = site(stack, "html")
    for name in ("cache", "cache/uploads", "run"):
        (stack.folder / name).mkdir()
        if os.getuid() == 0:
            shutil.chown(stack.folder / name, "www-data")
    made = configuration(
        stack,
        "lighttpd",
        lambda text: text.replace("/etc/lighttpd", f"{stack.folder}/debian-lighttpd")
        .replace("server.port                 = 80", f'server.port = {stack.web_port}\nserver.bind = "127.0.0.1"')
        .replace('include_shell "/usr/share/lighttpd/use-ipv6.pl " + server.port', "")
        .replace("/var/log/lighttpd/error.log", f"{stack.folder}/run/lighttpd-error.log")
        .replace("/var/cache/lighttpd", f"{stack.folder}/cache")
        .replace("/run/lighttpd.pid", f"{stack.folder}/run/lighttpd.pid")
        .replace("/var/www/html", str(html)),
    )
    replace = {"/etc/lighttpd": made, " etc/": f" {samples(stack)}/"}
    run("bash", "-ec", documented("README.md", "under lighttpd:", replace))
    return made


def start_lighttpd(stack, made, **how):
    argv = ["lighttpd", "-D", "-f", made / "lighttpd.conf"]
    return stack.start("lighttpd", argv, ready=lambda: can_connect(("127.0.0.1", stack.web_port)), **how)


def test_beside_debian_s_default_site_of_lighttpd(stack):
    start_backend(stack)
    made = debian_lighttpd(stack)
    start_lighttpd(stack, made)
    check_site(stack)


def test_beside_debian_s_default_site_of_apache(stack):
    """The commands of doc/deployment.md."""
    start_backend(stack)
    site(stack, "html")
    made = configuration(
        stack,
        "apache2",
        lambda text: text.replace("*:80", f"127.0.0.1:{stack.web_port}")
        .replace("Listen 80", f"Listen 127.0.0.1:{stack.web_port}")
        .replace("/var/www/", f"{stack.folder}/")
        .replace("/etc/apache2", f"{stack.folder}/debian-apache2"),
    )
    env = {"APACHE_CONFDIR": str(made), "APACHE_RUN_USER": "www-data", "APACHE_RUN_GROUP": "www-data", "APACHE_PID_FILE": f"{stack.folder}/apache2.pid"}
    env |= {"APACHE_RUN_DIR": str(stack.folder), "APACHE_LOCK_DIR": str(stack.folder), "APACHE_LOG_DIR": str(stack.folder)}
    replace = {"/etc/apache2": made, " etc/": f" {samples(stack)}/"}
    run("bash", "-ec", documented("doc/deployment.md", "## Apache", replace), env=env)
    argv = ["apache2", "-DFOREGROUND", "-d", made, "-f", made / "apache2.conf"]
    stack.start("apache2", argv, ready=lambda: can_connect(("127.0.0.1", stack.web_port)), abrupt=True, env=env)
    check_site(stack)


# -- without systemd


def test_lighttpd_starts_the_worker_where_nothing_has_made_the_folder(stack):
    """/run is empty after a boot; and lighttpd makes the socket as www-data."""
    stack.use_tcp().broker()  # an ipc socket is for its owner
    stack.web_port = free_port()
    stack.fcgi_socket = stack.folder / "run-zcast/sse.sock"
    made = debian_lighttpd(stack)
    config = made / "zcast/zcast.conf"
    config.write_text(config.read_text().replace('include "zcast/events.conf"', 'include "zcast/events-spawn.conf"'))
    for round in range(2):
        web = start_lighttpd(stack, made, clean=False)  # its status is 1 where a worker of its own ended
        check_site(stack)
        web.stop()
        shutil.rmtree(stack.folder / "run-zcast")  # the next boot


def test_the_sockets_folder_at_boot(stack):
    """For who starts the programs otherwise: tmpfiles.d makes it, and who is of the web server's group can use it."""
    if os.getuid() != 0:
        pytest.skip("systemd-tmpfiles gives folders to others as root only")
    (stack.folder / "etc").mkdir()
    (stack.folder / "etc/group").write_text(f"root:x:0:\nwww-data:x:{grp.getgrnam('www-data').gr_gid}:\n")
    run("systemd-tmpfiles", "--create", f"--root={stack.folder}", SOURCE / "etc/systemd/tmpfiles.conf")
    folder = stack.folder / "run/zcast"
    assert folder.stat().st_mode & 0o7777 == 0o775 and folder.group() == "www-data"


def test_our_own_socket_after_a_boot(stack):
    """Ours makes the folder itself."""
    if os.getuid() != 0:
        pytest.skip("only root may make a folder in /run")
    stack.broker()
    folder = f"/run/zcast-test-{os.getpid()}"
    try:
        stack.fcgi(socket_path=f"{folder}/sse.sock").stop()
        assert os.stat(folder).st_mode & 0o777 == 0o755
    finally:
        os.rmdir(folder)


@pytest.mark.parametrize("unit", ["zcast-broker.service", "zcast-fcgi.service", "zcast-fcgi.socket", "zcast-ws.service", "zcast-redis.service"])
def test_systemd_takes_the_unit(stack, unit):
    for path in (SOURCE / "etc/systemd").iterdir():
        if not path.name.endswith((".service", ".socket")):
            continue
        text = re.sub(r"/usr/sbin/(zcast-\w+)", lambda match: "/bin/true", path.read_text())
        (stack.folder / path.name).write_text(text)
    done = run("systemd-analyze", "verify", "--man=no", stack.folder / unit)
    assert done.stderr == ""
