"""The DICOM edge against plain pydicom, as ratios within one run; and what it holds in memory.

    python benchmarks/dicom.py [--files 2000] [--frames 2000] [--rounds 5] [--only headers pixels frames scale]
    python benchmarks/dicom.py --only scale --files 100000

Headers: ``scan`` of a folder of small CT slices against ``dcmread(stop_before_pixels=True)`` of the same files, and the
elements that a scan needs read from each.
Pixels: ``read_image`` (decode, check, notes) against ``dcmread(...).pixel_array``, megapixels a second, by transfer
syntax; and the same with the digest of the pixels, which ``pixel_array`` does not make.
Frames: five frames of one long multi-frame file, peak of traced memory against the size of the file.
Scale: scans of a folder and of a zip archive of ``--files`` small files, and of a fifth of them, each in a process of
its own: headers a second, at the end against the beginning, and what the process grew by, in bytes a file.
Times alternate between the two sides, so that a slow moment falls on both; medians are printed.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Iterator
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
PARTS = ("headers", "pixels", "frames", "scale")
SIDES = (512, 2048)
# In the small file that all others are made of; each stands for a number of as many digits.
INSTANCE, SERIES, STUDY, NUMBER, PIXELS = "777000777000", "666000666000", "555000555000", "4440004", b"pixel000"
SERIES_FILES, STUDY_FILES = 500, 2000
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
    syntaxes = (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless)
    for side, syntax in ((side, syntax) for side in SIDES for syntax in syntaxes):
        ds = slice_of("pixels", 1, side=side)
        if syntax != ExplicitVRLittleEndian:
            ds.compress(syntax, generate_instance_uid=False)
        path = folder / "one.dcm"
        ds.save_as(path, enforce_file_format=True)
        turns = max(1, 4 * rounds * SIDES[0] // side)
        ours, theirs = alternately(lambda: read_image(path), lambda: dcmread(path).pixel_array, turns)  # noqa: B023
        whole, plain = alternately(
            lambda: read_image(path).pixel_sha256,  # noqa: B023
            lambda: dcmread(path).pixel_array,  # noqa: B023
            turns,
        )
        speed = f"{side**2 / 1e6 / ours:7.1f} megapixels a second"
        print(
            f"pixels:  {speed}; {theirs / ours:.2f} x pydicom, {plain / whole:.2f} with digest; {side}, {syntax.name}"
        )


def small_files(files: int) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of files that differ in their UIDs, number and pixels: one file, patched."""
    ds = slice_of("scale", 1, side=16)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.{INSTANCE}"
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.InstanceNumber = f"1.2.826.{SERIES}", f"1.2.826.{STUDY}", NUMBER
    ds.ImagePositionPatient = [0, 0, NUMBER]
    ds.PixelData = ds.PixelData[:-8] + PIXELS
    with tempfile.TemporaryDirectory() as place:
        ds.save_as(Path(place) / "one", enforce_file_format=True)
        whole = (Path(place) / "one").read_bytes()
    for index in range(files):
        patched = whole.replace(PIXELS, index.to_bytes(8, "little"))
        for marker, number in (
            (INSTANCE, index),
            (SERIES, index // SERIES_FILES),
            (STUDY, index // STUDY_FILES),
            (NUMBER, index),
        ):
            digits = str(10 ** (len(marker) - 1) + number)
            patched = patched.replace(marker.encode(), digits.encode())
        yield f"{index // SERIES_FILES:04}/{index:07}", patched


def measured_scan(source: Path) -> None:
    """Scan, in a process of its own: headers a second, their slowing down, and the growth of the process."""
    small = next(small_files(1))[1]
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "one").write_bytes(small)
        scan(Path(place))  # what is loaded once is not counted
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = [time.perf_counter()]
    inventory = scan(source, on_file=lambda _: times.append(time.perf_counter()))
    whole, files = time.perf_counter() - times[0], len(times) - 1
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    tenth = max(1, files // 10)
    slowing = (times[tenth] - times[0]) / (times[-1] - times[-1 - tenth])
    found = sum(len(study.instances) for study in inventory.studies)
    print(
        f"scale:   {found} files, {source.suffix or 'folder'}: {files / whole:.0f} headers a second, the last tenth at "
        f"{slowing:.2f} x the first; {grown / files:.0f} bytes a file"
    )


def scale(folder: Path, files: int) -> None:
    """The same scan of a fifth of the files and of all."""
    for count in (max(1, files // 5), files):
        loose, packed = folder / f"{count}", folder / f"{count}.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in small_files(count):
                path = loose / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                archive.writestr(name, content)
        for source in (loose, packed):
            subprocess.run([sys.executable, __file__, "--scan", str(source)], check=True)


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
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--scan", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")
    if wanted.scan:
        measured_scan(wanted.scan)
        return
    parts: dict[str, Callable[[Path], None]] = {
        "headers": lambda folder: headers(folder, wanted.files, wanted.rounds),
        "pixels": lambda folder: pixels(folder, wanted.rounds),
        "frames": lambda folder: frames(folder, wanted.frames),
        "scale": lambda folder: scale(folder, wanted.files),
    }
    for name in wanted.only:
        with tempfile.TemporaryDirectory() as place:
            parts[name](Path(place))


if __name__ == "__main__":
    main()
