"""Learning rates, updates and gradients while a network trains."""

from __future__ import annotations

import math
import re
import statistics
from collections import defaultdict
from itertools import pairwise

from carousel.coach.evidence import Evidence, finite, scatter, smoothed
from carousel.coach.finding import Numbers
from carousel.coach.rule import Text, rule
from carousel.config import Thresholds

_FEW = 40  # steps, before which a curve says nothing
_WINDOW = 200


def ratios(e: Evidence) -> dict[str, list[float]]:
    """log10 update:parameter ratios by block; of recurrent layers where there are any."""
    found = {name: [v for _, v in points] for name, points in e.named("update_ratio/", "").items()}
    recurrent = {name: v for name, v in found.items() if "weight_ih" in name or "weight_hh" in name}
    return recurrent or found


def middle_ratio(e: Evidence, looks: int = 3) -> float | None:
    """The median over blocks of their mean over the last looks; None before the third look."""
    found = [v[-looks:] for v in ratios(e).values() if len(v) >= looks]
    return statistics.median(statistics.fmean(v) for v in found) if found else None


@rule(
    "not-finite",
    "during",
    "severe",
    "K3, SRNN",
    en=Text(
        "Training stopped because {what}.",
        "A NaN or an infinity spreads through every weight within a step. The first tensor that is not finite says where to look.",
        "The loss, a gradient or a validation metric is not finite.",
        (
            "Clip the gradient by its norm.",
            "Lower the learning rate.",
            "Look for a NaN in the data, a division by zero or a logarithm of zero.",
        ),
        "None: such a run cannot be used.",
    ),
    ko=Text(
        "학습이 멈췄습니다: {what}.",
        "NaN이나 무한대는 한 스텝 만에 모든 가중치로 퍼집니다. 처음으로 유한하지 않은 텐서가 어디를 볼지 알려 줍니다.",
        "손실, 그래디언트, 검증 지표 중 하나가 유한하지 않을 때.",
        (
            "그래디언트를 노름으로 자르세요.",
            "학습률을 낮추세요.",
            "데이터의 NaN, 0으로 나누기, 0의 로그를 찾으세요.",
        ),
        "없습니다. 이런 실행은 쓸 수 없습니다.",
    ),
    do=("--set optimizer.clip_norm=1", "--set optimizer.learning_rate={lower_rate}"),
    steady=True,
)
def not_finite(e: Evidence, t: Thresholds) -> Numbers | None:
    for event in e.of_kind("diverged")[-1:]:
        return {"what": event["what"], "tensor": event.get("tensor", "?"), "at": event["step"]}
    bad = [step for step, v in e.points("train/loss")[-_WINDOW:] if not abs(v) < float("inf")]
    return {"what": "the loss is not finite", "tensor": "?", "at": bad[0]} if bad else None


@rule(
    "huge-values",
    "during",
    "warning",
    "AUTO",
    en=Text(
        "{what} has grown to {value:.3g}.",
        "Numbers of that size leave the range in which gates and float32 sums work well, and often come just before a NaN.",
        "The loss reaches `huge_loss`, a weight of a matrix `huge_weight`, or the mean output of a layer `huge_output`.",
        (
            "Standardise inputs and targets.",
            "Clip the gradient by its norm.",
            "Lower the learning rate.",
            "Add a little L2 on the recurrent weights.",
        ),
        "A loss that is summed over many steps, or a head whose few large weights stand for rare words.",
    ),
    ko=Text(
        "{what} 값이 {value:.3g}까지 커졌습니다.",
        "이 정도의 수는 게이트와 float32 합이 잘 작동하는 범위를 벗어나며, NaN 직전에 자주 나타납니다.",
        "손실이 `huge_loss`, 행렬의 가중치가 `huge_weight`, 층의 평균 출력이 `huge_output`에 이를 때.",
        (
            "입력과 목표를 표준화하세요.",
            "그래디언트를 노름으로 자르세요.",
            "학습률을 낮추세요.",
            "순환 가중치에 L2를 조금 더하세요.",
        ),
        "여러 스텝에 걸쳐 더한 손실, 또는 드문 단어를 위한 큰 가중치 몇 개가 있는 출력층.",
    ),
    do=(
        "",
        "--set optimizer.clip_norm=1",
        "--set optimizer.learning_rate={lower_rate}",
        "--set regularization.l2.recurrent=1e-4",
    ),
)
def huge_values(e: Evidence, t: Thresholds) -> Numbers | None:
    loss = statistics.median(e.values("train/loss")[-20:] or [0.0])
    if abs(loss) >= t.huge_loss:
        return {"what": "train/loss", "value": loss, "severity": "severe"}
    for prefix, suffix, limit in (
        ("weight_largest/", "", t.huge_weight),
        ("state/", "/mean", t.huge_output),
    ):
        for name, points in e.named(prefix, suffix).items():
            recurrent = prefix == "state/" or "weight_ih" in name or "weight_hh" in name
            if recurrent and points[-1][1] > limit:
                return {"what": name, "value": points[-1][1], "at": points[-1][0]}
    return None


@rule(
    "learning-rate-too-high",
    "during",
    "severe",
    "DL4J, CS231",
    en=Text(
        "The learning rate of {rate:.3g} is too high: the loss is {now:.3g} after {low:.3g}.",
        "Each step jumps over the valley that it should walk down. Updates are large beside the weights, and the loss rises or stays where it started.",
        "The loss has risen by more than `rise` above its lowest stretch, and by more than batches differ by chance, and keeps above it, or it has not fallen while the median update:parameter ratio is above `ratio_high`, or it was thrown above its first value and has not come back below 80 % of that. Never where that ratio is below a tenth of `ratio_high`; of weights that were good from the start, only by the first of the three.",
        (
            "Divide the learning rate by thirty.",
            "Let the range test choose.",
            "Raise it slowly at the start.",
        ),
        "Data that grow harder along the way, and the first steps of a warm-up.",
    ),
    ko=Text(
        "학습률 {rate:.3g}이 너무 높습니다. 손실이 {low:.3g}에서 {now:.3g}이 되었습니다.",
        "걸음이 커서 내려가야 할 골짜기를 건너뜁니다. 갱신이 가중치에 비해 크고, 손실이 오르거나 처음 자리에 머뭅니다.",
        "손실이 가장 낮은 구간보다 `rise` 넘게, 그리고 배치마다 우연히 다른 정도보다 더 올라 그 위에 있거나, 갱신 대 가중치 비율의 중앙값이 `ratio_high`보다 큰데 손실이 줄지 않거나, 첫 손실 위로 튄 뒤 그 80 % 아래로 돌아오지 못할 때. 그 비율이 `ratio_high`의 십분의 일보다 작으면 말하지 않고, 처음부터 좋은 가중치라면 첫째 경우만.",
        (
            "학습률을 서른으로 나누세요.",
            "범위 검사로 고르세요.",
            "처음에 천천히 올리세요.",
        ),
        "갈수록 어려워지는 데이터, 워밍업의 처음 몇 스텝.",
    ),
    do=(
        "--set optimizer.learning_rate={much_lower_rate}",
        "carousel lr-range {recipe}",
        "--set schedule.name=one-cycle",
    ),
)
def learning_rate_too_high(e: Evidence, t: Thresholds) -> Numbers | None:
    losses = finite(e.values("train/loss"))
    if len(losses) < _FEW:
        return None
    parts = smoothed(losses, 8)
    low, now = min(parts[:-1]), parts[-1]
    ratio, chance = middle_ratio(e), 4 * scatter(losses, 8)
    if ratio is not None and ratio < t.ratio_high - 1:
        return None  # such steps jump over nothing
    wide = abs(low) + 0.05 * abs(losses[0])  # a loss near zero may triple and mean nothing
    rises = min(parts[-2:]) > low + max(10 * t.rise * wide, chance) and parts.index(low) < 6
    stuck = ratio is not None and ratio > t.ratio_high and now > 0.9 * parts[0]
    thrown = max(parts) > 1.1 * losses[0] + chance and now > 0.8 * losses[0]
    if e.began_fitted:  # it need not fall below its first value, which is one batch's
        stuck = thrown = False
    if not (rises or stuck or thrown):
        return None
    numbers: dict[str, float | str] = {"rate": max(e.values("learning_rate"), default=0.0)}
    numbers |= {"low": low, "now": now, "first": losses[0]}
    if not (rises or thrown):  # it may be the task that is hard
        numbers["severity"] = "warning"
    return numbers if ratio is None else numbers | {"update_ratio": ratio}


@rule(
    "learning-rate-too-low",
    "during",
    "warning",
    "DL4J, CS231",
    en=Text(
        "The learning rate of {rate:.3g} is too low: updates are 10^{update_ratio:.1f} of the weights.",
        "A healthy step changes weights by about a thousandth. At this pace the loss falls almost in a straight line, and the run ends long before it is done.",
        "The median update:parameter ratio of the recurrent weights stays below `ratio_low` while the rate is near its highest; or within ten times of it, while the loss falls in a straight line by less than 5 % over five epochs or more. Not of weights that were good from the start.",
        ("Multiply the learning rate by thirty.", "Let the range test choose."),
        "The end of a schedule, and a loss that is already close to zero.",
    ),
    ko=Text(
        "학습률 {rate:.3g}이 너무 낮습니다. 갱신이 가중치의 10^{update_ratio:.1f}배입니다.",
        "건강한 한 걸음은 가중치를 천분의 일쯤 바꿉니다. 이 속도로는 손실이 거의 직선으로 줄고, 다 배우기 전에 실행이 끝납니다.",
        "학습률이 최고점 근처인데 순환 가중치의 갱신 대 가중치 비율의 중앙값이 `ratio_low`보다 작을 때. 또는 그 열 배 안에서 다섯 에폭 이상 손실이 직선으로 5 % 미만만 줄 때. 처음부터 좋은 가중치는 빼고.",
        ("학습률을 서른 배로 올리세요.", "범위 검사로 고르세요."),
        "스케줄의 끝, 이미 0에 가까운 손실.",
    ),
    do=("--set optimizer.learning_rate={much_higher_rate}", "carousel lr-range {recipe}"),
)
def learning_rate_too_low(e: Evidence, t: Thresholds) -> Numbers | None:
    ratio, rates, losses = middle_ratio(e), e.values("learning_rate"), e.values("train/loss")
    if ratio is None or not rates or rates[-1] < 0.5 * max(rates) or len(losses) < _FEW:
        return None
    crawls = ratio < t.ratio_low + 1 and _falls_in_a_line(e.curve("train", "loss"))
    if ratio >= t.ratio_low and not crawls:
        return None
    if e.began_fitted or statistics.fmean(losses[-20:]) < 0.3 * losses[0]:
        return None
    return {"rate": rates[-1], "update_ratio": ratio, "loss": statistics.fmean(losses[-20:])}


def _falls_in_a_line(epochs: list[float]) -> bool:
    """Every epoch a little lower, by less than 5 % in all, the later half as fast as the first."""
    if len(epochs) < 5 or any(b >= a for a, b in pairwise(epochs)):
        return False
    middle = epochs[len(epochs) // 2]
    slow = epochs[0] - epochs[-1] < 0.05 * abs(epochs[0])
    return slow and middle - epochs[-1] > 0.6 * (epochs[0] - middle)


@rule(
    "update-ratio-critical",
    "during",
    "warning",
    "DL4J, CS231, TM",
    en=Text(
        "Updates of {block} are 10^{update_ratio:.1f} of its weights.",
        "The target is about 10^-3 for every layer and gate. A tenth at each step destroys what was learnt; a hundred-thousandth learns nothing.",
        "The ratio of a weight matrix stays above `ratio_critical_high` for three looks, or below `ratio_critical_low` while the rate is near its highest and the training loss not a tenth of what it was.",
        ("Change the learning rate.", "Choose other initial weights, or clip the gradient."),
        "Embeddings of rare words, which most steps do not touch, and layers that are frozen on purpose.",
    ),
    ko=Text(
        "{block}의 갱신이 가중치의 10^{update_ratio:.1f}배입니다.",
        "모든 층과 게이트에서 10^-3쯤이 목표입니다. 매 스텝 십분의 일은 배운 것을 지우고, 십만분의 일은 아무것도 배우지 못합니다.",
        "가중치 행렬의 비율이 세 번 연속 `ratio_critical_high`보다 클 때, 또는 학습률이 최고점 근처이고 학습 손실이 아직 처음의 10분의 1이 되지 않았는데 `ratio_critical_low`보다 작을 때.",
        ("학습률을 바꾸세요.", "초기 가중치를 바꾸거나 그래디언트를 자르세요."),
        "대부분의 스텝이 건드리지 않는 드문 단어의 임베딩, 일부러 고정한 층.",
    ),
    do=("carousel lr-range {recipe}", "--set optimizer.clip_norm=1"),
)
def update_ratio_critical(e: Evidence, t: Thresholds) -> Numbers | None:
    rates = e.values("learning_rate")
    peak = bool(rates) and rates[-1] >= 0.5 * max(rates) and not e.is_done
    for block, values in ratios(e).items():
        if len(values) < 3:
            continue
        low, high = max(values[-3:]), min(values[-3:])
        if high > t.ratio_critical_high or (low < t.ratio_critical_low and peak):
            return {"block": block, "update_ratio": values[-1]}
    return None


@rule(
    "learning-rate-range-test",
    "during",
    "info",
    "SMITH, LI",
    en=Text(
        "The range test suggests a learning rate of {suggested:.3g}; the run uses {rate:.3g}.",
        "The range test raises the rate from tiny to huge within some hundred steps. Half-way down the slope of the loss, an order of magnitude before it turns up, is a good place to start.",
        "A range test was run, and the rate in use is more than ten times away from what it found.",
        ("Take the suggested rate.",),
        "A schedule whose peak is what the test compares with; another batch size than in the test.",
    ),
    ko=Text(
        "범위 검사는 학습률 {suggested:.3g}을 제안하는데 실행은 {rate:.3g}을 씁니다.",
        "범위 검사는 수백 스텝 동안 학습률을 아주 작은 값에서 큰 값까지 올립니다. 손실이 내려가는 중간, 다시 오르기 한 자릿수 앞이 좋은 출발점입니다.",
        "범위 검사를 했고 쓰는 학습률이 찾은 값과 열 배 넘게 다를 때.",
        ("제안한 값을 쓰세요.",),
        "최고점이 비교 대상인 스케줄, 검사와 다른 배치 크기.",
    ),
    do=("--set optimizer.learning_rate={suggested:.3g}",),
    steady=True,
)
def learning_rate_range_test(e: Evidence, t: Thresholds) -> Numbers | None:
    rates = e.values("learning_rate")
    for event in e.of_kind("lr_range")[-1:]:
        suggested = float(event["suggested"])
        if rates and not 0.1 <= max(rates) / suggested <= 10:
            return {"suggested": suggested, "rate": max(rates)}
    return None


@rule(
    "exploding-gradient",
    "during",
    "severe",
    "PASC, TUNE, AUTO, TM",
    en=Text(
        "The gradient explodes: its norm jumps to {norm:.3g} where {median:.3g} is usual.",
        "Through many steps a gradient can be multiplied by the recurrent weights again and again. One such step throws the weights far away from where hundreds of steps have brought them.",
        "At least three of the last 200 norms before clipping are above `spike` times the running median and above 1, or three above `huge_norm`, or a lower layer's gradient is `layer_ratio` times that of the top one.",
        (
            "Clip by norm, at about the 90th percentile of the norms seen.",
            "Lower the learning rate.",
            "Take an LSTM or a GRU in place of a vanilla RNN.",
        ),
        "A loss that has come close to zero: the median is then tiny, and a hard example stands out.",
    ),
    ko=Text(
        "그래디언트가 폭발합니다. 보통 {median:.3g}인 노름이 {norm:.3g}까지 뜁니다.",
        "긴 시퀀스에서 그래디언트는 순환 가중치로 거듭 곱해질 수 있습니다. 그런 한 스텝이 수백 스텝 동안 온 가중치를 멀리 던져 버립니다.",
        "최근 200개의 자르기 전 노름 중 셋 이상이 중앙값의 `spike`배와 1을 넘거나, 셋이 `huge_norm`을 넘거나, 아래층 그래디언트가 위층의 `layer_ratio`배일 때.",
        (
            "관찰된 노름의 90번째 백분위쯤에서 노름으로 자르세요.",
            "학습률을 낮추세요.",
            "기본 RNN 대신 LSTM이나 GRU를 쓰세요.",
        ),
        "손실이 0에 가까우면 중앙값이 아주 작아 어려운 예시 하나가 두드러집니다.",
    ),
    do=(
        "--set optimizer.clip_norm={norm_p90:.2g}",
        "--set optimizer.learning_rate={lower_rate}",
        "--set model.cell=lstm",
    ),
)
def exploding_gradient(e: Evidence, t: Thresholds) -> Numbers | None:
    points = e.points("gradient_norm")[-_WINDOW:]
    if len(points) < _FEW:
        return None
    norms = finite([norm for _, norm in points])
    median, p90 = statistics.median(norms), statistics.quantiles(norms, n=10)[-1]
    spikes = [(s, n) for s, n in points if n > max(t.spike * median, 1.0) or n > t.huge_norm]
    step, norm = max(points, key=lambda point: point[1])
    numbers = {"norm": norm, "median": median, "norm_p90": p90, "spikes": len(spikes), "at": step}
    if len(spikes) >= 3:
        clipped = clipped_share(e) is not None
        return numbers | ({"severity": "info"} if clipped and norm < t.huge_norm else {})
    by_layer = layer_norms(e)
    if len(by_layer) > 1 and by_layer[0] > t.layer_ratio * max(by_layer[-1], 1e-12):
        return numbers | {"lowest_layer": by_layer[0], "top_layer": by_layer[-1]}
    return None


def layer_norms(e: Evidence) -> list[float]:
    """Gradient norms of the recurrent layers of the first stack, lowest first, at the last look."""
    squares: dict[tuple[str, int], float] = defaultdict(float)
    for name, points in e.named("gradient_norm/", "").items():
        found = re.match(r"(.*)weight_[ih]h_l(\d+)", name)
        if found:
            squares[found[1], int(found[2])] += points[-1][1] ** 2
    stacks = sorted({prefix for prefix, _ in squares})
    if not stacks:
        return []
    return [squares[key] ** 0.5 for key in sorted(squares) if key[0] == stacks[0]]


def clipped_share(e: Evidence) -> float | None:
    """The share of the last 200 steps that were clipped; None where nothing clips."""
    after = dict(e.points("gradient_norm_after")[-_WINDOW:])
    pairs = [(n, after[s]) for s, n in e.points("gradient_norm")[-_WINDOW:] if s in after]
    if not pairs:
        return None
    return sum(kept < 0.999 * norm for norm, kept in pairs) / len(pairs)


@rule(
    "clipping-too-often",
    "during",
    "info",
    "TUNE",
    en=Text(
        "{share:.0%} of the last steps were clipped.",
        "Clipping is meant for the rare step that would do harm. Where most steps are cut, all of them have the same length: it is a lower learning rate in disguise.",
        "More than `clipped` of the last 200 steps were clipped.",
        (
            "Raise the limit to the 90th percentile of the norms.",
            "Lower the learning rate, which is what clipping does now.",
        ),
        "Recipes that clip on purpose at each step, as some language models do.",
    ),
    ko=Text(
        "최근 스텝의 {share:.0%}가 잘렸습니다.",
        "자르기는 해로운 드문 스텝을 위한 것입니다. 대부분이 잘리면 모든 걸음의 길이가 같아지니, 이름만 다른 낮은 학습률입니다.",
        "최근 200 스텝 중 `clipped`보다 많이 잘렸을 때.",
        (
            "한계를 노름의 90번째 백분위로 올리세요.",
            "지금 자르기가 하는 일인 학습률 낮추기를 하세요.",
        ),
        "일부 언어 모델처럼 매 스텝 일부러 자르는 레시피.",
    ),
    do=(
        "--set optimizer.clip_norm={norm_p90:.2g}",
        "--set optimizer.learning_rate={lower_rate}",
    ),
)
def clipping_too_often(e: Evidence, t: Thresholds) -> Numbers | None:
    share, norms = clipped_share(e), finite(e.values("gradient_norm")[-_WINDOW:])
    if share is None or len(norms) < _FEW or share <= t.clipped:
        return None
    return {"share": share, "norm_p90": statistics.quantiles(norms, n=10)[-1]}


@rule(
    "vanishing-by-layer",
    "during",
    "warning",
    "AUTO",
    en=Text(
        "The lowest layer gets a gradient of {lowest:.2g}, the top one {top:.2g}.",
        "What reaches the lower layers is too little to train them: they stay as they were drawn.",
        "The norm of the lowest recurrent layer is below `vanishing_layer` times that of the top one, and below `vanishing_norm`.",
        ("Take fewer layers.", "Normalise inside the layers.", "Start from orthogonal weights."),
        "A loss close to zero, where all gradients are tiny.",
    ),
    ko=Text(
        "가장 아래층의 그래디언트는 {lowest:.2g}, 맨 위층은 {top:.2g}입니다.",
        "아래층에 닿는 것이 너무 적어 학습되지 않고 처음 그대로 남습니다.",
        "가장 아래 순환층의 노름이 맨 위층의 `vanishing_layer`배보다 작고 `vanishing_norm`보다도 작을 때.",
        ("층을 줄이세요.", "층 안에서 정규화하세요.", "직교 가중치에서 시작하세요."),
        "손실이 0에 가까워 모든 그래디언트가 작은 경우.",
    ),
    do=(
        "--set model.num_layers={fewer_layers}",
        "--set model.layer_norm=true",
        "--set initialization.name=orthogonal",
    ),
)
def vanishing_by_layer(e: Evidence, t: Thresholds) -> Numbers | None:
    norms = layer_norms(e)
    if len(norms) < 2 or norms[0] >= t.vanishing_norm:
        return None
    if norms[0] >= t.vanishing_layer * norms[-1]:
        return None
    return {"lowest": norms[0], "top": norms[-1]}


@rule(
    "vanishing-by-lag",
    "during",
    "warning",
    "PASC, SRNN",
    en=Text(
        "The gradient fades: {needed:.0f} steps back it is 10^{ratio:.1f} of what it is at the end.",
        "What happened so many steps ago cannot be learnt from, whatever the data say: its share in the gradient is lost beneath that of the last steps.",
        "‖dL/dh‖ at the lag that the task needs (`coach.lag`, or half of the sequence) is below `vanishing_lag` of lag 0, at the median of three looks, and the training loss is not yet a tenth of what it was.",
        (
            "Take an LSTM, whose cell state carries the gradient, with memories that last as long as the task from the start: chrono.",
            "Start the forget gate at two.",
            "Shorten the sequences, or read them from both ends.",
        ),
        "Tasks whose answer lies in the last few steps: say so with `coach.lag`.",
    ),
    ko=Text(
        "그래디언트가 사라집니다. {needed:.0f} 스텝 전에는 끝의 10^{ratio:.1f}배뿐입니다.",
        "데이터가 무엇을 말하든 그만큼 전에 일어난 일에서는 배울 수 없습니다. 그 몫이 마지막 스텝들에 묻힙니다.",
        "과제가 필요로 하는 시차(`coach.lag` 또는 시퀀스의 절반)에서 ‖dL/dh‖가 시차 0의 `vanishing_lag`배보다 작고(세 번의 중앙값) 학습 손실이 아직 처음의 10분의 1이 되지 않았을 때.",
        (
            "셀 상태가 그래디언트를 나르는 LSTM을, 처음부터 과제만큼 긴 기억으로 시작해 쓰세요: chrono.",
            "망각 게이트를 2에서 시작하세요.",
            "시퀀스를 줄이거나 양쪽에서 읽으세요.",
        ),
        "답이 마지막 몇 스텝에 있는 과제. `coach.lag`로 알려 주세요.",
    ),
    do=(
        "--set model.cell=lstm --set initialization.name=chrono",
        "--set model.forget_bias=2.0",
        "--set model.bidirectional=true",
    ),
)
def vanishing_by_lag(e: Evidence, t: Thresholds) -> Numbers | None:
    for layer, points in e.named("lag/", "/ratio").items():
        if len(points) < 3 or e.is_done:
            continue
        ratio = statistics.median(value for _, value in points[-3:])
        needed = e.last(f"lag/{layer}/needed") or 0.0
        if ratio < math.log10(t.vanishing_lag):
            reach = e.last(f"lag/{layer}/reach") or 0.0
            return {"layer": layer, "ratio": ratio, "needed": needed, "reach": reach}
    return None
