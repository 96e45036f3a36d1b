"""The result cache: answers of functions that are given again without a call (RFC 9111), bounded in memory. Sans HTTP server."""
