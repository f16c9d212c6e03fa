import numpy as np
import pytest

from medaudit.errors import StoreError
from medaudit.store.arrays import array_path, fingerprint, read_arrays, write_arrays

ARRAYS = {
    "shown": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "nats": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    "empty": np.zeros(0, dtype=np.float64),
}


def test_same_arrays_same_bytes(tmp_path):
    one, other = array_path(tmp_path, "S1", "I1"), array_path(tmp_path, "S2", "I1")
    write_arrays(one, ARRAYS)
    write_arrays(other, {name: ARRAYS[name] for name in reversed(ARRAYS)})
    assert one.read_bytes() == other.read_bytes()


def test_bytes_hold_neither_layout_nor_byte_order(tmp_path):
    one, other = array_path(tmp_path, "S1", "I1"), array_path(tmp_path, "S2", "I1")
    turned = {name: np.asfortranarray(array.astype(array.dtype.newbyteorder(">"))) for name, array in ARRAYS.items()}
    write_arrays(one, ARRAYS)
    write_arrays(other, turned)
    assert one.read_bytes() == other.read_bytes()
    assert fingerprint(ARRAYS) == fingerprint(turned)


def test_read_back(tmp_path):
    path = array_path(tmp_path, "S1", "I1")
    write_arrays(path, ARRAYS)
    found = read_arrays(path, fingerprint(ARRAYS), "S1", "I1")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert [entry.name for entry in path.parent.iterdir()] == ["I1.npz"]


@pytest.mark.parametrize(
    "changed",
    [
        {**ARRAYS, "shown": ARRAYS["shown"] + np.uint8(1)},
        {**ARRAYS, "shown": ARRAYS["shown"].reshape(4, 3)},
        {**ARRAYS, "shown": ARRAYS["shown"].view(np.int8)},
        {name: array for name, array in ARRAYS.items() if name != "empty"},
    ],
)
def test_any_change_is_noticed(tmp_path, changed):
    path = array_path(tmp_path, "S1", "I1")
    write_arrays(path, changed)
    with pytest.raises(StoreError, match="holds other values than the audit wrote"):
        read_arrays(path, fingerprint(ARRAYS), "S1", "I1")


def test_pickles_are_refused(tmp_path):
    path = array_path(tmp_path, "S1", "I1")
    path.parent.mkdir(parents=True)
    np.savez(path, shown=np.array([{"a": 1}], dtype=object))
    with pytest.raises(StoreError, match=r"cannot be read \(ValueError\)"):
        read_arrays(path, fingerprint(ARRAYS), "S1", "I1")


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = array_path(tmp_path, "S1", "I1")
    write_arrays(path, ARRAYS)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays(path, {"a": np.zeros(3), "b": np.array([None])})
    assert read_arrays(path, fingerprint(ARRAYS), "S1", "I1").keys() == ARRAYS.keys()
