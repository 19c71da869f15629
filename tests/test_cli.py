"""The command line: what every verb prints, and one readable line for every bad input."""

import gzip
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small import SETTINGS

from carousel import active_isa, recipes
from carousel.data import mnist
from carousel.training.new_run import new_run

VERBS = [
    "recipes", "train", "evaluate", "predict", "compare", "board", "export-tensorboard", "bench",
    "doctor",
]  # fmt: skip
SMALL = [part for setting in SETTINGS for part in ("--set", setting)]
COMMAND = [sys.executable, "-c", "from carousel.cli import main; main()"]


def refused(result, says):
    """Exit code 2, nothing on standard output, one readable line that matches `says`."""
    code, out, err = result
    assert (code, out) == (2, "")
    assert re.fullmatch(r"carousel: [^\n]+\n", err), err
    assert re.search(says, err), err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["board", "nowhere"], "does not exist"),
        (["board", ".", "--host", "203.0.113.7"], "cannot listen"),
        (["board", ".", "--port", "x"], "port"),
        (["export-tensorboard", "nowhere"], "does not exist"),
        (["export-tensorboard", "."], "not a run folder"),
    ],
)
def test_the_board_and_its_export_refuse_what_they_cannot_show(carousel, arguments, says):
    refused(carousel(*arguments), says)


def test_a_missing_extra_is_named(carousel, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused(carousel("board", "."), r"pip install 'carousel-rnn\[board\]'")
    refused(carousel("export-tensorboard", "."), r"carousel-rnn\[tensorboard\]")


# ---- help


def test_help_lists_every_verb_and_is_what_no_arguments_give(carousel):
    code, out, err = carousel("--help")
    assert (code, err) == (0, "")
    for verb in VERBS:
        assert re.search(rf"^\s+{verb}\s", out, re.M), verb
    assert carousel() == (0, out, "")


def test_data_without_a_verb_gives_its_help(carousel):
    assert carousel("data") == carousel("data", "--help")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", ""], "there is no recipe ''"),
        (["train", "mine.csv"], "has no column that is plainly what is to be learnt"),
        (["check", "mine.csv"], r"is data, not a recipe\. carousel init .*mine\.csv writes one"),
        (["lr-range", "mine.csv"], "is data, not a recipe"),
        (["coach", "mine.csv"], "is a file"),
        (["train", "--resume", "mine.csv"], "is a file"),
        (["train", "own-forecast"], r"needs data: data\.path"),
        (["check", "own-forecast", "--set", "data.path="], r"needs data: data\.path"),
        (["train", "rul-cmapss", "--set", "data.name=series"], r"needs data\.path"),
        (["train", "forecast-etth1", "--set", "data.name=etth1", "--set", "data.path=mine.csv"],
         "asks for a published set.*name one"),
    ],
)  # fmt: skip
def test_what_is_no_recipe_and_no_run_is_called_what_it_is(carousel, arguments, says, tmp_path):
    (tmp_path / "mine.csv").write_text("day,x\n2020-01-01,1\n")
    refused(carousel(*arguments), says)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_shows_an_example(carousel, verb):
    code, out, _ = carousel(verb, "--help")
    assert code == 0
    assert re.search(rf"Example: carousel {verb}\b", out)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["recipes"]])
def test_help_and_the_list_of_recipes_do_not_import_torch(arguments):
    code = (
        "import sys\nfrom carousel import cli\n"
        f"sys.argv = ['carousel', *{arguments}]\n"
        "heavy = {'torch', 'numpy', 'sklearn', 'nicegui'}\n"
        "try: cli.main()\n"
        "finally: sys.stderr.write(' '.join(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# ---- recipes, doctor


def test_recipes_lists_name_mapping_data_expectation_and_time_of_each(carousel):
    code, out, _ = carousel("recipes")
    assert code == 0
    listed = json.loads(carousel("recipes", "--json")[1])
    assert [row["name"] for row in listed] == recipes.names()
    for row in listed:
        line = next(x for x in out.splitlines() if re.match(rf" {row['name']} .*to-", x))
        for column in ("mapping", "expected", "minutes"):
            assert str(row[column]) in line
        assert row["summary"] in out


@pytest.mark.parametrize("name", ["mnist-rows", "forecast-bike", "own-regress"])
def test_a_recipe_that_is_printed_is_a_file_that_means_the_same(carousel, tmp_path, name):
    code, out, _ = carousel("recipes", name)
    assert code == 0
    copy = tmp_path / f"{name}.toml"
    copy.write_text(out)
    assert recipes.load(str(copy)) == recipes.load(name)
    described = json.loads(carousel("recipes", name, "--json")[1])
    assert described == json.loads(json.dumps(recipes.load(name)[0].to_dict()))


def test_a_recipe_that_there_is_not_is_no_list(carousel):
    refused(carousel("recipes", "mnist-row"), "Did you mean .*mnist-rows")


def test_recipes_fit_a_terminal_of_80_columns(carousel, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = carousel("recipes")
    assert max(map(len, out.splitlines())) <= 80
    for name in recipes.names():
        assert recipes.load(name)[0].recipe.expected in out


def test_doctor_tells_versions_instruction_set_paths_and_places(carousel):
    code, out, _ = carousel("doctor")
    assert code == 0
    for part in ("torch", "instruction set", "threads", "LSTM float32", "70,000 images", "runs"):
        assert part in out


# ---- train


def test_train_talks_on_standard_error_and_prints_its_end_and_the_baselines(carousel, tmp_path):
    code, out, err = carousel("train", "mnist-rows", *SMALL, "--run-dir", "mine", "--threads", 1)
    assert code == 0
    result = json.loads((tmp_path / "mine" / "result.json").read_text())
    for part in (
        "1,500 images to train on, 300 to validate",
        f"recurrent layer on native: {active_isa()}",
        "epoch   1 ",
        result["stop_reason"],
    ):
        assert part in err
        assert part not in out
    for part in (
        "most frequent (baseline)",
        "logistic regression (baseline)",
        f"test accuracy {result['test']['accuracy']:.2%}",
        "next: carousel evaluate mine",
    ):
        assert part in out
    assert result["recipe"] == "mnist-rows"
    assert result["seed"] == 0


def test_result_json_has_what_others_rely_on(trained):
    result = json.loads((trained.path / "result.json").read_text())
    assert result == trained.result
    assert {"recipe", "seed", "epochs", "seconds", "best_epoch"} <= result.keys()
    assert set(result["validation"]) == {"loss", "accuracy"}
    assert set(result["test"]) == {"loss", "accuracy", "macro_f1"}
    assert set(result["baseline"]) == {"most_frequent", "logistic_regression"}
    assert 0.9 > result["baseline"]["logistic_regression"]["accuracy"] > 0.5
    assert result["baseline"]["most_frequent"]["accuracy"] == 0.1135  # 1135 of 10,000 are ones


def test_quiet_prints_the_run_folder_alone_and_the_seed_counts(carousel, trained, tmp_path):
    arguments = [*SMALL, "--set", "training.epochs=1", "--threads", 1, "--quiet"]
    code, out, err = carousel("train", trained.path / "config.toml", *arguments)
    assert (code, err) == (0, "")
    folder = tmp_path / out.strip()
    assert folder.is_dir()
    assert folder.parent == tmp_path / "runs"
    assert json.loads((folder / "result.json").read_text())["seed"] == 3  # the file's own
    code, out, _ = carousel("train", trained.path / "config.toml", *arguments, "--seed", 4)
    assert json.loads((tmp_path / out.strip() / "result.json").read_text())["seed"] == 4


def test_the_first_images_alone_are_reported_where_the_recipe_asks_for_them(carousel):
    head = ["--set", "data.test_head=128", "--set", "training.epochs=1"]
    code, out, _ = carousel("train", "mnist-rows", *SMALL, *head, "--threads", 1)
    assert code == 0
    assert re.search(r"accuracy on the first 128 \d+\.\d\d%", out)


BAD_ARGUMENTS = {
    "unknown recipe": (["train", "mnist-row"], "no recipe 'mnist-row'. Did you mean 'mnist-rows'?"),
    "no recipe": (["train"], "name a recipe or a .toml file"),
    "missing file": (["train", "mine.toml"], "mine.toml cannot be read: No such file"),
    "unknown key": (
        ["train", "mnist-rows", "--set", "model.hiden_size=3"],
        "unknown key 'model.hiden_size'.* Did you mean 'model.hidden_size'.* Valid: model.cell,",
    ),
    "ill-typed value": (
        ["train", "mnist-rows", "--set", "model.hidden_size=big"],
        "model.hidden_size must be a whole number, got 'big'",
    ),
    "value out of range": (
        ["train", "mnist-rows", "--set", "regularization.dropout=2"],
        "regularization.dropout must be at least 0.* at most 0.95, got 2",
    ),
    "no value": (
        ["train", "mnist-rows", "--set", "model.cell"],
        "a setting must be section.key=value",
    ),
    "no data left": (
        ["train", "mnist-rows", "--set", "data.validation=60000", "--run-dir", "run"],
        "data.validation = 60000 leaves nothing",
    ),
    "threads": (["train", "mnist-rows", "--threads", "0"], "threads must be at least 1, got 0"),
    "seed": (["train", "mnist-rows", "--seed", "-1"], "seed must lie between 0 and"),
    "device": (["train", "mnist-rows", "--device", "tpu"], "must be cpu, cuda or .*, got 'tpu'"),
    "not a number": (["train", "mnist-rows", "--seed", "x"], "Invalid value for '--seed'"),
    "resume with more": (["train", "x", "--resume", "y"], "--resume continues a run as it was"),
    "resume nowhere": (["train", "--resume", "y"], "y is not a run folder: it does not exist"),
    "resume of no run": (["train", "--resume", "."], r"not a run folder: it has no config\.toml"),
    "unknown verb": (["trian"], "No such command 'trian'. Did you mean 'train'"),
    "unknown option": (["train", "mnist-rows", "--sed", "3"], "No such option: --sed"),
    "evaluate nowhere": (["evaluate", "nowhere"], "nowhere is neither a run folder nor a bundle"),
    "evaluate nothing": (["evaluate"], "Missing argument 'RUN'"),
    "predict nowhere": (["predict", "nowhere", "x.png"], "neither a run folder nor a bundle"),
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_bad_arguments_are_refused_in_one_line(carousel, name):
    arguments, says = BAD_ARGUMENTS[name]
    refused(carousel(*arguments, *(["--quiet"] if "train" in arguments else [])), says)


def test_bad_arguments_leave_no_run_behind(carousel, tmp_path):
    for arguments in (["--threads", "0"], ["--seed", "-1"], ["--set", "x=1"], ["--device", "x"]):
        refused(carousel("train", "mnist-rows", *arguments), "")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_for_something_else_is_left_alone(carousel, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    refused(carousel("train", "mnist-rows", "--run-dir", "mine"), "mine is not empty")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_corrupted_embedded_data_is_refused_by_its_checksum(carousel, tmp_path, monkeypatch):
    shutil.copytree(mnist.FOLDER, tmp_path / "mnist")
    monkeypatch.setattr(mnist, "FOLDER", tmp_path / "mnist")
    file = tmp_path / "mnist" / "train-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(file.read_bytes()))
    content[-1] ^= 1
    file.write_bytes(gzip.compress(bytes(content)))
    refused(carousel("train", "mnist-rows", "--quiet"), r"train-labels.*is damaged.*SHA-256")


def test_a_finished_run_is_not_resumed(carousel, run):
    before = (run / "result.json").read_bytes()
    refused(carousel("train", "--resume", run), "is finished; train its recipe again")
    assert (run / "result.json").read_bytes() == before


@pytest.mark.parametrize("verb", [["train", "--resume"], ["evaluate"]])
def test_a_run_of_a_newer_version_is_refused(carousel, run, verb):
    for file, old, new in (
        ("config.toml", "format = 1", "format = 2"),
        ("model/model.json", '"format": 1', '"format": 2'),
    ):
        text = (run / file).read_text()
        assert old in text
        (run / file).write_text(text.replace(old, new))
    refused(carousel(*verb, run), "was written by a newer Carousel")


def test_a_damaged_event_store_is_refused(carousel, run):
    (run / "result.json").unlink()
    (run / "events.sqlite").write_bytes(b"not a database " * 100)
    refused(carousel("train", "--resume", run), r"events\.sqlite cannot be used \(file is not a")


def unfinished(folder):
    """A run that has been set up and has not started."""
    config, _ = recipes.load("mnist-rows")
    # The coach's record would be as long as the files that the test of a full disk allows.
    config = config.override([*SETTINGS, "model.hidden_size=64", "coach.enabled=false"])
    return new_run(folder, config, seed=0, threads=1, device="cpu")


@pytest.mark.slow
def test_a_second_process_on_a_run_is_refused(tmp_path):
    run = unfinished(tmp_path / "run")
    with run.locked():
        done = subprocess.run(
            [*COMMAND, "train", "--resume", str(run.path)], capture_output=True, text=True
        )
    refused((done.returncode, done.stdout, done.stderr), "another process is working on the run")
    assert not run.checkpoints.exists()


@pytest.mark.slow
def test_a_full_disk_while_writing_a_checkpoint_keeps_the_one_before(tmp_path):
    """The limit lies between the first checkpoint and the second, which has Adam's moments."""
    run = unfinished(tmp_path / "run")
    done = subprocess.run(
        [*COMMAND, "train", "--resume", str(run.path), "--quiet"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )
    says = (
        r"checkpoint of step \d+ could not be .*File too large.*step-000000000 is intact.*--resume"
    )
    refused((done.returncode, done.stdout, done.stderr), says)
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-000000000"]
    done = subprocess.run(
        [*COMMAND, "train", "--resume", str(run.path), "--quiet"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{run.path}\n", "")


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_and_says_how_to_continue(tmp_path):
    long = [*SMALL, "--set", "training.epochs=400", "--set", "training.patience=0"]
    process = subprocess.Popen(
        [*COMMAND, "train", "mnist-rows", *long, "--threads", "1", "--run-dir", "mine"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert any(line.startswith("epoch   2") for line in process.stderr)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.endswith("\nInterrupted. Continue with: carousel train --resume mine\n")
    assert list((tmp_path / "mine" / "checkpoints").iterdir())
    assert not (tmp_path / "mine" / "result.json").exists()


def test_a_divergence_exits_with_1_and_one_line(carousel):
    high = ["--set", "optimizer.name=sgd", "--set", "optimizer.learning_rate=1e38"]
    flat = ["--set", "schedule.name=constant", "--set", "optimizer.clip_norm=0"]
    code, _, err = carousel("train", "mnist-rows", *SMALL, *high, *flat, "--threads", 1)
    assert code == 1
    assert re.search(r"\ncarousel: training stopped at step [^\n]+\n\Z", err)


# ---- evaluate


def test_evaluate_prints_every_class_the_mistakes_and_the_accuracy(carousel, run):
    code, out, err = carousel("evaluate", run)
    assert (code, err) == (0, "")
    report = json.loads((run / "evaluation.json").read_text())
    for name, row in report["per_class"].items():
        scores = rf"{row['precision']:.4f}\s+{row['recall']:.4f}\s+{row['f1']:.4f}"
        assert re.search(rf"^ {name}\s+{scores}\s+{row['support']:,}\s*$", out, re.M)
    confusion = np.array(report["confusion"])
    np.fill_diagonal(confusion, 0)
    i, j = np.unravel_index(confusion.argmax(), confusion.shape)
    assert f"most frequent mistakes: {i} taken for {j} ({confusion[i, j]}x)" in out
    assert f"test accuracy {report['accuracy']:.2%}" in out


def test_evaluate_as_json_is_the_report(carousel, run):
    code, out, _ = carousel("evaluate", run, "--json")
    assert code == 0
    written = json.loads((run / "evaluation.json").read_text())
    assert json.loads(out) == written
    assert sum(map(sum, written["confusion"])) == 10_000


def test_evaluate_of_the_validation_part_says_so(carousel, run):
    code, out, _ = carousel("evaluate", run, "--part", "validation")
    assert code == 0
    assert "validation accuracy" in out
    assert "confusion-validation.png" in out
    refused(carousel("evaluate", run, "--part", "train"), "'test' or 'validation', got 'train'")


# ---- predict


@pytest.fixture(scope="module")
def digits():
    return mnist.load_test().images[:4].numpy()


def test_predict_of_a_picture_lists_every_class_by_probability(carousel, trained, digits, tmp_path):
    Image.fromarray(digits[0]).save(tmp_path / "digit.png")
    code, out, err = carousel("predict", trained.path, "digit.png")
    assert (code, err) == (0, "")
    rows = re.findall(r"^ (\d)\s+(0\.\d{4}|1\.0000)", out, re.M)
    chances = trained.load().predict_proba(digits[0])[0]
    assert {name: float(chance) for name, chance in rows} == pytest.approx(
        {str(i): chance for i, chance in enumerate(chances)}, abs=5.1e-5
    )
    assert rows[0][0] == str(chances.argmax())


@pytest.mark.parametrize("name", ["digits.npz", "digits-idx3-ubyte.gz"])
def test_predict_of_many_images_gives_a_line_each(carousel, trained, digits, tmp_path, name):
    if name.endswith("npz"):
        np.savez(tmp_path / name, digits)
    else:
        header = bytes([0, 0, 8, 3]) + np.array(digits.shape, ">u4").tobytes()
        (tmp_path / name).write_bytes(gzip.compress(header + digits.tobytes()))
    code, out, _ = carousel("predict", trained.path, name)
    assert code == 0
    expected = [answer.label for answer in trained.load().predict(digits)]
    assert re.findall(r"^ \d+\s+(\d)\s", out, re.M) == expected
    answer = json.loads(carousel("predict", trained.path, name, "--json")[1])
    assert [row["class"] for row in answer] == expected
    assert all(sum(row["probabilities"].values()) == pytest.approx(1) for row in answer)


def test_predict_of_dark_digits_hints_at_invert_which_turns_them_round(
    carousel, trained, digits, tmp_path
):
    Image.fromarray(255 - digits[0]).save(tmp_path / "dark.png")
    Image.fromarray(digits[0]).save(tmp_path / "light.png")
    code, _, err = carousel("predict", trained.path, "dark.png")
    assert code == 0
    assert "try --invert" in err
    turned = carousel("predict", trained.path, "dark.png", "--invert")
    assert turned == carousel("predict", trained.path, "light.png")


def test_predict_refuses_bad_inputs_in_one_line(carousel, trained, digits, tmp_path):
    Image.fromarray(digits[0][:20]).save(tmp_path / "small.png")
    np.savez(tmp_path / "nan.npz", np.where(digits > 0, np.nan, 0.0))
    np.savez(tmp_path / "colour.npz", np.zeros((4, 28, 28, 3)))
    (tmp_path / "text.txt").write_text("hello")
    for name, says in {
        "small.png": "images of 28 x 28 pixels, this one is 28 x 20",
        "nan.npz": "NaN or infinity",
        "colour.npz": "got an array of shape 4x28x28x3",
        "text.txt": "is not an IDX file",
        "nowhere.png": "there is no file nowhere.png",
    }.items():
        refused(carousel("predict", trained.path, name), says)


# ---- the process


@pytest.mark.slow
@pytest.mark.parametrize(
    ("set_by_user", "found"),
    [
        ({}, "GOMP_SPINCOUNT = '1000'"),
        ({"GOMP_SPINCOUNT": "77"}, "GOMP_SPINCOUNT = '77'"),
        ({"OMP_WAIT_POLICY": "active"}, "OMP_WAIT_POLICY = 'ACTIVE'"),
    ],
)
def test_threads_wait_briefly_for_each_other_unless_told_otherwise(set_by_user, found):
    """As libgomp, once loaded, says itself."""
    plain = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [*COMMAND, "doctor"],
        capture_output=True,
        text=True,
        env=plain | set_by_user | {"OMP_DISPLAY_ENV": "verbose"},
    )
    assert done.returncode == 0
    assert found in done.stderr
    assert ("GOMP_SPINCOUNT = '1000'" in done.stderr) == (not set_by_user)


def test_a_reader_that_closes_early_is_no_error(trained):
    done = subprocess.run(
        ["bash", "-c", '"$0" "$@" | head -1', *COMMAND, "recipes"], capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
