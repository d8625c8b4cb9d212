"""Say how to install a package that is missing, since openprofiles was installed without the extra that has it."""

from __future__ import annotations

import re
from importlib.metadata import requires

_REQUIREMENT = re.compile(r"(?P<package>[\w.-]+).*; extra == [\"'](?P<extra>\w+)[\"']")


def describe_missing_package(error: ModuleNotFoundError) -> str | None:
    """Describe how to install the package of a module; None if no extra has it."""
    package = (error.name or "").partition(".")[0].replace("_", "-")
    for requirement in requires("openprofiles") or ():
        found = _REQUIREMENT.fullmatch(requirement)
        if found is not None and found["package"].lower() == package:
            through = " To work through a server instead, use --endpoint-url." if found["extra"] == "server" else ""
            return (
                f"This needs the Python package {package}, which is not installed. It comes with the extra "
                f"{found['extra']} of openprofiles.{through}"
            )
    return None
