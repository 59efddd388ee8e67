"""What the API's tests say again and again."""

from __future__ import annotations

from typing import Any


def assert_problem(response: Any, status: int, code: str, *fields: str) -> dict[str, Any]:
    """The answer is a problem document of that status and code, about those fields at least."""
    assert response.status_code == status, getattr(response, "content", b"")[:500]
    assert response["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["code"] == code, document
    assert document["type"] == f"/api/v1/problem-types/{code}/"
    assert document["title"]
    assert document["instance"].startswith("/api/")
    named = {error["field"] for error in document.get("errors", [])}
    assert set(fields) <= named, document
    assert all(error["code"] and error["message"] for error in document.get("errors", []))
    return document
