"""Find the rows that a list of changes marks as deleted: a load creates or updates their customers like any other."""

from __future__ import annotations

from openprofiles.bulk.scratch import ScratchCursor
from openprofiles.facts.sql_text import sql_text
from openprofiles.uploads.loading.noticed_values import count_loaded_rows
from openprofiles.uploads.mappings.header_names import words_of
from openprofiles.uploads.mappings.header_words import CHANGES, DELETIONS
from openprofiles.uploads.mappings.upload_mapping import UploadMapping
from openprofiles.uploads.notices import DELETED_ROWS, Notice

# In English, German, French, Spanish and Italian.
_CHANGES = (
    "i ins insert inserted c create created a add added n new u upd update updated ch chg change changed m mod modify "
    "modified upsert r read update_preimage update_postimage active inactive unchanged "
    "neu angelegt eingefügt hinzugefügt geändert aktualisiert ajout ajouté créé modifié nouveau "
    "alta nuevo añadido creado modificado actualizado nuovo creato modificato aggiornato"
)
_DELETIONS = (
    "d del delete deleted remove removed purge purged gelöscht löschen entfernt "
    "suppression supprimé supprimée baja eliminado borrado eliminato cancellato"
)
YES, NO = "true t yes y 1 x ja j oui o sí si s sim tak", "false f no n 0 nein non não nao nee nie"


def find_deleted_rows(scratch: ScratchCursor, mapping: UploadMapping) -> list[Notice]:
    """Count the rows by field, if all of its values say how a row has changed; the plan must be made."""
    if mapping.matches_group:
        return []
    notices: list[Notice] = []
    for index, field in enumerate(mapping.fields):
        name = "".join(words_of(field.header))
        if field is mapping.unique_key or name not in CHANGES | DELETIONS:
            continue
        words = (_DELETIONS, _CHANGES) if name in CHANGES else (YES, NO)
        is_deleted, is_other = (f"lower(v{index}) in ({', '.join(map(sql_text, some.split()))})" for some in words)
        is_strange = f"v{index} <> '' and not {is_deleted} and not {is_other}"
        if not scratch.value(f"select exists (select 1 from staged where {is_strange})"):
            is_loaded = f"{is_deleted} and key is not null"
            notices += count_loaded_rows(scratch, DELETED_ROWS, field.path, "staged", is_loaded)
    return notices
