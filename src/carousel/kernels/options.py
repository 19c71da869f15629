"""Options of a cell in one call: what it does differently from torch's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carousel.cells.table import mode_of, spec_of


@dataclass(frozen=True)
class Options:
    """The options of a cell, as they act in one call; docs/options.md has the equations.

    activation, gate_activation: "" where they are the cell's own.
    zoneout_cell, zoneout_state: probabilities to keep what was before the step.
    recurrent_dropout: of the candidate. state_dropout: of h in the recurrent product, drawn once
        for the sequence, or `each_step`.
    draws: whether zoneout draws (training) or takes the expectation.
    layer_norm: of the products, and of the LSTM's cell state on its way out.
    reset_first: the GRU's reset gate acts on h before its product: reset_after=False of the layer.
    precision: "bf16" where products round to bfloat16: see `carousel.kernels.products`.
    input_dropout, output_dropout: of features, constant over time: on the input of every layer, on
        the output of the last. They act around the cell, not in it.
    """

    activation: str = ""
    gate_activation: str = ""
    peephole: bool = False
    coupled: bool = False
    variant: str = ""
    zoneout_cell: float = 0.0
    zoneout_state: float = 0.0
    recurrent_dropout: float = 0.0
    state_dropout: float = 0.0
    each_step: bool = False
    draws: bool = False
    input_dropout: float = 0.0
    output_dropout: float = 0.0
    layer_norm: bool = False
    reset_first: bool = False
    precision: str = ""

    @property
    def plain(self) -> bool:
        """True if the cell is torch's."""
        return not self.words

    @property
    def seeded(self) -> bool:
        """True if something inside the cell is drawn at random."""
        return self.recurrent_dropout > 0 or self.state_dropout > 0 or self.draws

    @property
    def in_cell(self) -> bool:
        """True if the step itself differs from torch's."""
        around = ("input_dropout", "output_dropout", "draws", "each_step")
        return any(name not in around for name in self.words)

    @property
    def words(self) -> tuple[str, ...]:
        """The names of the options that act."""
        acting = (
            ("activation", self.activation != ""),
            ("gate_activation", self.gate_activation != ""),
            ("peephole", self.peephole),
            ("coupled", self.coupled),
            ("variant", self.variant != ""),
            ("layer_norm", self.layer_norm),
            ("reset_after=False", self.reset_first),
            ("zoneout", self.zoneout_cell > 0 or self.zoneout_state > 0),
            ("recurrent_dropout", self.recurrent_dropout > 0),
            ("naive_recurrent_dropout", self.state_dropout > 0 and self.each_step),
            (
                "variational",
                (self.state_dropout > 0 and not self.each_step)
                or self.input_dropout > 0
                or self.output_dropout > 0,
            ),
        )
        return tuple(name for name, acts in acting if acts)

    @property
    def inside(self) -> Options:
        """Options of the cell alone: what acts around it is done already, or not yet."""
        return dataclasses.replace(self, input_dropout=0.0, output_dropout=0.0)

    def value(self, name: str) -> Any:
        """An option by the name that it has here; None for one that is no option of a cell."""
        return getattr(self, name, None)

    def settings(self, mode: str) -> dict[str, Any]:
        """The keywords that the step of this mode's cell takes, beside its tensors.

        >>> Options(activation="relu").settings("GRU")
        {'activation': 'relu', 'gate_activation': 'sigmoid', 'reset_after': True}
        """
        values = {
            "nonlinearity": self.activation or mode_of(mode).nonlinearity,
            "activation": self.activation or "tanh",
            "gate_activation": self.gate_activation or "sigmoid",
            "reset_after": not self.reset_first,
            "coupled": self.coupled,
            "variant": self.variant,
        }
        return {name: values[name] for name in spec_of(mode).settings}

    @property
    def text(self) -> str:
        """Options inside the cell, but for probabilities, as an operator's argument."""
        # Words by branches: torch.compile traces this, and formats no condition.
        peephole = "peephole" if self.peephole else ""
        coupled = "coupled" if self.coupled else ""
        each_step = "each_step" if self.each_step else ""
        draws = "draws" if self.draws else ""
        layer_norm = "layer_norm" if self.layer_norm else ""
        reset_first = "reset_first" if self.reset_first else ""
        return (
            f"{self.activation};{self.gate_activation};{self.variant};"
            f"{peephole};{coupled};{each_step};{draws};{layer_norm};{reset_first};{self.precision}"
        )

    @property
    def rates(self) -> list[float]:
        """The probabilities inside the cell, as an operator's argument."""
        # Numbers, not text: torch.compile may hold them to be variable.
        return [
            self.zoneout_cell,
            self.zoneout_state,
            self.recurrent_dropout,
            self.state_dropout,
        ]

    @classmethod
    def parse(cls, text: str, rates: Sequence[float]) -> Options:
        """The options that have this `text` and these `rates`; of "" and none, the plain ones.

        >>> options = Options(activation="relu", zoneout_state=0.1, draws=True)
        >>> Options.parse(options.text, options.rates) == options
        True
        """
        if not text:
            return cls()
        activation, gate, variant, *words = text.split(";")
        words += [""] * (7 - len(words))  # programs exported before there were the last two
        precision = words.pop()
        peephole, coupled, each_step, draws, layer_norm, reset_first = (
            word != "" for word in words
        )
        cell, state, candidate, product = rates
        return cls(
            activation=activation,
            gate_activation=gate,
            peephole=peephole,
            coupled=coupled,
            variant=variant,
            zoneout_cell=cell,
            zoneout_state=state,
            recurrent_dropout=candidate,
            state_dropout=product,
            each_step=each_step,
            draws=draws,
            layer_norm=layer_norm,
            reset_first=reset_first,
            precision=precision,
        )


PLAIN = Options()
