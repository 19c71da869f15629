"""`report.html` and the model card: whole, without scripts, and true to the run's files."""

import json
import re
import shutil
from html.parser import HTMLParser

import pytest
import yaml
from bulk_runs import small_run

from carousel import scores
from carousel.html import tag, text
from carousel.report import write
from carousel.report.charts import curves
from carousel.report.verdicts import verdicts
from carousel.report.words import FOLDER, texts

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;\n| a ` b"
VOID = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; every element must be closed."""

    def __init__(self, content):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)

    def named(self, *names):
        return [attributes for name, attributes in self.elements if name in names]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def copy(runs, tmp_path):
    return lambda task: shutil.copytree(runs(task)[0], tmp_path / "copy")


TASKS = (
    "classify_text",
    "classify_recordings",
    "label_words",
    "label_frames",
    "regress",
    "forecast",
    "forecast_many",
)


@pytest.mark.parametrize("task", TASKS)
def test_training_writes_one_page_that_needs_nothing_else(runs, task):
    run, _ = runs(task)
    content = (run / "report.html").read_text()
    page = Page(content)
    assert not page.named("script", "link", "iframe", "object", "embed", "form")
    assert not any(key.startswith("on") for _, a in page.elements for key in a)
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.named("img"))
    assert not [a for _, a in page.elements if "href" in a or "srcset" in a]
    assert not re.findall(r"url\(|@import|https?://", content)
    assert len(page.named("img")) == len(list(run.glob("*.png")))
    assert len(page.named("polyline")) >= 3  # loss of two parts, and the learning rate


@pytest.mark.parametrize("task", TASKS)
def test_scores_of_network_and_baselines_stand_in_order(runs, task):
    run, _ = runs(task)
    result, page = (
        json.loads((run / "result.json").read_text()),
        Page((run / "report.html").read_text()),
    )
    metric = result["metric"]
    rows = {"this network": result["test"], **result["baseline"]}
    shown = [v[metric] for v in rows.values() if metric in v]
    order = sorted(shown, reverse=scores.HIGHER_IS_BETTER[metric])
    places = [page.text.index("Leaderboard")]
    for value in order:
        places.append(page.text.index(scores.show(metric, value), places[-1] + 1))
    assert scores.show(metric, result["test"][metric]) in page.text


def test_a_page_says_what_the_data_were_and_how_to_use_it(runs):
    run, _ = runs("classify_text")
    page = Page((run / "report.html").read_text())
    assert "to train on 280 to choose the epoch by 60 to judge by 60" in " ".join(page.text.split())
    for verb in ("predict", "evaluate", "coach", "train"):
        assert f"carousel {verb} {run}" in page.text
    findings = json.loads((run / "result.json").read_text())["coach"]
    assert len([a for a in page.named("div") if "finding severe" in a.get("class", "")]) == len(
        findings["severe"]
    )


def test_whatever_stands_in_data_and_settings_is_text(copy):
    run = copy("classify_text")
    evaluation = json.loads((run / "evaluation.json").read_text())
    evaluation["per_class"] = {
        HOSTILE: next(iter(evaluation["per_class"].values())),
        "b": dict.fromkeys(("precision", "recall", "f1", "support"), 1),
    }
    evaluation["mistakes"] = [
        {"sentence": HOSTILE, "class": HOSTILE, "guess": "b", "probability": 0.5}
    ]
    (run / "evaluation.json").write_text(json.dumps(evaluation))
    result = json.loads((run / "result.json").read_text())
    result["baseline"][HOSTILE] = {"accuracy": 0.5}
    result["data"]["columns"] = [HOSTILE]
    (run / "result.json").write_text(json.dumps(result))
    config = (run / "config.toml").read_text()
    config = config.replace('name = "unnamed"', f"name = {json.dumps(HOSTILE)}")
    (run / "config.toml").write_text(config)
    write(run)
    plain = Page((run / "report.html").read_text())
    assert not plain.named("script")
    assert len(plain.named("img")) == 1  # the confusion matrix
    assert plain.text.count("<script>alert('x')</script>") >= 6
    card = (run / "README.md").read_text()
    front, body = card.removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(front)["model-index"][0]["name"] == HOSTILE
    assert "<script>" not in body


def test_the_card_has_the_front_matter_of_model_hubs(runs):
    run, _ = runs("classify_text")
    result, text = json.loads((run / "result.json").read_text()), (run / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["pipeline_tag"] == "text-classification"
    assert {"carousel", "lstm", "classify_text"} <= set(front["tags"])
    assert front["license"]
    (index,) = front["model-index"]
    values = {m["type"]: m["value"] for m in index["results"][0]["metrics"]}
    assert values == {n: result["test"][n] for n in values}
    assert set(front["metrics"]) == set(values)
    assert "| tfidf logistic regression (baseline) |" in text
    assert "- train: 280 sentences" in text


def test_every_language_has_the_same_texts():
    languages = [path.stem for path in FOLDER.glob("*.toml")]
    assert {"en", "ko"} <= set(languages)
    english = texts("en")
    for language in languages:
        assert texts(language).keys() == english.keys()
        for key, said in texts(language).items():
            braces = set(re.findall(r"{\w+}", english[key]))
            assert set(re.findall(r"{\w+}", said)) == braces, key


def test_the_verb_writes_it_anew_in_another_language(copy, carousel):
    run = copy("forecast")
    code, out, err = carousel("report", run, "--lang", "ko")
    assert (code, err) == (0, "")
    assert out == f"in {run}: report.html, README.md\n"
    content = (run / "report.html").read_text()
    assert '<html lang="ko">' in content
    assert "순위표" in content
    assert "Leaderboard" not in content
    assert "직전 값" in content
    assert "last value" not in content
    assert "겹치지 않는 창" in content
    assert "separate windows" not in content
    (run / "report.html").unlink()
    code, out, _ = carousel("report", run, "--json")
    assert json.loads(out)["files"] == [str(run / "report.html"), str(run / "README.md")]


def test_a_folder_that_is_no_run_is_refused(carousel, tmp_path):
    code, out, err = carousel("report", tmp_path)
    assert (code, out) == (2, "")
    assert "is not a run folder" in err


def test_a_run_that_has_not_ended_has_a_page_too(copy, carousel):
    run = copy("classify_text")
    for name in ("result.json", "evaluation.json"):
        (run / name).unlink()
    code, _, err = carousel("report", run)
    assert (code, err) == (0, "")
    page = Page((run / "report.html").read_text())
    assert "This run has not ended" in page.text
    assert f"carousel train --resume {run}" in page.text
    assert "on the validation part, best epoch" in page.text


def test_results_on_new_data_stand_beside(copy, carousel, tmp_path):
    run = copy("classify_text")
    file = tmp_path / "new.tsv"
    file.write_text("good\ta great film\nbad\tan awful plot\n")
    assert carousel("evaluate", run, file)[0] == 0
    write(run)
    page = Page((run / "report.html").read_text())
    assert "On new data" in page.text
    assert str(file) in page.text


def test_a_verdict_is_sure_only_outside_of_the_interval():
    def ask(metric, ours, theirs, ends):
        result = {"metric": metric, "test": {metric: ours}, "baseline": {"b": {metric: theirs}}}
        (found,) = verdicts(result, {"interval": {metric: ends}} if ends else {})
        return found.better, found.sure

    assert ask("accuracy", 0.9, 0.8, [0.85, 0.95]) == (True, True)
    assert ask("accuracy", 0.9, 0.88, [0.85, 0.95]) == (True, False)
    assert ask("accuracy", 0.8, 0.9, [0.75, 0.85]) == (False, True)
    assert ask("mae", 1.0, 2.0, [0.9, 1.1]) == (True, True)
    assert ask("mae", 1.0, 1.05, [0.9, 1.1]) == (True, False)
    assert ask("mae", 1.0, 2.0, None) == (True, None)


def test_markup_escapes_text_and_attributes():
    assert (
        tag("p", "<b>", tag("i", 'a"b'), class_='x"y')
        == '<p class="x&quot;y">&lt;b&gt;<i>a&quot;b</i></p>'
    )
    assert text("a\0b\ud800") == "a\ufffdb?"


def test_curves_leave_out_what_is_no_number():
    drawn = curves("loss", "epoch", {"train": [(1, 2.0), (2, float("nan")), (3, 1.0)], "none": []})
    (points,) = re.findall(r'points="([^"]+)"', drawn)
    assert len(points.split()) == 2
    assert curves("loss", "epoch", {"none": []}) is None
    assert "polyline" in curves("loss", "epoch", {"flat": [(1, 5.0)]})
