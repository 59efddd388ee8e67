"""Facts to and from JSON values (dicts, lists, strings, numbers), by their type hints."""

from __future__ import annotations

import dataclasses
import types
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import ParseError

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """A frozen value as JSON: a dataclass becomes an object, a tuple an array."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    return value.value if isinstance(value, StrEnum) else value


def from_json(kind: type[T], data: Any) -> T:
    """The inverse of `to_json` for a value of the type `kind`.

    Raises ParseError that names the place when the data is not of that shape.
    """
    decoded: T = _decode(kind, data, kind.__name__)
    return decoded


def _decode(hint: Any, data: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if data is None:
            return None
        (hint,) = (arg for arg in get_args(hint) if arg is not type(None))
        return _decode(hint, data, where)
    if origin is tuple:
        item = get_args(hint)[0]
        return tuple(
            _decode(item, entry, f"{where}[{index}]")
            for index, entry in enumerate(_expect(list, data, where))
        )
    if origin is dict:
        item = get_args(hint)[1]
        return {
            str(key): _decode(item, entry, f"{where}.{key}")
            for key, entry in _expect(dict, data, where).items()
        }
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, _expect(dict, data, where), where)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        try:
            return hint(data)
        except ValueError as error:
            raise ParseError(f"{where}: {data!r} is not one of {[*hint]}") from error
    if hint is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    return _expect(hint, data, where)


def _dataclass(kind: Any, data: dict[str, Any], where: str) -> Any:
    hints = _fields(kind)
    if hints.keys() != data.keys():
        odd = sorted(hints.keys() ^ data.keys())
        raise ParseError(f"{where}: fields {odd} are too many or missing")
    return kind(**{name: _decode(hints[name], data[name], f"{where}.{name}") for name in hints})


@cache
def _fields(kind: Any) -> dict[str, Any]:
    """A dataclass's fields and their types."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _expect(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise ParseError(f"{where}: expected {kind.__name__}, found {type(data).__name__}")
    return data
