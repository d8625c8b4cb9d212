"""Which function handles which operation of the API.

A handler is a plain function ``(call, request) -> answer`` with the types generated from the service model. The
modules of this package register their handlers when they are imported. Operations without one stand in
``not_implemented.txt``, a list that may only shrink.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias, TypeVar

import openprofiles.operations
from openprofiles.operations.call import Call
from openprofiles.wire.model import load_model

# The request and the answer are TypedDicts of `wire.types`, which no other type covers.
Handler: TypeAlias = Callable[[Call, Any], Any]
H = TypeVar("H", bound=Handler)

_handlers: dict[str, Handler] = {}


def operation(name: str) -> Callable[[H], H]:
    """Register the decorated function as the handler of this operation.

    Raises:
        ValueError: the service model has no such operation, or it has a handler already.
    """
    if name not in _operation_names():
        raise ValueError(f"The service model has no operation {name}.")
    if name in _handlers:
        raise ValueError(f"The operation {name} has two handlers.")

    def register(handler: H) -> H:
        _handlers[name] = handler
        return handler

    return register


def handlers() -> Mapping[str, Handler]:
    """Import the modules of this package and return all handlers by operation name."""
    for module in pkgutil.iter_modules(openprofiles.operations.__path__):
        importlib.import_module(f"{openprofiles.operations.__name__}.{module.name}")
    return dict(_handlers)


@cache
def _operation_names() -> frozenset[str]:
    return frozenset(load_model().operations)
