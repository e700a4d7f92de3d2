"""The documents are right. Fenced blocks marked `run` are run, against a private stack in place of the default one."""

import fcntl
import fnmatch
import os
import re
import tempfile
from pathlib import Path

import pytest

from stack import BUILD, SOURCE, run

DOCUMENTS = sorted([*SOURCE.glob("*.md"), *SOURCE.glob("doc/*.md")])
PAGES = ["zcast-broker.8", "zcast-fcgi.8", "zcast-ws.8", "zcast-redis.8", "zmq.1", "zcast.conf.5"]
LAYOUT = ["lib", "broker", "fcgi", "ws", "bridge", "tools", "etc", "debian", "www", "clients", "doc", "tests"]
DAEMONS = ["zcast-broker", "zcast-fcgi", "zcast-ws", "zcast-redis"]


def blocks(path):
    """The fenced blocks to run: (language, text)."""
    return re.findall(r"^```(\w+) run\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def test_readme_publishes(stack):
    """From the shell, from Redis and from Python: every line of the README that publishes."""
    stack.use_tcp()
    stack.broker()
    stack.redis()
    stack.bridge("--subscribe-pattern=news/*")
    listener = stack.sub("news/local")
    tool = lambda match: f"{BUILD / 'tools/zmq'} {match.group(1)} -c {stack.config_file()}"
    found = blocks(SOURCE / "README.md")
    assert [language for language, _ in found] == ["sh", "sh", "python"]
    for language, text in found:
        if language == "sh":
            text = re.sub(r"\bzmq (pub|sub)", tool, text)
            text = text.replace("redis-cli", f"redis-cli -p {stack.redis_port}")
            run("bash", "-ec", text)
        else:
            said = run("/usr/bin/python3", "-c", text.replace("tcp://127.0.0.1:5562", stack.control_endpoint)).stdout
            assert re.fullmatch(r"\[b'OK', b'\d+-\d+'\]\n", said)
        assert listener.poll(30000), text
        assert listener.recv_multipart()[:2] == [b"news/local", b"Water is back"]


def test_the_protocol_is_enough_for_a_publisher(stack):
    """The one that doc/protocol.md shows."""
    stack.use_tcp()
    stack.broker()
    listener = stack.sub("news/local")
    ((language, text),) = blocks(SOURCE / "doc/protocol.md")
    assert language == "python"
    said = run("/usr/bin/python3", "-c", text.replace("tcp://127.0.0.1:5562", stack.control_endpoint)).stdout
    assert re.fullmatch(r"b'#1' b'OK' b'\d+-\d+'\n", said)
    assert listener.poll(30000)
    topic, payload, meta = listener.recv_multipart()
    assert (topic, payload) == (b"news/local", b"Water is back") and b"\nevent: report\n" in meta


def anchors(path):
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_links_lead_somewhere():
    for path in DOCUMENTS:
        for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", path.read_text()):
            if "://" not in target:
                page = path.parent / target if target else path
                assert page.exists(), f"{path.name}: {target}"
                assert not anchor or anchor in anchors(page), f"{path.name}: {target}#{anchor}"


def test_the_files_that_architecture_names_are_there():
    text = (SOURCE / "ARCHITECTURE.md").read_text()
    folders = re.findall(r"^\| `(\w+/)` \|.*\| ([^|]*) \|$", text, re.MULTILINE)
    assert {folder for folder, _ in folders} == {f"{path.name}/" for path in SOURCE.iterdir() if path.name in LAYOUT}
    for folder, names in folders:
        for name in re.findall(r"`([^`]+)`", names):
            assert (SOURCE / folder / name).exists(), f"{folder}{name}"
    found = {}
    for folder, names in re.findall(r"^\|(?: `lib/(\w+)/`)? +\| (`.*?) \|", text.split("one noun is one pair of files")[1].split("\n## ")[0], re.MULTILINE):
        here = folder or here
        found.setdefault(here, []).extend(re.findall(r"`([^`]+)`", names))
    assert set(found) == {path.name for path in (SOURCE / "lib").iterdir() if path.is_dir() and list(path.glob("*.[ch]"))}
    for folder, nouns in found.items():
        there = {path.stem for path in (SOURCE / "lib" / folder).glob("*.[ch]")}
        for noun in nouns:
            assert fnmatch.filter(there, noun), f"lib/{folder}/{noun}"
        left = {stem for stem in there if not any(fnmatch.fnmatch(stem, noun) for noun in nouns)}
        assert left == set(), f"in lib/{folder}/, and not in the table"


def test_deployment_installs_what_quickstart_installs():
    text = (SOURCE / "doc/deployment.md").read_text()
    told = re.search(r"apt-get install (gcc .*?)\n\./autogen", text, re.DOTALL).group(1).replace("\\\n", " ").split()
    script = (SOURCE / "tools/quickstart").read_text()
    installed = re.search(r"build_packages=\((.*?)\)", script, re.DOTALL).group(1).split()
    assert set(told) == set(installed) - {"libc6-dev"}  # gcc recommends it


def test_the_sample_configuration_has_its_sections_and_no_other():
    lines = (SOURCE / "etc/zcast.conf").read_text().splitlines()
    assert [line for line in lines if line and line[0] not in "# "] == ["common", "broker", "fcgi", "ws", "bridge"]


def test_the_sample_configuration_has_every_key():
    """etc/zcast.conf is what the programs say of themselves; `make update-conf` writes it."""
    text = (SOURCE / "etc/zcast.conf").read_text()
    for name in DAEMONS:
        assert run(name, "--help=conf").stdout in text, f"{name}: run make update-conf"


def test_every_program_knows_the_keys_of_all():
    """lib/config/sections.inc, by which -t checks the whole of a file, likewise."""
    assert (SOURCE / "lib/config/sections.inc").read_text() == "".join(run(name, "--help=keys").stdout for name in [*DAEMONS, "zmq"]), "run make update-conf"


@pytest.mark.parametrize("name", DAEMONS)
def test_the_sample_configuration_is_good(name):
    """As it is, and with every default said aloud."""
    run(name, "-t", "--config", SOURCE / "etc/zcast.conf")


@pytest.mark.parametrize("name", DAEMONS)
def test_every_default_may_be_said(stack, name):
    text = (SOURCE / "etc/zcast.conf").read_text()
    path = stack.folder / "all.conf"
    # those without a default have the name of the argument in its place
    path.write_text(re.sub(r"^    #(?=[\w-]+ = [^A-Z\n]*$)", "    ", text, flags=re.MULTILINE))
    run(name, "-t", "--config", path)


def test_paths_in_the_manual_are_those_of_the_build():
    """Where `configure` put configuration is where the programs look, the pages say, and nothing speaks of another folder."""
    folder = re.search(r"^sysconfdir = (.*)$", (BUILD / "Makefile").read_text(), re.MULTILINE).group(1)
    prefix = re.search(r"^prefix = (.*)$", (BUILD / "Makefile").read_text(), re.MULTILINE).group(1)
    path = folder.replace("${prefix}", prefix) + "/zcast/zcast.conf"
    for name in DAEMONS:
        assert path in re.sub(r"\s+", " ", run(name, "--help").stdout)
    for page in PAGES:
        text = (BUILD / "doc" / page).read_text().replace("\\-", "-")
        assert set(re.findall(r"\S*/zcast\.conf\b", text)) <= {path}, page
        assert "@SYSCONFDIR@" not in text
        if page[-1] != "1":
            assert path in text, page


def install(place, target="install"):
    make = ["make", "-s", "-C", BUILD, f"DESTDIR={place}", "prefix=/usr", "sysconfdir=/etc", "docdir=/usr/share/doc/zcast"]
    with open(Path(tempfile.gettempdir()) / f"zcast-install-{os.getuid()}.lock", "a") as lock:  # makes beside one another make the same pages
        fcntl.flock(lock, fcntl.LOCK_EX)
        run("make", "-s", "-C", BUILD, timeout=600, env={"MAKEFLAGS": "", "MAKELEVEL": ""})  # what is old isn't made for the other folders
        run(*make, target, timeout=300, env={"MAKEFLAGS": "", "MAKELEVEL": ""})


def test_installation(stack):
    """Installs, with all its pages and units, and uninstalls without a trace."""
    place = stack.folder / "place"
    install(place)
    for name in DAEMONS:
        assert "0.1" in run(place / "usr/sbin" / name, "--version").stdout
        unit = (place / f"usr/lib/systemd/system/{name}.service").read_text()
        assert f"ExecStart=/usr/sbin/{name} --config /etc/zcast/zcast.conf" in unit
    assert (place / "usr/bin/zmq").exists()
    for path in ("bash-completion/completions/zmq", "zsh/site-functions/_zmq", "fish/vendor_completions.d/zmq.fish"):
        assert "--ndjson" in (place / "usr/share" / path).read_text() or "-l ndjson" in (place / "usr/share" / path).read_text()
    for page in PAGES:
        path = place / f"usr/share/man/man{page[-1]}" / page
        done = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", path, env={"MANROFFSEQ": "", "MANWIDTH": "80"})
        assert done.stderr == "", page
        assert "@" not in re.sub(r"\S+@\S+", "", done.stdout)
    install(place, "uninstall")
    left = [path for path in place.rglob("*") if not path.is_dir()]
    assert left == []


def test_installation_brings_documents_sample_and_licence(stack):
    place = stack.folder / "place"
    install(place)
    documents = place / "usr/share/doc/zcast"
    assert (documents / "LICENSE").read_text() == (SOURCE / "LICENSE").read_text()
    assert (documents / "examples/etc/zcast.conf").read_text() == (SOURCE / "etc/zcast.conf").read_text()
    for path in (SOURCE / "etc").rglob("*.conf"):
        if path.parent.name != "systemd":
            assert (documents / "examples" / path.relative_to(SOURCE)).read_text() == path.read_text()
    for path in DOCUMENTS:
        installed = documents / path.relative_to(SOURCE)
        assert installed.read_text() == path.read_text()
        for target, _ in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", installed.read_text()):
            assert "://" in target or not target or (installed.parent / target).exists(), f"{installed}: {target}"


def test_installing_again_keeps_the_configuration(stack):
    """Where there is none the sample is it; what an operator wrote stays, also when it is uninstalled."""
    place = stack.folder / "place"
    config = place / "etc/zcast/zcast.conf"
    install(place)
    assert config.read_text() == (SOURCE / "etc/zcast.conf").read_text()
    config.write_text("broker\n    max-payload = 2M\n")
    install(place)
    install(place, "uninstall")
    assert config.read_text() == "broker\n    max-payload = 2M\n"


@pytest.mark.parametrize("unit", [f"{name}.service" for name in DAEMONS])
def test_units_try_again_for_ever_but_not_a_mistake(unit):
    text = (SOURCE / "etc/systemd" / unit).read_text()
    sections = dict(re.findall(r"^\[(\w+)\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL))
    assert "StartLimitIntervalSec=0\n" in sections["Unit"]
    assert "Restart=on-failure\n" in sections["Service"] and "RestartPreventExitStatus=2\n" in sections["Service"]


def test_sockets_are_where_units_make_them():
    """What samples, documents and examples name below /run: systemd listens there, or it is in the folder that its daemon may write in."""
    units = SOURCE / "etc/systemd"
    listens = re.findall("^ListenStream=(.*)", (units / "zcast-fcgi.socket").read_text(), re.M)
    folders = re.findall("^RuntimeDirectory=(.*)", (units / "zcast-ws.service").read_text(), re.M)
    places = [*SOURCE.glob("etc/**/*.*"), *SOURCE.glob("doc/*.md"), *SOURCE.glob("doc/*.in"), SOURCE / "README.md", *SOURCE.glob("*/*.c")]
    named = {path for place in places for path in re.findall(r"/run/[\w/-]+\.sock", place.read_text(errors="ignore"))}
    assert {"/run/zcast/sse.sock", "/run/zcast-ws/ws.sock"} <= named
    wrong = {path for path in named if path not in listens and Path(path).parent not in [Path("/run") / each for each in folders]}
    assert not wrong


def commands(path):
    """The shell commands of a document, a block each."""
    return re.findall(r"^```sh(?: run)?\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_of_the_documents_can_be_run_twice(path):
    """No second run fails, makes something inside of what the first made, or takes back what was edited since."""
    for line in "".join(commands(path)).replace("\\\n", " ").splitlines():
        line = line.split("#")[0].strip()
        assert not re.search(r"\bmkdir (?!-p)", line), line
        assert not re.search(r"\bcp -r\S* \S*[^/.*] ", line), f"{line}: a second time it goes into itself"
        assert not re.search(r"\bln -s(?!fn)", line), line
        assert not re.search(r">>|tee -a", line), f"{line}: appended twice"
        into_etc = re.search(r"\b(cp|install)\b.* /etc/", line)
        assert not into_etc or "cp -n" in line or "--update=none" in line, f"{line}: what was edited is gone"


# -- the log

CALL = re.compile(r"\bzc_(?:error|warn|info|debug|log|log_limited) \(")
LOGGED = re.compile(r'ZC_EVENT \(\s*"([^"]*)",\s*((?:"(?:\\.|[^"\\])*"|PRI[a-z]\d+|\s)+)\)')
RESERVED = {"time", "level", "program", "pid", "event", "message", "trace_id", "span_id", "left_out"}


def log_calls():
    """(place, the call's text) of every call that logs."""
    for path in sorted(path for folder in ("lib", "broker", "fcgi", "ws", "bridge", "tools") for path in (SOURCE / folder).rglob("*.c")):
        text = path.read_text()
        if path.relative_to(SOURCE).as_posix() != "lib/base/log.c":
            for match in CALL.finditer(text):
                yield f"{path.relative_to(SOURCE)}:{text.count(chr(10), 0, match.start()) + 1}", text[match.end() : text.index(";\n", match.end())]


def test_every_line_of_the_log_has_an_event():
    unnamed = [place for place, call in log_calls() if not LOGGED.search(call)]
    assert not unnamed, 'name what is logged: zc_warn (ZC_EVENT ("noun.verb field field", "text %s %d"), …); and a row in doc/logs.md'
    for place, call in log_calls():
        names, text = LOGGED.search(call).groups()
        event, *fields = names.split(" ")
        assert re.fullmatch(r"[a-z]+\.[a-z]+", event), place
        given = [field for field in fields if field != "-"]
        assert len(set(given)) == len(given) and not RESERVED & set(given), place
        assert all(re.fullmatch(r"[a-z]+", field) for field in given), place
        conversions = re.findall(r"%(?!%)[-+ #0]*\d*(?:\.(?:\*|\d*))?(?:hh?|ll?|z)?(.)", re.sub(r'"\s*PRI(.)\d+\s*"?', r"\1", text).replace("%%", ""))
        assert all(letter in "cdiuxs" for letter in conversions), f"{place}: lib/base/log_line.c knows no such conversion: {conversions}"
        assert len(fields) <= len(conversions), f"{place}: more fields than conversions"


def test_every_event_is_documented():
    """With its fields and levels, and no other one."""
    told = {}
    for event, levels, fields in re.findall(r"^\| `([a-z]+\.[a-z]+)` \| ([a-z, ]*) \| ([^|]*) \| [^|]+ \|$", (SOURCE / "doc/logs.md").read_text(), re.MULTILINE):
        assert event not in told, event
        told[event] = (set(levels.split(", ")), set(re.findall(r"`(\w+)`", fields)))
    assert list(told) == sorted(told)
    logged = {}
    for place, call in log_calls():
        if not LOGGED.search(call):  # the test above tells of it
            continue
        event, *fields = LOGGED.search(call).group(1).split(" ")
        levels, known = logged.setdefault(event, (set(), set()))
        known |= set(fields) - {"-"}
        line = (SOURCE / place.split(":")[0]).read_text().split("\n")[int(place.split(":")[1]) - 1]
        levels |= {level.lower() for level in re.findall(r"ZC_LOG_(ERROR|WARN|INFO|DEBUG)", call)} or set(re.findall(r"\bzc_(error|warn|info|debug) \(", line))
    assert told == logged


def test_sizing_says_what_was_measured():
    """The figures that doc/sizing.md has from doc/performance.md are still there, and its example follows from them."""
    sizing, measured = (SOURCE / "doc/sizing.md").read_text(), (SOURCE / "doc/performance.md").read_text()
    rows = {cells[1]: [int(cell.replace(" bytes", "").replace(",", "") or 0) for cell in cells[2:5]]
            for cells in (re.split(r"\s*\|\s*", line) for line in sizing.splitlines() if re.match(r"\| (WebSocket|SSE), ", line))}
    assert len(rows) == 3
    for figure in [*(f"{number:,}" for row in rows.values() for number in row if number), "18.99", "21.94", "3.04"]:
        assert re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d])", measured), figure
    example = sizing[sizing.index("## An example"):]
    for number in (number for name, row in rows.items() if name != "SSE, `zcast-ws`" for number in row if number):
        assert f"{number * 10000 / 1e6:.1f} MB" in example, number
