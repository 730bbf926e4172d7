"""One model in training: weights, optimizer and the epochs between them."""

import dataclasses
import io
import math
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import mrimodels
from sweep.config.settings import TrialConfig
from sweep.config.training import TrainSettings
from sweep.core.errors import WorkError
from sweep.core.files import replacing
from sweep.core.keys import generator
from sweep.core.mirrors import fetched
from sweep.core.modes import EMA
from sweep.core.pulse import At, beat
from sweep.core.reading import readable
from sweep.learn.augment import Augmentation
from sweep.learn.batches import epoch_batches, steps_per_epoch, torch_generator
from sweep.learn.checkpoint_files import CheckpointFolder
from sweep.learn.checkpoints import CheckpointInfo, EpochStats
from sweep.learn.ema import BATCHES, WeightAverage
from sweep.learn.group_dro import GroupWeights
from sweep.learn.inputs import Batch, gather
from sweep.learn.loading import prefetched
from sweep.learn.losses import Objective
from sweep.learn.mixstyle import MixStyle
from sweep.learn.saved_state import load_state, require_alike, require_state
from sweep.learn.stress import default_device
from sweep.store import Store

AGAIN = "remove that folder and resume the sweep, which trains the trial again from its first epoch"


def decayed_of(model: torch.nn.Module) -> set[Tensor]:
    """The parameters to decay: weights of convolutions and linear layers, and what is like them.

    That is, in a network of another package: a parameter of no norm that has more than one axis
    longer than 1, such as the projections of an attention. A scale of (C, 1, 1) is none.
    """
    layers = (torch.nn.Linear, torch.nn.modules.conv._ConvNd)
    return {
        parameter
        for module in model.modules()
        for parameter in module.parameters(recurse=False)
        if (parameter.ndim if isinstance(module, layers) else parameter.squeeze().ndim) >= 2
        and not mrimodels.is_norm(module)
    }


def make_optimizer(model: torch.nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW that decays no norm and no bias, so that no norm is favoured."""
    decayed = decayed_of(model)
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p in decayed], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p not in decayed], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr)


def learning_rate(settings: TrainSettings, step: int, steps: int) -> float:
    """The rate of ``step`` (from 0) of ``steps``; cosine annealing after arXiv 1608.03983."""
    if settings.schedule == "constant":
        return settings.lr
    return settings.lr * 0.5 * (1 + math.cos(math.pi * step / steps))


class Trainer:
    """Trains one config on one store, an epoch at a time.

    Every epoch follows from the config's seed and its number alone, so training that was
    interrupted between two epochs ends with the same weights as training that was not.

    Args:
        config: What to train.
        store: The store with the slices.
        device: Where to train; None: on a GPU where there is one.
        trial: The name of the trial, written into its checkpoints.

    Raises:
        UserError: Splits, or groups for ``train.group_dro``, that the store does not have, or a
            network whose stages ``train.mixstyle`` does not find.

    """

    def __init__(
        self,
        config: TrialConfig,
        store: Store,
        device: torch.device | None = None,
        trial: str = "fit",
    ) -> None:
        self.config = config
        self.trial = trial
        self.store = store
        self.device = device or default_device()
        self.indices = store.indices(config.data.train)
        self.augmentation = Augmentation(config)
        self.spec = config.spec(n_outputs=len(store.label_names))
        model = mrimodels.build(self.spec, config.seed, config.model.pretrained())
        self.model = model.to(self.device)
        if self.device.type == "cuda":
            self.model = self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
        self.optimizer = make_optimizer(self.model, config.train)
        self.average = WeightAverage.of(self.model, config.train)
        self.mixstyle = MixStyle.of(self.model, config.train)
        self.groups = GroupWeights.of(store, self.indices, config.train, self.device)
        self.objective = Objective(config.train, store.task, self.groups)

    def begin(self, epoch: int) -> None:
        """Go to train mode, with what the network draws in this epoch keyed by its number."""
        self.model.train()
        seed = self.config.seed
        mrimodels.key_dropout(self.model, torch_generator("dropout", seed, epoch))
        if self.mixstyle is not None:
            self.mixstyle.generator = generator("mixstyle", seed, epoch)

    def train_epoch(self, epoch: int) -> EpochStats:
        """Train one pass (epoch 1 is the first) and say how it went."""
        config, started = self.config, time.perf_counter()
        self.begin(epoch)
        steps = steps_per_epoch(len(self.indices), config.train)
        first = (epoch - 1) * steps
        total = torch.zeros((), device=self.device)
        seen = 0
        rows = epoch_batches(self.store, self.indices, config.train, config.seed, epoch)
        with closing(prefetched(self.load, rows, self.device)) as batches:
            for step, batch in enumerate(batches):
                rate = learning_rate(config.train, first + step, steps * config.train.epochs)
                total += self.step(batch, epoch, rate) * len(batch)
                seen += len(batch)
                beat(At(epoch, step + 1, steps))
        if self.average is not None:
            with self._precision():
                self.average.settle(self.model, self._inputs_again(epoch))
        train_loss = float(total) / seen
        return EpochStats(train_loss, seen / (time.perf_counter() - started))

    def load(self, rows: NDArray[np.int64]) -> Batch:
        """Bring the slices (B,) of one batch to the device."""
        data = self.config.data
        how = (data.signal, data.scan_draws, data.context, self.augmentation.poses)
        return gather(self.store, rows, self.device, *how)

    def step(self, batch: Batch, epoch: int, rate: float) -> Tensor:
        """Train on one batch after ``begin``; its mean cross-entropy, ()."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        inputs = self.augmentation.inputs(batch, epoch)
        with self._precision():
            logits = self.model(inputs)
        loss = self.objective.of(logits.float(), batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.minimised.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.model)
        return loss.reported

    def save(self, files: CheckpointFolder, epoch: int, stats: EpochStats) -> None:
        """Write the model, and its average, each as a checkpoint of its own, then what is left."""
        files.path.mkdir(parents=True, exist_ok=True)
        info = CheckpointInfo(
            trial=self.trial,
            config=self.config,
            labels=tuple(self.store.label_names),
            task=self.store.task,
            fingerprint=self.store.fingerprint,
            epoch=epoch,
            stats=stats,
        )
        with replacing(files.epoch(epoch)) as temporary:
            mrimodels.save(temporary, self.model, self.spec, meta=info.to_plain())
        if self.average is not None:
            meta = dataclasses.replace(info, mode=EMA).to_plain()
            with replacing(files.epoch(epoch, EMA)) as temporary:
                mrimodels.save(temporary, self.average.model, self.spec, meta)
        state = io.BytesIO()  # what torch says of a full disk is no OSError
        torch.save(self._state(epoch), state)
        with replacing(files.state) as temporary:
            temporary.write_bytes(state.getbuffer())

    def resume(self, files: CheckpointFolder) -> int:
        """Go back to the last saved epoch; its number, 0 where there is none.

        Raises:
            WorkError: What was saved is damaged, or of another network or method.

        """
        if not files.state.exists():
            return 0
        wrong = "what was saved of a trial cannot be read, to go on from there"
        with readable(wrong, files.path, AGAIN, WorkError):
            return self._resumed(files)

    def _resumed(self, files: CheckpointFolder) -> int:
        saved = load_state(fetched(files.state), self.device)
        epoch = saved["epoch"]
        if type(epoch) is not int or epoch < 1:
            raise ValueError(f"epoch {epoch!r:.80}")
        model = self._saved(files.epoch(epoch))
        if differ := sorted(saved.keys() ^ self._state(0).keys()):
            raise WorkError(
                "the saved state is of other methods of training than this trial's",
                f"{', '.join(differ)} in one of them alone, {files.state}",
                AGAIN,
            )
        self.model.load_state_dict(model.state_dict())
        require_state(saved["optimizer"], self.optimizer)
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.average is not None:
            averaged = self._saved(files.epoch(epoch, EMA))
            self.average.model.load_state_dict(averaged.state_dict())
            self.average.steps = int(saved["averaged_steps"])
        if self.groups is not None:
            require_alike(saved["group_weights"], self.groups.log_weights, "group_weights")
            self.groups.log_weights = saved["group_weights"]
        return epoch

    def _saved(self, path: Path) -> mrimodels.Classifier:
        """A network as it was saved; one of another spec is not even made."""
        return mrimodels.load_checkpoint(fetched(path), self.device, expected=self.spec).model

    def _precision(self) -> torch.autocast:
        """Where a network computes."""
        use_amp = self.config.train.amp and self.device.type == "cuda"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=use_amp)

    def _inputs_again(self, epoch: int) -> Iterator[Tensor]:
        """As many batches of an epoch as an average needs, from its first, and again if too few."""
        settings, seed = self.config.train, self.config.seed
        rows = list(epoch_batches(self.store, self.indices, settings, seed, epoch))
        for batch in islice(cycle(rows), BATCHES):
            yield self.augmentation.inputs(self.load(batch), epoch)

    def _state(self, epoch: int) -> dict[str, Any]:
        """What goes on from epoch to epoch beside the weights."""
        state = {"epoch": epoch, "optimizer": self.optimizer.state_dict()}
        if self.average is not None:
            state["averaged_steps"] = self.average.steps
        if self.groups is not None:
            state["group_weights"] = self.groups.log_weights
        return state
