"""``ffx up``: a small process that starts the embedded servers and our parts, watches them and ends them.

It imports the standard library and as little of ours as it can: it is the one process that must not fail.
"""
