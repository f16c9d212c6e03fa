import shutil
import subprocess
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_windowing
from pydicom.sequence import Sequence

from medaudit.dicom.grayscale import DisplayImage, VoiPolicy, display, reading_copy
from medaudit.dicom.read import read_image
from medaudit.errors import MissingElementError

RAMP = np.arange(16, dtype=np.uint16).reshape(4, 4)


def shown(path, voi=None) -> DisplayImage:
    return display(read_image(path), voi) if voi else display(read_image(path))


@pytest.mark.parametrize("name", ["CR-MONO1-10-chest_nometa.dcm", "nih_dx_1024.dcm", "rsna_c64d5667.dcm"])
def test_lungs_are_darker_than_the_mediastinum(real_dicom, name):
    values = shown(real_dicom / "chest" / name).values
    rows, columns = values.shape

    def mean(top, bottom, left, right):
        return values[int(top * rows) : int(bottom * rows), int(left * columns) : int(right * columns)].mean()

    mediastinum = mean(0.45, 0.65, 0.47, 0.55)
    assert mean(0.35, 0.5, 0.2, 0.33) < mediastinum - 0.05
    assert mean(0.35, 0.5, 0.67, 0.78) < mediastinum - 0.05


def test_rescale_window_and_words(make):
    path = make(
        pixels=RAMP, RescaleSlope=2, RescaleIntercept=-10, WindowCenter=[0, 5], WindowWidth=[11, 1], RescaleType="HU"
    )
    image = shown(path)
    modality = RAMP * 2.0 - 10
    # LINEAR, c = 0, w = 11: (x + 0.5) / 10 + 0.5.
    assert image.values == pytest.approx(np.clip((modality + 0.5) / 10 + 0.5, 0, 1))
    assert image.modality_values == pytest.approx(modality)
    assert image.window == (0, 11)
    assert image.description == "rescale 2/-10, window 0/11 LINEAR (header, 1 of 2)"
    second = shown(path, VoiPolicy(index=1))
    assert second.window == (5, 1)
    assert second.values == pytest.approx((modality > 4.5).astype(float))
    third = shown(path, VoiPolicy(index=2))
    assert "no window number 3" in third.description


@pytest.mark.parametrize("name", ["MR_small.dcm", "693_J2KI.dcm", "dicomdirtests/98892003/MR700/4467"])
def test_agrees_with_pydicom_where_it_is_right(shipped, name):
    image = read_image(shipped / name)
    ds = dcmread(shipped / name)
    modality = apply_modality_lut(image.stored, ds)
    windowed = apply_windowing(modality, ds)
    limits = windowed.min(), windowed.max()
    low = apply_windowing(np.full((1, 1), -1e9), ds).item()
    high = apply_windowing(np.full((1, 1), 1e9), ds).item()
    assert low <= limits[0] <= limits[1] <= high
    ours = display(image)
    visible = ours.values > 0  # padding is black by our rule alone
    assert ours.values[visible] == pytest.approx(((windowed - low) / (high - low))[visible], abs=1e-5)


def test_monochrome1_is_inverted(make):
    plain = shown(make("a.dcm", RAMP))
    inverted = shown(make("b.dcm", RAMP, PhotometricInterpretation="MONOCHROME1"))
    assert inverted.values == pytest.approx(1 - plain.values)
    assert inverted.inverted
    assert inverted.description.endswith("MONOCHROME1 inverted")
    assert inverted.modality_values == pytest.approx(plain.modality_values)


def test_presentation_lut_shape_inverts_once(make):
    both = make("a.dcm", RAMP, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")
    shape = make("b.dcm", RAMP, PresentationLUTShape="INVERSE")
    assert shown(both).values[0, 0] == 1
    assert shown(shape).values[0, 0] == 1


def test_no_window_gives_the_full_range_and_says_so(make):
    image = shown(make(pixels=RAMP + 100))
    assert image.values.min() == 0
    assert image.values.max() == 1
    assert image.window == (107.5, 15)
    assert image.description == "no rescale, full range 100 .. 115 (no window in the header)"


def test_padding_is_left_out_of_the_range_and_black(make):
    pixels = (RAMP + 100).astype(np.int16)
    pixels[0, :2] = (-2000, -1990)
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        # Written as unsigned, as real files do: 65536 - 2000.
        path = make(
            f"{photometric}.dcm",
            pixels,
            PhotometricInterpretation=photometric,
            PixelPaddingValue=-2000,
            PixelPaddingRangeLimit=-1990,
        )
        image = shown(path, VoiPolicy("full-range"))
        assert image.values[0, :2] == pytest.approx([0, 0])
        assert "full range 102 .. 115" in image.description
        assert "padding black" in image.description


def test_padding_written_in_the_wrong_sign(make):
    pixels = np.full((2, 2), 7, dtype=np.int16)
    pixels[0, 0] = -2000
    path = make(pixels=pixels)
    ds = dcmread(path)
    ds.add_new(0x00280120, "US", 63536)
    ds.save_as(path)
    assert "full range 7 .. 7" in shown(path).description


def test_constant_image(make):
    image = shown(make(pixels=np.full((3, 3), 9, dtype=np.uint8)))
    assert not image.values.any()
    assert image.window == (9, 1)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"WindowCenter": 4, "WindowWidth": 0.5}, "LINEAR_EXACT (header, 1 of 1, as a width below 1 has no LINEAR)"),
        ({"WindowCenter": 4, "WindowWidth": 8, "VOILUTFunction": "LINEAR_EXACT"}, "4/8 LINEAR_EXACT"),
        ({"WindowCenter": 4, "WindowWidth": 8, "VOILUTFunction": "SIGMOID"}, "4/8 SIGMOID"),
        ({"WindowCenter": 4, "WindowWidth": 8, "VOILUTFunction": "CURVE"}, "its VOI LUT Function is unknown"),
        ({"WindowCenter": 4, "WindowWidth": 0}, "the window in the header has no width"),
        ({"WindowCenter": 4}, "no window number 1"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "rescale in the header is unusable"),
    ],
)
def test_odd_headers_are_handled_and_named(make, elements, words):
    assert words in shown(make(pixels=RAMP, **elements)).description


def test_pipeline_window(make):
    image = shown(make(pixels=RAMP, WindowCenter=1, WindowWidth=2), VoiPolicy("window", center=8, width=9))
    assert image.values == pytest.approx(np.clip((RAMP - 7.5) / 8 + 0.5, 0, 1))
    assert image.window == (8, 9)


@pytest.mark.parametrize("policy", [{"kind": "auto"}, {"kind": "window"}, {"kind": "window", "center": 1, "width": 0}])
def test_voi_policy_is_validated(policy):
    with pytest.raises(ValueError, match="VoiPolicy"):
        VoiPolicy(**policy)


def table(first: int, bits: int, data: list[int]) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(data), first, bits]
    item.add_new(0x00283006, "US", data)
    return item


def test_tables(make):
    path = make(
        pixels=RAMP,
        ModalityLUTSequence=Sequence([table(2, 16, [10, 20, 30, 40])]),
        VOILUTSequence=Sequence([table(10, 8, list(range(0, 62, 2)))]),
    )
    image = shown(path)
    modality = np.clip(RAMP.astype(int) - 2, 0, 3) * 10 + 10
    assert image.modality_values == pytest.approx(modality)
    assert image.values == pytest.approx((modality - 10) * 2 / 255)
    assert image.description == "modality LUT, VOI LUT (header)"


def test_unusable_table_is_an_error_of_the_file(make):
    with pytest.raises(MissingElementError, match="VOI LUT Sequence"):
        shown(make(pixels=RAMP, VOILUTSequence=Sequence([table(0, 3, [1, 2])])))


def test_colour_has_no_window(make):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
    image = shown(make(pixels=pixels))
    assert image.values == pytest.approx(pixels / 255)
    assert (image.modality_values, image.window) == (None, None)
    assert reading_copy(image).shown.tolist() == pixels.tolist()


def test_reading_copy_keeps_whole_modality_values(make):
    image = shown(make(pixels=RAMP + 1000, WindowCenter=1008, WindowWidth=400))
    copy = reading_copy(image)
    assert copy.values * copy.slope + copy.intercept == pytest.approx(RAMP + 1000.0)
    assert np.abs(copy.windowed(*copy.window).astype(int) - copy.shown).max() <= 1


def test_reading_copy_averages_areas(make):
    pixels = np.kron(np.arange(6, dtype=np.uint16).reshape(2, 3) * 30, np.array([[0, 2], [2, 4]], dtype=np.uint16))
    copy = reading_copy(shown(make(pixels=pixels)), max_side=3)
    assert copy.shape == (2, 3)
    assert copy.values * copy.slope + copy.intercept == pytest.approx(np.arange(6).reshape(2, 3) * 60.0)


def test_reading_copy_of_fractions_is_within_half_a_step(make):
    image = shown(make(pixels=RAMP, RescaleSlope=0.37, RescaleIntercept=-3))
    copy = reading_copy(image)
    assert copy.values * copy.slope + copy.intercept == pytest.approx(RAMP * 0.37 - 3, abs=copy.slope)
    assert reading_copy(image, max_side=2).shape == (2, 2)


needs_dcmtk = pytest.mark.skipif(shutil.which("dcm2pnm") is None, reason="dcm2pnm (dcmtk) is not installed")


def by_dcmtk(path, *options) -> np.ndarray:
    made = subprocess.run(["dcm2pnm", "-q", "-O", *options, path], check=True, capture_output=True)
    return np.asarray(Image.open(BytesIO(made.stdout)), dtype=int)


@needs_dcmtk
@pytest.mark.parametrize("name", ["MR_small.dcm", "dicomdirtests/77654033/CR1/6154", "MR_small_bigendian.dcm"])
def test_agrees_with_dcmtk(shipped, name):
    ours = np.rint(255 * shown(shipped / name).values).astype(int)
    # dcmtk truncates where we round.
    assert np.abs(ours - by_dcmtk(shipped / name, "+Wi", "1")).max() <= 1


def with_palette(make, pixels, first, presentation="COLOR"):
    """Colours for the stored values from ``first`` on, as perfusion and flow are laid over a grey picture."""
    tables = {
        f"{name}PaletteColorLookupTable{part}": value
        for name in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [4, first, 16]), ("Data", bytes(8)))
    }
    return make(pixels=pixels, PixelPresentation=presentation, **tables)


@pytest.mark.parametrize("presentation", ["COLOR", "MIXED"])
@pytest.mark.parametrize(("pixels", "first"), [(RAMP, 12), (RAMP.astype(np.int16) - 14, -2)])
def test_under_a_supplemental_palette_the_grey_part_is_shown_right(make, pixels, first, presentation):
    found = shown(with_palette(make, pixels, first, presentation))
    grey = np.minimum(np.arange(16), 11).reshape(4, 4) / 11
    assert found.values == pytest.approx(grey, abs=1e-6)
    assert "4 pixels of a supplemental palette in white instead of their colours" in found.description
    low = int(pixels.min())
    assert f"full range {low} .. {low + 11}" in found.description
    ranked = shown(with_palette(make, pixels, first, presentation), VoiPolicy("percentiles", percentiles=(0, 100)))
    assert ranked.values == pytest.approx(grey, abs=1e-6)


def test_a_palette_without_its_pixel_presentation_is_no_supplement(make):
    found = shown(with_palette(make, RAMP, 12, "MONOCHROME"))
    assert "full range 0 .. 15" in found.description
    assert "palette" not in found.description


def test_a_picture_of_colours_alone_is_white(make):
    found = shown(with_palette(make, RAMP, 0))
    assert (found.values == 1).all()
    assert "16 pixels of a supplemental palette" in found.description


@needs_dcmtk
@pytest.mark.parametrize("window", [(40, 400), (-600, 1500), (100, 7)])
def test_agrees_with_dcmtk_on_a_pipeline_window(shipped, window):
    path = shipped / "CT_small.dcm"
    ours = np.rint(255 * shown(path, VoiPolicy("window", center=window[0], width=window[1])).values).astype(int)
    # Its padding is black to us; dcmtk windows it like air, which every one of these shows black too.
    assert np.abs(ours - by_dcmtk(path, "+Ww", str(window[0]), str(window[1]))).max() <= 1


@needs_dcmtk
@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": 7, "WindowWidth": 9},
        {"WindowCenter": 7, "WindowWidth": 9, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 7, "WindowWidth": 9, "PhotometricInterpretation": "MONOCHROME1"},
        {"WindowCenter": 0, "WindowWidth": 20, "RescaleSlope": 2, "RescaleIntercept": -10},
        {"WindowCenter": 20, "WindowWidth": 30, "BitsStored": 10, "HighBit": 11, "PixelRepresentation": 1},
    ],
)
def test_agrees_with_dcmtk_on_fabricated_headers(make, elements):
    path = make(pixels=RAMP * 4, **elements)
    ours = np.rint(255 * shown(path).values).astype(int)
    assert np.abs(ours - by_dcmtk(path, "+Wi", "1")).max() <= 1


@needs_dcmtk
@pytest.mark.parametrize("name", ["OT-PAL-8-face.dcm", "OBXXXX1A.dcm", "color-pl.dcm", "SC_ybr_full_uncompressed.dcm"])
def test_agrees_with_dcmtk_on_colour(real_dicom, name):
    path = real_dicom / "pydicom-data" / name
    ours = np.rint(255 * shown(path).values).astype(int)
    # Its table of YBR to RGB is another rounding of the same matrix.
    assert np.abs(ours - by_dcmtk(path)).max() <= 2
