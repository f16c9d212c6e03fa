"""Instances -> studies: grouped by UID, duplicates recognised by UID and by pixels, contradictions named."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from medaudit.dicom.examine import digest_of, pixel_digest_of
from medaudit.dicom.instance import FileRef, Instance, Inventory, ScannedFile, Series, Study
from medaudit.errors import InputError
from medaudit.records.provenance import FileFate


def group(seen: Sequence[Instance | ScannedFile]) -> Inventory:
    """Group by study and series; of several files with one SOP Instance UID the first label stays."""
    others = [entry for entry in seen if isinstance(entry, ScannedFile)]
    instances = sorted((entry for entry in seen if isinstance(entry, Instance)), key=lambda entry: entry.ref.label)
    kept: dict[str, Instance] = {}
    for instance in instances:
        first = kept.setdefault(instance.sop_instance_uid, instance)
        if first is not instance:
            others.append(ScannedFile(instance.ref, FileFate.DUPLICATE, _duplicate(first.ref, instance.ref)))
    twins = _twins(kept.values())
    conflicts = _conflicts(kept.values())
    studies: dict[str, dict[str, list[Instance]]] = {}
    for instance in kept.values():
        notes = tuple(conflicts[key] for key in _keys(instance) if key in conflicts)
        twin = twins.get(instance.sop_instance_uid, "")
        entry = replace(instance, notes=(*instance.notes, *notes), twin=twin) if notes or twin else instance
        studies.setdefault(instance.study_uid, {}).setdefault(instance.series_uid, []).append(entry)
    return Inventory(
        studies=tuple(
            Study(uid, tuple(Series(series_uid, tuple(members)) for series_uid, members in series.items()))
            for uid, series in studies.items()
        ),
        others=tuple(sorted(others, key=lambda entry: entry.ref.label)),
        conflicts=tuple(dict.fromkeys(conflicts.values())),
    )


def _keys(instance: Instance) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("study", instance.study_uid), ("series", instance.series_uid)


def _conflicts(instances: Iterable[Instance]) -> dict[tuple[str, str], str]:
    """What contradicts itself, by study and by series: in words, without a value."""
    patients: dict[str, set[str]] = defaultdict(set)
    studies: dict[str, set[str]] = defaultdict(set)
    modalities: dict[str, set[str]] = defaultdict(set)
    for instance in instances:
        patients[instance.study_uid].add(instance.patient_key)
        studies[instance.series_uid].add(instance.study_uid)
        modalities[instance.series_uid].add(instance.modality)
    found = {
        ("study", uid): f"conflict: files of one study name {len(keys)} different Patient IDs (0010,0020)"
        for uid, keys in patients.items()
        if len(keys) > 1
    }
    for uid, uids in studies.items():
        words = []
        if len(uids) > 1:
            words.append(f"{len(uids)} Study Instance UIDs (0020,000D)")
        if len(modalities[uid]) > 1:
            words.append(f"{len(modalities[uid])} Modalities (0008,0060)")
        if words:
            found["series", uid] = f"conflict: files of one Series Instance UID name {' and '.join(words)}"
    return found


def _twins(instances: Iterable[Instance]) -> dict[str, str]:
    """SOP Instance UID -> that of the first file with the same stored pixels; only what samples alike is read."""
    alike: dict[bytes, list[Instance]] = defaultdict(list)
    for instance in instances:
        if instance.pixel_key:
            alike[instance.pixel_key].append(instance)
    twins = {}
    for members in alike.values():
        if len(members) < 2:
            continue
        first: dict[str, str] = {}
        for instance in members:
            digest = pixel_digest_of(instance.ref)
            if digest and first.setdefault(digest, instance.sop_instance_uid) != instance.sop_instance_uid:
                twins[instance.sop_instance_uid] = first[digest]
    return twins


def _duplicate(first: FileRef, second: FileRef) -> str:
    try:
        with first.open() as one, second.open() as two:
            if digest_of(one) == digest_of(two):
                return "the same bytes as a file that was kept"
    except (InputError, OSError):
        return "the SOP Instance UID of a file that was kept; the two could not be compared"
    pixels = pixel_digest_of(first)
    if pixels and pixels == pixel_digest_of(second):
        return "the SOP Instance UID and the pixels of a file that was kept, under another header; ask the source"
    return "the SOP Instance UID of a file that was kept, with other bytes: one of the two is wrong; ask the source"
