"""Which images of a study are audited, by the pipeline's rules; every other file gets its reason."""

from collections.abc import Iterator
from dataclasses import dataclass

from medaudit.dicom.scan import Instance, Series, Study, is_picture, is_report
from medaudit.dicom.sop_classes import ENCAPSULATED, ENCAPSULATED_CDA
from medaudit.dicom.volume import Slice, Stack, stacks_of
from medaudit.pipeline.spec import Images
from medaudit.records import FileFate


@dataclass(frozen=True, slots=True)
class ChosenImage:
    """One frame to audit; ``frame`` is 0-based. ``notes`` say where it lies in its series, and what is odd there."""

    instance: Instance
    frame: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file of a study that gives no image, and why."""

    instance: Instance
    fate: FileFate
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What a pipeline takes from one study: series by series, slices in the order of their places."""

    images: tuple[ChosenImage, ...]
    passed_over: tuple[PassedOver, ...]


def choose(study: Study, rules: Images) -> Choice:
    """Apply the rules to every file of a study; each file is in exactly one of the two lists."""
    images: list[ChosenImage] = []
    passed_over: list[PassedOver] = []
    seen: dict[str, Instance] = {}
    for series in study.series:
        eligible = []
        for instance in series.instances:
            refusal = _refusal(instance, rules, seen)
            if refusal is None:
                eligible.append(instance)
                seen[instance.sop_instance_uid] = instance
            else:
                passed_over.append(refusal)
        offered, left = _offered(Series(series.uid, tuple(eligible)), rules)
        passed_over += left
        room = rules.max_per_study - len(images)
        taken = _spread(offered, room) if rules.slices != "each" else offered[:room]
        images += taken
        kept = {image.instance.ref.label for image in taken}
        for label, instance in {image.instance.ref.label: image.instance for image in offered}.items():
            if label not in kept:
                reason = f"the study has more images than images.max_per_study ({rules.max_per_study})"
                passed_over.append(PassedOver(instance, FileFate.NOT_CHOSEN, reason))
    return Choice(tuple(images), tuple(passed_over))


def _refusal(instance: Instance, rules: Images, seen: dict[str, Instance]) -> PassedOver | None:
    if not is_picture(instance):
        return PassedOver(instance, FileFate.NOT_AN_IMAGE, _no_picture(instance))
    reason = next(_objections(instance, rules), "")
    if reason:
        return PassedOver(instance, FileFate.NOT_CHOSEN, reason)
    twin = seen.get(instance.twin)
    # Slices of air are alike wherever they lie; one place has one slice.
    if twin is not None and twin.plane == instance.plane:
        reason = "the same pixels as a file of this study that was kept, under another SOP Instance UID"
        return PassedOver(instance, FileFate.DUPLICATE, reason)
    return None


def _offered(series: Series, rules: Images) -> tuple[list[ChosenImage], list[PassedOver]]:
    """The frames of a series that the rules on slices and frames take, and the files that give none."""
    stacks, loose = stacks_of(series.instances) if _may_stack(series, rules) else ((), series.instances)
    offered: list[ChosenImage] = []
    left: dict[str, PassedOver] = {}
    for stack in stacks:
        taken = _slices(stack, rules)
        names = {id(item): words for item, words in taken}
        offered += [ChosenImage(item.instance, item.frame, (words, *stack.notes())) for item, words in taken]
        for item in stack.slices:
            if id(item) not in names:
                reason = f"no slice that images.slices ({_asked(rules)}) takes"
                left.setdefault(item.instance.ref.label, PassedOver(item.instance, FileFate.NOT_CHOSEN, reason))
    offered += [ChosenImage(instance, frame) for instance in loose for frame in _frames(instance, rules)]
    for image in offered:
        left.pop(image.instance.ref.label, None)
    return offered, list(left.values())


def _may_stack(series: Series, rules: Images) -> bool:
    """Whether places are worth a look: multi-frame files are read again for them, where slices are chosen."""
    placed = [instance for instance in series.instances if instance.plane is not None]
    return len(placed) > 1 or (rules.slices != "each" and any(item.number_of_frames > 1 for item in series.instances))


def _slices(stack: Stack, rules: Images) -> list[tuple[Slice, str]]:
    """The slices that the rules take, each with its place in words."""
    if rules.slices == "each":
        chosen = [(item, "") for item in stack.slices if item.frame in _frames(item.instance, rules)]
    elif rules.slices == "middle":
        chosen = [(item, ", the middle") for item in stack.at([0.5])]
    elif rules.slices == "step":
        chosen = [(item, f", one every {rules.step_mm:g} mm") for item in stack.every(rules.step_mm or stack.spacing)]
    else:
        levels = [(name, stack.at([fraction])[0]) for name, fraction in rules.levels.items()]
        named = {id(item): (item, [other for other, one in levels if one is item]) for _, item in levels}
        chosen = [(item, f", level {' and '.join(names)}") for item, names in named.values()]
    order = {id(item): index for index, item in enumerate(stack.slices, start=1)}
    return [(item, f"slice {order[id(item)]} of {len(order)} by place{words}") for item, words in chosen]


def _asked(rules: Images) -> str:
    if rules.slices == "step":
        return f"step, {rules.step_mm:g} mm"
    return f"levels {', '.join(rules.levels)}" if rules.slices == "levels" else rules.slices


def _spread(offered: list[ChosenImage], room: int) -> list[ChosenImage]:
    """At most ``room`` of the images, spread over all of them."""
    if len(offered) <= room:
        return offered
    if room <= 1:
        return offered[len(offered) // 2 :][:room]
    return [offered[round(index * (len(offered) - 1) / (room - 1))] for index in range(room)]


def _no_picture(instance: Instance) -> str:
    if is_report(instance):
        kind = "an encapsulated CDA document" if instance.sop_class_uid == ENCAPSULATED_CDA else "a structured report"
        return f"{kind}; its text is used where report_text.sources lists structured-report"
    if instance.sop_class_uid in ENCAPSULATED:
        kind = ENCAPSULATED[instance.sop_class_uid]
        return f"an encapsulated {kind} document; its text is not read: give it by --report-text (docs/report-text.md)"
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
