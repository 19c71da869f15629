"""Every check catches what it is for, on models and data that are broken on purpose; the small
form of every task is clean."""

import dataclasses

import pytest
import torch
from every_task import SMALL
from small import small_config
from small_frames import frames_config, write_recordings
from small_many import many_config, many_rows, write_many
from small_pairs import pair_config, write_pairs
from small_scenes import images_config, write_images
from small_sentences import sentence_config, write_sentences
from small_text import text_config, write_text
from torch import nn

from carousel import layers, tasks
from carousel.coach.checks import check, findings
from carousel.coach.words import LANGUAGES


def task_of(config, seed=1):
    torch.manual_seed(seed)
    return tasks.find(config.task)(config, seed)


def found(task, *only, model=None, **more):
    torch.manual_seed(2)
    outcomes = check(task, model or task.build_model(), seconds=600, only=only, **more)
    assert not [o for o in outcomes if o.state == "failed"], outcomes
    return {o.code: o.numbers for o in outcomes if o.state == "found"}


@pytest.mark.parametrize("name", SMALL)
def test_the_small_form_of_every_task_has_nothing_severe(name, tmp_path):
    config = SMALL[name](tmp_path)
    task = task_of(config)
    outcomes = check(task, task.build_model(), seconds=60, account=task.account())
    assert not [o for o in outcomes if o.state == "failed"]
    codes = [o.code for o in outcomes]
    assert sorted(set(codes)) == sorted(codes)
    # Journeys between five cities come twice by themselves.
    expected = ["split-leak"] if name == "label_words" else []
    for language in LANGUAGES:
        said = findings(outcomes, language, config)
        assert [f.code for f in said if f.severity == "severe"] == expected


def test_a_check_changes_neither_weights_nor_gradients_nor_random_state():
    task = task_of(small_config())
    model = task.build_model().train()
    before = {name: p.detach().clone() for name, p in model.state_dict().items()}
    state = torch.get_rng_state()
    check(task, model, seconds=2)
    assert torch.equal(state, torch.get_rng_state())
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


# ---- models that are broken on purpose


@pytest.fixture
def language_task(tmp_path):
    return task_of(text_config(write_text(tmp_path)))


def test_a_language_model_that_reads_from_both_ends_sees_the_future(language_task):
    model = language_task.build_model()
    H = model.recurrent.hidden_size
    both = layers.LSTM(H, H // 2, bidirectional=True)
    model.recurrent = both
    assert (
        "which comes later"
        in found(language_task, "causality", model=model)["causality"]["what"]["en"]
    )


def test_a_language_model_that_is_asked_for_what_it_reads_is_found(language_task, monkeypatch):
    batches = language_task.train_batches

    def unshifted(epoch, start):
        for x, _ in batches(epoch, start):
            yield x, x

    monkeypatch.setattr(language_task, "train_batches", unshifted)
    numbers = found(language_task, "causality")["causality"]
    assert "stand in the input" in numbers["what"]["en"]


def test_a_labeller_that_smooths_over_frames_to_come_is_found(tmp_path):
    task = task_of(frames_config(write_recordings(tmp_path)))
    model = task.build_model()

    class Smoothed(nn.Linear):
        def forward(self, x):
            return super().forward((x + x.roll(-1, 1)) / 2)

    model.head.__class__ = Smoothed
    numbers = found(task, "causality", model=model)["causality"]
    assert "depends on step" in numbers["what"]["en"]


def test_a_reshape_in_place_of_a_transpose_mixes_the_batch():
    task = task_of(small_config())
    model = task.build_model()
    right = model.recurrent.forward

    def wrong(x, hx=None, lengths=None):
        return right(x.reshape(x.size(1), x.size(0), -1).transpose(0, 1), hx)

    model.recurrent.forward = wrong
    codes = found(task, "causality", "padding-invariance", model=model)
    assert "depends on row" in codes["causality"]["what"]["en"]
    assert codes["padding-invariance"]["how"] == "alone"


def test_a_mean_over_the_padding_is_found(tmp_path):
    task = task_of(sentence_config(write_sentences(tmp_path)))
    model = task.build_model()
    model.pooling.forward = lambda outputs, state, lengths=None: outputs.mean(1)
    assert found(task, "padding-invariance", model=model)["padding-invariance"]["how"] == "padded"


def test_rows_with_few_measured_values_are_not_taken_for_padding(tmp_path):
    rows = [(*row[:2], "" if n % 3 == 0 else row[2], *row[3:]) for n, row in enumerate(many_rows())]
    task = task_of(many_config(write_many(tmp_path, rows)))
    assert "padding-invariance" not in found(task, "padding-invariance")


def test_lengths_that_are_not_passed_on_are_found(tmp_path):
    task = task_of(sentence_config(write_sentences(tmp_path)))
    model = task.build_model()
    right = model.recurrent.forward
    model.recurrent.forward = lambda x, hx=None, lengths=None: right(x, hx)
    assert "padding-invariance" in found(task, "padding-invariance", model=model)


def test_sources_read_beyond_their_ends_are_found(tmp_path):
    task = task_of(pair_config(write_pairs(tmp_path, 80), "text.level=word"))
    assert "padding-invariance" not in found(task, "padding-invariance")
    model = task.build_model()
    right = model.decoder.remember
    model.decoder.remember = lambda values, lengths, summary: right(values, None, summary)
    assert "padding-invariance" in found(task, "padding-invariance", model=model)


def test_captions_that_are_judged_beyond_their_ends_are_found(tmp_path, monkeypatch):
    task = task_of(images_config(write_images(tmp_path)))
    assert "padding-invariance" not in found(task, "padding-invariance")
    right = task.loss

    def wrong(model, batch, carry=()):
        images, tokens, targets = batch
        return right(model, (images, tokens, targets.clamp(min=0)), carry)

    monkeypatch.setattr(task, "loss", wrong)
    assert "padding-invariance" in found(task, "padding-invariance")


def test_a_loss_that_counts_padded_frames_is_found(tmp_path, monkeypatch):
    task = task_of(frames_config(write_recordings(tmp_path)))
    right = task.loss

    def wrong(model, batch, carry=()):
        values, lengths, labels = batch
        return right(model, (values, lengths, labels.clamp(min=0)), carry)

    monkeypatch.setattr(task, "loss", wrong)
    assert found(task, "padding-invariance")["padding-invariance"]["how"] == "padded"


def test_a_softmax_before_the_loss_is_found_twice():
    task = task_of(small_config())
    model = task.build_model()
    model.head = nn.Sequential(model.head, nn.Softmax(-1))
    codes = found(task, "loss-output-mismatch", "overfit-one-batch", model=model)
    assert "probabilities" in codes["loss-output-mismatch"]["what"]["en"]
    assert codes["overfit-one-batch"]["loss"] > 1


def test_logits_that_are_cut_off_at_zero_are_found():
    task = task_of(small_config())
    model = task.build_model()
    model.head = nn.Sequential(model.head, nn.ReLU())
    assert (
        "cut off at zero"
        in found(task, "loss-output-mismatch", model=model)["loss-output-mismatch"]["what"]["en"]
    )


def test_numbers_that_no_sigmoid_can_reach_are_found(tmp_path):
    config = SMALL["regress"](tmp_path)
    task = task_of(config)
    model = task.build_model()
    model.head = nn.Sequential(model.head, nn.Sigmoid())
    assert (
        "between 0 and 1"
        in found(task, "loss-output-mismatch", model=model)["loss-output-mismatch"]["what"]["en"]
    )


def test_a_head_that_starts_out_sure_is_found_by_its_first_loss():
    task = task_of(small_config())
    model = task.build_model()
    with torch.no_grad():
        model.head.weight.mul_(100)
    numbers = found(task, "loss-at-start", model=model)["loss-at-start"]
    assert numbers["expected"] == pytest.approx(2.302585, abs=1e-5)
    assert numbers["loss"] > 3


def test_a_network_that_cannot_learn_is_found():
    task = task_of(small_config())
    model = task.build_model()
    right = model.recurrent.forward
    model.recurrent.forward = lambda x, hx=None, lengths=None: right(x * 0, hx)
    codes = found(task, "overfit-one-batch", "input-baseline", model=model)
    assert {"overfit-one-batch", "input-baseline"} <= codes.keys()


def test_shuffled_labels_make_real_inputs_no_better_than_zeros(monkeypatch):
    task = task_of(small_config())
    batches = task.train_batches
    chance = torch.Generator().manual_seed(5)

    def shuffled(epoch, start):
        for images, labels in batches(epoch, start):
            yield images, labels[torch.randperm(len(labels), generator=chance)]

    monkeypatch.setattr(task, "train_batches", shuffled)
    assert "input-baseline" in found(task, "input-baseline")


# ---- data that is broken on purpose


def test_batches_of_one_class_are_found(monkeypatch):
    task = task_of(small_config())
    whole = list(task.train_batches(0, 0))
    images = torch.cat([x for x, _ in whole])
    labels = torch.cat([y for _, y in whole])
    order = labels.argsort()
    sorted_ = list(zip(images[order].split(64), labels[order].split(64), strict=True))
    monkeypatch.setattr(task, "train_batches", lambda epoch, start: iter(sorted_))
    assert found(task, "unshuffled-classes")["unshuffled-classes"]["batches"] > 10


def test_sentences_that_stand_in_two_parts_are_a_leak(tmp_path):
    path = write_sentences(tmp_path, count=120)
    text = path.read_text()
    path.write_text(text * 3)
    task = task_of(sentence_config(path))
    codes = found(task, "split-leak", account=task.account())
    assert codes["split-leak"]["severity"] == "severe"
    assert "stand in the training part too" in codes["split-leak"]["what"]["en"]


def test_a_recording_in_two_parts_is_a_leak_whatever_its_name(tmp_path):
    folder = write_recordings(tmp_path)
    first = (folder / "r0.csv").read_text()
    for number in range(1, 8):
        (folder / f"r{number}.csv").write_text(first)
    task = task_of(frames_config(folder))
    assert found(task, "split-leak", account=task.account())["split-leak"]["severity"] == "severe"


def test_parts_of_a_series_that_overlap_are_a_leak(tmp_path):
    task = task_of(SMALL["forecast"](tmp_path))
    account = task.account()
    clean = found(task, "split-leak", account=account)
    assert "split-leak" not in clean
    account["targets"]["validation"]["first"] = account["targets"]["train"]["first"]
    numbers = found(task, "split-leak", account=account)["split-leak"]
    assert "begins at" in numbers["what"]["en"]


def test_inputs_of_a_wild_scale_are_found(monkeypatch):
    task = task_of(small_config())
    monkeypatch.setattr(task, "scaler", dataclasses.replace(task.scaler, std=task.scaler.std / 100))
    assert found(task, "input-scale")["input-scale"]["largest"] > 100


def test_a_target_far_from_zero_is_found(tmp_path):
    task = task_of(SMALL["regress"](tmp_path))
    task.target = dataclasses.replace(task.target, mean=0.0, std=0.01)
    codes = found(task, "target-scale")
    assert codes["target-scale"]["std"] > 10


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("optimizer.learning_rate=5", "learning-rate-range"),
        ("regularization.dropout=0.8", "dropout-too-large"),
        ("data.validation=20", "validation-too-small"),
        ("coach.lag=100", "window-too-short"),
    ],
)
def test_settings_that_rarely_work_are_found(setting, code):
    assert code in found(task_of(small_config(setting)), code)


def test_a_check_that_raises_says_so_and_the_others_go_on(monkeypatch):
    task = task_of(small_config())
    monkeypatch.setattr(type(task.subject), "padded", lambda self, batch, steps: 1 / 0)
    outcomes = check(task, task.build_model(), quick=True, seconds=60)
    failed = [o for o in outcomes if o.state == "failed"]
    assert failed
    assert all("ZeroDivisionError" in o.said["en"] for o in failed)
    assert any(o.state == "clean" for o in outcomes)


class _WrongBackward(torch.autograd.Function):
    """The identity, whose gradient comes back halved in float32."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 2 if gradient.dtype == torch.float32 else gradient


def test_a_backward_pass_that_is_wrong_is_off_from_finite_differences():
    task = task_of(small_config())
    torch.manual_seed(2)
    model = task.build_model()
    assert found(task, "gradient-check", model=model) == {}
    head = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    head.register_forward_hook(lambda module, args, output: _WrongBackward.apply(output))
    # Half of every gradient: (1 - 1/2) / (1 + 1/2) apart.
    error = found(task, "gradient-check", model=model)["gradient-check"]["error"]
    assert error == pytest.approx(1 / 3, rel=1e-3)
