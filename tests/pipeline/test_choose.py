import pytest

from medaudit.dicom.scan import scan
from medaudit.pipeline.choose import choose
from medaudit.pipeline.spec import Display, Images
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


@pytest.fixture
def ct(tmp_path, write_radiograph):
    """A study of eleven slices 2 mm apart, named and numbered in another order than they lie."""
    for seed in range(11):
        write_radiograph(
            tmp_path / f"{(seed * 7) % 11:02}.dcm",
            seed,
            study=9,
            ImagePositionPatient=[0, 0, 2 * seed],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            InstanceNumber=100 - seed,
        )
    (study,) = scan(tmp_path).studies
    return study


def places(choice):
    return [image.instance.plane.position[2] for image in choice.images]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"max_per_study": 3}, [0, 2, 4]),
        ({"slices": "middle"}, [10]),
        ({"slices": "step", "step_mm": 8}, [0, 8, 16]),
        ({"slices": "step", "step_mm": 2, "max_per_study": 3}, [0, 10, 20]),
        ({"slices": "levels", "levels": {"bases": 0.1, "carina": 0.6}}, [2, 12]),
    ],
)
def test_slices_are_taken_by_place(ct, rules, expected):
    choice = choose(ct, Images(**rules))
    assert places(choice) == expected
    assert len(choice.passed_over) == 11 - len(expected)
    assert all(passed.fate is FileFate.NOT_CHOSEN and passed.reason for passed in choice.passed_over)


def test_a_chosen_slice_says_where_it_lies(ct):
    choice = choose(ct, Images(slices="levels", levels={"bases": 0.1, "carina": 0.6}))
    assert choice.images[1].notes == ("slice 7 of 11 by place, level carina",)
    assert "levels bases, carina" in choice.passed_over[0].reason


def test_a_copy_under_another_uid_is_a_duplicate(tmp_path, write_radiograph):
    write_radiograph(tmp_path / "a.dcm", 1, study=9)
    write_radiograph(tmp_path / "b.dcm", 1, study=9, SOPInstanceUID="1.2.3.4")
    (study,) = scan(tmp_path).studies
    choice = choose(study, Images())
    assert [image.instance.ref.label for image in choice.images] == ["a.dcm"]
    assert choice.passed_over[0].fate is FileFate.DUPLICATE


@pytest.mark.parametrize("rules", [{"slices": "step"}, {"step_mm": 3}, {"slices": "levels"}, {"levels": {"a": 0.5}}])
def test_slices_need_their_numbers(rules):
    with pytest.raises(ValueError, match="belongs to slices"):
        Images(**rules)


@pytest.mark.parametrize(
    ("shown", "views"),
    [
        ({}, [""]),
        ({"voi": "windows", "windows": ["lung", {"name": "own", "center": 0, "width": 10}]}, ["lung", "own"]),
        ({"voi": "windows", "windows": ["lung", "bone", "brain"], "combine": "channels"}, [""]),
        ({"voi": "windows", "windows": [{"name": "mine", "percentiles": [2, 98]}]}, ["mine"]),
    ],
)
def test_windows_make_views(shown, views):
    assert list(Display(**shown).views()) == views


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ({"voi": "windows"}, "belongs to voi: windows"),
        ({"windows": ["lung"]}, "belongs to voi: windows"),
        ({"voi": "windows", "windows": ["lung"], "combine": "channels"}, "three windows"),
        ({"voi": "windows", "windows": ["lung", "lung"]}, "each name once"),
        ({"voi": "windows", "windows": ["heart"]}, "expected a window among"),
        ({"voi": "windows", "windows": [{"name": "x", "center": 1}]}, "center and width, or percentiles"),
    ],
)
def test_windows_that_make_no_sense(shown, words):
    with pytest.raises(ValueError, match=words):
        Display(**shown)


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        ("1.2.840.10008.5.1.4.1.1.104.1", "an encapsulated PDF document; its text is not read"),
        ("1.2.840.10008.5.1.4.1.1.104.2", "an encapsulated CDA document; its text is used where report_text.sources"),
    ],
)
def test_an_encapsulated_document_says_whether_it_is_read(study, uid, words):
    (passed,) = choose(study(SOPClassUID=uid), Images()).passed_over
    assert passed.fate is FileFate.NOT_AN_IMAGE
    assert passed.reason.startswith(words)
