"""The pages, one file a noun. A view finds, checks the form, calls one verb, says where to go."""
