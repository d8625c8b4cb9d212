"""The configuration of a domain: its settings other than name, tags and expiration.

It is a document in the API's own form, with the members ``DefaultEncryptionKey``, ``DeadLetterQueueUrl``, ``Matching``,
``RuleBasedMatching`` and ``DataStore``, each of them optional. The form of each member is checked by the
service model; here stand the rules between members.

openprofiles keeps and returns it. Nothing acts on it in this version: profiles are not matched, nothing is
written to a queue, values are encrypted by the disk they lie on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openprofiles.errors import InvalidRequest

Config = Mapping[str, Any]

_CLEARABLE_MEMBERS = ("DefaultEncryptionKey", "DeadLetterQueueUrl")
_DOCUMENT_MEMBERS = ("Matching", "RuleBasedMatching", "DataStore")
CONFIG_MEMBERS = _CLEARABLE_MEMBERS + _DOCUMENT_MEMBERS


def new_config(given: Config) -> dict[str, Any]:
    """Build the configuration of a new domain; an empty text counts as absent.

    Raises:
        InvalidRequest: members contradict each other; the message names them.
    """
    _check(given)
    config = {member: given[member] for member in CONFIG_MEMBERS if given.get(member) not in (None, "")}
    # "A new domain skips PENDING" (service model, RuleBasedMatchingStatus).
    return config | _with_status(config, "ACTIVE")


def changed_config(config: Config, given: Config) -> dict[str, Any]:
    """Apply an update to a configuration: a given member replaces the old one, an empty text removes it.

    Raises:
        InvalidRequest: members contradict each other, or the data store would be switched off.
    """
    _check(given)
    if "DataStore" in given and _is_enabled(config.get("DataStore")) and not _is_enabled(given["DataStore"]):
        # Source: admin guide, "Enable Customer Profiles": it cannot be switched off.
        raise InvalidRequest("DataStore.Enabled: the data store of a domain cannot be switched off once it is on.")
    changed = {member: given[member] for member in CONFIG_MEMBERS if member in given}
    # With rules that are new to a domain that has profiles, the status waits for the first evaluation.
    merged = {**config, **changed, **_with_status(changed, "PENDING")}
    return {member: value for member, value in merged.items() if value != ""}


def _is_enabled(document: Config | None) -> bool:
    return bool(document and document.get("Enabled"))


def _with_status(config: Config, status: str) -> dict[str, Any]:
    matching = config.get("RuleBasedMatching")
    return {"RuleBasedMatching": {**matching, "Status": status}} if matching and _is_enabled(matching) else {}


def _check(given: Config) -> None:
    rules = given.get("RuleBasedMatching") or {}
    _check_levels(rules)
    _check_conflict_resolution("RuleBasedMatching.ConflictResolution", rules.get("ConflictResolution"))
    merging = (given.get("Matching") or {}).get("AutoMerging") or {}
    _check_conflict_resolution("Matching.AutoMerging.ConflictResolution", merging.get("ConflictResolution"))


def _check_levels(rules: Config) -> None:
    # The reference (7.3) infers the first rule; the second follows from what a level is.
    merging = rules.get("MaxAllowedRuleLevelForMerging")
    matching = rules.get("MaxAllowedRuleLevelForMatching")
    if merging is not None and matching is not None and merging > matching:
        raise InvalidRequest(
            f"RuleBasedMatching.MaxAllowedRuleLevelForMerging is {merging}, above MaxAllowedRuleLevelForMatching, "
            f"which is {matching}. Profiles merge only at levels at which they match."
        )
    if rules.get("MatchingRules") is None:
        return
    rule_count = len(rules["MatchingRules"])
    for member, level in (("Matching", matching), ("Merging", merging)):
        if level is not None and level > rule_count:
            raise InvalidRequest(
                f"RuleBasedMatching.MaxAllowedRuleLevelFor{member} is {level}, but MatchingRules has only {rule_count}."
            )


def _check_conflict_resolution(path: str, resolution: Config | None) -> None:
    if resolution and resolution.get("ConflictResolvingModel") == "SOURCE" and not resolution.get("SourceName"):
        raise InvalidRequest(f"{path}.SourceName is required when ConflictResolvingModel is SOURCE.")
