"""Waiting, always with a deadline."""

import time

import pytest


def until(condition, what, seconds=30):
    """The first truthy value of `condition`, or a failure that says `what` was waited for: words, or what makes them then."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s in vain: {what if isinstance(what, str) else what()}")
        time.sleep(0.03)
