"""What the gates, states and outputs of a network do while it trains."""

from __future__ import annotations

import re
import statistics

from carousel.coach.evidence import Evidence
from carousel.coach.finding import Numbers
from carousel.coach.rule import Text, rule
from carousel.config import Thresholds

_GATES = {
    "i": "input gate",
    "f": "forget gate",
    "o": "output gate",
    "r": "reset gate",
    "z": "update gate",
}


def _worst(e: Evidence, prefix: str, suffix: str) -> tuple[str, float, int] | None:
    """The series with the largest mean over its last two looks: its name, that, the step."""
    found = [
        (name, statistics.fmean(v for _, v in points[-2:]), points[-1][0])
        for name, points in e.named(prefix, suffix).items()
        if len(points) >= 2
    ]
    return max(found, key=lambda one: one[1], default=None)


@rule(
    "gate-saturation",
    "during",
    "warning",
    "KJL, TM",
    en=Text(
        "The {gate} of {layer} is stuck: {share:.0%} of its values lie below 0.1 or above 0.9.",
        "At its limits a gate lets no gradient through. A forget gate near one is memory, which is fine; near zero in all units the layer has none. An input gate near zero takes nothing in.",
        "More than `saturated` of an input, forget or output gate lies below 0.1, or more than 90 % of one on both sides together; mean of two looks, as long as the training loss is not a tenth of what it was.",
        (
            "Look at the scale of the inputs, and standardise them.",
            "Lower the learning rate.",
            "Normalise inside the layer.",
        ),
        "Tasks with rare events, for which gates must be closed most of the time.",
    ),
    ko=Text(
        "{layer}의 {gate}가 굳었습니다. 값의 {share:.0%}가 0.1 아래나 0.9 위에 있습니다.",
        "한계에 닿은 게이트는 그래디언트를 통과시키지 않습니다. 1에 가까운 망각 게이트는 기억이므로 괜찮지만, 모든 유닛에서 0이면 기억이 없습니다. 0에 가까운 입력 게이트는 아무것도 받아들이지 않습니다.",
        "입력, 망각, 출력 게이트의 `saturated` 넘는 값이 0.1 아래이거나, 양쪽을 합해 90 %가 넘을 때(두 번의 평균). 학습 손실이 처음의 10분의 1이 되면 말하지 않습니다.",
        (
            "입력의 크기를 확인하고 표준화하세요.",
            "학습률을 낮추세요.",
            "층 안에서 정규화하세요.",
        ),
        "게이트가 대부분 닫혀 있어야 하는, 드문 사건의 과제.",
    ),
    do=(
        "--set data.scaling=standard",
        "--set optimizer.learning_rate={lower_rate}",
        "--set model.layer_norm=true",
    ),
)
def gate_saturation(e: Evidence, t: Thresholds) -> Numbers | None:
    for name, points in e.named("gate/", "/low").items():
        layer, _, gate = name.rpartition("/")
        both = e.points(f"gate/{name}/high")
        if len(points) < 2 or gate not in "ifo" or e.is_done:
            continue
        low = statistics.fmean(v for _, v in points[-2:])
        high = statistics.fmean(v for _, v in both[-2:])
        if low > t.saturated or (low + high > 0.9 and low > 0.1):
            word = _GATES[gate]
            share = low if low > t.saturated else low + high
            return {"gate": word, "layer": layer, "share": share, "low": low, "high": high}
    return None


@rule(
    "state-saturation",
    "during",
    "warning",
    "CS231, TM",
    en=Text(
        "{share:.0%} of the {what} of {layer} are at their limits (above 0.97).",
        "Where tanh is flat its derivative is nearly zero: the unit says plus or minus one whatever comes in, and hardly learns any more.",
        "More than `state_saturated` of |h| of a vanilla RNN, or of the candidate of a gated cell, are above 0.97; mean of two looks, as long as the training loss is not a tenth of what it was.",
        (
            "Standardise the inputs.",
            "Lower the learning rate.",
            "Use softsign, which flattens more slowly.",
            "Normalise inside the layer.",
        ),
        "Networks that have become counters or switches, and are right.",
    ),
    ko=Text(
        "{layer}의 {what} 중 {share:.0%}가 한계에 있습니다(0.97 초과).",
        "tanh가 평평한 곳에서는 도함수가 거의 0입니다. 무엇이 들어와도 ±1만 말하고 더 배우기 어렵습니다.",
        "기본 RNN의 |h|나 게이트 셀의 후보 중 `state_saturated` 넘게 0.97보다 클 때(두 번의 평균). 학습 손실이 처음의 10분의 1이 되면 말하지 않습니다.",
        (
            "입력을 표준화하세요.",
            "학습률을 낮추세요.",
            "더 천천히 평평해지는 softsign을 쓰세요.",
            "층 안에서 정규화하세요.",
        ),
        "계수기나 스위치가 되었고 그것이 맞는 네트워크.",
    ),
    do=(
        "--set data.scaling=standard",
        "--set optimizer.learning_rate={lower_rate}",
        "--set model.activation=softsign",
        "--set model.layer_norm=true",
    ),
)
def state_saturation(e: Evidence, t: Thresholds) -> Numbers | None:
    unbounded = e.config is not None and (
        e.config.model.cell in ("mingru", "minlstm", "indrnn")
        or "relu" in (e.config.model.activation, e.config.model.nonlinearity)
    )
    if unbounded or e.is_done:
        return None
    for prefix, what in (("candidate/", "candidates"), ("state/", "states")):
        worst = _worst(e, prefix, "/saturated")
        if worst and worst[1] > t.state_saturated:
            return {"what": what, "layer": worst[0], "share": worst[1], "at": worst[2]}
    return None


@rule(
    "dead-units",
    "during",
    "warning",
    "TM, AUTO",
    en=Text(
        "{share:.0%} of the units of {layer} never change.",
        "A unit whose output is the same for every sequence and step carries nothing. Many of them are wasted work, or a sign that the layer was driven into a corner.",
        "The deviation of h over the probe batch is below 1e-3 for more than `dead` of a layer's units; mean of two looks.",
        ("Lower the learning rate.", "Take fewer units.", "Use tanh in place of relu."),
        "The first steps after an identity or zero start.",
    ),
    ko=Text(
        "{layer}의 유닛 {share:.0%}가 전혀 변하지 않습니다.",
        "모든 시퀀스와 스텝에서 출력이 같은 유닛은 아무것도 나르지 않습니다. 많다면 헛수고이거나 층이 구석에 몰렸다는 신호입니다.",
        "탐침 배치에서 h의 편차가 1e-3보다 작은 유닛이 `dead`보다 많을 때(두 번의 평균).",
        ("학습률을 낮추세요.", "유닛을 줄이세요.", "relu 대신 tanh를 쓰세요."),
        "항등이나 0에서 시작한 뒤의 처음 몇 스텝.",
    ),
    do=(
        "--set optimizer.learning_rate={lower_rate}",
        "--set model.hidden_size={smaller_hidden}",
        "--set model.nonlinearity=tanh",
    ),
)
def dead_units(e: Evidence, t: Thresholds) -> Numbers | None:
    worst = _worst(e, "state/", "/dead")
    if worst is None or worst[1] <= t.dead:
        return None
    return {"layer": worst[0], "share": worst[1], "at": worst[2]}


@rule(
    "activation-spread",
    "during",
    "warning",
    "DL4J",
    en=Text(
        "The outputs of {layer} spread by {std:.3g}, outside {low:g} to {high:g}.",
        "Outputs that hardly vary give the next layer nothing to work with; outputs that vary widely are a sign of growing weights. The lower limit is low because LSTM and GRU outputs are small by nature.",
        "The standard deviation of h is outside `spread_low` to `spread_high` for three looks, after a fifth of the run.",
        (
            "Standardise the inputs.",
            "Normalise inside the layer.",
            "Start from orthogonal weights.",
        ),
        "Memory cells that are asked only rarely, and relu networks by design.",
    ),
    ko=Text(
        "{layer} 출력의 퍼짐이 {std:.3g}로 {low:g}~{high:g} 밖입니다.",
        "거의 변하지 않는 출력은 다음 층에 줄 것이 없고, 크게 변하는 출력은 가중치가 커지는 신호입니다. LSTM과 GRU의 출력은 원래 작으므로 아래 한계를 낮게 잡았습니다.",
        "실행의 5분의 1이 지난 뒤 h의 표준편차가 세 번 연속 `spread_low`~`spread_high` 밖일 때.",
        ("입력을 표준화하세요.", "층 안에서 정규화하세요.", "직교 가중치에서 시작하세요."),
        "드물게만 쓰이는 기억 셀, 그리고 relu 네트워크.",
    ),
    do=(
        "--set data.scaling=standard",
        "--set model.layer_norm=true",
        "--set initialization.name=orthogonal",
    ),
)
def activation_spread(e: Evidence, t: Thresholds) -> Numbers | None:
    if e.step < 0.2 * e.facts.get("total_steps", 0) or e.is_done:
        return None
    for layer, points in e.named("state/", "/std").items():
        values = [v for _, v in points[-3:]]
        if len(values) < 3:
            continue
        if max(values) < t.spread_low or min(values) > t.spread_high:
            low, high = t.spread_low, t.spread_high
            return {"layer": layer, "std": values[-1], "low": low, "high": high}
    return None


@rule(
    "output-bias",
    "during",
    "info",
    "DL4J",
    en=Text(
        "The biases of {parameter} have grown to {value:.3g}.",
        "Large biases at the output say that the network answers by the frequency of the classes more than by what it reads.",
        "A bias outside the recurrent layers is above `huge_weight`.",
        ("Weigh the classes in the loss.", "Put a little L2 on the biases."),
        "Vocabularies, in which rare words must be rare.",
    ),
    ko=Text(
        "{parameter}의 편향이 {value:.3g}까지 커졌습니다.",
        "출력의 큰 편향은 네트워크가 읽은 것보다 클래스의 빈도로 답한다는 뜻입니다.",
        "순환층 밖의 편향이 `huge_weight`보다 클 때.",
        ("손실에서 클래스에 가중치를 주세요.", "편향에 L2를 조금 더하세요."),
        "드문 단어는 드물어야 하는 어휘.",
    ),
    do=("--set loss.class_weights=balanced", "--set regularization.l2.bias=1e-4"),
)
def output_bias(e: Evidence, t: Thresholds) -> Numbers | None:
    for name, points in e.named("weight_largest/", "").items():
        outside = name.endswith("bias") or (".bias" in name and not re.search(r"bias_[ih]h", name))
        if outside and points[-1][1] > t.huge_weight:
            return {"parameter": name, "value": points[-1][1], "at": points[-1][0]}
    return None


@rule(
    "constant-output",
    "during",
    "severe",
    "OWN",
    en=Text(
        "The network gives nearly the same answer to everything: {what}.",
        "An answer that does not depend on the input is the best constant, the mean or the most frequent class. Unscaled data, a dead layer, or a wrong loss are the usual causes.",
        "After a fifth of the run, predictions on validation data vary by less than `constant` of the variance of the truth, or nearly all are one class where the truth has others.",
        (
            "Lower the learning rate.",
            "Check the scale of inputs and targets, and that labels belong to their inputs.",
            "Let the range test choose the rate.",
            "Weigh the classes in the loss, if they are out of balance.",
        ),
        "The beginning of a long task, and noise of which the mean is the best forecast.",
    ),
    ko=Text(
        "네트워크가 무엇에나 거의 같은 답을 합니다: {what}.",
        "입력과 상관없는 답은 평균이나 가장 흔한 클래스라는 최선의 상수입니다. 스케일하지 않은 데이터, 죽은 층, 틀린 손실이 흔한 원인입니다.",
        "실행의 5분의 1이 지난 뒤 검증 예측의 분산이 실제 분산의 `constant`배보다 작거나, 실제와 달리 거의 모두 한 클래스일 때.",
        (
            "학습률을 낮추세요.",
            "입력과 목표의 크기, 라벨이 제 입력에 붙었는지 확인하세요.",
            "범위 검사로 학습률을 고르세요.",
            "불균형하다면 손실에서 클래스에 가중치를 주세요.",
        ),
        "오래 걸리는 과제의 초반, 평균이 최선의 예측인 잡음.",
    ),
    do=(
        "--set optimizer.learning_rate={much_lower_rate}",
        "",
        "carousel lr-range {recipe}",
        "--set loss.class_weights=balanced",
    ),
)
def constant_output(e: Evidence, t: Thresholds) -> Numbers | None:
    if e.step < 0.2 * e.facts.get("total_steps", 0):
        return None
    spread = e.values("output/variance_share")[-2:]
    if spread and max(spread) < t.constant:
        return {"what": f"variance {spread[-1]:.3g} of the truth's", "variance_share": spread[-1]}
    top, truth = e.values("output/top_share")[-2:], e.values("output/truth_top_share")[-2:]
    if top and truth and min(top) >= 1 - t.constant / 2 and min(top) > max(truth) + t.constant / 2:
        return {"what": f"{top[-1]:.0%} one class", "top": top[-1], "in_truth": truth[-1]}
    return None


@rule(
    "lag-copy",
    "during",
    "warning",
    "OWN",
    en=Text(
        "The forecast copies the last value: it follows y(t-1) more closely ({lagged:.3f}) than y(t) ({true:.3f}).",
        "A curve that looks right but is one step late is no forecast. It is what a network learns when it finds nothing else, and it scores well on any smooth series.",
        "On validation data the one-step forecast correlates more with the value before than with the truth, and its error is at least 98 % of that of repeating the value.",
        (
            "Predict differences: let the network say only what changes.",
            "Give it a longer context, or inputs that know of the change.",
            "Compare with the naive forecast before anything else.",
        ),
        "A random walk: there the last value is the best forecast there is.",
    ),
    ko=Text(
        "예측이 직전 값을 베낍니다. y(t-1)과의 상관 {lagged:.3f}이 y(t)와의 상관 {true:.3f}보다 큽니다.",
        "맞아 보이지만 한 스텝 늦은 곡선은 예측이 아닙니다. 다른 것을 찾지 못한 네트워크가 배우는 것이며, 매끄러운 시계열에서는 점수도 좋습니다.",
        "검증 데이터에서 한 스텝 예측이 실제보다 직전 값과 더 상관되고, 오차가 직전 값을 반복하는 것의 98 % 이상일 때.",
        (
            "차분을 예측하세요. 변하는 것만 말하게 하세요.",
            "더 긴 문맥이나 변화를 아는 입력을 주세요.",
            "무엇보다 먼저 단순 예측과 비교하세요.",
        ),
        "랜덤 워크에서는 직전 값이 최선의 예측입니다.",
    ),
    do=("--set forecast.relative=true", "--set forecast.context={wider_context}"),
)
def lag_copy(e: Evidence, t: Thresholds) -> Numbers | None:
    lagged, true = e.last("output/lag_correlation"), e.last("output/truth_correlation")
    ratio = e.last("output/naive_ratio")
    if lagged is None or true is None or ratio is None or lagged <= true or ratio < 0.98:
        return None
    return {"lagged": lagged, "true": true, "error_to_naive": ratio}
