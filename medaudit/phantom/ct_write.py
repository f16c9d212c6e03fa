"""A rendered CT as DICOM: one series of CT Image Storage, a file a slice."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, generate_uid

from medaudit.phantom.ct_scan import LOWEST_HU, WINDOWS, Scanner
from medaudit.phantom.ct_study import CtPhantom, CtSpec
from medaudit.phantom.write import Equipment, StudyIdentity, begin_dataset, save_dataset


def ct_equipment(scanner: Scanner) -> Equipment:
    """What the files of a CT say of its scanner."""
    return Equipment(scanner.manufacturer, scanner.model, f"CT-{scanner.key.upper()}", "CT chest")


def slice_uid(identity: StudyIdentity, index: int) -> str:
    """SOP Instance UID of slice ``index``, which counts from 0."""
    return str(generate_uid(entropy_srcs=[identity.image_uid, "slice", str(index)]))


def slice_file(index: int) -> str:
    """Name of the file of slice ``index``, which counts from 0; files count from 1, as Instance Number does."""
    return f"image-{index + 1:04d}.dcm"


def write_series(folder: Path, spec: CtSpec, phantom: CtPhantom, identity: StudyIdentity) -> None:
    """Write every slice (PS3.3 A.3), head first, Instance Number 1 upwards."""
    syntaxes = spec.scanner.transfer_syntaxes
    syntax = syntaxes[identity.seed % len(syntaxes)]
    for index in range(phantom.grid.slices):
        ds = _slice(spec, phantom, identity, index)
        save_dataset(ds, folder / slice_file(index), syntax)


def _slice(spec: CtSpec, phantom: CtPhantom, identity: StudyIdentity, index: int) -> Dataset:
    ds = begin_dataset(spec.anatomy, ct_equipment(spec.scanner), identity)
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, slice_uid(identity, index)
    ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber = identity.image_series_uid, 1, index + 1
    ds.Modality, ds.BodyPartExamined, ds.PatientPosition = "CT", "CHEST", "HFS"
    ds.SeriesDescription = f"Chest {spec.scanner.slice_mm:g} mm {spec.scanner.kernel}"
    ds.AcquisitionDate, ds.AcquisitionTime = ds.StudyDate, ds.StudyTime
    ds.ContentDate, ds.ContentTime = ds.StudyDate, ds.StudyTime
    ds.FrameOfReferenceUID = str(generate_uid(entropy_srcs=[identity.image_uid, "frame of reference"]))
    ds.PositionReferenceIndicator = ""
    _plane(ds, phantom, index)
    _acquisition(ds, spec)
    _pixels(ds, phantom, index)
    return ds


def _plane(ds: Dataset, phantom: CtPhantom, index: int) -> None:
    """Image plane (PS3.3 C.7.6.2): rows run to the patient's left, columns to the back."""
    thickness, row, column = phantom.voxel_mm
    ds.PixelSpacing = [f"{row:.10g}", f"{column:.10g}"]
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    position = phantom.grid.position_mm(index)
    ds.ImagePositionPatient = [f"{value:.10g}" for value in position]
    ds.SliceThickness = f"{thickness:.10g}"
    ds.SliceLocation = f"{position[2]:.10g}"


def _acquisition(ds: Dataset, spec: CtSpec) -> None:
    """CT image (PS3.3 C.8.2.1), but for the pixels."""
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionNumber = 1
    ds.KVP = str(spec.scanner.kvp)
    ds.ConvolutionKernel = spec.scanner.kernel
    ds.ReconstructionDiameter = f"{10 * spec.fov_cm:.10g}"
    ds.DataCollectionDiameter = "500"
    ds.GantryDetectorTilt = "0"
    ds.Exposure = str(round(100 * spec.dose))  # mAs; 100 is the protocols' nominal dose


def _pixels(ds: Dataset, phantom: CtPhantom, index: int) -> None:
    """Image pixel, modality LUT and VOI LUT (PS3.3 C.7.6.3, C.11.1, C.11.2): 12 bits, HU = stored - 1024."""
    pixels = phantom.volume[index]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = str(LOWEST_HU), "1", "HU"
    ds.WindowCenter = [str(center) for _, center, _ in WINDOWS]
    ds.WindowWidth = [str(width) for _, _, width in WINDOWS]
    ds.WindowCenterWidthExplanation = [name for name, _, _ in WINDOWS]
    ds.LossyImageCompression = "00"
    ds.PixelData = (pixels.astype(np.int32) - LOWEST_HU).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
