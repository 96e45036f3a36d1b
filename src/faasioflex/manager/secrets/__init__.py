"""Secrets of namespaces: encrypted in the registry, each namespace with a key of its own, which the master key wraps."""
