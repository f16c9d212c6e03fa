"""HTML, JSON and CSV say what the PDF says, load nothing, and hold nothing as markup."""

import csv
import json
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import jsonschema
import pytest

from medaudit.records import Walk
from medaudit.report.cohort_html import cohort_html
from medaudit.report.html import study_html
from medaudit.report.layout import Layout
from medaudit.report.plain import COLUMNS, cohort_csv, cohort_json, study_csv, study_json
from medaudit.report.write import COHORT, Format, read_cohort, write_reports
from medaudit.store.audit_store import AuditStore

SCHEMA = Path(__file__).parents[2] / "reports" / "schema" / "report.schema.json"
NASTY = '"><script>alert(1)</script><img src=http://x.test/y>&amp;'


@pytest.fixture(scope="module")
def validate():
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    validator.check_schema(validator.schema)
    return lambda text: validator.validate(json.loads(text))


@pytest.fixture
def store(build, tmp_path):
    with AuditStore.create(tmp_path / "audit", build.run) as store:
        for code in ("S-1", "S-2"):
            study = build.study(build.image(study=code, image=f"I-{code}", shape=(60, 50)))
            store.save_study(replace(study, record=replace(study.record, study=code)), [])
        yield store


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.sources, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


def _parsed(document):
    parser = _Tags()
    parser.feed(document)
    return parser


@pytest.mark.parametrize("form", Format)
def test_each_format_is_written_for_every_study_and_for_all(store, form):
    outcome = write_reports(store, form=form)
    assert outcome.failed == ()
    names = ["S-1", "S-2", COHORT] if form.has_cohort else ["S-1", "S-2"]
    assert sorted(path.name for path in outcome.written) == [f"{name}.{form.ending}" for name in names]
    before = [path.read_bytes() for path in outcome.written]
    assert [path.read_bytes() for path in write_reports(store, form=form).written] == before


def test_chosen_studies_come_without_a_cohort(store):
    assert [path.name for path in write_reports(store, studies=["S-1"], form=Format.CSV).written] == ["S-1.csv"]


def test_json_follows_the_schema(build, store, validate):
    validate(study_json(build.run, build.study()))
    cohort = read_cohort(store, store.folder)
    validate(cohort_json(cohort, Layout(smallest_group=2)))
    with pytest.raises(jsonschema.ValidationError):
        validate(study_json(build.run, build.study()).replace('"severity": "warning"', '"severity": "grave"'))


def test_json_holds_the_numbers_of_the_records(build):
    study = build.study()
    image = json.loads(study_json(build.run, study))["images"][0]
    for stated, one in zip(image["prompts"], study.images[0].attributions, strict=True):
        assert stated["cosine"] == pytest.approx(one.similarity)
        assert stated["map"][3][5] == pytest.approx(float(one.image.values[3, 5]), rel=1e-6)
        assert stated["unit"] == "nats"
    assert [one["severity"] for one in image["findings"]] == ["caution", "warning"]


def test_json_holds_the_curves(build, validate):
    image = build.image(walked=(build.asked[0][0],))
    text = study_json(build.run, build.study(image))
    validate(text)
    stated = json.loads(text)["images"][0]["curves"]
    assert [(one["prompt"], one["walk"]) for one in stated] == [(build.asked[0][0], walk.value) for walk in Walk]
    for one, curve in zip(stated, image.curves, strict=True):
        assert one["share"] == pytest.approx(curve.share)
        assert {name: one[name] for name in curve.lines} == {
            name: pytest.approx(line, rel=1e-6) for name, line in curve.lines.items()
        }


def test_html_draws_the_curves_of_what_the_model_sees(build):
    image = build.image(walked=(build.asked[0][0],))
    parsed = _parsed(study_html(build.run, build.study(image), Layout()))
    text = "".join(parsed.text)
    assert parsed.tags.count("svg") == _parsed(study_html(build.run, build.study(), Layout())).tags.count("svg") + 2
    assert text.count("no higher than its negation") == 2  # the two other findings of the image
    assert f"Area: map {image.curves[0].areas['own']:.3f}; random" in text
    assert "Insertion" not in "".join(_parsed(study_html(build.run, build.study(), Layout())).text)


def test_a_loss_that_is_no_number_is_null(build, validate):
    image = build.image()
    first = image.attributions[0]
    diverged = replace(first, image_trace=replace(first.image_trace, loss=(1.0, float("nan"))))
    text = study_json(build.run, build.study(replace(image, attributions=(diverged, *image.attributions[1:]))))
    validate(text)
    assert json.loads(text)["images"][0]["prompts"][0]["loss"]["image"] == [1.0, None]


def test_csv_is_one_number_a_line(build, store):
    rows = list(csv.DictReader(StringIO(study_csv(build.run, build.study()))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["row"] for row in rows].count("score") == len(build.asked)
    warning = next(row for row in rows if row["severity"] == "warning")
    assert (warning["check"], warning["value"], warning["threshold"]) == ("prompt_control", "0.94", "0.8")
    every = list(csv.DictReader(StringIO(cohort_csv(read_cohort(store, store.folder)))))
    assert {row["study"] for row in every} == {"S-1", "S-2"}


def test_a_spreadsheet_finds_no_formula(build):
    asked = (('=HYPERLINK("http://x.test")', *build.asked[0][1:]),)
    rows = list(csv.DictReader(StringIO(study_csv(build.run, build.study(build.image(asked=asked))))))
    assert rows[0]["prompt"].startswith("'=")


def test_html_loads_nothing_and_takes_no_text_for_markup(build, store):
    asked = tuple((NASTY + text, kind, finding and NASTY, *rest) for text, kind, finding, *rest in build.asked)
    image = build.image(asked=asked, elements={"Manufacturer": NASTY})
    run = replace(build.run, pipeline_name=NASTY, model=replace(build.run.model, name=NASTY, notes=(NASTY,)))
    cohort = replace(read_cohort(store, store.folder), run=run)
    for document in (
        study_html(run, build.study(image, elements={"StudyDescription": NASTY}), Layout(institution=NASTY)),
        cohort_html(cohort, Layout(institution=NASTY)),
    ):
        parsed = _parsed(document)
        assert not {"script", "link", "iframe", "object"} & set(parsed.tags)
        assert all(source.startswith(("data:image/jpeg", "S-")) for source in parsed.sources)
        assert NASTY in "".join(parsed.text)
        assert "default-src 'none'" in document


def test_html_says_what_the_pdf_says(build):
    text = " ".join("".join(_parsed(study_html(build.run, build.study(), Layout())).text).split())
    for said in (
        "2 findings in 5 measurements",
        "The map of this prompt hardly differs",
        "0 to 3.2 nats per token, common to all prompts of this image",
        "Whether a finding is present.",
        build.run.pipeline_digest,
    ):
        assert said in text, said
    assert study_html(build.run, build.study(), Layout()).count("<img") == 4


def test_html_of_a_cohort_links_to_html(store):
    write_reports(store, form=Format.HTML)
    page = (store.folder / "reports" / "cohort.html").read_text(encoding="utf-8")
    assert 'href="S-1.html"' in page
    assert "so no groups are compared" in page
