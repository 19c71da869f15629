"""What can be said once a run has ended."""

from __future__ import annotations

import math

from carousel.coach.evidence import Evidence
from carousel.coach.finding import Numbers
from carousel.coach.rule import Text, declare, rule
from carousel.coach.rules.curves import overfits
from carousel.coach.suggest import recipe_of
from carousel.config import Thresholds

_LEAKED = 0.01


@rule(
    "dumb-baseline",
    "after",
    "severe",
    "KARP, OWN",
    en=Text(
        "The network does not beat {baseline}: {metric} {ours:.4g} against {theirs:.4g}.",
        "The majority class, the mean, the last value or a linear model costs nothing. A network that is no better has learnt nothing that they do not know.",
        "On the test part (or on validation, against the most frequent class) the monitored metric is no better than that of a baseline; it is a warning where that baseline was fitted, and severe where it is a guess.",
        (
            "Check that labels belong to their inputs, and that the loss falls at all.",
            "Forecasting: look for a copy of the last value, predict differences, read more context.",
            "Take the baseline: it is cheaper.",
        ),
        "Strong baselines, such as n-grams on small texts, are hard to beat.",
    ),
    ko=Text(
        "네트워크가 {baseline}보다 낫지 않습니다. {metric} {ours:.4g} 대 {theirs:.4g}.",
        "다수 클래스, 평균, 직전 값, 선형 모델은 거저입니다. 그보다 낫지 않은 네트워크는 그것들이 모르는 것을 배우지 못했습니다.",
        "테스트(또는 검증에서 가장 흔한 클래스와 비교해)에서 지표가 기준 모델보다 낫지 않을 때. 학습한 기준 모델이면 경고, 추측이면 심각입니다.",
        (
            "라벨이 제 입력에 붙었는지, 손실이 줄기는 하는지 확인하세요.",
            "예측에서는 직전 값 베끼기를 찾고, 차분을 예측하고, 문맥을 늘리세요.",
            "기준 모델을 쓰세요. 더 쌉니다.",
        ),
        "작은 글의 n-gram처럼 강한 기준 모델은 이기기 어렵습니다.",
    ),
    do=("carousel check {recipe}", "--set forecast.relative=true"),
)
def dumb_baseline(e: Evidence, t: Thresholds) -> Numbers | None:
    sign = 1 if e.higher_is_better else -1
    best = e.best
    guess = e.facts.get("guess", {})
    if best is not None and e.monitor in guess:
        ours, theirs = best[1], guess[e.monitor]
        examples = e.facts.get("validation_examples") or 0
        chance = 0.5 / examples**0.5 if examples and e.monitor == "accuracy" else 0.0
        if sign * ours <= sign * theirs + chance:
            words = {"baseline": "a guess", "metric": e.monitor}
            return words | {"ours": ours, "theirs": theirs}
    metric = e.result.get("metric") or e.monitor  # another may have chosen the epoch
    sign = 1 if e.result.get("metric_higher_is_better", e.higher_is_better) else -1
    ours = e.result.get("test", {}).get(metric)
    for name, values in e.result.get("baseline", {}).items():
        theirs = values.get(metric)
        if ours is not None and theirs is not None and sign * ours <= sign * theirs:
            words = {"baseline": name, "metric": metric, "severity": "warning"}
            return words | {"ours": ours, "theirs": theirs}
    return None


def _epochs(e: Evidence) -> tuple[int, int, int] | None:
    """The best epoch, the last one, and how many there might have been."""
    best = e.best
    if best is None or len(e.epochs) < 4:
        return None
    allowed = e.config.training.epochs if e.config else len(e.epochs)
    return best[0], len(e.epochs), allowed


@rule(
    "best-epoch-early",
    "after",
    "info",
    "TUNE",
    en=Text(
        "The best epoch was {best} of {epochs}: the rest brought nothing.",
        "Training past the best epoch costs time, and on a constant rate it drifts into overfitting.",
        "The best epoch lies in the first `early_best` of the run.",
        ("Train for fewer epochs.", "Let the learning rate fall, so that later epochs can help."),
        "A metric that is noisy: the first epoch was lucky.",
    ),
    ko=Text(
        "최고 에폭이 {epochs} 중 {best}였고 나머지는 도움이 되지 않았습니다.",
        "최고 에폭 뒤의 학습은 시간을 쓰고, 일정한 학습률에서는 과적합으로 흘러갑니다.",
        "최고 에폭이 실행의 처음 `early_best` 안에 있을 때.",
        ("에폭을 줄이세요.", "뒤 에폭이 도움이 되도록 학습률을 낮춰 가세요."),
        "지표가 튀어 첫 에폭이 운이 좋았던 경우.",
    ),
    do=("--set training.epochs={fewer_epochs}", "--set schedule.name=cosine"),
)
def best_epoch_early(e: Evidence, t: Thresholds) -> Numbers | None:
    found = _epochs(e)
    if found is None or found[0] > max(1, t.early_best * found[1]):
        return None
    return {"best": found[0], "epochs": found[1]}


@rule(
    "best-epoch-late",
    "after",
    "info",
    "TUNE",
    en=Text(
        "The best epoch was {best} of {epochs}: the run may have ended too soon.",
        "Validation was still improving when the epochs ran out.",
        "The best epoch lies in the last quarter (`late_best`), the run was not stopped early, and the rate had not fallen to nothing.",
        ("Train longer.",),
        "Schedules that end at a rate of zero are best at their end, by design.",
    ),
    ko=Text(
        "최고 에폭이 {epochs} 중 {best}였습니다. 너무 일찍 끝났을 수 있습니다.",
        "에폭이 다 되었을 때 검증이 아직 좋아지고 있었습니다.",
        "최고 에폭이 마지막 4분의 1(`late_best`)에 있고, 일찍 멈추지 않았고, 학습률이 0까지 내려가지 않았을 때.",
        ("더 오래 학습하세요.",),
        "학습률이 0으로 끝나는 스케줄은 원래 끝이 가장 좋습니다.",
    ),
    do=("--set training.epochs={more_epochs}",),
)
def best_epoch_late(e: Evidence, t: Thresholds) -> Numbers | None:
    found, rates = _epochs(e), e.values("learning_rate")
    if found is None or found[1] < found[2] or found[0] <= t.late_best * found[1]:
        return None
    if rates and rates[-1] < 0.05 * max(rates):
        return None
    return {"best": found[0], "epochs": found[1]}


@rule(
    "stop-verdict",
    "after",
    "info",
    "LI, K3",
    en=Text(
        "The best epoch was {best_epoch}; training went on for {epochs_past_it} more.",
        "Which epoch was best, how far training went past it, and which weights were kept: what a reader of the result must know.",
        "Every run that has ended.",
        ("Judge it in detail.",),
        "It is a note, not a fault.",
    ),
    ko=Text(
        "최고 에폭은 {best_epoch}였고 그 뒤로 {epochs_past_it} 에폭을 더 학습했습니다.",
        "어느 에폭이 최고였고, 얼마나 더 갔고, 어떤 가중치를 남겼는지는 결과를 읽는 사람이 알아야 합니다.",
        "끝난 모든 실행.",
        ("자세히 평가하세요.",),
        "잘못이 아니라 기록입니다.",
    ),
)
def stop_verdict(e: Evidence, t: Thresholds) -> Numbers | None:
    reason = e.result.get("stop_reason")
    best = e.best
    if not reason or best is None:
        return None
    past = len(e.epochs) - best[0]
    uses = ", ".join(str(use.get("by", "?")) for use in e.of_kind("test_used")) or "nobody"
    words = {"reason": reason, "test_used_by": uses}
    return {"best_epoch": best[0], "epochs_past_it": past} | words


@rule(
    "search-edge",
    "after",
    "warning",
    "CS231, TUNE",
    en=Text(
        "The best value of {name} is {value:g}, at the edge of its range {low:g} to {high:g}.",
        "The true optimum may lie outside of what was searched.",
        "A search was run, and its best value is within 5 % of either end of the range (on a logarithmic scale where the range spans a factor of ten).",
        ("Widen the range on that side, on a logarithmic scale.",),
        "Ranges that end where values stop making sense.",
    ),
    ko=Text(
        "{name}의 최고값 {value:g}이 범위 {low:g}~{high:g}의 끝에 있습니다.",
        "진짜 최적값이 탐색한 범위 밖에 있을 수 있습니다.",
        "탐색의 최고값이 범위 끝의 5 % 안에 있을 때(범위가 열 배 넘으면 로그 눈금으로).",
        ("그쪽으로 로그 눈금으로 범위를 넓히세요.",),
        "값이 더는 의미가 없는 곳에서 끝나는 범위.",
    ),
)
def search_edge(e: Evidence, t: Thresholds) -> Numbers | None:
    for event in e.of_kind("search"):
        low, high, value = float(event["low"]), float(event["high"]), float(event["value"])
        if low > 0 and high / low > 10:
            place = math.log(value / low) / math.log(high / low)
        else:
            place = (value - low) / (high - low)
        if not 0.05 < place < 0.95:
            return {"name": event["name"], "value": value, "low": low, "high": high}
    return None


@rule(
    "next-knob",
    "after",
    "info",
    "GREFF",
    en=Text(
        "What to tune next: {knob}.",
        "Over 5,400 runs the learning rate mattered most by far, then the number of units; no variant of the LSTM was clearly better than the plain one.",
        "Every run that has ended well: the learning rate if no range test was run, then dropout where it overfits, else the number of units.",
        ("Try this first.",),
        "It is a note: what you know of the task comes first.",
    ),
    ko=Text(
        "다음에 조정할 것: {knob}.",
        "5,400번의 실행에서 학습률이 단연 중요했고 다음이 유닛 수였습니다. 기본 LSTM보다 확실히 나은 변형은 없었습니다.",
        "잘 끝난 모든 실행: 범위 검사를 안 했으면 학습률, 과적합이면 드롭아웃, 아니면 유닛 수.",
        ("이것부터 해 보세요.",),
        "참고일 뿐입니다. 과제에 대해 아는 것이 먼저입니다.",
    ),
    do=("{try_this}",),
)
def next_knob(e: Evidence, t: Thresholds) -> Numbers | None:
    if not e.result or e.config is None:
        return None
    if not e.of_kind("lr_range"):
        recipe = recipe_of(e.config)
        line = f"carousel lr-range {recipe}" if recipe else ""
        return {"knob": "optimizer.learning_rate", "try_this": line}
    if overfits(e, t):
        line = "--set regularization.dropout=0.5"
        return {"knob": "regularization.dropout", "try_this": line}
    line = f"--set model.hidden_size={2 * e.config.model.hidden_size}"
    return {"knob": "model.hidden_size", "try_this": line}


@rule(
    "test-used-again",
    "after",
    "info",
    "CS231, OWN",
    en=Text(
        "The test part was used {times} times: {by}.",
        "Each look at the test part that decides anything makes its number a little better than the truth.",
        "The run says that its test part was evaluated more than once.",
        ("Choose on validation data; keep a part that nobody has looked at for the end.",),
        "Evaluating the same weights again, for another picture, changes nothing.",
    ),
    ko=Text(
        "테스트 부분을 {times}번 썼습니다: {by}.",
        "무언가를 정하려고 테스트를 볼 때마다 그 수치는 실제보다 조금씩 좋아집니다.",
        "테스트 부분을 두 번 이상 평가했다고 실행에 적혀 있을 때.",
        ("검증 데이터로 고르고, 아무도 보지 않은 부분을 끝까지 남겨 두세요.",),
        "같은 가중치를 그림 때문에 다시 평가하는 것은 아무것도 바꾸지 않습니다.",
    ),
    do=("carousel evaluate RUN --part validation",),
)
def test_used_again(e: Evidence, t: Thresholds) -> Numbers | None:
    uses = e.of_kind("test_used")
    if len(uses) < 2:
        return None
    return {"times": len(uses), "by": ", ".join(str(use.get("by", "?")) for use in uses)}


@rule(
    "gradient-check",
    "after",
    "severe",
    "CS231",
    en=Text(
        "The gradient is off by {error:.1e} from finite differences.",
        "In float64 the two agree to 1e-7 where all is well; above 1e-2 a backward pass is wrong.",
        "A gradient check was run, and its relative error is above `gradient_error`.",
        ("Run the layer on the oracle, and report what differs.",),
        "Kinks, such as relu at zero, and float32, which cannot do better than 1e-3.",
    ),
    ko=Text(
        "그래디언트가 유한 차분과 {error:.1e}만큼 다릅니다.",
        "float64에서 정상이면 1e-7까지 같습니다. 1e-2를 넘으면 역전파가 틀린 것입니다.",
        "그래디언트 점검의 상대 오차가 `gradient_error`보다 클 때.",
        ("기준 구현으로 층을 돌려 보고 다른 점을 알려 주세요.",),
        "relu의 0 같은 꺾인 점, 그리고 1e-3보다 정확할 수 없는 float32.",
    ),
)
def gradient_check(e: Evidence, t: Thresholds) -> Numbers | None:
    worst = max((float(event["error"]) for event in e.of_kind("gradient_check")), default=0.0)
    return {"error": worst} if worst > t.gradient_error else None


@rule(
    "seen-in-training",
    "after",
    "severe",
    "OWN",
    en=Text(
        "{count:,} examples of the {part} part ({share:.1%}) stand in the training part as well.",
        "Their answers were learnt by heart, so the metric on that part is better than it would be on data that nobody has seen.",
        "More than 1 % of the validation or test part is the same as something in the training part.",
        (
            "Drop the doubles from the training part, and run it again.",
            "Split by time or by group.",
        ),
        "Texts of a word or two, which are the same by nature.",
    ),
    ko=Text(
        "{part} 부분의 예시 {count:,}개({share:.1%})가 학습 부분에도 있습니다.",
        "그 답을 외웠으므로 그 부분의 지표는 아무도 보지 않은 데이터에서보다 좋게 나옵니다.",
        "검증 또는 테스트 부분의 1 % 넘게 학습 부분과 같을 때.",
        ("학습 부분에서 중복을 지우고 다시 실행하세요.", "시간이나 그룹으로 나누세요."),
        "원래 같을 수밖에 없는 한두 단어의 글.",
    ),
    do=("carousel check {recipe}",),
)
def seen_in_training(e: Evidence, t: Thresholds) -> Numbers | None:
    data = e.result.get("data", {})
    sizes = data.get("sizes") or data.get("examples") or {}
    for part, count in data.get("also_in_training", {}).items():
        size = sizes.get(part) if isinstance(sizes, dict) else None
        if count and size and count > _LEAKED * size:
            return {"part": part, "count": count, "share": count / size}
    return None


declare(
    "rule-failed",
    "after",
    "info",
    "OWN",
    en=Text(
        "The rule '{rule}' could not be judged: {error}.",
        "A rule met something that it did not expect. The run goes on; the other rules are not touched.",
        "An exception inside a rule.",
        ("Please report it, with the run folder if you can.",),
        "None: it is a defect of the rule.",
    ),
    ko=Text(
        "'{rule}' 규칙을 판단하지 못했습니다: {error}.",
        "규칙이 예상하지 못한 것을 만났습니다. 실행은 계속되고 다른 규칙에는 영향이 없습니다.",
        "규칙 안에서 예외가 날 때.",
        ("가능하면 실행 폴더와 함께 알려 주세요.",),
        "없습니다. 규칙의 결함입니다.",
    ),
)
