"""The steps from each form of the store to the next; see ``versions``.

A step must leave a store that the program of the last release can still read while it runs, or say in its docstring why
not. A new step: ``python -m openprofiles.store.migrations "what it does"`` writes a draft from the difference between
the tables and the steps so far; read it, correct it, then set ``NEWEST_REVISION``.
"""

NEWEST_REVISION = "0015"
