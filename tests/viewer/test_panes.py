import base64
import dataclasses
import json
import zlib

import numpy as np
import pytest

from medaudit.records.review import Region
from medaudit.viewer import panes


@pytest.fixture
def image(known):
    return known.image("S-1", "I-1", 3, known.findings, colour=False, size=(48, 40))


def unpacked(text, dtype):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype)


def test_pixels_reach_the_browser_exactly(image):
    data = json.loads(json.dumps(panes.image_data(image), allow_nan=False))
    copy = image.reading_copy
    np.testing.assert_array_equal(unpacked(data["shown"], "u1").reshape(copy.shape), copy.shown)
    np.testing.assert_array_equal(unpacked(data["values"]["packed"], "<u2").reshape(copy.shape), copy.values)
    assert data["letters"] == ["H", "L", "F", "R"]
    assert data["stored"] == [48, 40]


@pytest.mark.parametrize("shape", [(48, 40), (24, 20), (96, 80)])
def test_axes_and_tokens_give_the_map(image, shape):
    copy = dataclasses.replace(image.reading_copy, shown=np.zeros(shape, np.uint8), values=np.zeros(shape, np.uint16))
    data = panes.image_data(dataclasses.replace(image, reading_copy=copy))
    for position, one in enumerate(image.attributions):
        sent = data["maps"][position]
        tokens = np.array(sent["tokens"]).reshape(-1, sent["columns"])
        weights = []
        for axis, count in zip(data["axes"][sent["axes"]], tokens.shape, strict=True):
            lower, share = np.array(axis["lower"]), np.array(axis["share"])
            rows = np.zeros((len(lower), count))
            rows[np.arange(len(lower)), lower] += 1 - share
            rows[np.arange(len(lower)), np.minimum(lower + 1, count - 1)] += share
            weights.append(np.where(lower[:, None] < 0, np.nan, rows))
        drawn = weights[0] @ tokens @ weights[1].T
        np.testing.assert_allclose(drawn, one.image.pixels(shape), atol=2e-6)
        assert (sent["prompt"], sent["unit"]) == (one.prompt.text, "nats per token")


def test_windows_of_a_ct(image):
    assert panes.image_data(image)["values"]["presets"] == ()
    record = dataclasses.replace(image.record, elements={"Modality": "CT"})
    names = [name for name, _ in panes.image_data(dataclasses.replace(image, record=record))["values"]["presets"]]
    assert names == ["lung", "soft tissue", "bone"]


def test_regions_there_and_back():
    region = Region("I-1", ((0.0, 1.5), (3.0, 4.0), (5.25, 0.5)))
    data = json.loads(json.dumps(panes.region_data((region, dataclasses.replace(region, image="I-2")), "I-1")))
    assert panes.regions_of("I-1", data) == (region,)


@pytest.mark.parametrize("drawn", ["text", [[[0, 1]]], [[[0, 1], [2, 3], ["x", 4]]], [[[0, 1, 2]] * 3]])
def test_what_is_no_region_is_refused(drawn):
    with pytest.raises(ValueError):  # noqa: PT011 - several messages
        panes.regions_of("I-1", drawn)
