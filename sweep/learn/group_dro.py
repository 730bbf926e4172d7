"""Group DRO: training for the group of slices on which the model is worst, such as one site's.

Sagawa et al., "Distributionally Robust Neural Networks for Group Shifts", arXiv 1911.08731,
algorithm 1. Batches are those of plain training, as the sampler draws them, whereas the paper draws
every group as often: a step here moves the weights of all groups that its batch has, each by the
mean loss of its slices. A group that few batches have is therefore moved rarely.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sweep.config.training import TrainSettings
from sweep.core.errors import UserError, refuse, within
from sweep.store import Store


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each training slice is of.

    Attributes:
        names: The G groups, in the order of their names.
        members: Slice key -> number of its group.

    """

    names: tuple[str, ...]
    members: Mapping[str, int]

    @classmethod
    def of(cls, store: Store, rows: NDArray[np.int64], column: str) -> Self:
        """The groups of slices, by the values of a column of the store.

        A missing value is refused: slices of which nobody knows whether they belong together are no
        group to be protected, and one to be left out would go unseen.

        Args:
            store: The store of the slices.
            rows: (N,) the training slices.
            column: The name of the column.

        Raises:
            UserError: No such column, slices without a value, or fewer than two groups.

        """
        try:
            values = store.column(column)[rows].tolist()
        except UserError as error:
            raise within("train.group_dro", error) from None
        keys = store.keys[rows].tolist()
        refuse(
            f"train.group_dro: training slices have no {column}",
            [key for key, value in zip(keys, values, strict=True) if not value],
            f"ingest them with one, such as 'unknown' for a group of their own, or take another "
            f"column than {column!r}",
        )
        names = tuple(sorted(set(values)))
        if len(names) < 2:
            raise UserError(
                "train.group_dro: the training slices are one group, and none can be worse than "
                "the others",
                f"{column}={names[0]!r} for all {len(keys)} of them",
                "take a column with several values, or train.group_dro: null",
            )
        number = {name: index for index, name in enumerate(names)}
        members = {key: number[value] for key, value in zip(keys, values, strict=True)}
        return cls(names, members)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(G,) training slices in each group."""
        return np.bincount(list(self.members.values()), minlength=len(self.names))


class GroupWeights:
    """The weights q of G groups, which follow their losses.

    A step with the mean losses l_g of the groups in its batch does, for these groups,

        q_g <- q_g exp(eta (l_g + C / sqrt(n_g))),   then q <- q / sum q,

    and minimises the sum of q_g l_g, as algorithm 1 of arXiv 1911.08731 does for one group a step
    and its authors' code for all of a batch. q is kept as its logarithm, which no loss overflows.

    Args:
        groups: Which slice is of which group.
        settings: With the step size eta and the adjustment C.
        device: Where the losses lie.

    Attributes:
        log_weights: (G,) float64, log q.

    """

    def __init__(self, groups: Groups, settings: TrainSettings, device: torch.device) -> None:
        self.groups = groups
        count = len(groups.names)
        even = torch.zeros(count, dtype=torch.float64, device=device)
        self.log_weights = even.log_softmax(dim=0)
        self.eta = settings.group_dro_step
        added = settings.group_dro_adjustment / np.sqrt(groups.sizes)
        self.added = torch.from_numpy(added).to(device)
        self.numbers = torch.arange(count, device=device)

    @classmethod
    def of(
        cls,
        store: Store,
        rows: NDArray[np.int64],
        settings: TrainSettings,
        device: torch.device,
    ) -> Self | None:
        """Those of the training slices (N,) as set; None: no column is named.

        Raises:
            UserError: See ``Groups.of``.

        """
        if settings.group_dro is None:
            return None
        return cls(Groups.of(store, rows, settings.group_dro), settings, device)

    @property
    def weights(self) -> Tensor:
        """(G,) float64, the weights q, with the sum 1."""
        return self.log_weights.exp()

    def loss(self, losses: Tensor, keys: Sequence[str]) -> Tensor:
        """Move the weights by a batch, and weigh its losses by them.

        Args:
            losses: (B,) of each slice.
            keys: Of the B slices.

        Returns:
            () the sum over groups of q_g and the mean loss of the group in the batch; groups that
            the batch does not have add nothing.

        """
        numbers = torch.tensor([self.groups.members[key] for key in keys], device=losses.device)
        # A product with a (B, G) mask: adding by index is not deterministic on CUDA.
        member = (numbers[:, None] == self.numbers).to(losses.dtype)
        sizes = member.sum(dim=0)
        means = losses @ member / sizes.clamp_min(1)
        moved = self.eta * (means.detach() + self.added)
        self.log_weights = (self.log_weights + moved.where(sizes > 0, 0.0)).log_softmax(dim=0)
        return (self.weights.to(losses.dtype) * means).sum()
