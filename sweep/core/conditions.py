"""A condition on a metric as a user writes it: ``clean/auroc >= 0.9``."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sweep.core.errors import UserError

# How the sizes of two numbers are compared.
SIZES: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Condition:
    """``metric sign bound``.

    Attributes:
        metric: The name of the metric.
        sign: ``>=``, ``<=``, ``==``, ``>`` or ``<``.
        bound: The number that it is compared with.

    """

    metric: str
    sign: str
    bound: float

    _COMPARE: ClassVar[dict[str, Callable[[float, float], bool]]] = {
        **SIZES,
        "==": operator.eq,
    }

    @classmethod
    def parse(cls, text: str, where: str) -> "Condition":
        """Read ``METRIC>=NUMBER``, with or without spaces.

        Args:
            text: As written.
            where: The option or setting that it is of, for messages.

        Raises:
            UserError: A text that is none of these.

        """
        remedy = "give METRIC>=NUMBER, such as 'clean/auroc>=0.9'"
        match = re.fullmatch(r"\s*([^<>=\s]+)\s*(>=|<=|==|>|<)\s*([-+.\deE]+)\s*", text)
        if match is None:
            raise UserError(f"{where} cannot be read", f"{text!r}", remedy)
        metric, sign, written = match.groups()
        try:
            return cls(metric, sign, float(written))
        except ValueError:
            raise UserError(
                f"{where} compares with something that is not a number",
                f"{written!r} in {text!r}",
                remedy,
            ) from None

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Whether it holds; a missing value fulfils no condition, as NaN compares false."""
        value = metrics.get(self.metric, float("nan"))
        return self._COMPARE[self.sign](value, self.bound)
