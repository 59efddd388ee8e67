"""What is sent to the addresses that take something, to the API and by the pages' forms."""

from __future__ import annotations

from typing import Any

from tests import factories
from tests.access.scene import UNMANAGED, Scene

NAME = {"name": "new"}
PASSWORD = {"name": "new", "kind": "password", "secret": "x"}
FINGERPRINT = {"fingerprint": factories.FINGERPRINT}
A_TOKEN = {"name": "new", "scopes": ["read"]}
A_ROLE = {"role": "owner"}
A_SERVER = {"rip": "10.1.9.9", "port": 80}
A_SERVER_FORM = {**A_SERVER, "weight": 1, "upper_threshold": 0, "lower_threshold": 0}
A_CLIENT = {"client": "192.0.2.7"}
CONFIGURATION = {"text": "virtual_server 198.51.100.7 80 {\n    protocol TCP\n}\n"}
A_MOVE = {"forwarding": "fullnat"}
A_MOVE_FORM = {
    **A_MOVE,
    "tunnel_type": "ipip",
    "tunnel_port": 0,
    "tunnel_checksum": "nocsum",
    "drain_seconds": 60,
}
KEY = {"key": UNMANAGED}
KEY_TWICE = {"key": UNMANAGED, "confirm": UNMANAGED}


def a_host(scene: Scene) -> dict[str, Any]:
    return {"name": "new", "address": "192.0.2.200", "credential": scene.credential.pk}


def a_host_form(scene: Scene) -> dict[str, Any]:
    return {**a_host(scene), "port": 22, "username": "root"}


def a_director(scene: Scene) -> dict[str, Any]:
    return {"host": scene.free_host.pk, "vip_interface": "eth0"}


def a_director_form(scene: Scene) -> dict[str, Any]:
    return {**a_director(scene), "policy": "alert", "do": "save"}


def a_service(scene: Scene) -> dict[str, Any]:
    return {
        "director": scene.director.pk,
        "tenant": scene.tenant.pk,
        "name": "new",
        "vip": "198.51.100.99",
        "port": 80,
    }


def a_service_form(scene: Scene) -> dict[str, Any]:
    """The form with its empty rows of real servers, without applying."""
    return {
        **a_service(scene),
        "protocol": "tcp",
        "forwarding": "masq",
        "scheduler": "rr",
        "servers-TOTAL_FORMS": 0,
        "servers-INITIAL_FORMS": 0,
        "do": "review",
    }


def an_edited_service_form(scene: Scene) -> dict[str, Any]:
    service = scene.service
    kept = {"name": service.name, "vip": service.vip, "version": service.version}
    return {**a_service_form(scene), **kept}


def a_tier(scene: Scene) -> dict[str, Any]:
    """One more director behind the scene's front."""
    return {
        "director": scene.free_director.pk,
        "via": scene.free_director.host.address,
        "real_servers": [{"rip": "10.1.9.9", "port": 80}],
    }


def a_tier_form(scene: Scene) -> dict[str, Any]:
    return {
        **a_tier(scene),
        "real_servers": "10.1.9.9 80",
        "forwarding": "masq",
        "scheduler": "wlc",
        "weight": 1,
        "do": "save",
    }


def a_cascade(scene: Scene) -> dict[str, Any]:
    front = {**a_service(scene), "forwarding": "route"}
    return {"front": front, "tiers": [a_tier(scene)]}


def the_name(about: str) -> Any:
    """The confirmation that destroying one of the scene asks for."""

    def typed(scene: Scene) -> dict[str, Any]:
        return {"confirm": str(getattr(scene, about))}

    return typed


def ticked_alert(scene: Scene) -> dict[str, Any]:
    return {"alert": scene.alert.pk}


def ticked_service(scene: Scene) -> dict[str, Any]:
    return {"service": scene.service.pk, "confirm": scene.service.name}
