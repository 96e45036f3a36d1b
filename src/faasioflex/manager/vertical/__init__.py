"""Limits of running instances: raised while they are near them, within what the function may have, and lowered again."""
