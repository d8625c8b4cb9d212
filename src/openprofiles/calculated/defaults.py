"""The calculated attributes that every domain has from the beginning.

They can be deleted permanently, and others can be created under their names. Their definitions have no times, as in
AWS. ``_lifetime_value_high`` and ``_lifetime_value_low`` are missing, since AWS does not say from which value on they
hold.

Source: administrator guide, "Default calculated attributes".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TIME_DIFFERENCE = "TIME_DIFFERENCE_FROM_NOW"

_HOLD_TIME = "{CTR.agent.customerHoldDurationMillis} + {CTR.queue.durationMillis}"
_RECORD = "{_communicationRecord.CommunicationRecordId}"


def _definition(
    statistic: str,
    expression: str,
    *,
    days: int | None = None,
    threshold: tuple[str, str] | None = None,
    filter_by: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    names = [part.partition("}")[0] for part in expression.split("{")[1:]]
    conditions: dict[str, Any] = {}
    if days is not None:
        conditions["Range"] = {"Value": days, "Unit": "DAYS"}
    if threshold is not None:
        conditions["Threshold"] = {"Operator": threshold[0], "Value": threshold[1]}
    made: dict[str, Any] = {
        "AttributeDetails": {
            "Attributes": [{"Name": name.partition(".")[2]} for name in names],
            "Expression": expression,
        },
        "Statistic": statistic,
    }
    if conditions:
        made["Conditions"] = conditions
    if filter_by is not None:
        tests = {name: {"DimensionType": "INCLUSIVE", "Values": [value]} for name, value in filter_by.items()}
        made["Filter"] = {
            "Include": "ALL",
            "Groups": [{"Type": "ALL", "Dimensions": [{"Attributes": tests}]}],
        }
    return made


def _communication(event: str, channel: str | None = None) -> dict[str, str]:
    return {"EventType": event} | ({} if channel is None else {"Channel": channel})


DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "_most_frequent_channel": _definition("MAX_OCCURRENCE", "{CTR.channel}", days=30),
    "_last_channel": _definition("LAST_OCCURRENCE", "{CTR.channel}"),
    "_last_agent_id": _definition("LAST_OCCURRENCE", "{CTR.agent.id}"),
    "_frequent_caller": _definition("COUNT", "{CTR.contactId}", days=30, threshold=("GREATER_THAN", "5")),
    "_average_hold_time": _definition("AVERAGE", _HOLD_TIME, days=30),
    "_average_call_duration": _definition("AVERAGE", "{CTR.disconnectTimestamp} - {CTR.initiationTimestamp}", days=30),
    "_maximum_hold_time": _definition("MAXIMUM", _HOLD_TIME, days=30),
    "_call_count": _definition("COUNT", "{CTR.contactId}", days=7),
    "_new_customer": _definition(TIME_DIFFERENCE, "{_profile.createdAt}", threshold=("LESS_THAN", "30")),
    "_assets_count": _definition("COUNT", "{_asset.AssetId}"),
    "_assets_price_sum": _definition("SUM", "{_asset.Price}"),
    "_assets_price_average": _definition("AVERAGE", "{_asset.Price}"),
    "_asset_first_occurrence": _definition("FIRST_OCCURRENCE", "{_asset.PurchaseDate}"),
    "_asset_last_occurrence": _definition("LAST_OCCURRENCE", "{_asset.PurchaseDate}"),
    "_assets_name_first_occurrence": _definition("FIRST_OCCURRENCE", "{_asset.AssetName}"),
    "_assets_name_last_occurrence": _definition("LAST_OCCURRENCE", "{_asset.AssetName}"),
    "_cases_count": _definition("COUNT", "{_case.CaseId}"),
    "_case_first_occurrence": _definition("FIRST_OCCURRENCE", "{_case.CreatedDate}"),
    "_case_last_occurrence": _definition("LAST_OCCURRENCE", "{_case.CreatedDate}"),
    "_cases_open_status_count": _definition("COUNT", "{_case.CaseId}", filter_by={"Status": "Open"}),
    "_cases_closed_status_count": _definition("COUNT", "{_case.CaseId}", filter_by={"Status": "Closed"}),
    "_campaign_email_last_open": _definition(
        "LAST_OCCURRENCE",
        "{_communicationRecord.Events.Open.UpdatedDate}",
        filter_by=_communication("Open", "connect:Email"),
    ),
    "_campaign_email_open_count": _definition("COUNT", _RECORD, filter_by=_communication("Open", "connect:Email")),
    "_campaign_email_delivery_count": _definition(
        "COUNT", _RECORD, filter_by=_communication("Delivery", "connect:Email")
    ),
    "_campaign_sms_delivery_count": _definition(
        "COUNT", _RECORD, filter_by=_communication("TEXT_DELIVERED", "connect:SMS")
    ),
    "_campaign_sms_last_stop": _definition(
        "LAST_OCCURRENCE",
        "{_communicationRecord.Events.TEXT_BLOCKED.UpdatedDate}",
        filter_by=_communication("TEXT_BLOCKED", "connect:SMS"),
    ),
    "_campaign_sms_last_stop_carrier": _definition(
        "LAST_OCCURRENCE",
        "{_communicationRecord.Events.TEXT_CARRIER_BLOCKED.UpdatedDate}",
        filter_by=_communication("TEXT_CARRIER_BLOCKED", "connect:SMS"),
    ),
    "_orders_count": _definition("COUNT", "{_order.OrderId}"),
    "_orders_total_price_sum": _definition("SUM", "{_order.TotalPrice}"),
    "_orders_total_price_average": _definition("AVERAGE", "{_order.TotalPrice}"),
    "_order_first_occurrence": _definition("FIRST_OCCURRENCE", "{_order.CreatedDate}"),
    "_order_last_occurrence": _definition("LAST_OCCURRENCE", "{_order.CreatedDate}"),
}
