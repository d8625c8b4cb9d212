"""The steps from each form of the store to the next; see ``versions``.

A step must leave a store that the program of the last release can still read while it runs, or say in its docstring why
not. A step that changes many rows does so in parts, and calls ``config.attributes["end_part"]`` after each, which
commits the part; the next attempt after an interruption must find what is left. A new step:
``python -m openprofiles.store.migrations "what it does"`` writes a draft from the difference between the tables and the
steps so far; read it, correct it, then set ``NEWEST_REVISION``.
"""

NEWEST_REVISION = "0029"
