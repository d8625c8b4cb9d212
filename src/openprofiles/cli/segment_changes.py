"""``openprofiles segments history | diff | stream | subscribe | unsubscribe | watch``: how segments change."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import takewhile
from operator import ne
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.options import Name, domain_command, print_json, print_table
from openprofiles.cli.terminal_text import shown
from openprofiles.cli.text_table import Column
from openprofiles.cli.words import count_of, utc_text

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

_POLL_SECONDS = 1.0
# It is kept by the server, and used by nothing.
_DEFAULT_ROLE = "arn:aws:iam::000000000000:role/openprofiles"

_of_a_domain = domain_command("Domain of the segments.")
_name = click.argument("name", metavar="NAME", type=Name("segment"))


@click.command()
@_name
@_of_a_domain
def history(place: Place, domain: str, output: str, name: str) -> None:
    """List the exports of a segment with the number of customers in each, newest first.

    \b
    Example:
      openprofiles segments history us-gold --domain demo
    """
    found = list(place.own_items("ListSegmentSnapshots", DomainName=domain, SegmentDefinitionName=name))
    if output == "json":
        print_json(found)
    elif found:
        rows = [
            (
                one["SnapshotId"],
                utc_text(one["AsOf"]) if "AsOf" in one else "",
                f"{one['Members']:,}" if "Members" in one else "",
                f"{one['Profiles']:,}" if "Profiles" in one else "",
                one["Status"] if one["Status"] != "FAILED" else f"FAILED: {shown(one['StatusMessage'])}",
            )
            for one in found
        ]
        columns = (
            Column("SNAPSHOT"),
            Column("AS OF"),
            Column("MEMBERS", is_number=True),
            Column("OF PROFILES", is_number=True),
            Column("STATUS", shrinks_to=10),
        )
        print_table(columns, rows)
    else:
        click.echo(f"The segment {name} has not been exported.", err=True)


@click.command()
@_name
@click.argument("snapshots", metavar="[EARLIER LATER]", nargs=-1)
@click.option("--joined", type=click.Path(path_type=Path), metavar="FILE", help="CSV file for those who joined.")
@click.option("--left", type=click.Path(path_type=Path), metavar="FILE", help="CSV file for those who left.")
@_of_a_domain
def diff(
    place: Place,
    domain: str,
    output: str,
    name: str,
    snapshots: Sequence[str],
    joined: Path | None,
    left: Path | None,
) -> None:
    """Compare two exports of a segment: the customers who joined, left and stayed.

    EARLIER and LATER are ids of exports, of which the first characters are enough; without them, the last two exports
    are compared. `history` lists them.

    \b
    Examples:
      openprofiles segments diff us-gold --domain demo
      openprofiles segments diff us-gold 01a2 01a3 --domain demo --joined joined.csv --left left.csv
    """
    earlier, later = _find_snapshots(place, domain, name, snapshots)
    of_snapshots = {
        "DomainName": domain,
        "SegmentDefinitionName": name,
        "SnapshotId": later,
        "EarlierSnapshotId": earlier,
    }
    counts = place.own("ListSegmentSnapshotChanges", **of_snapshots, MaxResults=1)
    for file, event in ((joined, "JOINED"), (left, "LEFT")):
        if file is not None:
            items = place.own_items("ListSegmentSnapshotChanges", **of_snapshots)
            _write_ids(file, (one["ProfileId"] for one in items if one["Event"] == event))
    if output == "json":
        numbers = {word.lower(): counts[word] for word in ("Joined", "Left", "Stayed")}
        print_json({"earlier": earlier, "later": later, **numbers})
    else:
        click.echo(f"{counts['Joined']:,} joined, {counts['Left']:,} left, {counts['Stayed']:,} stayed.")


@click.command()
@click.option("--to", "destination", metavar="ARN|URL", help="Kinesis data stream, or https:// URL, for the events.")
@click.option("--role", metavar="ARN", default=_DEFAULT_ROLE, help="Role that is shown in answers; it is not assumed.")
@click.option("--stop", is_flag=True, help="Send no more events, and stop all subscriptions.")
@_of_a_domain
def stream(place: Place, domain: str, output: str, destination: str | None, role: str, *, stop: bool) -> None:
    """Show where the events of a domain's segments go, or change it.

    \b
    Examples:
      openprofiles segments stream --domain demo
      openprofiles segments stream --domain demo --to arn:aws:kinesis:us-east-1:123456789012:stream/segments
      openprofiles segments stream --domain demo --stop
    """
    if stop and destination:
        raise click.UsageError("Give only one of --to and --stop.")
    if stop:
        place.call("DisassociateStreamForSegments", DomainName=domain)
    elif destination:
        place.call("AssociateStreamForSegments", DomainName=domain, DestinationArn=destination, DestinationRoleArn=role)
    found = place.call("GetStreamForSegments", DomainName=domain)
    if output == "json":
        print_json(found)
        return
    reason = f": {shown(found['FailureReason'])}" if "FailureReason" in found else ""
    click.echo(f"{shown(found['DestinationArn'])} is {found['State']}{reason}")
    for one in found.get("AssociatedSegments", ()):
        message = f": {shown(one['Message'])}" if "Message" in one else ""
        click.echo(f"  {one['SegmentName']} is {one['Status']}{message}")


@click.command()
@_name
@click.option(
    "--every",
    "hours",
    type=click.IntRange(1, 24),
    metavar="HOURS",
    help="How often all customers are looked at; changed ones are looked at at once.  [default: 24]",
)
@_of_a_domain
def subscribe(place: Place, domain: str, output: str, name: str, hours: int | None) -> None:
    """Follow a segment: each customer who joins or leaves becomes an event.

    The domain needs a stream for the events (`stream --to`).

    \b
    Example:
      openprofiles segments subscribe us-gold --domain demo
    """
    schedule = None if hours is None else {"Interval": hours, "Unit": "HOURLY"}
    of_segment = {"DomainName": domain, "SegmentDefinitionName": name}
    put = place.call("PutSegmentSubscription", **of_segment, ScheduleConfiguration=schedule)
    if output == "json":
        print_json(put)
    else:
        click.echo(f"The segment {name} is followed. To see its events: openprofiles segments watch {name}")


@click.command()
@_name
@_of_a_domain
def unsubscribe(place: Place, domain: str, output: str, name: str) -> None:
    """Stop following a segment. Its events are still listed for 30 days.

    \b
    Example:
      openprofiles segments unsubscribe us-gold --domain demo
    """
    place.call("DeleteSegmentSubscription", DomainName=domain, SegmentDefinitionName=name)
    if output == "json":
        print_json({"name": name, "subscribed": False})
    else:
        click.echo(f"The segment {name} is no longer followed.")


@click.command()
@_name
@click.option("--all", "from_the_start", is_flag=True, help="Begin with the events of the last 30 days.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="End after N events.  [default: at Ctrl-C]")
@_of_a_domain
def watch(place: Place, domain: str, output: str, name: str, limit: int | None, *, from_the_start: bool) -> None:
    """Print customers who join or leave a followed segment, as it happens. JSON is printed as a line for each.

    \b
    Example:
      openprofiles segments watch us-gold --domain demo
    """
    for printed, event in enumerate(_events(place, domain, name, from_the_start=from_the_start), start=1):
        if output == "json":
            click.echo(json.dumps(event, default=datetime.isoformat))
        else:
            at = utc_text(event["UpdatedAt"])
            click.echo(f"{at}  {event['Event']:6}  {event['ProfileId']}  {event['EventType']}")
        if printed == limit:
            return


def _events(place: Place, domain: str, name: str, *, from_the_start: bool) -> Iterator[Mapping[str, Any]]:
    """Yield events as they come, without end."""

    def newest_first() -> Iterator[Mapping[str, Any]]:
        of_segment = {"DomainName": domain, "SegmentDefinitionName": name}
        return place.call_items("ListSegmentSubscriptionEvents", "Events", **of_segment)

    last = None if from_the_start else next(newest_first(), None)
    while True:
        # Only as many pages are read as have something new.
        new = list(takewhile(partial(ne, last), newest_first()))
        yield from reversed(new)
        last = new[0] if new else last
        time.sleep(_POLL_SECONDS)


def _find_snapshots(place: Place, domain: str, name: str, given: Sequence[str]) -> tuple[str, str]:
    if len(given) not in (0, 2):
        raise click.UsageError("Give two exports, or none for the last two.")
    listed = list(place.own_items("ListSegmentSnapshots", DomainName=domain, SegmentDefinitionName=name))
    ids = [one["SnapshotId"] for one in listed if one["Status"] == "COMPLETED"]
    if not given:
        if len(ids) < 2:
            raise CommandFault(
                f"The segment {name} has {count_of(len(ids), 'completed export')}; two are needed to compare them."
            )
        return ids[1], ids[0]
    earlier, later = (_find_id(ids, name, one) for one in given)
    return earlier, later


def _find_id(ids: Sequence[str], name: str, given: str) -> str:
    found = [one for one in ids if one.startswith(given.lower())]
    if len(found) == 1:
        return found[0]
    raise CommandFault(
        f"The segment {name} has {count_of(len(found), 'completed export')} whose id begins with {given}. "
        f"To list them: openprofiles segments history {name}"
    )


def _write_ids(file: Path, ids: Iterator[str]) -> None:
    try:
        with file.open("w", newline="", encoding="utf-8") as stream_:
            writer = csv.writer(stream_)
            writer.writerow(["ProfileId"])
            writer.writerows([one] for one in ids)
    except OSError as error:
        raise CommandFault(f"{file} cannot be written: {error.strerror}.") from error
