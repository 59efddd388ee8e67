"""Programs' access: everybody's own tokens."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import actor_of, find_visible, visible_to
from console.actions import tokens as verbs
from console.filters import ApiTokenFilter
from console.forms.base import try_verb
from console.forms.tokens import TokenForm
from console.listing import ListOf
from console.models import ApiToken
from console.tables import TokenTable

TOKENS = ListOf(ApiTokenFilter, TokenTable, default="-id", sorts={"name": "name"})


@require_safe
def tokens(request: HttpRequest) -> HttpResponseBase:
    """The reader's tokens."""
    rows = visible_to(actor_of(request), ApiToken.objects.all())
    return TOKENS.respond(request, rows, "console/tokens.html")


@never_cache
@sensitive_variables("made")
@require_http_methods(["GET", "HEAD", "POST"])
def token_add(request: HttpRequest) -> HttpResponse:
    """A new token. The answer to the POST is the only page that shows its secret."""
    actor = actor_of(request)
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = try_verb(
            form,
            lambda: verbs.create_token(
                actor,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                expires_at=form.expires_at,
            ),
        )
        if made is not None:
            token, secret = made
            return render(request, "console/token_made.html", {"token": token, "secret": secret})
    return render(request, "console/token_form.html", {"form": form})


@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End a token at once."""
    actor = actor_of(request)
    token = verbs.revoke_token(actor, find_visible(actor, ApiToken.objects.all(), pk=pk))
    messages.success(
        request, _("%(name)s was revoked and opens nothing any more.") % {"name": token.name}
    )
    return redirect("tokens")
