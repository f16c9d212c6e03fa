"""The demo: the main job on phantom studies, with the bundled model that has learnt phantoms."""

from pathlib import Path

from medaudit.models.catalogue import BUNDLED_MODEL
from medaudit.phantom.make import make_studies
from medaudit.pipeline.load import load_pipeline
from medaudit.pipeline.run import AuditRequest
from medaudit.resources import bundled_models_folder
from medaudit.store.audit_store import AuditStore

STUDIES = 6
# Of the first cohorts the one with a normal study, devices in at least two, and names in Japanese and Arabic script.
SEED = 28


def prepare_demo(folder: Path) -> AuditRequest:
    """Put phantom studies beside the audit; a second call goes on with the first.

    Raises
    ------
    UsageError
        The folder holds studies already, but no audit.

    """
    studies, truth = folder / "studies", folder / "truth"
    if not AuditStore.exists(folder):
        make_studies(studies, truth, STUDIES, SEED)
    return AuditRequest(
        source=studies,
        folder=folder,
        pipeline=load_pipeline("phantom"),
        model_folder=bundled_models_folder() / BUNDLED_MODEL,
        resume=AuditStore.exists(folder),
    )
