"""The sections behind the verdict: measurements, method, limits, provenance."""

from collections.abc import Iterable, Mapping

from reportlab.platypus import Flowable, KeepTogether, Spacer

from medaudit.figures.orientation import edge_letters
from medaudit.figures.wording import NOTHING, by, number, words_of
from medaudit.records import Finding, ImageAudit, ImageRecord, Measurement
from medaudit.report.contents import Contents, Tied
from medaudit.report.scores import all_findings, crossed, methods, stated_thresholds, threshold_text
from medaudit.report.style import SEVERITY_INK, Style
from medaudit.report.summary import finding_number
from medaudit.report.tables import facts, pairs_table, panel, rows_table
from medaudit.report.wording import HOW_TO_READ, LIMITS, UNSEEN

_KEY = 122.0
_FULL = 100_000  # characters: prompts in full


def measurements(contents: Contents) -> list[Flowable]:
    """Findings in full, then every measurement against its threshold."""
    style = contents.style
    story = contents.section("Measurements", "measurements")
    several = len(contents.audit.images) > 1
    found = all_findings(contents.audit)
    cards = [_card(style, finding, f"Image {code}" if several else "") for finding, code in found]
    if cards:
        # The heading stays with the first card, and no card is cut in two.
        first = KeepTogether([*story, cards[0]])
        story = [first, *(flowable for card in cards[1:] for flowable in (Spacer(0, 8), KeepTogether([card])))]
        story.append(Spacer(0, 8))
    if not any(image.measurements for image in contents.audit.images):
        return [*story, style.text("No measurement was made.")]
    stated = stated_thresholds(contents.run)
    for image in contents.audit.images:
        if several:
            story += [Spacer(0, 6), style.text(contents.image_name(image), "block")]
        if image.measurements:
            story.append(_measured(style, image, stated))
        else:
            story.append(style.text("No measurement was made on this image."))
    return story


def _card(style: Style, finding: Finding, where: str) -> Flowable:
    ink = SEVERITY_INK[finding.severity]
    label = finding.severity.value.capitalize() + (f" \u00b7 {where}" if where else "")
    parts = [("Does not show  ", finding.limits), ("What to do  ", finding.advice)]
    content: list[Flowable] = [
        style.rich([(label, ink)], "small"),
        style.text(finding.claim, "strong"),
        style.text(finding_number(finding, _FULL), "caption"),
        *(style.rich([(name, ink), (text, None)], "small") for name, text in parts if text),
    ]
    return panel(content, style.width, ink)


def _measured(style: Style, image: ImageAudit, stated: Mapping[str, object]) -> Flowable:
    rows = []
    for measurement in image.measurements:
        finding = crossed(measurement, image)
        threshold = threshold_text(measurement, finding, stated)
        if finding is not None:
            state: Flowable | str = style.rich([(finding.severity.value, SEVERITY_INK[finding.severity])], "small")
        else:
            state = "within" if threshold else "measured"
        rows.append(
            (
                words_of(measurement.check),
                words_of(measurement.quantity),
                number(measurement.value),
                threshold or NOTHING,
                state,
                _about(measurement),
            )
        )
    fixed = (78.0, 92.0, 46.0, 62.0, 50.0)
    head = ("Check", "Quantity", "Value", "Threshold", "Result", "Prompt")
    return rows_table(style, head, rows, (*fixed, style.width - sum(fixed)), figures=(2, 3))


def _about(measurement: Measurement) -> str:
    return (
        f"{measurement.subject} \u00b7 against: {measurement.against}" if measurement.against else measurement.subject
    )


def method(contents: Contents) -> list[Flowable]:
    """How to read the numbers, and every setting that made them."""
    style = contents.style
    story = contents.section("Settings and method", "method")
    story += _pairs(style, HOW_TO_READ)
    for name, settings in methods(contents.audit):
        story += [Spacer(0, 10), style.text(f"Method: {name}", "block")]
        story += _grid(style, ((words_of(key), _setting(value)) for key, value in settings.items()))
    return story


def limits(contents: Contents) -> list[Flowable]:
    """What this does not show."""
    style = contents.style
    content: list[Flowable] = []
    cropped = any(not image.grid_map.sees_everything() for image in contents.audit.images)
    for name, why in (*LIMITS, UNSEEN) if cropped else LIMITS:
        content.append(style.rich([(f"{name} ", style.accent), (why, None)], "body"))
    box = panel(content, style.width, style.accent)
    return [KeepTogether([*contents.section("What this does not show", "limits"), box])]


def provenance(contents: Contents) -> list[Flowable]:
    """Enough to repeat the audit: run, model files, study, images, software."""
    style, run = contents.style, contents.run
    model = run.model
    kept = (
        "identifiers are kept, by the site\u2019s choice"
        if run.keeps_identifiers
        else "identifiers are replaced by codes"
    )
    groups: list[tuple[str, Iterable[tuple[str, str]]]] = [
        (
            "Run",
            (
                ("Pipeline", run.pipeline_name),
                ("Pipeline digest, sha256", run.pipeline_digest),
                ("Seed", str(run.seed)),
                ("Started, UTC", run.started),
                ("Identifiers", kept),
            ),
        ),
        (
            "Model",
            (
                ("Name", model.name),
                ("Family", model.family),
                ("Input, rows \u00d7 columns", _size(model.input_size)),
                ("Image tokens", _size(model.grid)),
                ("Trained score", model.score),
                ("Licence", model.licence or "not stated"),
                *(("Note", note) for note in model.notes),
                *((f"{name}, sha256", digest) for name, digest in model.files.items()),
            ),
        ),
        ("Study", (("Code", contents.audit.record.study), *_elements(contents.audit.record.elements))),
        *((contents.image_name(image), _image(image.record)) for image in contents.audit.images),
    ]
    story = contents.section("Provenance", "provenance")
    for title, pairs in groups:
        table = _pairs(style, pairs)
        if table:
            story += [style.text(title, "block"), *table, Spacer(0, 9)]
    software = _grid(style, (*run.environment.items(), *run.versions.items()))
    return [*story, style.text("Software", "block"), *software] if software else story


def _image(record: ImageRecord) -> tuple[tuple[str, str], ...]:
    return (
        ("Series", record.series),
        ("Frame", str(record.frame + 1)),
        ("Rows \u00d7 columns", _size((record.rows, record.columns))),
        ("Transfer syntax", record.transfer_syntax),
        ("Decoder", record.decoder),
        ("Display pipeline", record.display),
        ("Pixels, sha256", record.pixel_sha256),
        ("Orientation", edge_letters(record.patient_orientation).sentence()),
        ("Pixel spacing", _spacing(record)),
        *_elements(record.elements),
        *(("Note", note) for note in record.notes),
    )


def _spacing(record: ImageRecord) -> str:
    """Row and column spacing in mm, and where it holds."""
    if record.pixel_spacing:
        return f"{_size(record.pixel_spacing)} mm"
    if record.imager_pixel_spacing:
        return f"{_size(record.imager_pixel_spacing)} mm at the detector; in the patient not stated in the header"
    return "not stated in the header"


def _size(pair: tuple[float, float]) -> str:
    return by(f"{pair[0]:g}", f"{pair[1]:g}")


def _elements(elements: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((words_of(keyword), value) for keyword, value in elements.items())


def _setting(value: str | float | bool) -> str:  # noqa: FBT001  # a setting may be a flag
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _grid(style: Style, items: Iterable[tuple[str, str]]) -> list[Flowable]:
    listed = list(items)
    return [Tied(0, 3), facts(style, listed)] if listed else []


def _pairs(style: Style, pairs: Iterable[tuple[str, str]]) -> list[Flowable]:
    table = pairs_table(style, pairs, style.width, _KEY)
    return [] if table is None else [table]
