"""Let a loader run in a process forked by ``acceptance.forked_loaders``.

An interpreter imports this when it starts, if ``PYTHONPATH`` names this folder. That of a loader then imports nothing
else: it hands over its standard streams, and ends with the exit status of the loader.
"""

import os
import sys

if sys.orig_argv[1:] == ["-m", "openprofiles.worker.loader"]:
    import array
    import json
    import socket

    _streams = array.array("i", range(3))
    _order = {"variables": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109 (pathlib takes longer to import)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as _forker:
        _forker.connect(os.environ["FORKED_LOADERS"])
        _forker.sendmsg([json.dumps(_order).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _streams)])
        # Nothing comes from a loader that was killed.
        os._exit(int(_forker.recv(16) or 1))
