"""The same rack and console as the tests of the laboratory."""

from tests.lab.conftest import *  # noqa: F403
