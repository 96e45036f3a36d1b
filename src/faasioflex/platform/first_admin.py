"""The admin that a first start makes: a one-time password, of which only the hash is kept.

Runs as a process of its own (``python -m faasioflex.platform.first_admin DIR EMAIL``): the supervisor stays small. It writes
DIR/identity/first-admin.json, which the embedded login takes in and removes, and the password to its standard output, once.
"""

from __future__ import annotations

import json
import secrets
import sys

import argon2

from faasioflex.platform.folder import DataFolder
from faasioflex.platform.private_file import make_private, write_private


def make(folder: DataFolder, email: str) -> str:
    """The password: 120 random bits."""
    password = secrets.token_urlsafe(15)
    make_private(folder.identity)
    document = {"email": email, "password_hash": argon2.PasswordHasher().hash(password)}
    write_private(folder.first_admin, json.dumps(document) + "\n")
    return password


if __name__ == "__main__":
    print(make(DataFolder.at(sys.argv[1]), sys.argv[2]))
