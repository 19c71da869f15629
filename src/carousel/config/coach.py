"""Section of the coach: what it may cost, how long it waits before it speaks, and when it does."""

from __future__ import annotations

from dataclasses import dataclass, field

from carousel.config.keys import DROPPED, key


@dataclass(frozen=True)
class Thresholds:
    """Thresholds at which the coach's rules speak; docs/coach/ says what each rule reads.

    Ratios of updates to weights are logarithms to base 10; shares lie between 0 and 1.

    start_loss: distance of the first loss from that of a guess, as a share of it.
    input_scale: largest mean of the size of an input feature.
    feature_ratio: largest ratio of the sizes of two input features.
    target_low, target_high: smallest and largest deviation of a number to be found.
    class_ratio: examples of the rarest class for each of the most frequent one.
    parameters_per_step: parameters for each step of the training part.
    smallest_validation: largest standard error that chance gives a share measured on the
        validation part.
    long_sequence: steps from which a sequence counts as long.
    longest_untruncated: steps from which gradients should not go back through all of them.
    forget_bias: smallest bias of the forget gate for long sequences.
    largest_dropout: largest dropout.
    largest_rate, smallest_rate: learning rates, the largest of the optimisers that scale gradients.
    padding: share of the steps of a batch that are padding.
    huge_loss: loss that counts as divergence.
    huge_weight: size of a weight that counts as divergence.
    huge_output: size of a state that counts as divergence.
    ratio_high, ratio_low: usual updates: size of an update to size of its weights.
    ratio_critical_high, ratio_critical_low: the same, where something is plainly wrong.
    rise: rise of the training loss from its best, as a share of the way it has come.
    spike: a gradient norm so many times the median is a spike.
    layer_ratio: ratio of the gradient norms of the first and the last layer.
    huge_norm: gradient norm that is too large at any rate.
    clipped: share of the steps whose gradient was clipped.
    vanishing_layer: gradient norm of the first layer to that of the last.
    vanishing_norm: gradient norm of the first layer.
    vanishing_lag: gradient that arrives so many steps back, to that of the last step.
    saturated: share of a gate's values at its ends.
    state_saturated: share of the states at their ends.
    dead: share of the units that never change.
    spread_low, spread_high: deviation of the states over units and steps.
    constant: spread of the outputs, as a share of that of the targets.
    gap: training accuracy minus validation accuracy that counts as overfitting.
    gap_high: the same where the training accuracy is above 0.9.
    loss_gap: rise of the validation loss from its best, as a share of it.
    poor: share of the way from a guess to the ideal that counts as too little.
    slow: largest share of that way that an epoch of a stuck run covers.
    reversals: share of the epochs in which a curve turns.
    swing: size of the turns that count.
    plateau: largest move of a loss that stands still.
    noise: deviation of a validation curve around its trend, to the trend.
    period: correlation of the loss with itself a few epochs before that counts as a rhythm.
    too_good: accuracy after less than a hundred steps that is too good to be true.
    better_than_train: validation accuracy minus training accuracy, beyond chance.
    early_best: share of the run before which the best epoch is early.
    late_best: share of the run after which the best epoch is late.
    gradient_error: largest relative error of a gradient against finite differences.
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
    """Measurements during training, and what is said of them (docs/coach.md).

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
    lag: int = key(0, low=0, of_set=DROPPED)
    confirm: int = key(2, low=1)
    clear: int = key(3, low=1)
    thresholds: Thresholds = field(default_factory=Thresholds)
