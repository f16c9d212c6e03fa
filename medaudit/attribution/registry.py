"""The methods there are, and how a pipeline's settings become one."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from medaudit.attribution.m2ib import M2IB, M2IBSettings
from medaudit.attribution.method import Method
from medaudit.errors import UsageError

METHODS: Mapping[str, tuple[type[M2IB], type[M2IBSettings]]] = {M2IB.name: (M2IB, M2IBSettings)}
"""Name -> (method, its settings)."""


def build_method(name: str, settings: Mapping[str, Any]) -> Method:
    """Build a method with its settings.

    Raises
    ------
    UsageError
        No such method, no such setting, or a value of the wrong type or range.

    """
    if name not in METHODS:
        msg = f"method: {name!r} is unknown; known: {', '.join(METHODS)}"
        raise UsageError(msg)
    method, kind = METHODS[name]
    known = [item.name for item in fields(kind)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        msg = f"settings: {name} has no {', '.join(unknown)}; it has {', '.join(known)}"
        raise UsageError(msg)
    try:
        return method(TypeAdapter(kind).validate_python(dict(settings)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        msg = f"settings: {where or name}: {first['msg'].removeprefix('Value error, ')}"
        raise UsageError(msg) from error
