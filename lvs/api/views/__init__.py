"""The addresses under /api/v1/lvs/, one file a noun."""
