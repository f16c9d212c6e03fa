"""Every error and warning that medaudit raises on purpose.

    MedauditError
    ├── UsageError            the request cannot be carried out as it was put; exit code 2
    │   ├── PipelineError     a pipeline file: says file, line, key
    │   └── LayoutError       a report layout file: says file, line, key
    ├── InputError            one input file or study; the run goes on without it
    │   ├── NotDicomError     the bytes are not a DICOM data set
    │   ├── MissingElementError  an element that medaudit needs is absent or unusable
    │   ├── DecodeError       the pixels cannot be decoded here
    │   └── UnsupportedImageError  a valid object that has no picture in the sense of an audit
    ├── ModelError            a model folder
    │   ├── ModelMissingError    no such model here; says what to fetch and where to put it
    │   └── ModelLayoutError     the folder is not what its loader expects
    ├── AttributionError      a method cannot run on this model or these settings
    └── StoreError            an audit folder or its database
        └── ReviewConflictError  a review was changed elsewhere since it was read; nothing was written

    MedauditWarning
    ├── GeometryWarning       something about spacing or orientation that a reader must know
    └── ModelWarning          a model that loaded may not be what it seems; named in the notes of its card
        ├── EmbeddingCollapseWarning  unlike images or prompts get the same embedding
        ├── InputScaleWarning    its channel statistics are not those of images in 0 .. 1
        └── TokenizerWarning     its tokenizer is another model's

Messages name the place, the value, the rule and the way out. They never contain a patient's
name, identifier or birth date: a DICOM element is named by tag and keyword, and its value is
quoted only where the element is on the allow-list of :mod:`medaudit.dicom.privacy`.
"""


class MedauditError(Exception):
    """Base of everything that medaudit raises on purpose."""


class UsageError(MedauditError):
    """The request cannot be carried out as it was put."""


class PipelineError(UsageError):
    """A pipeline file is wrong; the message says file, line and key."""


class LayoutError(UsageError):
    """A report layout file is wrong; the message says file, line and key."""


class InputError(MedauditError):
    """One input file or study cannot be used; the run goes on without it."""


class NotDicomError(InputError):
    """The bytes are not a DICOM data set."""


class MissingElementError(InputError):
    """An element that medaudit needs is absent or unusable."""


class DecodeError(InputError):
    """The pixels cannot be decoded on this machine."""


class UnsupportedImageError(InputError):
    """A valid DICOM object that has no picture in the sense of an audit."""


class ModelError(MedauditError):
    """A model folder is missing or wrong."""


class ModelMissingError(ModelError):
    """No such model here; the message says what to fetch and where to put it."""


class ModelLayoutError(ModelError):
    """The model folder is not what its loader expects."""


class AttributionError(MedauditError):
    """A method cannot run on this model or with these settings."""


class StoreError(MedauditError):
    """An audit folder or its database cannot be used."""


class ReviewConflictError(StoreError):
    """A review was changed elsewhere since it was read; nothing was written, and both versions are there."""


class MedauditWarning(UserWarning):
    """Base of every warning of medaudit."""


class GeometryWarning(MedauditWarning):
    """Something about spacing or orientation that a reader must know."""


class ModelWarning(MedauditWarning):
    """A model that loaded may not be what it seems."""


class EmbeddingCollapseWarning(ModelWarning):
    """Unlike images, or unlike prompts, get the same embedding."""


class InputScaleWarning(ModelWarning):
    """The model's channel statistics are not those of images in 0 .. 1."""


class TokenizerWarning(ModelWarning):
    """The tokenizer is another model's."""
