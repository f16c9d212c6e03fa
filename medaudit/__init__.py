"""medaudit: audit a medical image-text model without labels.

The data flow, one frozen value from each stage to the next:

    folder, zip, DICOMDIR
        -> medaudit.dicom.scan          studies, series, and every file accounted for
        -> medaudit.dicom.read          DicomImage: stored pixels and what describes them
        -> medaudit.dicom.grayscale     DisplayImage: modality LUT, VOI, MONOCHROME1
        -> medaudit.imaging.preprocess  ModelInput: the tensor and the GridMap back to stored pixels
        -> medaudit.models              two towers: embed, blocks, head
        -> medaudit.attribution         Attribution: nats per image token and per word
        -> medaudit.audit               Finding: a measurement held against a threshold
        -> medaudit.store               what survives the run
        -> medaudit.report, .viewer     PDF and browser, from the store alone

Importing this package never imports torch, transformers or MONAI.
"""

from importlib.metadata import PackageNotFoundError, version

from medaudit.errors import MedauditError, MedauditWarning

try:
    __version__ = version("medaudit")
except PackageNotFoundError:  # a source tree that nobody installed
    __version__ = "0+unknown"

__all__ = ["MedauditError", "MedauditWarning", "__version__"]
