"""Patients who do not exist, with names in the scripts of many countries."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np

from medaudit.phantom.anatomy import Anatomy, Sex

# (Specific Character Set (0008,0005), (women's family names, given names), (men's family names, given names)).
_NAMES: Final = (
    ("ISO_IR 100", (("Halvorsen", "Brückner"), ("Märta", "Ilse")), (("Lindqvist", "Brückner"), ("Jörg", "Håkon"))),
    ("ISO_IR 100", (("Ibáñez", "Marchetti"), ("Lucía", "Chiara")), (("Ferreira", "Ibáñez"), ("João", "Íñigo"))),
    ("ISO_IR 6", (("Okafor", "Whitcombe"), ("Amara", "Edith")), (("Okafor", "Naidoo"), ("Emeka", "Ravi"))),
    ("ISO_IR 144", (("Журавлёва", "Соколова"), ("Людмила", "Жанна")), (("Журавлёв", "Орлов"), ("Пётр", "Глеб"))),
    ("ISO_IR 126", (("Νικολάου", "Αλεξίου"), ("Ελένη", "Άννα")), (("Παπαδόπουλος", "Νικολάου"), ("Νίκος", "Πέτρος"))),
    ("ISO_IR 127", (("قباني", "حداد"), ("ليلى", "سلمى")), (("خوري", "حداد"), ("نزار", "كريم"))),
    ("ISO_IR 192", (("محفوظ", "الشامي"), ("هدى", "ريم")), (("المصري", "محفوظ"), ("يوسف", "طارق"))),
    ("ISO_IR 192", (("नायर", "शर्मा"), ("मीरा", "आशा")), (("वर्मा", "शर्मा"), ("अजय", "रवि"))),
)
# Alphabetic=ideographic=phonetic, PS3.5 H.3. No character here has a byte of '\\', '^' or '=' in ISO 2022 IR 87:
# readers that do not follow the escape sequences would take it for a separator.
_JAPANESE: Final = (
    ("Mizuno^Akiko=水野^明子=みずの^あきこ", "Takeda^Kenji=武田^健二=たけだ^けんじ"),
    ("Hayashi^Sachiko=林^幸子=はやし^さちこ", "Ogawa^Minoru=小川^実=おがわ^みのる"),
    ("Ishii^Yoko=石井^洋子=いしい^ようこ", "Murakami^Susumu=村上^進=むらかみ^すすむ"),
)
_JAPANESE_SET: Final = ("", "ISO 2022 IR 87")


@dataclass(frozen=True, slots=True)
class Person:
    """A fictitious patient and when the picture was taken; dates as DICOM writes them."""

    character_set: tuple[str, ...]
    name: str
    patient_id: str
    birth_date: str
    study_date: str
    study_time: str
    accession: str


def invent_person(anatomy: Anatomy, seed: int) -> Person:
    """A person of the anatomy's sex and age; every detail follows from the seed."""
    rng = np.random.default_rng([seed, 12])
    female = anatomy.sex is Sex.F
    character_set: tuple[str, ...]
    script = int(rng.integers(len(_NAMES) + 2))  # two lots for Japanese
    if script >= len(_NAMES):
        pair = _JAPANESE[int(rng.integers(len(_JAPANESE)))]
        character_set, name = _JAPANESE_SET, pair[0 if female else 1]
    else:
        encoding, women, men = _NAMES[script]
        families, given = women if female else men
        character_set = () if encoding == "ISO_IR 6" else (encoding,)
        name = f"{families[int(rng.integers(2))]}^{given[int(rng.integers(2))]}"
    day = dt.date(2019, 1, 1) + dt.timedelta(days=int(rng.integers(0, 2190)))
    # Born between one and 364 days before the birthday that makes the age.
    born = day.replace(year=day.year - anatomy.age, day=min(day.day, 28)) - dt.timedelta(days=int(rng.integers(1, 360)))
    seconds = int(rng.integers(7 * 3600, 20 * 3600))
    return Person(
        character_set=character_set,
        name=name,
        patient_id=f"PH{int(rng.integers(10**7)):07d}",
        birth_date=f"{born:%Y%m%d}",
        study_date=f"{day:%Y%m%d}",
        study_time=f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}",
        accession=f"A{int(rng.integers(10**8)):08d}",
    )
