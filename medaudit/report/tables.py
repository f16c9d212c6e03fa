"""The three tables of a report: rows under a head, keys with values, and a panel."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from reportlab.lib.colors import Color
from reportlab.platypus import Flowable, Paragraph, Table

from medaudit.report.style import PANEL, RULE, Style

_HAIR = 0.5
_FACT_GAP = 10.0  # points between two facts

Cell: TypeAlias = str | Flowable
Command: TypeAlias = tuple[object, ...]


def rows_table(
    style: Style,
    head: Sequence[Cell] | None,
    rows: Iterable[Sequence[Cell]],
    widths: Sequence[float],
    figures: Sequence[int],
) -> Table:
    """Rows, under a head that is repeated on every page.

    ``figures`` are the columns set flush right. A string becomes a paragraph; nothing in it is markup.
    """
    body = [
        [_cell(style, cell, "figure" if index in figures else "small") for index, cell in enumerate(row)]
        for row in rows
    ]
    commands: list[Command] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), _HAIR, RULE),
        *_padding(0, 8, 3, 3),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
    ]
    if head is not None:
        body.insert(
            0, [_cell(style, cell, "headright" if index in figures else "head") for index, cell in enumerate(head)]
        )
        commands += [("VALIGN", (0, 0), (-1, 0), "BOTTOM"), ("LINEBELOW", (0, 0), (-1, 0), _HAIR * 1.6, RULE)]
    return Table(body, list(widths), repeatRows=int(head is not None), splitInRow=1, style=commands, hAlign="LEFT")


def pairs_table(style: Style, pairs: Iterable[tuple[str, str]], width: float, key_width: float) -> Table | None:
    """Keys with values; None without pairs, because a table needs a row."""
    rows = [[style.text(key, "caption"), style.value(value, width - key_width)] for key, value in pairs]
    if not rows:
        return None
    commands: list[Command] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), _HAIR, RULE),
        *_padding(0, 8, 2.5, 2.5),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
    ]
    return Table(rows, [key_width, width - key_width], splitInRow=1, style=commands, hAlign="LEFT")


def panel(content: Sequence[Flowable], width: float, edge: Color) -> Table:
    """Flowables on a light ground with a coloured left edge; splits between them."""
    commands: list[Command] = [
        ("BACKGROUND", (0, 0), (-1, -1), PANEL),
        ("LINEBEFORE", (0, 0), (0, -1), 2.4, edge),
        *_padding(14, 14, 2.2, 2.2),
        ("TOPPADDING", (0, 0), (-1, 0), 9),
        ("BOTTOMPADDING", (0, -1), (-1, -1), 10),
    ]
    return Table([[flowable] for flowable in content], [width], splitInRow=1, style=commands, hAlign="LEFT")


def columns(left: Sequence[Flowable], right: Sequence[Flowable], style: Style) -> Table:
    """Two columns of the grid, both from the top."""
    commands: list[Command] = [("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(0, 0, 0, 0)]
    gutter = style.width - 2 * style.column
    widths = [style.column, gutter, style.column]
    return Table([[list(left), "", list(right)]], widths, style=commands, hAlign="LEFT")


def facts(style: Style, items: Sequence[tuple[str, str]], across: int = 4) -> Table:
    """Label over value, ``across`` a row, for the head of the first page."""
    width = style.width / across
    cells: list[list[Paragraph]] = [
        [style.text(label, "caption"), style.value(value, width - _FACT_GAP)] for label, value in items
    ]
    cells += [[]] * (-len(cells) % across)
    rows = [cells[start : start + across] for start in range(0, len(cells), across)]
    commands: list[Command] = [("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(0, _FACT_GAP, 0, 5)]
    return Table(rows, [width] * across, style=commands, hAlign="LEFT")


def _cell(style: Style, cell: Cell, name: str) -> Flowable:
    return style.text(cell, name) if isinstance(cell, str) else cell


def _padding(left: float, right: float, top: float, bottom: float) -> list[Command]:
    everything = ((0, 0), (-1, -1))
    sides = (("LEFT", left), ("RIGHT", right), ("TOP", top), ("BOTTOM", bottom))
    return [(f"{side}PADDING", *everything, points) for side, points in sides]
