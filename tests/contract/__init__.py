"""The document of the API, docs/openapi.yaml, and those who must agree with it."""
