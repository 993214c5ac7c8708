"""Pictures of chains: intervention, molecule, target and outcome, with the verdict on each link."""

from __future__ import annotations

import altair as alt
import pandas as pd

from fibroserum.chain.links import (
    DIRECT_GENE,
    DIRECT_OUTCOME,
    TO_GENE,
    TO_MOLECULE,
    TO_OUTCOME,
    VERDICTS,
    Link,
    links_of,
)
from fibroserum.report.figures.targets import target_names
from fibroserum.report.loading import RunTables, labels_of
from fibroserum.report.theme import (
    MARK,
    OPPOSITE,
    PREDICTED,
    QUIET,
    RULE,
    Figure,
    empty,
    layered,
    panels,
)

MOST_PANELS = 9
#: Of a panel, in pixels: its size, where the nodes stand, half of a node, where the lines of the
#: direct changes run.
WIDTH, HEIGHT, MIDDLE, STEP, TOP = 350, 290, 172, 84, 18
HALF_WIDTH, HALF_HEIGHT, LEFT, RIGHT = 58, 12, 96, 268
#: Of each link: the place of its ends, and the x of its line.
PLACES = {
    TO_MOLECULE: (0, 1, MIDDLE),
    TO_GENE: (1, 2, MIDDLE),
    TO_OUTCOME: (2, 3, MIDDLE),
    DIRECT_GENE: (0, 2, RIGHT),
    DIRECT_OUTCOME: (0, 3, LEFT),
}
COLOURS = dict(zip(VERDICTS, (PREDICTED, OPPOSITE, RULE, RULE), strict=True))
DASHES = dict(zip(VERDICTS, ([1, 0], [8, 2], [4, 4], [1, 4]), strict=True))


def chain_rows(run: RunTables, factor: str) -> pd.DataFrame:
    """Return the rows of `chain` on a factor, the first target and the first outcome."""
    rows = run.chain[run.chain["molecule"] == factor]
    own = rows["target"] == next(iter(target_names(run)), None)
    return rows[own & (rows["outcome"] == rows["outcome"].iloc[0])] if len(rows) else rows


def path(run: RunTables, factor: str) -> Figure:
    """The links of a factor, the first target and the first outcome, a panel a change."""
    rows = chain_rows(run, factor)
    kinds = run.contrasts.set_index("contrast")["kind"]
    rows = rows[rows["contrast"].map(kinds) == "change"]
    if rows.empty:
        return empty(f"No chain of {factor} could be drawn.")
    labels = labels_of(run)
    order = list(dict.fromkeys(rows["contrast"]))[:MOST_PANELS]
    groups = run.contrasts.set_index("contrast")["group"]
    parts = []
    for contrast in order:
        own = rows[rows["contrast"] == contrast]
        ends = [factor, own["target"].iloc[0], own["outcome"].iloc[0]]
        first = str(groups[contrast]) if len(run.groups) > 1 else labels[contrast]
        parts.append(_panel(own, [first, *ends]).assign(panel=labels[contrast]))
    frame = pd.concat(parts, ignore_index=True)
    made = panels(_drawing(), "panel", "chain", [labels[name] for name in order], 3, WIDTH)
    counts = rows[rows["contrast"].isin(order)]["verdict"].value_counts()
    said = ", ".join(f"{counts[word]} {word}" for word in VERDICTS if word in counts)
    target, outcome = rows["target"].iloc[0], rows["outcome"].iloc[0]
    words = (
        f"Links from the intervention by {factor} and {target} to {outcome} in {len(order)} "
        f"{'change' if len(order) == 1 else 'changes'}: {said}."
    )
    return Figure(made, {"chain": frame}, words, responsive=False, panel=WIDTH)


def _panel(rows: pd.DataFrame, nodes: list[str]) -> pd.DataFrame:
    """Return what a panel draws, by `part`: lines (points in order), heads, texts and nodes."""
    made: list[dict[str, object]] = []
    for place, name in enumerate(nodes):
        y = _height(place)
        box = {"x": MIDDLE - HALF_WIDTH, "x2": MIDDLE + HALF_WIDTH, "y": y - HALF_HEIGHT}
        made += [
            {"part": "box", **box, "y2": y + HALF_HEIGHT},
            {"part": "name", "x": MIDDLE, "y": y, "text": name},
        ]
    links = links_of(rows)
    verdicts = dict(zip(rows["link"], rows["verdict"], strict=True))
    sentences = dict(zip(rows["link"], rows["sentence"], strict=True))
    for name, (start, end, x) in PLACES.items():
        about = {"link": name, "verdict": verdicts[name], "sentence": sentences[name]}
        made += [about | point for point in _line(start, end, x)]
        made += [about | point for point in _texts(links[name], verdicts[name], start, end, x)]
    return pd.DataFrame(made)


def _height(place: int) -> int:
    return TOP + place * STEP


def _line(start: int, end: int, x: int) -> list[dict[str, object]]:
    """Return the points of a link's line, and of its head."""
    top, bottom = _height(start), _height(end)
    if x == MIDDLE:
        points = [(x, top + HALF_HEIGHT), (x, bottom - HALF_HEIGHT)]
        head = {"x": x, "y": bottom - HALF_HEIGHT - 4, "part": "head down"}
    else:
        side, way = (-1, "right") if x < MIDDLE else (1, "left")
        edge = MIDDLE + side * HALF_WIDTH
        points = [(edge, top), (x, top), (x, bottom), (edge, bottom)]
        head = {"x": edge + side * 4, "y": bottom, "part": f"head {way}"}
    return [
        *({"part": "line", "x": px, "y": py, "order": n} for n, (px, py) in enumerate(points)),
        head,
    ]


def _texts(link: Link, verdict: str, start: int, end: int, x: int) -> list[dict[str, object]]:
    """Return the lines of text beside a link: estimate, interval, verdict."""
    lines = [verdict]
    if link.ci_low == link.ci_low:
        lines = [f"{link.ci_low:.2g} to {link.ci_high:.2g}", *lines]
    if link.measured:
        lines = [f"{link.estimate:+.2g}", *lines]
    place = {MIDDLE: (start + end) / 2, LEFT: 1.5, RIGHT: 1}[x]
    middle = TOP + STEP * place
    part, away = ("text left", -6) if x == LEFT else ("text right", 6)
    return [
        {
            "part": part,
            "x": x + away,
            "y": middle + 13 * (number - (len(lines) - 1) / 2),
            "text": line.replace("-", "−") if line != verdict else line,
        }
        for number, line in enumerate(lines)
    ]


def _drawing() -> alt.LayerChart | alt.FacetChart:
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, WIDTH], nice=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[HEIGHT, 0], nice=False), axis=None)
    words, legend = list(VERDICTS), alt.Legend(symbolType="stroke", symbolStrokeWidth=2)
    colour = alt.Color(
        "verdict:N",
        title="Link",
        legend=legend,
        scale=alt.Scale(domain=words, range=[COLOURS[word] for word in words]),
    )
    dash = alt.StrokeDash(
        "verdict:N",
        title="Link",
        legend=legend,
        scale=alt.Scale(domain=words, range=[DASHES[word] for word in words]),
    )
    tooltip = [alt.Tooltip("link:N", title="Link"), alt.Tooltip("sentence:N", title="Sentence")]

    def of(part: str) -> alt.Chart:
        return alt.Chart().transform_filter(alt.datum.part == part)

    lines = (
        of("line")
        .mark_line(strokeWidth=1.8, strokeJoin="round")
        .encode(
            x=x,
            y=y,
            order=alt.Order("order:Q"),
            detail=alt.Detail("link:N"),
            color=colour,
            strokeDash=dash,
            tooltip=tooltip,
        )
    )
    heads = [
        of(f"head {way}")
        .mark_point(filled=True, shape=f"triangle-{way}", size=70)
        .encode(x=x, y=y, color=colour, tooltip=tooltip)
        for way in ("down", "left", "right")
    ]
    left = of("text left").mark_text(align="right", baseline="middle", fontSize=10)
    right = of("text right").mark_text(align="left", baseline="middle", fontSize=10)
    words_of = {"x": x, "y": y, "text": "text:N", "color": colour, "tooltip": tooltip}
    texts = [side.encode(**words_of) for side in (left, right)]
    boxes = (
        of("box")
        .mark_rect(fill="white", stroke=QUIET)
        .encode(x=x, x2=alt.X2("x2:Q"), y=y, y2=alt.Y2("y2:Q"))
    )
    names = (
        of("name")
        .mark_text(fontWeight="bold", color=MARK, limit=2 * HALF_WIDTH - 6)
        .encode(x=x, y=y, text=alt.Text("text:N"))
    )
    return layered(lines, *heads, *texts, boxes, names).properties(width=WIDTH, height=HEIGHT)
