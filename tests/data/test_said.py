"""What `carousel init` says of data in Korean: everything that a guess can say has a pattern."""

import ast
import re
import tomllib
from pathlib import Path

import polars as pl
import pytest

from carousel.data import said
from carousel.data.said import FOLDER, knows, said_comments
from carousel.recipes.suited import READS

SOURCE = Path(said.__file__).parent
#: Pieces that are put together with others, and are seen in the whole sentences.
PIECES = (", of each class by itself", ", one for a sequence", "task = ", "#", "the {} part is",
          "; the {} part", ", and counts down", ", a step of", ", each a sequence", ": ",
          " (more than", "a column each", "numbers each, learnt",
          "every number", "; {} missing")  # fmt: skip


def sentences(name):
    """Templates of sentences in the functions of a module, their parts as {}; not of errors."""
    tree = ast.parse((SOURCE / f"{name}.py").read_text())
    left_out = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            left_out.update(map(id, ast.walk(node)))
        if isinstance(node, ast.JoinedStr):
            left_out.update(id(part) for part in node.values)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(id(node.value))
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def is_sentence(template):
    return " " in template.strip() and re.search("[a-z]{3}", template) is not None


@pytest.mark.parametrize("name", ["guesses", "guessing", "guessing_rows", "sizes"])
def test_everything_that_a_guess_can_say_is_said_in_korean(name):
    found = [one for one in sentences(name) if is_sentence(one)]
    assert len(found) > 5
    missing = []
    for template in found:
        if template.startswith(PIECES) or template.endswith((" its ", "columns ")):
            continue
        whole = re.sub(r"(?<=[a-z])\{\}$", "", template).replace("{}", "7")
        if not knows(whole, "ko"):
            missing.append(template)
    assert missing == []


def test_a_part_does_not_swallow_the_sentence_behind_it():
    sentence = "time stamps such as 01.02.2023; dates like 01.02.2023 are read as day, month, year"
    first, second = sentence.split("; ")
    assert said.said(sentence, "ko") == f"{said.said(first, 'ko')}; {said.said(second, 'ko')}"
    assert "read as" not in said.said(sentence, "ko")


def test_what_files_are_read_as_is_said_in_korean():
    assert [one for one in READS.values() if not knows(one, "ko")] == []


def test_parts_of_a_sentence_stay_and_both_sides_have_them():
    texts = tomllib.loads((FOLDER / "ko.toml").read_text(encoding="utf-8"))
    for pattern, text in texts["sentences"].items():
        parts = re.findall(r"{(\w+)}", pattern)
        assert set(re.findall(r"{(\w+)}", text)) == set(parts), pattern


def test_only_comments_of_a_recipe_are_said_anew():
    recipe = '[model]  # the network\nname = "a # the network"\nsize = 4  # a third of the epochs\n'
    found = said_comments(recipe, "ko")
    assert tomllib.loads(found) == tomllib.loads(recipe)
    assert "# 네트워크" in found
    assert said_comments(recipe, "en") == recipe


def test_a_head_with_two_reasons_keeps_its_file_in_front():
    why = "48 series in time by 'hr', and the number 'rides' to come"
    also = "the task 'regress' would find it from the columns beside it"
    found = said_comments(f"# rides.csv: {why}; {also}.\n# Split: in time.\n", "ko").split("\n")
    assert found[0] == f"# rides.csv: {said.said(why, 'ko')}; {said.said(also, 'ko')}."
    assert not re.search("series|task|Split", "".join(found))


def test_init_is_korean_throughout(carousel, tmp_path):
    n = 240
    frame = pl.DataFrame(
        {
            "pump": [f"p{i // 4}" for i in range(n)],
            "at": [f"2026-01-01 {i % 4:02}:00" for i in range(n)],
            "flow": [float(i * 7 % 13) for i in range(n)],
            "mode": ["slow" if i % 3 else "fast" for i in range(n)],
            "state": ["worn" if i // 4 % 2 else "good" for i in range(n)],
        }
    )
    frame.write_csv(tmp_path / "t.csv", separator=";")
    code, out, _ = carousel("init", "t.csv", "--target", "state", "--lang", "ko")
    assert code == 0
    names = {
        *(*frame.columns, "csv", "toml", "json", "result", "id", "time", "target", "category"),
        *("number", "columns", "classify_recordings", "carousel", "check", "train", "ignore"),
        *("worn", "good"),
    }
    english = {word for word in re.findall(r"[A-Za-z_]{2,}", out) if word not in names}
    assert english == set()
    comments = re.findall(r"# (.+)", (tmp_path / "t.toml").read_text())
    assert all(re.search("[가-힣]", one) for one in comments)


def test_metrics_baselines_and_examples_that_pages_show_are_said_in_korean():
    shown = ("accuracy", "loss", "perplexity", "most frequent", "logistic regression")
    examples = ("validation image 3", "validation sentence 3", "validation recording 3 (7 steps)")
    for one in (*shown, *examples):
        assert not re.search("[A-Za-z]", said.said(one, "ko"))
    assert said.said("macro F1", "ko") == "macro F1"
