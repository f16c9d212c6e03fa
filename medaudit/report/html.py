"""A report as one HTML file that loads nothing: pictures and charts lie in it, and no text is read as markup."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from medaudit.figures.neighbours import NEAREST, kind_of, with_kind
from medaudit.figures.orientation import edge_letters
from medaudit.figures.wording import NOTHING, sentences
from medaudit.figures.words import shade_words
from medaudit.records import Attribution, CohortFinding, Finding, ImageAudit, RunRecord, StudyAudit
from medaudit.report.charts import Axis, axis_over
from medaudit.report.cohort import GROUPED, Cohort
from medaudit.report.contents import Figures
from medaudit.report.curves import curves_html
from medaudit.report.layout import Layout
from medaudit.report.pictures import Raster
from medaudit.report.scores import all_findings, crossed, explained, stated_thresholds, threshold_of
from medaudit.report.statistics import Spread, mean_interval, share_interval, spread
from medaudit.report.style import SEVERITY_INK, Style, hexadecimal
from medaudit.report.summary import map_caption

_STRIP = 220.0

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


def study_html(run: RunRecord, audit: StudyAudit, layout: Layout) -> str:
    """The report of a study; the same text for the same records.

    Raises
    ------
    StoreError
        The pipeline text of ``run`` is no YAML.

    """
    style = Style(layout)
    say = style.words.say
    body = [
        _title(say("study.overline"), say("study.title", code=audit.record.study)),
        _pairs([(say("cohort.fact.model"), run.model.name), (say("cohort.fact.pipeline"), run.pipeline_name)]),
        _study_verdict(style, audit),
    ]
    if run.model.notes:
        notes = _text(sentences(run.model.notes))
        body.append(f"<p class=panel><b>{_text(say('cohort.about'))}</b> {notes}</p>")
    for image in audit.images:
        body += _image(style, run, image)
    body.append(_limits(style, "limits.study"))
    pairs = [
        (say("method.digest"), run.pipeline_digest),
        (say("method.seed"), str(run.seed)),
        (say("cohort.fact.started"), run.started),
        *((say("method.files", name=name), digest) for name, digest in run.model.files.items()),
        *((style.words.name(key), value) for key, value in audit.record.elements.items()),
        *run.environment.items(),
        *run.versions.items(),
    ]
    body += [f"<h2>{_text(say('provenance'))}</h2>", _pairs(pairs)]
    return _page(style, say("study.document", code=audit.record.study), body)


def cohort_html(cohort: Cohort, layout: Layout) -> str:
    """The report of a cohort; the same text for the same records.

    Raises
    ------
    StoreError
        The pipeline text of the run is no YAML.

    """
    style = Style(layout)
    say, words = style.words.say, style.words
    studies = words.count(len(cohort.studies), "study")
    about = [
        (say("cohort.fact.model"), cohort.run.model.name),
        (say("cohort.fact.pipeline"), cohort.run.pipeline_name),
        (say("cohort.fact.started"), cohort.run.started),
    ]
    about += [
        (say(f"flow.fate.{one.fate.value}", files=words.count(one.files, "file")), one.reason)
        for one in cohort.exclusions
    ]
    title = say("cohort.title", studies=studies, images=words.count(cohort.images, "image"))
    body = [
        _title(say("cohort.overline"), title),
        _pairs(about),
        _cohort_across(style, cohort),
        _cohort_findings(style, cohort),
        _cohort_prompts(style, cohort),
        _cohort_groups(style, cohort),
        _limits(style, "limits.cohort"),
        f"<h2>{_text(say('studies'))}</h2>",
        _rows(
            [say("studies.study"), say("studies.images"), say("studies.findings")],
            [
                [
                    _link(study.study, cohort.documents),
                    _number(str(study.images)),
                    _text(", ".join(f"{n} {say(f'severity.{one.value}')}" for one, n in study.findings.items()))
                    or NOTHING,
                ]
                for study in cohort.studies
            ],
        ),
    ]
    return _page(style, say("cohort.document", studies=studies), body)


def _title(overline: str, title: str) -> str:
    return f"<p class=over>{_text(overline)}</p><h1>{_text(title)}</h1>"


def _study_verdict(style: Style, audit: StudyAudit) -> str:
    words = style.words
    found = all_findings(audit)
    measured = sum(len(image.measurements) for image in audit.images)
    if not found:
        which = "cohort.verdict.none" if measured else "cohort.verdict.unmeasured"
        return f"<div class=panel><b>{_text(words.say(which))}</b><br>{_text(words.say(f'{which}.meaning'))}</div>"
    headline = words.say(
        "study.verdict",
        findings=words.count(len(found), "finding"),
        measurements=words.count(measured, "measurement"),
    )
    lines = [f"<h3>{_text(headline)}</h3>", *(_finding(style, finding) for finding, _ in found)]
    return f"<div class=panel>{''.join(lines)}</div>"


def _finding(style: Style, finding: Finding) -> str:
    words = style.words
    colour = hexadecimal(SEVERITY_INK[finding.severity])
    severity = words.severity(finding.severity)
    return (
        f'<p><b style="color:{colour}">{_text(severity)}</b> {_text(words.told(finding, "claim"))}<br>'
        f"<span class=soft>{_text(words.say('findings.limits'))}: {_text(words.told(finding, 'limits'))} "
        f"{_text(words.say('findings.advice'))}: {_text(words.told(finding, 'advice'))}</span></p>"
    )


def _image(style: Style, run: RunRecord, image: ImageAudit) -> list[str]:
    figures = Figures.of(image, style.layout.map_opacity)
    letters = style.words.edges(edge_letters(image.record.patient_orientation))
    body = [
        f"<h2>{_text(image.record.image)}</h2>",
        _figure(figures.source, f"{style.words.say('study.source')} {letters}."),
    ]
    body += [_prompt(style, image, figures, one) for one in explained(image)]
    body.append(_scores(style, image))
    stated = stated_thresholds(run)
    rows = []
    for one in image.measurements:
        finding = crossed(one, image)
        limit = threshold_of(one, finding, stated)
        state = style.words.say(f"severity.{finding.severity.value}") if finding else NOTHING
        rows.append(
            [
                _text(style.words.quantity(one.check, one.quantity)),
                _number(style.words.number(one.value)),
                _number(NOTHING if limit is None else style.words.number(limit)),
                _text(state),
                _text(one.subject),
            ]
        )
    if rows:
        say = style.words.say
        head = [say("checks"), say("checks.value"), say("checks.threshold"), say("checks.result"), say("checks.prompt")]
        body += [f"<h3>{_text(say('checks'))}</h3>", _rows(head, rows)]
    return body


def _prompt(style: Style, image: ImageAudit, figures: Figures, one: Attribution) -> str:
    words = "".join(
        f'<span class=word><b style="background:rgb{word.rgb};color:rgb{word.ink}">{_text(word.word)}</b>'
        f"<small>{_text(style.words.number(word.value))}</small></span>"
        for word in shade_words(one.text, figures.word_scale)
    )
    picture = _figure(figures.map_of(image, one), map_caption(style.words, image, one, figures))
    return f"<h3>{_text(one.prompt.text)}</h3><div>{words}</div>{picture}{curves_html(style, image, one)}"


def _scores(style: Style, image: ImageAudit) -> str:
    words = style.words
    rows = []
    for one in image.attributions:
        margins = image.margins(one)
        rows.append(
            [
                _text(one.prompt.text),
                _text(words.say(f"prompts.kind.{one.prompt.kind.value}")),
                _number(words.number(one.similarity, 3)),
                *(
                    _number(NOTHING if value is None else words.number(value, 3, signed=True))
                    for value in (margins.negated, margins.control)
                ),
            ]
        )
    say = words.say
    keys = ("prompts.prompt", "prompts.kind", "prompts.cosine", "margins.negated", "margins.control")
    head = [say(key) for key in keys]
    return f"<h3>{_text(say('prompts'))}</h3>{_rows(head, rows)}" if rows else ""


def _cohort_findings(style: Style, cohort: Cohort) -> str:
    words = style.words
    if not cohort.kinds:
        which = "cohort.verdict.none" if cohort.rows.measurements else "cohort.verdict.unmeasured"
        return f"<div class=panel><b>{_text(words.say(which))}</b><br>{_text(words.say(f'{which}.meaning'))}</div>"
    rows = [
        [
            _text(words.say(f"severity.{one.severity.value}")),
            _text(words.quantity(one.check, one.quantity)),
            _text(one.subject),
            _number(f"{len(one.found)} / {len(one.measured)}"),
            _number(_interval_text(style, share_interval(len(one.found), len(one.measured)).ends)),
            " ".join(_link(code, cohort.documents) for code in one.furthest),
        ]
        for kind in cohort.kinds
        for one in cohort.by_prompt(kind)
    ]
    head = [
        words.say(key)
        for key in (
            "findings.severity", "checks", "findings.prompt", "findings.share", "prompts.interval", "findings.furthest",
        )
    ]  # fmt: skip
    return f"<h2>{_text(words.say('findings'))}</h2>{_rows(head, rows)}"


def _cohort_across(style: Style, cohort: Cohort) -> str:
    """Findings over all studies, and every comparison that counts; the others stand in the JSON and CSV forms."""
    words, found = style.words, cohort.across
    if found is None:
        return ""
    say = words.say
    body = [f"<h2>{_text(say('across'))}</h2>"]
    how = say("across.how", studies=words.count(found.studies, "study"))
    body += [f"<p class=soft>{_text(text)}</p>" for text in (how, *found.notes)]
    for one in found.findings:
        links = " ".join(_link(code, cohort.documents) for code in one.measurement.examples)
        severity = words.severity(one.severity)
        shown = f"<p class=soft>{_text(say('across.examples'))} {links}</p>" if links else ""
        body.append(
            f"<div class=panel><b>{_text(severity)}</b> {_text(one.claim)}<p class=soft>{_text(one.limits)}</p>"
            f"<p>{_text(one.advice)}</p>{shown}</div>{_cohort_neighbours(style, cohort, one)}"
        )
    rows = [
        [
            _text(words.quantity(one.check, one.quantity)),
            _text(one.against),
            _text(one.subject),
            _number(f"{one.count} / {one.others}" if one.others else str(one.count)),
            _number(f"{words.number(one.value)} {_interval_text(style, one.ends)}"),
            _number(NOTHING if one.q is None else f"{one.q:.1g}"),
        ]
        for one in found.measurements
        if one.q is None or one.q < found.level
    ]
    keys = ("checks", "across.against", "checks.prompt", "across.studies", "checks.value", "across.q")
    return "".join(body) + (_rows([say(key) for key in keys], rows) if rows else "")


def _cohort_neighbours(style: Style, cohort: Cohort, finding: CohortFinding) -> str:
    """Of a group of studies that look alike, each with those nearest to it."""
    kind, say = kind_of(finding.measurement), style.words.say
    if kind is None:
        return ""
    rows = [
        [
            _link(one.study, cohort.documents),
            *(" ".join(_link(code, cohort.documents) for code in codes) or NOTHING for codes in one.nearest_by(kind)),
        ]
        for one in with_kind(cohort.neighbours, kind)
    ]
    head = [say(f"neighbours.{key}") for key in ("study", "with", "without")]
    return f"<p class=soft>{_text(say('neighbours.how', n=NEAREST))}</p>{_rows(head, rows)}" if rows else ""


def _cohort_prompts(style: Style, cohort: Cohort) -> str:
    words = style.words
    if not cohort.prompts:
        return ""
    axis = axis_over([value for values in cohort.prompts.values() for value in values], _STRIP)
    rows = [
        [
            _text(prompt.text),
            _text(words.say(f"prompts.kind.{prompt.kind.value}")),
            _number(str(len(values))),
            _svg(spread(values), axis, style.layout.accent),
            _number(words.number(mean_interval(values).value, 3)),
            _number(_interval_text(style, mean_interval(values).ends)),
        ]
        for prompt, values in cohort.prompts.items()
    ]
    ends = words.say("prompts.axis", low=words.number(axis.low, 2), high=words.number(axis.high, 2))
    head = [
        words.say("prompts.prompt"), words.say("prompts.kind"), words.say("prompts.images"), ends,
        words.say("prompts.mean"), words.say("prompts.interval"),
    ]  # fmt: skip
    return (
        f"<h2>{_text(words.say('prompts'))}</h2><p class=soft>{_text(words.say('prompts.how'))}</p>{_rows(head, rows)}"
    )


def _cohort_groups(style: Style, cohort: Cohort) -> str:
    words, smallest = style.words, style.layout.smallest_group
    rows = [
        [
            _text(words.name(keyword)),
            _text(one.name),
            _text(one.prompt),
            _number(str(one.mean.count)),
            _number(f"{words.number(one.mean.value, 3)} {_interval_text(style, one.mean.ends)}"),
            _number(
                f"{words.number(one.difference.value, 3, signed=True)} {_interval_text(style, one.difference.ends)}"
            ),
        ]
        for keyword in GROUPED
        for one in cohort.groups(keyword, smallest)
    ]
    heading = f"<h2>{_text(words.say('groups'))}</h2>"
    if not rows:
        return f"{heading}<p>{_text(words.say('groups.none', n=smallest))}</p>"
    count = words.say(f"groups.comparisons.{'one' if len(rows) == 1 else 'many'}", n=len(rows))
    caution = f"<div class=panel>{_text(words.say('groups.caution', comparisons=count))}</div>"
    head = [
        words.say(key)
        for key in (
            "inventory.element", "groups.group", "checks.prompt", "groups.studies", "groups.mean", "groups.difference",
        )
    ]  # fmt: skip
    return heading + caution + _rows(head, rows)


def _limits(style: Style, prefix: str) -> str:
    items = [line.split("|") for line in style.words.lines(prefix)]
    text = "".join(f"<p><b>{_text(name)}</b> {_text(why)}</p>" for name, why in items)
    return f"<h2>{_text(style.words.say('limits'))}</h2><div class=panel>{text}</div>"


def _figure(raster: Raster, caption: str) -> str:
    """A picture with its lines; height and width of the lines' coordinates are 1000."""
    lines = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="{wide}" vector-effect="non-scaling-stroke" points="'
        + " ".join(f"{column * 1000:.1f},{row * 1000:.1f}" for row, column in line.tolist())
        + '"/>'
        for line in raster.lines
        for colour, wide in (("#000", 2.6), ("#fff", 1.2))
    )
    over = f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none">{lines}</svg>' if lines else ""
    # The lines lie in the picture's own shares, so the picture may be stretched to the image's shape in space.
    shape = f"aspect-ratio:{1 / raster.aspect:.5f}"
    source = f"data:image/jpeg;base64,{b64encode(raster.data).decode()}"
    picture = f'<img style="{shape}" alt="{escape(caption)}" src="{source}">'
    return f"<figure><div class=pic>{picture}{over}</div><figcaption class=soft>{_text(caption)}</figcaption></figure>"


def _svg(one: Spread, axis: Axis, colour: str) -> str:
    low, lower, median, upper, high = (axis.place(x) for x in (one.low, one.lower, one.median, one.upper, one.high))
    dots = "".join(
        f'<circle cx="{axis.place(x):.1f}" cy="8" r="2.2" fill="#fff" stroke="{colour}"/>' for x in one.points
    )
    return (
        f'<svg width="{axis.width:.0f}" height="16" role="img">'
        f'<path d="M0 8H{axis.width:.0f}" stroke="#d5dade"/>'
        f'<path d="M{low:.1f} 8H{high:.1f}" stroke="{colour}" stroke-width="1.5"/>'
        f'<rect x="{lower:.1f}" y="4" width="{upper - lower:.1f}" height="8" fill="{colour}" fill-opacity=".35"/>{dots}'
        f'<path d="M{median:.1f} 2V14" stroke="#16191d" stroke-width="2"/></svg>'
    )


def _interval_text(style: Style, ends: tuple[float, float] | None) -> str:
    return NOTHING if ends is None else f"[{'; '.join(style.words.number(end, 3) for end in ends)}]"


def _link(code: str, documents: Iterable[str]) -> str:
    return f'<a href="{escape(code)}.html">{_text(code)}</a>' if code in documents else _text(code)


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><th>{_text(key)}<td>{_text(value)}" for key, value in pairs)
    return f"<table>{rows}</table>"


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells of ``rows`` are markup, those of ``head`` are text. Numbers come from :func:`_number`."""
    top = "".join(f"<th>{_text(text)}" for text in head)
    lines = "".join("<tr>" + "".join(cell if cell.startswith("<td") else f"<td>{cell}" for cell in row) for row in rows)
    return f"<table><thead><tr>{top}<tbody>{lines}</table>"


def _number(text: str) -> str:
    return f"<td class=n>{_text(text)}"


def _text(text: str) -> str:
    return escape(text)


def _page(style: Style, title: str, body: Iterable[str]) -> str:
    language = style.layout.language
    css = _STYLE.replace("ACCENT", style.layout.accent)
    name, logo = _text(style.layout.institution), style.layout.logo
    mark = f'<img class=logo src="{logo.address}" alt="{name}">' if logo else ""
    institution = f"<p class=soft>{mark}{name}</p>" if mark or name else ""
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{_text(title)}</title><style>{css}</style></head>\n'
        f"<body>{institution}\n{chr(10).join(body)}\n"
        f"<footer class=soft>{_text(style.words.say('footer'))}</footer></body></html>\n"
    )
