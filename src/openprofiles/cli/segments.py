"""``openprofiles segments create | list | show | delete | estimate | members | why | test | export | check``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from openprofiles.cli.command_group import CommandGroup
from openprofiles.cli.exit_statuses import EXIT_INCOMPLETE, CommandFault
from openprofiles.cli.job_ids import find_job_id
from openprofiles.cli.json_file import read_json_object
from openprofiles.cli.options import Name, UpperCaseChoice, domain_command, limit_option, print_json, print_table
from openprofiles.cli.segment_changes import diff, history, stream, subscribe, unsubscribe, watch
from openprofiles.cli.terminal_text import shown
from openprofiles.cli.text_source import read_text
from openprofiles.cli.text_table import Column
from openprofiles.cli.words import count_of, source_name, utc_text
from openprofiles.clock import utc_now
from openprofiles.errors import InvalidRequest
from openprofiles.expressions.operators import OPERATORS
from openprofiles.segments.condition_text import PHRASES, made_by, read_condition, segment_groups

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

F = TypeVar("F", bound=Callable[..., Any])

_MEMBERS_LISTED = 100
_PROFILES_AT_ONCE = 20
_POLL_SECONDS = 0.02

_of_a_domain = domain_command("Domain of the segments.")
# With the settings of a loader that the command may run itself.
_of_a_domain_to_count = domain_command("Domain of the segments.", "master_key", "files", "memory_limit_bytes")
_of_a_domain_to_export = domain_command(
    "Domain of the segments.", "master_key", "files", "memory_limit_bytes", "export_folder"
)
_name = click.argument("name", metavar="NAME", type=Name("segment"))


def _conditions(command: F) -> F:
    """Give a command the options that say who is in a segment."""
    for option in (
        click.option(
            "--file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="JSON file with the segment groups, as in SegmentGroups of CreateSegmentDefinition. - reads standard "
            "input.",
        ),
        click.option("--from-job", metavar="JOB", help="Customers that this import has created."),
        click.option(
            "--sql",
            "sql_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="File with a query in Spark's dialect of SQL, whose result has the column profile_id. - reads "
            "standard input.",
        ),
        click.option("--any", "any_of", is_flag=True, help="One condition is enough.  [default: all must hold]"),
        click.option(
            "--where",
            "where",
            multiple=True,
            metavar="CONDITION",
            help="Condition such as 'Address.Country is US, CA' or 'Attributes.tier is not gold'. Operators: "
            f"{', '.join(PHRASES)}. Can be repeated.",
        ),
    ):
        command = option(command)
    return command


@click.group("segments", cls=CommandGroup)
def segments() -> None:
    """Create segments of customers, count them and list their members.

    \b
    Examples:
      openprofiles segments create us-gold --domain demo --where 'Address.Country is US' --where 'tier is gold'
      openprofiles segments estimate us-gold --domain demo
    """


@segments.command()
@_name
@click.option("--display-name", metavar="TEXT", help="Name for people.  [default: NAME]")
@click.option("--description", metavar="TEXT", help="What the segment is for.")
@_conditions
@_of_a_domain
def create(
    place: Place,
    domain: str,
    output: str,
    name: str,
    display_name: str | None,
    description: str | None,
    where: Sequence[str],
    any_of: bool,
    from_job: str | None,
    file: Path | None,
    sql_file: Path | None,
) -> None:
    """Create a segment. Without conditions, all customers are in it.

    \b
    Examples:
      openprofiles segments create us-gold --domain demo --where 'Address.Country is US' --where 'tier is gold'
      openprofiles segments create new --domain demo --where '_openprofiles.created_at is after now-30d'
      openprofiles segments create leads --domain demo --from-job last
      openprofiles segments create big-spenders --domain demo --sql big-spenders.sql
    """
    made = place.call(
        "CreateSegmentDefinition",
        DomainName=domain,
        SegmentDefinitionName=name,
        DisplayName=display_name or name,
        Description=description,
        **_query(place, domain, where, any_of=any_of, from_job=from_job, file=file, sql_file=sql_file),
    )
    if output == "json":
        print_json(made)
    else:
        click.echo(f"Segment {name} has been created.")


@segments.command("list")
@_of_a_domain
def list_(place: Place, domain: str, output: str) -> None:
    """List a domain's segments by name.

    \b
    Example:
      openprofiles segments list --domain demo
    """
    found = list(place.call_items("ListSegmentDefinitions", DomainName=domain))
    if output == "json":
        print_json(found)
    elif found:
        rows = [
            (one["SegmentDefinitionName"], one["DisplayName"], one.get("Description", ""), utc_text(one["CreatedAt"]))
            for one in found
        ]
        columns = (
            Column("NAME"),
            Column("DISPLAY NAME", shrinks_to=20),
            Column("DESCRIPTION", shrinks_to=20),
            Column("CREATED AT"),
        )
        print_table(columns, rows)
    else:
        click.echo(f"The domain {domain} has no segment.", err=True)


@segments.command()
@_name
@_of_a_domain
def show(place: Place, domain: str, output: str, name: str) -> None:
    """Print a segment as JSON.

    \b
    Example:
      openprofiles segments show us-gold --domain demo
    """
    del output  # It is JSON in any case.
    print_json(place.call("GetSegmentDefinition", DomainName=domain, SegmentDefinitionName=name))


@segments.command()
@_name
@click.option("--yes", is_flag=True, help="Do not ask.")
@_of_a_domain
def delete(place: Place, domain: str, output: str, name: str, *, yes: bool) -> None:
    """Delete a segment. Its customers stay. Segments that are built on it fail until it is created again.

    \b
    Example:
      openprofiles segments delete us-gold --domain demo
    """
    if not yes:
        click.confirm(f"Delete the segment {name}?", abort=True, err=True)
    place.call("DeleteSegmentDefinition", DomainName=domain, SegmentDefinitionName=name)
    if output == "json":
        print_json({"name": name, "deleted": True})
    else:
        click.echo(f"Segment {name} has been deleted.")


@segments.command()
@click.argument("name", metavar="[NAME]", type=Name("segment"), required=False)
@click.option("--funnel", is_flag=True, help="Count after each condition too; they must all hold.")
@_conditions
@_of_a_domain_to_count
def estimate(
    place: Place,
    domain: str,
    output: str,
    name: str | None,
    where: Sequence[str],
    any_of: bool,
    from_job: str | None,
    file: Path | None,
    sql_file: Path | None,
    *,
    funnel: bool,
) -> None:
    """Count the customers in a segment, or those for whom conditions hold. The number is exact.

    \b
    Examples:
      openprofiles segments estimate us-gold --domain demo
      openprofiles segments estimate us-gold --domain demo --funnel
      openprofiles segments estimate --domain demo --where 'BirthDate is before 1980-01-01'
    """
    if name is None:
        query = _query(place, domain, where, any_of=any_of, from_job=from_job, file=file, sql_file=sql_file)
    elif where or from_job or file or sql_file:
        raise click.UsageError("Give either the name of a segment, or conditions.")
    else:
        query = place.call("GetSegmentDefinition", DomainName=domain, SegmentDefinitionName=name)
    groups, sql = query.get("SegmentGroups"), query.get("SegmentSqlQuery")
    if funnel:
        if sql is not None:
            raise CommandFault("A funnel needs conditions; this segment is an SQL query.")
        _print_funnel(place, domain, output, groups)
        return
    counted = count_members(place, domain, groups, sql)
    if output == "json":
        print_json({"members": counted["Members"], "profiles": counted["Profiles"], "as_of": utc_text(counted["AsOf"])})
    else:
        click.echo(
            f"{counted['Members']:,} of {count_of(counted['Profiles'], 'profile')}, counted at "
            f"{utc_text(counted['AsOf'])}"
        )


def _print_funnel(place: Place, domain: str, output: str, query: Mapping[str, Any] | None) -> None:
    """Print how many customers are left after each condition."""
    from openprofiles.cli.api_requests import checked_request
    from openprofiles.segments.funnel import funnel_steps
    from openprofiles.wire.model import load_model

    request = {"DomainName": domain, "SegmentQuery": query}
    checked = checked_request(load_model(), "CreateSegmentEstimate", request).get("SegmentQuery")
    steps = [] if checked is None else funnel_steps(checked, utc_now())
    if not steps:
        raise CommandFault("A funnel needs conditions; this segment has none, so that all customers are in it.")
    counted = [(words, count_members(place, domain, groups)) for words, groups in steps]
    # The share of those before, so that the condition that costs the most stands out.
    befores = [counted[0][1]["Profiles"], *(found["Members"] for _, found in counted)]
    if output == "json":
        print_json(
            {
                "profiles": counted[0][1]["Profiles"],
                "steps": [{"condition": words, "members": found["Members"]} for words, found in counted],
                "as_of": utc_text(counted[-1][1]["AsOf"]),
            }
        )
        return
    rows = [("all profiles", f"{befores[0]:,}", "")]
    for before, (words, found) in zip(befores, counted, strict=False):
        share = f"{found['Members'] / before:.1%}" if before else ""
        rows.append((shown(words), f"{found['Members']:,}", share))
    print_table(
        (
            Column("CONDITION", shrinks_to=30),
            Column("LEFT", is_number=True),
            Column("OF THOSE BEFORE", is_number=True),
        ),
        rows,
    )


@segments.command()
@_name
@limit_option(_MEMBERS_LISTED, "Maximum number of members.")
@_of_a_domain
def members(place: Place, domain: str, output: str, name: str, limit: int) -> None:
    """List the customers in a segment, those that were created first.

    \b
    Example:
      openprofiles segments members us-gold --domain demo --limit 1000 --output json
    """
    listed = place.own_items("ListSegmentMembers", DomainName=domain, SegmentDefinitionName=name, MaxResults=1000)
    ids = [one["ProfileId"] for one in islice(listed, limit)]
    profiles = _read_profiles(place, domain, ids)
    if output == "json":
        print_json(profiles)
    elif profiles:
        rows = [
            (
                one["ProfileId"],
                shown(" ".join(one[part] for part in ("FirstName", "MiddleName", "LastName") if part in one)),
                shown(one.get("EmailAddress", "")),
            )
            for one in profiles
        ]
        print_table((Column("PROFILE"), Column("NAME", shrinks_to=20), Column("EMAIL", shrinks_to=20)), rows)
    else:
        click.echo(f"The segment {name} has no members.", err=True)


@segments.command()
@_name
@click.option(
    "--format",
    "data_format",
    type=UpperCaseChoice(("CSV", "JSONL", "ORC")),
    default="CSV",
    show_default=True,
    metavar="FORMAT",
    help="CSV, JSONL or ORC.",
)
@click.option(
    "--to",
    "destination",
    required=True,
    metavar="FOLDER|URL",
    help="Folder, or s3://bucket/prefix. Through a server, a folder of the server as file:///folder, below its "
    "--export-folder.",
)
@_of_a_domain_to_export
def export(place: Place, domain: str, output: str, name: str, data_format: str, destination: str) -> None:
    """Export the customers in a segment to files.

    The files are in FOLDER/NAME/ID, with a manifest.json that is written last.

    \b
    Examples:
      openprofiles segments export us-gold --domain demo --to exports
      openprofiles segments export us-gold --domain demo --format JSONL --to s3://marketing/spring
    """
    uri = destination
    if "://" not in destination:
        folder = Path(destination).absolute()
        if place.transport.is_server:
            raise click.UsageError(
                "Through a server, --to must be s3://bucket/prefix, or a folder of the server as file:///folder."
            )
        folder.mkdir(parents=True, exist_ok=True)
        place.transport.allow_exports(folder)
        uri = folder.as_uri()
    of_segment = {"DomainName": domain, "SegmentDefinitionName": name}
    snapshot_id = place.call("CreateSegmentSnapshot", **of_segment, DataFormat=data_format, DestinationUri=uri)[
        "SnapshotId"
    ]
    while True:
        found = place.call("GetSegmentSnapshot", **of_segment, SnapshotId=snapshot_id)
        if found["Status"] != "IN_PROGRESS":
            break
        place.transport.run_reading_job(snapshot_id)
        time.sleep(_POLL_SECONDS)
    if found["Status"] == "FAILED":
        raise CommandFault(f"The segment could not be exported: {found['StatusMessage']}")
    if output == "json":
        print_json(found)
    else:
        click.echo(f"The segment {name} has been exported to {destination.rstrip('/')}/{name}/{snapshot_id}")


@segments.command()
@_name
@click.argument("customer", metavar="CUSTOMER")
@_of_a_domain
def why(place: Place, domain: str, output: str, name: str, customer: str) -> None:
    """Explain why a customer is in a segment, or is not.

    CUSTOMER is a profile id, an email address, a phone number, an account number or a full name.

    \b
    Example:
      openprofiles segments why us-gold ada@example.com --domain demo
    """
    from openprofiles.cli.find_profile import find_profile_id

    found = place.own(
        "ExplainSegmentMembership",
        DomainName=domain,
        SegmentDefinitionName=name,
        ProfileId=find_profile_id(place, domain, customer),
    )
    if output == "json":
        print_json(found)
        return
    click.echo(f"{found['ProfileId']} is {'' if found['IsMember'] else 'not '}in the segment {name}:")
    _print_parts(found)


@segments.command()
@_name
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_of_a_domain
def test(place: Place, domain: str, output: str, name: str, file: Path) -> None:
    """Test that customers are in a segment, or are not, as a file says. Exits with 1 if one is not as expected.

    FILE is a CSV file with the columns customer (a profile id, an email address, a phone number, an account number or
    a full name) and member (yes or no). `-` reads it from standard input.

    \b
    Example:
      openprofiles segments test us-gold expected.csv --domain demo
    """
    from openprofiles.cli.expected_members import find_members, read_expected_members

    expected = read_expected_members(file)
    # Missing, it would be noticed only with the first customer who is found.
    place.call("GetSegmentDefinition", DomainName=domain, SegmentDefinitionName=name)
    failed = [one for one in find_members(place, domain, name, expected) if not one.is_as_expected]
    if output == "json":
        print_json(
            {
                "passed": len(expected) - len(failed),
                "failed": [
                    {
                        "line": one.expected.line,
                        "customer": one.expected.customer,
                        "expected": one.expected.is_member,
                        "explanation": one.explanation,
                        "fault": one.fault,
                    }
                    for one in failed
                ],
            }
        )
    else:
        for one in failed:
            wanted = f"should {'' if one.expected.is_member else 'not '}be in the segment {name}"
            click.echo(f"Line {one.expected.line}: {shown(one.expected.customer)} {wanted}.")
            if one.explanation is None:
                click.echo(f"  {shown(one.fault or '')}")
            else:
                _print_parts(one.explanation)
        click.echo(f"{len(expected) - len(failed)} of {count_of(len(expected), 'customer')} as expected.")
    if failed:
        raise SystemExit(EXIT_INCOMPLETE)


@segments.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@_of_a_domain
def check(place: Place, domain: str, output: str, file: Path) -> None:
    """Check the query of an SQL segment without running it, for editors and CI. Exits with 1 if it is not valid.

    FILE has a query in Spark's dialect of SQL. `-` reads it from standard input.

    
    Example:
      openprofiles segments check big-spenders.sql --domain demo
    """
    found = place.own("CheckSegmentSql", DomainName=domain, SegmentSqlQuery=read_text(file))
    if output == "json":
        print_json(found)
    elif found["IsValid"]:
        click.echo("The query is valid.")
    else:
        at = f":{found['Line']}:{found['Column']}" if "Line" in found else ""
        click.echo(f"{source_name(file)}{at}: {shown(found['Message'])}")
    if not found["IsValid"]:
        raise SystemExit(EXIT_INCOMPLETE)


for _command in (history, diff, stream, subscribe, unsubscribe, watch):
    segments.add_command(_command)


def _print_parts(explanation: Mapping[str, Any]) -> None:
    for part in explanation["Parts"]:
        click.echo(f"{'  ' * (part['Depth'] + 1)}{'yes' if part['Holds'] else 'no '} {shown(_part_words(part))}")


def count_members(
    place: Place, domain: str, query: Mapping[str, Any] | None, sql: str | None = None
) -> Mapping[str, Any]:
    """Count the customers of segment groups or an SQL query; return the details of the estimate.

    Raises:
        CommandFault: the estimate failed.
    """
    request = {"DomainName": domain, "SegmentQuery": query, "SegmentSqlQuery": sql}
    estimate_id = place.call("CreateSegmentEstimate", **request)["EstimateId"]
    while True:
        found = place.own("GetSegmentEstimateDetails", DomainName=domain, EstimateId=estimate_id)
        if found["Status"] == "SUCCEEDED":
            return found
        if found["Status"] == "FAILED":
            raise CommandFault(f"The segment could not be counted: {found['Message']}")
        place.transport.run_reading_job(estimate_id)
        time.sleep(_POLL_SECONDS)


def _query(
    place: Place,
    domain: str,
    where: Sequence[str],
    *,
    any_of: bool,
    from_job: str | None,
    file: Path | None,
    sql_file: Path | None,
) -> Mapping[str, Any]:
    """Build the members of a definition that say who is in it; none: everybody."""
    if sum(map(bool, (where, from_job, file, sql_file))) > 1:
        raise click.UsageError("Give only one of --where, --from-job, --file and --sql.")
    if sql_file is not None:
        return {"SegmentSqlQuery": read_text(sql_file)}
    if from_job is not None:
        return {"SegmentGroups": made_by(find_job_id(place, domain, from_job))}
    if file is not None:
        return {"SegmentGroups": _read_groups(file)}
    if where:
        try:
            dimensions = [read_condition(one, lambda: place.list_attributes(domain)) for one in where]
        except InvalidRequest as error:
            raise CommandFault(f"--where: {error}") from None
        return {"SegmentGroups": segment_groups(dimensions, any_of=any_of)}
    return {}


def _read_groups(file: Path) -> Mapping[str, Any]:
    document = read_json_object(file, "the member Groups")
    # Also what `show` prints.
    groups = document.get("SegmentGroups", document)
    return groups if isinstance(groups, dict) else {}


def _read_profiles(place: Place, domain: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    profiles: list[dict[str, Any]] = []
    for start in range(0, len(ids), _PROFILES_AT_ONCE):
        some = ids[start : start + _PROFILES_AT_ONCE]
        found = place.call("BatchGetProfile", DomainName=domain, ProfileIds=some)
        profiles += found["Profiles"]
    return profiles


def _part_words(part: Mapping[str, Any]) -> str:
    if part["Kind"] != "TEST":
        words = {"ALL": "all of:", "ANY": "any of:", "NOT": "not:"}
        return words.get(part["Kind"], f"in segment {part.get('SegmentDefinitionName')}:")
    name = part.get("Attribute", part.get("CalculatedAttributeName"))
    test = f"{name} {OPERATORS[part['DimensionType']].words} {', '.join(part['Values'])}"
    if part.get("Reason") == "MISSING":
        return f"{test} (has no value)"
    if "Found" not in part:
        return test
    reason = {"NOT_A_NUMBER": ", which is not a number", "NOT_A_DATE": ", which is not a date"}
    return f"{test} (is {part['Found']}{reason.get(part.get('Reason', ''), '')})"
