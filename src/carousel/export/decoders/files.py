"""Both files of an encoder and a decoder: written, loaded, compared, and how they are used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel.errors import ConfigError
from carousel.export.card import values_of
from carousel.export.decoders.example import example
from carousel.export.decoders.pair import Pair
from carousel.export.decoders.parity import Runs, compare
from carousel.export.formats import Asked, Comparison
from carousel.export.onnx.decoders import encoder_of, step_of
from carousel.export.onnx.format import TOLERANCE, check_bits, runner, saved


@dataclass(frozen=True, eq=False)
class TwoFiles:
    """An encoder as NAME.onnx, and one step of its decoder as NAME_step.onnx.

    Raises `ConfigError` where another format is asked for, and for wishes that these cannot grant.
    """

    pair: Pair
    asked: Asked
    suffix: str

    def __post_init__(self) -> None:
        if self.suffix != ".onnx":
            raise ConfigError(
                f"the {self.pair.network.name}'s decoder attends to a memory as long as its input, "
                f"which a {self.suffix} file does not hold: export it as .onnx (encoder and "
                "one step of the decoder), or a recurrent layer by itself, such as "
                "carousel.load(run).model.decoder.recurrent"
            )
        check_bits(self.asked)
        if self.asked.stream:
            raise ConfigError(
                f"one step of the {self.pair.network.name}'s decoder is always written, beside its "
                "encoder: leave stream out",
                "stream",
            )

    @property
    def names(self) -> tuple[str, str]:
        """Names of both files."""
        return f"{self.asked.stem}.onnx", f"{self.asked.stem}_step.onnx"

    def write(self, folder: Path) -> list[str]:
        """Write both models."""
        makers = (encoder_of, step_of)
        for name, make in zip(self.names, makers, strict=True):
            saved(make(self.pair.network), folder / name)
        return list(self.names)

    def compare(self, folder: Path) -> Comparison:
        """Load both with ONNX Runtime, one thread, and compare."""
        encoder, step = (runner(folder / name) for name in self.names)
        return compare(self.pair, Runs(encoder, step), TOLERANCE)

    def card(self, files: list[str], compared: Comparison) -> dict[str, Any]:
        """Facts that a caller needs: as those of other files, and the decoder's step in `step`."""
        network = self.pair.network
        return {
            "files": files,
            "model": network.name,
            "stream": False,
            "int8": False,
            "inputs": values_of(network.encoder_inputs()),
            "outputs": values_of(network.encoder_outputs()),
            "step": {
                "file": self.names[1],
                "inputs": values_of(network.step_inputs()),
                "outputs": values_of(network.step_outputs()),
            },
            "vocabulary": list(network.vocabulary),
            **network.facts,
            "difference": compared.difference,
            "tolerance": compared.tolerance,
            "example": example(self.pair, self.names).splitlines(),
        }
