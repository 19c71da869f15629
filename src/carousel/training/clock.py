"""Clock of the trainings; a test puts another in its place."""

import time


def now() -> float:
    """Seconds, from some moment on."""
    return time.monotonic()
