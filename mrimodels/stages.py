"""Where the first stages of a network end."""

from torch import nn

from mrimodels.classifier import BodyAndHead, Classifier, Foreign
from mrimodels.errors import ModelError


def first_stages(model: Classifier, count: int) -> tuple[nn.Module, ...]:
    """The modules that the first stages of a network are; each puts out feature maps.

    Those of a network of this package are known. In one of another they are its modules called
    ``layer1``, ``layer2`` and so on, which ResNets of torchvision, timm and MONAI have.

    Args:
        model: What `build` returned.
        count: How many.

    Raises:
        ModelError: The network has no modules of these names.

    """
    if isinstance(model, BodyAndHead):
        return tuple(model.body.stages)[:count]
    network = model.network if isinstance(model, Foreign) else model
    names = [f"layer{number}" for number in range(1, count + 1)]
    children = dict(network.named_children())
    if missing := [name for name in names if name not in children]:
        raise ModelError(
            f"where the first stages of the network end is not known, as it has no modules "
            f"{', '.join(names)}",
            f"{type(network).__name__} without {', '.join(missing)}",
            "take a preact_resnet, or a ResNet of torchvision, timm or MONAI",
        )
    return tuple(children[name] for name in names)
