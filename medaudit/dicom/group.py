"""Instances -> studies: grouped by UID, duplicates recognised by UID and by pixels, contradictions named."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from medaudit.dicom.examine import digest_of, pixel_digest_of
from medaudit.dicom.instance import (
    Conflict,
    ConflictKind,
    FileRef,
    Instance,
    Inventory,
    ScannedFile,
    Series,
    Study,
)
from medaudit.errors import InputError
from medaudit.records.provenance import FileFate

Value = Callable[[Instance], str]

# What all files of a study, and of a series, have in common (PS3.3 A.1.2, C.7.1.1, C.7.3.1); '' says nothing.
_OF_A_STUDY: Final[tuple[tuple[ConflictKind, Value, str], ...]] = (
    (ConflictKind.PATIENT_ID, lambda one: one.patient_key, "Patient IDs (0010,0020)"),
    (ConflictKind.BIRTH_DATE, lambda one: one.birth_key, "Patient's Birth Dates (0010,0030)"),
    (ConflictKind.SEX, lambda one: one.sex, "Patient's Sexes (0010,0040)"),
)
_OF_A_SERIES: Final[tuple[tuple[ConflictKind, Value, str], ...]] = (
    (ConflictKind.STUDY, lambda one: one.study_uid, "Study Instance UIDs (0020,000D)"),
    (ConflictKind.MODALITY, lambda one: one.modality, "Modalities (0008,0060)"),
)
_DUPLICATE: Final = "the same bytes as a file that was kept"
_OTHER_HEADER: Final = (
    "the SOP Instance UID and the pixels of a file that was kept, under another header; ask the source"
)
_OTHER_BYTES: Final = (
    "the SOP Instance UID of a file that was kept, with other bytes: one of the two is wrong; ask the source"
)
_UNCOMPARED: Final = "the SOP Instance UID of a file that was kept; the two could not be compared"
_INSTANCE_WORDS: Final = "conflict: files with one SOP Instance UID (0008,0018) differ"


def group(seen: Sequence[Instance | ScannedFile]) -> Inventory:
    """Group by study and series; of several files with one SOP Instance UID the first label stays."""
    others = [entry for entry in seen if isinstance(entry, ScannedFile)]
    instances = sorted((entry for entry in seen if isinstance(entry, Instance)), key=lambda entry: entry.ref.label)
    kept: dict[str, Instance] = {}
    differing: dict[str, list[str]] = {}
    for instance in instances:
        first = kept.setdefault(instance.sop_instance_uid, instance)
        if first is not instance:
            reason = _duplicate(first.ref, instance.ref)
            others.append(ScannedFile(instance.ref, FileFate.DUPLICATE, reason))
            if reason in (_OTHER_HEADER, _OTHER_BYTES):
                differing.setdefault(first.sop_instance_uid, [first.study_uid]).append(instance.study_uid)
    twins = _twins(kept.values())
    conflicts = _conflicts(kept.values())
    for uid, study_uids in differing.items():
        once = tuple(dict.fromkeys(study_uids))
        conflicts["instance", uid] = [Conflict(ConflictKind.INSTANCE, once, _INSTANCE_WORDS)]
    studies: dict[str, dict[str, list[Instance]]] = {}
    for instance in kept.values():
        notes = [conflict.words for key in _keys(instance) for conflict in conflicts.get(key, ())]
        twin = twins.get(instance.sop_instance_uid, "")
        entry = replace(instance, notes=(*instance.notes, *notes), twin=twin) if notes or twin else instance
        studies.setdefault(instance.study_uid, {}).setdefault(instance.series_uid, []).append(entry)
    return Inventory(
        studies=tuple(
            Study(uid, tuple(Series(series_uid, tuple(members)) for series_uid, members in series.items()))
            for uid, series in studies.items()
        ),
        others=tuple(sorted(others, key=lambda entry: entry.ref.label)),
        conflicts=tuple(conflict for found in conflicts.values() for conflict in found),
    )


_Key = tuple[str, str]


def _keys(instance: Instance) -> tuple[_Key, ...]:
    return ("study", instance.study_uid), ("series", instance.series_uid), ("instance", instance.sop_instance_uid)


def _conflicts(instances: Iterable[Instance]) -> dict[_Key, list[Conflict]]:
    """What contradicts itself, by study and by series: in words, without a value."""
    by_study: dict[str, list[Instance]] = defaultdict(list)
    by_series: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        by_study[instance.study_uid].append(instance)
        by_series[instance.series_uid].append(instance)
    found: dict[_Key, list[Conflict]] = {}
    for level, groups, facts, name in (
        ("study", by_study, _OF_A_STUDY, "study"),
        ("series", by_series, _OF_A_SERIES, "Series Instance UID"),
    ):
        for uid, members in groups.items():
            if conflicts := list(_of(members, facts, name)):
                found[level, uid] = conflicts
    return found


def _of(members: Sequence[Instance], facts: Sequence[tuple[ConflictKind, Value, str]], name: str) -> Iterator[Conflict]:
    for kind, value, words in facts:
        values = {value(instance) for instance in members} - {""}
        if len(values) > 1:
            study_uids = tuple(dict.fromkeys(instance.study_uid for instance in members))
            yield Conflict(kind, study_uids, f"conflict: files of one {name} name {len(values)} different {words}")


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
                return _DUPLICATE
    except (InputError, OSError):
        return _UNCOMPARED
    pixels = pixel_digest_of(first)
    if pixels and pixels == pixel_digest_of(second):
        return _OTHER_HEADER
    return _OTHER_BYTES
