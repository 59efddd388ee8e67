"""SSH keys as text: pinned host keys and private keys. Nothing touches the disk."""

from __future__ import annotations

import base64
import binascii
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
        blob = base64.b64decode(text, validate=True)
        key = host_key_from_blob(blob)
        paramiko.PKey.from_type_string(kind, blob)
    except (binascii.Error, UnicodeDecodeError, paramiko.SSHException, ValueError) as error:
        raise ValueError("the host key is damaged: its base64 text is not a key") from error
    if key.algorithm != kind:
        raise ValueError(f"the host key says {kind} and contains a key of type {key.algorithm}")
    return key


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
    is_openssh = b"OPENSSH PRIVATE KEY" in data.splitlines()[0]
    load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
    secret = passphrase.encode("utf-8") or None
    try:
        try:
            return load(data, password=secret)
        except TypeError:
            # The library insists that a passphrase is given exactly where one is
            # needed; one that is not needed does no harm here.
            if secret is None:
                raise BadPrivateKey(
                    "the private key is protected by a passphrase and none is stored: "
                    "give the passphrase, or a key without one"
                ) from None
            return load(data, password=None)
    except UnsupportedAlgorithm as error:
        raise BadPrivateKey(f"the private key is of a kind that cannot be used: {error}") from error
    except ValueError as error:
        if secret is not None:
            raise BadPrivateKey(
                "the private key cannot be read: the passphrase is wrong, or the key is damaged"
            ) from error
        raise BadPrivateKey(
            "the private key cannot be read: it is damaged or incomplete"
        ) from error


def check_private_key(text: str, passphrase: str = "") -> str:
    """The public line ("TYPE BASE64") of a private key, as a person puts it into
    `authorized_keys`. Raises BadPrivateKey (a ValueError), in words."""
    return host_key_from_blob(load_private_key(text, passphrase).asbytes()).line
