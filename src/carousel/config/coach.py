"""Section of the coach: what it may cost, how long it waits before it speaks, and when it does."""

from __future__ import annotations

from dataclasses import dataclass, field

from carousel.config.keys import key


@dataclass(frozen=True)
class Thresholds:
    """Where the rules of the coach begin to speak; docs/coach/ says of each rule what it reads.

    Ratios of updates to weights are logarithms to base 10; shares lie between 0 and 1.
    """

    # before training
    start_loss: float = key(0.10, above=0)
    input_scale: float = key(10.0, above=1)
    feature_ratio: float = key(100.0, above=1)
    target_low: float = key(0.1, above=0)
    target_high: float = key(10.0, above=0)
    class_ratio: float = key(0.1, above=0, high=1)
    parameters_per_step: float = key(10.0, above=0)
    smallest_validation: float = key(0.05, above=0)
    long_sequence: int = key(50, low=1)
    longest_untruncated: int = key(400, low=1)
    forget_bias: float = key(0.5)
    largest_dropout: float = key(0.5, low=0, high=1)
    largest_rate: float = key(0.01, above=0)
    smallest_rate: float = key(1e-7, above=0)
    padding: float = key(0.5, low=0, high=1)
    # rates and gradients
    huge_loss: float = key(1e3, above=0)
    huge_weight: float = key(5.0, above=0)
    huge_output: float = key(10.0, above=0)
    ratio_high: float = key(-2.0)
    ratio_low: float = key(-4.0)
    ratio_critical_high: float = key(-1.0)
    ratio_critical_low: float = key(-5.0)
    rise: float = key(0.02, above=0)
    spike: float = key(10.0, above=1)
    layer_ratio: float = key(70.0, above=1)
    huge_norm: float = key(1000.0, above=0)
    clipped: float = key(0.5, above=0, high=1)
    vanishing_layer: float = key(1e-3, above=0)
    vanishing_norm: float = key(1e-4, above=0)
    vanishing_lag: float = key(1e-3, above=0)
    # inside the layers
    saturated: float = key(0.5, above=0, high=1)
    state_saturated: float = key(0.5, above=0, high=1)
    dead: float = key(0.5, above=0, high=1)
    spread_low: float = key(0.05, above=0)
    spread_high: float = key(2.0, above=0)
    constant: float = key(0.05, above=0, high=1)
    # curves
    gap: float = key(0.10, above=0)
    gap_high: float = key(0.07, above=0)
    loss_gap: float = key(0.15, above=0)
    poor: float = key(0.35, above=0, high=1)
    slow: float = key(0.01, above=0)
    reversals: float = key(0.2, above=0, high=1)
    swing: float = key(0.03, above=0)
    plateau: float = key(1e-4, above=0)
    noise: float = key(1.0, above=0)
    period: float = key(0.5, above=0, high=1)
    too_good: float = key(0.95, above=0, high=1)
    better_than_train: float = key(0.05, above=0)
    early_best: float = key(0.10, above=0, high=1)
    late_best: float = key(0.75, above=0, high=1)
    gradient_error: float = key(1e-2, above=0)


@dataclass(frozen=True)
class CoachConfig:
    """What is measured while a network trains, and said of it (docs/coach.md).

    enabled: measure and judge; the weights are the same bits without.
    check: look at network and data before the first step (see `carousel check`).
    budget: the share of the training time that measuring may take.
    probe_rows: sequences of the probe batch that the cells are opened for.
    lag: how many steps back the task depends (0: unknown, half of the sequence is asked for).
    confirm, clear: looks in a row before a finding is raised, and before it is taken back.
    """

    enabled: bool = True
    check: bool = True
    budget: float = key(0.03, above=0, high=10)
    probe_rows: int = key(16, low=1)
    lag: int = key(0, low=0)
    confirm: int = key(2, low=1)
    clear: int = key(3, low=1)
    thresholds: Thresholds = field(default_factory=Thresholds)
