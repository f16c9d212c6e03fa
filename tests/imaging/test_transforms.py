import monai.transforms
import pytest

from medaudit.errors import UsageError
from medaudit.imaging.transforms import ALLOWED_TRANSFORMS, build_transform, check_transform


@pytest.mark.parametrize("name", sorted(ALLOWED_TRANSFORMS))
def test_every_allowed_name_is_a_deterministic_monai_transform(name):
    kind = getattr(monai.transforms, name)
    assert not issubclass(kind, monai.transforms.Randomizable)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "needs the key '_target_'"),
        ({"_target_": 7}, "needs the key '_target_'"),
        ({"_target_": "os.system"}, "not allowed"),
        ({"_target_": "Lambda", "func": "$print(1)"}, "not allowed"),
        ({"_target_": "monai.transforms.Rotate90"}, "not allowed"),
        ({"_target_": "builtins.eval"}, "not allowed"),
        ({"_target_": "Resize", "spatial_size": "$__import__('os').system('id')"}, "expression"),
        ({"_target_": "Resize", "spatial_size": ["@x", 2]}, "expression"),
        ({"_target_": "Resize", "spatial_size": {"_target_": "os.getcwd"}}, "mapping"),
        ({"_target_": "Resize", "_mode_": "callable"}, "_mode_"),
        ({"_target_": "Resize", "_requires_": "x"}, "_requires_"),
    ],
)
def test_nothing_that_could_run_code_passes(entry, message):
    with pytest.raises(UsageError, match=message):
        check_transform(entry)


def test_both_spellings_build_the_same():
    for target in ("Flip", "monai.transforms.Flip"):
        assert isinstance(build_transform({"_target_": target, "spatial_axis": 0}), monai.transforms.Flip)
