"""Run the server process: open the store, listen, announce the address, and drain at a signal."""

from __future__ import annotations

import contextlib
import errno
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import uvicorn

import openprofiles
from openprofiles.clock import utc_now
from openprofiles.credentials.administer import ensure_admin_credential
from openprofiles.credentials.authenticate import Authenticator
from openprofiles.data_folder import check_data_folder, prepare_data_folder
from openprofiles.disk_faults import disk_fault
from openprofiles.logs import EventLogger
from openprofiles.master_key import load_master_key
from openprofiles.running_server import only_server, refuse_second_server, write_endpoint
from openprofiles.server.app import build_app
from openprofiles.server.connections import (
    ACCEPTS_PER_TURN,
    Connections,
    Limits,
    connection_limit,
    raise_file_limit,
)
from openprofiles.server.metrics import Metrics
from openprofiles.server.services import Services
from openprofiles.server.state_metrics import StateMetrics
from openprofiles.server.supervise import Supervisor
from openprofiles.settings import Settings, SettingsError
from openprofiles.store.connections import Store
from openprofiles.store.open import open_store
from openprofiles.store.use import using
from openprofiles.uploads.arrival.files import open_own_files

logger = EventLogger("openprofiles.server")

DRAIN_TIMEOUT_SECONDS = 30
# Longer than the pools of SDKs and proxies keep a connection idle, so that they do not send into one just closed.
_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 2048
_OBJECTS_PER_COLLECTION = 20_000


def run_server(settings: Settings, worker_command: list[str], announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Then open requests may finish (for at most 30 s), and the workers are stopped.

    Args:
        worker_command: starts one worker on the same settings.
        announce: called with the address once requests are taken.

    Raises:
        SettingsError: the data folder or the store cannot be used, another server runs on the folder, or the port is
            taken.
    """
    connections = Connections(Limits(connections=connection_limit(raise_file_limit())))
    check_data_folder(settings)
    refuse_second_server(settings)
    with listen(settings.host, settings.port) as listener, _opened_store(settings) as store:
        master_key = load_master_key(settings)
        ensure_admin_credential(settings, store, master_key, utc_now())
        files = open_own_files(settings, master_key)

        # The port that the kernel chose, where port 0 left it the choice.
        settings = replace(settings, port=listener.getsockname()[1])
        services = Services(
            settings,
            store,
            master_key,
            files,
            Authenticator(store, master_key),
            Metrics(StateMetrics(settings, store, connections)),
            utc_now,
        )
        supervisor = Supervisor(worker_command, settings.workers)
        server = _Server(
            uvicorn.Config(
                build_app(services, workers_alive=supervisor.all_alive),
                http=connections.make_protocol,  # type: ignore[arg-type]  # it is called like the class
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                backlog=ACCEPTS_PER_TURN,
                timeout_graceful_shutdown=DRAIN_TIMEOUT_SECONDS,
            ),
            on_started=lambda: _start_work(settings, supervisor, announce),
            on_draining=supervisor.request_stop,
        )
        # What is here now stays; looking through it again and again cost a tenth of the time of a request.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS_PER_COLLECTION)
        try:
            server.run(sockets=[listener])
        finally:
            supervisor.stop(DRAIN_TIMEOUT_SECONDS)
    logger.info("server_stopped")


@contextlib.contextmanager
def _opened_store(settings: Settings) -> Iterator[Store]:
    prepare_data_folder(settings)
    with only_server(settings), contextlib.closing(open_store(settings)) as store, using(settings):
        yield store


def listen(host: str, port: int) -> socket.socket:
    """Open a socket that listens on the host and port.

    Raises:
        SettingsError: the port is taken or not allowed, or the host is none of this machine's.
    """
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise SettingsError(f"The host {host} cannot be resolved. Choose another with --host.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        # A server that was just stopped leaves connections behind that would block the port for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"Port {port} on {host} is in use. Stop the program that listens there, or choose another port with "
                "--port (0 picks a free one)."
            ) from error
        raise SettingsError(f"openprofiles cannot listen on port {port} on {host}: {error.strerror}.") from error
    return listener


def _start_work(settings: Settings, supervisor: Supervisor, announce: Callable[[str], None]) -> None:
    url = _local_url(settings.host, settings.port)
    try:
        write_endpoint(settings, url)
    except OSError as error:
        # Commands on this machine do not find the address then, but callers that know it can read.
        if disk_fault(error) is None:
            raise
        logger.error("endpoint_not_written", path=str(settings.endpoint_path), fault=str(disk_fault(error)))  # noqa: TRY400
    supervisor.start()
    logger.info("server_started", url=url, version=openprofiles.__version__)
    announce(url)


def _local_url(host: str, port: int) -> str:
    # An address that means "all of this machine's" can be listened on, but not connected to everywhere.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - not bound here
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn, but it says when it takes requests, and a signal to stop ends the process with status 0."""

    def __init__(
        self, config: uvicorn.Config, *, on_started: Callable[[], None], on_draining: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._on_draining = on_draining

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            # What asyncio takes at a time is not what may wait for it.
            listener.listen(_BACKLOG)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_draining()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
