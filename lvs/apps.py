from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LvsConfig(AppConfig):
    name = "lvs"
    verbose_name = _("Load balancing")

    def ready(self) -> None:
        from lvs import exposition, kinds, measures, navigation  # noqa: F401  each registers what it knows
