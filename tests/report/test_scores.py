from dataclasses import replace

import pytest

from medaudit.errors import StoreError
from medaudit.records import PromptKind, Severity, StudyAudit
from medaudit.report.scores import (
    all_findings,
    crossed,
    explained,
    first_shown,
    lead_image,
    methods,
    stated_thresholds,
    threshold_of,
)


def test_findings_and_report_sentences_are_explained(build):
    image = build.image(asked=(("No effusion.", PromptKind.REPORT, "", 0.3, (0.5, 0.5, 1.0)), *build.asked[5:]))
    assert explained(image) == image.attributions[:1]
    assert [one.prompt.kind for one in explained(build.image())] == [PromptKind.FINDING] * 3


def test_the_first_page_shows_what_its_gravest_finding_is_about(build):
    image = build.image()
    gravest = next(one for one in image.findings if one.severity is Severity.WARNING)
    assert first_shown(image).prompt.text == gravest.measurement.subject
    # Without a finding, what the model prefers most to its negation: by 0.063 here, and by 0.007 and less.
    assert first_shown(build.image(findings=0)).prompt.text == build.asked[2][0]
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
    assert lead_image(StudyAudit(audit.record, ())) is None


def test_thresholds_come_from_the_finding_or_the_pipeline(build):
    image = build.image()
    stated = stated_thresholds(build.run)
    texts = [threshold_of(one, crossed(one, image), stated) for one in image.measurements]
    assert texts == [0.02, 0.8, 0.25, 0.02, None]


@pytest.mark.parametrize("text", ["", "just words", "thresholds: 3", "thresholds: {border.mass_share: 3}"])
def test_a_pipeline_may_state_no_threshold(build, text):
    measurement = build.image().measurements[2]
    assert threshold_of(measurement, None, stated_thresholds(replace(build.run, pipeline_yaml=text))) is None


def test_a_pipeline_that_is_no_yaml_is_said_to_be_so(build):
    with pytest.raises(StoreError, match="pipeline_yaml"):
        stated_thresholds(replace(build.run, pipeline_yaml="a: [1"))


def test_each_set_of_settings_is_listed_once(build):
    image = build.image()
    other = replace(image.attributions[0], settings={"beta": 1.0})
    audit = build.study(replace(image, attributions=(*image.attributions, other)))
    assert [dict(settings).get("beta") for _, settings in methods(audit.images[0].attributions)] == [0.1, 1.0]
