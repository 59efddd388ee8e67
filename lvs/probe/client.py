"""Sends requests through a VIP and says what came of each, one line a request.

Sent whole to a machine outside on standard input of `python3 -`. It makes do with what
Debian's python3-minimal has, and takes its parameters from a first line that the console
puts in front: PARAMETERS = {"protocol", "address", "port", "requests", "timeout"}.
Each line is a Python tuple (source port, outcome, seconds, said), the last one is "end".

A TCP request connects, sends a minimal HTTP/1.0 GET and reads the first answer; a server
that speaks another protocol still counts as connected. A UDP request sends one datagram
and waits for one back. `source_port` lets the director say which real server got it.
"""

import socket
import time

PARAMETERS = globals().get("PARAMETERS", {})


def request(protocol: str, address: str, port: int, timeout: float) -> tuple:
    """One request: (source port, outcome, seconds, what the server said).

    `outcome` is answered, connected (TCP without an answer), refused, timeout or error.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    began = time.monotonic()
    outcome, said, source_port = "error", "", 0
    with socket.socket(family, kind) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect((address, port))
            source_port = sock.getsockname()[1]
            outcome = "connected" if protocol == "tcp" else "timeout"
            sock.sendall(_question(protocol, address))
            data = sock.recv(4096)
            said = data.decode("utf-8", "replace")
            outcome = "answered" if data else outcome
        except TimeoutError:
            outcome = "connected" if outcome == "connected" else "timeout"
        except ConnectionRefusedError:
            outcome = "refused"
        except OSError as error:
            said = str(error)
        source_port = source_port or sock.getsockname()[1]
    return source_port, outcome, round(time.monotonic() - began, 4), said[:500]


def _question(protocol: str, address: str) -> bytes:
    if protocol == "udp":
        return b"evenkeel\n"
    host = f"[{address}]" if ":" in address else address
    return f"GET / HTTP/1.0\r\nHost: {host}\r\nUser-Agent: evenkeel\r\n\r\n".encode()


if PARAMETERS:
    for _ in range(PARAMETERS["requests"]):
        print(
            repr(
                request(
                    PARAMETERS["protocol"],
                    PARAMETERS["address"],
                    PARAMETERS["port"],
                    PARAMETERS["timeout"],
                )
            ),
            flush=True,
        )
    print("end")
