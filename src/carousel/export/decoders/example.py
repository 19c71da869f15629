"""A greedy search in Python with NumPy and ONNX Runtime alone, for the card of a decoder."""

from __future__ import annotations

import numpy as np

from carousel.export.decoders.pair import Pair

_TOKENS = 3


def example(pair: Pair, files: tuple[str, str]) -> str:
    """Some 15 lines that write the sentence about one input."""
    network, given = pair.network, pair.network.input
    sizes = {"batch": 1, "time": _TOKENS}
    shape = tuple(sizes[size] if isinstance(size, str) else size for size in given.shape)
    tried = {given.name: np.zeros(shape, given.dtype), "lengths": np.array([_TOKENS])}
    fed = f'"{given.name}": np.zeros({shape}, "{given.dtype}")'
    if network.has_lengths:
        fed += f', "lengths": np.array([{_TOKENS}])'
    states = [state.name for state in network.decoder.states]
    outs = [f"{name}_out" for name in states]
    handed = ", ".join(f'"{name}_in": {name}' for name in states)
    lengths = ', "lengths": given["lengths"]' if network.has_lengths else ""
    facts = network.facts
    return f"""\
import numpy as np
import onnxruntime

encoder, step = map(onnxruntime.InferenceSession, {list(files)})
given = {{{fed}}}  # {given.words}
fed = dict(zip({[o.name for o in network.encoder_outputs()]}, encoder.run(None, given)))
fed |= {{"token": np.array([{facts["start"]}]){lengths}}}  # the token that begins a sentence
said = []
while len(said) < {pair.longest(tried)[0] - 1}:  # see `longest`
    chances, {", ".join(states)} = step.run({["log_probabilities", *outs]}, fed)
    chances[:, {facts["never"]}] = -np.inf  # tokens that are never written
    token = int(chances[0].argmax())
    if token == {facts["end"]}:  # the end
        break
    said.append(token)
    fed |= {{"token": np.array([token]), {handed}}}
print(said)  # numbers of tokens, whose texts are in `vocabulary`
"""
