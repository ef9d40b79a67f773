"""Stand-in."""


def build(experiment: dict[str, object]) -> dict[str, object]:
    """Stand-in."""
    return {}
