"""The folders' order of dependence, as ARCHITECTURE.md states it: an include never points up, nor from one program into another."""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PROGRAMS = ["broker", "fcgi", "ws", "bridge", "tools"]
# What a folder of lib/ may include, besides itself. A folder that isn't named here fails the test.
BELOW = {
    "base": [],
    "config": ["base"],
    "wire": ["base"],
    "order": ["base", "wire"],
    "access": ["base", "config", "wire"],
    "peer": ["base", "config", "wire", "access", "order"],
    "engine": ["base", "config", "wire", "order", "peer"],
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
