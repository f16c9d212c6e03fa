"""The text is true of the picture, and the sentences carry their truth."""

from medaudit.dicom.report_sentences import sentences
from medaudit.phantom.cohort import draw_cohort
from medaudit.phantom.findings import ZONED, FindingKind
from medaudit.phantom.report_text import known_sentences, write_report


def test_a_finding_stands_in_both_sections_and_its_denial_in_none():
    for spec in draw_cohort(150, 2):
        report = write_report(spec, spec.noise_seed)
        text = f"{report.findings} {report.impression}".lower()
        present = {finding.kind for finding in spec.findings}
        for finding in spec.findings:
            name = "heart" if finding.kind is FindingKind.CARDIOMEGALY else finding.kind.value
            assert name in report.findings.lower() or "cardi" in report.findings.lower()
            if finding.side:
                assert str(finding.side) in report.impression.lower()
            if finding.kind in ZONED:
                assert f"{finding.side} {finding.zone} zone" in report.impression.lower()
        for kind in present:
            assert f"no {kind.value}" not in text
        if not present:
            assert any(word in report.impression for word in ("Normal", "No acute", "Unremarkable"))


def test_wordings_vary_and_follow_the_seed():
    spec = draw_cohort(1, 2)[0]
    assert write_report(spec, 1) == write_report(spec, 1)
    assert len({write_report(spec, seed).findings for seed in range(12)}) > 8


def test_every_report_splits_into_whole_sentences():
    for spec in draw_cohort(60, 3):
        report = write_report(spec, 0)
        for text in (report.findings, report.impression):
            assert all(sentence.endswith(".") and sentence[0] == sentence[0].upper() for sentence in sentences(text))
            assert "{" not in text
            assert "None" not in text


def test_every_study_is_asked_the_same_sentences():
    specs = draw_cohort(40, 4)
    asked = [[sentence.text for sentence in known_sentences(spec)] for spec in specs]
    assert all(texts == asked[0] for texts in asked)
    assert len(set(asked[0])) == len(asked[0])
    assert len(asked[0]) > 100


def test_sentences_know_presence_absence_side_and_zone():
    for spec in draw_cohort(80, 6):
        truth = {sentence.text: sentence.truth for sentence in known_sentences(spec)}
        for kind in FindingKind:
            here = [finding for finding in spec.findings if finding.kind is kind]
            assert truth[f"No {kind.value}."] == (not here)
            assert truth[f"{kind.value.capitalize()}."] == bool(here)
            if kind is FindingKind.CARDIOMEGALY:
                continue
            for side in ("left", "right"):
                on_side = [finding for finding in here if finding.side == side]
                assert truth[f"{side.capitalize()} {kind.value}."] == bool(on_side)
                for zone in ("upper", "mid", "lower") if kind in ZONED else ():
                    there = any(finding.zone == zone for finding in on_side)
                    assert truth[f"{kind.value.capitalize()} in the {side} {zone} zone."] == there
        assert truth["Normal chest radiograph."] == (not spec.findings)
