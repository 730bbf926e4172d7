"""One slice under one artifact at every level, as a picture: python corrupt_a_slice.py OUT."""

import sys
from pathlib import Path

import torch
from PIL import Image

import artifacts_sim


def disc(size: int = 128) -> torch.Tensor:
    """A bright disc with a dark one inside, (1, H, W)."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    radius = torch.hypot(rows - size / 2, columns - size / 2)
    return (0.8 * (radius < size * 0.4) - 0.5 * (radius < size * 0.1)).float()[None]


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    clean, motion = disc(), artifacts_sim.get("motion")
    shown = [clean]
    for level in artifacts_sim.LEVELS:
        # All the randomness is in sample: the same key and seed give the same movement.
        params = motion.sample(level=level, keys=["patient-1/slice-7"], seed=0)
        shown.append(motion.apply(clean, params))
    strip = torch.cat(shown, dim=2)[0].clamp(0, 1)
    Image.fromarray((strip * 255).byte().numpy()).save(out / "motion.png")
    print(f"{out / 'motion.png'}: clean, then levels {artifacts_sim.LEVELS}")


if __name__ == "__main__":
    main()
