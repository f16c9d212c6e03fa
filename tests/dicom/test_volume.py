import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medaudit.dicom.read import read_images
from medaudit.dicom.scan import scan
from medaudit.dicom.volume import frame_planes, stacks_of

AXIAL = [1, 0, 0, 0, 1, 0]
SAGITTAL = [0, 1, 0, 0, 0, -1]
SERIES = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.4", "Modality": "CT"}


@pytest.fixture
def series(make):
    """``series([(position, instance number), ...])``: the instances of one series of slices."""

    def build(places, orientation=AXIAL, **elements):
        for index, (position, number) in enumerate(places):
            path = make(
                f"{index:03}.dcm",
                np.full((4, 4), index, dtype=np.uint16),
                ImagePositionPatient=list(position),
                ImageOrientationPatient=orientation,
                InstanceNumber=number,
                **SERIES,
                **elements,
            )
        (study,) = scan(path.parent).studies
        return study.series[0].instances

    return build


def test_slices_are_ordered_by_place_not_by_instance_number(series):
    instances = series([((0, 0, z), number) for z, number in ((20, 1), (0, 3), (15, 2), (5, 9), (10, 4))])
    (stack,), loose = stacks_of(instances)
    assert loose == ()
    assert [item.place for item in stack.slices] == [0, 5, 10, 15, 20]
    assert (stack.spacing, stack.gaps, stack.repeated, stack.notes()) == (5, (), 0, ())


def test_gaps_and_repeated_places_are_reported(series):
    (stack,), _ = stacks_of(series([((0, 0, z), z) for z in (0, 2, 4, 4, 12, 14)]))
    assert (stack.spacing, stack.gaps, stack.repeated) == (2, (8,), 1)
    assert stack.notes() == (
        "1 gap between slices: the longest step is 8 mm where 2 mm are usual",
        "1 of 6 slices lie where another slice does",
    )


def test_oblique_and_reversed_slices_lie_along_their_normal(series):
    angle = np.radians(30)
    tilted = [1, 0, 0, 0, round(float(np.cos(angle)), 6), round(float(np.sin(angle)), 6)]
    normal = np.array([0, -np.sin(angle), np.cos(angle)])
    (stack,), _ = stacks_of(series([(tuple(normal * step + [3, 0, 0]), 1) for step in (6, 0, 3)], orientation=tilted))
    assert [item.place for item in stack.slices] == pytest.approx([0, 3, 6], abs=1e-3)


def test_sagittal_slices_go_from_right_to_left(series):
    (stack,), _ = stacks_of(series([((x, 0, 0), 1) for x in (4, -4, 0)], orientation=SAGITTAL))
    assert [item.place for item in stack.slices] == [-4, 0, 4]


def test_other_directions_are_other_stacks_and_a_lone_one_is_none(series, make):
    instances = series([((0, 0, z), z) for z in (0, 1)])
    path = make("scout.dcm", ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=SAGITTAL, **SERIES)
    (study,) = scan(path.parent).studies
    stacks, loose = stacks_of(study.series[0].instances)
    assert [len(stack.slices) for stack in stacks] == [len(instances)]
    assert [instance.ref.label for instance in loose] == ["scout.dcm"]


def test_slices_are_picked_by_millimetres_and_levels(series):
    (stack,), _ = stacks_of(series([((0, 0, z), z) for z in range(-10, 15, 2)]))
    assert [item.place for item in stack.every(5)] == [-10, -6, 0, 4, 10]
    assert [item.place for item in stack.at([0, 0.5, 0.5, 1])] == [-10, 2, 14]
    assert len(stack.every(0.1)) == len(stack.slices)
    assert len(stack.every(1000)) == 1


def held(keyword, **elements):
    """A sequence of one item."""
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    holder = Dataset()
    setattr(holder, keyword, Sequence([item]))
    return holder


def test_frames_of_an_enhanced_object_lie_by_their_functional_groups(make):
    path = make(pixels=np.zeros((4, 4), dtype=np.uint8))
    ds = dcmread(path)
    ds.NumberOfFrames, ds.PixelData = 4, np.repeat(np.arange(4, dtype=np.uint8), 16).tobytes()
    shared = held("PlaneOrientationSequence", ImageOrientationPatient=AXIAL)
    shared.update(held("PixelMeasuresSequence", PixelSpacing=[0.5, 0.7]))
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence(
        [held("PlanePositionSequence", ImagePositionPatient=[0, 0, z]) for z in (6, 2, 0, 4)]
    )
    ds.save_as(path)
    (study,) = scan(path).studies
    (stack,), loose = stacks_of(study.instances)
    assert [item.frame for item in stack.slices] == [2, 1, 3, 0]
    assert loose == ()
    for image in read_images(study.instances[0].ref, [2, 0]):
        assert (image.stored == image.frame).all()
        assert image.pixel_spacing == (0.5, 0.7)
        assert image.dataset.ImagePositionPatient[2] == {2: 0, 0: 6}[image.frame]
        assert image.patient_orientation == ("L", "P")


def test_frames_without_places_are_loose(make):
    path = make(pixels=np.zeros((4, 4), dtype=np.uint8), NumberOfFrames=1)
    ds = dcmread(path)
    ds.NumberOfFrames, ds.PixelData = 2, bytes(32)
    item = Dataset()
    item.PlanePositionSequence = Sequence([Dataset()])
    ds.PerFrameFunctionalGroupsSequence = Sequence([item, Dataset()])
    ds.save_as(path)
    (study,) = scan(path).studies
    assert frame_planes(study.instances[0].ref) == (None, None)
    assert stacks_of(study.instances) == ((), study.instances)
