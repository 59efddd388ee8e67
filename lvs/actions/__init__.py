"""The verbs of load balancing, one file a noun. Pages, API and commands call the same ones."""
