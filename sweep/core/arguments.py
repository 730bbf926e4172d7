"""Whether what a script gives to a function is what the function takes."""

import functools
import inspect
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from sweep.core.errors import UserError
from sweep.core.text import as_written

P = ParamSpec("P")
R = TypeVar("R")

_WORDS: dict[Any, str] = {
    str: "a text",
    Path: "a Path",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    NoneType: "None",
}


def checked_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Hold the callers of a function to its annotations, as the command line holds its users.

    What is annotated by a class of ours is left to the function, which knows more of it.

    Raises:
        UserError: By the function that is made: an argument of another kind than is annotated.

    """
    signature = inspect.signature(function)

    @functools.cache
    def hints() -> dict[str, Any]:
        return get_type_hints(function)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        # What does not bind is left to the call, whose TypeError names the argument.
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return function(*args, **kwargs)
        for name, value in given.items():
            kind = hints().get(name, Any)
            if not fits(value, kind):
                wrong = f"{function.__name__} cannot take this value for {name}"
                raise UserError(wrong, as_written(value), f"give {in_words(kind)}")
        return function(*args, **kwargs)

    return checked


def fits(value: object, kind: Any) -> bool:
    """Whether a value is of a kind that is annotated; True where that is a class of ours."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is float:
        return isinstance(value, numbers.Real) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if kind in _WORDS:
        return isinstance(value, kind)
    if origin is Literal:
        return value in args
    if origin in (Sequence, Iterable, tuple):
        # A text is a sequence of texts to Python, and no list of them to anybody else.
        if isinstance(value, str) or not isinstance(value, origin):
            return False
        return not isinstance(value, Sequence) or all(fits(one, args[0]) for one in value)
    if origin is Mapping:
        return isinstance(value, Mapping)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in args)
    return True


def in_words(kind: Any) -> str:
    """What a caller is to give, such as ``a text or a Path``."""
    return " or ".join(dict.fromkeys(_words(kind)))


def _words(kind: Any) -> Iterator[str]:
    origin, args = get_origin(kind), get_args(kind)
    if kind in _WORDS:
        yield _WORDS[kind]
    elif origin is Literal:
        yield from map(repr, args)
    elif origin in (Sequence, Iterable, tuple):
        inner = " or ".join(word.removeprefix("a ") for word in _words(args[0]))
        yield f"a list of {inner}s" if " " not in inner else f"a list, each {inner}"
    elif origin is Mapping:
        yield "a dictionary"
    else:
        for one in args:
            yield from _words(one)
