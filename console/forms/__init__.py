"""Forms of the pages, one file a noun. They ask; the verbs decide."""
