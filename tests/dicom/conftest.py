"""Fabricated DICOM files, pydicom's shipped samples, and the real files of MEDAUDIT_TEST_DATA."""

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The folder of sample files in the pydicom wheel."""
    return SHIPPED


@pytest.fixture(scope="session")
def real_dicom() -> Path:
    folder = os.environ.get("MEDAUDIT_TEST_DATA")
    if not folder:
        pytest.skip("MEDAUDIT_TEST_DATA is not set: no real DICOM files here")
    return Path(folder) / "dicom"


def fabricate(path: Path, pixels: np.ndarray | None = None, **elements) -> Path:
    """Write a CR image with ``pixels`` (uint16 by default), and any element by keyword; None removes one."""
    if pixels is None:
        pixels = np.arange(16, dtype=np.uint16).reshape(4, 4)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = meta.MediaStorageSOPClassUID
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.Modality = "CR"
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    ds.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = ds.BitsStored = 8 * pixels.dtype.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def make(tmp_path):
    """``make("a.dcm", pixels, Keyword=value)`` writes a fabricated file under tmp_path/input."""

    def write(name: str = "image.dcm", pixels: np.ndarray | None = None, **elements) -> Path:
        return fabricate(tmp_path / "input" / name, pixels, **elements)

    return write
