"""What this machine can do, found out by doing it."""

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from medaudit.dicom.decoders import decoder_table

_PACKAGES = (
    "medaudit",
    "torch",
    "transformers",
    "monai",
    "pydicom",
    "python-gdcm",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
    "pyjpegls",
    "pylibjpeg-libjpeg",
    "numpy",
    "pillow",
    "reportlab",
    "streamlit",
    "sqlalchemy",
)


def examine(models_folder: Path, work_folder: Path) -> dict[str, Any]:
    """Versions, machine (device, threads, disk, where models lie) and decoders, as plain data."""
    return {
        "versions": {name: _version(name) for name in _PACKAGES},
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "threads": torch.get_num_threads(),
            "free disk": f"{shutil.disk_usage(work_folder).free / 1e9:.1f} GB in the current folder",
            "models folder": f"{models_folder} ({'present' if models_folder.is_dir() else 'not there yet'})",
            "dcmdjpeg (dcmtk)": shutil.which("dcmdjpeg") or "not on PATH; needed for 12-bit JPEG Extended only",
        },
        "decoders": [
            {
                "transfer syntax": status.name,
                "uid": status.uid,
                "decodes": status.ok,
                "by": status.plugin,
                "what to do": status.hint,
            }
            for status in decoder_table()
        ],
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
