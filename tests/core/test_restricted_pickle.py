"""Plain data come back exactly; everything else is refused and nothing is executed."""

from __future__ import annotations

import contextlib
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neuroprism.core.errors import DataError
from neuroprism.core.restricted_pickle import load_restricted

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
DTYPES = ("<f8", ">f4", "<f2", "<i2", ">i8", "u1", "?", "<c16", "<U7", "S3")

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and np.array_equal(one, other)
    return type(one) is type(other) and one == other


@given(value=plain, protocol=st.sampled_from(PROTOCOLS))
def test_plain_values_come_back(value: Any, protocol: int) -> None:
    assert same(load_restricted(pickle.dumps(value, protocol)), value)


@given(
    value=arrays.arrays(
        st.sampled_from(DTYPES).map(np.dtype),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
        elements={"allow_nan": False},
    ),
    protocol=st.sampled_from(PROTOCOLS),
    fortran=st.booleans(),
)
def test_arrays_come_back(value: np.ndarray, protocol: int, fortran: bool) -> None:
    value = np.asfortranarray(value) if fortran else value
    back = load_restricted(pickle.dumps({"sample": value, "label": 3}, protocol))
    assert same(back["sample"], value)
    assert back["sample"].flags.writeable
    assert back["label"] == 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_scalars_come_back(protocol: int, dtype: str) -> None:
    value = np.array(["abc", ""] if "U" in dtype or "S" in dtype else [1, 0], dtype)
    for scalar in value:
        assert same(load_restricted(pickle.dumps(scalar, protocol)), scalar)


def test_module_names_of_both_numpy_generations() -> None:
    old = pickle.dumps(np.arange(3.0), 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    new = old.replace(b"numpy.core.multiarray", b"numpy._core.multiarray")
    assert old != new
    for content in (old, new):
        assert np.array_equal(load_restricted(content), [0.0, 1.0, 2.0])


def test_array_that_python_2_wrote() -> None:
    # As numpy 1 under Python 2.7 pickles np.array([1.5, -2.0]) with protocol 2.
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01K\x02\x85cnumpy\ndtype\nq\x04U\x02f8K\x00K\x01\x87Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x10\x00\x00\x00\x00\x00\x00\xf8?\x00\x00\x00\x00\x00\x00\x00\xc0tb."
    )
    assert load_restricted(content).tolist() == [1.5, -2.0]


class Hostile:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Odd:
    pass


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Hostile(os.system, "touch executed"), "posix.system"),
        (Hostile(eval, "open('executed', 'w')"), "builtins.eval"),
        (Hostile(exec, "open('executed', 'w')"), "builtins.exec"),
        (Hostile(getattr, "a", "join"), "builtins.getattr"),
        (Hostile(np.fromfile, "x"), "numpy"),
        (Hostile(Path, "executed"), "pathlib"),
        (Hostile(Odd), "Odd"),
        (frozenset, "builtins.frozenset"),
        (np.ma.masked_array([1.0]), "numpy.ma"),
        (np.random.default_rng(0), "numpy.random"),
        (len, "builtins.len"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_anything_else_is_refused_by_name_and_not_executed(
    value: Any, named: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps({"label": 1, "sample": value}, protocol)
    with pytest.raises(DataError) as refused:
        load_restricted(content)
    # Protocol 2 and below write the names of Python 2.
    assert named.replace("builtins", "__builtin__" if protocol < 3 else "builtins") in str(refused.value)
    assert "nothing was executed" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, "a", None], dtype=object),
        np.array([{"a": 1}], dtype=object),
        np.zeros(2, dtype=[("a", "f4"), ("b", "O")]),
        np.zeros(2, dtype=[("a", "f4")]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        {1, 2},
        np.dtype("f8"),
        np.ndarray,
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_arrays_of_objects_and_other_types_are_refused(value: Any, protocol: int) -> None:
    with pytest.raises(DataError, match="refused"):
        load_restricted(pickle.dumps([value], protocol))


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy\nndarray\n(I9999999\ntR.",  # calls the class
        b"cnumpy\ndtype\n(V|O\ntR.",
        b"cnumpy\ndtype\nN}V__doc__\nVchanged\ns\x86b.",  # writes attributes of a global
        b"Pelsewhere\n.",  # a persistent identifier
        b"c_codecs\nencode\n(Vabc\nVrot13\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(NNNtR.",  # an array that never gets its content
        b"]\x94h\x00a.",  # a list within itself
        b"]" * 100_000 + b"a" * 99_999 + b".",
        b"(" * 10,
        b"\x80\x05\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"",
        b"not a pickle",
    ],
)
def test_hostile_or_damaged_bytes_are_one_line(content: bytes) -> None:
    with pytest.raises(DataError) as refused:
        load_restricted(content)
    assert "\n" not in str(refused.value)


def test_hostile_dtype_state_cannot_reinterpret_memory() -> None:
    # The type of a pickled float array, told by its state that its items are objects.
    honest = pickle.dumps(np.arange(2.0), 2)
    assert b"NNNJ" in honest
    with pytest.raises(DataError, match="refused"):
        load_restricted(honest.replace(b"NNNJ", b"NK\x01NJ"))
    with pytest.raises(DataError):
        load_restricted(honest.replace(b"X\x02\x00\x00\x00f8", b"X\x02\x00\x00\x00O8"))


@given(data=st.data())
def test_no_damage_escapes_as_another_error(data: st.DataObject) -> None:
    content = bytearray(pickle.dumps({"sample": np.arange(6.0).reshape(2, 3), "label": 1}, 2))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DataError):
        load_restricted(bytes(content))


def test_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.pkl"
    path.write_bytes(pickle.dumps(np.arange(100.0))[:-50])
    with path.open("rb") as file, pytest.raises(DataError, match=r"broken\.pkl: not a readable pickle"):
        load_restricted(file)


def test_hostile_samples_are_real_pickles() -> None:
    # A test of refusals proves nothing where the pickle would not have worked.
    opcodes = [o.name for o, _, _ in pickletools.genops(pickle.dumps(Hostile(eval, "6 * 7"), 2))]
    assert "REDUCE" in opcodes
    assert pickle.loads(pickle.dumps(Hostile(eval, "6 * 7"), 2)) == 42
