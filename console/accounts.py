"""How accounts come to be: nobody signs up by themselves."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedSignupAdapter(DefaultAccountAdapter):
    """Accounts are made by staff or by `manage.py`, never by a visitor."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
