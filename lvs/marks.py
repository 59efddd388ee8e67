"""Firewall marks that the console gives to services: one each, kept for its life."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from console import changes
from lvs import planned
from lvs.models import Director, VirtualService
from lvs.models.virtual_services import GIVEN_MARKS

FIRST_MARK, LAST_MARK = GIVEN_MARKS[0], GIVEN_MARKS[-1]


def settle(service: VirtualService) -> bool:
    """Give the service a mark where it needs one, take it where it does not; whether that
    changed it. Call inside the transaction that saves it. Raises ValidationError when the
    director has none left."""
    if service.is_marked == (service.fwmark is not None):
        return False
    service.fwmark = _free_mark(changes.lock(service.director)) if service.is_marked else None
    return True


def _free_mark(director: Director) -> int:
    """The mark after the highest one that was given, so that a mark comes back late; the
    lowest free one when the range is used up."""
    declared = director.virtual_services.filter(fwmark__range=(FIRST_MARK, LAST_MARK))
    taken = {mark for mark in declared.values_list("fwmark", flat=True) if mark is not None}
    seen = (key.fwmark for key in planned.observed_table(director))
    taken |= {mark for mark in seen if FIRST_MARK <= mark <= LAST_MARK}
    following = max(taken, default=FIRST_MARK - 1) + 1
    if following <= LAST_MARK:
        return following
    free = next((mark for mark in range(FIRST_MARK, LAST_MARK + 1) if mark not in taken), None)
    if free is None:
        raise ValidationError(
            {
                "matching": ValidationError(
                    _("%(director)s has no firewall mark left.") % {"director": director},
                    code="no_mark_left",
                )
            }
        )
    return free
