"""The tables `channels` and `credentials`. Secrets are encrypted here and decrypted here, nowhere else.

A channel's `document` holds every setting but the name, provider and base URL. What may hide a secret, the proxy's
password and added headers, lies in it encrypted, under `sealed`.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update

from anygate.canonical.channel import Channel, Credential, Secret, Timeouts
from anygate.storage.crypto import Cipher
from anygate.storage.engine import Reading
from anygate.storage.revision import Change
from anygate.storage.schema import channels, credentials


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """One channel with its switches. `document` as in the table, its sealed part still encrypted."""

    id: int
    name: str
    provider: str
    base_url: str
    document: Mapping[str, Any]
    disabled: bool
    removed: bool
    source: str
    created_ms: int


def _stored(row: Row[Any]) -> StoredChannel:
    return StoredChannel(
        id=row.id,
        name=row.name,
        provider=row.provider,
        base_url=row.base_url,
        document=row.document,
        disabled=row.disabled,
        removed=row.removed,
        source=row.source,
        created_ms=row.created_ms,
    )


def list_channels(connection: Reading, *, removed: bool = False) -> list[StoredChannel]:
    """Channels in the order they were made."""
    query = select(channels).order_by(channels.c.id)
    return [_stored(row) for row in connection.execute(query if removed else query.where(~channels.c.removed))]


def find_channel(connection: Reading, name: str) -> StoredChannel | None:
    """The channel of a name, removed or not."""
    row = connection.execute(select(channels).where(channels.c.name == name)).first()
    return None if row is None else _stored(row)


def count_credentials(connection: Reading) -> dict[int, int]:
    """Channel id -> how many keys it has."""
    counts: dict[int, int] = {}
    for channel_id in connection.execute(select(credentials.c.channel_id).where(credentials.c.retired_ms.is_(None))):
        counts[channel_id[0]] = counts.get(channel_id[0], 0) + 1
    return counts


def store_channel(change: Change, channel: Channel, cipher: Cipher, source: str) -> bool:
    """Make the row of `channel.name` say what `channel` says; a removed one is back.

    Returns:
        Whether anything changed. Switches set by hand stay.
    """
    found = find_channel(change.connection, channel.name)
    plain, sealed = _split(channel)
    columns = {"provider": channel.provider, "base_url": channel.base_url, "removed": False, "source": source}
    if found is None:
        document = {**plain, **_seal(sealed, channel.name, cipher)}
        row = {**columns, "name": channel.name, "document": document, "disabled": False, "created_ms": change.now_ms}
        channel_id = int(change.connection.execute(insert(channels).values(row).returning(channels.c.id)).scalar_one())
        change.bump()
        _store_credentials(change, channel_id, channel.credentials, cipher)
        return True
    kept = {name: value for name, value in found.document.items() if name != "sealed"}
    held = (found.provider, found.base_url, found.removed, found.source)
    changed = held != (channel.provider, channel.base_url, False, source)
    if changed or kept != plain or not _is_sealed(found.document, sealed, cipher):
        document = {**plain, **_seal(sealed, channel.name, cipher)}
        _update(change, found.id, document=document, **columns)
        changed = True
    return _store_credentials(change, found.id, channel.credentials, cipher) or changed


def switch_channel(change: Change, channel_id: int, *, disabled: bool) -> None:
    """Switch by hand; what is off stays off."""
    _update(change, channel_id, disabled=disabled)


def remove_channel(change: Change, channel_id: int) -> None:
    """No request uses it any more; the row and its credentials stay for logs and tasks."""
    _update(change, channel_id, removed=True)


def _update(change: Change, channel_id: int, **values: Any) -> None:
    change.connection.execute(update(channels).where(channels.c.id == channel_id).values(values))
    change.bump()


def _store_credentials(change: Change, channel_id: int, wanted: Iterable[Credential], cipher: Cipher) -> bool:
    """Rows are immutable: a secret that stays keeps its row, a new one gets a row, one that is gone is retired."""
    active = (credentials.c.channel_id == channel_id) & credentials.c.retired_ms.is_(None)
    rows = {row.position: row for row in change.connection.execute(select(credentials).where(active))}
    changed = False
    for position, credential in enumerate(wanted):
        plain = _credential_bytes(credential)
        row = rows.pop(position, None)
        if row is not None and cipher.recognises(bytes(row.fingerprint), plain):
            continue
        if row is not None:
            _retire(change, row.id)
        fresh = {
            "channel_id": channel_id,
            "position": position,
            "ciphertext": cipher.encrypt(plain, _credential_row(channel_id, position)),
            "fingerprint": cipher.fingerprint(plain),
            "created_ms": change.now_ms,
        }
        change.connection.execute(insert(credentials).values(fresh))
        changed = True
    for row in rows.values():
        _retire(change, row.id)
        changed = True
    if changed:
        change.bump()
    return changed


def _retire(change: Change, credential_id: int) -> None:
    change.connection.execute(
        update(credentials).where(credentials.c.id == credential_id).values(retired_ms=change.now_ms)
    )


def load_channels(connection: Reading, cipher: Cipher) -> tuple[Channel, ...]:
    """The channels that are switched on, complete and decrypted.

    Raises:
        anygate.storage.crypto.SecretKeyError: a secret cannot be decrypted.
    """
    keys: dict[int, list[Credential]] = {}
    usable = select(credentials).where(credentials.c.retired_ms.is_(None)).order_by(credentials.c.position)
    for row in connection.execute(usable):
        keys.setdefault(row.channel_id, []).append(_open_credential(row, cipher))
    stored = [channel for channel in list_channels(connection) if not channel.disabled]
    return tuple(decode_channel(channel, keys.get(channel.id, ()), cipher) for channel in stored)


def load_channel(connection: Reading, stored: StoredChannel, cipher: Cipher) -> Channel:
    """One channel, complete and decrypted, even if it is switched off."""
    active = (credentials.c.channel_id == stored.id) & credentials.c.retired_ms.is_(None)
    rows = connection.execute(select(credentials).where(active).order_by(credentials.c.position))
    return decode_channel(stored, [_open_credential(row, cipher) for row in rows], cipher)


def rewrap(change: Change, cipher: Cipher) -> int:
    """Encrypt with the first key what an older one encrypted, so that the older can be given up; returns how many."""
    count = 0
    for row in change.connection.execute(select(credentials)).all():
        if not cipher.is_current(bytes(row.ciphertext)):
            name = _credential_row(row.channel_id, row.position)
            plain = cipher.decrypt(bytes(row.ciphertext), name)
            values = {"ciphertext": cipher.encrypt(plain, name), "fingerprint": cipher.fingerprint(plain)}
            change.connection.execute(update(credentials).where(credentials.c.id == row.id).values(values))
            count += 1
    for stored in list_channels(change.connection, removed=True):
        held = stored.document.get("sealed")
        if held is not None and not cipher.is_current(b64decode(held["data"])):
            sealed = json.loads(cipher.decrypt(b64decode(held["data"]), _sealed_row(stored.name)))
            document = {**stored.document, **_seal(sealed, stored.name, cipher)}
            change.connection.execute(update(channels).where(channels.c.id == stored.id).values(document=document))
            count += 1
    return count


def _credential_row(channel_id: int, position: int) -> str:
    return f"credentials:{channel_id}:{position}"


def _sealed_row(channel_name: str) -> str:
    return f"channels:{channel_name}"


def _credential_bytes(credential: Credential) -> bytes:
    values = {name: value.reveal() for name, value in sorted(credential.values.items())}
    return json.dumps(values).encode()


def _open_credential(row: Row[Any], cipher: Cipher) -> Credential:
    plain = cipher.decrypt(bytes(row.ciphertext), _credential_row(row.channel_id, row.position))
    return Credential(row.id, {name: Secret(value) for name, value in json.loads(plain).items()})


_COLUMNS = ("id", "name", "provider", "base_url", "credentials")
_SEALED = ("proxy", "headers")


def _split(channel: Channel) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document, as JSON gives it back, and the part of it that is sealed."""
    fields = {name: getattr(channel, name) for name in Channel.__slots__ if name not in _COLUMNS}
    fields["timeouts"] = asdict(channel.timeouts)
    plain = json.loads(json.dumps({name: value for name, value in fields.items() if name not in _SEALED}))
    return plain, {name: fields[name] for name in _SEALED if fields[name]}


def _seal(sealed: Mapping[str, Any], channel_name: str, cipher: Cipher) -> dict[str, Any]:
    if not sealed:
        return {}
    plain = json.dumps(sealed, sort_keys=True).encode()
    data = b64encode(cipher.encrypt(plain, _sealed_row(channel_name))).decode()
    return {"sealed": {"data": data, "fingerprint": cipher.fingerprint(plain).hex()}}


def _is_sealed(document: Mapping[str, Any], sealed: Mapping[str, Any], cipher: Cipher) -> bool:
    held = document.get("sealed")
    if held is None or not sealed:
        return held is None and not sealed
    return cipher.recognises(bytes.fromhex(held["fingerprint"]), json.dumps(sealed, sort_keys=True).encode())


def decode_channel(stored: StoredChannel, keys: Iterable[Credential], cipher: Cipher) -> Channel:
    """A stored channel with its decrypted credentials."""
    document = dict(stored.document)
    held = document.pop("sealed", None)
    if held is not None:
        document.update(json.loads(cipher.decrypt(b64decode(held["data"]), _sealed_row(stored.name))))
    document["timeouts"] = Timeouts(**document["timeouts"])
    for name in ("models", "protocols", "groups", "tags", "drop_body"):
        document[name] = tuple(document[name])
    return Channel(
        id=stored.id,
        name=stored.name,
        provider=stored.provider,
        base_url=stored.base_url,
        credentials=tuple(keys),
        **document,
    )
