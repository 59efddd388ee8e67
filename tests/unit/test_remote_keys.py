"""Keys as people paste them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa

from console.remote.keys import (
    BadPrivateKey,
    check_private_key,
    host_key_from_line,
    load_private_key,
)
from tests.remote.sshd import as_text, make_key

KINDS = ["ed25519", "ecdsa", "rsa"]
FORMS = [(kind, form) for kind in KINDS for form in ("OpenSSH", "PKCS8")] + [
    ("ecdsa", "TraditionalOpenSSL"),
    ("rsa", "TraditionalOpenSSL"),
]


def public_line(text: str, directory: Path, passphrase: str = "") -> str:
    """What ssh-keygen, the independent witness, says the public line is."""
    path = directory / "key"
    path.touch(mode=0o600)
    path.write_text(text)
    done = subprocess.run(
        ["ssh-keygen", "-y", "-P", passphrase, "-f", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return " ".join(done.stdout.split()[:2])


@pytest.mark.parametrize(("kind", "form"), FORMS)
@pytest.mark.parametrize("passphrase", ["", "correct horse 漢字"])
def test_every_form_of_key_is_read(kind: str, form: str, passphrase: str, tmp_path: Path) -> None:
    key = make_key(kind)
    text = as_text(key, form, passphrase)
    plain = as_text(key, "OpenSSH")
    assert check_private_key(text, passphrase) == public_line(plain, tmp_path)
    assert load_private_key(text, passphrase).can_sign()


def test_a_pasted_key_may_have_lost_its_last_newline_or_gained_windows_ones() -> None:
    text = as_text(make_key())
    expected = check_private_key(text)
    assert check_private_key(text.rstrip()) == expected
    assert check_private_key("\n" + text + "\n\n") == expected
    assert check_private_key(text.replace("\n", "\r\n")) == expected


def test_a_passphrase_that_is_not_needed_does_no_harm() -> None:
    text = as_text(make_key())
    assert check_private_key(text, "not needed") == check_private_key(text)


def dsa_text() -> str:
    return (
        dsa.generate_private_key(2048)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


LOCKED = as_text(make_key(), passphrase="right")
WHOLE = as_text(make_key())
UNUSABLE = [
    pytest.param("", "", "not a private key", id="nothing"),
    pytest.param("ssh-ed25519 AAAA me@here", "", "not a private key", id="public-key"),
    pytest.param("hunter2", "", "not a private key", id="password"),
    pytest.param(LOCKED, "", "passphrase and none is stored", id="passphrase-missing"),
    pytest.param(LOCKED, "wrong", "passphrase is wrong", id="passphrase-wrong"),
    pytest.param(WHOLE[: len(WHOLE) // 2], "", "damaged or incomplete", id="half"),
    pytest.param(WHOLE.replace("A", "B"), "", "damaged or incomplete", id="damaged"),
    pytest.param(dsa_text(), "", "only ed25519, ECDSA and RSA", id="dsa"),
]


@pytest.mark.parametrize(("text", "passphrase", "words"), UNUSABLE)
def test_an_unusable_key_is_refused_in_words(text: str, passphrase: str, words: str) -> None:
    with pytest.raises(BadPrivateKey, match=words):
        check_private_key(text, passphrase)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fingerprint_is_the_one_that_ssh_keygen_prints(kind: str, tmp_path: Path) -> None:
    line = check_private_key(as_text(make_key(kind)))
    path = tmp_path / "key.pub"
    path.write_text(line + " someone@somewhere\n")
    said = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(path)], capture_output=True, text=True, check=True
    ).stdout
    key = host_key_from_line(line + " a comment")
    assert key.fingerprint == said.split()[1]
    assert key.line == line
    assert key.algorithm == line.split()[0]


GOOD = check_private_key(as_text(make_key())).split()[1]
BAD_LINES = [
    ("", "TYPE BASE64"),
    ("ssh-ed25519", "TYPE BASE64"),
    ("ssh-dss AAAAB3NzaC1kc3MAAACB", "not a type of host key"),
    ("ssh-ed25519 not*base64", "damaged"),
    ("ssh-ed25519 AAAA", "damaged"),
    (f"ssh-ed25519 {GOOD[:-8]}", "damaged"),
    (f"ssh-ed25519 {GOOD}AAAA", "damaged"),
    (f"ssh-rsa {GOOD}", "damaged: .* not a key of type ssh-rsa"),
]


@pytest.mark.parametrize(("line", "words"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_host_key_is_refused_in_words(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        host_key_from_line(line)
