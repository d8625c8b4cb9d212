from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from acceptance.running import RunningServer, command, environment, is_running, run_command, running_server, wait_until
from openprofiles.server.supervise import Supervisor

REQUIRED = {"DefaultExpirationDays": 30}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("serve") / "data", "--workers", "0", "--log-format", "json") as running:
        yield running


def make_credential(server: RunningServer, *arguments: str) -> tuple[str, str]:
    answer = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "test", "--output", "json", *arguments
    )
    document = json.loads(answer.stdout)
    return document["access_key_id"], document["secret_access_key"]


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


# Requests


def test_boto3_calls_the_api_with_the_administrators_credential(server: RunningServer) -> None:
    client = server.client()

    client.create_domain(DomainName="first", Tags={"team": "a"}, **REQUIRED)

    assert "first" in [item["DomainName"] for item in client.list_domains()["Items"]]


def test_a_tag_arn_arrives_with_its_slashes(server: RunningServer) -> None:
    client = server.client()
    client.create_domain(DomainName="tagged", **REQUIRED)
    arn = "arn:aws:profile:us-east-1:123456789012:domains/tagged"

    client.tag_resource(resourceArn=arn, tags={"team": "a b/c"})

    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "a b/c"}


def test_an_altered_secret_is_refused(server: RunningServer) -> None:
    access_key_id, secret = server.admin()
    altered = secret[:-1] + ("A" if secret[-1] != "A" else "B")

    with pytest.raises(ClientError) as caught:
        server.client(access_key_id, altered).list_domains()

    assert code_of(caught) == ("InvalidSignatureException", 403)


def test_an_unknown_credential_is_refused(server: RunningServer) -> None:
    with pytest.raises(ClientError) as caught:
        server.client("OPUNKNOWN", "secret").list_domains()

    assert code_of(caught) == ("UnrecognizedClientException", 403)


def test_a_read_only_credential_can_list_but_not_create(server: RunningServer) -> None:
    reader = server.client(*make_credential(server, "--action", "profile:Get*", "--action", "profile:List*"))

    reader.list_domains()
    with pytest.raises(ClientError, match="profile:CreateDomain on the domain forbidden") as caught:
        reader.create_domain(DomainName="forbidden", **REQUIRED)

    assert code_of(caught) == ("AccessDeniedException", 403)
    assert "forbidden" not in [item["DomainName"] for item in server.client().list_domains()["Items"]]


def test_a_credential_sees_its_own_domains_only(server: RunningServer) -> None:
    for name in ("north-a", "north-b", "south"):
        server.client().create_domain(DomainName=name, **REQUIRED)
    north = server.client(*make_credential(server, "--domain", "north-*"))

    assert [item["DomainName"] for item in north.list_domains()["Items"]] == ["north-a", "north-b"]
    north.get_domain(DomainName="north-a")
    with pytest.raises(ClientError) as of_domain:
        north.get_domain(DomainName="south")
    with pytest.raises(ClientError) as of_arn:
        north.list_tags_for_resource(resourceArn="arn:aws:profile:us-east-1:123456789012:domains/south")

    assert code_of(of_domain) == code_of(of_arn) == ("AccessDeniedException", 403)


def test_a_revoked_credential_is_refused_a_second_later(server: RunningServer) -> None:
    access_key_id, secret = make_credential(server)
    client = server.client(access_key_id, secret)
    client.list_domains()

    revoked = run_command("credentials", "revoke", "--data", server.data_folder, access_key_id)
    time.sleep(1.0)

    assert revoked.returncode == 0
    with pytest.raises(ClientError) as caught:
        client.list_domains()
    assert code_of(caught) == ("UnrecognizedClientException", 403)


def test_a_credential_over_its_rate_is_throttled(server: RunningServer) -> None:
    client = server.client(*make_credential(server, "--requests-per-second", "1"))

    def call_often() -> None:
        for _ in range(20):
            client.list_domains()

    with pytest.raises(ClientError) as caught:
        call_often()

    assert code_of(caught) == ("ThrottlingException", 429)


@pytest.mark.parametrize(
    "path", ["/", "/a%0Ab", "/domains/", "//", "/healthz/x", "/openprofiles", "/%ff", "/healthz%2Fx"]
)
def test_every_path_that_is_not_ours_asks_for_a_signature_first(server: RunningServer, path: str) -> None:
    status, headers, body = server.get(path)

    assert (status, headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
    assert json.loads(body) == {"Message": "Missing Authentication Token"}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/openprofiles/v2"), ("DELETE", "/healthz"), ("GET", "/openprofiles/%0A")]
)
def test_an_own_path_that_is_not_there_is_an_error_in_the_apis_form(
    server: RunningServer, method: str, path: str
) -> None:
    status, headers, body = server.get(path, method)

    assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert "Message" in json.loads(body)
    assert headers["x-amzn-requestid"]


# What operators see


def test_health_and_readiness_are_open_to_anyone(server: RunningServer) -> None:
    health, readiness = server.get("/healthz"), server.get("/readyz")

    assert (health[0], json.loads(health[2])["status"]) == (200, "ok")
    assert (readiness[0], json.loads(readiness[2])) == (200, {"ready": True, "faults": []})


def test_metrics_count_requests_by_operation_and_name_no_domain(server: RunningServer) -> None:
    client = server.client()
    client.create_domain(DomainName="secretdomain", **REQUIRED)
    client.get_domain(DomainName="secretdomain")
    server.get("/openprofiles/secretpath")
    server.get("/secretpath")

    text = server.get("/metrics")[2].decode()

    assert 'openprofiles_requests_total{operation="GetDomain",status="200"}' in text
    assert 'openprofiles_requests_total{operation="unknown",status="403"}' in text
    assert 'openprofiles_upload_jobs{status="IN_PROGRESS"} 0.0' in text
    assert "openprofiles_build_info{" in text
    assert "process_resident_memory_bytes" in text
    assert "secret" not in text
    assert server.admin()[0] not in text


def test_each_request_is_one_line_of_json_without_its_query(server: RunningServer) -> None:
    answer = server.client().list_domains(MaxResults=17)
    request_id = answer["ResponseMetadata"]["RequestId"]
    server.get("/openprofiles/v1/nothing?signature=geheim")
    server.get("/healthz")
    static = re.findall(r'"(/console/static/[^"]+)"', server.get("/console/sign-in")[2].decode())
    assert [server.get(path)[0] for path in static] == [200] * len(static) != []

    def lines() -> list[dict[str, object]]:
        return [json.loads(line) for line in server.log().splitlines()]

    wait_until(lambda: any(line.get("status") == 404 for line in lines()), "the request is logged")
    (mine,) = [line for line in lines() if line.get("request_id") == request_id]
    assert mine["operation"] == "ListDomains"
    assert mine["status"] == 200
    assert mine["access_key_id"] == server.admin()[0]
    assert isinstance(mine["duration_ms"], float)
    assert {"time", "level", "event"} <= mine.keys()
    for absent in ("geheim", "max-results", server.admin()[1]):
        assert absent not in server.log()
    operations = [str(line.get("operation")) for line in lines() if line.get("status") == 200]
    assert not [operation for operation in operations if operation == "/healthz" or "static" in operation]


# Start and end


def test_serve_makes_a_private_data_folder_and_removes_its_address_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running_server(folder) as server:
        endpoint = json.loads((folder / "endpoint.json").read_bytes())
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in [folder, *folder.iterdir()]}

        status = server.stop()

        assert endpoint["url"] == server.url
        assert endpoint["pid"] == server.process.pid
        assert {name for name, mode in modes.items() if mode != (0o700 if (folder / name).is_dir() else 0o600)} <= {
            "data"
        }
        assert modes["data"] == 0o700
        assert modes["admin-credential.json"] == modes["master.key"] == modes["openprofiles.db"] == 0o600
        assert status == 0
        assert not (folder / "endpoint.json").exists()


def test_ctrl_c_ends_the_server_with_status_0_too(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        assert server.stop(signal.SIGINT) == 0
        assert "Traceback" not in server.log()


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        server.client().create_domain(DomainName="kept", **REQUIRED)
        server.stop(signal.SIGKILL)

    with running_server(tmp_path / "data") as server:
        assert [item["DomainName"] for item in server.client().list_domains()["Items"]] == ["kept"]


def test_a_request_under_way_ends_before_the_server_does(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        parts = urlsplit(server.url)
        address = (str(parts.hostname), parts.port or 0)
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(b"POST /domains/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{")
            # Answered, so the server has seen the first request as well.
            server.get("/healthz")

            server.process.terminate()
            wait_until(lambda: not accepts(address), "no more connections are taken")
            assert server.process.poll() is None
            connection.sendall(b"}")
            answer = connection.recv(65536)

        assert answer.startswith(b"HTTP/1.1 403 ")
        assert server.process.wait(30) == 0


def accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def test_the_start_prints_the_address_the_console_and_where_the_first_key_is(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data) as server:
        assert server.process.stdout is not None
        console = server.process.stdout.readline()
        first_key = server.process.stdout.readline()
        status, _, _ = server.get("/console/")

    # The first line, with the address, is what running_server waits for.
    assert console == f"Console: {server.url}/console/\n"
    assert status in (200, 303, 307)
    assert first_key == f"First access key and secret: {data / 'admin-credential.json'}\n"


def test_a_port_that_is_taken_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        answer = run_command("serve", "--data", tmp_path / "data", "--port", str(port))

    assert answer.returncode == 2
    assert answer.stderr == (
        f"Error: Port {port} on 127.0.0.1 is in use. Stop the program that listens there, or choose another port with "
        "--port (0 picks a free one).\n"
    )
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_cannot_be_used_is_named_before_a_port_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        folder = run_command("serve", "--data", tmp_path / "file" / "data", "--port", str(port))
        store = run_command("serve", "--data", tmp_path / "d", "--store", tmp_path / "no" / "x.db", "--port", str(port))

    assert (folder.returncode, store.returncode) == (2, 2)
    assert folder.stderr == (
        f"Error: The data folder {tmp_path / 'file' / 'data'} cannot be used: {tmp_path / 'file'} is not a folder. "
        "Name another with --data.\n"
    )
    assert store.stderr == (
        f"Error: There is no folder {tmp_path / 'no'} for the store {tmp_path / 'no' / 'x.db'}. Create it first, or "
        "name another store with --store.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_second_server_on_a_data_folder_is_refused_and_leaves_the_address_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running_server(folder) as first:
        # The same command again: the port is taken too, but that is not what is wrong.
        second = run_command("serve", "--data", folder, "--port", str(urlsplit(first.url).port))

        assert second.returncode == 2
        assert second.stderr == (
            f"Error: A server is already running on the data folder {folder} at {first.url} (process "
            f"{first.process.pid}). Stop it first, or use --data to start this server on another folder.\n"
        )
        assert json.loads((folder / "endpoint.json").read_bytes())["url"] == first.url
        assert first.get("/healthz")[0] == 200


@pytest.mark.long(
    daily="tests/faults/test_kills.py::test_a_server_killed_with_all_its_processes_goes_on_with_its_load_when_it_starts_again[sqlite-create]"
)
def test_a_server_starts_again_after_it_was_killed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running_server(folder, "--workers", "1") as killed:
        killed.stop(signal.SIGKILL)
        left_behind = (folder / "endpoint.json").exists()
        env = run_command("env", "--data", folder)

        with running_server(folder, "--workers", "1") as again:
            found = run_command("env", "--data", folder)

    assert left_behind
    assert (env.returncode, env.stdout) == (2, "")
    assert again.url in found.stdout


def test_a_missing_master_key_stops_the_start_in_one_sentence(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        server.stop()
    (tmp_path / "data" / "master.key").unlink()

    answer = run_command("serve", "--data", tmp_path / "data", "--port", "0")

    assert answer.returncode == 2
    assert answer.stderr.startswith("Error: The master key ")
    assert "Traceback" not in answer.stderr


# The worker beside the server


def the_worker_of(server: RunningServer) -> int:
    wait_until(lambda: len(server.children()) == 1, "one worker runs")
    return server.children()[0]


def test_a_worker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--workers", "1") as server:
        first = the_worker_of(server)

        os.kill(first, signal.SIGKILL)
        wait_until(lambda: server.children() not in ([], [first]), "another worker runs")

        assert server.get("/readyz")[0] == 200
        second = the_worker_of(server)
        assert server.stop() == 0
        assert not is_running(second)


def test_a_worker_ends_when_its_server_is_killed(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--workers", "1") as server:
        worker = the_worker_of(server)

        server.stop(signal.SIGKILL)

        wait_until(lambda: not is_running(worker), "the worker has ended")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_of_its_own_ends_at_a_signal_with_status_0(tmp_path: Path, number: signal.Signals) -> None:
    store = tmp_path / "data" / "openprofiles.db"
    with subprocess.Popen(command("worker", "--data", tmp_path / "data"), env=environment()) as process:
        # It has made the store by the time it takes jobs; signals are its own business from the start.
        wait_until(store.exists, "the worker has started")

        process.send_signal(number)

        assert process.wait(30) == 0


# The supervisor, with programs that behave as each test needs


def test_a_program_that_keeps_dying_is_started_with_growing_pauses(tmp_path: Path) -> None:
    record = tmp_path / "starts"
    program = f"import time; open({str(record)!r}, 'a').write(str(time.time()) + '\\n')"
    supervisor = Supervisor([sys.executable, "-c", program], 1)

    supervisor.start()
    wait_until(lambda: record.exists() and len(record.read_text().split()) >= 4, "it was started four times")
    supervisor.stop(10)

    starts = [float(text) for text in record.read_text().split()]
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert pauses[0] >= 0.2
    assert pauses[1] >= 0.4
    assert pauses[2] >= 0.8


def test_a_program_that_does_not_run_is_not_alive(tmp_path: Path) -> None:
    supervisor = Supervisor([sys.executable, "-c", "input()"], 1)

    assert not supervisor.all_alive()
    supervisor.start()
    wait_until(supervisor.all_alive, "it runs")
    supervisor.stop(10)

    assert not supervisor.all_alive()


def test_a_program_that_ignores_sigterm_is_killed_after_the_timeout(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = (
        "import os, pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(ready)!r}).write_text(str(os.getpid())); time.sleep(600)"
    )
    supervisor = Supervisor([sys.executable, "-c", program], 1)
    supervisor.start()
    wait_until(lambda: ready.exists() and ready.read_text() != "", "it runs")

    started = time.monotonic()
    supervisor.stop(0.5)

    assert 0.5 <= time.monotonic() - started < 10
    assert not is_running(int(ready.read_text()))


def test_no_workers_are_always_alive() -> None:
    supervisor = Supervisor(["/nonexistent"], 0)

    supervisor.start()

    assert supervisor.all_alive()
    supervisor.stop(1)


def test_a_process_learns_of_the_end_of_its_standard_input() -> None:
    program = (
        "import threading; from openprofiles.server.supervise import stop_with_parent; "
        "stop = threading.Event(); stop_with_parent(stop.set); print('ready', flush=True); "
        "print(stop.wait(0.2), flush=True); print(stop.wait(30), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]

        process.stdin.close()
        lines.append(process.stdout.readline())

    assert lines == ["ready\n", "False\n", "True\n"]
