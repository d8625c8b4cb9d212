"""``openprofiles objects``, ``openprofiles lineage`` and ``openprofiles dead-letters``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.exit_statuses import CommandFault, Refused
from openprofiles.cli.find_profile import find_profile_id
from openprofiles.cli.options import domain_command, print_json, print_table
from openprofiles.cli.text_table import Column
from openprofiles.cli.words import count_of, source_name, utc_text
from openprofiles.objects.object_text import MAX_OBJECT_BYTES, parse_object

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

_of_a_domain = domain_command("Domain of the objects.", "master_key")
_type_name = click.argument("type_name", metavar="TYPE")
_object_file = click.argument("file", metavar="FILE", type=click.File("rb"))
_letter_id = click.argument("letter_id", metavar="ID")
_OBJECTS_PER_CALL = 10
# Errors that concern one dead letter only.
_OF_ONE_LETTER = ("ResourceNotFoundException", "BadRequestException")
_LETTER_ID = re.compile(r"[0-9]{1,10}")
_FAILURES_NAMED = 10
_ORIGINS = {
    "MANUAL": "edited by hand",
    "OBJECT": "object",
    "UPLOAD_JOB": "import",
    "UNKNOWN": "not known",
}


@click.group(cls=CommandGroup)
def objects() -> None:
    """Ingest, list, explain and delete profile objects.

    \b
    Example:
      openprofiles objects put Orders orders.jsonl --domain demo
    """


@objects.command()
@_type_name
@_object_file
@_of_a_domain
def put(place: Place, domain: str, output: str, type_name: str, file: BinaryIO) -> None:
    """Ingest the objects of a file, one JSON object per line.

    `-` reads them from standard input. An object that is rejected is reported with its line, and the others are
    ingested. One that finds no profile becomes a dead letter. Exit status 1 if any was rejected or is a dead letter.

    \b
    Example:
      openprofiles objects put Orders orders.jsonl --domain demo
    """
    put = _Put()
    try:
        _put_lines(place, domain, type_name, file, put)
    except CommandFault:
        _report_failures(put)
        raise
    dead, fault = _count_dead_letters(place, domain, put)
    ingested = len(put.unique_keys) - (dead or 0)
    if output == "json":
        failed = [{"line": int(one["Id"]), "message": one["Message"]} for one in put.failures]
        print_json({"ingested": ingested, "dead_letters": dead, "failed": failed})
    else:
        _report_failures(put)
        if not put.failures and not put.unique_keys:
            click.echo(
                f"There are no objects in {source_name('-' if file.name == '<stdin>' else file.name)}.", err=True
            )
        counts = [f"Ingested {count_of(ingested, 'object')} of the type {type_name}", f"{len(put.failures):,} rejected"]
        counts[1:1] = [f"{dead:,} found no profile (openprofiles dead-letters list)"] if dead else []
        click.echo("; ".join(counts) + ".")
    if fault is not None:
        click.echo(f"How many of them found no profile is not known. {fault}", err=True)
    if put.failures or dead:
        raise click.exceptions.Exit(1)


@dataclass(slots=True)
class _Put:
    """What became of the objects of a file.

    Attributes:
        unique_keys: of those that were stored, dead letters among them.
        failures: the Failed items of the others.
    """

    unique_keys: list[str] = field(default_factory=list)
    failures: list[Mapping[str, Any]] = field(default_factory=list)


def _put_lines(place: Place, domain: str, type_name: str, file: BinaryIO, put: _Put) -> None:
    """Ingest the objects of a file."""
    lines = ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    while group := list(islice(lines, _OBJECTS_PER_CALL)):
        readable, unreadable = _decoded(group)
        put.failures += unreadable
        items = [{"Id": str(number), "Object": text} for number, text in readable]
        if not items:
            continue
        try:
            answer = place.call("BatchPutProfileObject", DomainName=domain, ObjectTypeName=type_name, Items=items)
        except CommandFault as fault:
            if not put.unique_keys:
                raise
            raise CommandFault(
                f"{fault} Before line {group[0][0]:,}, {count_of(len(put.unique_keys), 'object')} had been stored; "
                "putting the file again replaces them."
            ) from fault
        put.unique_keys += (one["ProfileObjectUniqueKey"] for one in answer["Successful"])
        put.failures += answer["Failed"]


def _count_dead_letters(place: Place, domain: str, put: _Put) -> tuple[int | None, str | None]:
    """Count the objects of a file that are dead letters now; None if they cannot be listed, with the reason."""
    if not put.unique_keys:
        return 0, None
    try:
        letters = {one["ProfileObjectUniqueKey"] for one in _dead_letters(place, domain)}
    except CommandFault as fault:
        return None, str(fault)
    return sum(one in letters for one in put.unique_keys), None


def _report_failures(put: _Put) -> None:
    for one in put.failures[:_FAILURES_NAMED]:
        click.echo(f"line {one['Id']}: {one['Message']}", err=True)
    if len(put.failures) > _FAILURES_NAMED:
        click.echo(f"... and {len(put.failures) - _FAILURES_NAMED:,} more", err=True)
    if not put.unique_keys and any("JSON" in one["Message"] for one in put.failures):
        click.echo(
            "The file must have one JSON object per line. `jq -c . FILE` writes objects so, and `jq -c '.[]' FILE` "
            "the objects of a list.",
            err=True,
        )


@objects.command("list")
@_type_name
@click.argument("profile", metavar="PROFILE")
@_of_a_domain
def list_(place: Place, domain: str, output: str, type_name: str, profile: str) -> None:
    """Print a profile's objects of one type, newest first, one JSON object per line.

    PROFILE is its id, or an email address, phone number, account number or full name of it.

    \b
    Example:
      openprofiles objects list _order ada@example.com --domain demo
    """
    of_profile = {"DomainName": domain, "ProfileId": find_profile_id(place, domain, profile)}
    found = list(place.call_items("ListProfileObjects", **of_profile, ObjectTypeName=type_name))
    if output == "json":
        print_json(
            [{"unique_key": one["ProfileObjectUniqueKey"], "object": parse_object(one["Object"])} for one in found]
        )
    elif found:
        for one in found:
            click.echo(" ".join(one["Object"].splitlines()))
    else:
        click.echo(f"The profile has no object of the type {type_name}.", err=True)


@objects.command()
@_type_name
@click.argument("profile", metavar="PROFILE")
@click.argument("unique_key", metavar="UNIQUE_KEY")
@click.option(
    "--scrub",
    "scrubs",
    is_flag=True,
    help="Also remove the fields that the object has given the profile. A field for which another object has a value "
    "gets that one.",
)
@_of_a_domain
def delete(
    place: Place, domain: str, output: str, type_name: str, profile: str, unique_key: str, *, scrubs: bool
) -> None:
    """Delete an object of a profile. The fields of the profile stay, unless --scrub is given.

    UNIQUE_KEY is that of `objects list --output json`.

    \b
    Example:
      openprofiles objects delete Orders ada@example.com w7rb3HISZsELqNtJuEC/oh7flFAT2YJclNS1joYceJY= --domain demo
    """
    deletes, name = (place.own, "ScrubProfileObject") if scrubs else (place.call, "DeleteProfileObject")
    deletes(
        name,
        DomainName=domain,
        ProfileId=find_profile_id(place, domain, profile),
        ObjectTypeName=type_name,
        ProfileObjectUniqueKey=unique_key,
    )
    if output == "json":
        print_json({"unique_key": unique_key, "deleted": True})
    else:
        click.echo("The object has been deleted.")


@objects.command()
@_type_name
@_object_file
@_of_a_domain
def explain(place: Place, domain: str, output: str, type_name: str, file: BinaryIO) -> None:
    """Print what an object would do if it were ingested now, and why. Nothing is written.

    FILE has one JSON object; `-` reads it from standard input.

    \b
    Example:
      echo '{"id": "7", "mail": "ada@example.com"}' | openprofiles objects explain Orders - --domain demo
    """
    found = place.own("ExplainObject", DomainName=domain, ObjectTypeName=type_name, Object=_read_object(file))
    if output == "json":
        print_json(found)
        return
    click.echo("\n".join(_explanation_lines(found)))


@click.command()
@click.argument("profile", metavar="PROFILE")
@_of_a_domain
def lineage(place: Place, domain: str, output: str, profile: str) -> None:
    """Print where the value of each field of a profile comes from.

    PROFILE is its id, or an email address, phone number, account number or full name of it.

    Times are in UTC. NEXT is the object type whose value would take its place.

    \b
    Example:
      openprofiles lineage ada@example.com --domain demo
    """
    profile_id = find_profile_id(place, domain, profile)
    found = place.own("GetLineage", DomainName=domain, ProfileId=profile_id)["Fields"]
    if output == "json":
        print_json(found)
    elif found:
        rows = [
            (
                one["Field"],
                _ORIGINS[one["Origin"]],
                one.get("ObjectTypeName", one.get("JobId", "")),
                utc_text(one.get("IngestedAt")),
                one.get("NextObjectTypeName", ""),
            )
            for one in found
        ]
        columns = (Column("FIELD"), Column("FROM"), Column("TYPE OR JOB"), Column("AT"), Column("NEXT"))
        print_table(columns, rows)
    else:
        click.echo("The profile has no values.", err=True)


@click.group("dead-letters", cls=CommandGroup)
def dead_letters() -> None:
    """List, show, retry and delete objects that found no profile.

    They are kept for 14 days.

    \b
    Example:
      openprofiles dead-letters list --domain demo
    """


@dead_letters.command("list")
@_of_a_domain
def list_dead_letters(place: Place, domain: str, output: str) -> None:
    """List a domain's dead letters, oldest first.

    Times are in UTC.

    \b
    Example:
      openprofiles dead-letters list --domain demo
    """
    found = list(_dead_letters(place, domain))
    if output == "json":
        print_json(found)
    elif found:
        rows = [
            (
                one["DeadLetterId"],
                one["ObjectTypeName"],
                utc_text(one["CreatedAt"]),
                str(one["Attempts"]),
                one["Message"],
            )
            for one in found
        ]
        columns = (
            Column("ID", is_number=True),
            Column("TYPE"),
            Column("SINCE"),
            Column("ATTEMPTS", is_number=True),
            Column("REASON", shrinks_to=20),
        )
        print_table(columns, rows)
    else:
        click.echo(f"The domain {domain} has no dead letter.", err=True)


@dead_letters.command("show")
@_letter_id
@_of_a_domain
def show_dead_letter(place: Place, domain: str, output: str, letter_id: str) -> None:
    """Print a dead letter with its object.

    \b
    Example:
      openprofiles dead-letters show 3 --domain demo
    """
    found = place.own("GetDeadLetter", **_letter(domain, letter_id))
    if output == "json":
        print_json(found)
        return
    click.echo(f"Dead letter {letter_id}, an object of the type {found['ObjectTypeName']}")
    click.echo(f"{found['Message']}.")
    click.echo(found["Object"])


@dead_letters.command("retry")
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "retries_all", is_flag=True, help="Retry all dead letters of the domain.")
@click.option(
    "--object",
    "file",
    type=click.File("rb"),
    metavar="FILE",
    help="Ingest this JSON object instead: the one of the dead letter as you have fixed it.  [default: as it is]",
)
@_of_a_domain
def retry_dead_letters(
    place: Place, domain: str, output: str, letter_ids: tuple[str, ...], file: BinaryIO | None, *, retries_all: bool
) -> None:
    """Ingest dead letters again, by their object types as they are now. Exit status 1 if any is rejected again.

    \b
    Examples:
      openprofiles dead-letters retry 3 --domain demo
      openprofiles dead-letters retry --all --domain demo
      openprofiles dead-letters retry 3 --object fixed.json --domain demo
    """
    if bool(letter_ids) == retries_all:
        raise click.UsageError("Give either the ids of dead letters or --all.")
    if file is not None and len(letter_ids) != 1:
        raise click.UsageError("--object needs the id of one dead letter.")
    content = None if file is None else _read_object(file)
    if retries_all:
        letter_ids = tuple(one["DeadLetterId"] for one in _dead_letters(place, domain))
    results = {one: _retry(place, domain, one, content) for one in letter_ids}
    rejected = {one: found for one, found in results.items() if not found["Ingested"]}
    if output == "json":
        print_json([{"id": one, **found} for one, found in results.items()])
    else:
        for one, found in rejected.items():
            click.echo(f"{one}: {found['Message']}", err=True)
        click.echo(f"Ingested: {len(results) - len(rejected):,}. Rejected again: {len(rejected):,}.")
    if rejected:
        raise click.exceptions.Exit(1)


def _retry(place: Place, domain: str, letter_id: str, content: str | None) -> Mapping[str, Any]:
    """Retry a dead letter; one that is gone or cannot be read is rejected, and does not stop the others."""
    try:
        return place.own("RetryDeadLetter", **_letter(domain, letter_id), Object=content)
    except Refused as refused:
        if refused.code not in _OF_ONE_LETTER:
            raise
        return {"Ingested": False, "Message": str(refused)}


@dead_letters.command("delete")
@_letter_id
@_of_a_domain
def delete_dead_letter(place: Place, domain: str, output: str, letter_id: str) -> None:
    """Delete a dead letter with its object.

    \b
    Example:
      openprofiles dead-letters delete 3 --domain demo
    """
    place.own("DeleteDeadLetter", **_letter(domain, letter_id))
    if output == "json":
        print_json({"id": letter_id, "deleted": True})
    else:
        click.echo(f"The dead letter {letter_id} has been deleted.")


def _letter(domain: str, letter_id: str) -> dict[str, str]:
    """Name a dead letter for an operation.

    Raises:
        Refused: no dead letter has such an id.
    """
    if not _LETTER_ID.fullmatch(letter_id):
        raise Refused(f"Domain {domain} has no dead letter {letter_id}.", _OF_ONE_LETTER[0])
    return {"DomainName": domain, "DeadLetterId": letter_id}


def _dead_letters(place: Place, domain: str) -> Iterator[Mapping[str, Any]]:
    return place.own_items("ListDeadLetters", DomainName=domain)


def _decoded(lines: Sequence[tuple[int, bytes]]) -> tuple[list[tuple[int, str]], list[dict[str, str]]]:
    """Decode lines; return them with their numbers, and those that no call takes as failures."""
    readable, failures = [], []
    for number, line in lines:
        if len(line) > MAX_OBJECT_BYTES and len(line.strip()) > MAX_OBJECT_BYTES:
            failures.append({"Id": str(number), "Message": f"The object is larger than {MAX_OBJECT_BYTES:,} bytes."})
            continue
        try:
            text = _decode(line)
        except UnicodeDecodeError:
            failures.append({"Id": str(number), "Message": "The line is not UTF-8."})
            continue
        if "\0" in text:
            failures.append({"Id": str(number), "Message": "The line contains the character U+0000."})
        elif text:
            readable.append((number, text))
    return readable, failures


def _decode(line: bytes) -> str:
    # Some programs begin a file with a byte order mark.
    return line.decode("utf-8").removeprefix("\ufeff").strip()


def _explanation_lines(found: Mapping[str, Any]) -> Iterator[str]:
    outcome = found["Outcome"]
    if outcome == "WOULD_CREATE":
        yield "It would create a profile."
    elif outcome == "WOULD_JOIN":
        replaced = " and replace the object with its unique key" if found["Overwrites"] else ""
        yield f"It would join the profile {found['ProfileId']}{replaced}."
    else:
        yield f"It would become a dead letter: {found['Message']}."
    counts = {"NONE": "no profile", "ONE": "one profile", "SEVERAL": "several profiles"}
    for key in found["Keys"]:
        yield f"  key {key['KeyName']}: {counts[key['Profiles']]}{', which decides' if key['Decided'] else ''}"
    for one in found["Fields"]:
        target = one["Target"].removeprefix("_profile.")
        if one["Effect"] == "KEEP":
            yield f"  {target}: stays as it is. {one['Reason']}"
        elif one["Effect"] == "SAME":
            yield f"  {target}: has this value already"
        else:
            yield f"  {target}: {one.get('Before', '(none)')} -> {one['Given']}"
    for name in found["StandardObjects"]:
        yield f"  writes to {name}"
    if (name := found.get("UnreadTimestampField")) is not None:
        yield f"  {name}: does not fit SourceLastUpdatedTimestampFormat, so the time of the ingestion counts"
    if found["MissingFields"]:
        yield f"  without a value: {', '.join(found['MissingFields'])}"


def _read_object(file: BinaryIO) -> str:
    try:
        return _decode(file.read())
    except UnicodeDecodeError:
        raise CommandFault("The object is not UTF-8.") from None
