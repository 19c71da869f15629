"""The options that a layer's constructor takes beyond torch's: what they are, and their checks."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from carousel import kernels
from carousel.cells.activations import ACTIVATIONS, GATE_ACTIVATIONS
from carousel.cells.gru import NORMALIZED_AFTER
from carousel.cells.lstm import VARIANTS
from carousel.cells.table import mode_of, spec_of
from carousel.kernels.products import PRECISIONS

Rates = float | Sequence[float]


@dataclass(frozen=True)
class LayerOptions:
    """Options of a layer, by which it differs from torch's: stated here, and read from here.

    A layer holds one of these; what it has as attributes (`layer.zoneout`) reads it. Docstrings of
    the layers say what the options mean. Raises ValueError naming an option that is out of range.
    """

    activation: str | None = "tanh"
    gate_activation: str = "sigmoid"
    zoneout: Rates = 0.0
    recurrent_dropout: float = 0.0
    variational: Rates = 0.0
    naive_recurrent_dropout: float = 0.0
    weight_dropout: float = 0.0
    layer_norm: bool = False
    checkpoint_every: int = 0
    precision: str = "float32"

    own_first: ClassVar[bool] = False  # of a cell's own options in the layer's text

    def __post_init__(self) -> None:
        if self.activation is not None:
            check_activation(self.activation)
        _one_of("gate_activation", self.gate_activation, GATE_ACTIVATIONS)
        for name in ("recurrent_dropout", "naive_recurrent_dropout", "weight_dropout"):
            self._settle(name, probability(name, getattr(self, name)))
        self._settle("zoneout", self._rates_of_zoneout())
        parts = ("input", "state", "output")
        self._settle("variational", probabilities("variational", self.variational, parts))
        _one_of("precision", self.precision, PRECISIONS)
        if self.checkpoint_every < 0:
            raise ValueError(
                f"checkpoint_every must be 0 or more steps, got {self.checkpoint_every}"
            )
        if self.naive_recurrent_dropout and self._masks[1]:
            raise ValueError(
                "variational (of the state) and naive_recurrent_dropout both drop h before the "
                "recurrent product: choose one"
            )

    def _settle(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # frozen from then on

    def _rates_of_zoneout(self) -> float | tuple[float, ...]:
        return probability("zoneout", self.zoneout)

    def values(self) -> dict[str, Any]:
        """Every option by its name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @functools.cached_property
    def _hash(self) -> int:
        return hash((type(self), *self.values().values()))

    def __hash__(self) -> int:  # asked in every call of a layer
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:  # without the hash, which is of this process
        return type(self), tuple(self.values().values())

    def in_call(self, mode: str, training: bool, lowered: bool = False) -> kernels.Options:
        """Options that act in a call of a layer of this `mode`: in evaluation, no masks.

        lowered: autocast asks for products of bfloat16."""
        zoneout = self.zoneout
        cell, state = (0.0, zoneout) if isinstance(zoneout, float) else zoneout
        inputs, product, outputs = self._masks
        naive = self.naive_recurrent_dropout
        usual = (None, mode_of(mode).nonlinearity or "tanh")
        own = self.activation if "activation" in spec_of(mode).options else None
        return kernels.Options(
            activation="" if own in usual else own or "",
            gate_activation="" if self.gate_activation == "sigmoid" else self.gate_activation,
            zoneout_cell=cell,
            zoneout_state=state,
            recurrent_dropout=self.recurrent_dropout if training else 0.0,
            state_dropout=(naive or product) if training else 0.0,
            each_step=training and naive > 0,
            draws=training and cell + state > 0,
            input_dropout=inputs if training else 0.0,
            output_dropout=outputs if training else 0.0,
            layer_norm=self.layer_norm,
            precision="bf16" if lowered or self.precision == "bf16" else "",
            **self._structure(),
        )

    @property
    def _masks(self) -> tuple[float, ...]:
        assert isinstance(self.variational, tuple)
        return self.variational

    def _structure(self) -> dict[str, Any]:
        """Options that the layer's own kind of cell adds."""
        return {}

    def changed(self) -> list[str]:
        """The options that are not at their defaults, as name=value; without checkpoint_every,
        which changes no result."""
        plain = type(self)()
        names = [field.name for field in dataclasses.fields(self)]
        own = [name for name in names if name not in _FIELDS]
        shared = [name for name in names if name in _FIELDS and name != "checkpoint_every"]
        ordered = [*own, *shared] if self.own_first else [*shared, *own]
        values = ((name, getattr(self, name)) for name in ordered)
        return [f"{name}={value!r}" for name, value in values if value != getattr(plain, name)]


_FIELDS = {field.name for field in dataclasses.fields(LayerOptions)}


@dataclass(frozen=True)
class RNNOptions(LayerOptions):
    """Options of the vanilla RNN. activation: None where it is that of torch's `nonlinearity`."""

    activation: str | None = None

    __hash__ = LayerOptions.__hash__


@dataclass(frozen=True)
class GRUOptions(LayerOptions):
    """Options of the GRU."""

    reset_after: bool = True

    __hash__ = LayerOptions.__hash__

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.reset_after, bool):
            raise ValueError(f"reset_after must be True or False, got {self.reset_after!r}")
        if self.layer_norm and not self.reset_after:
            raise ValueError(NORMALIZED_AFTER)

    def _structure(self) -> dict[str, Any]:
        return {"reset_first": not self.reset_after}


@dataclass(frozen=True)
class LSTMOptions(LayerOptions):
    """Options of the LSTM; zoneout is of (cell, state)."""

    zoneout: Rates = 0.0
    forget_bias: float | None = None
    peephole: bool = False
    coupled: bool = False
    variant: str = ""

    own_first: ClassVar[bool] = True

    __hash__ = LayerOptions.__hash__

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant:
            _one_of("variant", self.variant, VARIANTS)
        if self.coupled and self.variant in ("NIG", "NFG"):
            raise ValueError(
                f"coupled makes the forget gate from the input gate: variant={self.variant!r} "
                "lacks one of them; choose one of the two"
            )
        if self.forget_bias is not None and self.variant == "NFG":
            raise ValueError("forget_bias needs a forget gate: variant='NFG' has none")

    def _rates_of_zoneout(self) -> tuple[float, ...]:
        return probabilities("zoneout", self.zoneout, ("cell", "state"))

    def _structure(self) -> dict[str, Any]:
        return {"peephole": self.peephole, "coupled": self.coupled, "variant": self.variant}


def option(name: str) -> Any:
    """An attribute of a layer that reads one of its options; set, the layer gets others."""

    def read(layer: Any) -> Any:
        return getattr(layer.layer_options, name)

    def write(layer: Any, value: Any) -> None:
        layer.layer_options = dataclasses.replace(layer.layer_options, **{name: value})

    return property(read, write, doc=f"The option `{name}` of the layer's constructor.")


def probability(name: str, value: Any) -> float:
    """The value as a float in [0, 1); raises ValueError naming the option."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name} must be a probability of at least 0 and below 1, got {value!r}")
    return float(value)


def probabilities(name: str, value: Any, parts: tuple[str, ...]) -> tuple[float, ...]:
    """One probability for all parts, or one for each of them."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return (probability(name, value),) * len(parts)
    if len(value) != len(parts):
        raise ValueError(f"{name} must be a number or ({', '.join(parts)}), got {value!r}")
    return tuple(
        probability(f"{name} of the {part}", p) for part, p in zip(parts, value, strict=True)
    )


def between_layers(dropout: Any, num_layers: int) -> Any:
    """Dropout between layers as torch is told of it: with one layer none, and a warning."""
    number = isinstance(dropout, int | float) and not isinstance(dropout, bool)
    if num_layers != 1 or not number or not 0 < dropout <= 1:
        return dropout  # torch says what is wrong with it, if anything is
    warnings.warn(
        f"dropout={dropout} has no effect with num_layers=1: it acts between layers. Put "
        "torch.nn.Dropout before or after the layer, or use variational=, zoneout= or "
        "weight_dropout= in it",
        UserWarning,
        stacklevel=3,
    )
    return 0.0


def check_activation(value: str) -> str:
    return _one_of("activation", value, ACTIVATIONS)


def _one_of(name: str, value: str, choices: Any) -> str:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return value
