"""Out of distribution: is this a picture of the kind that the model was calibrated on?

Asked of the model, by its embedding, and of the picture, by its brightness, sharpness and layout: a model may put what
it does not know beside what it knows. The reference is whatever `medaudit calibrate` was given; without one nothing is
measured.
"""

from medaudit.audit.case import Case, Depth
from medaudit.imaging.statistics import picture_statistics
from medaudit.records import Measurement

CHECK = "out_of_distribution"
EMBEDDING_QUANTILE = "embedding_quantile"
PICTURE_QUANTILE = "picture_quantile"

SUBJECT = "the picture"


def measure(case: Case) -> list[Measurement]:
    """Share of the reference's images that lie nearer to its mean, by embedding and by statistics of the picture.

    See :meth:`medaudit.models.reference.Reference.quantile`; it costs no pass beside the one that all checks share.
    """
    usual = case.model.calibration.usual if case.model.calibration is not None else None
    if case.depth is Depth.MAPS or usual is None:
        return []
    return [
        Measurement(CHECK, quantity, reference.quantile(item), SUBJECT, f"{len(reference.distances)} images")
        for quantity, reference, item in (
            (EMBEDDING_QUANTILE, usual.embeddings, case.embedding),
            (PICTURE_QUANTILE, usual.pictures, picture_statistics(case.picture[None])[0]),
        )
    ]
