"""CT cohorts are reproducible, findings independent, reports true, and no statistic of the volume tells a nodule."""

from dataclasses import replace

import numpy as np
import pytest

from medaudit.phantom.ct_cohort import EFFUSION_PREVALENCE, NODULE_PREVALENCE, draw_ct_study
from medaudit.phantom.ct_report import known_ct_sentences, write_ct_report
from medaudit.phantom.ct_study import render_ct
from medaudit.phantom.findings import FindingKind, FindingSpec, Side, Zone

MANY = 600


@pytest.fixture(scope="module")
def plain():
    return [draw_ct_study(11, index) for index in range(MANY)]


def has(spec, kind):
    return any(finding.kind is kind for finding in spec.findings)


def share(specs, test):
    return sum(map(test, specs)) / len(specs)


@pytest.mark.parametrize(
    ("kind", "prevalence"),
    [(FindingKind.NODULE, NODULE_PREVALENCE), (FindingKind.EFFUSION, EFFUSION_PREVALENCE)],
)
def test_findings_have_their_prevalence_whatever_else_is_there(plain, kind, prevalence):
    assert share(plain, lambda spec: has(spec, kind)) == pytest.approx(prevalence, abs=0.06)
    other = FindingKind.EFFUSION if kind is FindingKind.NODULE else FindingKind.NODULE
    for test in (
        lambda spec: spec.anatomy.sex == "F",
        lambda spec: spec.scanner.key == "fir",
        lambda spec: spec.dose > 1,
        lambda spec: spec.anatomy.habitus > 0,
        lambda spec: has(spec, other),
    ):
        some = [spec for spec in plain if test(spec)]
        assert share(some, lambda spec: has(spec, kind)) == pytest.approx(prevalence, abs=0.12)


def test_a_study_is_drawn_from_seed_and_index_alone(plain):
    assert draw_ct_study(11, 7) == plain[7]
    assert draw_ct_study(12, 7) != plain[7]
    sides = {(one.side, one.zone) for spec in plain for one in spec.findings if one.kind is FindingKind.NODULE}
    assert len(sides) == 6
    with pytest.raises(ValueError, match="seed"):
        draw_ct_study(-1, 0)


def test_what_a_cohort_is_said_to_have_is_in_the_volume(plain):
    for spec in [one for one in plain if one.findings][:8]:
        phantom = render_ct(spec, 64)
        for finding, mask in zip(spec.findings, phantom.finding_masks, strict=True):
            assert mask.any()
            x = np.broadcast_to(phantom.grid.planes()[0], mask.shape)[mask]
            assert x.mean() * finding.side.sign > 1


def test_every_report_is_true_and_every_study_has_the_same_sentences(plain):
    texts = [sentence.text for sentence in known_ct_sentences(plain[0])]
    assert len(texts) == len(set(texts))
    for spec in plain[:80]:
        sentences = known_ct_sentences(spec)
        assert [sentence.text for sentence in sentences] == texts
        truth = {sentence.text: sentence.truth for sentence in sentences}
        report = write_ct_report(spec, spec.noise_seed)
        assert report == write_ct_report(spec, spec.noise_seed)
        written = f"{report.findings} {report.impression}".lower()
        assert "radiograph" not in written
        for finding in spec.findings:
            assert truth[f"{finding.side.capitalize()} {finding.kind}."]
            where = f"{finding.side} {finding.zone} zone" if finding.zone else f"{finding.side}"
            assert where in written
        for kind in (FindingKind.NODULE, FindingKind.EFFUSION):
            assert truth[f"{kind.value.capitalize()}."] == has(spec, kind)
            if has(spec, kind):
                assert f"no {kind.value}" not in written
        assert truth["Normal chest CT."] == (not spec.findings)


def test_no_statistic_of_the_volume_tells_a_nodule(plain):
    """A nodule must shift none by more than a fraction of how much patients differ: 0.35 of it is an AUC of 0.60."""

    def statistics(spec):
        values = render_ct(spec, 64).volume
        return [values.mean(), values.std(), *np.percentile(values, (5, 10, 20, 35, 50, 65, 80, 90, 95))]

    size = FindingSpec(FindingKind.NODULE, Side.LEFT, Zone.MID, 24.0, 1)
    without = np.array([statistics(replace(spec, findings=())) for spec in plain[:7]])
    with_it = np.array([statistics(replace(spec, findings=(size,))) for spec in plain[:7]])
    shift = np.abs((with_it - without).mean(axis=0)) / without.std(axis=0, ddof=1)
    assert shift.max() < 0.2
