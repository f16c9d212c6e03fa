from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from medaudit.figures.colour import ColourScale
from medaudit.figures.overlay import as_rgb, hatch_unseen, jpeg, overlay, png

SCALE = ColourScale(2.0)
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)


def test_without_evidence_the_anatomy_shows_undimmed():
    blended = overlay(PICTURE, np.zeros((40, 30), dtype=np.float32), SCALE, opacity=1.0)
    assert np.array_equal(blended, as_rgb(PICTURE))


def test_the_blend_grows_with_relevance():
    grey = np.full((1, 100), 120, dtype=np.uint8)
    nats = np.linspace(0, 2, 100, dtype=np.float32)[None]
    blended = overlay(grey, nats, SCALE, opacity=0.6).astype(int)
    alpha = 0.6 * np.minimum(nats, 1)[..., None]
    expected = np.rint(120 * (1 - alpha) + SCALE.rgb(nats) * alpha)
    assert np.abs(blended - expected).max() <= 1


def test_full_relevance_at_full_opacity_is_the_scale_colour():
    blended = overlay(PICTURE, np.full((40, 30), 2.0, dtype=np.float32), SCALE, opacity=1.0)
    assert (blended == SCALE.rgb(2.0)).all()


def test_below_the_threshold_nothing_is_coloured():
    nats = np.full((40, 30), 0.4, dtype=np.float32)
    nats[:20] = 1.0
    blended = overlay(PICTURE, nats, SCALE, threshold_nats=0.5)
    assert np.array_equal(blended[20:], as_rgb(PICTURE)[20:])
    assert not np.array_equal(blended[:20], as_rgb(PICTURE)[:20])


def test_unseen_is_dimmed_and_hatched_and_never_coloured():
    white = np.full((96, 96), 255, dtype=np.uint8)
    nats = np.full((96, 96), 2.0, dtype=np.float32)
    nats[:, :32] = np.nan
    blended = overlay(white, nats, SCALE, opacity=1.0)
    unseen = blended[:, :32]
    assert (unseen == unseen[..., :1]).all()  # grey only
    assert unseen.max() < 200
    assert len(np.unique(unseen)) > 1  # lines over the dimmed picture
    assert (blended[:, 32:] == SCALE.rgb(2.0)).all()


def test_a_picture_without_unseen_pixels_is_left_alone():
    assert np.array_equal(hatch_unseen(PICTURE, np.zeros((40, 30), dtype=bool)), as_rgb(PICTURE))


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (1, 1)])
def test_thin_pictures_work(shape):
    nats = np.zeros(shape, dtype=np.float32)
    nats[0, 0] = np.nan
    assert overlay(np.zeros(shape, dtype=np.uint8), nats, SCALE).shape == (*shape, 3)


def test_colour_pictures_keep_their_colours():
    picture = np.random.default_rng(1).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    assert np.array_equal(overlay(picture, np.zeros((5, 6), dtype=np.float32), SCALE), picture)


def test_wrong_requests_are_refused():
    nats = np.zeros((40, 30), dtype=np.float32)
    with pytest.raises(ValueError, match="shape"):
        overlay(PICTURE, nats[:-1], SCALE)
    with pytest.raises(ValueError, match="opacity"):
        overlay(PICTURE, nats, SCALE, opacity=1.1)
    with pytest.raises(ValueError, match="uint8"):
        as_rgb(PICTURE.astype(np.float32))
    with pytest.raises(ValueError, match="quality"):
        jpeg(PICTURE, 0)


def test_files_are_the_same_bytes_for_the_same_pixels():
    colour = as_rgb(PICTURE)
    assert png(colour) == png(colour.copy())
    assert jpeg(colour, 90) == jpeg(colour.copy(), 90)
    assert np.array_equal(np.asarray(Image.open(BytesIO(png(colour)))), colour)
    assert np.array_equal(np.asarray(Image.open(BytesIO(png(PICTURE)))), PICTURE)
    assert Image.open(BytesIO(jpeg(colour, 90))).size == (30, 40)


@pytest.mark.parametrize("shape", [(900, 1200, 3), (1000, 700), (1, 3), (5, 1, 3)])
def test_noise_compresses_badly_and_is_written_all_the_same(shape):
    noise = np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)
    assert Image.open(BytesIO(jpeg(noise, 95))).size == (shape[1], shape[0])
