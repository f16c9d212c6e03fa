from dataclasses import replace

import pytest

from medaudit.errors import StoreError
from medaudit.records import PromptKind, Severity, StudyAudit
from medaudit.report.scores import (
    all_findings,
    crossed,
    explained,
    first_shown,
    gravest_first,
    lead_image,
    margins,
    methods,
    number,
    stated_thresholds,
    threshold_text,
    words_of,
)


def test_margins_are_over_the_negated_and_the_mean_control(build):
    image = build.image()
    effusion = margins(image.attributions[0], image)
    assert effusion.negated == pytest.approx(0.412 - 0.405)
    assert effusion.control == pytest.approx(0.412 - (0.051 + 0.083) / 2)


def test_negated_and_control_prompts_have_no_margins(build):
    image = build.image()
    for index in (1, 6):
        margin = margins(image.attributions[index], image)
        assert (margin.negated, margin.control) == (None, None)


def test_a_report_sentence_has_a_margin_to_controls_only(build):
    image = build.image(asked=(("No effusion.", PromptKind.REPORT, "", 0.3, (0.5, 0.5, 1.0)), build.asked[6]))
    margin = margins(image.attributions[0], image)
    assert margin.negated is None
    assert margin.control == pytest.approx(0.3 - 0.051)
    assert explained(image) == image.attributions[:1]


def test_the_first_page_shows_the_first_finding_prompt(build):
    image = build.image(asked=(build.asked[6], build.asked[1], build.asked[2]))
    assert first_shown(image) is image.attributions[2]
    assert first_shown(build.image(asked=build.asked[6:])).prompt.text == build.asked[6][0]
    assert first_shown(build.image(asked=())) is None


def test_the_gravest_finding_leads(build):
    calm, grave = build.image(findings=1), build.image(image="I-2")
    audit = build.study(calm, grave)
    assert lead_image(audit) is grave
    assert [finding.severity for finding, _ in all_findings(audit)] == ["warning", "caution", "caution"]
    assert all_findings(audit)[0][1] == "I-2"
    assert gravest_first(grave.findings)[0].severity is Severity.WARNING
    assert lead_image(StudyAudit(audit.record, ())) is None


def test_thresholds_come_from_the_finding_or_the_pipeline(build):
    image = build.image()
    stated = stated_thresholds(build.run)
    texts = [threshold_text(one, crossed(one, image), stated) for one in image.measurements]
    assert texts == ["0.02", "0.8", "0.25", "0.02", ""]


@pytest.mark.parametrize("text", ["", "just words", "thresholds: 3", "thresholds: {border.mass_share: 3}"])
def test_a_pipeline_may_state_no_threshold(build, text):
    measurement = build.image().measurements[2]
    assert threshold_text(measurement, None, stated_thresholds(replace(build.run, pipeline_yaml=text))) == ""


def test_a_pipeline_that_is_no_yaml_is_said_to_be_so(build):
    with pytest.raises(StoreError, match="pipeline_yaml"):
        stated_thresholds(replace(build.run, pipeline_yaml="a: [1"))


def test_each_set_of_settings_is_listed_once(build):
    image = build.image()
    other = replace(image.attributions[0], settings={"beta": 1.0})
    audit = build.study(replace(image, attributions=(*image.attributions, other)))
    assert [dict(settings).get("beta") for _, settings in methods(audit)] == [0.1, 1.0]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("prompt_control", "prompt control"),
        ("PatientSex", "Patient Sex"),
        ("KVP", "KVP"),
        ("StudyInstanceUID", "Study Instance UID"),
        ("XRayTubeCurrent", "X Ray Tube Current"),
        ("", ""),
    ],
)
def test_keys_are_put_into_words(key, words):
    assert words_of(key) == words


def test_numbers_have_a_true_minus():
    assert number(-0.5) == "\u22120.5"
    assert number(0.0071, 3, signed=True) == "+0.007"
    assert number(51.478) == "51.5"
