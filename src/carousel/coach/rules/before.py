"""What can be wrong before the first step. Rules without a judge get their numbers from checks."""

from __future__ import annotations

from carousel.coach.evidence import Evidence
from carousel.coach.finding import Numbers
from carousel.coach.rule import Text, declare, rule
from carousel.config import Thresholds

declare(
    "loss-at-start",
    "before",
    "warning",
    "CS231, KARP",
    en=Text(
        "The first loss is {loss:.3g} where {expected:.3g} was expected.",
        "An untrained classifier knows nothing, so its cross-entropy is about ln C, or the entropy of the class shares once the last bias holds them. A far larger loss means that it starts out sure of wrong answers.",
        "The loss of the first batch, dropout off, is further than `start_loss` from ln C (or from the entropy of the class shares).",
        (
            "Look at the head and at how labels are numbered: a softmax before the loss, a wrong axis or a shifted label shows here.",
            "Start with smaller weights.",
        ),
        "A carefully chosen last bias starts below ln C; regression has no such value.",
    ),
    ko=Text(
        "첫 손실이 {loss:.3g}인데 {expected:.3g} 정도가 기대됩니다.",
        "학습 전의 분류기는 아는 것이 없으므로 교차 엔트로피는 ln C에 가깝고, 마지막 편향이 클래스 비율을 담고 있다면 그 비율의 엔트로피에 가깝습니다. 손실이 훨씬 크다면 처음부터 틀린 답을 확신한다는 뜻입니다.",
        "드롭아웃을 끈 첫 배치의 손실이 ln C(또는 클래스 비율의 엔트로피)에서 `start_loss`보다 멀리 떨어져 있을 때.",
        (
            "출력층과 라벨 번호를 확인하세요. 손실 앞의 소프트맥스, 잘못된 축, 밀린 라벨이 여기서 드러납니다.",
            "더 작은 가중치로 시작하세요.",
        ),
        "마지막 편향을 잘 고르면 ln C보다 낮게 시작하며, 회귀에는 이런 기준값이 없습니다.",
    ),
    do=("", "--set initialization.name=orthogonal"),
)

declare(
    "overfit-one-batch",
    "before",
    "severe",
    "CS231, KARP",
    en=Text(
        "The network cannot learn one small batch by heart: its loss stays at {loss:.3g}.",
        "A few examples without regularisation are the easiest task there is. A network that cannot fit them has a bug, too little capacity or a hopeless learning rate, and tuning will not help.",
        "After the steps of the check, the loss on a few examples is not close to zero.",
        (
            "Do not tune yet: look for a bug in inputs, labels, mask or loss.",
            "Give it more units.",
            "Try another learning rate; the range test finds one.",
        ),
        "Examples that are equal but labelled differently cannot be fitted; a very long task may need more steps than the check takes.",
    ),
    ko=Text(
        "작은 배치 하나도 외우지 못합니다. 손실이 {loss:.3g}에 머뭅니다.",
        "정규화 없이 몇 개의 예시를 맞추는 것은 가장 쉬운 과제입니다. 이것조차 못 하면 버그가 있거나 용량이 너무 작거나 학습률이 맞지 않는 것이며, 튜닝으로는 나아지지 않습니다.",
        "점검이 끝난 뒤에도 몇 개 예시의 손실이 0에 가까워지지 않을 때.",
        (
            "아직 튜닝하지 마세요. 입력, 라벨, 마스크, 손실에서 버그를 찾으세요.",
            "유닛 수를 늘리세요.",
            "학습률을 바꿔 보세요. 범위 검사로 찾을 수 있습니다.",
        ),
        "같은 입력에 다른 라벨이 붙어 있으면 맞출 수 없고, 아주 긴 과제는 점검보다 많은 스텝이 필요할 수 있습니다.",
    ),
    do=("", "--set model.hidden_size={larger_hidden}", "carousel lr-range {recipe}"),
)

declare(
    "input-baseline",
    "before",
    "warning",
    "KARP",
    en=Text(
        "Real inputs are no better than zeros: loss {loss:.3g} against {zeroed:.3g}.",
        "The same network was trained for a moment on its inputs and on zeros. If it does as well blind, the inputs carry no signal or do not reach it.",
        "After the same few steps the loss with real inputs is not below that with zeroed ones.",
        (
            "Print one batch as the network gets it and compare it with the raw data.",
            "Check that inputs and labels are shuffled together.",
        ),
        "Tasks that take long to get going may need more steps than the check takes.",
    ),
    ko=Text(
        "실제 입력이 0으로 채운 입력보다 낫지 않습니다. 손실 {loss:.3g} 대 {zeroed:.3g}.",
        "같은 네트워크를 실제 입력과 0 입력으로 잠깐 학습했습니다. 보지 않고도 똑같이 한다면 입력에 정보가 없거나 전달되지 않는 것입니다.",
        "같은 스텝 수 뒤에 실제 입력의 손실이 0 입력의 손실보다 낮지 않을 때.",
        (
            "네트워크가 받는 배치 하나를 출력해 원본 데이터와 비교하세요.",
            "입력과 라벨이 함께 섞이는지 확인하세요.",
        ),
        "시작이 느린 과제는 점검보다 많은 스텝이 필요할 수 있습니다.",
    ),
)

declare(
    "causality",
    "before",
    "severe",
    "KARP",
    en=Text(
        "An output depends on what it must not see: {what}.",
        "The gradient of one output was taken with respect to all inputs. It must be zero for later steps of a one-directional model and for every other example of the batch. Where it is not, validation looks good for a reason that is gone when the model is used.",
        "Any gradient is non-zero where it must be zero.",
        (
            "Look for a reshape or view in place of a transpose, and for a mean over the wrong axis.",
            "A model that predicts the next step must not be bidirectional.",
        ),
        "Layers that mix the batch on purpose, such as batch normalisation in training mode.",
    ),
    ko=Text(
        "출력이 보아서는 안 되는 것에 의존합니다: {what}.",
        "출력 하나의 그래디언트를 모든 입력에 대해 구했습니다. 단방향 모델의 이후 스텝과 배치의 다른 예시에 대해서는 0이어야 합니다. 그렇지 않으면 검증 점수가 좋아 보여도 실제 사용에서는 사라집니다.",
        "0이어야 할 곳의 그래디언트가 0이 아닐 때.",
        (
            "transpose 대신 쓴 reshape나 view, 잘못된 축의 평균을 찾아보세요.",
            "다음 스텝을 예측하는 모델은 양방향이면 안 됩니다.",
        ),
        "학습 모드의 배치 정규화처럼 일부러 배치를 섞는 층.",
    ),
    do=("", "--set model.bidirectional=false"),
)

declare(
    "padding-invariance",
    "before",
    "severe",
    "OWN",
    en=Text(
        "Padding changes a prediction: by {difference:.2g}.",
        "The same example was computed alone and padded within a batch. The two must agree, or the result depends on which other examples happen to share the batch.",
        "The largest difference between the two is above the tolerance of float32.",
        (
            "Pass `lengths` to the recurrent layer and to pooling and attention.",
            "Take loss and metrics over real steps only.",
        ),
        "None that is known: in evaluation mode the two must agree.",
    ),
    ko=Text(
        "패딩이 예측을 바꿉니다. 차이는 {difference:.2g}입니다.",
        "같은 예시를 혼자, 그리고 배치 안에서 패딩과 함께 계산했습니다. 둘이 다르면 결과가 우연히 같은 배치에 든 예시에 좌우됩니다.",
        "둘의 최대 차이가 float32 허용 오차보다 클 때.",
        (
            "순환층과 풀링, 어텐션에 `lengths`를 넘기세요.",
            "손실과 지표는 실제 스텝에서만 계산하세요.",
        ),
        "알려진 것이 없습니다. 평가 모드에서는 반드시 같아야 합니다.",
    ),
)


@rule(
    "loss-output-mismatch",
    "before",
    "severe",
    "UML",
    en=Text(
        "The output and the loss do not fit: {what}.",
        "Cross-entropy on logits applies the softmax itself. A second softmax before it flattens the scores, so that gradients are small and the loss cannot come near zero.",
        "The outputs of every example are positive and sum to one (or lie in [0, 1]) where the loss expects logits.",
        ("Remove the last activation, or use the loss that expects probabilities.",),
        "Logits that happen to lie between 0 and 1 in the first batch.",
    ),
    ko=Text(
        "출력과 손실이 맞지 않습니다: {what}.",
        "로짓에 대한 교차 엔트로피는 소프트맥스를 스스로 적용합니다. 그 앞에 소프트맥스를 한 번 더 쓰면 점수가 평평해져 그래디언트가 작아지고 손실이 0에 가까워질 수 없습니다.",
        "손실은 로짓을 기대하는데 모든 예시의 출력이 양수이고 합이 1일 때(또는 [0, 1] 안에 있을 때).",
        ("마지막 활성화 함수를 없애거나, 확률을 받는 손실을 쓰세요.",),
        "첫 배치의 로짓이 우연히 0과 1 사이에 있는 경우.",
    ),
)
def loss_output_mismatch(e: Evidence, t: Thresholds) -> Numbers | None:
    if not e.facts.get("output_sums_to_one"):
        return None
    return {"what": "the outputs are probabilities already, and the loss takes their softmax"}


declare(
    "split-leak",
    "before",
    "severe",
    "OWN",
    en=Text(
        "The validation or test part was seen in training: {what}.",
        "Examples that stand in two parts, windows that overlap across a border, a scaler fitted on everything, or a series that was split at random: each makes held-out numbers better than reality.",
        "Any of the four is found.",
        (
            "Split by time or by group first, leave a gap of at least one window, and fit scalers on the training part alone.",
            "Drop the doubles from the training part.",
        ),
        "Short texts may be the same by nature, such as one-word sentences.",
    ),
    ko=Text(
        "검증 또는 테스트 데이터가 학습에 쓰였습니다: {what}.",
        "두 부분에 모두 있는 예시, 경계를 넘어 겹치는 창, 전체로 맞춘 스케일러, 무작위로 나눈 시계열은 모두 평가 수치를 실제보다 좋게 만듭니다.",
        "네 가지 중 하나라도 발견될 때.",
        (
            "먼저 시간이나 그룹으로 나누고, 창 하나 이상의 간격을 두고, 스케일러는 학습 부분으로만 맞추세요.",
            "학습 부분에서 중복을 지우세요.",
        ),
        "한 단어 문장처럼 짧은 글은 원래 같을 수 있습니다.",
    ),
)

declare(
    "target-leak",
    "before",
    "severe",
    "OWN",
    en=Text(
        "The answer stands among the inputs: {what}.",
        "A class number, a code that stands for it, or the target itself that was left in the table makes the task trivial here and impossible where the answer is not known yet.",
        "In the training part one column has few values, each with one class (99 % of what the most frequent class gets wrong), is the target on some scale or in its order (r² above 0.9999), or, as a warning, has a range of its own for every class.",
        ("Take the column out of the files, unless it is known before the answer is.",),
        "A measurement that truly tells the classes apart; then nothing recurrent is needed.",
    ),
    ko=Text(
        "답이 입력에 들어 있습니다: {what}.",
        "표에 남겨진 클래스 번호나 그것을 뜻하는 코드, 또는 목표값 자체는 여기서는 과제를 쉽게 만들지만 답을 아직 모르는 곳에서는 쓸 수 없게 합니다.",
        "학습 부분에서 한 열이 적은 수의 값을 가지고 값마다 클래스가 하나이거나(가장 흔한 클래스가 틀리는 것의 99 %), 목표값과 크기만 다르거나 순서가 같을 때(r²가 0.9999 초과), 또는 (경고로) 클래스마다 범위가 따로일 때.",
        ("답보다 먼저 알 수 있는 열이 아니라면 파일에서 지우세요.",),
        "정말로 클래스를 가르는 측정값. 그렇다면 순환 신경망이 필요 없습니다.",
    ),
)

declare(
    "unshuffled-classes",
    "before",
    "warning",
    "DL4J",
    en=Text(
        "Batches hold one class only: {batches} of the first {looked}.",
        "If the data come sorted by label, each batch pulls the network towards one class and the loss saws up and down.",
        "A batch of four or more examples has a single label, although the data have several.",
        ("Shuffle the training part before it is cut into batches.",),
        "Data in which nearly everything is of one class.",
    ),
    ko=Text(
        "배치에 한 클래스만 들어 있습니다. 처음 {looked}개 중 {batches}개입니다.",
        "데이터가 라벨 순서로 오면 배치마다 한 클래스 쪽으로 끌려가고 손실이 톱니처럼 오르내립니다.",
        "라벨이 여럿인 데이터에서 예시 네 개 이상의 배치가 한 라벨만 가질 때.",
        ("배치로 나누기 전에 학습 부분을 섞으세요.",),
        "거의 모든 예시가 한 클래스인 데이터.",
    ),
)


@rule(
    "input-scale",
    "before",
    "warning",
    "DL4J, UML",
    en=Text(
        "The inputs are badly scaled: values reach {largest:.3g}.",
        "Gates and tanh answer to numbers around one. Inputs in the tens push them against their limits, where no gradient passes, and features of very different size hide each other.",
        "The largest input is above `input_scale`, or the spreads of two features differ by more than `feature_ratio`.",
        (
            "Standardise each feature on the training part alone, and use the same numbers everywhere else.",
            "Cut off outliers before scaling.",
        ),
        "A few outliers in data that are standardised otherwise.",
    ),
    ko=Text(
        "입력의 크기가 맞지 않습니다. 값이 {largest:.3g}까지 갑니다.",
        "게이트와 tanh는 1 근처의 수에 반응합니다. 수십 단위의 입력은 이들을 한계로 밀어 그래디언트가 흐르지 않게 하고, 크기가 크게 다른 특징은 서로를 가립니다.",
        "가장 큰 입력이 `input_scale`보다 크거나, 두 특징의 퍼짐이 `feature_ratio`보다 크게 다를 때.",
        (
            "학습 부분만으로 특징별 표준화를 하고 같은 수를 다른 곳에도 쓰세요.",
            "스케일링 전에 이상값을 자르세요.",
        ),
        "다른 값은 표준화되어 있고 이상값만 몇 개 있는 경우.",
    ),
    do=("--set data.scaling=standard",),
)
def input_scale(e: Evidence, t: Thresholds) -> Numbers | None:
    largest, ratio = e.facts.get("input_largest"), e.facts.get("input_spread_ratio", 1.0)
    if largest is None or (largest <= t.input_scale and ratio <= t.feature_ratio):
        return None
    return {"largest": largest, "spread_ratio": ratio}


@rule(
    "target-scale",
    "before",
    "warning",
    "DL4J, KARP",
    en=Text(
        "The target has mean {mean:.3g} and spread {std:.3g}, far from 0 and 1.",
        "Squared error grows with the square of the scale: gradients explode on a large target and vanish on a tiny one, and the output must first travel to the mean.",
        "The standard deviation lies outside `target_low` to `target_high`, or the mean is further from zero than ten of it.",
        (
            "Standardise the target on the training part, train with squared error and identity output, and turn predictions back for reports.",
            "For targets in [0, 1] use a sigmoid with binary cross-entropy.",
        ),
        "A loss that divides by the scale of the target.",
    ),
    ko=Text(
        "목표값의 평균이 {mean:.3g}, 퍼짐이 {std:.3g}로 0과 1에서 멉니다.",
        "제곱 오차는 크기의 제곱으로 커집니다. 큰 목표에서는 그래디언트가 폭발하고 작은 목표에서는 사라지며, 출력은 먼저 평균까지 가야 합니다.",
        "표준편차가 `target_low`에서 `target_high` 밖에 있거나, 평균이 그 열 배보다 멀리 있을 때.",
        (
            "학습 부분으로 목표를 표준화하고, 제곱 오차와 항등 출력으로 학습한 뒤 보고할 때 되돌리세요.",
            "목표가 [0, 1]에 있으면 시그모이드와 이진 교차 엔트로피를 쓰세요.",
        ),
        "손실이 목표의 크기로 나누어지는 경우.",
    ),
    do=("", "--set regress.output=sigmoid"),
)
def target_scale(e: Evidence, t: Thresholds) -> Numbers | None:
    mean, std = e.facts.get("target_mean"), e.facts.get("target_std")
    if mean is None or std is None:
        return None
    if t.target_low <= std <= t.target_high and abs(mean) <= 10 * std:
        return None
    return {"mean": mean, "std": std}


@rule(
    "class-balance",
    "before",
    "warning",
    "DL4J, SMD, KARP",
    en=Text(
        "The classes are out of balance: {smallest:,} of the rarest, {largest:,} of the most frequent.",
        "A network that always says the frequent class is already right most of the time, so accuracy says little and rare classes are learnt late or never.",
        "The rarest class has fewer than `class_ratio` times as many examples as the most frequent.",
        (
            "Weigh the classes in the loss.",
            "Judge by macro F1 or per class, not by accuracy.",
            "Collect more of the rare classes.",
        ),
        "Word by word labelling, where most words belong to no span by nature, if it is judged by spans.",
    ),
    ko=Text(
        "클래스가 불균형합니다. 가장 드문 것은 {smallest:,}개, 가장 흔한 것은 {largest:,}개입니다.",
        "항상 흔한 클래스라고만 해도 대부분 맞으므로 정확도는 말해 주는 것이 적고, 드문 클래스는 늦게 배우거나 전혀 배우지 못합니다.",
        "가장 드문 클래스의 예시가 가장 흔한 클래스의 `class_ratio`배보다 적을 때.",
        (
            "손실에서 클래스에 가중치를 주세요.",
            "정확도 대신 macro F1이나 클래스별로 판단하세요.",
            "드문 클래스를 더 모으세요.",
        ),
        "대부분의 단어가 원래 어느 구간에도 속하지 않는 단어 라벨링을 구간으로 평가하는 경우.",
    ),
    do=("--set loss.class_weights=balanced", "--set training.monitor=macro_f1"),
)
def class_balance(e: Evidence, t: Thresholds) -> Numbers | None:
    counts = [n for n in e.facts.get("class_counts", []) if n > 0]
    if len(counts) < 2 or min(counts) >= t.class_ratio * max(counts):
        return None
    return {
        "smallest": min(counts),
        "largest": max(counts),
        "ratio": min(counts) / max(counts),
        "classes": len(counts),
    }


@rule(
    "parameters-per-step",
    "before",
    "warning",
    "CHAR",
    en=Text(
        "There are {ratio:.0f} parameters for each step of training data.",
        "With far more weights than data a network can learn every example by heart. The tip is to keep both of the same order of magnitude.",
        "Parameters divided by the steps of one epoch exceed `parameters_per_step`.",
        ("Take fewer units.", "Regularise: dropout on the vertical connections."),
        "Large embeddings, of which each step touches one row, and networks that were trained elsewhere before.",
    ),
    ko=Text(
        "학습 데이터 한 스텝마다 매개변수가 {ratio:.0f}개입니다.",
        "데이터보다 가중치가 훨씬 많으면 모든 예시를 외울 수 있습니다. 둘을 비슷한 자릿수로 두는 것이 요령입니다.",
        "매개변수 수를 한 에폭의 스텝 수로 나눈 값이 `parameters_per_step`보다 클 때.",
        ("유닛 수를 줄이세요.", "정규화하세요: 수직 연결에 드롭아웃을 쓰세요."),
        "스텝마다 한 행만 쓰이는 큰 임베딩, 그리고 이미 다른 곳에서 학습된 네트워크.",
    ),
    do=(
        "--set model.hidden_size={smaller_hidden}",
        "--set regularization.dropout={more_dropout}",
    ),
)
def parameters_per_step(e: Evidence, t: Thresholds) -> Numbers | None:
    parameters, steps = e.facts.get("parameters"), e.facts.get("training_steps")
    if not parameters or not steps or parameters <= t.parameters_per_step * steps:
        return None
    return {"parameters": parameters, "training_steps": steps, "ratio": parameters / steps}


@rule(
    "validation-too-small",
    "before",
    "warning",
    "CHAR, TUNE",
    en=Text(
        "The validation part has {examples:,} {unit}: what it measures is uncertain by {error:.1%}.",
        "The standard error of a share p over n examples is √(p (1 - p) / n). Differences smaller than that are chance, and choosing the best epoch by them is choosing at random. What counts is how many things of their own there are: the steps of one recording, or windows that overlap, are alike.",
        "The largest possible standard error, at p = 1/2, over the sentences, images, recordings or windows that share no step is above `smallest_validation`; above twice that where each of them is asked for many answers (labels or numbers at every step, steps to come).",
        ("Hold out more, or use cross-validation.", "Compare means over several seeds."),
        "Large effects need few examples; recordings that differ little among each other.",
    ),
    ko=Text(
        "검증 부분이 {examples:,}개({unit})뿐이라 그 수치가 {error:.1%}만큼 불확실합니다.",
        "예시 n개에서 비율 p의 표준 오차는 √(p (1 - p) / n)입니다. 그보다 작은 차이는 우연이며, 그것으로 최고 에폭을 고르면 무작위로 고르는 셈입니다. 서로 독립인 것의 수가 중요합니다. 한 기록의 스텝들이나 겹치는 창들은 서로 비슷합니다.",
        "문장, 이미지, 기록, 또는 겹치지 않는 창의 수로 계산한 p = 1/2에서의 최대 표준 오차가 `smallest_validation`보다 클 때. 하나마다 답이 여럿이면(스텝마다의 라벨이나 숫자, 예측할 여러 스텝) 그 두 배보다 클 때.",
        ("더 많이 떼어 두거나 교차 검증을 쓰세요.", "여러 시드의 평균을 비교하세요."),
        "효과가 크거나 기록들이 서로 거의 다르지 않으면 예시가 적어도 됩니다.",
    ),
    do=("--set data.validation={validation_wanted}",),
)
def validation_too_small(e: Evidence, t: Thresholds) -> Numbers | None:
    count = e.facts.get("validation_units") or e.facts.get("validation_examples")
    limit = t.smallest_validation * (2 if e.facts.get("validation_many") else 1)
    if not count or 0.5 / count**0.5 <= limit:
        return None
    wanted = int(0.25 / limit**2) + 1
    unit = e.facts.get("validation_unit", "examples")
    return {
        "examples": count,
        "unit": unit,
        "error": 0.5 / count**0.5,
        "validation_wanted": wanted,
    }


@rule(
    "window-too-short",
    "before",
    "warning",
    "DL4J, DANI",
    en=Text(
        "The task looks {lag} steps back, but gradients reach {window} steps.",
        "What lies before the window cannot be learnt from: its gradient is cut off. Truncated backpropagation is best with windows of 50 to 200 steps and a state that is carried over.",
        "`coach.lag` is larger than the window.",
        (
            "Widen the window.",
            "Forecasting: read a longer context.",
            "Carry the state from window to window.",
        ),
        "The state may carry what no gradient reaches, if something else teaches it to.",
    ),
    ko=Text(
        "과제는 {lag} 스텝 전을 보아야 하는데 그래디언트는 {window} 스텝까지만 갑니다.",
        "창 앞에 있는 것은 그래디언트가 잘려 배울 수 없습니다. 절단 역전파는 50~200 스텝의 창과 이어지는 상태가 좋습니다.",
        "`coach.lag`가 창보다 클 때.",
        (
            "창을 넓히세요.",
            "예측에서는 더 긴 문맥을 읽으세요.",
            "창에서 창으로 상태를 이어 가세요.",
        ),
        "다른 것이 가르쳐 준다면 그래디언트가 닿지 않는 것도 상태가 나를 수 있습니다.",
    ),
    do=("--set text.bptt={wanted}", "--set forecast.context={wanted}"),
)
def window_too_short(e: Evidence, t: Thresholds) -> Numbers | None:
    window, lag = e.facts.get("window"), e.config.coach.lag if e.config else 0
    if not window:
        return None
    wanted = max(2 * window, lag + lag // 4)
    return {"lag": lag, "window": window, "wanted": wanted} if lag > window else None


@rule(
    "window-too-long",
    "before",
    "info",
    "DANI, OWN",
    en=Text(
        "Gradients go {window} steps back, and the task looks {lag} back.",
        "Every step that is read costs time and memory, and a gradient that comes from far adds noise to what the task needs. A window of a few times the lag is enough.",
        "Sequences of more than `longest_untruncated` steps are read without truncation, and `coach.lag` is known and less than a quarter of that.",
        ("Shorten the window.", "Forecasting: read a shorter context."),
        "A season that is longer than the lag.",
    ),
    ko=Text(
        "그래디언트는 {window} 스텝을 거슬러 가는데 과제는 {lag} 스텝 전만 봅니다.",
        "읽는 스텝마다 시간과 메모리가 들고, 멀리서 온 그래디언트는 과제에 필요한 것에 잡음을 더합니다. 시차의 몇 배면 창으로 충분합니다.",
        "`longest_untruncated` 스텝보다 긴 시퀀스를 자르지 않고 읽는데, 알려진 `coach.lag`가 그 4분의 1보다 작을 때.",
        ("창을 줄이세요.", "예측에서는 더 짧은 문맥을 읽으세요."),
        "시차보다 긴 계절성.",
    ),
    do=("--set text.bptt={wanted}", "--set forecast.context={wanted}"),
)
def window_too_long(e: Evidence, t: Thresholds) -> Numbers | None:
    window, lag = e.facts.get("window"), e.config.coach.lag if e.config else 0
    if window and window > t.longest_untruncated and 0 < lag < window / 4:
        return {"lag": lag, "window": window, "wanted": 2 * lag}
    return None


@rule(
    "forget-bias",
    "before",
    "warning",
    "JOZ, DANI",
    en=Text(
        "The forget gate starts at a bias of {bias:.2f} on sequences of {length:.0f} steps.",
        "With a bias of zero half of the memory is gone after one step and a thousandth is left after ten. A bias of one keeps three quarters, so that gradients reach further back from the start.",
        "The mean bias (both together) is below `forget_bias` and sequences have at least `long_sequence` steps.",
        ("Start with memories as long as the task: chrono.", "Start the forget gate at one."),
        "Tasks whose answer lies in the last few steps.",
    ),
    ko=Text(
        "시퀀스가 {length:.0f} 스텝인데 망각 게이트의 편향이 {bias:.2f}에서 시작합니다.",
        "편향이 0이면 한 스텝 뒤에 기억의 절반이 사라지고 열 스텝 뒤에는 천분의 일만 남습니다. 편향이 1이면 4분의 3이 남아 처음부터 그래디언트가 더 멀리 갑니다.",
        "두 편향을 합한 평균이 `forget_bias`보다 작고 시퀀스가 `long_sequence` 스텝 이상일 때.",
        ("과제만큼 긴 기억으로 시작하세요: chrono.", "망각 게이트를 1에서 시작하세요."),
        "답이 마지막 몇 스텝에 있는 과제.",
    ),
    do=("--set initialization.name=chrono", "--set model.forget_bias=1.0"),
)
def forget_bias(e: Evidence, t: Thresholds) -> Numbers | None:
    bias, length = e.facts.get("forget_bias"), e.facts.get("length_median", 0)
    if bias is None or bias >= t.forget_bias or length < t.long_sequence:
        return None
    return {"bias": bias, "length": length}


@rule(
    "dropout-no-op",
    "before",
    "warning",
    "OWN",
    en=Text(
        "Dropout of {dropout:g} between layers has no effect: there is one layer.",
        "The dropout argument of a recurrent layer acts between its layers. With one there is no such place, and nothing is regularised.",
        "A recurrent module has dropout above zero and one layer.",
        ("Put torch.nn.Dropout after the layer, or use `variational=`.", "Add a second layer."),
        "None: torch warns of it too.",
    ),
    ko=Text(
        "층이 하나라서 층 사이의 드롭아웃 {dropout:g}이 아무 일도 하지 않습니다.",
        "순환층의 dropout 인자는 층과 층 사이에 작용합니다. 층이 하나면 그런 곳이 없어 아무것도 정규화되지 않습니다.",
        "순환 모듈의 드롭아웃이 0보다 크고 층이 하나일 때.",
        ("층 뒤에 torch.nn.Dropout을 두거나 `variational=`을 쓰세요.", "둘째 층을 더하세요."),
        "없습니다. torch도 경고합니다.",
    ),
    do=("", "--set model.num_layers=2"),
)
def dropout_no_op(e: Evidence, t: Thresholds) -> Numbers | None:
    vain = e.facts.get("vain_dropout", 0.0)
    return {"dropout": vain} if vain else None


@rule(
    "dropout-too-large",
    "before",
    "warning",
    "UML",
    en=Text(
        "Dropout of {dropout:g} drops more than half of the units.",
        "Little is left to learn from at each step; training is slow and often ends in underfitting.",
        "`regularization.dropout` is above `largest_dropout`.",
        ("Reduce it.",),
        "Large language models are trained well with up to 0.65.",
    ),
    ko=Text(
        "드롭아웃 {dropout:g}은 유닛의 절반 넘게 지웁니다.",
        "스텝마다 배울 것이 조금만 남아 학습이 느려지고 과소적합으로 끝나기 쉽습니다.",
        "`regularization.dropout`이 `largest_dropout`보다 클 때.",
        ("줄이세요.",),
        "큰 언어 모델은 0.65까지도 잘 학습됩니다.",
    ),
    do=("--set regularization.dropout={less_dropout}",),
)
def dropout_too_large(e: Evidence, t: Thresholds) -> Numbers | None:
    if e.config is None or e.config.regularization.dropout <= t.largest_dropout:
        return None
    return {"dropout": e.config.regularization.dropout}


@rule(
    "learning-rate-range",
    "before",
    "warning",
    "UML",
    en=Text(
        "A learning rate of {rate:g} is outside what usually works with {optimizer}.",
        "Optimisers of the Adam family scale each step to about the learning rate itself: above 0.01 weights jump, below 1e-7 they stand still.",
        "With adam, adamw or rmsprop the rate is above `largest_rate`; with any, below `smallest_rate`.",
        ("Let the range test choose.", "Start from the usual value."),
        "Tiny networks, schedules that touch the peak only briefly.",
    ),
    ko=Text(
        "학습률 {rate:g}은 {optimizer}에서 보통 쓰는 범위를 벗어났습니다.",
        "Adam 계열은 한 걸음의 크기가 학습률과 비슷합니다. 0.01을 넘으면 가중치가 튀고 1e-7보다 작으면 멈춰 있습니다.",
        "adam, adamw, rmsprop에서 `largest_rate`보다 크거나, 무엇이든 `smallest_rate`보다 작을 때.",
        ("범위 검사로 고르세요.", "보통 값에서 시작하세요."),
        "아주 작은 네트워크, 최고점에 잠깐만 닿는 스케줄.",
    ),
    do=("carousel lr-range {recipe}", "--set optimizer.learning_rate=1e-3"),
)
def learning_rate_range(e: Evidence, t: Thresholds) -> Numbers | None:
    if e.config is None:
        return None
    name, rate = e.config.optimizer.name, e.config.optimizer.learning_rate
    high = name in ("adam", "adamw", "rmsprop") and rate > t.largest_rate
    return {"rate": rate, "optimizer": name} if high or rate < t.smallest_rate else None


@rule(
    "padding-share",
    "before",
    "info",
    "SMD",
    en=Text(
        "{share:.0%} of all steps are padding.",
        "Every padded step costs memory, and time where the layer cannot skip it.",
        "Padded steps are more than `padding` of all steps of the batches.",
        (
            "Put sequences of similar length into one batch, and pass `lengths`.",
            "Cut the few longest ones.",
        ),
        "Few sequences, of which one is long.",
    ),
    ko=Text(
        "전체 스텝의 {share:.0%}가 패딩입니다.",
        "패딩된 스텝은 메모리를 쓰고, 층이 건너뛰지 못하면 시간도 씁니다.",
        "배치의 전체 스텝 중 패딩이 `padding`보다 많을 때.",
        (
            "길이가 비슷한 시퀀스를 한 배치에 넣고 `lengths`를 넘기세요.",
            "가장 긴 몇 개를 자르세요.",
        ),
        "시퀀스가 적고 그중 하나가 긴 경우.",
    ),
)
def padding_share(e: Evidence, t: Thresholds) -> Numbers | None:
    share = e.facts.get("padding_share", 0.0)
    return {"share": share} if share > t.padding else None
