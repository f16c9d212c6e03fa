import numpy as np
import pytest

from medaudit.dicom.grayscale import VoiPolicy, display, reading_copy
from medaudit.dicom.read import read_image
from medaudit.dicom.windows import CT_WINDOWS, MR_WINDOWS, display_channels, named_window
from medaudit.errors import UnsupportedImageError

HU = {"RescaleSlope": 1, "RescaleIntercept": -1024, "Modality": "CT"}
VALUES = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)


@pytest.mark.parametrize("name", [*CT_WINDOWS, *MR_WINDOWS])
def test_every_name_is_a_policy(name):
    assert named_window(name).name == name


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"lung, mediastinum.*got 'heart'"):
        named_window("heart")


def test_a_lung_window_shows_air_and_hides_bone(make):
    image = display(read_image(make(pixels=VALUES, **HU)), named_window("lung"))
    hounsfield = VALUES.astype(float) - 1024
    assert image.values == pytest.approx(np.clip((hounsfield + 600.5) / 1499 + 0.5, 0, 1), abs=1e-6)
    assert image.description == "rescale 1/-1024, window -600/1500 LINEAR (lung)"


def test_percentiles_are_of_the_image_without_its_padding(make):
    pixels = VALUES.copy()
    pixels[0] = 60000
    image = display(
        read_image(make(pixels=pixels, PixelPaddingValue=60000)), VoiPolicy("percentiles", percentiles=(0, 100))
    )
    assert image.values[1, 0] == 0
    assert image.values[-1, -1] == 1
    assert "percentiles 0 .. 100: 256 .. 4080" in image.description


def test_three_windows_are_the_channels_of_one_picture(make):
    image = read_image(make(pixels=VALUES, **HU))
    policies = [named_window(name) for name in ("lung", "mediastinum", "bone")]
    shown = display_channels(image, policies)
    for channel, policy in enumerate(policies):
        assert np.array_equal(shown.values[..., channel], display(image, policy).values)
    assert shown.description.startswith("red: rescale 1/-1024, window -600/1500")
    copy = reading_copy(shown)
    assert copy.shown.shape == (16, 16, 3)
    assert copy.values.shape == (16, 16)
    with pytest.raises(UnsupportedImageError, match="got 2"):
        display_channels(image, policies[:2])


def test_colour_has_no_windows(make):
    image = read_image(make(pixels=np.zeros((4, 4, 3), dtype=np.uint8)))
    assert display_channels(image, []).window is None
