"""The sections behind the verdict: measurements, method, limits, provenance."""

from collections.abc import Iterable, Mapping

from reportlab.platypus import Flowable, KeepTogether, Spacer

from medaudit.figures.orientation import edge_letters
from medaudit.figures.wording import NOTHING, by, words_of
from medaudit.records import Finding, ImageAudit, ImageRecord, Measurement
from medaudit.report.canvas import Tied
from medaudit.report.catalogue import Catalogue
from medaudit.report.contents import Contents
from medaudit.report.scores import all_findings, crossed, methods, stated_thresholds, threshold_of
from medaudit.report.style import SEVERITY_INK, Style
from medaudit.report.summary import finding_number
from medaudit.report.tables import facts, pairs_table, panel, rows_table

_KEY = 122.0
_FULL = 100_000  # characters: prompts in full


def measurements(contents: Contents) -> list[Flowable]:
    """Findings in full, then every measurement against its threshold."""
    style = contents.style
    story = contents.section(style.words.say("measurements"), "measurements")
    several = len(contents.audit.images) > 1
    found = all_findings(contents.audit)
    cards = [
        _card(style, finding, style.words.say("study.Image", code=code) if several else "") for finding, code in found
    ]
    if cards:
        # The heading stays with the first card, and no card is cut in two.
        first = KeepTogether([*story, cards[0]])
        story = [first, *(flowable for card in cards[1:] for flowable in (Spacer(0, 8), KeepTogether([card])))]
        story.append(Spacer(0, 8))
    if not any(image.measurements for image in contents.audit.images):
        return [*story, style.text(style.words.say("cohort.verdict.unmeasured"))]
    stated = stated_thresholds(contents.run)
    for image in contents.audit.images:
        if several:
            story += [Spacer(0, 6), style.text(contents.image_name(image), "block")]
        if image.measurements:
            story.append(_measured(style, image, stated))
        else:
            story.append(style.text(style.words.say("measurements.none")))
    return story


def _card(style: Style, finding: Finding, where: str) -> Flowable:
    ink = SEVERITY_INK[finding.severity]
    words = style.words
    label = words.severity(finding.severity) + (f" \u00b7 {where}" if where else "")
    parts = [
        (f"{words.say('findings.limits')}  ", words.told(finding, "limits")),
        (f"{words.say('findings.advice')}  ", words.told(finding, "advice")),
    ]
    content: list[Flowable] = [
        style.rich([(label, ink)], "small"),
        style.text(words.told(finding, "claim"), "strong"),
        style.text(finding_number(words, finding, _FULL), "caption"),
        *(style.rich([(name, ink), (text, None)], "small") for name, text in parts if text),
    ]
    return panel(content, style.width, ink)


def _measured(style: Style, image: ImageAudit, stated: Mapping[str, object]) -> Flowable:
    words = style.words
    rows = []
    for measurement in image.measurements:
        finding = crossed(measurement, image)
        limit = threshold_of(measurement, finding, stated)
        if finding is not None:
            state: Flowable | str = style.rich(
                [(words.say(f"severity.{finding.severity.value}"), SEVERITY_INK[finding.severity])], "small"
            )
        else:
            state = words.say("measurements.measured" if limit is None else "measurements.within")
        rows.append(
            (
                words_of(measurement.check),
                words_of(measurement.quantity),
                words.number(measurement.value),
                NOTHING if limit is None else words.number(limit),
                state,
                _about(words, measurement),
            )
        )
    fixed = (78.0, 92.0, 46.0, 62.0, 50.0)
    keys = ("measurements.check", "measurements.quantity", "checks.value", "checks.threshold", "checks.result")
    head = (*map(words.say, keys), words.say("checks.prompt"))
    return rows_table(style, head, rows, (*fixed, style.width - sum(fixed)), figures=(2, 3))


def _about(words: Catalogue, measurement: Measurement) -> str:
    return (
        f"{measurement.subject} \u00b7 {words.say('measurements.against', what=measurement.against)}"
        if measurement.against
        else measurement.subject
    )


def method(contents: Contents) -> list[Flowable]:
    """How to read the numbers, and every setting that made them."""
    style = contents.style
    story = contents.section(style.words.say("settings"), "method")
    story += _pairs(style, [_halves(line) for line in style.words.lines("method.study")])
    for name, settings in methods(one for image in contents.audit.images for one in image.attributions):
        story += [Spacer(0, 10), style.text(style.words.say("settings.method", method=name), "block")]
        story += _grid(style, ((words_of(key), _setting(style.words, value)) for key, value in settings.items()))
    return story


def limits(contents: Contents) -> list[Flowable]:
    """What this does not show."""
    style = contents.style
    content: list[Flowable] = []
    cropped = any(not image.grid_map.sees_everything() for image in contents.audit.images)
    lines = style.words.lines("limits.study")
    for name, why in map(_halves, (*lines, style.words.say("limits.study.unseen")) if cropped else lines):
        content.append(style.rich([(f"{name} ", style.accent), (why, None)], "body"))
    box = panel(content, style.width, style.accent)
    return [KeepTogether([*contents.section(style.words.say("limits"), "limits"), box])]


def provenance(contents: Contents) -> list[Flowable]:
    """Enough to repeat the audit: run, model files, study, images, software."""
    style, run = contents.style, contents.run
    model = run.model
    words, say = style.words, style.words.say
    kept = say("provenance.identifiers.kept" if run.keeps_identifiers else "provenance.identifiers.codes")
    groups: list[tuple[str, Iterable[tuple[str, str]]]] = [
        (
            say("method.run"),
            (
                (say("cohort.fact.pipeline"), run.pipeline_name),
                (say("method.digest"), run.pipeline_digest),
                (say("method.seed"), str(run.seed)),
                (say("cohort.fact.started"), run.started),
                (say("cohort.fact.identifiers"), kept),
            ),
        ),
        (
            say("cohort.fact.model"),
            (
                (say("provenance.name"), model.name),
                (say("provenance.family"), model.family),
                (say("provenance.input"), _size(model.input_size)),
                (say("provenance.tokens"), _size(model.grid)),
                (say("provenance.score"), model.score),
                (say("provenance.licence"), model.licence or say("provenance.not_stated")),
                *((say("provenance.note"), note) for note in model.notes),
                *((say("method.files", name=name), digest) for name, digest in model.files.items()),
            ),
        ),
        (
            say("studies.study"),
            (
                (say("provenance.code"), contents.audit.record.study),
                *_elements(words, contents.audit.record.elements),
            ),
        ),
        *(
            (contents.image_name(image), _image(words, image.record, contents.audit.record.elements))
            for image in contents.audit.images
        ),
    ]
    story = contents.section(say("provenance"), "provenance")
    for title, pairs in groups:
        table = _pairs(style, pairs)
        if table:
            story += [style.text(title, "block"), *table, Spacer(0, 9)]
    software = _grid(style, (*run.environment.items(), *run.versions.items()))
    return [*story, style.text(say("provenance.software"), "block"), *software] if software else story


def _image(words: Catalogue, record: ImageRecord, of_study: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Facts of an image; elements that the study says in the same words are not said again."""
    say = words.say
    own = {keyword: value for keyword, value in record.elements.items() if of_study.get(keyword) != value}
    return (
        (say("provenance.series"), record.series),
        (say("provenance.frame"), str(record.frame + 1)),
        (say("provenance.size"), _size((record.rows, record.columns))),
        (say("provenance.syntax"), record.transfer_syntax),
        (say("provenance.decoder"), record.decoder),
        (say("provenance.display"), record.display),
        (say("provenance.pixels"), record.pixel_sha256),
        (say("provenance.orientation"), words.edges(edge_letters(record.patient_orientation))),
        (say("provenance.spacing"), _spacing(words, record)),
        *_elements(words, own),
        *((say("provenance.note"), note) for note in record.notes),
    )


def _spacing(words: Catalogue, record: ImageRecord) -> str:
    """Row and column spacing in mm, and where it holds."""
    if record.pixel_spacing:
        return f"{words.signs(_size(record.pixel_spacing))} mm"
    if record.imager_pixel_spacing:
        return words.say("provenance.spacing.detector", size=words.signs(_size(record.imager_pixel_spacing)))
    return words.say("provenance.spacing.none")


def _size(pair: tuple[float, float]) -> str:
    return by(f"{pair[0]:g}", f"{pair[1]:g}")


def _elements(words: Catalogue, elements: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((words.name(keyword), value) for keyword, value in elements.items())


def _setting(words: Catalogue, value: str | float | bool) -> str:  # noqa: FBT001  # a setting may be a flag
    if isinstance(value, bool):
        return words.say("yes" if value else "no")
    return words.signs(f"{value:g}") if isinstance(value, float) else str(value)


def _halves(line: str) -> tuple[str, str]:
    """The two parts of a text that a bar divides."""
    name, _, why = line.partition("|")
    return name, why


def _grid(style: Style, items: Iterable[tuple[str, str]]) -> list[Flowable]:
    listed = list(items)
    return [Tied(0, 3), facts(style, listed)] if listed else []


def _pairs(style: Style, pairs: Iterable[tuple[str, str]]) -> list[Flowable]:
    table = pairs_table(style, pairs, style.width, _KEY)
    return [] if table is None else [table]
