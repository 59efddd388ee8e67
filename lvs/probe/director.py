"""Asks each real server alone, through the very path that its clients' packets take.

Sent whole to the director on standard input of `python3 -`; it makes do with Debian's
python3-minimal. The console puts PARAMETERS in front: see `lvs.probe.paths.director_script`.

For each real server there is a service of its own for a while, under a firewall mark that
only the sockets of this program carry. What is changed on the director is written down
first, as the commands that undo it; a second process waits for the end of this one,
whatever kills it, and runs them. So does the next probe, should both be gone.

Each line of the answer is a Python tuple, the last one is ("end",): it is printed after
everything was undone.
"""

import errno
import fcntl
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable

PARAMETERS = globals().get("PARAMETERS", {})

UNDO = "/run/evenkeel/probe.undo"
LOCK = "/run/evenkeel/probe.lock"
#: The routing table through which answers to the client's address come in here.
TABLE = "3841"
RULE = "17"
LOCK_SECONDS = 20
AT_ONCE = 16
#: <linux/socket.h>, <linux/in.h>, <linux/in6.h>, <linux/sockios.h>
SO_MARK, IP_TRANSPARENT, IPV6_TRANSPARENT, SIOCOUTQ = 36, 19, 75, 0x5411

_printing = threading.Lock()


def say(*words: object) -> None:
    """One line of the answer."""
    with _printing:
        print(repr(words), flush=True)


def run(argv: list, given: str = "", may_fail: bool = False) -> str:
    """Run a command; what it printed, with "" for a failure."""
    done = subprocess.run(argv, input=given.encode(), capture_output=True, check=False)
    if done.returncode and not may_fail:
        say("failed", " ".join(argv), done.stderr.decode("utf-8", "replace").strip()[:500])
        return ""
    return done.stdout.decode("utf-8", "replace")


def read(path: str) -> str:
    """A file of /proc, "" where it is missing."""
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def taken_lock() -> object:
    """The lock of this director's probes, or None when another one keeps it too long."""
    os.makedirs(os.path.dirname(LOCK), mode=0o700, exist_ok=True)
    lock = open(LOCK, "w")
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError:
            if time.monotonic() > until:
                return None
            time.sleep(0.2)


def undo() -> None:
    """Take back what a probe changed, as it was written down."""
    if not os.path.exists(UNDO):
        return
    subprocess.run(["sh", UNDO], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    os.remove(UNDO)


def undo_when_gone() -> Callable:
    """Start the process that undoes everything once this one ends, however it ends.

    Returns what to call when the work is done: it comes back after everything was undone.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            os.close(theirs)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nowhere, descriptor)
            os.read(ours, 1)
            undo()
        finally:
            os._exit(0)
    os.close(ours)

    def finish() -> None:
        os.close(theirs)
        os.waitpid(child, 0)

    return finish


def note(lines: list) -> None:
    """Write down how to take back what is about to be changed: the last change first."""
    before = read(UNDO).splitlines()
    with open(UNDO + ".new", "w") as file:
        file.write("\n".join([*lines, *before, ""]))
        file.flush()
        os.fsync(file.fileno())
    os.replace(UNDO + ".new", UNDO)


def routes(addresses: list) -> dict:
    """{real server: (interface, own address)} as the kernel would send to it; "" interface
    for an address of the director's own."""
    found = {}
    asked = "".join(f"route get {one}\n" for one in addresses)
    answer = run(["ip", "-o", "-force", "-batch", "-"], asked, may_fail=True)
    for line in answer.splitlines():
        words = line.split()
        is_own = words[:1] == ["local"]
        address = words[1] if is_own else words[0] if words else ""
        values = {words[i]: words[i + 1] for i in range(len(words) - 1)}
        found[address] = ("" if is_own else values.get("dev", ""), values.get("src", ""))
    return found


def mark_words(server: dict) -> str:
    """A probe's service as ipvsadm names it."""
    return f"-f {server['mark']}" + (" -6" if ":" in server["vip"] else "")


def prepare(servers: list, client: str, found: dict) -> None:
    """Put the services of the probe in place, and let the answers in."""
    devices = sorted({found[one["address"]][0] for one in servers if found[one["address"]][0]})
    direct = {found[one["address"]][0] for one in servers if one["source"] == "own"}
    for device in devices:
        accept = f"/proc/sys/net/ipv4/conf/{device}/accept_local"
        if device in direct and read(accept) == "0":
            note([f"echo 0 > '{accept}'"])
            with open(accept, "w") as file:
                file.write("1")
    family = "-6" if ":" in client else "-4"
    through = sorted(
        (found[one["address"]][0], one["address"]) for one in servers if one["source"] == "client"
    )
    rules = [
        f"rule add pref {RULE} from {address} to {client} iif {device} lookup {TABLE}"
        for device, address in dict.fromkeys(through)
        if device
    ]
    if rules:
        lines = [f"route replace local {client} dev lo table {TABLE}", *rules]
        undoing = [line.replace(" add ", " del ", 1) for line in rules]
        undoing.append(f"route del local {client} dev lo table {TABLE}")
        note([f"ip {family} {line}" for line in undoing])
        run(["ip", family, "-batch", "-"], "".join(f"{line}\n" for line in lines))
    change_sources([one for one in servers if one["full_nat"]])
    note([f"ipvsadm -D {mark_words(one)}" for one in servers])
    run(
        ["ipvsadm", "-R"],
        "".join(
            f"-A {mark_words(one)} -s rr\n-a {mark_words(one)} -r {one['server']}{one['options']}\n"
            for one in servers
        ),
    )


def change_sources(servers: list) -> None:
    """Let the director's own table of Full NAT treat the probes as it does the service. Where
    there is no such table, that is what the probe will find."""
    for server in servers:
        name = "full_nat6" if ":" in server["address"] else "full_nat4"
        element = f"inet evenkeel_lvs {name} {{ {server['mark']} . {server['address']} }}"
        note([f"nft 'delete element {element}'"])
        run(["nft", f"add element {element}"], may_fail=True)


class Probe:
    """One real server, asked three times: plainly, through the path, and with much to say."""

    def __init__(self, server: dict, protocol: str, client: str, own: str, timeout: float) -> None:
        self.server, self.protocol, self.timeout = server, protocol, timeout
        self.source = client if server["source"] == "client" else own
        self.mss = 0

    def ask(self, size: int) -> None:
        """Print what came of it."""
        server = self.server
        plain = self.once(server["address"], server["port"], through=False)
        path = self.once(server["vip"], server["vport"], through=True)
        upload = ("", 0.0, "")
        if self.protocol == "tcp" and path[0] in ("answered", "connected"):
            upload = self.once(server["vip"], server["vport"], through=True, size=size)
        say("server", server["name"], plain, path, upload, self.mss)

    def opened(self, through: bool) -> socket.socket:
        kind = socket.SOCK_DGRAM if self.protocol == "udp" else socket.SOCK_STREAM
        number = 132 if self.protocol == "sctp" else 0
        is_ipv6 = ":" in (self.server["vip"] if through else self.server["address"])
        sock = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, kind, number)
        sock.settimeout(self.timeout)
        if through:
            sock.setsockopt(socket.SOL_SOCKET, SO_MARK, self.server["mark"])
            if self.server["source"] == "client":
                level, name = (41, IPV6_TRANSPARENT) if is_ipv6 else (0, IP_TRANSPARENT)
                sock.setsockopt(level, name, 1)
            if self.source:
                sock.bind((self.source, 0))
        return sock

    def once(self, address: str, port: int, through: bool, size: int = 0) -> tuple:
        """(outcome, seconds, what was said). The outcome is answered, connected, refused,
        timeout, unreachable or error; of an upload: taken, closed or hung."""
        began = time.monotonic()
        try:
            with self.opened(through) as sock:
                if self.protocol == "tcp":
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                outcome, said = self.talk(sock, address, port, size, through)
        except OSError as error:
            outcome, said = outcome_of(error), str(error)
        return outcome, round(time.monotonic() - began, 4), said[:300]

    def talk(self, sock: socket.socket, address: str, port: int, size: int, through: bool) -> tuple:
        sock.connect((address, port))
        if through and self.protocol == "tcp":
            self.mss = offered_segment(sock)
        if size:
            return self.upload(sock, address, size)
        sock.sendall(question(self.protocol, address))
        try:
            data = sock.recv(4096)
        except TimeoutError:
            return ("timeout" if self.protocol == "udp" else "connected"), ""
        except ConnectionResetError:
            return "connected", ""
        return ("answered" if data else "connected"), data.decode("utf-8", "replace")

    def upload(self, sock: socket.socket, address: str, size: int) -> tuple:
        """Send much, and see that it is acknowledged: small packets alone prove no path."""
        body = b"e" * size
        head = question(self.protocol, address)[:-2] + f"Content-Length: {size}\r\n\r\n".encode()
        try:
            sock.sendall(head + body)
        except TimeoutError:
            return "hung", str(waiting(sock))
        except OSError:
            return "closed", ""
        until = time.monotonic() + self.timeout
        while waiting(sock):
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return "closed", ""
            if time.monotonic() > until:
                return "hung", str(waiting(sock))
            time.sleep(0.02)
        return "taken", ""


def offered_segment(sock: socket.socket) -> int:
    """The MSS that the other side announced: what the kernel makes of it, and the 12 bytes
    that it keeps for timestamps (tcp_info has the options in its sixth byte)."""
    has_timestamps = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5] & 1
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) + 12 * has_timestamps


def waiting(sock: socket.socket) -> int:
    """Bytes that the other side has not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(sock.fileno(), SIOCOUTQ, b"\0" * 4))[0]


def outcome_of(error: OSError) -> str:
    """An error of a socket in one word."""
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return "timeout"
    if error.errno in (errno.ECONNREFUSED, errno.ENOPROTOOPT, errno.EPROTO):
        return "refused"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return "unreachable"
    return "error"


def question(protocol: str, address: str) -> bytes:
    if protocol == "udp":
        return b"evenkeel\n"
    host = f"[{address}]" if ":" in address else address
    return f"GET / HTTP/1.0\r\nHost: {host}\r\nUser-Agent: evenkeel\r\n\r\n".encode()


def ask_all(probes: list, size: int) -> None:
    """Ask them all, so many at once."""
    left = list(reversed(probes))

    def work() -> None:
        while True:
            try:
                probe = left.pop()
            except IndexError:
                return
            probe.ask(size)

    threads = [threading.Thread(target=work) for _ in range(min(AT_ONCE, len(probes)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def facts(servers: list) -> None:
    """What else tells why a path does not work, and who the neighbours are."""
    for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/vs/conntrack"):
        say("setting", name, read(f"/proc/sys/net/{name}"))
    for name in sorted(os.listdir("/sys/class/net")):
        say(
            "interface",
            name,
            read(f"/sys/class/net/{name}/address"),
            read(f"/sys/class/net/{name}/mtu"),
        )
    wanted = {one["address"] for one in servers}
    for line in run(["ip", "neigh", "show"]).splitlines():
        words = line.split()
        if words[0] in wanted and "lladdr" in words:
            say("neighbour", words[0], words[words.index("lladdr") + 1])


def main(servers: list, protocol: str, client: str, timeout: float, size: int) -> None:
    lock = taken_lock()
    if lock is None:
        say("busy")
        return
    undo()
    if servers:
        finish = undo_when_gone()
        try:
            found = routes(sorted({one["address"] for one in servers}))
            for server in servers:
                found.setdefault(server["address"], ("", ""))
                device, own = found[server["address"]]
                say("route", server["address"], device, own)
                if not device:  # the director itself: no packet leaves
                    server["source"] = "own"
            prepare(servers, client, found)
            ask_all(
                [
                    Probe(server, protocol, client, found[server["address"]][1], timeout)
                    for server in servers
                ],
                size,
            )
            facts(servers)
        finally:
            finish()
    say("end")


if PARAMETERS:
    main(**PARAMETERS)
