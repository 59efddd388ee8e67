"""The REST API of load balancing, under /api/v1/lvs/."""
