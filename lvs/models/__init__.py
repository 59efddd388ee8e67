"""The nouns of load balancing, one file each."""

from lvs.models.directors import Director
from lvs.models.imports import ImportSource
from lvs.models.prepared import PreparedServer
from lvs.models.revisions import Revision
from lvs.models.virtual_services import RealServer, ServiceAddress, VirtualService

__all__ = [
    "Director",
    "ImportSource",
    "PreparedServer",
    "RealServer",
    "Revision",
    "ServiceAddress",
    "VirtualService",
]
