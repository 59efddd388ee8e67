"""The REST API under /api/v1/: its manners here, its nouns in `serializers` and `views`."""
