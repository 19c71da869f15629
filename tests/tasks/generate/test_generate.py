"""Language models as a task: what is optimised, what is measured, what a trained one does."""

import json
import math

import pytest
import torch
from small_text import text_config, write_lines, write_text

from carousel import bundle, tasks
from carousel.cli.given import Request
from carousel.cli.respond import respond
from carousel.config import Config, DataConfig, TextConfig
from carousel.data.text import Corpus
from carousel.errors import ConfigError, DataError
from carousel.tasks.generate.sampling import Sampling
from carousel.tasks.generate.task import GenerateTask
from carousel.tasks.generate.trained import TrainedLanguageModel
from carousel.tasks.shared.task import Json, Notice
from carousel.training import train


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Finished runs by kind, each trained when first asked for."""
    folder = tmp_path_factory.mktemp("runs")
    text, lines = write_text(folder), write_lines(folder)
    configs = {
        "word": text_config(text),
        "character": text_config(text, "text.level=character", "text.bptt=20"),
        "line": text_config(lines, "training.epochs=15"),
    }
    done = {}

    def run(kind):
        if kind not in done:
            done[kind] = train(configs[kind], seed=1, run_dir=folder / kind, quiet=True)
        return done[kind]

    return run


# ---- training


def test_the_task_is_found_by_its_name():
    assert tasks.find("generate") is GenerateTask
    assert {"classify", "generate"} <= set(tasks.names())
    with pytest.raises(ConfigError, match="Did you mean 'generate'"):
        tasks.find("generat")
    with pytest.raises(ConfigError, match="task must be one of"):
        tasks.find("metrics")


def test_the_objective_is_the_mean_or_zarembas_sum_over_steps(tmp_path):
    text = write_text(tmp_path)
    task = GenerateTask(text_config(text), seed=0)
    summed = GenerateTask(text_config(text, "text.loss_scale=steps"), seed=0)
    model = task.build_model()
    batch = next(task.train_batches(0, 0))
    mean, steps = task.loss(model, batch), summed.loss(model, batch)
    assert mean.count == 7 * 8
    assert mean.objective.item() == pytest.approx(mean.sums["loss"].item() / (7 * 8), rel=1e-6)
    assert steps.objective.item() == pytest.approx(mean.sums["loss"].item() / 8, rel=1e-6)
    assert steps.sums["loss"] == mean.sums["loss"]


def test_the_state_is_carried_without_its_gradient(tmp_path):
    task = GenerateTask(text_config(write_text(tmp_path)), seed=0)
    model = task.build_model()
    first, second = list(task.train_batches(0, 0))[:2]
    carry = task.loss(model, first).carry
    assert [part.shape for part in carry] == [(1, 8, 16)] * 2
    assert not any(part.requires_grad for part in carry)
    assert task.loss(model, second, carry).sums != task.loss(model, second).sums


def test_lines_carry_nothing_and_count_only_real_tokens(tmp_path):
    task = GenerateTask(text_config(write_lines(tmp_path)), seed=0)
    tokens, targets = next(task.train_batches(0, 0))
    step = task.loss(task.build_model(), (tokens, targets))
    assert step.carry == ()
    assert step.count == int((targets >= 0).sum()) < targets.numel()


def test_validation_is_the_mean_over_every_token_but_the_first(tmp_path):
    config = text_config(write_text(tmp_path), "training.batch_size=1")
    task = GenerateTask(config, seed=0)
    model = task.build_model()
    ids = task.corpus.part("validation").ids.long()
    losses, _ = model.eval().losses(ids[:-1, None], ids[1:, None])
    got = task.validate(model)
    assert got["loss"] == pytest.approx(losses.mean().item(), rel=1e-5)
    assert got["perplexity"] == pytest.approx(math.exp(got["loss"]))
    assert set(got) == set(task.validation_metrics)


def test_validation_leaves_the_model_in_training(tmp_path):
    task = GenerateTask(text_config(write_text(tmp_path)), seed=0)
    model = task.build_model().train()
    task.validate(model)
    assert model.training


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("data.view=pixels", "data.view has no effect in the task 'generate'"),
        ("model.bidirectional=true", "model.bidirectional has no effect"),
        ("text.bptt=5000", r"too few for training\.batch_size"),
        ("training.monitor=accuracy", "must be one of perplexity, loss"),
        ("data.path=/nowhere/x.txt", r"there is no file /nowhere/x\.txt"),
        ("initialization.name=chrono model.cell=rnn", "has no effect with model.cell"),
        ("model.tied=true model.embedding_size=5", "got 5 and 16"),
        ("model.adaptive_softmax=5000", r"below the size of the vocabulary, 13; got 5,000"),
        ("optimizer.clip_value=1", "set one of optimizer.clip_norm and optimizer.clip_value"),
    ],
)
def test_settings_that_cannot_be_leave_no_run_folder(tmp_path, setting, says):
    config = text_config(write_text(tmp_path))
    with pytest.raises((ConfigError, DataError), match=says):
        train(config, setting.split(), run_dir=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


# ---- results


@pytest.mark.parametrize(
    ("kind", "metric"),
    [("word", "perplexity"), ("character", "bits_per_character"), ("line", "bits_per_character")],
)
def test_a_run_reports_test_metrics_and_beats_single_tokens(runs, kind, metric):
    result = runs(kind).result
    assert result["monitor"] == metric
    assert set(result["validation"]) == {"loss", metric}
    assert result["test"][metric] < result["baseline"]["unigram"][metric]
    assert any(name.startswith("kneser_ney") for name in result["baseline"])
    factor = math.exp if kind == "word" else lambda loss: loss / math.log(2)
    assert result["test"][metric] == pytest.approx(factor(result["test"]["loss"]))


@pytest.mark.parametrize("kind", ["word", "character", "line"])
def test_a_loaded_model_judges_as_the_run_did(runs, kind):
    run = runs(kind)
    model = run.load()
    assert isinstance(model, TrainedLanguageModel)
    report = model.evaluate("test")
    assert {k: v for k, v in report.items() if isinstance(v, float)} == run.result["test"]
    saved = json.loads((run.path / "evaluation.json").read_text())
    assert saved["tokens"] == report["tokens"] > 0
    assert sum(row["share"] for row in report["by_frequency"].values()) == pytest.approx(1)
    assert model.evaluate("validation")["loss"] == pytest.approx(
        run.result["validation"]["loss"], rel=0.05
    )


def test_what_is_held_out_is_judged_as_a_whole_too(runs):
    model = runs("character").load()
    report = model.evaluate("test")
    corpus = Corpus.read(model.config)
    ids = [*corpus.part("validation").ids.tolist(), *corpus.part("test").ids.tolist()]
    text = "".join(model.vocabulary.tokens[i] for i in ids)
    assert report["loss_held_out"] == pytest.approx(model.score(text)["loss"], rel=1e-6)


def test_labels_are_judged_one_by_one(runs):
    report = runs("line").load().evaluate("test")
    assert set(report["by_label"]) == {"Zero", "One"}
    assert "loss_held_out" not in report


# ---- writing and scoring


@pytest.mark.parametrize("kind", ["word", "character"])
def test_the_same_seed_writes_the_same_text(runs, kind):
    model = runs(kind).load()
    texts = ["".join(model.generate("cats", 40, seed=seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_words_are_set_apart_and_lines_broken(runs):
    model = runs("word").load()
    text = "cats" + "".join(model.generate("cats", 60, seed=3))
    assert (
        len([token for line in text.split("\n") for token in line.split()]) + text.count("\n") == 61
    )
    assert "  " not in text
    assert " \n" not in text
    assert "\n " not in text
    known = set(model.vocabulary.tokens)
    assert set(text.split()) <= known - {"<unk>", "<eos>"}


def test_greedy_characters_are_the_likeliest_one_by_one(runs):
    model = runs("character").load()
    text = "".join(model.generate("dogs ", 15, Sampling(temperature=0)))
    prompt = "dogs "
    for character in text:
        logits, _ = model.model.next_logits(model.vocabulary.encode(prompt)[:, None].long())
        logits[0, model.vocabulary.unknown] = -torch.inf
        assert model.vocabulary.tokens[int(logits[0].argmax())] == character
        prompt += character
    assert len(text) == 15


def test_a_label_writes_lines_of_its_kind(runs):
    model = runs("line").load()
    zeros = ["".join(model.generate("Zero", seed=i)) for i in range(20)]
    assert sum(line.endswith("00") for line in zeros) >= 15
    assert not any("<" in line for line in zeros)
    assert "".join(model.generate("One:77", sampling=Sampling(temperature=0))).isdigit()


def test_an_unknown_label_suggests_the_nearest(runs):
    with pytest.raises(ConfigError, match=r"got 'zero'\. Did you mean 'Zero'.*Labels: One, Zero"):
        list(runs("line").load().generate("zero"))


def test_unseen_tokens_are_read_as_unknown_and_named(runs):
    model = runs("word").load()
    assert model.unknown_in("cats meow loudly meow") == ["meow", "loudly"]
    shown = list(respond(model, Request(options={"prompt": "cats meow", "length": 3})))
    assert shown[0] == Notice("not in the model's vocabulary, read as <unk>: meow")
    notice, answer = respond(model, Request(options={"prompt": "cats meow"}, as_json=True))
    assert notice == shown[0]
    assert isinstance(answer, Json)
    assert answer.content["unknown"] == ["meow"]
    assert [sample["seed"] for sample in answer.content["samples"]] == [0]
    assert model.score("cats meow mice")["unknown"] == pytest.approx(1 / 2)


def test_an_empty_prompt_begins_a_line(runs):
    for kind in ("word", "character"):
        text = "".join(runs(kind).load().generate("", 30, Sampling(temperature=0)))
        assert text.split()[0] in ("cats", "dogs", "people")


def test_a_text_like_the_training_text_scores_better_than_noise(runs):
    model = runs("word").load()
    good, bad = model.score("cats eat fish\ndogs chase mice\n"), model.score("fish fish cats cats")
    assert good["loss"] < bad["loss"]
    assert good["tokens"] == 7
    with pytest.raises(DataError, match="at least two tokens"):
        model.score("cats")
    with pytest.raises(ConfigError, match="scores no running text"):
        runs("line").load().score("Zero 100")


def test_a_prompt_and_a_text_at_once_are_refused(runs, tmp_path):
    file = tmp_path / "x.txt"
    file.write_text("cats eat fish\n")
    model = runs("word").load()
    with pytest.raises(ConfigError, match="not both"):
        list(respond(model, Request(file, {"prompt": "a"})))
    with pytest.raises(ConfigError, match="--invert means nothing"):
        list(respond(model, Request(options={"invert": True})))
    (line,) = respond(model, Request(file))
    assert line.startswith("3 words, 0.00% of them unknown; perplexity ")


def test_weights_and_vocabulary_are_all_a_bundle_holds(runs, tmp_path):
    model = runs("word").load()
    bundle.save(model, tmp_path / "b")
    again = bundle.load(tmp_path / "b")
    assert again.vocabulary == model.vocabulary
    assert "".join(again.generate("dogs", 20)) == "".join(model.generate("dogs", 20))


# ---- the real sets


def test_penn_treebank_has_the_published_counts(shared_data):
    shared_data("penn-treebank")
    assert counts("penn-treebank", "word") == ([929_589, 73_760, 82_430], 10_000)


def test_shakespeares_training_part_is_the_customary_nine_tenths(shared_data):
    shared_data("tiny-shakespeare")
    (train, *held), size = counts("tiny-shakespeare", "character")
    assert (train, train + sum(held)) == (1_003_854, 1_115_394)
    assert size == 66


def counts(name, level):
    corpus = Corpus.read(Config(data=DataConfig(name=name), text=TextConfig(level=level)))
    parts = ("train", "validation", "test")
    return [len(corpus.part(part).ids) for part in parts], len(corpus.vocabulary)
