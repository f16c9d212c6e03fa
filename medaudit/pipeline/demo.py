"""The demo: the main job on real DICOM files that pydicom ships, with a model that medaudit makes."""

import shutil
from pathlib import Path

from medaudit.dicom.decoders import sample_file
from medaudit.models.random_clip import write_random_clip
from medaudit.pipeline.load import load_pipeline
from medaudit.pipeline.run import AuditRequest
from medaudit.store.audit_store import AuditStore

# CT, MR, nuclear medicine and colour ultrasound; several transfer syntaxes; all inside pydicom's wheel.
_SAMPLES = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "examples_ybr_color.dcm", "examples_palette.dcm")


def prepare_demo(folder: Path) -> AuditRequest:
    """Put input files and a model of random weights beside the audit; a second call goes on with the first."""
    studies = folder / "input"
    studies.mkdir(parents=True, exist_ok=True)
    for name in _SAMPLES:
        shutil.copyfile(sample_file(name), studies / name)
    model = folder / "random-clip"
    if not (model / "config.json").is_file():
        write_random_clip(model)
    return AuditRequest(
        source=studies,
        folder=folder,
        pipeline=load_pipeline("any-image"),
        model_folder=model,
        resume=AuditStore.exists(folder),
    )
