"""Create, list and revoke credentials, and create the administrator's first one."""

from __future__ import annotations

import base64
import json
import math
import os
import secrets
from dataclasses import dataclass
from datetime import datetime

from openprofiles.credentials.principal import check_patterns
from openprofiles.data_folder import locked_data_folder, write_private_file
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.master_key import DecryptionError, MasterKey
from openprofiles.settings import Settings, SettingsError
from openprofiles.store import job_queue, upload_jobs, webhooks
from openprofiles.store.connections import Store
from openprofiles.store.credentials import (
    StoredCredential,
    find_credential,
    has_credentials,
    insert_credential,
    list_credentials,
    lock_credentials,
    mark_revoked,
    replace_secret,
)
from openprofiles.uploads.arrival.client_token import CLIENT_TOKEN_BYTES, decrypt_client_token, encrypt_client_token
from openprofiles.uploads.failures.failed_row_cipher import decrypt_failed_rows_key, encrypt_failed_rows_key
from openprofiles.uploads.webhooks import decrypt_webhook_secret, encrypt_webhook_secret

_SECRET_PURPOSE = "credential secret"  # noqa: S105 - the name of a purpose, not a secret

_KEY_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_NAME_MAX_LENGTH = 128


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential as its owner needs it. The secret is shown now and never again."""

    access_key_id: str
    secret_access_key: str
    name: str


def create_credential(
    store: Store,
    master_key: MasterKey,
    *,
    name: str,
    actions: tuple[str, ...],
    domains: tuple[str, ...],
    requests_per_second: float | None,
    now: datetime,
) -> NewCredential:
    """Create a credential; it can be used at once.

    Args:
        actions: patterns such as ``profile:Get*``; see ``Principal``.
        domains: patterns such as ``sales-*``.
        requests_per_second: the rate it is held to, or None for none.

    Raises:
        InvalidRequest: a pattern, the name or the rate cannot be used.
    """
    check_patterns(actions, domains)
    if not name.strip() or len(name) > _NAME_MAX_LENGTH:
        raise InvalidRequest(f"The name of a credential must have 1 to {_NAME_MAX_LENGTH} characters.")
    if requests_per_second is not None and not (math.isfinite(requests_per_second) and requests_per_second > 0):
        raise InvalidRequest("The requests per second must be more than 0. Leave the option out for no limit.")
    new = _make_keys(name)
    with store.write() as connection:
        insert_credential(connection, _to_stored(new, master_key, actions, domains, requests_per_second, now))
    return new


def read_credentials(store: Store) -> list[StoredCredential]:
    """List all credentials, oldest first, including revoked ones; secrets stay encrypted."""
    with store.read() as connection:
        return list_credentials(connection)


def revoke_credential(store: Store, access_key_id: str, now: datetime) -> None:
    """Revoke a credential permanently. Running servers refuse it within a second.

    Raises:
        NotFound: there is no such credential.
    """
    with store.write() as connection:
        if find_credential(connection, access_key_id) is None:
            raise NotFound(
                f"There is no credential {access_key_id!r}. List the access key ids with: openprofiles credentials list"
            )
        mark_revoked(connection, access_key_id, now)


def ensure_admin_credential(settings: Settings, store: Store, master_key: MasterKey, now: datetime) -> None:
    """Create the administrator's credential if the store never had one; write it to a file.

    Several processes may do this at once. The file comes first: killed in between, the next start takes it from there.

    Raises:
        SettingsError: the store has credentials, and they belong to another master key.
    """
    check_master_key(settings, store, master_key)
    with store.read() as connection:
        if has_credentials(connection):
            return
    with locked_data_folder(settings):
        with store.read() as connection:
            if has_credentials(connection):
                return
        if settings.admin_credential_path.exists():
            admin = read_admin_credential(settings)
        else:
            admin = _make_keys("administrator")
            _write_admin_file(settings, admin)
        with store.write() as connection:
            # Another host may start on the same empty store.
            lock_credentials(connection)
            is_first = not has_credentials(connection)
            if is_first:
                insert_credential(connection, _to_stored(admin, master_key, ("*",), ("*",), None, now))
        if not is_first:
            settings.admin_credential_path.unlink()
    check_master_key(settings, store, master_key)


def check_master_key(settings: Settings, store: Store, master_key: MasterKey) -> None:
    """Refuse a master key that does not belong to the store.

    Raises:
        SettingsError: a stored secret cannot be decrypted.
    """
    if not is_own_key(store, master_key):
        raise SettingsError(
            f"The master key {settings.master_key_path} does not belong to the store {settings.store_name}. "
            "Restore the key that was saved with this store."
        )


def is_own_key(store: Store, master_key: MasterKey) -> bool:
    """Check that the store's secrets decrypt with this master key; true if it has no secrets."""
    return all(_can_reveal(stored, master_key) for stored in read_credentials(store)[:1])


def change_master_key(store: Store, old: MasterKey, new: MasterKey, now: datetime) -> None:
    """Encrypt with another master key what the store keeps encrypted, in one transaction.

    Servers and workers that still run have the old key, and can then read nothing. If this was done before, it changes
    nothing.

    Raises:
        InvalidRequest: a load runs, or neither key is the store's.
    """
    with store.write() as connection:
        if job_queue.is_any_leased(connection, now):
            raise InvalidRequest("An import is running on this store. Stop all its servers and workers first.")
        stored = list_credentials(connection)
        if stored and _can_reveal(stored[0], new):
            return
        try:
            for one in stored:
                secret = reveal_secret(one, old).encode()
                wrapped = new.encrypt(_SECRET_PURPOSE, secret, one.access_key_id.encode())
                replace_secret(connection, one.access_key_id, wrapped)
            for job_id, token, failed_rows_key in upload_jobs.list_job_keys(connection):
                upload_jobs.replace_job_keys(
                    connection,
                    job_id,
                    token and encrypt_client_token(new, decrypt_client_token(old, token, job_id), job_id),
                    failed_rows_key
                    and encrypt_failed_rows_key(new, decrypt_failed_rows_key(old, failed_rows_key, job_id), job_id),
                )
            for domain_id, wrapped in webhooks.list_secrets(connection):
                webhooks.replace_secret(
                    connection,
                    domain_id,
                    encrypt_webhook_secret(new, decrypt_webhook_secret(old, wrapped, domain_id), domain_id),
                )
        except DecryptionError as error:
            raise InvalidRequest("The current master key does not belong to this store.") from error


@dataclass(frozen=True, slots=True)
class LostSecrets:
    """Numbers of the items that are lost with their master key."""

    credentials: int
    webhooks: int
    jobs_ended: int
    jobs_without_file: int


def give_up_secrets(store: Store, new: MasterKey, now: datetime) -> LostSecrets:
    """Replace a lost master key, and drop what only the lost key decrypts.

    Credentials stay in the list, revoked. Webhooks and the contents of failed rows go; jobs that were started end as
    FAILED.
    """
    with store.write() as connection:
        credentials = [one for one in list_credentials(connection) if one.revoked_at is None]
        for one in list_credentials(connection):
            unknown = _make_keys(one.name).secret_access_key.encode()
            wrapped = new.encrypt(_SECRET_PURPOSE, unknown, one.access_key_id.encode())
            replace_secret(connection, one.access_key_id, wrapped)
            mark_revoked(connection, one.access_key_id, now)
        domain_ids = [domain_id for domain_id, _ in webhooks.list_secrets(connection)]
        for domain_id in domain_ids:
            webhooks.delete_webhook(connection, domain_id, now)
        jobs_ended, jobs_without_file = upload_jobs.give_up_files(connection, now)
        for job_id, token, _ in upload_jobs.list_job_keys(connection):
            fresh = token and encrypt_client_token(new, os.urandom(CLIENT_TOKEN_BYTES), job_id)
            upload_jobs.replace_job_keys(connection, job_id, fresh, None)
    return LostSecrets(len(credentials), len(domain_ids), jobs_ended, jobs_without_file)


def write_admin_credential(settings: Settings, store: Store, master_key: MasterKey, now: datetime) -> None:
    """Write a credential that may do everything into the data folder: one of the store, or else a new one."""
    usable = [
        one
        for one in read_credentials(store)
        if one.revoked_at is None and (one.actions, one.domains, one.requests_per_second) == (("*",), ("*",), None)
    ]
    if usable:
        admin = NewCredential(usable[0].access_key_id, reveal_secret(usable[0], master_key), usable[0].name)
    else:
        admin = _make_keys("administrator")
        with store.write() as connection:
            insert_credential(connection, _to_stored(admin, master_key, ("*",), ("*",), None, now))
    _write_admin_file(settings, admin)


def _write_admin_file(settings: Settings, admin: NewCredential) -> None:
    document = {"access_key_id": admin.access_key_id, "secret_access_key": admin.secret_access_key}
    write_private_file(settings.admin_credential_path, (json.dumps(document, indent=2) + "\n").encode())


def _can_reveal(stored: StoredCredential, master_key: MasterKey) -> bool:
    try:
        reveal_secret(stored, master_key)
    except DecryptionError:
        return False
    return True


def reveal_secret(stored: StoredCredential, master_key: MasterKey) -> str:
    """Decrypt the secret of a stored credential.

    Raises:
        DecryptionError: it was encrypted with another master key, or belongs to another credential.
    """
    return master_key.decrypt(_SECRET_PURPOSE, stored.secret, stored.access_key_id.encode()).decode()


def read_admin_credential(settings: Settings) -> NewCredential:
    """Read the administrator's credential that the first start wrote.

    Raises:
        SettingsError: the file is missing or cannot be read.
    """
    path = settings.admin_credential_path
    try:
        document = json.loads(path.read_bytes())
        return NewCredential(str(document["access_key_id"]), str(document["secret_access_key"]), "administrator")
    except FileNotFoundError:
        raise SettingsError(
            f"The administrator's credential is not at {path}: no server has run on this data folder, or the file was "
            "removed. Start openprofiles serve, or create a credential with openprofiles credentials create."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"The administrator's credential {path} cannot be read: {type(error).__name__}.") from None


def _make_keys(name: str) -> NewCredential:
    return NewCredential(
        access_key_id="OP" + "".join(secrets.choice(_KEY_ID_ALPHABET) for _ in range(18)),
        # 30 bytes are 40 characters of base64 without padding, the form of AWS's own secrets.
        secret_access_key=base64.b64encode(secrets.token_bytes(30)).decode(),
        name=name,
    )


def _to_stored(
    new: NewCredential,
    master_key: MasterKey,
    actions: tuple[str, ...],
    domains: tuple[str, ...],
    requests_per_second: float | None,
    now: datetime,
) -> StoredCredential:
    # The access key id as context: an encrypted secret cannot be moved to another row of the table.
    secret = master_key.encrypt(_SECRET_PURPOSE, new.secret_access_key.encode(), new.access_key_id.encode())
    return StoredCredential(new.access_key_id, new.name, secret, actions, domains, requests_per_second, now)
