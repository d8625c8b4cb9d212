from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import openprofiles as package
from acceptance.running import command, environment, run_command, running_server
from openprofiles.cli.main import openprofiles
from openprofiles.cli.options import Size, hand_settings_on, settings_options
from openprofiles.cli.serve import serve
from openprofiles.operations.registry import handlers
from openprofiles.settings import PostgresqlUrl, S3Location, Setting, Settings, settings_of_worker
from openprofiles.store.migrations import NEWEST_REVISION


def invoke(*arguments: str | Path, **variables: str) -> Result:
    cleared: dict[str, str | None] = {name: None for name in os.environ if name.startswith("OPENPROFILES_")}
    return CliRunner().invoke(openprofiles, [*map(str, arguments)], env=cleared | variables)


def commands(group: click.Group, *path: str) -> list[tuple[str, ...]]:
    found = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, *path, name)
    return found


# Help and wrong arguments


def test_every_command_is_there() -> None:
    assert {("serve",), ("worker",), ("env",), ("migrate",), ("version",)} <= set(commands(openprofiles))
    assert {("credentials", name) for name in ("create", "list", "revoke", "actions")} <= set(commands(openprofiles))
    assert {("mappings", name) for name in ("list", "show", "delete")} <= set(commands(openprofiles))


@pytest.mark.parametrize("path", commands(openprofiles), ids=" ".join)
def test_the_help_of_every_command_says_what_it_does_and_names_the_variable_of_each_setting(
    path: tuple[str, ...],
) -> None:
    answer = invoke(*path, "--help")

    assert answer.exit_code == 0
    assert answer.output.startswith(f"Usage: openprofiles {' '.join(path)} ")
    if path != ("credentials",):
        assert "Example" in answer.output
    if "--data" in answer.output:
        flat = " ".join(answer.output.split())
        assert "[env var: OPENPROFILES_DATA; default: openprofiles- data]" in flat or "OPENPROFILES_DATA" in flat


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--port", "70000"], "The port 70000 is not between 0 and 65535."),
        (["serve", "--workers", "2"], "A SQLite store cannot have 2 workers"),
        (["serve", "--max-upload-size", "lots"], "'lots' is not a valid size."),
        (["serve", "--public-url", "example.com"], "The public URL must be http:// or https://"),
        (["migrate", "--store", "mysql://db/x"], "a URL of the type 'mysql'"),
        (["worker", "--compat", "loose"], "'loose' is not one of 'generous', 'strict'"),
        (["credentials", "create"], "Missing option '--name'"),
        (["credentials", "revoke"], "Missing argument 'ACCESS_KEY_ID'"),
        (["fly"], "No such command 'fly'.\n"),
        (["imprt"], "No such command 'imprt'. Did you mean 'import'?"),
        (["jobs", "wach"], "No such command 'wach'. Did you mean 'watch'?"),
    ],
)
def test_wrong_arguments_are_told_in_one_sentence_with_status_2(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    answer = invoke(*arguments, OPENPROFILES_DATA=str(tmp_path / "data"))

    assert answer.exit_code == 2
    assert message in answer.stderr
    assert "Traceback" not in answer.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("path", [path for path in commands(openprofiles) if path[0] in ("jobs", "mappings")])
def test_a_store_or_domain_that_is_not_there_ends_every_command_with_2(tmp_path: Path, path: tuple[str, ...]) -> None:
    if len(path) == 1:
        return
    arguments = [*path, *([] if path[1] == "list" else ["x"] if path[0] == "mappings" else ["last"])]
    there, typo = tmp_path / "data", tmp_path / "typo"
    assert invoke("credentials", "create", "--name", "a", "--data", there).exit_code == 0

    no_store = invoke(*arguments, "--domain", "nosuch", "--data", typo)
    no_domain = invoke(*arguments, "--domain", "nosuch", "--data", there)

    assert (no_store.exit_code, no_domain.exit_code) == (2, 2)
    assert no_store.stderr.startswith(f"Error: There is no store {typo / 'openprofiles.db'}.")
    assert no_domain.stderr == "Error: There is no domain nosuch.\n"
    assert not typo.exists()


def test_the_help_of_import_has_its_options_in_groups() -> None:
    lines = invoke("import", "--help").output.splitlines()

    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Columns:", "File format:", "Import rules:", "Destination:", "Other:"]
    assert [line.split()[0] for line in lines[lines.index("Other:") + 1 :] if line.startswith("  -")] == [
        "--output",
        "-h,",
    ]


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("0", 0), ("1000", 1000), ("400MB", 400_000_000), ("10GiB", 10 * 2**30), ("2 gb", 2 * 10**9), ("5KiB", 5120)],
)
def test_sizes_are_bytes_or_whole_numbers_of_a_unit(text: str, size_bytes: int) -> None:
    assert Size()(text) == size_bytes


@pytest.mark.parametrize("text", ["", "-1", "1.5GB", "GB", "1TB", "1B", "١", "0x10"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Size()(text)


def test_a_worker_gets_the_settings_of_its_server() -> None:
    settings = Settings(
        data_folder=Path("/srv/my data"),
        store=PostgresqlUrl("postgresql://ada:secret@db/shop"),
        files=S3Location("bucket", "uploads"),
        compat_strict=True,
        memory_limit_bytes=123_000_000,
        webhook_private_addresses=True,
        log_format="json",
        port=0,
    )

    received: list[Settings] = []

    @click.command()
    @settings_options(*settings_of_worker())
    def worker(settings: Settings) -> None:
        received.append(settings)

    arguments, variables = hand_settings_on(settings)
    result = CliRunner().invoke(worker, arguments, env=variables)

    assert (result.exit_code, received) == (0, [replace(settings, port=Settings.port)])
    # A password is not part of a command line, which others on the machine can read.
    assert variables == {"OPENPROFILES_STORE": "postgresql://ada:secret@db/shop"}
    assert not any("secret" in argument for argument in arguments)


@dataclass(frozen=True, kw_only=True)
class MoreSettings(Settings):
    """With a new setting, declared in one place."""

    toy_count: int = field(default=1, metadata={"setting": Setting("--toys", "Toys.", kind="number", of_worker=True)})


def test_a_new_setting_reaches_workers_and_loaders_by_itself() -> None:
    settings = MoreSettings(toy_count=5)

    assert "--toys=5" in hand_settings_on(settings)[0]
    assert MoreSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_every_setting_of_serve_has_a_variable_of_its_own() -> None:
    options = [option for option in serve.params if isinstance(option, click.Option) and not option.hidden]
    variables = [option.envvar for option in options if option.name != "help"]

    assert len(set(variables)) == len(variables)
    assert all(str(variable).startswith("OPENPROFILES_") for variable in variables)


# Credentials


def test_a_credential_is_made_listed_and_revoked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = invoke(
        "credentials", "create", "--data", data, "--name", "reports", "--action", "profile:Get*", "--action",
        "profile:SearchProfiles", "--domain", "sales-*", "--requests-per-second", "2.5", "--output", "json",
    )  # fmt: skip
    new = json.loads(made.stdout)

    listed = json.loads(invoke("credentials", "list", "--data", data, "--output", "json").stdout)
    revoked = invoke("credentials", "revoke", "--data", data, new["access_key_id"])
    text = invoke("credentials", "list", "--data", data).stdout

    administrator, reports = listed
    assert (administrator["name"], administrator["actions"]) == ("administrator", ["*"])
    assert reports["access_key_id"] == new["access_key_id"]
    assert reports["actions"] == ["profile:Get*", "profile:SearchProfiles"]
    assert reports["domains"] == ["sales-*"]
    assert reports["requests_per_second"] == 2.5
    assert reports["revoked_at"] is None
    assert revoked.exit_code == 0
    assert f"{new['access_key_id']}  reports  REVOKED " in text
    assert "allows profile:Get*, profile:SearchProfiles on sales-*, 2.5 requests per second" in text
    assert new["secret_access_key"] not in text
    assert new["secret_access_key"] not in json.dumps(listed)


def test_a_credential_made_for_people_shows_both_keys(tmp_path: Path) -> None:
    answer = invoke("credentials", "create", "--data", tmp_path / "data", "--name", "me")

    first, second = answer.stdout.splitlines()
    assert first.startswith("Access key id:     OP")
    assert second.startswith("Secret access key: ")
    assert "not shown again" in answer.stderr
    assert f"Created the store {tmp_path / 'data' / 'openprofiles.db'}, which did not exist.\n" in answer.stderr


def test_a_role_stands_for_its_actions_and_a_domain_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    data = tmp_path / "data"
    viewer = invoke("credentials", "create", "--data", data, "--name", "v", "--role", "viewer", "--domain", "nosuch")
    invoke(
        "credentials", "create", "--data", data, "--name", "l", "--role", "loader", "--action", "profile:UpdateProfile"
    )
    admin = invoke("credentials", "create", "--data", data, "--name", "a", "--domain", "*")
    sales = invoke("credentials", "create", "--data", data, "--name", "s", "--domain", "sales-*")

    listed = json.loads(invoke("credentials", "list", "--data", data, "--output", "json").stdout)

    actions = {one["name"]: set(one["actions"]) for one in listed}
    assert "profile:List*" in actions["v"]
    assert actions["v"] < actions["l"]
    assert {"profile:StartUploadJob", "openprofiles:UndoUploadJob", "profile:UpdateProfile"} <= actions["l"]
    assert actions["a"] == {"*"}
    assert viewer.exit_code == 0
    assert "Warning: There is no domain nosuch. The credential will allow it once it is created." in viewer.stderr
    assert "Warning: There is no domain that matches sales-*." in sales.stderr
    assert "Warning" not in admin.stderr


def test_the_actions_that_are_listed_are_those_that_the_server_asks_for() -> None:
    code = "".join(path.read_text() for path in (Path(str(package.__file__)).parent / "server").rglob("*.py"))

    lines = invoke("credentials", "actions").stdout.splitlines()

    listed = {line.split()[0]: line.split()[1:] for line in lines}
    # Those of the model; tests/wire/test_own_operations.py calls each operation. Pages ask for no other.
    assert {name for name in listed if name.startswith("openprofiles:")} >= set(
        re.findall(r'"(openprofiles:[A-Z]\w+)"', code)
    )
    assert {name for name in listed if name.startswith("profile:")} == {f"profile:{name}" for name in handlers()}
    # A viewer may read whatever there is.
    reading = {name: roles for name, roles in listed.items() if re.search(":(Batch)?(Get|List|Search)", name)}
    own = {name for name, roles in reading.items() if "viewer," not in roles}
    # The URL of a stream may have a token, as that of a webhook.
    assert own == {"profile:GetUploadJobPath", "profile:GetStreamForSegments", "openprofiles:GetWebhook"}
    assert listed["profile:GetUploadJobPath"] == ["loader,", "admin"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "a", "--action", "profile:GetUploadJobs"], "'profile:GetUploadJobs' matches no operation"),
        (["--name", "a", "--action", "openprofiles:Undo"], "Did you mean 'openprofiles:UndoUploadJob'?"),
        (["--name", "a", "--action", "GetDomain"], "'GetDomain' is not an action"),
        (["--name", "a", "--domain", "a b"], "'a b' is not a domain"),
        (["--name", " "], "1 to 128 characters"),
        (["--name", "a", "--requests-per-second", "0"], "more than 0"),
    ],
)
def test_a_credential_that_could_not_work_is_refused(tmp_path: Path, arguments: list[str], message: str) -> None:
    answer = invoke("credentials", "create", "--data", tmp_path / "data", *arguments)

    listed = json.loads(invoke("credentials", "list", "--data", tmp_path / "data", "--output", "json").stdout)
    assert answer.exit_code == 2
    assert message in answer.stderr
    assert [each["name"] for each in listed] == ["administrator"]


def test_revoking_an_unknown_credential_says_how_to_find_the_right_one(tmp_path: Path) -> None:
    invoke("credentials", "create", "--data", tmp_path / "data", "--name", "me")

    answer = invoke("credentials", "revoke", "--data", tmp_path / "data", "OPX")

    assert answer.exit_code == 2
    assert answer.stderr == (
        "Error: There is no credential 'OPX'. List the access key ids with: openprofiles credentials list\n"
    )


# env


def test_env_is_all_that_the_aws_cli_needs(tmp_path: Path) -> None:
    data = tmp_path / "my data's"
    script = (
        f'eval "$({" ".join(f"{each!r}" for each in command("env", "--data"))} "$DATA")" && '
        f"{str(Path(sys.executable).with_name('aws'))!r} customer-profiles list-domains --query 'Items[].DomainName'"
    )
    variables = {
        "AWS_SESSION_TOKEN": "stale",
        "AWS_PROFILE": "nobody",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "HOME": str(tmp_path),
        "DATA": str(data),
    }
    with running_server(data) as server:
        server.client().create_domain(DomainName="demo", DefaultExpirationDays=30)

        answer = subprocess.run(  # noqa: S602  (a shell is what it is for)
            script, shell=True, env=environment(**variables), capture_output=True, text=True, timeout=60
        )

    assert answer.stderr == ""
    assert json.loads(answer.stdout) == ["demo"]


def test_env_sets_and_unsets_what_it_promises(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--workers", "0", "--region", "eu-central-1") as server:
        answer = run_command("env", "--data", tmp_path / "data", NO_PROXY="a.example, b.example", no_proxy="c.example")
        access_key_id, secret = server.admin()

    assert answer.returncode == 0
    assert answer.stdout.splitlines() == [
        f"export AWS_ENDPOINT_URL_CUSTOMER_PROFILES={server.url}",
        f"export AWS_ACCESS_KEY_ID={access_key_id}",
        f"export AWS_SECRET_ACCESS_KEY={secret}",
        "export AWS_REGION=eu-central-1",
        "export AWS_DEFAULT_REGION=eu-central-1",
        "export NO_PROXY=a.example,b.example,c.example,127.0.0.1",
        "export no_proxy=a.example,b.example,c.example,127.0.0.1",
        "unset AWS_SESSION_TOKEN AWS_PROFILE AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    ]


def test_env_without_a_server_prints_nothing_and_says_how_to_start_one(tmp_path: Path) -> None:
    answer = run_command("env", "--data", tmp_path / "data")

    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr == (
        f"Error: No server is running on the data folder {tmp_path / 'data'}. "
        f"Start one with: openprofiles serve --data {tmp_path / 'data'}\n"
    )


# The rest


def test_migrate_prints_the_revision_of_the_store(tmp_path: Path) -> None:
    store = tmp_path / "elsewhere" / "my.db"
    store.parent.mkdir()
    place = ("--data", tmp_path / "data", "--store", f"sqlite:///{store}")
    invoke("credentials", "create", *place, "--name", "me")

    answer = invoke("migrate", *place)

    assert answer.exit_code == 0
    assert answer.output == f"The store {store} has revision {NEWEST_REVISION}.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("migrate",),
        ("credentials", "list"),
        ("credentials", "revoke", "OPX"),
        ("master-key", "change", "--new", "new.key"),
        ("jobs", "list", "--domain", "demo"),
        ("backup", "backups"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_command_that_needs_a_store_makes_nothing_in_a_mistyped_folder(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    answer = invoke(*arguments, "--data", tmp_path / "typo")

    assert answer.exit_code == 2
    assert f"There is no store {tmp_path / 'typo' / 'openprofiles.db'}. Name " in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_setting_comes_from_its_variable_unless_the_option_is_given(tmp_path: Path) -> None:
    variables = {"OPENPROFILES_DATA": str(tmp_path / "variable")}

    by_variable = invoke("migrate", **variables)
    by_option = invoke("migrate", "--data", tmp_path / "option", **variables)

    assert str(tmp_path / "variable" / "openprofiles.db") in by_variable.output
    assert str(tmp_path / "option" / "openprofiles.db") in by_option.output


def test_version_names_the_program_and_its_databases() -> None:
    answer = invoke("version")

    assert answer.exit_code == 0
    assert answer.output.startswith("openprofiles ")
    assert "SQLite 3." in answer.output
    assert "DuckDB " in answer.output
    assert invoke("--version").output == answer.output


def test_files_are_for_their_owner_whatever_the_umask_of_the_shell(tmp_path: Path) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    made = ("credentials", "create", "--data", tmp_path / "data", "--name", "me")

    answer = subprocess.run(
        [shell, "-c", 'umask 000 && exec "$@"', "sh", *command(*made)],
        env=environment(),
        timeout=60,
    )

    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in (tmp_path / "data").iterdir()}
    assert answer.returncode == 0
    assert modes.pop("uploads") == modes.pop("scratch") == 0o700
    assert set(modes.values()) == {0o600}
