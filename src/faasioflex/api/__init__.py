"""The HTTP API: parses, checks, calls one use case of ``manager.functions``, answers with a resource or a problem."""
