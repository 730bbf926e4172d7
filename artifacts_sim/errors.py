"""The one error this package raises at its public boundary."""


class ArtifactError(ValueError):
    """Bad input. The message states the rule, what was received and the remedy."""
