"""Errors and endpoints as values: what they carry, and what they never show."""

from __future__ import annotations

import copy
import pickle

import pytest

from console.remote.transport import (
    CommandFailed,
    Endpoint,
    Fenced,
    HostKey,
    HostKeyChanged,
    HostUnreachable,
    NotPinned,
    OutcomeUnknown,
    PrivilegeRefused,
    RemoteError,
    Result,
    TargetBusy,
)

RESULT = Result(("ipvsadm", "-R"), 2, "", "Memory allocation problem\n")
ERRORS = [
    HostUnreachable("dir1", "no answer", argv=("true",), said="x", remedy="Is it on?"),
    PrivilegeRefused("dir1", "no sudo"),
    TargetBusy("dir1", "busy"),
    NotPinned("dir1", "no pin"),
    OutcomeUnknown("dir1", "cut", argv=("reboot",)),
    CommandFailed("dir1", "no", result=RESULT),
    Fenced("dir1", "newer", result=RESULT),
    HostKeyChanged("dir1", "other key", offered=HostKey("ssh-ed25519 A", "SHA256:x"), remedy="y"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_copy_and_pickle_whole(error: RemoteError) -> None:
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert twin.__dict__ == error.__dict__


def test_codes_are_distinct() -> None:
    def kinds(of: type[RemoteError]) -> list[type[RemoteError]]:
        return [of, *(kind for child in of.__subclasses__() for kind in kinds(child))]

    public = [kind for kind in kinds(RemoteError) if kind.__module__.endswith(".transport")]
    assert len({kind.code for kind in public}) == len(public) > 10


def test_what_did_not_run_may_be_tried_again() -> None:
    """`HostUnreachable` promises that nothing ran; these two are not under it."""
    assert not issubclass(OutcomeUnknown, HostUnreachable)
    assert not issubclass(HostKeyChanged, HostUnreachable)


def test_an_endpoint_never_shows_its_secrets() -> None:
    jump = Endpoint("jump", "192.0.2.1", 22, "root", "password", "jump-secret")
    endpoint = Endpoint(
        "dir1", "192.0.2.2", 22, "root", "key", "key-secret", "phrase-secret", "pin", jump
    )
    assert "secret" not in repr(endpoint).replace("secret_kind", "")
    assert "secret" not in str(endpoint).replace("secret_kind", "")


def test_endpoints_with_other_secrets_are_other_endpoints() -> None:
    one = Endpoint("dir1", "192.0.2.2", 22, "root", "key", "a", host_key="pin")
    other = Endpoint("dir1", "192.0.2.2", 22, "root", "key", "b", host_key="pin")
    assert one != other
    assert len({one, other, Endpoint("dir1", "192.0.2.2", 22, "root", "key", "a", "", "pin")}) == 2
