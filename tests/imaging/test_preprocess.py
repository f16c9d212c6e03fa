from dataclasses import replace

import numpy as np
import pytest

from medaudit.dicom.grayscale import DisplayImage
from medaudit.errors import UsageError
from medaudit.imaging.preprocess import Fit, PreprocessingSpec, preprocess
from medaudit.records import TokenGrid

GRID = TokenGrid(7, 7, 1)
SPEC = PreprocessingSpec((56, 56), 56, Fit.CROP, "bicubic", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def shown(values):
    return DisplayImage(
        values=values.astype(np.float32), modality_values=None, inverted=False, window=None, description=""
    )


def spot(rows, columns, row, column):
    """A bright square around one stored pixel on black."""
    values = np.zeros((rows, columns))
    values[max(0, row - 6) : row + 7, max(0, column - 6) : column + 7] = 1
    return shown(values)


FLIP = {"_target_": "Flip", "spatial_axis": 1}
CROP = {"_target_": "SpatialCrop", "roi_start": [40, 30], "roi_end": [200, 150]}
CENTRE, BORDER = (
    {"_target_": "CenterSpatialCrop", "roi_size": [150, 120]},
    {"_target_": "BorderPad", "spatial_border": 20},
)
SMALLER = {"_target_": "Resize", "spatial_size": [120, 90], "mode": "bilinear"}
UPSIDE_DOWN = {"_target_": "monai.transforms.Flip", "spatial_axis": 0}
SQUARE = {"_target_": "SpatialPad", "spatial_size": [300, 300]}
CHAINS = [
    ([], None),
    ([], Fit.PAD),
    ([], Fit.SQUASH),
    ([FLIP], Fit.PAD),
    ([CROP], None),
    ([CENTRE, BORDER], Fit.PAD),
    ([SMALLER], Fit.PAD),
    ([UPSIDE_DOWN, SQUARE], None),
]


@pytest.mark.parametrize(("chain", "fit"), CHAINS)
@pytest.mark.parametrize("place", [(100, 80), (130, 100), (90, 110)])
def test_what_lights_up_the_input_projects_back_to_where_it_was(chain, fit, place):
    """Take the model's input itself as the map: its brightest token must come back at the bright spot."""
    seen = preprocess(spot(240, 180, *place), SPEC, GRID, transforms=chain, fit=fit)
    brightness = seen.pixels[0, 0].reshape(7, 8, 7, 8).mean((1, 3)).numpy()
    projected = seen.grid_map.project(brightness)
    back = np.unravel_index(np.nanargmax(projected), projected.shape)
    token = max(240, 180) / 7
    assert np.abs(np.subtract(back, place)).max() <= 0.6 * token


def test_a_crop_is_nan_and_padding_keeps_everything():
    image = shown(np.full((240, 180), 0.5))
    cropped, padded = preprocess(image, SPEC, GRID), preprocess(image, SPEC, GRID, fit=Fit.PAD)
    assert not cropped.grid_map.sees_everything()
    assert padded.grid_map.sees_everything()
    unseen = np.isnan(cropped.grid_map.project(np.ones((7, 7), np.float32)))
    assert unseen[:29].all()
    assert unseen[-29:].all()
    assert not unseen[31:-31].any()


def test_padding_after_a_crop_is_not_seen():
    chain = [
        {"_target_": "CenterSpatialCrop", "roi_size": [100, 100]},
        {"_target_": "SpatialPad", "spatial_size": [200, 200]},
    ]
    grid_map = preprocess(shown(np.ones((200, 200))), SPEC, GRID, transforms=chain).grid_map
    assert grid_map.seen == pytest.approx((49.5, 149.5, 49.5, 149.5))


def test_values_are_normalised_and_colour_keeps_its_channels():
    assert preprocess(shown(np.full((56, 56), 0.75)), SPEC, GRID).pixels.unique().tolist() == [1.0]
    colour = np.zeros((56, 56, 3))
    colour[..., 1] = 1
    pixels = preprocess(shown(colour), SPEC, GRID).pixels
    assert pixels[0, :, 0, 0].tolist() == [-2, 2, -2]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"_target_": "ScaleIntensity", "minv": 0, "maxv": 255}, "left the display range"),
        ({"_target_": "SpatialCrop", "roi_start": [300, 300], "roi_end": [400, 400]}, r"got shape \(1, 0, 0\)"),
        ({"_target_": "Resize", "nonsense": 1}, "Resize: MONAI refuses"),
    ],
)
def test_a_chain_that_breaks_the_picture_is_refused(entry, message):
    with pytest.raises(UsageError, match=message):
        preprocess(shown(np.random.default_rng(0).random((240, 180))), SPEC, GRID, transforms=[entry])


@pytest.mark.parametrize("change", [{"interpolation": "nearest"}, {"resize": 20}, {"std": (0.0, 1.0, 1.0)}])
def test_a_spec_that_makes_no_sense_is_refused(change):
    values = {"input_size": (56, 56), "resize": 56, "fit": Fit.CROP, "interpolation": "bicubic"}
    values |= {"mean": (0.5,) * 3, "std": (0.2,) * 3} | change
    with pytest.raises(ValueError, match="PreprocessingSpec"):
        PreprocessingSpec(**values)


@pytest.mark.parametrize(
    ("columns", "floored", "rounded"), [(57, 0, 0), (59, 1, 2), (61, 2, 2), (63, 3, 4), (70, 7, 7)]
)
def test_a_centred_crop_starts_where_each_library_starts_it(columns, floored, rounded):
    image = shown(np.tile(np.arange(columns) / columns, (56, 1)))
    torchvisions = replace(SPEC, rounds_crop=True)
    for spec, start in ((SPEC, floored), (torchvisions, rounded)):
        seen = preprocess(image, spec, GRID)
        assert float(seen.pixels[0, 0, 0, 0]) * 0.25 + 0.5 == pytest.approx(start / columns, abs=1e-6)
        assert seen.grid_map.column.to_stored(np.array([0.0]))[0] == start
