"""The OpenAPI document, and whether every answer is what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
import yaml
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from console.api.problem_types import PROBLEM_TYPES
from console.api.views.meta import openapi
from tests import factories
from tests.access.scene import Scene, make_scene
from tests.conftest import Cast

Api = Callable[..., APIClient]

#: Every part of the document is asked in a test of its own.
TAGS = [
    "alerts",
    "audit-events",
    "cascades",
    "credentials",
    "directors",
    "hosts",
    "me",
    "operations",
    "prepared-servers",
    "problem-types",
    "real-servers",
    "tenants",
    "tokens",
    "virtual-services",
]
#: Which of the scene a path or a document can name.
ROWS = {
    "alerts": "alert",
    "audit-events": "event",
    "credentials": "credential",
    "directors": "director",
    "hosts": "host",
    "operations": "failed",
    "real-servers": "server",
    "tenants": "tenant",
    "virtual-services": "service",
}
RELATED = {"credential": "credential", "director": "director", "host": "free_host"}


@pytest.fixture
def scene(cast: Cast) -> Scene:
    return make_scene(cast)


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """Requests over WSGI close what looks like an old connection: here it is the test's."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def point_at(case: Case, scene: Scene, tag: str) -> None:
    """Let a right case be about rows that there are."""
    if "id" in case.path_parameters and tag in ROWS:
        case.path_parameters["id"] = scene.pk(ROWS[tag])
    if "username" in case.path_parameters:
        case.path_parameters["username"] = "ray"
    if isinstance(case.body, dict):
        for name in RELATED.keys() & case.body.keys():
            case.body[name] = scene.pk(RELATED[name])


def is_right(case: Case) -> bool:
    """Whether the whole case is as the document wants it."""
    return case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE


@pytest.mark.usefixtures("kept_connection")
@pytest.mark.parametrize("tag", TAGS)
def test_every_answer_is_what_the_document_says(tag: str, scene: Scene) -> None:
    """Right and wrong requests of any kind: no failure, no answer that is not documented.

    What a document cannot say (a row that has to exist, a key that has to open) may still
    be refused.
    """
    schema = schemathesis.openapi.from_dict(openapi("en"))
    schema.app = get_wsgi_application()
    _, secret = factories.token_of(scene.cast.administrator)
    asked = 0

    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.tags != [tag]:
            continue
        cases = st.one_of(
            operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        )

        @settings(
            max_examples=6,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def ask(case: Case) -> None:
            if is_right(case):
                point_at(case, scene, tag)
            with transaction.atomic():
                case.call_and_validate(
                    headers={"Authorization": f"Bearer {secret}"},
                    excluded_checks=[positive_data_acceptance],
                )
                transaction.set_rollback(True)

        ask()
        asked += 1
    assert asked


def test_every_part_of_the_document_is_asked() -> None:
    operations = [one for path in openapi("en")["paths"].values() for one in path.values()]
    assert sorted({tag for one in operations for tag in one["tags"]}) == TAGS


def test_document_names_its_version_and_every_problem() -> None:
    document = openapi("en")
    assert document["openapi"].startswith("3.1.")
    assert document["components"]["schemas"]["ProblemCode"]["enum"] == list(PROBLEM_TYPES)
    assert set(document["components"]["securitySchemes"]) == {"token", "session"}
    schemathesis.openapi.from_dict(document).validate()
    for name, component in document["components"]["schemas"].items():
        if name.endswith("Request"):
            assert component["additionalProperties"] is False


def test_every_change_documents_its_manners() -> None:
    missing = []
    for path, methods in openapi("en")["paths"].items():
        for method, operation in methods.items():
            sent = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "header"}
            wanted = {"post": {"Idempotency-Key"}, "patch": {"If-Match"}, "delete": {"If-Match"}}
            if not wanted.get(method, set()) <= sent:
                missing.append(f"{method} {path} lacks {wanted[method]}")
            if not operation["summary"] or not {"400", "401", "403", "429"} <= set(
                operation["responses"]
            ):
                missing.append(f"{method} {path} lacks words or problems")
    assert missing == []


def test_secrets_are_in_no_answer_of_the_document() -> None:
    schemas = openapi("en")["components"]["schemas"]
    assert {"secret", "passphrase"} <= set(schemas["CredentialRequest"]["properties"])
    named = {
        name
        for name, component in schemas.items()
        if {"secret", "passphrase", "digest"} & set(component.get("properties", {}))
        and not name.endswith("Request")
    }
    assert named == {"NewToken"}


def test_document_is_served_as_json_and_yaml(api: Api) -> None:
    program = api("ray")
    as_json = program.get("/api/v1/openapi.json", headers={"Accept": "application/json"})
    as_yaml = program.get("/api/v1/openapi.yaml")
    assert json.loads(as_json.content)["info"]["title"] == "Evenkeel"
    assert yaml.safe_load(as_yaml.content) == json.loads(as_json.content)


def test_page_of_the_document_loads_nothing_from_elsewhere(browser: Any) -> None:
    client: Client = browser("ray")
    response = client.get("/api/v1/docs/")
    text = response.content.decode()
    assert response.status_code == 200
    assert "<style" not in text and " style=" not in text
    assert "<script>" not in text and "http" not in text
    assert "script-src 'self'" in response["Content-Security-Policy"]
    for path in ("drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js", "api/docs.js"):
        assert f"/static/{path}" in text
        assert client.get(f"/static/{path}").status_code == 200
