"""The states of subscriptions to segments."""

from __future__ import annotations

from enum import StrEnum


class SubscriptionStatus(StrEnum):
    """The state of a subscription, in AWS's words."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


# The segment is followed.
ACTIVE = (SubscriptionStatus.STARTING, SubscriptionStatus.RUNNING)


def is_followed_sql(domain_id: int) -> str:
    """Write the query that has a row if a segment of the domain is followed."""
    states = ", ".join(f"'{status}'" for status in ACTIVE)
    return f"select 1 from segment_subscription where domain_id = {domain_id} and status in ({states}) limit 1"
