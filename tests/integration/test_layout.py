"""The folders' order of dependence, as ARCHITECTURE.md states it: an include never points up, nor from one program into another."""

import os
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PROGRAMS = ["broker", "fcgi", "ws", "bridge", "tools"]
# What a folder of lib/ may include, besides itself. A folder that isn't named here fails the test.
BELOW = {
    "base": [],
    "config": ["base"],
    "wire": ["base"],
    "redis": ["base"],
    "order": ["base", "wire"],
    "access": ["base", "config", "wire"],
    "peer": ["base", "config", "wire", "access", "order"],
    "engine": ["base", "config", "wire", "order", "access", "peer"],
    "front": ["base", "config", "wire", "order", "access", "peer", "engine"],
}

def includes():
    """Each include of ours: the file, the folder that it is in, the folder that it names."""
    for path in sorted(TOP.glob("**/*.[ch]")):
        parts = path.relative_to(TOP).parts
        if parts[0] not in PROGRAMS + ["lib"]:
            continue
        own = parts[1] if parts[0] == "lib" else parts[0]
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.M):
            if name != "config.h":
                yield path.relative_to(TOP), parts[0] == "lib", own, name.split("/")


def test_includes_point_down():
    seen, wrong = set(), []
    for path, in_lib, own, name in includes():
        seen.add(own)
        if name[0] == "lib":
            good = len(name) == 3 and name[1] in BELOW and (not in_lib or name[1] == own or name[1] in BELOW[own])
        else:
            good = not in_lib and name[0] == own
        if not good:
            wrong.append(f"{path} includes {'/'.join(name)}")
    assert not wrong, "\n".join(wrong)
    assert seen >= {"base", "wire", "engine", "broker", "ws"}, "the test found no includes to look at"


def test_no_file_lies_beside_the_folders():
    assert not list((TOP / "lib").glob("*.[ch]")), "a file of lib/ belongs into one of its folders"
    folders = {path.name for path in (TOP / "lib").iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert folders <= set(BELOW), f"say here what {folders - set(BELOW)} may include"


def circles(edges):
    """Of a graph, {node: {node}}: the largest sets of nodes that all lead to each other."""
    reach = {}
    for start in edges:
        seen, todo = set(), [start]
        while todo:
            for to in edges.get(todo.pop(), ()):
                if to not in seen:
                    seen.add(to)
                    todo.append(to)
        reach[start] = seen
    return {frozenset(b for b in reach[a] if a in reach.get(b, ())) for a in reach if a in reach[a]}


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {frozenset({"b", "c"})}
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == set()


def noun(path):
    """A pair of files is one noun, and a private header belongs to the noun that it is private to."""
    return str(path).rsplit(".", 1)[0].removesuffix("_private")


def test_includes_make_no_circle():
    edges = {}
    for path, _, _, name in includes():
        own, other = noun(path), noun("/".join(name))
        if own != other:
            edges.setdefault(own, set()).add(other)
    assert len(edges) > 100, "the test found no includes to look at"
    assert not circles(edges), "files that include each other, on whatever way round"


def symbols(build):
    """Of our functions and variables: what each object file defines, and what it uses."""
    defined, used = {}, {}
    for path in sorted(build.glob("**/*.o")):
        parts = path.relative_to(build).parts
        own = "/".join(parts)[:-2]
        if parts[0] not in PROGRAMS + ["lib"] or not (TOP / f"{own}.c").exists():
            continue  # another one's, or left over from an earlier build
        for line in subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines():
            kind, name = line.split()[-2:]
            if name.startswith("zc_"):
                if kind == "U":
                    used.setdefault(own, set()).add(name)
                elif kind.isupper():
                    defined[name] = own
    return defined, used


def test_calls_make_no_circle():
    """What includes don't tell: a header that several files share, as private ones are."""
    defined, used = symbols(Path(os.environ["ZCAST_BUILD"]))
    edges = {own: {defined[name] for name in names if name in defined} - {own} for own, names in used.items()}
    assert len(edges) > 100, "the test found no object files to look at"
    assert not circles(edges), "files that call each other, on whatever way round"


def sources():
    for path in sorted(TOP.glob("**/*.[ch]")):
        parts = path.relative_to(TOP).parts
        if parts[0] in PROGRAMS + ["lib"]:
            yield path.relative_to(TOP), path.read_text()


def test_a_name_means_one_thing():
    """No two types, no two constants of headers, and no two functions that a linker sees share a name."""
    places = {}
    for path, text in sources():
        names = re.findall(r"\}\s*(zc_\w+_t);", text)
        names += [f"{name}_t" for name in re.findall(r"^struct (zc_\w+)\s*\{", text, re.M)]
        if path.suffix == ".h":
            names += re.findall(r"^#define (ZC_\w+)", text, re.M)
        else:
            names += re.findall(r"^(?!static|extern|typedef)[a-z][\w ]*[ *]+(zc_\w+) \([^;{}]*\)\s*\{", text, re.M)
        for name in names:
            places.setdefault(name, set()).add(str(path))
    assert len(places) > 1000, "the test found no types and functions to look at"
    twice = {name: files for name, files in places.items() if len(files) > 1}
    assert not twice
