"""Networks that are not ours, for tests: a user's own, and one name of each library."""

import torch
from torch import Tensor, nn

LIBRARIES = ("resnet18", "timm/convnext_atto", "monai/DenseNet")
OWN = f"{__name__}:Own"


class Own(nn.Module):
    """A small network as a user may have it, with norms of four kinds and layouts."""

    def __init__(self, n_outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.mid = nn.Conv2d(8, 8, 3, 2, 1)
        self.group = nn.GroupNorm(2, 8)
        self.last = nn.LayerNorm(8)  # over the channels of (N, H, W, C)
        self.flat = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(8, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, n_outputs)."""
        x = self.group(self.mid(self.stem(x))).relu()
        x = x + self.last(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.fc(self.drop(self.flat(x.mean((2, 3)))))


class Sequence(nn.Sequential):
    """Norms that an activation follows each."""

    def __init__(self, n_outputs: int, in_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, 8, 3, 2, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, 2, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, n_outputs),
        )


class Viewing(nn.Module):
    """Takes for granted how its features lie in memory, as a user's network may."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1)
        )
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(32, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, n_outputs)."""
        x = self.pool(self.features(x))
        return self.fc(x.view(len(x), -1))


class Layered(nn.Module):
    """Has its stages where ResNets of libraries have them."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(8, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, n_outputs)."""
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


class Twice(nn.Module):
    """One norm in two places, and a parameter that two layers share."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, 1, 1)
        self.one = nn.BatchNorm2d(4)
        self.conv = nn.Conv2d(4, 4, 3, 1, 1)
        self.other = self.one
        self.tied = nn.Conv2d(4, 4, 3, 1, 1)
        self.tied.weight = self.conv.weight
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, num_classes)."""
        x = self.one(self.first(x)).relu()
        x = self.other(self.tied(self.conv(x))).relu()
        return self.fc(x.mean((2, 3)))


class Colour(nn.Module):
    """Takes three channels and says so."""

    def __init__(self, n_outputs: int, in_channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, n_outputs)."""
        return self.fc(self.conv(x).relu().mean((2, 3)))


class Functional(nn.Module):
    """Normalises in a function, beside a layer."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, n_outputs)."""
        x = nn.functional.instance_norm(self.norm(self.conv(x)))
        return self.fc(x.relu().mean((2, 3)))


class Tokens(nn.Module):
    """A layer norm of tokens (N, L, C)."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 4, 8, 8)
        self.norm = nn.LayerNorm(4)
        self.fc = nn.Linear(4, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, n_outputs)."""
        return self.fc(self.norm(self.patch(x).flatten(2).mT).mean(1))


class Response(Own):
    """Has a layer that may be a norm, and is not known."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__(n_outputs)
        self.stem.append(nn.LocalResponseNorm(2))


class OnePixel(Own):
    """A norm of a map of one pixel, after the pooling."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, n_outputs)."""
        return self.fc(self.group(self.stem(x).mean((2, 3), keepdim=True)).flatten(1))


def without_norms(n_outputs: int) -> nn.Module:
    """A linear map of an image of 96 x 96."""
    return nn.Sequential(nn.Flatten(), nn.Linear(96 * 96, n_outputs))


def wrong_shape(**settings: int) -> nn.Module:
    """One logit too many."""
    return Sequence(settings["n_outputs"] + 1, settings["in_channels"])


def not_finite(n_outputs: int) -> nn.Module:
    """Its first bias is no number."""
    made = Own(n_outputs)
    nn.init.constant_(made.fc.bias, torch.nan)
    return made


def raises(n_outputs: int) -> nn.Module:
    """It fails."""
    raise OSError("no such table")


def no_module(n_outputs: int) -> str:
    """It makes something else."""
    return "network"


def noisy(n_outputs: int) -> nn.Module:
    """Drops in training."""
    return Own(n_outputs, dropout=0.5)


class Choosing(nn.Module):
    """Goes a way that depends on the image, which no graph can."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(8, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, n_outputs)."""
        if x.mean() > 0:
            x = -x
        return self.fc(self.conv(x).mean((2, 3)))
