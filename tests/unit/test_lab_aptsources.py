"""Whose packages the rack is built from: which entries of the host's apt sources are taken."""

from __future__ import annotations

import pytest

from lab import aptsources

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

DEB822 = f"""\
# a comment
Types: deb deb-src
URIs: http://deb.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: {KEYRING}

Types: deb
URIs: https://packages.example/node
Suites: nodistro
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""


def test_deb822_takes_the_release_and_its_updates_only() -> None:
    assert aptsources.from_deb822(DEB822) == [
        f"deb [signed-by={KEYRING}] http://deb.example/debian bookworm main",
        f"deb [signed-by={KEYRING}] http://deb.example/debian bookworm-updates main",
    ]


def test_a_key_written_out_in_the_file_is_left_to_apts_own_keyring() -> None:
    text = (
        "Types: deb\nURIs: http://a.example/debian\nSuites: bookworm-security\n"
        "Components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"
    )
    assert aptsources.from_deb822(text) == ["deb http://a.example/debian bookworm-security main"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "deb http://a.example/debian bookworm main",
            ["deb http://a.example/debian bookworm main"],
        ),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main non-free # x",
            ["deb [signed-by=/k.gpg] http://a.example/debian bookworm main"],
        ),
        ("deb cdrom:[Debian 12]/ bookworm main", []),
        ("deb-src http://a.example/debian bookworm main", []),
        ("deb http://a.example/debian bookworm contrib", []),
        ("deb http://a.example/debian trixie main", []),
        ("# deb http://a.example/debian bookworm main", []),
        ("", []),
    ],
)
def test_one_line_entries(line: str, expected: list[str]) -> None:
    assert aptsources.from_one_line(line) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ID=debian\nVERSION_CODENAME=bookworm\nNAME="Debian GNU/Linux"\n', True),
        ("ID=debian\nVERSION_CODENAME=trixie\n", False),
        ("ID=ubuntu\nVERSION_CODENAME=jammy\n", False),
        ("", False),
    ],
)
def test_only_bookworms_own_sources_are_used(text: str, expected: bool) -> None:
    assert aptsources.is_bookworm(text) is expected


def test_the_way_to_the_archive_is_handed_on_and_nothing_else() -> None:
    dump = (
        'APT::Install-Recommends "1";\n'
        'Acquire "";\n'
        'Acquire::http "";\n'
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::httpsfoo "x";\n'
        'Acquire::https::CAInfo "/etc/ssl/ca.pem";\n'
        'Acquire::Check-Date "false";\n'
        'Acquire::Languages:: "none";\n'
    )
    assert aptsources.options_from_dump(dump) == [
        'Acquire::http::Proxy "http://proxy.example:3128"',
        'Acquire::https::CAInfo "/etc/ssl/ca.pem"',
        'Acquire::Check-Date "false"',
    ]
