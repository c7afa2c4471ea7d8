"""Random names."""

import secrets

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def random_name(length: int) -> str:
    """`length` random characters that are legal in the names of sessions, groups and commands."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
