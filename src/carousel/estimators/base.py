"""Shared parts of all estimators: parameters to settings, training in memory, pickling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from carousel import bundle
from carousel.config import Config
from carousel.config.own import WORDS
from carousel.config.short_names import SHORT_NAMES
from carousel.data.sizes import Size, by_name
from carousel.data.splits import split
from carousel.errors import CarouselError
from carousel.estimators.inputs import Given
from carousel.training import fit as train

_SEEDS = 2**31 - 1


@dataclass(frozen=True)
class Chosen:
    """Numbers of the sequences that count, and the weight of each; None where they are alike.

    total: sequences there are.
    """

    index: NDArray[np.int64]
    weights: NDArray[np.float64] | None
    total: int = 0

    def weights_of(self, **parts: NDArray[np.int64]) -> dict[str, torch.Tensor]:
        """Weights of each part, given by places, with a mean of 1; none where all are alike.

        >>> Chosen(np.arange(3), np.array([1.0, 3.0, 5.0])).weights_of(train=np.array([0, 1]))
        {'train': tensor([0.5000, 1.5000], dtype=torch.float64)}
        """
        if self.weights is None:
            return {}
        known = {name: self.weights[index] for name, index in parts.items()}
        return {name: torch.from_numpy(some / some.mean()) for name, some in known.items()}


class SequenceEstimator(BaseEstimator):  # type: ignore[misc]
    """Base of the estimators: what `fit` of each has in common."""

    _task: ClassVar[str]
    #: Whether numbers are found of whole sequences.
    _whole: ClassVar[bool] = False
    #: Settings of every network of this estimator; parameters and `settings` come after them.
    _own: ClassVar[dict[str, Any]] = {}
    #: Parameters that this estimator has besides, and the settings that they are.
    _settings: ClassVar[dict[str, str]] = {}

    def _fit(self, parts: Any, given: Given, more: Mapping[str, Any] | None = None) -> None:
        """Train on parts, and remember what came of it. Raises `ValueError`."""
        with said_as_value_error():
            width = given.sequences[0].shape[1]
            config = self._config(len(given), given.mean_length, width)
            if more:
                config = config.override(dict(more))
            seed, quiet = self._seed, not self.verbose
            fitted = train(config, parts, seed=seed, threads=self.threads, quiet=quiet)
        fitted.model.parts = None  # the data stay the caller's
        self.model_, self.epochs_ = fitted.model, fitted.epochs
        self.best_epoch_, self.validation_scores_ = fitted.best_epoch, fitted.validation

    def _config(self, sequences: int, length: float, features: int) -> Config:
        """The configuration that the parameters describe, for data of that size."""
        start = Config.from_dict({"task": self._task, "data": {"name": WORDS[self._task]}})
        size = Size(sequences, round(sequences * length), features, whole=self._whole)
        start = start.override({**by_name(self._task, size), **self._own, **self._given()})
        return start.override(dict(self.settings)) if self.settings else start

    def _given(self) -> dict[str, Any]:
        """Settings that parameters name."""
        wanted = self.get_params(deep=False)
        return {
            setting: _plain(wanted[name])
            for name, setting in {**SHORT_NAMES, **self._settings}.items()
            if wanted.get(name) is not None
        }

    def _chosen(self, sample_weight: Any, count: int) -> Chosen:
        """The sequences that count, and how much; draws the seed. Raises `ValueError`."""
        self._seed = (
            int(self.random_state)
            if isinstance(self.random_state, Integral)
            else int(check_random_state(self.random_state).randint(_SEEDS))
        )
        if count < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 sequences to learn from; got n_samples = 1"
            )
        if sample_weight is None:
            return Chosen(np.arange(count), None, count)
        found: NDArray[np.float64] = _check_sample_weight(
            sample_weight, np.empty((count, 1)), dtype=np.float64, ensure_non_negative=True
        )
        if not found.any():
            raise ValueError("sample_weight must not be zero for every sequence")
        index = found.nonzero()[0]
        alike = bool((found[index] == found[index[0]]).all())
        return Chosen(index, None if alike else found[index], count)

    def _split(
        self, chosen: Chosen, classes: Any = None, groups: Any = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places, among those that count, of what trains and of what validates: drawn by class or
        by group. Where none validate (`validation=0`, or too few), all do both. Raises
        `ValueError`."""
        count, share = len(chosen.index), self.validation
        everything = np.arange(count)
        if not 0 <= share < 1:
            raise ValueError(f"validation must be a share in [0, 1), got {share}")
        if groups is not None:
            groups = list(groups)
            if len(groups) != chosen.total:
                raise ValueError(
                    f"groups must name the group of each of {chosen.total} sequences, got "
                    f"{len(groups)}"
                )
            groups = [groups[i] for i in chosen.index]
            if share and len(set(groups)) < 2:
                raise ValueError("groups must name at least 2 groups, or validation must be 0")
        if not share:
            return everything, everything
        by: dict[str, Any] = {"classes": classes} if groups is None else {"groups": groups}
        drawn = split(count, {"validation": share}, self._seed, **by)
        held = drawn["validation"].numpy()
        return (drawn["train"].numpy(), held) if len(held) else (everything, everything)

    @staticmethod
    def _keeps_last(train: NDArray[np.int64], held: NDArray[np.int64]) -> dict[str, Any]:
        """Settings where nothing is held out: then nothing tells which epoch is the best."""
        alone = len(train) == len(held) and bool((train == held).all())
        return {"training.restore_best": False, "training.patience": 0} if alone else {}

    def _trained(self) -> Any:
        """The trained model. Raises `NotFittedError` if there is none."""
        check_is_fitted(self, "model_")
        return self.model_

    # ---- pickling: the model as the files of a bundle, which are read without running code

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = bundle.to_bytes(state["model_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "model_" in state:
            self.model_ = bundle.from_bytes(state["model_"], f"the pickled {type(self).__name__}")


class WholeEstimator(SequenceEstimator):
    """Base of the estimators that say one thing of a sequence."""

    def __init__(
        self,
        *,
        cell: str | None = None,
        hidden_size: int | None = None,
        num_layers: int = 1,
        bidirectional: bool = True,
        pooling: str | None = None,
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        patience: int | None = None,
        validation: float = 0.2,
        random_state: Any = None,
        threads: int = 1,
        settings: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        self.cell, self.hidden_size, self.num_layers = cell, hidden_size, num_layers
        self.bidirectional, self.pooling, self.dropout = bidirectional, pooling, dropout
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.patience, self.validation, self.random_state = patience, validation, random_state
        self.threads, self.settings, self.verbose = threads, settings, verbose


@contextmanager
def said_as_value_error() -> Iterator[None]:
    """Raise what a person can mend as a `ValueError`, as scikit-learn has it, in the same words."""
    try:
        yield
    except CarouselError as error:
        raise ValueError(str(error)) from error


def class_names(classes: NDArray[Any]) -> list[str]:
    """Classes as text, or their numbers where two would read the same.

    >>> class_names(np.array([1, 2])), class_names(np.array([1, "1"], dtype=object))
    (['1', '2'], ['0', '1'])
    """
    names = [str(name) for name in classes.tolist()]
    return names if len(set(names)) == len(names) else [str(i) for i in range(len(names))]


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's own, which settings are."""
    return value.item() if isinstance(value, np.generic) else value
