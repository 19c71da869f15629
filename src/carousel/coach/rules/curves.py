"""Training and validation curves while a network trains."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise

from carousel.coach.evidence import Evidence, finite, slope, smoothed
from carousel.coach.finding import Numbers
from carousel.coach.rule import Text, rule
from carousel.coach.rules.gradients import learning_rate_too_high
from carousel.config import Thresholds


def losses(e: Evidence) -> tuple[list[float], list[float]]:
    """Training and validation losses by epoch, of the same metric; empty if there is none."""
    for metric in ("loss", "mse_standardised", "mse", "mae", "perplexity"):
        train, validation = e.curve("train", metric), e.curve("validation", metric)
        if train and len(train) == len(validation):
            return train, validation
    return [], []


def accuracies(e: Evidence) -> tuple[list[float], list[float]]:
    train, validation = e.curve("train", "accuracy"), e.curve("validation", "accuracy")
    return (train, validation) if len(train) == len(validation) else ([], [])


def skill(e: Evidence) -> float | None:
    """How far training has come from a guess (0) to perfection (1): of accuracy above that of the
    most frequent class, or of variance explained; None where neither is known, or where it began
    fitted and a guess's loss is not known."""
    train, _ = accuracies(e)
    if train:
        counts = e.facts.get("class_counts") or []
        guess = max(counts) / sum(counts) if counts else 0.0
        return (train[-1] - guess) / max(1 - guess, 1e-9)
    parts = smoothed(finite(e.values("train/loss")), 10)
    guess = e.guess_loss
    if guess is None and e.began_fitted:
        return None
    if "target_std" in e.facts and len(parts) > 1 and parts[0] > 0:
        return 1 - parts[-1] / max(parts[0], guess or 0.0, 1e-12)
    return None


def overfits(e: Evidence, t: Thresholds) -> dict[str, float | int | str] | None:
    """The numbers of an overfit, or None; other rules build on it."""
    train, validation = losses(e)
    if len(validation) >= 3:
        best = validation.index(min(validation))
        worse = validation[-1] - validation[best]
        limit = max(t.loss_gap * abs(validation[best]), 0.05 * abs(validation[0]))
        if len(validation) - 1 - best >= 2 and worse > limit and train[-1] < train[best]:
            return {
                "best": validation[best],
                "now": validation[-1],
                "train": train[-1],
                "best_epoch": best + 1,
                "epoch": len(validation),
            }
    ours, theirs = accuracies(e)
    if ours:
        gap = ours[-1] - theirs[-1]
        if gap >= (t.gap_high if ours[-1] > 0.9 else t.gap):
            return {
                "best": max(theirs),
                "now": theirs[-1],
                "train": ours[-1],
                "best_epoch": theirs.index(max(theirs)) + 1,
                "epoch": len(theirs),
            }
    return None


@rule(
    "overfitting",
    "during",
    "warning",
    "CHAR, TUNE, AUTO, UML",
    en=Text(
        "The network learns its data by heart: training {train:.3g}, validation {now:.3g}.",
        "Training goes on getting better while validation stands still or gets worse. What is learnt now holds for the training examples only.",
        "The validation loss is `loss_gap` above its best (and by a twentieth of its first value), two epochs ago or more, while the training loss still falls; or training accuracy exceeds that of validation by `gap` (`gap_high` above 90 %).",
        (
            "Dropout on the vertical connections.",
            "Stop early: keep the best epoch.",
            "A smaller network.",
            "L2 on the weights.",
            "More data, or moved and noisy copies of those there are.",
        ),
        "A validation part that is harder than the training part by itself; a metric that goes on improving while the loss rises.",
    ),
    ko=Text(
        "네트워크가 데이터를 외우고 있습니다. 학습 {train:.3g}, 검증 {now:.3g}.",
        "학습은 계속 좋아지는데 검증은 멈추거나 나빠집니다. 지금 배우는 것은 학습 예시에만 맞습니다.",
        "검증 손실이 두 에폭 이상 전의 최저보다 `loss_gap` 넘게(첫 값의 20분의 1 넘게) 높은데 학습 손실은 계속 줄거나, 학습 정확도가 검증보다 `gap`(90 % 위에서는 `gap_high`) 넘게 높을 때.",
        (
            "수직 연결에 드롭아웃을 쓰세요.",
            "일찍 멈추세요: 최고 에폭을 남기세요.",
            "네트워크를 줄이세요.",
            "가중치에 L2를 쓰세요.",
            "데이터를 늘리거나, 있는 데이터를 옮기고 잡음을 더해 쓰세요.",
        ),
        "원래 학습 부분보다 어려운 검증 부분, 손실이 올라도 계속 좋아지는 지표.",
    ),
    do=(
        "--set regularization.dropout={more_dropout}",
        "--set training.patience=3",
        "--set model.hidden_size={smaller_hidden}",
        "--set regularization.l2.recurrent=1e-4",
    ),
)
def overfitting(e: Evidence, t: Thresholds) -> Numbers | None:
    return overfits(e, t)


@rule(
    "zaremba-recipe",
    "during",
    "info",
    "ZAR",
    en=Text(
        "The network overfits without dropout between its {layers} layers.",
        "Dropout on the connections from layer to layer, never on those through time, is what made large LSTMs trainable: a medium network of 650 units takes 0.5 with windows of 35 steps.",
        "Overfitting is found with two layers or more and no dropout.",
        ("Drop half of the vertical connections.",),
        "Small networks (200 units) do without.",
    ),
    ko=Text(
        "{layers}개 층 사이에 드롭아웃 없이 과적합합니다.",
        "시간 방향이 아니라 층 사이의 연결에만 드롭아웃을 쓴 것이 큰 LSTM을 학습할 수 있게 했습니다. 650 유닛의 중간 네트워크는 35 스텝 창에 0.5를 씁니다.",
        "층이 둘 이상이고 드롭아웃이 없는데 과적합이 발견될 때.",
        ("수직 연결의 절반을 지우세요.",),
        "작은 네트워크(200 유닛)는 없어도 됩니다.",
    ),
    do=("--set regularization.dropout=0.5",),
)
def zaremba_recipe(e: Evidence, t: Thresholds) -> Numbers | None:
    if e.config is None or e.config.model.num_layers < 2 or e.config.regularization.dropout:
        return None
    return {"layers": e.config.model.num_layers} if overfits(e, t) else None


@rule(
    "awd-recipe",
    "during",
    "info",
    "AWD",
    en=Text(
        "A language model overfits: the AWD recipe is made for that.",
        "Dropped recurrent weights, the same dropout mask at all steps, penalties on activations, a clipped gradient and tied embeddings together took word models far below what plain dropout does.",
        "Overfitting is found in the task `generate`.",
        (
            "Drop half of the recurrent weights.",
            "Tie the embedding and the output.",
            "Penalise activations and their change.",
        ),
        "Texts so small that no model of this size can help.",
    ),
    ko=Text(
        "언어 모델이 과적합합니다. AWD 레시피가 바로 이를 위한 것입니다.",
        "순환 가중치 드롭, 모든 스텝에서 같은 드롭아웃 마스크, 활성값 벌점, 그래디언트 자르기, 묶은 임베딩을 함께 쓰면 보통 드롭아웃보다 훨씬 낮은 퍼플렉서티에 이릅니다.",
        "`generate` 과제에서 과적합이 발견될 때.",
        (
            "순환 가중치의 절반을 지우세요.",
            "임베딩과 출력을 묶으세요.",
            "활성값과 그 변화에 벌점을 주세요.",
        ),
        "글이 너무 작아 이 크기의 모델로는 어쩔 수 없는 경우.",
    ),
    do=(
        "--set regularization.weight_dropout=0.5",
        "--set model.tied=true",
        "--set regularization.activation=2.0",
    ),
)
def awd_recipe(e: Evidence, t: Thresholds) -> Numbers | None:
    found = overfits(e, t)
    return found if found and e.config is not None and e.config.task == "generate" else None


@rule(
    "underfitting",
    "during",
    "warning",
    "CHAR, CS231",
    en=Text(
        "The network underfits: it has come {skill:.0%} of the way from guessing to right, on training data too.",
        "Training and validation agree, and both are poor. The network is too small, too regularised or not trained long enough; nothing is being learnt by heart.",
        "After half of the run, training has come less than `poor` of the way and is no better than validation by 0.03, and the learning rate is not too high.",
        (
            "Less dropout and smaller penalties.",
            "More units.",
            "Train longer.",
            "A higher learning rate: see the range test.",
        ),
        "Labels that are noise, or a task that cannot be done better.",
    ),
    ko=Text(
        "과소적합입니다. 학습 데이터에서도 추측에서 정답까지 {skill:.0%}만 왔습니다.",
        "학습과 검증이 비슷하고 둘 다 나쁩니다. 네트워크가 너무 작거나, 정규화가 지나치거나, 덜 학습되었습니다. 외우고 있는 것은 아닙니다.",
        "실행의 절반이 지났는데 학습이 `poor`보다 덜 왔고 검증보다 0.03 넘게 낫지도 않으며, 학습률이 너무 높은 것도 아닐 때.",
        (
            "드롭아웃과 벌점을 줄이세요.",
            "유닛을 늘리세요.",
            "더 오래 학습하세요.",
            "학습률을 높이세요. 범위 검사를 보세요.",
        ),
        "잡음뿐인 라벨, 더 잘할 수 없는 과제.",
    ),
    do=(
        "--set regularization.dropout={less_dropout}",
        "--set model.hidden_size={larger_hidden}",
        "--set training.epochs={more_epochs}",
        "carousel lr-range {recipe}",
    ),
)
def underfitting(e: Evidence, t: Thresholds) -> Numbers | None:
    reached = skill(e)
    total = e.facts.get("total_steps", 0)
    if reached is None or not total or e.step < 0.5 * total or reached >= t.poor:
        return None
    ours, theirs = accuracies(e)
    if ours and ours[-1] - theirs[-1] >= 0.03:
        return None
    if not ours and len(e.epochs) > 2 and overfits(e, t):
        return None
    if learning_rate_too_high(e, t):
        return None  # it has a reason already, and the advice here is the opposite
    return {"skill": max(0.0, reached), "epoch": len(e.epochs)}


@rule(
    "slow-convergence",
    "during",
    "warning",
    "AUTO",
    en=Text(
        "Accuracy has hardly moved in {epochs} epochs: at most {best_step:.3f} at once.",
        "A network that learns makes visible steps at the start. One that does not has a learning rate, a start or an optimiser that does not fit, or labels that say nothing.",
        "Over four epochs or more the training accuracy never rose by `slow` from one to the next, and is poor.",
        (
            "Let the range test choose the learning rate.",
            "Take Adam, or a momentum.",
            "Check that labels belong to their inputs.",
        ),
        "Epochs of a few steps.",
    ),
    ko=Text(
        "{epochs} 에폭 동안 정확도가 거의 움직이지 않았습니다. 한 번에 최대 {best_step:.3f}입니다.",
        "배우는 네트워크는 처음에 눈에 띄게 나아갑니다. 그렇지 않다면 학습률, 초기값, 최적화기가 맞지 않거나 라벨에 정보가 없습니다.",
        "네 에폭 이상 학습 정확도가 한 번도 `slow`만큼 오르지 않았고 나쁠 때.",
        (
            "범위 검사로 학습률을 고르세요.",
            "Adam이나 모멘텀을 쓰세요.",
            "라벨이 제 입력에 붙었는지 확인하세요.",
        ),
        "몇 스텝뿐인 에폭.",
    ),
    do=("carousel lr-range {recipe}", "--set optimizer.name=adam"),
)
def slow_convergence(e: Evidence, t: Thresholds) -> Numbers | None:
    ours, _ = accuracies(e)
    reached = skill(e)
    if len(ours) < 4 or reached is None or reached >= t.poor:
        return None
    largest = max(b - a for a, b in pairwise(ours))
    return {"epochs": len(ours), "best_step": largest} if largest < t.slow else None


@rule(
    "oscillation",
    "during",
    "warning",
    "AUTO",
    en=Text(
        "Training swings up and down: {reversals} reversals in {epochs} epochs.",
        "Each epoch undoes part of what the one before has done. The steps are too large for the place that training has reached.",
        "More than `reversals` of the epochs (at least three of them) turn the training metric around by more than `swing` (of accuracy; five times that of relative loss, as long as it is not done).",
        ("Lower the learning rate.", "Lower it along the way.", "A larger batch."),
        "Very small training parts.",
    ),
    ko=Text(
        "학습이 오르내립니다. {epochs} 에폭에 {reversals}번 뒤집혔습니다.",
        "에폭마다 앞 에폭이 한 일의 일부를 되돌립니다. 지금 위치에 비해 걸음이 너무 큽니다.",
        "에폭의 `reversals` 넘게(셋 이상) 학습 지표가 `swing`(상대 손실은 그 다섯 배, 아직 다 배우지 않았을 때) 넘게 방향을 바꿀 때.",
        ("학습률을 낮추세요.", "진행하면서 낮추세요.", "배치를 키우세요."),
        "아주 작은 학습 데이터.",
    ),
    do=(
        "--set optimizer.learning_rate={lower_rate}",
        "--set schedule.name=cosine",
        "--set training.batch_size={larger_batch}",
    ),
)
def oscillation(e: Evidence, t: Thresholds) -> Numbers | None:
    ours, _ = accuracies(e)
    limit = t.swing
    if not ours:
        curve, _ = losses(e)
        if not curve or min(curve) <= 0 or e.is_done:
            return None
        ours, limit = [math.log(value) for value in curve], 5 * t.swing
    if len(ours) < 6:
        return None
    moves = [b - a for a, b in pairwise(ours)]
    turns = sum(a * b < 0 and min(abs(a), abs(b)) > limit for a, b in pairwise(moves))
    if turns < 3 or turns <= t.reversals * len(ours):
        return None
    return {"reversals": turns, "epochs": len(ours)}


@rule(
    "plateau",
    "during",
    "info",
    "TM, K3",
    en=Text(
        "The training loss stands still at {loss:.4g}.",
        "Nothing moves any more: the rate is too small for what is left, or there is nothing left to learn.",
        "Over four epochs the training loss changes by less than `plateau` of itself from each to the next.",
        (
            "Lower the rate when validation stands still.",
            "Stop early.",
            "If the loss is still poor, look at the learning rate and for dead units.",
        ),
        "A loss that is as low as the noise in the data allows.",
    ),
    ko=Text(
        "학습 손실이 {loss:.4g}에 멈춰 있습니다.",
        "더는 아무것도 움직이지 않습니다. 남은 것에 비해 학습률이 작거나 더 배울 것이 없습니다.",
        "네 에폭 동안 학습 손실의 변화가 매번 `plateau`배보다 작을 때.",
        (
            "검증이 멈추면 학습률을 낮추세요.",
            "일찍 멈추세요.",
            "손실이 아직 나쁘면 학습률과 죽은 유닛을 확인하세요.",
        ),
        "데이터의 잡음이 허락하는 만큼 낮은 손실.",
    ),
    do=("--set schedule.name=plateau", "--set training.patience=3"),
)
def plateau(e: Evidence, t: Thresholds) -> Numbers | None:
    curve = losses(e)[0][-4:]
    if len(curve) < 4:
        return None
    moves = [abs(b - a) / max(abs(a), 1e-12) for a, b in pairwise(curve)]
    return {"loss": curve[-1], "largest_move": max(moves)} if max(moves) < t.plateau else None


@rule(
    "noisy-validation",
    "during",
    "info",
    "TUNE",
    en=Text(
        "Validation jumps by {noise:.3g} from epoch to epoch, more than it improves.",
        "Where chance is larger than progress, the best epoch is the luckiest one, and its number is too good.",
        "In the later half of at least eight epochs the deviation of the steps of the validation metric is above `noise` times its trend and above `swing` (of accuracy; three times that of relative loss).",
        (
            "Hold out a larger validation part.",
            "Let the learning rate fall at the end.",
            "Average the weights.",
            "A larger batch.",
        ),
        "Rates that rise and fall on purpose.",
    ),
    ko=Text(
        "검증이 에폭마다 {noise:.3g}씩 튀어 나아지는 것보다 큽니다.",
        "우연이 진보보다 크면 최고 에폭은 가장 운 좋은 에폭이고 그 수치는 너무 좋습니다.",
        "여덟 에폭 이상의 뒤쪽 절반에서 검증 지표의 변화의 편차가 추세의 `noise`배와 `swing`(상대 손실은 그 세 배)보다 클 때.",
        (
            "검증 부분을 늘리세요.",
            "끝에서 학습률을 낮추세요.",
            "가중치를 평균하세요.",
            "배치를 키우세요.",
        ),
        "일부러 오르내리는 학습률.",
    ),
    do=(
        "--set data.validation=10000",
        "--set schedule.name=cosine",
        "--set averaging.name=ema",
        "--set training.batch_size={larger_batch}",
    ),
)
def noisy_validation(e: Evidence, t: Thresholds) -> Numbers | None:
    _, curve = accuracies(e)
    limit = t.swing
    if not curve:
        _, other = losses(e)
        if not other or min(other) <= 0:
            return None
        curve, limit = [math.log(value) for value in other], 3 * t.swing
    late = curve[len(curve) // 2 :]
    if len(late) < 4:
        return None
    noise = statistics.stdev(b - a for a, b in pairwise(late))
    trend = abs(slope(late)) * (len(late) - 1)
    return {"noise": noise, "trend": trend} if noise > max(limit, t.noise * trend) else None


@rule(
    "periodic-loss",
    "during",
    "info",
    "TUNE",
    en=Text(
        "The loss repeats itself every epoch of {period} steps (correlation {correlation:.2f}).",
        "The same batches come at the same places: the data are not shuffled, or not well.",
        "The training loss, its trend taken off, correlates by more than `period` with itself one epoch earlier.",
        ("Shuffle the training part anew for every epoch.",),
        "A running text that is read in order, as language models do; it is shown as a note only.",
    ),
    ko=Text(
        "손실이 {period} 스텝의 에폭마다 되풀이됩니다(상관 {correlation:.2f}).",
        "같은 배치가 같은 자리에 옵니다. 데이터를 섞지 않았거나 잘 섞지 않았습니다.",
        "추세를 뺀 학습 손실이 한 에폭 앞의 자신과 `period` 넘게 상관될 때.",
        ("에폭마다 학습 부분을 새로 섞으세요.",),
        "언어 모델처럼 글을 순서대로 읽는 경우. 참고로만 표시합니다.",
    ),
)
def periodic_loss(e: Evidence, t: Thresholds) -> Numbers | None:
    ends = [int(epoch["step"]) for epoch in e.epochs]
    values = finite(e.values("train/loss"))
    if len(ends) < 4:
        return None
    period = ends[-1] - ends[-2]
    if period < 8 or len(values) < 3 * period or ends[-1] - ends[-3] != 2 * period:
        return None
    if e.config is not None and e.config.task == "generate":
        return None
    rows = [values[-period * k : len(values) - period * (k - 1)] for k in (3, 2, 1)]
    flat = [[v - statistics.fmean(row) for v in row] for row in rows]
    if any(max(row) == min(row) for row in flat):
        return None
    correlation = min(statistics.correlation(a, b) for a, b in pairwise(flat))
    if correlation <= t.period:
        return None
    return {"period": period, "correlation": correlation}


@rule(
    "suspiciously-good",
    "during",
    "warning",
    "UML",
    en=Text(
        "Validation is suspiciously good: {validation:.3f} where training has {train:.3f}.",
        "Data that were never seen should be harder than data that were. Where they are not, some of them may have been seen: look for doubles across the parts and for inputs that hold the answer.",
        "From the third epoch on, validation accuracy exceeds that of training for two epochs in a row by `better_than_train` and two standard errors without dropout or moved copies; or it is above `too_good` after one epoch of fewer than 100 steps.",
        (
            "Look for the same examples in both parts.",
            "Take inputs away one by one: does one of them hold the answer?",
        ),
        "Dropout and augmentation make training look worse than it is; a validation part may be easier by chance.",
    ),
    ko=Text(
        "검증이 수상할 만큼 좋습니다. 학습 {train:.3f}에 검증 {validation:.3f}입니다.",
        "본 적 없는 데이터는 본 데이터보다 어려워야 합니다. 그렇지 않다면 일부를 보았을 수 있습니다. 두 부분의 중복과 답이 든 입력을 찾아보세요.",
        "드롭아웃이나 증강 없이 셋째 에폭부터 검증 정확도가 학습보다 `better_than_train` 넘게 높거나, 100 스텝이 안 되는 첫 에폭 뒤에 `too_good`보다 높을 때.",
        (
            "두 부분에 같은 예시가 있는지 찾으세요.",
            "입력을 하나씩 빼 보세요. 그중 하나에 답이 들어 있나요?",
        ),
        "드롭아웃과 증강은 학습을 실제보다 나쁘게 보이게 합니다. 검증 부분이 우연히 쉬울 수도 있습니다.",
    ),
    do=("carousel check {recipe}",),
)
def suspiciously_good(e: Evidence, t: Thresholds) -> Numbers | None:
    ours, theirs = accuracies(e)
    if not ours:
        return None
    numbers = {"train": ours[-1], "validation": theirs[-1], "epoch": len(ours)}
    if theirs[0] > t.too_good and e.epochs[0]["step"] < 100:
        return numbers | {"validation": theirs[0], "train": ours[0], "epoch": 1}
    c = e.config
    noisy = c is not None and (
        c.regularization != type(c.regularization)()
        or c.data.shift > 0
        or c.loss.label_smoothing > 0
    )
    examples = e.facts.get("validation_examples") or 0
    chance = 1 / examples**0.5 if examples else 0.0  # two standard errors
    limit = t.better_than_train + chance
    # Twice: in an epoch that learns much, training is the mean over what it was before and after.
    both = [held - own for own, held in zip(ours[-2:], theirs[-2:], strict=True)]
    if noisy or len(ours) < 3 or min(both) <= limit:
        return None
    return numbers


@rule(
    "coach-cost",
    "during",
    "info",
    "OWN",
    en=Text(
        "Measuring has taken {share:.1%} of the training time, more than the {budget:.1%} allowed.",
        "The coach measures what it costs and waits until the next look fits. A first look whose cost was not known, or a machine that is busy elsewhere, can take it above.",
        "After 100 looks the share is above 1.5 times `coach.budget`.",
        ("Allow less, or switch it off.",),
        "Time that other processes took while the coach measured.",
    ),
    ko=Text(
        "측정에 학습 시간의 {share:.1%}를 썼습니다. 허용은 {budget:.1%}입니다.",
        "코치는 비용을 재고 다음 측정이 들어맞을 때까지 기다립니다. 비용을 모르던 첫 측정이나 바쁜 컴퓨터 때문에 넘을 수 있습니다.",
        "100번 측정한 뒤 비율이 `coach.budget`의 1.5배보다 클 때.",
        ("덜 허용하거나 끄세요.",),
        "코치가 재는 동안 다른 프로세스가 쓴 시간.",
    ),
    do=("--set coach.enabled=false",),
)
def coach_cost(e: Evidence, t: Thresholds) -> Numbers | None:
    shares = e.values("coach/share")
    budget = e.config.coach.budget if e.config else 0.03
    if len(shares) < 100 or shares[-1] <= 1.5 * budget:
        return None
    return {"share": shares[-1], "budget": budget}
