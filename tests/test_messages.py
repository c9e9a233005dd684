"""What crosses between supervisor and worker: exact, or refused with the reason."""

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tasker_mp.errors import UnencodableResultError
from tasker_mp.messages import (
    MAX_DEPTH,
    StepError,
    StepEvent,
    StepOutcome,
    encode,
    encode_result,
    event_decoder,
    outcome_decoder,
)

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner),
    max_leaves=20,
)


@dataclass
class _Reading:
    value: float


class _Colour(enum.Enum):
    RED = "red"


@given(_JSON)
def test_every_json_value_comes_back_as_it_went(value: Any) -> None:
    assert msgspec.json.decode(encode_result(value)) == value


@pytest.mark.parametrize("value", [6**64, -(6**64), 2**64, 10**300])
def test_integers_of_any_size_are_exact(value: int) -> None:
    decoded = outcome_decoder.decode(encode(StepOutcome(encode_result({"n": value}))))
    assert msgspec.json.decode(decoded.result) == {"n": value}


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (Decimal("19.90"), b'"19.90"'),
        (_Reading(1.5), b'{"value":1.5}'),
        (_Colour.RED, b'"red"'),
        ((1, 2), b"[1,2]"),
        (UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
        ({"text": "null"}, b'{"text":"null"}'),
        (None, b"null"),
    ],
)
def test_common_types_of_python_have_a_form(value: object, encoded: bytes) -> None:
    assert bytes(encode_result(value)) == encoded


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("wrap", "place"),
    [
        (lambda x: x, "result"),
        (lambda x: {"a": [1, {"b": x}]}, "result.a[1].b"),
        (lambda x: {"a": None, "b": (x,)}, "result.b[0]"),
        (lambda x: [_Reading(x)], "result[0].value"),
        (lambda x: {1: x}, "result.1"),
    ],
)
def test_a_number_that_json_lacks_is_refused_with_its_place(
    number: float, wrap: Any, place: str
) -> None:
    with pytest.raises(UnencodableResultError) as caught:
        encode_result(wrap(number))
    assert str(caught.value) == f"{place} is {number}, which JSON cannot carry"


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        (object(), "type object is unsupported"),
        ({"a": {object()}}, "type object is unsupported"),
        ({(1, 2): 3}, "dict"),
        ("\ud800", "surrogates not allowed"),
        (b"x", "bytes is not a JSON type"),
        (bytearray(b"x"), "bytearray is not a JSON type"),
        ((n for n in [1]), "generator"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_carry_is_refused_with_the_reason(value: object, fragment: str) -> None:
    with pytest.raises(UnencodableResultError, match=fragment):
        encode_result(value)


def test_an_integer_that_python_will_not_write_out_is_refused() -> None:
    with pytest.raises(UnencodableResultError, match="4300 digits"):
        encode_result(10**5000)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(UnencodableResultError, match="recursion"):
        encode_result(loop)


def _nested(depth: int) -> object:
    value: object = "]]]{{{[[["
    for level in range(depth):
        value = [value, 1] if level % 2 else {"k[": value}
    return value


def test_nesting_is_bounded_so_that_whoever_decodes_it_has_stack_enough() -> None:
    encode_result(_nested(MAX_DEPTH))
    with pytest.raises(UnencodableResultError, match=r"nested 257 levels deep, above 256"):
        encode_result(_nested(MAX_DEPTH + 1))


@given(st.integers(0, 600), st.text(alphabet='[]{}"\\a'))
def test_wide_values_and_brackets_in_texts_are_not_deep(width: int, text: str) -> None:
    value = {"rows": [[text], {}] * width, text: text}
    assert msgspec.json.decode(encode_result(value)) == value


def test_an_event_keeps_every_field() -> None:
    event = StepEvent(
        "0" * 32, 3, "a", 2, Raw(b"{}"), Raw(b'{"n":1}'), Raw(b'{"b":null}'), "f" * 32
    )
    decoded = event_decoder.decode(encode(event))
    fields = StepEvent.__struct_fields__
    assert [_plain(getattr(decoded, f)) for f in fields] == [
        _plain(getattr(event, f)) for f in fields
    ]


def test_an_outcome_keeps_every_field() -> None:
    error = StepError("m", "timeout", "C", False, 1.5, Raw(b'{"k":1}'))
    decoded = outcome_decoder.decode(encode(StepOutcome(error=error, run_ns=7)))
    assert decoded.run_ns == 7
    assert decoded.error is not None
    fields = StepError.__struct_fields__
    assert [_plain(getattr(decoded.error, f)) for f in fields] == [
        _plain(getattr(error, f)) for f in fields
    ]


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, Raw) else value
