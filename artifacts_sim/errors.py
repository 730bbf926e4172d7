"""The one error this package raises at its public boundary."""


class ArtifactError(ValueError):
    """Bad input: what is wrong, what was received, and what to do.

    Args:
        wrong: What is wrong, such as ``there is no such level``.
        received: What was given instead, as it is to be shown.
        remedy: What to do, such as ``take 0 (identity) to 5``.

    """

    def __init__(self, wrong: str, received: object, remedy: str) -> None:
        super().__init__(wrong, str(received), remedy)

    def __str__(self) -> str:
        wrong, received, remedy = self.args
        return f"{wrong}; received {received}; {remedy}"
