from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from tasker_mp.conversion import converted, fields_of
from tasker_mp.errors import ConfigurationError, ValidationError


class Line(msgspec.Struct, forbid_unknown_fields=True):
    sku: str
    quantity: int = msgspec.field(name="qty")


class Order(msgspec.Struct):
    lines: list[Line]
    note: str | None = None


@dataclass
class Point:
    x: int
    y: int = 0


class Mismatch(ValueError):
    """As pydantic's: a ValueError with `errors()`."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("2 validation errors")
        self._errors = errors

    def errors(self) -> list[dict[str, Any]]:
        return self._errors


class Field:
    alias = None
    validation_alias = "userName"

    def is_required(self):
        return True


class Modelled:
    """What is asked of a pydantic model, and no more."""

    model_fields = {"name": Field()}  # noqa: RUF012  as pydantic has it

    def __init__(self, data):
        self.data = data

    @classmethod
    def model_validate(cls, data):
        if "broken" in data:
            raise data["broken"]
        if not data:
            missing = {"type": "missing", "loc": ("name",), "input": {}, "msg": "Field required"}
            wrong = {"type": "int", "loc": ("rows", 3, "n"), "input": "x", "msg": "Not an integer"}
            raise Mismatch([missing, wrong])
        return cls(data)


def test_structs_dataclasses_and_other_types():
    order = converted({"lines": [{"sku": "a", "qty": 2}], "other": 1}, Order, "it")
    assert order == Order([Line("a", 2)])
    assert converted({"x": 1}, Point, "it") == Point(1)
    assert converted([1, 2], list[int], "it") == [1, 2]
    assert converted({"a": 1}, Modelled, "it").data == {"a": 1}


@pytest.mark.parametrize(
    ("value", "model", "message", "context"),
    [
        (
            {"lines": [{"sku": "a", "qty": "two"}]},
            Order,
            "it: lines[0].qty is 'two': expected `int`, got `str`",
            {"field": "lines[0].qty", "value": "'two'"},
        ),
        ({"lines": [{"qty": 1}]}, Order, "it: lines[0].sku is missing", {"field": "lines[0].sku"}),
        ({}, Point, "it: x is missing", {"field": "x"}),
        ("text", Point, "it: it is 'text': expected", {"field": "", "value": "'text'"}),
        ({"x": "y" * 200}, Point, "y…: expected `int`", None),
        ({}, Modelled, "it: name is missing; rows[3].n is 'x': Not an integer", {"field": "name"}),
    ],
)
def test_a_mismatch_is_permanent_and_names_field_and_value(value, model, message, context):
    with pytest.raises(ValidationError) as caught:
        converted(value, model, "it")
    assert message in str(caught.value)
    assert not caught.value.retryable
    assert context is None or caught.value.context == context


def test_the_models_own_bugs_are_not_the_datas_fault():
    for error in (ZeroDivisionError, ValueError):
        with pytest.raises(error):
            converted({"broken": error()}, Modelled, "it")


def test_what_is_no_model_is_a_wrong_setup():
    with pytest.raises(ConfigurationError, match="cannot be used as a model"):
        converted({}, object(), "it")
    with pytest.raises(ConfigurationError, match="is no model"):
        fields_of(int)


def test_fields_are_known_by_name_and_by_alias():
    assert fields_of(Line) == [(("sku",), True), (("quantity", "qty"), True)]
    assert fields_of(Order)[1] == (("note",), False)
    assert fields_of(Point) == [(("x",), True), (("y",), False)]
    assert fields_of(Modelled) == [(("name", "userName"), True)]
