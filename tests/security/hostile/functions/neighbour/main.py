"""Somebody else's function: it has a secret, and it must be answered whatever happens next door."""

SECRET = "secret-of-the-neighbour-1984"


def handle(event, context):
    return {"fine": True}
