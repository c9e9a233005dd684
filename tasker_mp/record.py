"""The base of the values that handlers make and are given: fields in, plain data out."""

from dataclasses import fields
from typing import Any, Self

import msgspec

from tasker_mp.conversion import converted


class Record:
    """A dataclass with the four methods that authors know from pydantic's models."""

    __slots__ = ()

    def model_dump(self, *, mode: str = "python", exclude_none: bool = False) -> dict[str, Any]:
        """The fields as a dict, records in them too; `mode="json"` also turns UUIDs and the like
        into text."""
        dumped = {
            # Every subclass is a dataclass, and this base has no fields of its own.
            field.name: _plain(getattr(self, field.name), exclude_none)
            for field in fields(self)  # type: ignore[arg-type]
            if not (exclude_none and getattr(self, field.name) is None)
        }
        plain: dict[str, Any] = msgspec.to_builtins(dumped) if mode == "json" else dumped
        return plain

    def model_dump_json(self, *, exclude_none: bool = False) -> str:
        return msgspec.json.encode(self.model_dump(exclude_none=exclude_none)).decode()

    @classmethod
    def model_validate(cls, value: object) -> Self:
        """`value`, a dict, as a record: keys that are no fields are ignored; a permanent
        `ValidationError` names a field that does not fit."""
        if isinstance(value, cls):
            return value
        record: Self = converted(value, cls, cls.__name__)
        return record

    @classmethod
    def model_validate_json(cls, text: str | bytes) -> Self:
        return cls.model_validate(msgspec.json.decode(text))


def _plain(value: Any, exclude_none: bool) -> Any:
    if isinstance(value, Record):
        return value.model_dump(exclude_none=exclude_none)
    if isinstance(value, (list, tuple)):
        return [_plain(item, exclude_none) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, exclude_none) for key, item in value.items()}
    return value
