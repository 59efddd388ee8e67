from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LvsConfig(AppConfig):
    name = "lvs"
    verbose_name = _("Load balancing")

    def ready(self) -> None:
        from lvs import kinds, navigation  # noqa: F401  both register what they know
