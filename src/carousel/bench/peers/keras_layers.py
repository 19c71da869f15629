"""Keras layers on the backend that KERAS_BACKEND names; runs in a process of its own.

Compiled the way the backend compiles: `jax.jit`, `tf.function`, and torch as it is.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from carousel.bench.cases import Array, Case, Problem
from carousel.bench.peers.base import Contestant, Local

# Gates in Keras's order, by their place in torch's.
_ORDER = {"LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2), "RNN": (0,)}


def prepare(problem: Problem, threads: int) -> Contestant:
    """A contestant of the backend of this process."""
    keras = importlib.import_module("keras")
    layers = _layers(keras, problem)
    x = np.ascontiguousarray(problem.x.swapaxes(0, 1))  # Keras puts the batch first
    mask = np.ascontiguousarray(problem.mask.T) if problem.case.lengths else None
    cotangent = np.ascontiguousarray(problem.cotangent.swapaxes(0, 1))
    make = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}[keras.backend.backend()]
    return make(problem.case, layers, x, mask, cotangent, threads)


def versions() -> dict[str, str]:
    """Versions of Keras and of its backend."""
    keras = importlib.import_module("keras")
    name = keras.backend.backend()
    return {"keras": keras.__version__, name: importlib.import_module(name).__version__}


def _layers(keras: Any, problem: Problem) -> list[Any]:
    """The stack with the problem's weights."""
    case, stack = problem.case, []
    for depth in range(case.layers):
        kind = getattr(keras.layers, "SimpleRNN" if case.cell == "RNN" else case.cell)
        layer = kind(case.hidden, return_sequences=True)
        if case.bidirectional:
            layer = keras.layers.Bidirectional(layer)
        inputs = case.directions * case.hidden if depth else case.inputs
        layer.build((case.batch, case.steps, inputs))
        first = depth * case.directions
        weights = problem.weights[first : first + case.directions]
        layer.set_weights([part for each in weights for part in _weights(each, case)])
        stack.append(layer)
    return stack


def _weights(weights: dict[str, Array], case: Case) -> list[Array]:
    """Kernel (I, G H), recurrent kernel (H, G H) and bias: (G H,), or (2, G H) for the GRU."""
    ordered = {}
    for name, weight in weights.items():
        gates = weight.reshape(-1, case.hidden, *weight.shape[1:])
        ordered[name] = gates[list(_ORDER[case.cell])].reshape(weight.shape)
    biases = np.stack([ordered["bias_ih"], ordered["bias_hh"]])
    bias = biases if case.cell == "GRU" else biases.sum(0)
    return [ordered["weight_ih"].T, ordered["weight_hh"].T, bias]


def _results(outcome: Any) -> dict[str, Array]:
    outcome = outcome if isinstance(outcome, tuple) else (outcome,)
    arrays = (np.asarray(part).swapaxes(0, 1) for part in outcome)
    return dict(zip(("y", "dx"), arrays, strict=False))


def _jax(
    case: Case, layers: list[Any], x: Any, mask: Any, cotangent: Any, threads: int
) -> Contestant:
    jax = importlib.import_module("jax")
    weights = [[v.value for v in layer.trainable_variables] for layer in layers]
    frozen = [[v.value for v in layer.non_trainable_variables] for layer in layers]
    x, cotangent = jax.numpy.asarray(x), jax.numpy.asarray(cotangent)

    def forward(weights: Any, x: Any) -> Any:
        for layer, own, fixed in zip(layers, weights, frozen, strict=True):
            x, _ = layer.stateless_call(own, fixed, x, mask=mask)
        return x

    def train(weights: Any, x: Any) -> Any:
        y, backward = jax.vjp(forward, weights, x)
        return y, *backward(cotangent)[::-1]

    function = jax.jit(train if case.mode == "training" else forward)
    return Local(
        lambda: jax.block_until_ready(function(weights, x)),
        lambda outcome: _results(outcome[:2] if case.mode == "training" else outcome),
    )


def _tensorflow(
    case: Case, layers: list[Any], x: Any, mask: Any, cotangent: Any, threads: int
) -> Contestant:
    tf = importlib.import_module("tensorflow")
    x, cotangent = tf.constant(x), tf.constant(cotangent)
    mask = None if mask is None else tf.constant(mask)

    def forward(x: Any) -> Any:
        for layer in layers:
            x = layer(x, mask=mask)
        return x

    def train(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = forward(x)
        weights = [v.value for layer in layers for v in layer.trainable_variables]
        return y, *tape.gradient(y, [x, *weights], output_gradients=cotangent)

    function = tf.function(train if case.mode == "training" else forward)
    return Local(
        lambda: function(x),
        lambda outcome: _results(outcome[:2] if case.mode == "training" else outcome),
    )


def _torch(
    case: Case, layers: list[Any], x: Any, mask: Any, cotangent: Any, threads: int
) -> Contestant:
    torch = importlib.import_module("torch")
    torch.set_num_threads(threads)
    x, cotangent = torch.from_numpy(x), torch.from_numpy(cotangent)
    mask = None if mask is None else torch.from_numpy(mask)

    def forward(x: Any) -> Any:
        for layer in layers:
            x = layer(x, mask=mask)
        return x

    if case.mode == "inference":
        return Local(torch.inference_mode()(lambda: forward(x)), _results)
    x.requires_grad_()
    inputs = [x, *(v.value for layer in layers for v in layer.trainable_variables)]

    def train() -> Any:
        y = forward(x)
        return y, torch.autograd.grad(y, inputs, cotangent)[0]

    return Local(train, lambda outcome: _results((outcome[0].detach(), outcome[1])))
