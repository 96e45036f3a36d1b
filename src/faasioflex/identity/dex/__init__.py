"""Dex as a login: its people by its gRPC API, its tokens as of any OpenID Connect issuer."""
