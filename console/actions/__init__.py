"""The kernel's verbs, one file a noun. Pages, API and commands call the same ones."""
