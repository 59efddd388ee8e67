"""The gate before the verbs: somebody is there, and the token reaches this far at all."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from console.api.problems import ApiProblem


class IsAuthenticatedInScope(BasePermission):
    """Reading takes the scope "read", changing takes "operate" or "admin".

    Which of them a change takes is the verb's own affair: it checks the capability.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        scopes = getattr(request.auth, "scopes", None)
        if scopes is None:
            return True
        enough = {"read"} if request.method in SAFE_METHODS else {"operate", "admin"}
        if enough.isdisjoint(scopes):
            needed = " / ".join(sorted(enough))
            raise ApiProblem(
                "insufficient-scope",
                _("This needs a token with the scope “%(scope)s”.") % {"scope": needed},
            )
        return True
