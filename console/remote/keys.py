"""SSH keys as text: pinned host keys and private keys. Nothing touches the disk."""

from __future__ import annotations

import base64
import hashlib
import io

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from .transport import HostKey

_KEY_CLASSES: tuple[tuple[type, type[paramiko.PKey]], ...] = (
    (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
    (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
    (rsa.RSAPrivateKey, paramiko.RSAKey),
)

#: Key types that a server may be pinned to: what paramiko can verify.
HOST_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)


class BadPrivateKey(ValueError):
    """A private key cannot be used; the words say why and what to do."""


def host_key_from_blob(blob: bytes) -> HostKey:
    """The HostKey of a public key in SSH's wire form (RFC 4253, 6.6)."""
    length = int.from_bytes(blob[:4], "big")
    algorithm = blob[4 : 4 + length].decode("ascii")
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")
    return HostKey(
        line=f"{algorithm} {base64.b64encode(blob).decode('ascii')}",
        fingerprint=f"SHA256:{digest}",
    )


def host_key_from_line(line: str) -> HostKey:
    """Read a host key as OpenSSH writes it, "TYPE BASE64" with or without a
    comment. Raises ValueError, in words."""
    fields = line.split()
    if len(fields) < 2:
        raise ValueError('a host key is written as "TYPE BASE64", as in "ssh-ed25519 AAAA…"')
    kind, text = fields[0], fields[1]
    if kind not in HOST_KEY_TYPES:
        raise ValueError(f"{kind!r} is not a type of host key that can be pinned")
    try:
        serialization.load_ssh_public_key(f"{kind} {text}".encode())
        return host_key_from_blob(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(
            f"the host key is damaged: its text is not a key of type {kind}"
        ) from error


def load_private_key(text: str, passphrase: str = "") -> paramiko.PKey:
    """Read a private key (ed25519, ECDSA or RSA; OpenSSH, PEM or PKCS#8 form).

    Raises BadPrivateKey, in words.
    """
    data = (text.strip() + "\n").encode("utf-8")
    if not data.startswith(b"-----BEGIN "):
        raise BadPrivateKey(
            "the text is not a private key: it must begin with a line like "
            '"-----BEGIN OPENSSH PRIVATE KEY-----"'
        )
    loaded = _decrypt(data, passphrase)
    for kind, key_class in _KEY_CLASSES:
        if isinstance(loaded, kind):
            # paramiko reads no PKCS#8, so it is given OpenSSH's form, in memory.
            plain = loaded.private_bytes(  # type: ignore[attr-defined]
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
            return key_class.from_private_key(io.StringIO(plain.decode("ascii")))
    raise BadPrivateKey("only ed25519, ECDSA and RSA private keys can be used")


def _decrypt(data: bytes, passphrase: str) -> object:
    try:
        return _load(data, passphrase.encode("utf-8") or None)
    except BadPrivateKey:
        raise
    except UnsupportedAlgorithm as error:
        raise BadPrivateKey(f"the private key is of a kind that cannot be used: {error}") from error
    except ValueError as error:
        words = "it is damaged or incomplete"
        if passphrase:
            words = "the passphrase is wrong, or the key is damaged"
        raise BadPrivateKey(f"the private key cannot be read: {words}") from error


def _load(data: bytes, passphrase: bytes | None) -> object:
    is_openssh = b"OPENSSH PRIVATE KEY" in data.splitlines()[0]
    load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
    try:
        return load(data, password=passphrase)
    except TypeError:
        # The library insists that a passphrase is given exactly where one is
        # needed; one that is not needed does no harm here.
        if passphrase is not None:
            return load(data, password=None)
        raise BadPrivateKey(
            "the private key is protected by a passphrase and none is stored: "
            "give the passphrase, or a key without one"
        ) from None


def check_private_key(text: str, passphrase: str = "") -> str:
    """The public line ("TYPE BASE64") of a private key, as a person puts it into
    `authorized_keys`. Raises BadPrivateKey (a ValueError), in words."""
    return host_key_from_blob(load_private_key(text, passphrase).asbytes()).line
