"""The npm package, as it is packed: under node, tsc, esbuild, Vite and webpack; and the recipes of doc/recipes.md, in Chromium."""

import gzip
import html
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from stack import BUILD, SOURCE, program, wait_for
from test_page import start

CLIENTS = BUILD / "tests/clients"
RECIPES = {name: (kind, text) for kind, name, text in re.findall(r"^```(\w+) recipe (\w+)\n(.*?)^```$", (SOURCE / "doc/recipes.md").read_text(), re.M | re.S)}


def run(*words, cwd):
    made = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


@pytest.fixture(scope="session")
def project():
    """The folder of a user who has installed the package, below the packages that the tests install."""
    assert (CLIENTS / ".installed").exists(), "the clients of others are not installed: make check-clients"
    folder = Path(tempfile.mkdtemp(prefix="packed-", dir=CLIENTS))
    package = folder / "node_modules/zcast"
    package.mkdir(parents=True)
    copy = folder / "source"  # packing writes into its folder
    shutil.copytree(SOURCE / "clients/js", copy / "clients/js")
    shutil.copytree(SOURCE / "www", copy / "www")
    name = run(program("npm"), "pack", "--pack-destination", folder, cwd=copy / "clients/js").split()[-1]
    with tarfile.open(folder / name) as tar:
        tar.extractall(package.parent / "unpacked")
    package.rmdir()
    (package.parent / "unpacked/package").rename(package)
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    yield folder
    shutil.rmtree(folder)


def bundle(project, tool, entry):
    out = project / f"out-{tool}-{entry}.js"
    run(program("node"), SOURCE / "tests/clients/bundle.mjs", tool, f"./{entry}", out, cwd=project)
    return out.read_text()


def test_what_is_packed(project):
    package = project / "node_modules/zcast"
    names = {path.name for path in package.iterdir()}
    types = {path.name for path in (SOURCE / "clients/js").glob("*.d.ts")}
    assert names == {"README.md", "package.json", "react.js", "src", "vue.js", "zcast.js"} | types
    assert (package / "zcast.js").read_text() == (SOURCE / "www/zcast.js").read_text()
    for name, files in json.loads((package / "package.json").read_text())["exports"].items():
        for file in files.values():
            assert (package / file).exists(), f"{name}: {file}"


def size_of(project, code):
    (project / "size.js").write_text(code)
    words = ["size.js", "--bundle", "--minify", "--format=esm", "--target=es2020", "--external:react", "--external:vue"]
    return len(gzip.compress(run(CLIENTS / "node_modules/.bin/esbuild", *words, cwd=project).encode(), 9))


def test_sizes_are_what_its_readme_says(project):
    assert size_of(project, "export * from 'zcast/core';") <= 6 * 1024
    whole = "export * from 'zcast';"
    base = size_of(project, whole)
    entries = set()
    for names, figures in re.findall(r"^\| (`zcast.*?`) \|.*\| ([^|]+) \|$", (SOURCE / "clients/js/README.md").read_text(), re.M):
        for name, figure in zip(re.findall("`(zcast[^`]*)`", names), figures.split(", "), strict=True):
            entries.add(name)
            more = figure.startswith("+")
            size = size_of(project, f"{whole} export * as more from '{name}';") - base if more else size_of(project, f"export * from '{name}';")
            said = float(figure.strip("+").split()[0]) * 1000
            assert said - 150 <= size <= said, f"{name}: {size} bytes, and not {figure}"
    exports = json.loads((project / "node_modules/zcast/package.json").read_text())["exports"]
    assert entries == {f"zcast{name[1:]}" for name in exports} - {"zcast/zcast.js"}


def test_under_node(project):
    """Nothing happens while a page is rendered on a server, and the hooks' first state is what a page shows first."""
    (project / "server.mjs").write_text(
        """import { createElement } from 'react';
        import { renderToString } from 'react-dom/server';
        import { createSSRApp, h } from 'vue';
        import { renderToString as renderVue } from 'vue/server-renderer';
        import * as zcast from 'zcast';
        import * as core from 'zcast/core';
        import { useZcast } from 'zcast/react';
        import { useZcast as useInVue } from 'zcast/vue';
        const React = ({ topic }) => createElement('p', null, useZcast(topic).state);
        const Vue = { props: ['topic'], setup: ({ topic }) => { const { status } = useInVue(topic); return () => h('p', status.value.state); } };
        const made = [renderToString(createElement(React, { topic: 'a' })), renderToString(createElement(React, { topic: null }))];
        for (const topic of ['a', null]) made.push(await renderVue(createSSRApp(Vue, { topic })));
        const all = await import('zcast/all');
        console.log(JSON.stringify([Object.keys(zcast), Object.keys(core), Object.keys(all), all.subscribe === zcast.subscribe, ...made]));"""
    )
    whole, core, names, same, *made = json.loads(run(program("node"), "server.mjs", cwd=project))
    assert {"subscribe", "backoffDelay"} == set(core) == set(whole)
    assert {*core, "once", "publish"} == set(names) and same
    assert made == ["<p>connecting</p>", "<p>idle</p>"] * 2


def test_its_types(project):
    (project / "good.ts").write_text(
        """import { subscribe, type Message, type Status } from 'zcast';
        import { once } from 'zcast/once';
        import { subscribe as core } from 'zcast/core';
        import { publish } from 'zcast/publish';
        import 'zcast/share';
        import 'zcast/fetch';
        import 'zcast/token';
        import * as everything from 'zcast/all';
        import { subscribe as whole } from 'zcast/zcast.js';
        import { useZcast } from 'zcast/react';
        import { useZcast as useInVue } from 'zcast/vue';
        const events = subscribe(['a'], (message: Message) => console.log(message.data, message.eventId?.length), {
          transport: 'ws', since: null, token: async () => 't', onState: ({ state, role }: Status) => console.log(state === 'open', role),
          onContinuity: ({ status, from }) => console.log(status === 'gap' && from), onError: ({ status, code, message }) => console.log(status, code, message) });
        events.add('b', 'c', { since: 'earliest' });
        events.remove('b');
        export async function all() { for await (const { topic } of events) console.log(topic.length); return (await once('a')).id + (await publish('a', 'x', { key: 'k' })).id; }
        export const own = core([{ match: 'a/#' }, 'b'], null, { token: 't' });
        own.add({ template: '{x}' });
        export const one = [everything.once, everything.publish, everything.subscribe, whole];
        export const status: Status = useZcast(null);
        export const inVue: Status = useInVue(() => 'a').status.value;"""
    )
    (project / "bad.ts").write_text(
        """import { subscribe } from 'zcast';
        // @ts-expect-error
        subscribe('a', () => {}, { transport: 'tcp' });
        // @ts-expect-error
        subscribe(1);
        // @ts-expect-error
        subscribe({ filter: 'a' });
        // @ts-expect-error
        subscribe('a').state = 'open';"""
    )
    tsc = CLIENTS / "node_modules/.bin/tsc"
    for module, resolution in ("esnext", "bundler"), ("nodenext", "nodenext"):
        options = ["--strict", "--noEmit", "--target", "es2020", "--lib", "es2022,dom", "--module", module, "--moduleResolution", resolution]
        run(tsc, *options, "--types", "", "good.ts", "bad.ts", cwd=project)


# What only its own entry point brings, as it is called in the bundle.
EXTRAS = {"share": "BroadcastChannel", "fetch": "getReader", "token": ".exp", "once": "reader", "publish": "application/octet-stream"}


@pytest.mark.parametrize("tool", ["esbuild", "vite", "webpack"])
def test_what_is_not_used_is_not_bundled(project, tool):
    (project / "core.js").write_text("import { subscribe } from 'zcast'; window.events = subscribe('a');")
    (project / "more.js").write_text(
        """import { subscribe } from 'zcast'; import 'zcast/share'; import 'zcast/fetch'; import 'zcast/token';
        import { once } from 'zcast/once'; import { publish } from 'zcast/publish';
        Object.assign(window, { events: subscribe('a'), once, publish });"""
    )
    found = {name: [extra for extra, word in EXTRAS.items() if word in bundle(project, tool, name)] for name in ("core.js", "more.js")}
    assert found == {"core.js": [], "more.js": [*EXTRAS]}


@pytest.mark.parametrize("tool", ["esbuild", "vite", "webpack"])
def test_bundled(stack, browser, project, tool):
    (project / "app.js").write_text(
        """import { subscribe } from 'zcast';
        window.got = [];
        window.events = subscribe('a', ({ data }) => got.push(data));"""
    )
    start(stack)
    browser.open(stack.url("/zcast.js"))
    browser.js(bundle(project, tool, "app.js"))
    browser.wait_js("return window.events?.state === 'open'")
    stack.publish("a", "here")
    browser.wait_js("return got.length === 1 && got[0] === 'here'")


def open_recipe(stack, browser, project, name):
    kind, text = RECIPES[name]
    entry = f"{name}.{kind}"
    (project / entry).write_text(text)
    if kind == "svelte":
        (project / "main.js").write_text("import { mount } from 'svelte';\nimport App from './svelte.svelte';\nmount(App, { target: document.getElementById('app') });")
        entry = "main.js"
    script = bundle(project, "esbuild", entry)
    browser.open(stack.url("/zcast.js"))
    browser.js("document.body.innerHTML = '<div id=app></div>'")
    return script


LIST = "return [...document.querySelectorAll('li')].map(({ textContent }) => textContent)"


@pytest.mark.parametrize("name", ["react", "vue", "svelte"])
def test_frameworks(stack, browser, project, name):
    start(stack)
    browser.js(open_recipe(stack, browser, project, name))
    is_open = "return document.querySelector('#state')?.textContent === 'open'"
    browser.wait_js(is_open)
    for text in "one", "two":
        stack.publish("news", text)
    wait_for(lambda: browser.js(LIST) == ["one", "two"], lambda: browser.js(LIST))
    browser.js("document.querySelector('button').click()")

    def moved():
        stack.publish("sports", "goal")
        return "goal" in browser.js(LIST)

    wait_for(moved, "the other topic")
    stack.publish("news", "three")
    browser.wait_js(is_open)
    stack.publish("sports", "end")
    wait_for(lambda: browser.js(LIST)[-1] == "end", lambda: browser.js(LIST))
    assert "three" not in browser.js(LIST)


@pytest.mark.parametrize("name", ["htmx2", "htmx4"])
def test_htmx(stack, browser, name):
    files = {"htmx2": ["htmx2/dist/htmx.js", "htmx-ext-sse/sse.js"], "htmx4": ["htmx.org/dist/htmx.js", "htmx.org/dist/ext/hx-sse.js"]}[name]
    start(stack)
    browser.open(stack.url("/zcast.js"))
    for file in files:
        browser.js("const script = document.createElement('script'); script.text = arguments[0]; document.head.append(script)", (CLIENTS / "node_modules" / file).read_text())
    browser.js("document.body.innerHTML = arguments[0]; htmx.process(document.body)", RECIPES[name][1])

    def arrives():
        stack.publish("news", "<li>first</li>")
        return browser.js(LIST)

    wait_for(arrives, "a message")
    count = len(browser.js(LIST))
    for number in range(5):
        stack.publish("news", f"<li>{number}</li>")
    wait_for(lambda: browser.js(LIST)[-5:] == list("01234"), lambda: (count, browser.js(LIST)))
    assert set(browser.js(LIST)) == {"first", *"01234"}, "something of zcast's own was shown"


def test_datastar(stack, browser, project):
    (project / "datastar.js").write_text("import '@starfederation/datastar/bundles/datastar';")
    worker, _ = start(stack)
    browser.open(stack.url("/zcast.js"))
    browser.js("document.body.innerHTML = arguments[0]", RECIPES["datastar"][1])
    browser.js(bundle(project, "esbuild", "datastar.js"))
    message = RECIPES["datastar_message"][1].strip()

    def publish(text):
        stack.publish("news", message.replace("Water is back", text), {"event": "datastar-merge-fragments"})

    def arrives():
        publish("first")
        return browser.js(LIST)

    wait_for(arrives, "a message")
    for number in range(5):
        publish(str(number))
    wait_for(lambda: browser.js(LIST)[-5:] == list("01234"), lambda: browser.js(LIST))
    worker.kill()
    publish("missed")
    stack.fcgi()
    wait_for(lambda: browser.js(LIST)[-1] == "missed", lambda: browser.js(LIST))
    publish("last")
    wait_for(lambda: browser.js(LIST)[-7:] == [*"01234", "missed", "last"], lambda: browser.js(LIST))
    assert set(browser.js(LIST)) == {"first", *"01234", "missed", "last"}, "something of zcast's own was shown"


def test_datastar_1_has_the_names_of_its_sdk(monkeypatch):
    monkeypatch.syspath_prepend(CLIENTS / "python")
    from datastar_py import ServerSentEventGenerator, attribute_generator

    message = RECIPES["datastar1_message"][1].strip()
    event = str(ServerSentEventGenerator.patch_elements("<li>Water is back</li>", selector="#news", mode="append"))
    assert event.strip().split("\n") == ["event: datastar-patch-elements", *(f"data: {line}" for line in message.split("\n"))]
    [action] = re.findall('data-init="(.*?)"', RECIPES["datastar1"][1])
    assert html.unescape(str(attribute_generator.init(action))) == f'data-init="{action}"'


def test_under_deno(stack, project):
    """Over either transport, with what was missed while the worker was away."""
    deno = next(CLIENTS.glob("node_modules/@deno/*/deno"))
    (project / "deno.mjs").write_text(
        """import { subscribe } from 'zcast';
        import { publish } from 'zcast/publish';
        const base = Deno.args[0];
        const all = ['sse', 'ws'].map((transport) => {
          const heard = { transport, got: [], verdicts: [] };
          const options = { base, transport, backoff: 100, onContinuity: ({ status }) => heard.verdicts.push(status) };
          heard.sub = subscribe('a', ({ data }) => (heard.got.push(data), console.log(transport, data)), {
            ...options, onState: ({ state }) => console.log(transport, state) });
          return heard;
        });
        const until = async (condition) => { while (!all.every(condition)) await new Promise((done) => setTimeout(done, 10)); };
        await until(({ sub }) => sub.state === 'open');
        await publish('a', 'by deno', { base });
        await until(({ got }) => got.length === 3);
        for (const { sub } of all) sub.close();
        console.log(JSON.stringify(all.map(({ got, verdicts }) => [got, verdicts])));"""
    )
    stack.broker()
    worker = stack.ws("--allow-publish")
    deno_env = {**os.environ, "DENO_NO_UPDATE_CHECK": "1", "DENO_DIR": str(project / "deno"), "NO_COLOR": "1"}
    argv = [deno, "run", "--allow-net", "--allow-env", "--no-lock", "--node-modules-dir=manual", "deno.mjs", f"http://127.0.0.1:{stack.ws_port}"]
    with subprocess.Popen(argv, cwd=project, env=deno_env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            seen = []
            while not {"sse by deno", "ws by deno"} <= set(seen):
                seen.append(process.stdout.readline().strip())
                assert seen[-1], seen
            worker.kill()
            stack.publish("a", "missed")
            stack.ws()
            stack.publish("a", "last")
            *_, made = (seen + process.stdout.read().strip().split("\n"))
            assert json.loads(made) == [[["by deno", "missed", "last"], ["continued"]]] * 2
        finally:
            process.kill()


def test_a_snapshot_then_the_stream(stack, browser, project):
    stack.broker("--topic-messages=8")
    workers = [stack.ws(), stack.fcgi()]
    stack.nginx()
    script = open_recipe(stack, browser, project, "snapshot")
    browser.js("window.shown = new Set(); window.show = (all) => (shown = new Set(all)); window.apply = ({ data }) => shown.add(data);")
    browser.js("window.waiting = []; window.loadSnapshot = () => new Promise((done) => waiting.push(done));")
    stack.publish("prices", "0")
    browser.js(script)
    browser.wait_js("return waiting.length === 1")
    stack.publish("prices", "1")
    browser.wait_js("return events.lastId && events.state === 'open'")
    browser.js("waiting[0](['0'])")
    stack.publish("prices", "2")
    browser.wait_js("return [...shown].join() === '0,1,2'")
    browser.js("events.pause()")
    for worker in workers:
        worker.kill()  # they would still have it all
    for number in range(3, 13):
        stack.publish("prices", number)
    stack.ws(), stack.fcgi()
    browser.js("events.resume()")
    browser.wait_js("return waiting.length === 2")
    browser.js("waiting[1](['0', '1', '2', '3', '4', '5', '6', '7'])")
    browser.wait_js("return [...shown].join() === '0,1,2,3,4,5,6,7,8,9,10,11,12'")


def test_six_tabs(stack, browser, project):
    start(stack)
    script = open_recipe(stack, browser, project, "tabs")
    windows = [browser.handle] + [browser.window() for _ in range(5)]
    for window in windows:
        browser.switch(window)
        browser.open(stack.url("/zcast.js"))
        browser.js(script)
        browser.wait_js("return events.state === 'open'")
    for number in range(20):
        stack.publish("news", number)
    for window in windows:
        browser.switch(window)
        browser.wait_js("return got.length === 20")
        assert browser.js("return got") == [str(number) for number in range(20)]
        assert browser.js("return fetch('/plot.js').then(({ status }) => status)") == 200
    stack.wait_report("ws.0", lambda report: report["clients"] == 1, "one connection for all")
