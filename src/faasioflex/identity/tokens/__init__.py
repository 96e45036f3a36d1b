"""The token service: what the platform signs, and how it is verified."""
