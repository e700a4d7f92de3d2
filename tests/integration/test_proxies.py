"""A second proxy in front of the web server, with what it does by default, or does to text where it is asked to compress: events
come when they are published, and who is cut comes back."""

import pytest

from stack import BUILD, SOURCE, Missing, can_connect, free_port, program

PACKAGES = BUILD / "tests/clients"


def nginx(stack, folder, port, target):
    (folder / "front.conf").write_text(f"""
        daemon off; pid {folder}/front.pid; error_log stderr;
        events {{ }}
        http {{
            access_log off; client_body_temp_path {folder}/temp; proxy_temp_path {folder}/temp; fastcgi_temp_path {folder}/temp;
            uwsgi_temp_path {folder}/temp; scgi_temp_path {folder}/temp;
            server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{target}; }} }}
        }}""")
    return ["nginx", "-p", f"{folder}/", "-e", "stderr", "-c", "front.conf"]


def nginx_that_compresses(stack, folder, port, target):
    words = nginx(stack, folder, port, target)
    conf = folder / "front.conf"
    conf.write_text(conf.read_text().replace("http {", "http { gzip on; gzip_proxied any; gzip_min_length 0; gzip_types text/event-stream;"))
    return words


def express_that_compresses(stack, folder, port, target):
    if not (PACKAGES / ".installed").exists():
        raise Missing("express isn't installed: tools/quickstart check, or make check-clients")
    return ["node", SOURCE / "tests/clients/compress.mjs", PACKAGES, port, target]


def haproxy(stack, folder, port, target):
    (folder / "haproxy.cfg").write_text(f"""
defaults
    mode http
    timeout connect 10s
    timeout client 10m
    timeout server 10m
    compression algo gzip
    compression type text/event-stream text/plain
listen front
    bind 127.0.0.1:{port}
    server site 127.0.0.1:{target}
""")
    return ["haproxy", "-db", "-f", folder / "haproxy.cfg"]


def varnish(stack, folder, port, target):
    program("gcc")  # it compiles its configuration
    return ["varnishd", "-F", "-j", "none", "-n", folder / "varnish", "-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{target}", "-s", "malloc,32m"]


def lighttpd_that_compresses(stack, folder, port, target):
    (folder / "front.conf").write_text(f"""
        server.bind = "127.0.0.1"
        server.port = {port}
        server.document-root = "{folder}"
        server.stream-response-body = 1
        server.modules = ("mod_proxy", "mod_deflate")
        deflate.mimetypes = ("text/")
        deflate.allowed-encodings = ("gzip")
        proxy.server = ("" => (("host" => "127.0.0.1", "port" => {target})))
    """)
    return ["lighttpd", "-D", "-f", folder / "front.conf"]


def apache_that_compresses(stack, folder, port, target):
    modules = "/usr/lib/apache2/modules"
    names = ["mpm_event", "authz_core", "proxy", "proxy_http", "filter", "deflate"]
    loads = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in names)
    (folder / "front.conf").write_text(f"""{loads}
        ServerName localhost
        Listen 127.0.0.1:{port}
        User www-data
        Group www-data
        PidFile {folder}/front.pid
        ErrorLog /dev/stderr
        AddOutputFilterByType DEFLATE text/event-stream
        ProxyPass "/" "http://127.0.0.1:{target}/" flushpackets=on
    """)
    return ["apache2", "-DFOREGROUND", "-d", folder, "-f", folder / "front.conf"]


FRONTS = [nginx, nginx_that_compresses, express_that_compresses, haproxy, varnish, lighttpd_that_compresses, apache_that_compresses]


def start(stack, web, front):
    """The stack, and a proxy in front of its web server; stack.web_port is the proxy's then."""
    stack.broker()
    worker = stack.fcgi("--retry=200ms", "--socket-mode=0666")
    worker.wait_log("broker: connected")
    getattr(stack, web)()
    folder = stack.folder / "front"
    folder.mkdir()
    port, target = free_port(), stack.web_port
    how = {"abrupt": True} if front is apache_that_compresses else {}
    stack.start("front", [str(word) for word in front(stack, folder, port, target)], ready=lambda: can_connect(("127.0.0.1", port)), **how)
    stack.web_port = port
    return worker


def check_flow(stack):
    """Messages come while the stream goes on, to a request like a browser's."""
    browser = stack.start("curl", ["curl", "-sN", "--compressed", stack.url("/events", ["a"])])
    browser.wait_log(r"(?s)^: zcast\nretry: \d+\n.*id: ")
    for number in range(3):
        id = stack.publish("a", f"number {number}")
        browser.wait_log(f"data: number {number}\nid: {id}\n\n")
    assert browser.running()


def check_return(stack, worker):
    """A worker that is killed, and away for a while; and one that is stopped."""
    with stack.sse("a", reconnect=True) as client:
        client.wait_open()
        worker.kill()
        stack.publish("a", "one")
        connections = client.connections
        client._wait(lambda: client.given_up or client.connections > connections, "the web server's answer", 90)
        worker = stack.fcgi("--retry=200ms", "--socket-mode=0666")
        client.wait(1)
        assert worker.stop() == 0
        stack.publish("a", "two")
        stack.fcgi("--retry=200ms", "--socket-mode=0666")
        assert [event.data for event in client.wait(2)] == ["one", "two"]
        assert not client.given_up


@pytest.mark.parametrize("front", FRONTS, ids=[front.__name__ for front in FRONTS])
def test_in_front_of_nginx(stack, front):
    worker = start(stack, "nginx", front)
    check_flow(stack)
    check_return(stack, worker)


@pytest.mark.parametrize("front", [nginx, express_that_compresses], ids=["nginx", "express_that_compresses"])
@pytest.mark.parametrize("web", ["lighttpd", "apache"])
def test_in_front_of_others(stack, web, front):
    worker = start(stack, web, front)
    check_flow(stack)
    check_return(stack, worker)
