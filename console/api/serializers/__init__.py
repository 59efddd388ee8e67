"""The API's documents, one file a noun. They check form; rules are the verbs' own."""
