"""A recurrent cell as the compiled kernels take it, from a configuration and weights by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from carousel.cells.spec import CellSpec, Mode
from carousel.cells.table import mode_of, named, spec_of
from carousel.errors import ConfigError
from carousel.runtime.compiled import _native
from carousel.runtime.files import Array
from carousel.runtime.joined import Joining, joining

if TYPE_CHECKING:
    from carousel.config import ModelConfig, RegularizationConfig

_UNDERSTOOD = {
    *("activation", "gate_activation", "nonlinearity", "layer_norm", "reset_after", "forget_bias"),
    *("peephole", "coupled", "variant", "zoneout", "checkpoint_every", "heads", "precision"),
    *("r_min", "r_max", "max_phase"),  # where weights start
    *("order", "theta"),  # a size of weights, and what is in those that are fixed
    # which act in training alone
    *("weight_dropout", "recurrent_dropout", "variational", "naive_recurrent_dropout"),
}


@dataclass(frozen=True)
class Cell:
    """One cell with its options, as it computes in evaluation; all layers of a stack have one.

    spec, mode, hidden: as the kernels have it. layer: as a layer has it, whose outputs are `units`,
    the first of the hidden ones. memory: coefficients of one. joining: what makes the kernels'
    weights of a layer's; None where they are the layer's own, and so is the rest.
    """

    spec: CellSpec
    mode: Mode
    hidden: int
    options: Mapping[str, Any] | None
    layer: CellSpec
    units: int
    memory: int = 0
    joining: Joining | None = None

    @classmethod
    def of(cls, model: ModelConfig, regularization: RegularizationConfig) -> Cell:
        """The cell of a configuration. Raises `ConfigError`, by name, for one that the compiled
        kernels have not, or that the runtime does not know."""
        spec = named(model.cell)
        wanted = model.activation if model.activation in spec.nonlinearities else model.nonlinearity
        modes = {mode.nonlinearity: mode for mode in spec.modes}
        mode = modes.get(wanted, spec.modes[0])
        strange = sorted(set(spec.options) - _UNDERSTOOD)
        lacking = [part for part in spec.states if not hasattr(_native.Problem, f"{part}0")]
        make = joining(spec) if spec.joined else None
        if mode.native is None or strange or lacking or (spec.joined and make is None):
            raise ConfigError(
                f"the runtime without torch has no {spec.layer}: load the model with "
                "carousel.load, which needs torch"
            )
        if model.precision != "float32":
            raise ConfigError(
                f"the runtime without torch multiplies in float32, and the model asks for "
                f"model.precision = {model.precision!r}: load it with carousel.load, which needs "
                'torch, or write "precision": "float32" into its model.json'
            )
        size = model.hidden_size
        if make is not None:
            kept = sum(spec.state_sizes(size, size, model.order))
            joined = f"{mode.name}_JOINED"
            return cls(spec_of(joined), mode_of(joined), kept, None, spec, size, joining=make)
        options = None if spec.is_parallel else _options(spec, mode, model, regularization)
        return cls(spec, mode, size, options, spec, size, model.order if spec.memory else 0)

    def problem(
        self, weights: Mapping[str, Array], steps: int, rows: int, reverse: bool = False
    ) -> _native.Problem:
        """One direction of one layer over a batch, for the kernels. weights: by their names in
        `CellSpec.weights`; they must live as long as the problem."""
        number, inputs = self.mode.native, weights["weight_ih"].shape[1]
        assert number is not None
        problem = _native.Problem(
            number, steps, rows, inputs, self.hidden, self.hidden, reverse, True
        )
        if self.options is not None:
            problem.set_options(**self.options)
        if self.memory:
            problem.memory = self.memory
        if self.spec.has_heads:
            problem.heads = self.hidden // weights["weight_hh"].shape[1]
        for weight in self.spec.weights:
            if weight.name in weights:
                setattr(problem, weight.in_native, weights[weight.name].ctypes.data)
        return problem


def _options(
    spec: CellSpec, mode: Mode, model: ModelConfig, regularization: RegularizationConfig
) -> dict[str, Any] | None:
    """Arguments of `Problem.set_options`; None where the cell is torch's."""

    def given(name: str) -> Any:
        return getattr(model, name) if name in spec.options else None

    state, cell = regularization.zoneout, regularization.zoneout_cell
    if "zoneout" not in spec.options:
        state = cell = 0.0
    elif len(spec.states) == 1:
        cell = 0.0
    elif cell < 0:
        cell = state
    own = mode.nonlinearity or "tanh"
    activation = given("activation") or own
    hard = given("gate_activation") == "hard_sigmoid"
    flags = {name: bool(given(name)) for name in ("peephole", "coupled", "layer_norm")}
    variant, reset_first = given("variant") or "", given("reset_after") is False
    differs = activation != own or hard or any(flags.values()) or variant or reset_first
    if not (differs or state or cell):
        return None
    return {
        "activation": "identity" if variant == "NIAF" else activation,
        "output": "identity" if variant == "NOAF" else activation,
        "hard_gates": hard,
        "gates": spec.gates_with(given),
        **flags,
        "zone_cell": cell,
        "zone_state": state,
        "candidate": 0.0,
        "product": 0.0,
        "each_step": False,
        "draws": False,
        "seed": 0,
        "reset_first": reset_first,
    }
