"""openprofiles: customer profiles on your own machine, with the API of Amazon Connect Customer Profiles."""

from importlib.metadata import version as _installed_version

__version__ = _installed_version("openprofiles")
