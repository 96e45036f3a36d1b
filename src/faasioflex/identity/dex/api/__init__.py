"""Dex's gRPC API, generated from dex.proto."""
