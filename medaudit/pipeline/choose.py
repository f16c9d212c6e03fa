"""Which images of a study are audited, by the pipeline's rules; every other file gets its reason."""

from collections.abc import Iterator
from dataclasses import dataclass

from medaudit.dicom.scan import Instance, Study, is_picture, is_report
from medaudit.pipeline.spec import Images
from medaudit.records import FileFate


@dataclass(frozen=True, slots=True)
class ChosenImage:
    """One frame to audit; ``frame`` is 0-based."""

    instance: Instance
    frame: int


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file of a study that gives no image, and why."""

    instance: Instance
    fate: FileFate
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What a pipeline takes from one study, in the order of the files' labels."""

    images: tuple[ChosenImage, ...]
    passed_over: tuple[PassedOver, ...]


def choose(study: Study, rules: Images) -> Choice:
    """Apply the rules to every file of a study; each file is in exactly one of the two lists."""
    images: list[ChosenImage] = []
    passed_over: list[PassedOver] = []
    for instance in study.instances:
        if not is_picture(instance):
            passed_over.append(PassedOver(instance, FileFate.NOT_AN_IMAGE, _no_picture(instance)))
            continue
        reason = next(_objections(instance, rules), "")
        if not reason and len(images) >= rules.max_per_study:
            reason = f"the study has more images than images.max_per_study ({rules.max_per_study})"
        if reason:
            passed_over.append(PassedOver(instance, FileFate.NOT_CHOSEN, reason))
            continue
        room = rules.max_per_study - len(images)
        images += [ChosenImage(instance, frame) for frame in _frames(instance, rules)[:room]]
    return Choice(tuple(images), tuple(passed_over))


def _no_picture(instance: Instance) -> str:
    if is_report(instance):
        return "a structured report; its text is used where report_text.sources lists structured-report"
    what = "pixels that are no picture" if instance.has_pixels else "no pixels"
    return f"SOP class {instance.sop_class_uid}: {what}; nothing to audit in it"


def _objections(instance: Instance, rules: Images) -> Iterator[str]:
    """Reasons against an image, in the order of the pipeline file."""
    for key, keyword, wanted in (
        ("modalities", "Modality", rules.modalities),
        ("body_parts", "BodyPartExamined", rules.body_parts),
        ("views", "ViewPosition", rules.views),
    ):
        value = instance.elements.get(keyword, "").strip().upper()
        if not wanted or value in {name.upper() for name in wanted}:
            continue
        if value:
            yield f"{keyword} {value} is not in images.{key} ({', '.join(wanted)})"
        elif keyword == "Modality":
            yield "Modality (0008,0060) is empty, and images.modalities asks for one"
        elif rules.when_missing == "skip":
            yield f"{keyword} is empty and images.when_missing is skip"
    types = {part.strip().upper() for part in instance.elements.get("ImageType", "").split("\\")}
    for name in rules.exclude_image_types:
        if name.upper() in types:
            yield f"ImageType holds {name.upper()}, which images.exclude_image_types lists"
    side = min(instance.rows, instance.columns)
    if side < rules.min_side:
        yield f"{instance.rows} x {instance.columns} pixels; images.min_side is {rules.min_side}"


def _frames(instance: Instance, rules: Images) -> range:
    count = instance.number_of_frames
    first = {"first": 0, "middle": count // 2, "all": 0}[rules.frames]
    return range(first, count if rules.frames == "all" else first + 1)
