"""One study through every stage, from its files to a frozen StudyAudit. Reads as the data flow."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from medaudit.attribution.method import Method, Noise
from medaudit.attribution.prefixes import text_prefix
from medaudit.audit.case import Case, Depth, Questions
from medaudit.audit.judge import judge
from medaudit.audit.verdict import Threshold
from medaudit.dicom.grayscale import DisplayImage, VoiPolicy, reading_copy
from medaudit.dicom.plain import PlainRef, display_plain, plain_elements, read_plain
from medaudit.dicom.privacy import Pseudonyms, allowed_elements
from medaudit.dicom.read import DicomImage, read_image
from medaudit.dicom.scan import FileRef, Study
from medaudit.dicom.windows import display_view
from medaudit.errors import MedauditError, ModelError
from medaudit.imaging.areas import Area, Mask, areas_on_input, find_areas
from medaudit.imaging.preprocess import Fit, ModelInput, preprocess
from medaudit.imaging.regions import text_notes, text_regions
from medaudit.metrics.localisation import fullest_tenth
from medaudit.models.interface import VisionLanguageModel
from medaudit.pipeline.audit_cohort import MAP
from medaudit.pipeline.choose import Choice, ChosenImage
from medaudit.pipeline.spec import PipelineSpec
from medaudit.pipeline.text import Sentences, StudyText
from medaudit.records import (
    Attribution,
    FileFate,
    FileRecord,
    ImageAudit,
    ImageRecord,
    Observation,
    Prompt,
    PromptKind,
    StudyAudit,
    StudyRecord,
)


class StageError(Exception):
    """Where a study's work broke off; the cause is chained."""

    def __init__(self, stage: str, cause: Exception) -> None:
        super().__init__(stage)
        self.stage = stage
        self.error = type(cause).__name__
        self.message = str(cause) if isinstance(cause, MedauditError) else _where(cause)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Name the stage in which an error arises. Any error: one bad file never stops a run."""
    try:
        yield
    except Exception as error:  # recorded with its class and place, and the run goes on
        raise StageError(name, error) from error


def _where(error: Exception) -> str:
    """Say where an unforeseen error arose. Its own message is withheld: it might quote a header."""
    trace = error.__traceback__
    place = ""
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.startswith("medaudit."):
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return (
        f"unforeseen {type(error).__name__} at {place}; please report it (the message is withheld, it may quote data)"
    )


@dataclass(frozen=True, slots=True)
class StudyResult:
    """A study's outcome: ``audit`` is None where no image came through; ``files`` accounts for every file."""

    audit: StudyAudit | None
    files: tuple[FileRecord, ...]
    failures: tuple[FileRecord, ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that is the same for every study of a run, settled once.

    ``prompts`` are the pipeline's, each known to fit the model; ``fit`` is None where the model's own holds.
    ``views`` are the pictures that one frame gives, as :meth:`medaudit.pipeline.spec.Display.views` has them.
    """

    spec: PipelineSpec
    prompts: tuple[Prompt, ...]
    views: Mapping[str, tuple[VoiPolicy, ...]]
    fit: Fit | None
    thresholds: Mapping[str, Threshold]
    questions: Questions
    model: VisionLanguageModel
    method: Method
    pseudonyms: Pseudonyms
    seed: int
    keep_identifiers: bool
    sentences: Sentences

    def study_code(self, study_uid: str) -> str:
        """Pseudonym of a study."""
        return self.pseudonyms.code("study", study_uid)

    def file(self, ref: FileRef, fate: FileFate, reason: str = "", study: str = "") -> FileRecord:
        """Record of a file that did not fail."""
        return FileRecord(self.pseudonyms.code("file", ref.label), ref.label, fate, reason, study)

    def failed(self, ref: FileRef, error: StageError, study: str = "") -> FileRecord:
        """Record of a file that failed, with the stage and the class of the error."""
        record = self.file(ref, FileFate.FAILED, error.message, study)
        return replace(record, stage=error.stage, error=error.error)


def audit_study(study: Study, choice: Choice, bench: Bench) -> StudyResult:
    """Audit the chosen images of a study; an image that fails is recorded and the others go on."""
    began = time.monotonic()
    code = bench.study_code(study.uid)
    text = bench.sentences.of(study)
    files = {
        item.instance.ref.label: bench.file(item.instance.ref, item.fate, item.reason, code)
        for item in choice.passed_over
    }
    for ref in text.used:
        files[ref.label] = bench.file(ref, FileFate.TEXT, "its text was read", code)
    for ref, problem in text.failed:
        files[ref.label] = bench.failed(ref, StageError("text", problem), code)
    images: list[ImageAudit] = []
    shared: dict[str, str] | None = None
    for chosen in choice.images:
        ref = chosen.instance.ref
        try:
            with stage("read"):
                image, elements = _read(chosen, bench)
            # Colour has no windows, so it has one view.
            views = list(bench.views)[: 1 if image.is_colour else None]
            images += [_audit_image(image, elements, chosen, bench, view=view, text=text) for view in views]
        except StageError as error:
            files[ref.label] = bench.failed(ref, error, code)
        else:
            shared = elements if shared is None else dict(shared.items() & elements.items())
            files.setdefault(ref.label, bench.file(ref, FileFate.AUDITED, study=code))
    record = StudyRecord(code, dict(sorted((shared or {}).items())))
    audit = StudyAudit(record, tuple(images), time.monotonic() - began) if images else None
    failures = tuple(file for file in files.values() if file.fate is FileFate.FAILED)
    return StudyResult(audit, tuple(files.values()), failures)


def _read(chosen: ChosenImage, bench: Bench) -> tuple[DicomImage, dict[str, str]]:
    """The pixels, and the elements that may be kept."""
    ref, keep = chosen.instance.ref, bench.keep_identifiers
    if isinstance(ref, PlainRef):
        image = read_plain(ref)
        return image, plain_elements(image, ref, keep_identifiers=keep)
    image = read_image(ref, frame=chosen.frame)
    return image, allowed_elements(image.dataset, keep_identifiers=keep)


def _audit_image(
    image: DicomImage,
    elements: Mapping[str, str],
    chosen: ChosenImage,
    bench: Bench,
    *,
    view: str,
    text: StudyText,
) -> ImageAudit:
    spec, model, study = bench.spec, bench.model, bench.study_code(chosen.instance.study_uid)
    with stage("display"):
        shown = _display(image, chosen, bench.views[view], overlays=spec.display.overlays)
        reading = reading_copy(shown, spec.display.reading_copy_side)
    with stage("imaging"):
        texts = text_regions(shown.values)
        written = text_notes(texts, elements.get("BurnedInAnnotation", ""))
        seen = preprocess(shown, model.preprocessing, model.grid, transforms=spec.transforms, fit=bench.fit)
    with stage("attribution"):
        sentences, notes = _readable(text.prompts, bench)
        # The scan's UIDs, not the header's: a file without one has a stand-in there.
        instance = f"{chosen.instance.sop_instance_uid}#{image.frame}{f'#{view}' if view else ''}"
        noise = Noise(bench.seed, instance)
        attributions = bench.method.explain(model, seen, (*bench.prompts, *sentences), noise)
        embedding, embedded = _embeddings(model, seen, sentences)
    with stage("audit"):
        areas = areas_on_input(find_areas(shown.values, texts), seen.grid_map)
        case = Case(model, bench.method, seen, attributions, noise, areas, bench.questions, Depth(spec.checks))
        judged = judge(case, bench.thresholds)
    rows, columns = image.stored.shape[:2]
    record = ImageRecord(
        study=study,
        series=bench.pseudonyms.code("series", chosen.instance.series_uid),
        image=bench.pseudonyms.code("image", instance),
        frame=image.frame,
        rows=rows,
        columns=columns,
        elements=elements,
        transfer_syntax=f"{image.transfer_syntax} ({image.transfer_syntax_uid or 'no DICOM object'})",
        decoder=image.decoder,
        display=shown.description,
        pixel_sha256=image.pixel_sha256,
        patient_orientation=image.patient_orientation,
        pixel_spacing=image.pixel_spacing,
        imager_pixel_spacing=image.imager_pixel_spacing,
        notes=tuple(dict.fromkeys((*chosen.instance.notes, *chosen.notes, *image.notes, *notes, *written))),
    )
    return ImageAudit(
        record,
        reading,
        seen.grid_map,
        attributions,
        judged.measurements,
        judged.findings,
        tuple(_observations(text, areas, attributions)),
        embedding,
        embedded,
        judged.curves,
    )


def _embeddings(
    model: VisionLanguageModel, seen: ModelInput, sentences: Sequence[Prompt]
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """Of the image and of the report's sentences."""
    with torch.no_grad():
        image = model.vision.encode(seen.pixels.to(model.device))[0]
        texts = {one.text: text_prefix(model, one.text, -1).embedding[0] for one in sentences}
    return image.float().cpu().numpy(), {text: found.float().cpu().numpy() for text, found in texts.items()}


def _observations(
    text: StudyText, areas: Mapping[Area, Mask], attributions: Sequence[Attribution]
) -> Iterator[Observation]:
    """What the report says, what the picture shows, and how concentrated the map of each finding is."""
    yield from (Observation("report", name, value) for name, value in text.said.items())
    yield from (Observation("picture", area.value, float(area in areas and areas[area].any())) for area in Area)
    for one in attributions:
        if one.prompt.kind is PromptKind.FINDING and (one.image.values > 0).any():
            yield Observation(MAP, one.prompt.text, fullest_tenth(one.image.values))


def _display(
    image: DicomImage, chosen: ChosenImage, policies: tuple[VoiPolicy, ...], *, overlays: bool
) -> DisplayImage:
    """One view of an image: through one window, or through three as its channels."""
    if isinstance(chosen.instance.ref, PlainRef) and len(policies) == 1:
        return display_plain(image, policies[0])
    return display_view(image, policies, overlays=overlays)


def _readable(report: Sequence[Prompt], bench: Bench) -> tuple[list[Prompt], list[str]]:
    """Report sentences that the pipeline does not ask already; those longer than the model reads become notes."""
    known = {prompt.text for prompt in bench.prompts}
    kept: list[Prompt] = []
    notes: list[str] = []
    for prompt in report:
        if prompt.text in known:
            continue
        try:
            bench.model.tokenize(prompt.text)
        except ModelError:
            words = len(prompt.text.split())
            notes.append(f"a report sentence of {words} words is longer than the model reads and was left out")
        else:
            kept.append(prompt)
    return kept, notes
