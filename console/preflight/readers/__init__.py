"""From the sections of a sample to facts, one file a subject. PURE."""
