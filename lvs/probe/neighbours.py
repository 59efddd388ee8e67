"""Asks the clients' network whose link-layer address answers for the VIP.

Sent whole to a machine there on standard input of `python3 -`, PARAMETERS in front:
{"vip", "tries", "timeout"}. Each try asks once (ARP, RFC 826, or neighbour solicitation,
RFC 4861) and hears everybody who answers, not only the fastest. No cache is touched.

Each line of the answer is a Python tuple, the last one is ("end",).
"""

import socket
import struct
import subprocess
import time

PARAMETERS = globals().get("PARAMETERS", {})

ARP, IPV6 = 0x0806, 0x86DD


def route_to(vip: str) -> tuple:
    """(interface, own address, gateway) as the kernel would send to it."""
    done = subprocess.run(["ip", "-o", "route", "get", vip], capture_output=True, check=False)
    words = done.stdout.decode().split()
    values = {words[i]: words[i + 1] for i in range(len(words) - 1)}
    return values.get("dev", ""), values.get("src", ""), values.get("via", "")


def arp_question(mac: bytes, own: str, vip: str) -> bytes:
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    body += mac + socket.inet_aton(own) + bytes(6) + socket.inet_aton(vip)
    return b"\xff" * 6 + mac + struct.pack("!H", ARP) + body


def arp_answer(frame: bytes, vip: str) -> bytes:
    """Whose address the frame says has the VIP, or nothing."""
    if len(frame) < 42 or frame[20:22] != b"\x00\x02" or frame[28:32] != socket.inet_aton(vip):
        return b""
    return frame[22:28]


def solicitation(mac: bytes, own: str, vip: str) -> bytes:
    source = socket.inet_pton(socket.AF_INET6, own)
    target = socket.inet_pton(socket.AF_INET6, vip)
    group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    said = target + b"\x01\x01" + mac
    length = 8 + len(said)
    pseudo = source + group + struct.pack("!II", length, 58)
    total = checksum(pseudo + struct.pack("!BBHI", 135, 0, 0, 0) + said)
    message = struct.pack("!BBHI", 135, 0, total, 0) + said
    header = struct.pack("!IHBB", 6 << 28, length, 58, 255) + source + group
    return b"\x33\x33" + group[12:] + mac + struct.pack("!H", IPV6) + header + message


def advertisement(frame: bytes, vip: str) -> bytes:
    """Whose address the frame advertises for the VIP, or nothing."""
    target = socket.inet_pton(socket.AF_INET6, vip)
    if len(frame) < 78 or frame[20] != 58 or frame[54] != 136 or frame[62:78] != target:
        return b""
    return frame[80:86] if frame[78:80] == b"\x02\x01" else frame[6:12]


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ask(device: str, own: str, vip: str, tries: int, timeout: float) -> None:
    """Print everybody who answers."""
    kind, question, answer = (
        (IPV6, solicitation, advertisement) if ":" in vip else (ARP, arp_question, arp_answer)
    )
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind)) as sock:
        sock.bind((device, kind))
        mac = sock.getsockname()[4]
        for number in range(tries):
            sock.send(question(mac, own, vip))
            until = time.monotonic() + timeout
            while time.monotonic() < until:
                sock.settimeout(max(0.01, until - time.monotonic()))
                try:
                    found = answer(sock.recv(2048), vip)
                except TimeoutError:
                    break
                if found:
                    print(repr(("answer", number, ":".join(f"{byte:02x}" for byte in found))))


def main(vip: str, tries: int, timeout: float) -> None:
    device, own, gateway = route_to(vip)
    print(repr(("route", device, own, gateway)))
    if device and own and not gateway:
        ask(device, own, vip, tries, timeout)
    print(repr(("end",)))


if PARAMETERS:
    main(**PARAMETERS)
