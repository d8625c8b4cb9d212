from __future__ import annotations

import hmac
import multiprocessing
import stat
from pathlib import Path

import pytest

from openprofiles.master_key import DecryptionError, MasterKey, load_master_key
from openprofiles.settings import Settings, SettingsError

KEY = MasterKey(bytes(range(32)))


def test_what_was_encrypted_is_decrypted() -> None:
    ciphertext = KEY.encrypt("credential secret", b"hello", b"OPAAA")

    assert b"hello" not in ciphertext
    assert KEY.decrypt("credential secret", ciphertext, b"OPAAA") == b"hello"


def test_the_same_text_is_never_encrypted_to_the_same_bytes() -> None:
    assert KEY.encrypt("p", b"hello") != KEY.encrypt("p", b"hello")


@pytest.mark.parametrize(
    ("purpose", "context"), [("other", b"OPAAA"), ("credential secret", b"OPAAB"), ("credential secret", b"")]
)
def test_another_purpose_or_context_cannot_decrypt(purpose: str, context: bytes) -> None:
    ciphertext = KEY.encrypt("credential secret", b"hello", b"OPAAA")

    with pytest.raises(DecryptionError, match=f"The {purpose} cannot be decrypted"):
        KEY.decrypt(purpose, ciphertext, context)


def test_an_altered_or_cut_ciphertext_is_refused() -> None:
    ciphertext = KEY.encrypt("p", b"hello")

    for position in range(len(ciphertext)):
        altered = bytearray(ciphertext)
        altered[position] ^= 1
        with pytest.raises(DecryptionError):
            KEY.decrypt("p", bytes(altered))
        with pytest.raises(DecryptionError):
            KEY.decrypt("p", ciphertext[:position])


def test_another_master_key_cannot_decrypt() -> None:
    ciphertext = KEY.encrypt("p", b"hello")

    with pytest.raises(DecryptionError, match="master key does not belong to this store"):
        MasterKey(bytes(32)).decrypt("p", ciphertext)


def test_a_signature_holds_for_its_message_and_purpose_only() -> None:
    signature = KEY.sign("upload URL", b"job 1")

    assert len(signature) == 32
    assert KEY.verify_signature("upload URL", b"job 1", signature)
    assert not KEY.verify_signature("upload URL", b"job 2", signature)
    assert not KEY.verify_signature("other", b"job 1", signature)
    assert not KEY.verify_signature("upload URL", b"job 1", signature[:-1])


def test_the_derivation_never_changes_since_stores_depend_on_it() -> None:
    # RFC 5869 by hand: extract with an empty salt, then the first block of expand.
    extracted = hmac.digest(bytes(32), bytes(range(32)), "sha256")
    derived = hmac.digest(extracted, b"openprofiles sign: upload URL\x01", "sha256")

    assert KEY.sign("upload URL", b"job 1") == hmac.digest(derived, b"job 1", "sha256")


def test_a_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path / "data")

    first = load_master_key(settings)
    second = load_master_key(settings)

    assert second.decrypt("p", first.encrypt("p", b"x")) == b"x"
    assert stat.S_IMODE(settings.master_key_path.stat().st_mode) == 0o600
    assert len(settings.master_key_path.read_bytes()) == 32


def test_two_data_folders_have_different_keys(tmp_path: Path) -> None:
    load_master_key(Settings(data_folder=tmp_path / "a"))
    load_master_key(Settings(data_folder=tmp_path / "b"))

    assert (tmp_path / "a" / "master.key").read_bytes() != (tmp_path / "b" / "master.key").read_bytes()


def test_a_missing_key_beside_a_store_is_an_error_and_no_new_key_is_made(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path)
    settings.store_path.write_bytes(b"")

    with pytest.raises(SettingsError, match=r"The master key .* is missing, but the store .* exists"):
        load_master_key(settings)

    assert not settings.master_key_path.exists()


def test_a_file_that_is_no_key_is_an_error(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path / "data")
    load_master_key(settings)
    settings.master_key_path.write_bytes(b"short")

    with pytest.raises(SettingsError, match="has 5 bytes instead of 32"):
        load_master_key(settings)


def sign_with_key_of(folder: Path) -> bytes:
    return load_master_key(Settings(data_folder=folder)).sign("p", b"x")


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        signatures = pool.map(sign_with_key_of, [tmp_path / "data"] * 8, chunksize=1)

    assert len(set(signatures)) == 1
