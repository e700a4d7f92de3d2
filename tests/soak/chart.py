"""The plot of a soak: a panel for each figure, a line for each program, marks for what was done to them. SVG by hand, light and
dark by the reader's preference."""

from flat import thin

WIDTH, LEFT, RIGHT, PANEL, GAP, TOP = 960, 70, 940, 170, 58, 96
STYLE = """
svg { font-family: system-ui, sans-serif; font-size: 11px; background: #fff }
text { fill: #334155 } .title { font-size: 16px; font-weight: 600; fill: #0f172a } .panel { font-weight: 600; fill: #0f172a }
.grid { stroke: #e2e8f0 } .judged { fill: #64748b; opacity: .08 } .mark { stroke: #94a3b8; stroke-dasharray: 2 3; opacity: .6 }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round } .page { fill: #fff }
.c0 { stroke: #2563eb; fill: #2563eb } .c1 { stroke: #d97706; fill: #d97706 } .c2 { stroke: #059669; fill: #059669 }
.c3 { stroke: #9333ea; fill: #9333ea } .c4 { stroke: #dc2626; fill: #dc2626 } .c5 { stroke: #64748b; fill: #64748b }
.line.c0, .line.c1, .line.c2, .line.c3, .line.c4, .line.c5 { fill: none }
@media (prefers-color-scheme: dark) {
  svg { background: #0f172a } .page { fill: #0f172a } text { fill: #cbd5e1 } .title, .panel { fill: #f8fafc }
  .grid { stroke: #1e293b } .mark { stroke: #475569 } .judged { fill: #cbd5e1 }
  .c0 { stroke: #60a5fa; fill: #60a5fa } .c1 { stroke: #fbbf24; fill: #fbbf24 } .c2 { stroke: #34d399; fill: #34d399 }
  .c3 { stroke: #c084fc; fill: #c084fc } .c4 { stroke: #f87171; fill: #f87171 } .c5 { stroke: #94a3b8; fill: #94a3b8 }
}"""


def escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def nice(value):
    """A round number that isn't below the value."""
    unit = 1.0
    while unit * 10 < value:
        unit *= 10
    return next(unit * factor for factor in (1, 2, 2.5, 5, 10, 20) if unit * factor >= value)


def _text(x, y, text, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1, y1, x2, y2, kind, title=""):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"><title>{escape(title)}</title></line>'


def _panel(top, name, lines, length, marks, judged, programs):
    bottom = top + PANEL
    high = nice(max([value for points in lines.values() for _, value in points] or [1]) or 1)
    at = lambda time: LEFT + time / length * (RIGHT - LEFT)
    parts = [
        f'<rect x="{at(judged):.1f}" y="{top}" width="{RIGHT - at(judged):.1f}" height="{PANEL}" class="judged">'
        "<title>in this part the figures must be flat</title></rect>",
        _text(LEFT, top - 8, name, "panel"),
    ]
    for step in range(5):
        y = bottom - PANEL * step / 4
        parts += [_line(LEFT, y, RIGHT, y, "grid"), _text(LEFT - 8, y + 4, f"{high * step / 4:g}", anchor="end")]
    parts += [_line(at(time), top, at(time), bottom, "mark", f"{time:.0f} s: {what}") for time, what in marks]
    for step in range(7):
        parts.append(_text(at(length * step / 6), bottom + 16, f"{length * step / 6 / 60:.1f} min", anchor="middle"))
    for program, points in lines.items():
        path = " ".join(f"{'ML'[i > 0]}{at(time):.1f},{bottom - value / high * PANEL:.1f}" for i, (time, value) in enumerate(points))
        parts.append(f'<path d="{path}" class="line c{programs.index(program) % 6}"><title>{escape(program)}</title></path>')
    return parts


def draw(title, note, panels, length, marks, judged):
    """`panels`: [(name, {program: [(seconds, value)…]})…]; `marks`: [(seconds, what)…]; `judged`: when the part begins that is
    judged. Returns SVG."""
    programs = list(panels[0][1])
    height = TOP + len(panels) * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><desc>{escape(note)}</desc><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" class="page"/>',
        _text(LEFT, 28, title, "title"),
        _text(LEFT, 46, note),
    ]
    for number, program in enumerate(programs):
        parts += [f'<rect x="{LEFT + 140 * number}" y="58" width="10" height="10" rx="2" class="c{number % 6}"/>']
        parts += [_text(LEFT + 140 * number + 15, 67, program)]
    for number, (name, lines) in enumerate(panels):
        thinner = {program: thin(points, 600) for program, points in lines.items()}
        parts += _panel(TOP + number * (PANEL + GAP), name, thinner, length, marks, judged, programs)
    return "\n".join([*parts, "</svg>", ""])
