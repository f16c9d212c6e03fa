import pytest

from medaudit.dicom.scan import scan
from medaudit.pipeline.choose import choose
from medaudit.pipeline.spec import Images
from medaudit.records import FileFate


@pytest.fixture
def study(tmp_path, write_radiograph):
    """Build a study of one DX image with other elements."""

    def build(**elements):
        write_radiograph(tmp_path / "image.dcm", 1, **elements)
        (study,) = scan(tmp_path).studies
        return study

    return build


@pytest.mark.parametrize(
    ("elements", "rules", "reason"),
    [
        ({}, {"modalities": ["CR"]}, "Modality DX is not in images.modalities (CR)"),
        ({"Modality": ""}, {"modalities": ["CR"]}, "Modality (0008,0060) is empty"),
        ({"BodyPartExamined": "FOOT"}, {"body_parts": ["CHEST"]}, "BodyPartExamined FOOT"),
        ({"ViewPosition": "LL"}, {"views": ["PA", "AP"]}, "ViewPosition LL"),
        ({"ViewPosition": ""}, {"views": ["PA"], "when_missing": "skip"}, "ViewPosition is empty"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, {}, "LOCALIZER"),
        ({}, {"min_side": 90}, "96 x 80 pixels; images.min_side is 90"),
    ],
)
def test_a_rule_that_is_not_met_is_the_reason(study, elements, rules, reason):
    choice = choose(study(**elements), Images(**rules))
    assert choice.images == ()
    (passed,) = choice.passed_over
    assert passed.fate is FileFate.NOT_CHOSEN
    assert reason in passed.reason


@pytest.mark.parametrize(
    ("elements", "rules"),
    [
        ({}, {}),
        ({}, {"modalities": ["dx"], "body_parts": ["Chest"], "views": ["pa"]}),
        ({"ViewPosition": "", "BodyPartExamined": ""}, {"views": ["PA"], "body_parts": ["CHEST"]}),
    ],
)
def test_an_image_that_meets_the_rules_is_taken(study, elements, rules):
    choice = choose(study(**elements), Images(**rules))
    assert len(choice.images) == 1
    assert choice.passed_over == ()


def test_a_study_gives_no_more_images_than_it_may(tmp_path, write_radiograph):
    for seed in range(4):
        write_radiograph(tmp_path / f"{seed}.dcm", seed, study=9)
    (study,) = scan(tmp_path).studies
    choice = choose(study, Images(max_per_study=3))
    assert [image.instance.ref.label for image in choice.images] == ["0.dcm", "1.dcm", "2.dcm"]
    assert "max_per_study (3)" in choice.passed_over[0].reason
