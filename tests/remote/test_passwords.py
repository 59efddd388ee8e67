"""Logging in by password."""

from __future__ import annotations

import pytest

from console.remote.ssh import connect
from console.remote.transport import AuthenticationRefused, Endpoint
from tests.remote.password_server import PasswordServer


@pytest.mark.parametrize(
    "methods", ["password", "keyboard-interactive", "publickey,keyboard-interactive"]
)
@pytest.mark.parametrize("password", ["right", "pass phrase 漢字 'quoted'"])
def test_a_password_logs_in(methods: str, password: str) -> None:
    """Also where the server calls the same thing "keyboard-interactive"."""
    with (
        PasswordServer(methods=methods, password=password) as server,
        connect(server.endpoint(password)) as connection,
    ):
        assert connection.run(("true",)).stdout == "ok\n"


@pytest.mark.parametrize("methods", ["password", "keyboard-interactive"])
def test_a_wrong_password_is_refused(methods: str) -> None:
    with (
        PasswordServer(methods=methods) as server,
        pytest.raises(AuthenticationRefused, match="refused the password of user") as caught,
    ):
        connect(server.endpoint("hunter2"))
    assert "hunter2" not in repr(vars(caught.value))
    assert "use a key" in caught.value.remedy


def test_a_machine_that_wants_a_second_factor_is_told_so() -> None:
    with (
        PasswordServer(methods="password,publickey", wants_more=True) as server,
        pytest.raises(AuthenticationRefused, match="wants more: password, publickey") as caught,
    ):
        connect(server.endpoint())
    assert "AuthenticationMethods" in caught.value.remedy


def test_an_unknown_kind_of_secret_is_a_mistake_of_ours() -> None:
    with PasswordServer() as server:
        endpoint = server.endpoint()
        odd = Endpoint(
            *(endpoint.name, endpoint.address, endpoint.port, endpoint.username),
            secret_kind="certificate",
            secret="x",
            host_key=endpoint.host_key,
        )
        with pytest.raises(ValueError, match="unknown kind of secret"):
            connect(odd)
