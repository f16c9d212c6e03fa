"""The DICOM edge against plain pydicom, as ratios within one run; and what it holds in memory.

    python benchmarks/dicom.py [--files 2000] [--frames 2000] [--rounds 5]

Headers: ``scan`` of a folder of small CT slices against ``dcmread(stop_before_pixels=True)`` of the same files, and the
elements that a scan needs read from each.
Pixels: ``read_image`` (decode, digest, notes) against ``dcmread(...).pixel_array``, megapixels a second, by transfer
syntax.
Memory: five frames of one long multi-frame file, peak of traced memory against the size of the file; and what a scan
keeps, in bytes a file.
Times alternate between the two sides, so that a slow moment falls on both; medians are printed.
"""

import argparse
import statistics
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from medaudit.dicom.read import read_image, read_images
from medaudit.dicom.scan import SELECTION_KEYWORDS, scan

SIDE = 512
WANTED = (
    *SELECTION_KEYWORDS,
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "InstanceNumber", "AccessionNumber", "PatientID"),
    *("NumberOfFrames", "Rows", "Columns", "ImagePositionPatient", "ImageOrientationPatient"),
)
USED_FRAMES = (3, 500, 1000, 1500, 1999)


def slice_of(series: str, index: int, side: int = SIDE, frames: int = 1) -> Dataset:
    """A CT slice, or several frames, of smooth numbers with a little noise."""
    dice = np.random.default_rng(index)
    ramp = np.add.outer(np.arange(side), np.arange(side)).astype(np.int16)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=[series, str(index)])
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = (
        generate_uid(entropy_srcs=["study"]),
        generate_uid(entropy_srcs=[series]),
    )
    ds.Modality, ds.PatientID, ds.InstanceNumber = "CT", "benchmark", index
    ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, index]
    ds.Rows = ds.Columns = side
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.PixelData = b"".join((ramp + dice.integers(0, 30, ramp.shape)).astype(np.int16).tobytes() for _ in range(frames))
    ds["PixelData"].VR = "OW"
    return ds


def alternately(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median seconds of both, after one warm-up each."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for side, work in zip(times, (ours, theirs), strict=True):
            began = time.perf_counter()
            work()
            side.append(time.perf_counter() - began)
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def peak_of(work: Callable[[], object]) -> tuple[int, int]:
    """(peak, kept) bytes of traced memory of ``work``, whose result is held until it is measured."""
    tracemalloc.start()
    result = work()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return peak, kept


def plain_header(path: Path) -> list[str]:
    """The elements of :data:`WANTED`, by pydicom alone."""
    ds = dcmread(path, stop_before_pixels=True)
    return [str(ds.get(keyword, "")) for keyword in WANTED]


def headers(folder: Path, files: int, rounds: int) -> None:
    """Headers a second, and what a scan keeps."""
    for index in range(files):
        slice_of(f"series {index // 200}", index, side=32).save_as(folder / f"{index:06}", enforce_file_format=True)
    paths = sorted(folder.iterdir())
    ours, theirs = alternately(lambda: scan(folder), lambda: [plain_header(path) for path in paths], rounds)
    peak, kept = peak_of(lambda: scan(folder))
    print(f"headers: {files / ours:.0f} files a second; {theirs / ours:.2f} x pydicom's dcmread")
    print(f"         a scan keeps {kept / files:.0f} bytes a file, {peak / files:.0f} at its peak")


def pixels(folder: Path, rounds: int) -> None:
    """Megapixels a second by transfer syntax."""
    for syntax in (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless):
        ds = slice_of("pixels", 1)
        if syntax != ExplicitVRLittleEndian:
            ds.compress(syntax, generate_instance_uid=False)
        path = folder / "one.dcm"
        ds.save_as(path, enforce_file_format=True)
        ours, theirs = alternately(lambda: read_image(path), lambda: dcmread(path).pixel_array, 4 * rounds)  # noqa: B023
        print(f"pixels:  {SIDE**2 / 1e6 / ours:7.1f} megapixels a second; {theirs / ours:.2f} x pydicom, {syntax.name}")


def frames(folder: Path, count: int) -> None:
    """Peak memory where five frames of a long file are used."""
    path = folder / "long.dcm"
    slice_of("frames", 1, side=256, frames=count).save_as(path, enforce_file_format=True)
    used = [frame for frame in USED_FRAMES if frame < count]

    def ours() -> float:
        return sum(float(image.stored.mean()) for image in read_images(path, used))

    ours()
    peak, size = peak_of(ours)[0], path.stat().st_size
    theirs, _ = peak_of(lambda: float(dcmread(path).pixel_array[used].mean()))
    print(f"memory:  {len(used)} of {count} frames: peak {peak / 1e6:.1f} MB, {peak / size:.4f} of the file's size;")
    print(f"         pydicom's pixel_array {theirs / 1e6:.1f} MB, {theirs / size:.2f} of it")


def main() -> None:
    """Print every ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        for name in ("headers", "pixels"):
            (Path(place) / name).mkdir()
        headers(Path(place) / "headers", wanted.files, wanted.rounds)
        pixels(Path(place) / "pixels", wanted.rounds)
        frames(Path(place) / "pixels", wanted.frames)


if __name__ == "__main__":
    main()
