"""Which SOP classes are pictures and which are reports (PS3.4 Table B.5-1, PS3.6 Table A-1)."""

from typing import Final

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."

MEDIA_DIRECTORY: Final = "1.2.840.10008.1.3.10"
"""Media Storage Directory Storage: a DICOMDIR."""

PLAIN_IMAGE: Final = "plain image"
"""In the place of a SOP class, of a picture that is no DICOM object; no UID, so that no file can claim it."""

ENCAPSULATED: Final = {_STORAGE + "104.1": "PDF"}
"""Documents in a DICOM envelope: text for people, which is not read."""

ENCAPSULATED_CDA: Final = _STORAGE + "104.2"
"""A document in a DICOM envelope whose text is read."""

# fmt: off
PICTURES: Final = frozenset(_STORAGE + tail for tail in (
    "1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1",                        # CR, DX, MG, intra-oral
    "2", "2.1", "2.2",                                                          # CT, enhanced, legacy converted
    "3", "3.1", "6", "6.1", "6.2", "6.3",                                       # US (retired ones too), photoacoustic
    "4", "4.1", "4.3", "4.4",                                                   # MR, enhanced, colour, legacy converted
    "5", "20",                                                                  # NM
    "7", "7.1", "7.2", "7.3", "7.4",                                            # secondary capture
    "12.1", "12.1.1", "12.2", "12.2.1", "12.3",                                 # XA, RF
    "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5",                           # 3D X-ray, tomosynthesis
    "14.1", "14.2",                                                             # intravascular OCT
    "77.1", "77.2", "77.1.1", "77.1.1.1", "77.1.2", "77.1.2.1", "77.1.3",       # visible light
    "77.1.4", "77.1.4.1", "77.1.5.1", "77.1.5.2", "77.1.5.4", "77.1.5.5",
    "77.1.5.6", "77.1.5.7", "77.1.6", "77.1.7", "77.1.8", "77.1.9",
    "128", "128.1", "130",                                                      # PET
    "481.1",                                                                    # RT image: a portal radiograph
))
REPORTS: Final = frozenset(_STORAGE + tail for tail in ("88.11", "88.22", "88.33", "88.34", "88.35"))
# fmt: on
"""``PICTURES``: pixels that a person looks at. Segmentations, parametric maps, RT objects, presentation
states and waveforms are none. ``REPORTS``: structured reports in which a person's text may stand; dose
reports, procedure logs and CAD output are none."""


def is_picture_class(sop_class_uid: str) -> bool:
    """Whether pixels of this class are a picture.

    Private classes and files without one (ACR-NEMA) are taken for pictures: their pixels are all there is to go by.
    """
    return sop_class_uid in PICTURES or not sop_class_uid.startswith("1.2.840.10008.")


def is_report_class(sop_class_uid: str) -> bool:
    """Whether a person's text may stand in an object of this class."""
    return sop_class_uid in REPORTS or sop_class_uid == ENCAPSULATED_CDA
