"""Every file that pydicom ships, and every real one: decoded with known numbers, or refused with the stated reason.

``table.json`` holds, by name, either shape, dtype, minimum, maximum and mean of the first frame as decoded,
or the class of the error and a piece of its message. Run as a
program, this file writes it again; look at what changed.
"""

import json
import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.pixels import apply_color_lut

from medaudit.dicom import dcmtk
from medaudit.dicom.read import read_image
from medaudit.errors import InputError

TABLE = Path(__file__).with_name("table.json")
NEEDS_DCMTK = {"shipped/JPEG-lossy.dcm", "shipped/JPGExtended.dcm"}
# Two lossy decoders may round differently.
LOSSY_TOLERANCE = 1


def files_of(name: str, folder: Path) -> dict[str, Path]:
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path for path in sorted(folder.rglob("*")) if path.is_file()
    }


def outcome(path: Path) -> dict:
    try:
        stored = read_image(path).stored
    except InputError as error:
        return {"error": type(error).__name__, "says": str(error)[-60:]}
    mean = round(float(stored.mean(dtype=np.float64)), 3)
    ends = [float(stored.min()), float(stored.max())]
    return {"shape": list(stored.shape), "dtype": stored.dtype.str, "ends": ends, "mean": mean}


def check(files: dict[str, Path]) -> None:
    table = {name: entry for name, entry in json.loads(TABLE.read_text()).items() if name.split("/")[0] in roots(files)}
    assert sorted(table) == sorted(files)
    for name, path in files.items():
        if name in NEEDS_DCMTK and dcmtk.find_dcmdjpeg() is None:
            continue
        found, expected = outcome(path), table[name]
        if "error" in expected:
            assert found == expected, name
            continue
        assert (found.get("shape"), found.get("dtype")) == (expected["shape"], expected["dtype"]), (name, found)
        assert found["ends"] == pytest.approx(expected["ends"], abs=LOSSY_TOLERANCE), name
        assert found["mean"] == pytest.approx(expected["mean"], abs=LOSSY_TOLERANCE / 2), name


def roots(files: dict[str, Path]) -> set[str]:
    return {name.split("/")[0] for name in files}


def agrees_with_pydicom(path: Path) -> bool:
    """Whether pydicom reads the file too; then its first frame is ours, number by number."""
    try:
        ds = dcmread(path)
        theirs = ds.pixel_array
    except Exception:  # noqa: BLE001 - whatever it raises, there is nothing to compare with
        return False
    theirs = theirs[0] if int(ds.get("NumberOfFrames") or 1) > 1 else theirs
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        theirs = apply_color_lut(theirs, ds)[..., :3]
        if not ds.file_meta.TransferSyntaxUID.is_little_endian and theirs.dtype.itemsize == 2:
            theirs = theirs.byteswap()  # pydicom reads these tables as little endian
    assert np.array_equal(read_image(path).stored, theirs), path.name
    return True


@pytest.mark.timeout(120)
def test_every_shipped_file(shipped):
    check(files_of("shipped", shipped))


@pytest.mark.timeout(120)
def test_every_real_file(real_dicom):
    check(files_of("real", real_dicom))


@pytest.mark.filterwarnings("ignore")
def test_what_pydicom_decodes_is_decoded_alike(shipped):
    assert sum(agrees_with_pydicom(path) for path in files_of("shipped", shipped).values()) >= 88


@pytest.mark.filterwarnings("ignore")
def test_what_pydicom_decodes_of_real_files_is_decoded_alike(real_dicom):
    assert sum(agrees_with_pydicom(path) for path in files_of("real", real_dicom).values()) >= 65


if __name__ == "__main__":
    found = files_of("shipped", Path(pydicom.__file__).parent / "data" / "test_files")
    found |= files_of("real", Path(os.environ["MEDAUDIT_TEST_DATA"]) / "dicom")
    lines = [f"{json.dumps(name)}: {json.dumps(outcome(path))}" for name, path in found.items()]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
