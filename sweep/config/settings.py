"""What a user can set for one trial: data, model, stress test, and the training of ``training``.

``sweep.config.sweep`` reads them from YAML and adds the search around them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import mrimodels
from artifacts_sim import LEVELS
from mrimodels.places import is_place
from sweep.config.base import Settings, require, require_seed, settled
from sweep.config.modes import ModeSettings
from sweep.config.screen import ScreenSettings
from sweep.config.training import TrainSettings
from sweep.core.errors import UserError
from sweep.core.records import screening_of
from sweep.core.text import as_written

Split = str | int
Normalize = Literal["robust", "zscore", "max", "none"]
Signal = Literal["images", "kspace"]
Measure = Literal["foreground", "whole"]
AUTO = "auto"
LevelKnobs = tuple[float | None, ...]  # a knob value for each level
ArtifactOptions = dict[str, dict[str, Any]]  # by the name of the artifact or the variant


@dataclass(frozen=True, kw_only=True)
class DataSettings(Settings):
    """Which slices train, validate and test, and how their intensities are scaled.

    Attributes:
        store: Path of the HDF5 store.
        dataset: ``package.module:Class`` of a torch dataset, of which ``run`` and ``check`` make
            the store where it is not there yet; null: the store is there. When to change it: your
            images come from a torch dataset, and no store has been made of it.
        dataset_options: Keywords of that class.
        train: Folds or split names to train on.
        validation: Folds or split names on which every epoch is stress-tested.
        test: Folds or split names that the sweep never touches. When to change it: there are
            patients to spare; finalists are scored on them, and on none but them.
        signal: What the artifacts act on: ``images`` is the stored magnitude; ``kspace`` is the
            complex k-space of all coils, in a store that keeps it, from which every input is
            reconstructed, clean ones too. When to change it: the store keeps k-space, and artifacts
            are to act where the scanner makes them; every input then costs a reconstruction.
        normalize: Intensity scaling of a slice, after the artifacts: ``robust`` is (x - median) /
            (99th - 1st percentile), ``zscore`` (x - mean) / std, ``max`` x / max. When to change
            it: results are to be compared with work that scaled intensities in another way, or the
            scaling is itself a question: it can be searched.
        context: How many slices on either side of a slice, by their numbers in its scan, the
            network gets with it, as channels of one input, 2.5-D as it is called; 0: none. See
            docs/training.md#neighbouring-slices. When to change it: findings go on over several
            slices, and the store holds whole scans; it can be searched.
        scan_draws: Whether what a scanner does to a whole scan, such as a bias field or a history
            of movements, is drawn once for all slices of a scan, and what happens to a slice, such
            as noise, for each; false: all is drawn for each slice apart. When to change it: results
            are to be compared with work that damaged every slice apart.
        fingerprint: The store must have this one; null: any. A sweep's folder records the one it
            ran on here, so that it is resumed on the same data or not at all. When to change it:
            the sweep must run on the very file of an earlier one.
        caution: What flatters scores by how the store was made, such as patients that nobody knows;
            null: nothing. A sweep's folder records it here, and every report repeats it. When to
            change it: never; ingest the data again with what was unknown.

    """

    store: str
    dataset: str | None = None
    dataset_options: dict[str, Any] = field(default_factory=dict)
    train: tuple[Split, ...]
    validation: tuple[Split, ...]
    test: tuple[Split, ...] = ()
    signal: Signal = "images"
    normalize: Normalize = "robust"
    context: int = 0
    scan_draws: bool = True
    fingerprint: str | None = None
    caution: str | None = None

    def __post_init__(self) -> None:
        roles = {"train": self.train, "validation": self.validation, "test": self.test}
        require(bool(self.train), "train", "at least one fold or split name", self.train)
        require(
            bool(self.validation), "validation", "at least one fold or split name", self.validation
        )
        seen: dict[str, str] = {}
        for role, splits in roles.items():
            for split in map(str, splits):
                if split in seen:
                    raise UserError(
                        "a split serves two purposes",
                        f"{split!r} in {seen[split]} and in {role}",
                        "take it out of one of them",
                    )
                seen[split] = role
        require(self.context >= 0, "context", "0 or more", self.context)
        if self.dataset is not None:
            rule = "package.module:Class"
            require(is_place(self.dataset), "dataset", rule, self.dataset)
        elif self.dataset_options:
            raise UserError(
                "there is no dataset to take the dataset_options",
                as_written(self.dataset_options),
                "set dataset to package.module:Class, or leave them out",
            )
        # As they are read back from YAML or JSON, so that a sweep equals its record.
        object.__setattr__(self, "dataset_options", settled(None, self.dataset_options))

    def to_plain(self) -> dict[str, Any]:
        """As of all settings; without caution, context, or what is of a dataset, where none is.

        So the record of a sweep that has none of them is what it was before there were any.
        """
        plain = super().to_plain()
        absent = {"caution"} if self.caution is None else set()
        absent |= set() if self.context else {"context"}
        if self.dataset is None:
            absent |= {"dataset", "dataset_options"}
        return {name: value for name, value in plain.items() if name not in absent}

    @property
    def channels(self) -> int:
        """Channels of an input: the slice, and its neighbours on either side."""
        return 2 * self.context + 1

    def of_store(self, store: str, fingerprint: str, caution: str | None) -> "DataSettings":
        """The same, bound to a store as it is, whatever it was made of."""
        return replace(
            self,
            store=store,
            fingerprint=fingerprint,
            caution=caution,
            dataset=None,
            dataset_options={},
        )


_OF_WEIGHTS = ("weights", "weights_digest")


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Settings):
    """The network. Inputs and outputs follow from the data and cannot be set.

    Attributes:
        arch: ``preact_resnet18``, ``preact_resnet34`` or ``preact_resnet50``, networks of this
            package; or a name of torchvision, ``timm/NAME``, ``monai/NAME``, or
            ``package.module:function`` of your own, see docs/networks.md. When to change it: the
            order of norms is to be asked of another network, too.
        norm: The kind of every norm layer, see docs/norms.md; ``keep`` leaves those that a network
            of another package comes with. When to change it: norms are not what is compared; else
            search it.
        width: Channels of the stem and of the first stage, 2 or more; later stages double it. When
            to change it: a first look has to be fast (16), or there is a GPU and time (64).
        stem_stride: Stride of the 3 x 3 stem, 1 to 3. When to change it: images are large and time
            is short: 2 makes every layer four times cheaper.
        head: ``gap``, global average pooling, or ``pool10``, averages on a 10 x 10 grid; then a
            linear layer. When to change it: where something lies in the image matters more than
            that it is there.
        dropout: Probability that a feature is zeroed before the linear layer in training; 0: none,
            and in a network of another package what it has of its own. When to change it: training
            loss falls on while scores on validation patients fall.
        norm_eps: What every norm layer adds to the variance, above 0.
        norm_groups: Number of groups in every norm layer that has groups; it divides the channels
            of every layer. Null: by docs/norms.md#groups, or what ``norm_group_channels`` says.
            When to change it: the number of groups is itself a question; it can be searched.
        norm_group_channels: Channels in every group, instead of their number; null: not said. When
            to change it: groups are to have one size in all layers.
        antialias: Whether maps are blurred wherever a stride leaves pixels out (Zhang, arXiv
            1904.11486), in the network of this package. When to change it: shifts of a few pixels
            change what the network says.
        weights: File of pretrained weights for a network of another package, ``.pt``, ``.pth`` or
            ``.safetensors``; every node has to see it. Null: first weights from the seed. When to
            change it: there are pretrained weights of a network like yours.
        weights_digest: The file must have this SHA-256; null: any. A sweep's folder records the
            one it ran with here, so that it is resumed with the same file or not at all.

    """

    arch: str = "preact_resnet18"
    norm: str = "batch"
    width: int = 64
    stem_stride: int = 1
    head: str = "gap"
    dropout: float = 0.0
    norm_eps: float = 1e-5
    norm_groups: int | None = None
    norm_group_channels: int | None = None
    antialias: bool = False
    weights: str | None = None
    weights_digest: str | None = None

    def __post_init__(self) -> None:
        spec = self.spec(n_outputs=1)
        if self.weights is not None and not spec.is_foreign:
            raise UserError(
                "weights are for networks of other packages",
                f"weights={self.weights!r} for {self.arch}",
                "leave them out, or take another arch",
            )

    def to_plain(self) -> dict[str, Any]:
        """As of all settings; without ``weights`` where there are none.

        So the record of a sweep that sets none is what it was before there were weights.
        """
        plain = super().to_plain()
        return {k: v for k, v in plain.items() if v is not None or k not in _OF_WEIGHTS}

    def pretrained(self) -> "mrimodels.Weights | None":
        """The file of pretrained weights, or None."""
        if self.weights is None:
            return None
        return mrimodels.Weights(self.weights, self.weights_digest)

    def spec(self, n_outputs: int, in_channels: int = 1) -> mrimodels.ModelSpec:
        """The network for inputs of so many channels and ``n_outputs`` labels.

        Raises:
            mrimodels.ModelError: A setting that no network has.

        """
        described = {k: v for k, v in asdict(self).items() if k not in _OF_WEIGHTS}
        return mrimodels.ModelSpec(in_channels=in_channels, n_outputs=n_outputs, **described)


@dataclass(frozen=True, kw_only=True)
class StressSettings(Settings):
    """The shifted distributions: every artifact at every level, and the clean images.

    Attributes:
        artifacts: Names of docs/artifacts.md, of a variant in ``options``, or of a family:
            ``search``, ``holdout``. When to change it: your scanner makes others; leave those out
            that finalists are to meet for the first time.
        options: Artifact -> its options, such as motion -> order -> interleaved; those that are not
            named have their defaults. A name with a dash and a word, such as
            ``motion-interleaved``, makes a variant of that name, to stand beside the artifact.
            Whatever names it, the augmentation too, gets it with these options. When to change it:
            your sequence differs from the default, such as in the order of its lines.
        levels: Severity levels 1 to 5; a level that an artifact does not reach is left out. When to
            change it: a stress test has to be cheaper (fewer levels), or the curve over severity
            matters (all five).
        grid: What a level means: ``auto``, calibrated on the training slices as a sweep begins, in
            its signal and its normalization; or one that is fixed: ``calibrated``, for images of
            256 x 256, ``physical``, or a file of ``mrisweep calibrate``. When to change it: several
            sweeps are to share one meaning of levels: give them one file of ``mrisweep calibrate``.
        measure: Where the SSIM of the grid ``auto`` counts: over the ``foreground``, or over the
            ``whole`` image, which sees ghosts in the background. When to change it: ghosts in the
            background are to count as severe.
        knobs: Artifact -> knob values of levels 1 to 5, null where one is not reached; goes
            before the grid, and is written when a sweep begins, so that its levels keep their
            meaning whatever is calibrated later.
        batch_size: Slices per forward pass. Predictions may differ in the last bit between batch
            sizes, so it is part of the record. When to change it: the memory of a GPU is too small,
            or much larger than a batch takes.
        seed: Key of the artifact draws; the same for every trial, so that all see the same pixels.
            When to change it: a result is to be repeated under other draws of the same artifacts.
        modes: In which other modes the best checkpoints are evaluated once trials have ended; a
            list stands for its ``names``.

    """

    artifacts: tuple[str, ...] = ("rician", "motion", "ghosting", "spike", "bias")
    levels: tuple[int, ...] = (1, 3, 5)
    grid: str = AUTO
    measure: Measure = "foreground"
    options: ArtifactOptions = field(default_factory=dict)
    knobs: dict[str, LevelKnobs] = field(default_factory=dict)
    batch_size: int = 64
    seed: int = 0
    modes: ModeSettings = field(default_factory=ModeSettings)

    def __post_init__(self) -> None:
        require(bool(self.artifacts), "artifacts", "at least one artifact", self.artifacts)
        require(bool(self.levels), "levels", "at least one level", self.levels)
        require(self.batch_size >= 1, "batch_size", "1 or more", self.batch_size)
        require_seed("seed", self.seed)
        for name, values in (("artifacts", self.artifacts), ("levels", self.levels)):
            require(len(set(values)) == len(values), name, "each value once", values)
        for artifact, knobs in self.knobs.items():
            rule = f"{len(LEVELS)} values or nulls"
            require(len(knobs) == len(LEVELS), f"knobs.{artifact}", rule, knobs)
        # As they are read back from YAML or JSON, so that a sweep equals its record.
        object.__setattr__(self, "options", settled(None, self.options))

    def to_plain(self) -> dict[str, Any]:
        """As of all settings; without ``options`` and ``modes`` where none are set.

        So the record of a sweep that sets none is what it was before there were any.
        """
        plain = super().to_plain()
        unset = {"options"} if not self.options else set()
        unset |= {"modes"} if self.modes == ModeSettings() else set()
        return {name: value for name, value in plain.items() if name not in unset}


@dataclass(frozen=True, kw_only=True)
class TrialConfig(Settings):
    """All that decides the outcome of one trial, and nothing else."""

    data: DataSettings
    model: ModelSettings = field(default_factory=ModelSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    stress: StressSettings = field(default_factory=StressSettings)
    objective: str = "robust/auroc_cvar"
    seed: int = 0
    screen: ScreenSettings | None = None

    def to_plain(self) -> dict[str, Any]:
        """As of all settings; without ``screen`` where every epoch is scored in full."""
        plain = super().to_plain()
        return {name: value for name, value in plain.items() if name != "screen" or self.screen}

    def spec(self, n_outputs: int) -> mrimodels.ModelSpec:
        """The network for the inputs of this trial and ``n_outputs`` labels.

        Raises:
            mrimodels.ModelError: A setting that no network has, or a network of another package
                that does not take such inputs.

        """
        return self.model.spec(n_outputs, self.data.channels)

    def in_full(self, epoch: int) -> bool:
        """Whether an epoch is scored on all patients and cells as soon as it is trained."""
        if self.screen is None or epoch >= self.train.epochs:
            return True
        return epoch in (self.screen.full or ())

    def common(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """The scores that every epoch has: of the screening, where there is one."""
        return metrics if self.screen is None else screening_of(metrics)
