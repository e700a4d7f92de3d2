"""Plots as SVG, by hand: bars and lines, readable on a light and on a dark page."""
import math

COLOURS = ["#2563eb", "#f59e0b", "#10b981", "#a855f7", "#ef4444", "#64748b"]
FONT = 'font-family="system-ui, sans-serif"'


def escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Canvas:
    def __init__(self, width, height, title):
        self.width, self.height = width, height
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" {FONT}>',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        ]
        self.text(16, 24, title, size=14, weight=600)

    def text(self, x, y, text, size=11, anchor="start", colour="#0f172a", weight=400):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
                          f'text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>')

    def rect(self, x, y, width, height, colour, title=""):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" '
                          f'height="{height:.1f}" fill="{colour}">'
                          f"<title>{escape(title)}</title></rect>")

    def line(self, x1, y1, x2, y2, colour="#e2e8f0", width=1, dash=""):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"/>')

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.parts + ["</svg>", ""]))


def bars(path, title, unit, groups, mark=None):
    """Horizontal bars. `groups`: [(heading, [(label, [(part, value)…], note)…])…]; the parts of a
    bar are stacked. `mark`: (value, label) of a line across."""
    left, right, row = 150, 150, 20
    parts = []
    for _, rows in groups:
        for _, stack, _ in rows:
            parts += [part for part, _ in stack if part not in parts]
    top = max(sum(value for _, value in stack) for _, rows in groups for _, stack, _ in rows)
    height = 64 + sum(26 + row * len(rows) for _, rows in groups)
    canvas = Canvas(720, height, title)
    scale = (canvas.width - left - right) / (top or 1)
    x = 16
    for number, part in enumerate(parts if len(parts) > 1 else []):
        canvas.rect(x, 36, 10, 10, COLOURS[number % len(COLOURS)])
        canvas.text(x + 14, 45, part)
        x += 24 + 7 * len(part)
    y = 60
    for heading, rows in groups:
        canvas.text(16, y + 10, heading, size=12, weight=600)
        y += 20
        for label, stack, note in rows:
            canvas.text(left - 8, y + 12, label, anchor="end")
            x = left
            for part, value in stack:
                canvas.rect(x, y + 2, value * scale, row - 6,
                            COLOURS[parts.index(part) % len(COLOURS)],
                            f"{label}, {part}: {value:.3g} {unit}")
                x += value * scale
            total = sum(value for _, value in stack)
            canvas.text(x + 6, y + 12, f"{total:.3g} {unit}{note}", colour="#334155")
            y += row
        y += 6
    if mark:
        canvas.line(left + mark[0] * scale, 56, left + mark[0] * scale, height - 8, "#0f172a", 1,
                    "3 3")
        canvas.text(left + mark[0] * scale, 52, mark[1], anchor="middle")
    canvas.save(path)


def log_ticks(low, high):
    tick = 10 ** math.floor(math.log10(low))
    while tick <= high * 1.001:
        if tick >= low * 0.999:
            yield tick
        tick *= 10


def lines(path, title, x_label, y_label, series):
    """`series`: [(name, [(x, y)…])…]; x on a logarithmic axis, y from 0."""
    canvas = Canvas(720, 360, title)
    left, bottom, right, top = 64, 316, 700, 64
    xs = [x for _, points in series for x, _ in points]
    high = max(y for _, points in series for _, y in points) * 1.15
    low_x, high_x = math.log10(min(xs)), math.log10(max(xs))

    def at(x, y):
        return (left + (math.log10(x) - low_x) / ((high_x - low_x) or 1) * (right - left),
                bottom - y / high * (bottom - top))

    for tick in log_ticks(min(xs), max(xs)):
        x, _ = at(tick, 0)
        canvas.line(x, top, x, bottom)
        canvas.text(x, bottom + 16, f"{tick:,.0f}", anchor="middle")
    for number in range(6):
        _, y = at(min(xs), high * number / 5)
        canvas.line(left, y, right, y)
        canvas.text(left - 8, y + 4, f"{high * number / 5:.3g}", anchor="end")
    canvas.text((left + right) / 2, bottom + 34, x_label, anchor="middle")
    canvas.text(16, 42, y_label)
    for number, (name, points) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        path_data = " ".join(f"{'ML'[i > 0]}{at(*p)[0]:.1f},{at(*p)[1]:.1f}"
                             for i, p in enumerate(points))
        canvas.parts.append(f'<path d="{path_data}" fill="none" stroke="{colour}" '
                            f'stroke-width="2"/>')
        for x, y in points:
            canvas.parts.append(f'<circle cx="{at(x, y)[0]:.1f}" cy="{at(x, y)[1]:.1f}" r="3.5" '
                                f'fill="{colour}"><title>{escape(name)}: {y:.3g}</title></circle>')
        canvas.rect(200 + 130 * number, 34, 10, 10, colour)
        canvas.text(214 + 130 * number, 43, name)
    canvas.save(path)
