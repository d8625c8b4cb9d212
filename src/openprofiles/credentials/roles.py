"""Name the actions that a credential can allow, and the roles that bundle them."""

from __future__ import annotations

from collections.abc import Mapping

# Not profile:Get*: with GetUploadJobPath a program can replace the file of a waiting job.
_VIEWER = (
    "profile:BatchGetCalculatedAttributeForProfile",
    "profile:BatchGetProfile",
    # It counts, and changes nothing.
    "profile:CreateSegmentEstimate",
    "profile:DetectProfileObjectType",
    "profile:GetCalculatedAttributeDefinition",
    "profile:GetCalculatedAttributeForProfile",
    "profile:GetDomain",
    "profile:GetDomainLayout",
    "profile:GetDomainObjectType",
    "profile:GetObjectTypeAttributeStatistics",
    "profile:GetProfileHistoryRecord",
    "profile:GetProfileObjectType",
    "profile:GetProfileObjectTypeTemplate",
    "profile:GetSegmentDefinition",
    "profile:GetSegmentEstimate",
    "profile:GetSegmentMembership",
    "profile:GetSegmentSnapshot",
    "profile:GetSegmentSubscription",
    "profile:GetUploadJob",
    "profile:List*",
    "profile:SearchProfiles",
    "openprofiles:ExplainObject",
    "openprofiles:GetDeadLetter",
    "openprofiles:GetLineage",
)
_LOADER = (
    *_VIEWER,
    "profile:CreateUploadJob",
    "profile:GetUploadJobPath",
    "profile:StartUploadJob",
    "profile:StopUploadJob",
    "profile:BatchPutProfileObject",
    "profile:PutProfileObject",
    "openprofiles:RetryDeadLetter",
    "openprofiles:SetUploadJobOptions",
    "openprofiles:PreviewUploadJob",
    "openprofiles:UndoUploadJob",
    "openprofiles:PutMapping",
    "openprofiles:DeleteMapping",
)

ROLES: Mapping[str, tuple[str, ...]] = {"viewer": _VIEWER, "loader": _LOADER, "admin": ("*",)}
