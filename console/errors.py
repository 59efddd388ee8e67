"""Why a verb said no. Pages and the API turn each into its own answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from console.models import Operation


class VerbRefused(Exception):
    """A verb was not carried out, and nothing changed.

    `code` is stable, `status` is the HTTP status, the message is for people.
    """

    code = "refused"
    status = 400


class Forbidden(VerbRefused):
    """The actor may see the object and may not do this to it."""

    code = "forbidden"
    status = 403

    def __init__(self, capability: str) -> None:
        super().__init__(
            _("You may not do this: your role lacks “%(capability)s”.") % {"capability": capability}
        )
        self.capability = capability


class Busy(VerbRefused):
    """Another operation holds the target."""

    code = "busy"
    status = 409

    def __init__(self, operation: Operation) -> None:
        super().__init__(
            _(
                "%(target)s is busy: operation #%(number)s is not finished."
                " Wait for it or cancel it."
            )
            % {"target": operation.target_label, "number": operation.pk}
        )
        self.operation = operation


class WrongState(VerbRefused):
    """The object is not in a state that allows this."""

    code = "wrong-state"
    status = 409


class WouldNotWork(VerbRefused):
    """What is asked cannot work where the machines stand; the message says why, and what
    would mend it."""

    code = "would-not-work"
    status = 409


class Stale(VerbRefused):
    """Somebody changed the object since it was read (If-Match, RFC 9110 13.1.1)."""

    code = "stale"
    status = 412

    def __init__(self) -> None:
        super().__init__(
            _("Somebody changed this since you read it. Read it again, then change it.")
        )
