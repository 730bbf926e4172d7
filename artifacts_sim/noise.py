"""Fields of complex noise from keys, drawn on the device that needs them.

The random words are those of `artifacts_sim.keyed.stream` on every device. On the CPU, NumPy makes
them one after the other. Elsewhere all of them are made at once: the generator's state is a linear
congruence, so that the state after k steps has a closed form.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artifacts_sim.keyed import generator, stream

_MULTIPLIER = 0xDA942042E4DD58B5  # of PCG64DXSM's state, and of its output
_ROW = 512  # states that are reached from one starting state: the tables stay short

_LOW = 2**32 - 1
_TOP = -(2**63)


def circular_normal(
    seeds: NDArray[np.int64], shape: tuple[int, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Draw circular complex standard normal noise, n1 + i n2 = radius e^{2 i half_angle}.

    A field depends on its own seed and the shape, not on the others of the batch. Its random bits
    are the same on every device, the numbers equal to the rounding of a logarithm.

    Of u, one of 2^31 numbers evenly in (0, 1), the radius is sqrt(-2 ln u), at most 6.7. Of the
    angle there are 2^16, evenly around the circle: all moments up to order 2^16 - 1 are those of a
    uniform angle. So 48 random bits make a pixel.

    Elsewhere than on the CPU, 18 bytes per pixel are in use at the peak, 8 of them for the result.

    Args:
        seeds: One per field, (B,); all 64 bits count.
        shape: Of one field.
        device: Where it is drawn.

    Returns:
        Radius >= 0, finite, and half angle in [-pi / 2, pi / 2), in radians: each (B, *shape)
        float32 on the device.

    """
    size = (len(seeds), math.prod(shape))
    n_words = 3 * -(-size[1] // 4)  # 3 words of 64 bits make 4 pixels
    if device.type == "cpu":
        # NumPy asks for huge pages, which torch does not: large batches take up to half the time.
        radius, half_angle = torch.from_numpy(np.empty((2, *size), dtype=np.float32))
        for index, seed in enumerate(seeds):  # words of one field fit in the cache
            words = torch.from_numpy(stream(seed, n_words).view(np.int64))
            box_muller(words, radius[index], half_angle[index])
    else:
        words = device_words(seeds, n_words, device)
        radius, half_angle = torch.empty((2, *size), dtype=torch.float32, device=device)
        box_muller(words, radius, half_angle)
    return radius.view(len(seeds), *shape), half_angle.view(len(seeds), *shape)


def device_words(seeds: NDArray[np.int64], count: int, device: torch.device) -> Tensor:
    """Return what `stream` returns for each of B seeds, in integer arithmetic of the device.

    With s the first state of 128 bits and d the step to the second, the state after k steps is
    s + (1 + m + ... + m^(k - 1)) d modulo 2^128: the sums are the same for all seeds. A state then
    gives its word by PCG64's output function DXSM. Peak memory: 24 bytes per word. Sources: Brown,
    Trans Am Nucl Soc 71:202 (1994), for the jump; O'Neill, HMC-CS-2014-0905 (2014), for PCG.

    Args:
        seeds: (B,); all 64 bits count.
        count: Words per seed.
        device: Where they are made; on the CPU, `stream` is faster.

    Returns:
        (B, count) int64, with the bits of unsigned words.

    """
    rows = -(-count // _ROW)
    *sums, row_sum = _orbit(0, _MULTIPLIER, 1, _ROW + 1)
    row_multiplier = pow(_MULTIPLIER, _ROW, 2**128)
    states = [generator(seed).state["state"] for seed in seeds]
    firsts = [state["state"] for state in states]
    # The second state minus the first, the second being multiplier * first + increment.
    moves = [(_MULTIPLIER - 1) * state["state"] + state["inc"] for state in states]

    first, move = _wide(firsts, device, (-1, 1, 1)), _wide(moves, device, (-1, 1, 1))
    of_row = (1, -1, 1)
    row_sums = _wide(_orbit(0, row_multiplier, row_sum, rows), device, of_row)
    row_powers = _wide(_orbit(1, row_multiplier, 0, rows), device, of_row)
    row_first = _multiply_add(row_sums, move, first)
    row_move = _multiply_add(row_powers, move, _wide([0], device, (1, 1, 1)))
    state = _multiply_add(_wide(sums, device, (1, 1, -1)), row_move, row_first)
    return _output(state).view(len(seeds), rows * _ROW)[:, :count]


def box_muller(words: Tensor, radius: Tensor, half_angle: Tensor) -> None:
    """Make radius and half angle of circular complex standard normal noise from random bits.

    Nothing but rounding differs between devices, and on one device a number depends on its own
    bits only, wherever in a batch it stands. Source: Box and Muller, Ann Math Stat 29:610 (1958).

    Args:
        words: Random bits, (..., 3 N / 4) int64, N being the pixels rounded up to a multiple of 4:
            two thirds are for the radius, 32 bits each, one third for the angle, 16 bits each.
        radius: Overwritten, (..., pixels) float32.
        half_angle: Overwritten, radians, like radius.

    """
    if not radius.numel():  # words of no length cannot be read as shorter ones
        return
    n_pixels, split = radius.shape[-1], words.shape[-1] // 3 * 2
    radius.copy_(words[..., :split].view(torch.int32)[..., :n_pixels])
    # v = (n + 1 / 2) / 2^31 is even around 0, its size is u, and -2 ln u = ln v^-2.
    torch.add(radius.new_full((), 2.0**-32), radius, alpha=2.0**-31, out=radius)  # in one pass
    radius.pow_(-2).log_().sqrt_()
    half_angle.copy_(words[..., split:].view(torch.int16)[..., :n_pixels])
    half_angle.mul_(math.pi * 2.0**-16)


class _Wide(NamedTuple):
    """Unsigned numbers of 128 bits: two int64 tensors of one shape."""

    high: Tensor
    low: Tensor


def _orbit(first: int, multiplier: int, increment: int, length: int) -> list[int]:
    """Return x_0 to x_(length - 1), where x_(k + 1) = multiplier x_k + increment mod 2^128."""
    orbit = []
    for _ in range(length):
        orbit.append(first)
        first = (first * multiplier + increment) % 2**128
    return orbit


def _wide(numbers: Sequence[int], device: torch.device, shape: tuple[int, ...]) -> _Wide:
    halves = [divmod(number % 2**128, 2**64) for number in numbers]
    table = np.array(halves, dtype=np.uint64).reshape(-1, 2).view(np.int64)
    high, low = torch.from_numpy(table).to(device).unbind(1)
    return _Wide(high.reshape(shape), low.reshape(shape))


def _multiply_add(a: _Wide, b: _Wide, c: _Wide) -> _Wide:
    """Return a b + c mod 2^128, broadcast; two tensors of the full shape are in use."""
    a0, a1 = a.low & _LOW, _shifted(a.low, 32)
    b0, b1 = b.low & _LOW, _shifted(b.low, 32)
    # The upper half of the product of the lower halves: no sum below reaches 2^64.
    high = a0 * b0
    _shift_(high, 32).addcmul_(a1, b0)
    low = (high & _LOW).addcmul_(a0, b1)
    _shift_(high, 32).add_(_shift_(low, 32)).addcmul_(a1, b1)
    high.addcmul_(a.high, b.low).addcmul_(a.low, b.high)
    # With the top bit flipped, signed numbers compare as the unsigned ones do: is there a carry?
    flipped = c.low ^ _TOP
    torch.mul(a.low, b.low, out=low).add_(flipped)
    high.add_(c.high).add_(low < flipped)
    return _Wide(high, low.bitwise_xor_(_TOP))


def _output(state: _Wide) -> Tensor:
    """DXSM: double xorshift, multiply. The state is overwritten."""
    high, low = state
    multiplier = _MULTIPLIER - 2**64  # the same bits, signed
    high.bitwise_xor_(_shifted(high, 32)).mul_(multiplier)
    return high.bitwise_xor_(_shifted(high, 48)).mul_(low.bitwise_or_(1))


def _shifted(x: Tensor, places: int) -> Tensor:
    """Shift right as if unsigned."""
    return (x >> places).bitwise_and_(2 ** (64 - places) - 1)


def _shift_(x: Tensor, places: int) -> Tensor:
    """Shift right as if unsigned, in place."""
    return x.bitwise_right_shift_(places).bitwise_and_(2 ** (64 - places) - 1)
