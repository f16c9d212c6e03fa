"""Parts of a report in HTML: a page that loads nothing, tables, links; no text is read as markup."""

from collections.abc import Iterable, Sequence
from html import escape

from medaudit.figures.wording import NOTHING
from medaudit.report.style import Style

# Nothing is loaded and nothing runs, whatever a header or a prompt holds.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,"Noto Sans",sans-serif;color:#16191d;max-width:64rem;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.9rem;margin:.2rem 0 .6rem}h2{font-size:1.3rem;margin:2.4rem 0 .6rem}
h3{font-size:1rem;margin:1.6rem 0 .4rem}h4{font-size:.9rem;margin:.8rem 0 .2rem}
table{border-collapse:collapse;width:100%;font-size:.86rem;margin:.5rem 0}
td,th{border-bottom:1px solid #d5dade;padding:.28rem .6rem .28rem 0;text-align:left;vertical-align:top}
th{color:#5b646e;font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums}
td{overflow-wrap:anywhere}.panel{background:#f4f6f7;border-left:4px solid ACCENT;padding:.7rem 1.1rem;margin:.9rem 0}
.over{color:ACCENT;font-weight:600;font-size:.86rem}.soft{color:#5b646e;font-size:.86rem}
figure{display:inline-block;margin:.4rem 1.2rem .4rem 0;width:min(100%,28rem);vertical-align:top}
.pic{position:relative}.pic img,.pic svg{display:block;width:100%}.pic svg{position:absolute;inset:0;height:100%}
.logo{height:1.8rem;vertical-align:middle;margin-right:.7rem}
.word{display:inline-block;text-align:center;margin:.1rem .15rem;vertical-align:top}
.word b{display:block;font-weight:400;padding:.05rem .35rem;border:1px solid #d5dade;border-radius:3px}
.word small{color:#5b646e}footer{border-top:1px solid #d5dade;margin-top:3rem;padding-top:.6rem}
@media print{body{max-width:none;margin:0}h2{break-after:avoid}figure,.panel,tr{break-inside:avoid}}
"""


def title(overline: str, title: str) -> str:
    """A page's heading with a line over it."""
    return f"<p class=over>{escape(overline)}</p><h1>{escape(title)}</h1>"


def limits(style: Style, prefix: str) -> str:
    """What this does not show."""
    items = [line.split("|") for line in style.words.lines(prefix)]
    text = "".join(f"<p><b>{escape(name)}</b> {escape(why)}</p>" for name, why in items)
    return f"<h2>{escape(style.words.say('limits'))}</h2><div class=panel>{text}</div>"


def interval(style: Style, ends: tuple[float, float] | None) -> str:
    """Ends in brackets; a dash where there are none."""
    return NOTHING if ends is None else f"[{'; '.join(style.words.number(end, 3) for end in ends)}]"


def link(code: str, documents: Iterable[str]) -> str:
    """A study's code; it opens the study's report where that lies beside this one."""
    return f'<a href="{escape(code)}.html">{escape(code)}</a>' if code in documents else escape(code)


def pairs(listed: Iterable[tuple[str, str]]) -> str:
    """Keys with values."""
    rows = "".join(f"<tr><th>{escape(key)}<td>{escape(value)}" for key, value in listed)
    return f"<table>{rows}</table>"


def rows(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table; the cells of ``body`` are markup, those of ``head`` are text. Numbers come from :func:`number`."""
    top = "".join(f"<th>{escape(text)}" for text in head)
    lines = "".join("<tr>" + "".join(cell if cell.startswith("<td") else f"<td>{cell}" for cell in row) for row in body)
    return f"<table><thead><tr>{top}<tbody>{lines}</table>"


def number(text: str) -> str:
    """A cell that is set flush right."""
    return f"<td class=n>{escape(text)}"


def page(style: Style, title: str, body: Iterable[str]) -> str:
    """The whole file."""
    language = style.layout.language
    css = _STYLE.replace("ACCENT", style.layout.accent)
    name, logo = escape(style.layout.institution), style.layout.logo
    mark = f'<img class=logo src="{logo.address}" alt="{name}">' if logo else ""
    institution = f"<p class=soft>{mark}{name}</p>" if mark or name else ""
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{css}</style></head>\n"
        f"<body>{institution}\n{chr(10).join(body)}\n"
        f"<footer class=soft>{escape(style.words.say('footer'))}</footer></body></html>\n"
    )
