#!/usr/bin/python3
"""A CPU profile as a picture.

    perf script -i perf.data | flame.py TITLE > picture.svg

Each box is a function, as wide as its share of the samples, on top of the one that called it.
"""
import re
import sys

from plot import FONT, escape

WIDTH, ROW, SMALLEST = 1200, 17, 0.0015  # share below which a box is left out


def stacks(lines):
    """Lists of function names, outermost first, one for each sample of `perf script`."""
    stack, command = [], None
    for line in lines:
        if not line.strip():
            if command is not None:
                yield [command] + stack[::-1]
            stack, command = [], None
        elif command is None:
            command = line.split()[0]
        else:
            found = re.match(r"\s*[0-9a-f]+ (.+) \((.*)\)$", line)
            name = re.sub(r"\+0x[0-9a-f]+$", "", found.group(1)) if found else "?"
            stack.append(f"[{found.group(2).rsplit('/', 1)[-1]}]" if name == "[unknown]" else name)
    if command is not None:
        yield [command] + stack[::-1]


def tree(samples):
    root = {"count": 0, "children": {}}
    for names in samples:
        node = root
        node["count"] += 1
        for name in names:
            node = node["children"].setdefault(name, {"count": 0, "children": {}})
            node["count"] += 1
    return root


def colour(name, depth):
    if depth == 0:
        return "#cbd5e1"
    if name.startswith(("zc_", "s_", "main")):
        return "#60a5fa"
    if name.startswith(("uv_", "zmq", "zc")) or "::" in name:
        return "#a7f3d0"
    shade = sum(map(ord, name)) % 40
    return f"rgb({250 - shade // 2},{190 - shade},{110 + shade // 2})"


def depth_of(node, total):
    return 1 + max((depth_of(child, total) for child in node["children"].values()
                    if child["count"] >= SMALLEST * total), default=0)


def draw(node, x, depth, total, height, parts):
    for name, child in sorted(node["children"].items()):
        share = child["count"] / total
        if share >= SMALLEST:
            width = share * WIDTH
            y = height - (depth + 1) * ROW - 6
            shown = name if len(name) * 6.2 < width - 6 else name[:max(0, int((width - 12) / 6.2))]
            text = (f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(shown)}</text>'
                    if len(shown) > 2 else "")
            parts.append(f'<g><title>{escape(name)}: {100 * share:.1f} %</title>'
                         f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" '
                         f'fill="{colour(name, depth)}"/>{text}</g>')
            draw(child, x, depth + 1, total, height, parts)
        x += share * WIDTH


def main():
    root = tree(stacks(sys.stdin))
    total = root["count"]
    if not total:
        sys.exit("no samples")
    height = depth_of(root, total) * ROW + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             f'width="{WIDTH}" height="{height}" {FONT} font-size="11">',
             f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
             f'<text x="8" y="20" font-size="14" font-weight="600">{escape(sys.argv[1])} '
             f'({total} samples)</text>']
    draw(root, 0, 0, total, height, parts)
    print("\n".join(parts + ["</svg>"]))


if __name__ == "__main__":
    main()
