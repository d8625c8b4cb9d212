"""The kinds of definitions that have ARNs, by the part of the ARN that names the kind."""

from __future__ import annotations

from collections.abc import Mapping

from openprofiles.calculated.definitions import CALCULATED
from openprofiles.definitions.definitions import DefinitionKind
from openprofiles.definitions.layouts import LAYOUT
from openprofiles.objects.domain_object_types import DOMAIN_OBJECT_TYPE
from openprofiles.objects.type_definitions import OBJECT_TYPE
from openprofiles.segments.definitions import SEGMENT

KINDS = (LAYOUT, OBJECT_TYPE, DOMAIN_OBJECT_TYPE, CALCULATED, SEGMENT)

KIND_OF_ARN_PART: Mapping[str, DefinitionKind] = {kind.arn_part: kind for kind in KINDS if kind.arn_part is not None}
