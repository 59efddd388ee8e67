"""Every address of the console. The access matrix in tests/access walks this file."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
