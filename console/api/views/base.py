"""What all of the API's views share: who asks, what they may see, and the manners of answers."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _
from django_filters import CharFilter
from rest_framework import mixins
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.serializers import BaseSerializer

from console.access import Actor, actor_of, find_visible, visible_to
from console.api import conditional, idempotency, pagination
from console.api.serializers.operations import OperationSerializer
from console.models import Operation
from console.models.fields import StampedModel


class ApiView(GenericAPIView):
    """A view of the API. `queryset` is all rows; what is read of it is what the actor may see."""

    queryset: Any = None
    #: What a list may be sorted by: public name -> a column that never is NULL.
    sorts: ClassVar[dict[str, str]] = {"id": "id"}
    default_sort = "-id"
    #: Query parameters apart from those of pages and filters.
    query_parameters: tuple[str, ...] = ()

    @property
    def actor(self) -> Actor:
        return actor_of(self.request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self._check_parameters(request)
        handler = getattr(self, "post", None)
        if request.method == "POST" and handler is not None:
            key = idempotency.key_of(request)
            if key is not None:
                vars(self)["post"] = idempotency.once(self, handler, key)

    def _check_parameters(self, request: Request) -> None:
        """A filter that is misspelt or has no value must not answer everything."""
        known = set(self.query_parameters)
        filters: dict[str, Any] = {}
        if request.method in ("GET", "HEAD") and isinstance(self, mixins.ListModelMixin):
            if filterset := getattr(self, "filterset_class", None):
                filters = filterset.base_filters
            known.update(pagination.PARAMETERS, filters)
        refused = {}
        for name, values in request.query_params.lists():
            if name not in known:
                refusal = _("There is no such parameter."), "unknown_parameter"
            elif "" in values and name in filters and not isinstance(filters[name], CharFilter):
                refusal = _("Give it a value, or leave it out."), "empty_parameter"
            else:
                continue
            refused[name] = [ErrorDetail(*refusal)]
        if refused:
            raise ValidationError(refused)

    def get_queryset(self) -> models.QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):  # the document is made for nobody
            return self.queryset.none()
        return visible_to(self.actor, self.queryset.all())

    def get_object(self) -> Any:
        """The row of the address, or 404."""
        return find_visible(self.actor, self.queryset.all(), pk=self.kwargs["pk"])

    def checked(self, serializer_class: type[BaseSerializer] | None = None) -> dict[str, Any]:
        """The request's document as values for a verb. Raises ValidationError."""
        serializer = (serializer_class or self.get_serializer_class())(
            data=self.request.data,
            partial=self.request.method == "PATCH",
            context=self.get_serializer_context(),
        )
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def document(self, row: Any, operation: Operation | None = None) -> dict[str, Any]:
        """A row as it is now, with what the list's queryset knows about it."""
        found = self.queryset.all().get(pk=row.pk)
        if operation is not None:
            found.live_operation = operation.pk
        return self.get_serializer(found).data

    def answer(self, row: Any, operation: Operation | None = None) -> Response:
        """200 with the row and its ETag."""
        return tagged(self.document(row, operation))

    def created(self, row: Any, route: str, operation: Operation | None = None) -> Response:
        """201 with the row, its address and its ETag."""
        response = tagged(self.document(row, operation), status=201)
        response["Location"] = reverse(route, args=[row.pk], request=self.request)
        return response

    def begun(self, operation: Operation) -> Response:
        """202 with the operation, and its address to wait at."""
        data = OperationSerializer(operation, context=self.get_serializer_context()).data
        return Response(data, status=202, headers={"Location": data["url"]})

    def expected_version(self, row: StampedModel) -> int | None:
        """What If-Match asks for; see `conditional`."""
        return conditional.expected_version(self.request, row)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Which methods there are is in Allow."""
        return Response(status=204)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(answer, Response) and answer.exception:
            answer.accepted_renderer = JSONRenderer()  # whatever the view speaks otherwise
        answer.setdefault("Cache-Control", "private, no-cache")
        if allowance := getattr(request._request, "evenkeel_allowance", None):
            for name, value in allowance.headers().items():
                answer[name] = value
        return answer


class ListView(mixins.ListModelMixin, ApiView):
    """GET answers a page of the visible rows."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class DetailView(ApiView):
    """GET answers one visible row, or 304 when the client has it."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        response = tagged(self.get_serializer(row).data)
        if conditional.is_unmodified(request, response["ETag"]):
            return Response(status=304, headers={"ETag": response["ETag"]})
        return response


def tagged(data: Any, status: int = 200) -> Response:
    """An answer with its ETag."""
    return Response(data, status=status, headers={"ETag": conditional.etag_of(data)})


def live_operation(target_type: str, column: str = "pk") -> Subquery:
    """For `annotate(live_operation=…)`: the operation that is under way on a row, or NULL."""
    rows = Operation.objects.live().filter(target_type=target_type, target_id=OuterRef(column))
    return Subquery(rows.values("pk")[:1])
