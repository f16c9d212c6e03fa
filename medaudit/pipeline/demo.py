"""The demo: the main job on phantom studies, with a model that medaudit makes."""

from pathlib import Path

from medaudit.models.random_clip import write_random_clip
from medaudit.phantom.make import make_studies
from medaudit.pipeline.load import load_pipeline
from medaudit.pipeline.run import AuditRequest
from medaudit.store.audit_store import AuditStore

STUDIES = 6
# Of the first cohorts the one with a normal study, devices in at least two, and names in Japanese and Arabic script.
SEED = 28


def prepare_demo(folder: Path) -> AuditRequest:
    """Put phantom studies and a model of random weights beside the audit; a second call goes on with the first.

    Raises
    ------
    UsageError
        The folder holds studies already, but no audit.

    """
    studies, truth, model = folder / "studies", folder / "truth", folder / "random-clip"
    if not AuditStore.exists(folder):
        make_studies(studies, truth, STUDIES, SEED)
        write_random_clip(model)
    return AuditRequest(
        source=studies,
        folder=folder,
        pipeline=load_pipeline("phantom"),
        model_folder=model,
        resume=AuditStore.exists(folder),
    )
