"""From an Endpoint to a connection that is proved to be the right machine and
logged in. Every failure on the way means that nothing ran."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from enum import Enum, auto

import paramiko

from .channel import ChannelRefused, LineDead
from .keys import BadPrivateKey, host_key_from_blob, host_key_from_line, load_private_key
from .streams import BufferedSocket, Tunnel
from .transport import (
    AuthenticationRefused,
    Endpoint,
    HostKey,
    HostKeyChanged,
    HostUnreachable,
    NotPinned,
)
from .wire import Wire

#: A connection may be accepted by something in front of the machine (a NAT, a
#: booting guest's port forward) and then hang: after this share of the time we
#: hang up and dial again.
_FIRST_BANNER_SHARE = 0.25
#: Pauses (seconds) before dialling again after the machine hung up unheard, as
#: sshd does above MaxStartups.
_REDIAL_PAUSES = (0.3, 1.0)
#: Seconds without any sign of life after which the kernel gives a line up.
_DEAD_AFTER = 30
#: Seconds of silence after which SSH itself sends something, for the sake of a
#: NAT or firewall behind a jump host, where our TCP keepalive does not reach.
_KEEPALIVE = 15

#: The words of `Endpoint.secret_kind`.
_BY_KEY, _BY_PASSWORD = "key", "password"

#: AES-GCM first: half of the work of CTR with a MAC. No CBC, no SHA-1, no MD5;
#: OpenSSH has had these since 6.2 (2013).
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
_MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)

#: RFC 4254, 5.1: reason code of a refused channel.
_ADMINISTRATIVELY_PROHIBITED = 1


def require_pin(endpoint: Endpoint) -> None:
    """Raise NotPinned unless the endpoint carries a host key that can be read."""
    if not endpoint.host_key:
        raise NotPinned(
            endpoint.name,
            "no host key is pinned, so nobody can tell whether it is the right machine",
            remedy="Compare the fingerprint that the machine shows and pin its key.",
        )
    try:
        host_key_from_line(endpoint.host_key)
    except ValueError as error:
        raise NotPinned(
            endpoint.name,
            f"the pinned host key cannot be used: {error}",
            remedy="Scan the machine's key again, compare its fingerprint, and pin it.",
        ) from error


class _End(Enum):
    """How one attempt to agree on keys ended."""

    AGREED = auto()
    #: Connected, and not a word of SSH came.
    SILENT = auto()
    #: The other side hung up before it said who it is, or said something else.
    UNHEARD = auto()
    #: It spoke SSH, and then no agreement came about, or not in time.
    FAILED = auto()
    STUCK = auto()


def reach(endpoint: Endpoint, deadline: float, jump: Wire | None) -> Wire:
    """Connect and exchange keys; nothing is proved and nobody is logged in yet.

    `deadline` is monotonic. `jump` is the connection to the jump host, where
    `endpoint.via` names one. Raises HostUnreachable.
    """
    pauses = list(_REDIAL_PAUSES)
    patience = deadline - time.monotonic()
    hang_up_at = deadline - patience + max(patience * _FIRST_BANNER_SHARE, min(1.0, patience))
    while True:
        wire = Wire(_open_socket(endpoint, deadline, jump))
        _prefer(wire, endpoint)
        end, error = _negotiate(wire, hang_up_at, deadline)
        if end is _End.AGREED:
            return wire
        pause = None
        if end is _End.SILENT and time.monotonic() < deadline:
            pause, hang_up_at = 0.0, deadline
        elif end is _End.UNHEARD and pauses:
            pause = pauses.pop(0)
        if pause is None or time.monotonic() + pause >= deadline:
            raise _not_negotiated(endpoint, wire, end, error)
        time.sleep(pause)


def _negotiate(wire: Wire, hang_up_at: float, deadline: float) -> tuple[_End, Exception | None]:
    """Exchange versions until `hang_up_at` and keys until `deadline`. The
    connection is closed unless they agreed."""
    is_done = threading.Event()
    # paramiko's own limit on the first word; ours is kept here.
    wire.banner_timeout = deadline - time.monotonic() + 60
    wire.start_client(event=is_done)
    is_done.wait(max(hang_up_at - time.monotonic(), 0.0))
    if wire.remote_version:
        is_done.wait(max(deadline - time.monotonic(), 0.0))
    if not is_done.is_set():
        end = _End.STUCK if wire.remote_version else _End.SILENT
    elif wire.is_active():
        return _End.AGREED, None
    else:
        end = _End.FAILED if wire.remote_version else _End.UNHEARD
    error = wire.get_exception()
    wire.close()
    return end, error


def verify(wire: Wire, endpoint: Endpoint) -> None:
    """Raise HostKeyChanged unless the machine proved the pinned key."""
    offered = offered_key(wire)
    if offered.line != host_key_from_line(endpoint.host_key).line:
        raise HostKeyChanged(
            endpoint.name,
            f"the machine showed another host key than the pinned one: {offered.fingerprint} "
            f"({offered.algorithm}); nobody was logged in",
            offered=offered,
            remedy="Find out why before anything else: was the machine rebuilt, or does another "
            "one answer at its address? If the new key is right, pin it.",
        )


def offered_key(wire: Wire) -> HostKey:
    """The key that the machine proved to hold in the key exchange."""
    return host_key_from_blob(wire.get_remote_server_key().asbytes())


def log_in(wire: Wire, endpoint: Endpoint, deadline: float) -> None:
    """Log in with the endpoint's own credential and nothing else (no agent, no
    files). Raises AuthenticationRefused, or HostUnreachable if the line is cut."""
    wire.auth_timeout = max(deadline - time.monotonic(), 0.1)
    try:
        if endpoint.secret_kind == _BY_KEY:
            key = load_private_key(endpoint.secret, endpoint.passphrase)
            missing = wire.auth_publickey(endpoint.username, key)
        elif endpoint.secret_kind == _BY_PASSWORD:
            missing = wire.auth_password(endpoint.username, endpoint.secret)
        else:
            raise ValueError(f"unknown kind of secret: {endpoint.secret_kind!r}")
    except BadPrivateKey as error:
        raise AuthenticationRefused(
            endpoint.name, f"cannot log in: {error}", remedy="Store another key for this host."
        ) from error
    except paramiko.AuthenticationException as error:
        raise _not_logged_in(endpoint, wire, error) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _cut_in_login(endpoint) from error
    wire.set_keepalive(_KEEPALIVE)
    if missing:
        raise AuthenticationRefused(
            endpoint.name,
            f"the machine accepted the {_secret(endpoint)} of {endpoint.username!r} and wants "
            f"more: {', '.join(missing)}",
            remedy="Let this account log in with one credential (AuthenticationMethods in "
            "sshd_config).",
        )


def _open_socket(endpoint: Endpoint, deadline: float, jump: Wire | None) -> BufferedSocket | Tunnel:
    if jump is not None and endpoint.via is not None:
        return _open_tunnel(endpoint, endpoint.via, deadline, jump)
    remaining = max(deadline - time.monotonic(), 0.1)
    where = f"{endpoint.address} port {endpoint.port}"
    try:
        sock = socket.create_connection((endpoint.address, endpoint.port), remaining)
    except socket.gaierror as error:
        raise HostUnreachable(
            endpoint.name,
            f"the name {endpoint.address!r} cannot be resolved ({error.strerror})",
            remedy="Correct the host's address, or mend the DNS that the console uses.",
        ) from error
    except ConnectionRefusedError as error:
        raise HostUnreachable(
            endpoint.name,
            f"{where} refuses connections",
            remedy="Is sshd running there, and does it listen on this port?",
        ) from error
    except TimeoutError as error:
        raise HostUnreachable(
            endpoint.name,
            f"no answer from {where} within {remaining:.0f} s",
            remedy="Is the machine on, and does a firewall let the console through?",
        ) from error
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise HostUnreachable(
            endpoint.name,
            f"{where} cannot be reached: {words}",
            remedy="Check the address and the route from the console to the machine.",
        ) from error
    _set_options(sock)
    return BufferedSocket(sock)


def _set_options(sock: socket.socket) -> None:
    # Without TCP_NODELAY each small message waits for the peer's delayed
    # acknowledgement: 20 commands a second instead of hundreds.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = (
        ("TCP_KEEPIDLE", _DEAD_AFTER // 2),
        ("TCP_KEEPINTVL", _DEAD_AFTER // 6),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", _DEAD_AFTER * 1000),
    )
    for name, value in options:
        with contextlib.suppress(AttributeError, OSError):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _open_tunnel(endpoint: Endpoint, via: Endpoint, deadline: float, jump: Wire) -> Tunnel:
    where = f"{endpoint.address} port {endpoint.port}"
    try:
        return Tunnel.open(
            jump, endpoint.address, endpoint.port, max(deadline - time.monotonic(), 0.1)
        )
    except ChannelRefused as error:
        if error.reason == _ADMINISTRATIVELY_PROHIBITED:
            message = f"its jump host {via.name} forbids forwarding to {where}: {error}"
            remedy = f"Set AllowTcpForwarding (and PermitOpen) in sshd_config on {via.name}."
        else:
            message = f"its jump host {via.name} is up and cannot reach {where}: {error}"
            remedy = f"Is the machine on? Check address, port and route as seen from {via.name}."
        raise HostUnreachable(endpoint.name, message, remedy=remedy) from error
    except TimeoutError as error:
        raise HostUnreachable(
            endpoint.name,
            f"its jump host {via.name} is up and got no answer from {where} in time",
            remedy=f"Is the machine on, and does a firewall let {via.name} through?",
        ) from error
    except LineDead as error:
        raise HostUnreachable(
            endpoint.name,
            f"the connection to its jump host {via.name} was lost",
            remedy="Try again.",
        ) from error


def _prefer(wire: Wire, endpoint: Endpoint) -> None:
    """Say which algorithms we take. The pinned type of host key comes first, and
    the other types stay on the list: a machine that has lost the pinned key must
    be told from one that cannot be talked to."""
    first: tuple[str, ...] = ()
    if endpoint.host_key:
        pinned = host_key_from_line(endpoint.host_key).algorithm
        first = ("rsa-sha2-512", "rsa-sha2-256") if pinned == "ssh-rsa" else (pinned,)
    options = wire.get_security_options()
    options.ciphers = _CIPHERS
    options.digests = _MACS
    options.key_types = first + tuple(kind for kind in options.key_types if kind not in first)


def _not_negotiated(
    endpoint: Endpoint, wire: Wire, end: _End, error: Exception | None
) -> HostUnreachable:
    where = f"{endpoint.address} port {endpoint.port}"
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return _incompatible(endpoint, wire, error)
    if end is _End.SILENT:
        return HostUnreachable(
            endpoint.name,
            f"{where} accepted the connection and did not say a word of SSH",
            remedy="The machine may still be booting, or be overloaded: try again.",
        )
    if end is _End.UNHEARD:
        return HostUnreachable(
            endpoint.name,
            f"{where} does not speak SSH to us",
            said=str(error or ""),
            remedy="Is this the SSH port? sshd hangs up when it has too many logins waiting "
            "(MaxStartups) or when a filter (fail2ban, hosts.deny) refuses the console.",
        )
    words = "did not end in time" if end is _End.STUCK else "failed"
    return HostUnreachable(
        endpoint.name,
        f"{where}: the key exchange {words}",
        said=str(error or ""),
        remedy="Try again; look at sshd's log there.",
    )


def _incompatible(endpoint: Endpoint, wire: Wire, error: Exception) -> HostUnreachable:
    keys = ", ".join(wire.offered_keys) or "none"
    kex = ", ".join(wire.offered_kex) or "none"
    return HostUnreachable(
        endpoint.name,
        f"the machine ({wire.remote_version}) offers no algorithm that is still safe: host keys "
        f"{keys}; key exchanges {kex}",
        said=str(error),
        remedy="Its SSH relies on SHA-1 or other broken algorithms, which this console refuses. "
        "Update OpenSSH there to 7.2 or newer, or give it an ed25519 host key "
        "(ssh-keygen -A); where that is impossible, reach it through a jump host that you trust.",
    )


def _not_logged_in(endpoint: Endpoint, wire: Wire, error: Exception) -> HostUnreachable:
    if not wire.is_active() or "timeout" in str(error).lower():
        return _cut_in_login(endpoint)
    allowed = getattr(error, "allowed_types", [])
    remedy = (
        f"Check the user name, and put the public key of this console into "
        f"~{endpoint.username}/.ssh/authorized_keys."
        if endpoint.secret_kind == _BY_KEY
        else "Check the user name and the password, or use a key."
    )
    if allowed:
        remedy += f" The machine accepts: {', '.join(allowed)}."
    has_sha2 = "server-sig-algs" in wire.server_extensions
    if endpoint.secret_kind == _BY_KEY and not has_sha2 and _is_rsa(endpoint):
        remedy += (
            " If its sshd is older than OpenSSH 7.2 it takes RSA keys with SHA-1 only, which this "
            "console refuses: use an ed25519 or ECDSA key, or update it."
        )
    return AuthenticationRefused(
        endpoint.name,
        f"the machine refused the {_secret(endpoint)} of user {endpoint.username!r}",
        said=str(error),
        remedy=remedy,
    )


def _is_rsa(endpoint: Endpoint) -> bool:
    return load_private_key(endpoint.secret, endpoint.passphrase).get_name() == "ssh-rsa"


def _cut_in_login(endpoint: Endpoint) -> HostUnreachable:
    return HostUnreachable(
        endpoint.name,
        "the machine hung up, or fell silent, in the middle of the login",
        remedy="Try again; look at sshd's log there (MaxAuthTries, LoginGraceTime, AllowUsers).",
    )


def _secret(endpoint: Endpoint) -> str:
    return "key" if endpoint.secret_kind == _BY_KEY else "password"
