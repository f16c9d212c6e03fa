"""Unlabeled studies and a pipeline's sentences through a model, once: what its features usually look like.

scan -> choose -> (read -> display -> preprocess -> every block) -> calibration.safetensors beside the weights
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from medaudit.dicom.read import read_image
from medaudit.dicom.scan import scan
from medaudit.dicom.windows import display_view
from medaudit.errors import InputError, UsageError
from medaudit.imaging.preprocess import Fit, preprocess
from medaudit.imaging.statistics import picture_statistics
from medaudit.models.calibration import FILE, Calibration, Usual, weight_files, write_calibration
from medaudit.models.interface import VisionLanguageModel
from medaudit.models.moments import Moments
from medaudit.models.reference import reference_of
from medaudit.models.registry import load_model
from medaudit.pipeline.choose import choose
from medaudit.pipeline.load import Pipeline

LEAST_IMAGES = 8
"""Fewer say nothing of what is usual; a few hundred are better."""
LEAST_TEXTS = 2
# Images a pass through the tower.
_BATCH = 8
# Of a text, the first token (begin, class) has statistics of its own; every other position shares one row.
_TEXT_ROWS = 2


@dataclass(frozen=True, slots=True)
class CalibrationSummary:
    """What was written, from how much; ``skipped`` are images that could not be read, by class of error."""

    path: Path
    images: int
    texts: int
    skipped: dict[str, int]


def calibrate(
    model_folder: Path,
    sources: Sequence[Path],
    pipeline: Pipeline,
    *,
    device: torch.device,
    limit: int | None = None,
    on_image: Callable[[int], None] = lambda _: None,
) -> CalibrationSummary:
    """Measure a model's features on unlabeled images and write them beside its weights.

    Parameters
    ----------
    model_folder
        Gets ``calibration.safetensors``.
    sources
        DICOM files, folders, archives. Which images are taken, and how they are shown, the pipeline says.
    pipeline
        Its prompts are the sentences.
    device
        Where the model runs.
    limit
        Images at most.
    on_image
        Called with the number of images so far.

    Raises
    ------
    UsageError
        Too few images or sentences.
    ModelError
        The model cannot be loaded.

    """
    path = model_folder / FILE
    # A calibration of other weights would keep the model from loading, and is about to be replaced.
    model = load_model(model_folder, device, calibrated=False)
    images, skipped = Moments(model.vision, None), dict[str, int]()
    count = 0
    batch: list[torch.Tensor] = []
    looks: list[torch.Tensor] = []
    for pixels in _pictures(sources, pipeline, model, skipped):
        batch.append(pixels)
        looks.append(picture_statistics(model.preprocessing.shown(pixels)))
        count += 1
        on_image(count)
        if len(batch) == _BATCH:
            _add_images(model, images, batch)
        if count == limit:
            break
    _add_images(model, images, batch)
    prompts = pipeline.spec.prompts.ask()
    if count < LEAST_IMAGES or len(prompts) < LEAST_TEXTS:
        msg = (
            f"calibrate: expected at least {LEAST_IMAGES} images and {LEAST_TEXTS} sentences; got {count} images that "
            f"the pipeline {pipeline.spec.name} takes, and {len(prompts)} sentences"
        )
        raise UsageError(msg)
    texts = Moments(model.text, _TEXT_ROWS)
    for prompt in prompts:
        read = model.tokenize(prompt.text)
        mask = None if read.mask is None else read.mask.to(device)
        with torch.no_grad():
            texts.add(model.text.embed(read.ids.to(device), mask))
    usual = Usual(reference_of(images.embeddings), reference_of(torch.cat(looks)))
    write_calibration(path, Calibration(images.result(), texts.result(), weight_files(model.card.files), usual))
    return CalibrationSummary(path, count, len(prompts), skipped)


def _add_images(model: VisionLanguageModel, moments: Moments, batch: list[torch.Tensor]) -> None:
    if batch:
        with torch.no_grad():
            moments.add(model.vision.embed(torch.cat(batch).to(model.device)))
        batch.clear()


def _pictures(
    sources: Sequence[Path], pipeline: Pipeline, model: VisionLanguageModel, skipped: dict[str, int]
) -> Iterator[torch.Tensor]:
    """(1, 3, H, W) of every image that the pipeline takes; one that cannot be read is counted and passed over."""
    spec = pipeline.spec
    views = spec.display.views().values()
    fit = None if spec.fit == "model" else Fit(spec.fit)
    for source in sources:
        if not source.exists():
            msg = f"INPUT {str(source)!r} does not exist; give a DICOM file, a folder, a zip archive or a DICOMDIR"
            raise UsageError(msg)
        for study in scan(source).studies:
            for chosen in choose(study, spec.images).images:
                try:
                    image = read_image(chosen.instance.ref, frame=chosen.frame)
                    pictures = [display_view(image, view, overlays=spec.display.overlays) for view in views]
                except InputError as error:
                    skipped[type(error).__name__] = skipped.get(type(error).__name__, 0) + 1
                    continue
                for picture in pictures:
                    seen = preprocess(picture, model.preprocessing, model.grid, transforms=spec.transforms, fit=fit)
                    yield seen.pixels
