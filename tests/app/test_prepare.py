"""`manage.py prepare`: the first login."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

from console.management.commands.prepare import new_password

pytestmark = pytest.mark.django_db


def prepare() -> str:
    out = StringIO()
    call_command("prepare", stdout=out, stderr=StringIO())
    return out.getvalue()


def test_an_empty_user_table_gets_a_first_login_that_works() -> None:
    (password,) = re.findall(r"First login: admin, password (\S+) ", prepare())
    user = authenticate(None, username="admin", password=password)
    assert user is not None and user == get_user_model().objects.get()
    assert user.is_superuser
    assert password not in user.password


def test_the_first_login_is_made_and_told_once() -> None:
    assert prepare()
    assert prepare() == ""
    assert get_user_model().objects.count() == 1


def test_nobody_is_made_beside_an_existing_user() -> None:
    get_user_model().objects.create_user("somebody")
    assert prepare() == ""
    assert not get_user_model().objects.filter(is_superuser=True).exists()


def test_passwords_differ_and_are_easy_to_read() -> None:
    made = {new_password() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"([a-km-np-z2-9]{4}-){3}[a-km-np-z2-9]{4}", word) for word in made)
