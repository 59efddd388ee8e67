"""The kernel's nouns, one file each."""

from console.models.alerts import Alert
from console.models.audit import AuditEvent
from console.models.hosts import Credential, Host
from console.models.metrics import Meter, MeterChunk
from console.models.operations import Operation, Step
from console.models.tenants import Membership, StaffRole, Tenant
from console.models.tokens import ApiToken, IdempotentAnswer

__all__ = [
    "Alert",
    "ApiToken",
    "AuditEvent",
    "Credential",
    "Host",
    "IdempotentAnswer",
    "Membership",
    "Meter",
    "MeterChunk",
    "Operation",
    "StaffRole",
    "Step",
    "Tenant",
]
