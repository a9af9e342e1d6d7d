"""Models: the client protocol, the OpenAI-compatible client, the endpoint catalogue, fakes."""
