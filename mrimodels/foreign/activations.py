"""Which activation follows which norm, so that a norm that activates can take its place."""

import torch.fx
from torch import nn

from mrimodels.errors import ModelError, told

ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU),
    *(nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish),
)


class _Tracer(torch.fx.Tracer):
    def __init__(self, norms: frozenset[nn.Module]) -> None:
        super().__init__()
        self.norms = norms

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return m in self.norms or super().is_leaf_module(m, module_qualified_name)


def followers(model: nn.Module, norms: frozenset[nn.Module]) -> frozenset[nn.Module]:
    """The activations that follow these norms, each of which can give way to nothing.

    An activation can if every norm's output goes into an activation and nowhere else, and if the
    activation is not used after anything but such a norm. Found in the trace of torch.fx.

    Raises:
        ModelError: A norm is not followed by an activation alone, or the network's code takes
            decisions that torch.fx cannot follow.

    """
    try:
        graph = _Tracer(norms).trace(model)
    except Exception as error:  # the code of others, run on stand-ins, can raise anything
        raise ModelError(
            "whether activations follow the norms cannot be told: torch.fx cannot trace it",
            told(error),
            "",
        ) from error
    of = {
        node: model.get_submodule(str(node.target))
        for node in graph.nodes
        if node.op == "call_module"
    }
    found, ends = set(), set()
    for node, module in of.items():
        if module not in norms:
            continue
        ends.add(node)
        users = list(node.users)
        after = of.get(users[0]) if len(users) == 1 else None
        if not isinstance(after, ACTIVATIONS):
            raise ModelError(
                "a norm is not followed by an activation module alone", str(node.target), ""
            )
        found.add(after)
    for node, module in of.items():
        if module in found and node.args[0] not in ends:
            raise ModelError(
                "an activation module is used after norms and after something else",
                str(node.target),
                "",
            )
    return frozenset(found)
