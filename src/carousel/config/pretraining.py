"""Section on what the encoder of a text learns before its task."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config.keys import key

_DONE = ("pretraining.epochs!=0",)


@dataclass(frozen=True)
class PretrainingConfig:
    """Training of the encoder as a language model on the training part's own text, before it is
    trained for its task, and how that goes on from it (Dai and Le 2015; Howard and Ruder 2018).

    epochs: passes through the text in which the next word, and read from the end the one before, is
        predicted; embeddings and recurrent weights are then taken over (0: none). No word of the
        validation or test part is learnt from; the validation part chooses the epoch.
    learning_rate: of these passes, with the run's own optimiser and schedule (0:
        `optimizer.learning_rate`).
    batch_size: texts of a batch (0: `training.batch_size`).
    bptt: gradients go back so many words; longer texts are read in pieces of that length, each from
        a state of zeros.
    rate_decay: in the training that follows, each layer has the learning rate of the one above it
        times this (1: all alike; Howard and Ruder have 1 / 2.6), the head at the top, embeddings at
        the bottom.
    unfreeze: epochs after which the next layer below is trained, too: at first the head alone (0:
        all layers from the start).
    """

    epochs: int = key(0, low=0)
    learning_rate: float = key(0.0, low=0, when=_DONE)
    batch_size: int = key(0, low=0, when=_DONE)
    bptt: int = key(100, low=2, when=_DONE)
    rate_decay: float = key(1.0, above=0, high=1, when=_DONE)
    unfreeze: int = key(0, low=0, when=_DONE)
