"""Which function handles which operation of the API.

A handler is a plain function ``(call, request) -> answer`` with the types generated from the service model: AWS's
(``operation``) or our own (``own_operation``). The modules of this package register their handlers when they are
imported. AWS's operations without one stand in ``not_implemented.txt``, a list that may only shrink.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias, TypeVar

import openprofiles.operations
from openprofiles.operations.call import Call
from openprofiles.wire.model import Model, load_model, load_own_model

# The request and the answer are TypedDicts of `wire.types`, which no other type covers.
Handler: TypeAlias = Callable[[Call, Any], Any]
H = TypeVar("H", bound=Handler)

# Of AWS's lists, and of our own.
_PAGE_SIZE = 100
OWN_PAGE_SIZE = 1000

# Where a handler is looked for first: modules that import little.
_FIRST_MODULES = (
    "upload_job_reports", "domain_settings", "upload_job_options", "upload_jobs", "undos", "mappings", "domains",
)  # fmt: skip

_handlers: dict[str, Handler] = {}
_own_handlers: dict[str, Handler] = {}


def operation(name: str) -> Callable[[H], H]:
    """Register the decorated function as the handler of an operation of AWS.

    Raises:
        ValueError: the service model has no such operation, or it has a handler already.
    """
    return _register(load_model(), _handlers, name)


def own_operation(name: str) -> Callable[[H], H]:
    """Register the decorated function as the handler of an operation of our own; see ``operation``."""
    return _register(load_own_model(), _own_handlers, name)


def handlers() -> Mapping[str, Handler]:
    """Return the handlers of AWS's operations by name."""
    _import_modules()
    return dict(_handlers)


def own_handlers() -> Mapping[str, Handler]:
    """Return the handlers of our own operations by name."""
    _import_modules()
    return dict(_own_handlers)


def handler(name: str) -> Handler:
    """Return the handler of an operation of AWS, if possible without importing all.

    Raises:
        KeyError: the operation has no handler.
    """
    return _find(_handlers, name)


def own_handler(name: str) -> Handler:
    """Return the handler of an operation of our own; see ``handler``."""
    return _find(_own_handlers, name)


def page_of(request: Any, page_size: int = _PAGE_SIZE) -> dict[str, Any]:
    """Return which page of a list a request asks for, as arguments for reading it.

    Args:
        page_size: used if the request does not say.
    """
    return {"max_results": request.get("MaxResults", page_size), "next_token": request.get("NextToken")}


def _find(known: Mapping[str, Handler], name: str) -> Handler:
    for module in _FIRST_MODULES:
        if name not in known:
            _import_module(module)
    if name not in known:
        _import_modules()
    return known[name]


@cache
def _import_modules() -> None:
    for module in pkgutil.iter_modules(openprofiles.operations.__path__):
        _import_module(module.name)


def _import_module(name: str) -> None:
    importlib.import_module(f"{openprofiles.operations.__name__}.{name}")


def _register(model: Model, known: dict[str, Handler], name: str) -> Callable[[H], H]:
    if name not in model.operations:
        raise ValueError(f"The service model has no operation {name}.")
    if name in known:
        raise ValueError(f"The operation {name} has two handlers.")

    def register(handler: H) -> H:
        known[name] = handler
        return handler

    return register
