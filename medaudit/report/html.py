"""The report of a study as one HTML file that loads nothing: pictures and charts lie in it."""

from base64 import b64encode
from html import escape

from medaudit.figures.orientation import edge_letters
from medaudit.figures.wording import NOTHING, sentences
from medaudit.figures.words import shade_words
from medaudit.records import Attribution, Finding, ImageAudit, RunRecord, StudyAudit
from medaudit.report import html_parts as part
from medaudit.report.contents import Figures
from medaudit.report.curves import curves_html
from medaudit.report.layout import Layout
from medaudit.report.pictures import Raster
from medaudit.report.scores import all_findings, crossed, explained, stated_thresholds, threshold_of
from medaudit.report.style import SEVERITY_INK, Style, hexadecimal
from medaudit.report.summary import map_caption


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
        part.title(say("study.overline"), say("study.title", code=audit.record.study)),
        part.pairs([(say("cohort.fact.model"), run.model.name), (say("cohort.fact.pipeline"), run.pipeline_name)]),
        _study_verdict(style, audit),
    ]
    if run.model.notes:
        notes = escape(sentences(run.model.notes))
        body.append(f"<p class=panel><b>{escape(say('cohort.about'))}</b> {notes}</p>")
    for image in audit.images:
        body += _image(style, run, image)
    body.append(part.limits(style, "limits.study"))
    pairs = [
        (say("method.digest"), run.pipeline_digest),
        (say("method.seed"), str(run.seed)),
        (say("cohort.fact.started"), run.started),
        *((say("method.files", name=name), digest) for name, digest in run.model.files.items()),
        *((style.words.name(key), value) for key, value in audit.record.elements.items()),
        *run.environment.items(),
        *run.versions.items(),
    ]
    body += [f"<h2>{escape(say('provenance'))}</h2>", part.pairs(pairs)]
    return part.page(style, say("study.document", code=audit.record.study), body)


def _study_verdict(style: Style, audit: StudyAudit) -> str:
    words = style.words
    found = all_findings(audit)
    measured = sum(len(image.measurements) for image in audit.images)
    if not found:
        which = "cohort.verdict.none" if measured else "cohort.verdict.unmeasured"
        return f"<div class=panel><b>{escape(words.say(which))}</b><br>{escape(words.say(f'{which}.meaning'))}</div>"
    headline = words.say(
        "study.verdict",
        findings=words.count(len(found), "finding"),
        measurements=words.count(measured, "measurement"),
    )
    lines = [f"<h3>{escape(headline)}</h3>", *(_finding(style, finding) for finding, _ in found)]
    return f"<div class=panel>{''.join(lines)}</div>"


def _finding(style: Style, finding: Finding) -> str:
    words = style.words
    colour = hexadecimal(SEVERITY_INK[finding.severity])
    severity = words.severity(finding.severity)
    return (
        f'<p><b style="color:{colour}">{escape(severity)}</b> {escape(words.told(finding, "claim"))}<br>'
        f"<span class=soft>{escape(words.say('findings.limits'))}: {escape(words.told(finding, 'limits'))} "
        f"{escape(words.say('findings.advice'))}: {escape(words.told(finding, 'advice'))}</span></p>"
    )


def _image(style: Style, run: RunRecord, image: ImageAudit) -> list[str]:
    figures = Figures.of(image, style.layout.map_opacity)
    letters = style.words.edges(edge_letters(image.record.patient_orientation))
    body = [
        f"<h2>{escape(image.record.image)}</h2>",
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
                escape(style.words.quantity(one.check, one.quantity)),
                part.number(style.words.number(one.value)),
                part.number(NOTHING if limit is None else style.words.number(limit)),
                escape(state),
                escape(one.subject),
            ]
        )
    if rows:
        say = style.words.say
        head = [say("checks"), say("checks.value"), say("checks.threshold"), say("checks.result"), say("checks.prompt")]
        body += [f"<h3>{escape(say('checks'))}</h3>", part.rows(head, rows)]
    return body


def _prompt(style: Style, image: ImageAudit, figures: Figures, one: Attribution) -> str:
    words = "".join(
        f'<span class=word><b style="background:rgb{word.rgb};color:rgb{word.ink}">{escape(word.word)}</b>'
        f"<small>{escape(style.words.number(word.value))}</small></span>"
        for word in shade_words(one.text, figures.word_scale)
    )
    picture = _figure(figures.map_of(image, one), map_caption(style.words, image, one, figures))
    return f"<h3>{escape(one.prompt.text)}</h3><div>{words}</div>{picture}{curves_html(style, image, one)}"


def _scores(style: Style, image: ImageAudit) -> str:
    words = style.words
    rows = []
    for one in image.attributions:
        margins = image.margins(one)
        rows.append(
            [
                escape(one.prompt.text),
                escape(words.say(f"prompts.kind.{one.prompt.kind.value}")),
                part.number(words.number(one.similarity, 3)),
                *(
                    part.number(NOTHING if value is None else words.number(value, 3, signed=True))
                    for value in (margins.negated, margins.control)
                ),
            ]
        )
    say = words.say
    keys = ("prompts.prompt", "prompts.kind", "prompts.cosine", "margins.negated", "margins.control")
    head = [say(key) for key in keys]
    return f"<h3>{escape(say('prompts'))}</h3>{part.rows(head, rows)}" if rows else ""


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
    return f"<figure><div class=pic>{picture}{over}</div><figcaption class=soft>{escape(caption)}</figcaption></figure>"
