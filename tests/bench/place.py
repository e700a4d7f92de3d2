"""A temporary folder, free ports, and the processes of one system under test.

Everything listens on loopback, and everything that was started here is ended here, by its pid.
"""
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("ZCAST_BUILD", SOURCE))
DESCRIPTORS = 20000

NGINX = """
{user}
{modules}
worker_processes {workers};
worker_rlimit_nofile {descriptors};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections {descriptors}; multi_accept on; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    keepalive_timeout 1h;
{body}
}}
"""


class Missing(Exception):
    """A program or package that a system needs isn't there."""


class System:
    """A running system: the processes to account for, and how to load it."""

    def __init__(self, groups, load):
        self.groups = groups  # name: pid, or a list of pids
        self.load = load      # arguments of the load generator


class Place:
    def __init__(self, verbose=False):
        self.folder = tempfile.mkdtemp(prefix="zcast-bench-")
        os.chmod(self.folder, 0o755)
        self.processes = []
        self.verbose = verbose

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 10
        for process in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def built(self, name):
        path = os.path.join(BUILD, name)
        if not os.access(path, os.X_OK):
            raise Missing(f"{name} is not built")
        return path

    def program(self, name):
        path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if not path:
            raise Missing(f"{name} is not installed")
        return path

    def port(self):
        """Free, and below the range that outgoing connections take theirs from."""
        while True:
            port = random.randint(20000, 31999)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue

    def spawn(self, argv, name=None, **options):
        name = name or os.path.basename(argv[0])
        log = open(self.path(f"{name}.{len(self.processes)}.log"), "wb")
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, cwd=self.folder, **options)
        log.close()
        self.processes.append(process)
        return process.pid

    def logs(self):
        text = ""
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".log"):
                with open(self.path(name), encoding="utf-8", errors="replace") as file:
                    lines = file.read().splitlines()[-15:]
                text += "".join(f"{name}: {line}\n" for line in lines)
        return text

    def wait(self, address, seconds=20):
        """Until something accepts at a port or a Unix socket's path."""
        deadline = time.monotonic() + seconds
        while True:
            family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
            with socket.socket(family) as probe:
                target = address if isinstance(address, str) else ("127.0.0.1", address)
                if probe.connect_ex(target) == 0:
                    return
            if time.monotonic() > deadline or any(p.poll() is not None for p in self.processes):
                raise RuntimeError(f"nothing listens at {address}\n{self.logs()}")
            time.sleep(0.02)

    def wait_http(self, port, path, seconds=20):
        """Until a GET is answered 200."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                    return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{path}: {error}\n{self.logs()}") from error
            time.sleep(0.05)

    def nginx(self, body, modules=(), workers=1):
        text = NGINX.format(
            user="user root;" if os.geteuid() == 0 else "", workers=workers, folder=self.folder,
            modules="".join(f"load_module {m};\n" for m in modules), body=body,
            descriptors=DESCRIPTORS)
        return self.spawn([self.program("nginx"), "-p", self.folder, "-c",
                           self.write("nginx.conf", text), "-g", "daemon off;"])

    def system(self, name, transport, **options):
        """Starts tests/bench/systems/NAME.py."""
        module = __import__(f"systems.{name}", fromlist=["start"])
        return module.start(self, transport, **options)

