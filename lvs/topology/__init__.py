"""Whether a service can work where its machines stand, and which method would suit. PURE."""
