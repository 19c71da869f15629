"""Metrics against definitions worked by hand."""

import math

import pytest
import torch

from carousel.tasks.shared.metrics import report, show_classes

# Truth and guesses of six examples and three classes; nothing is ever taken for class 2.
LABELS = torch.tensor([0, 0, 0, 1, 1, 2])
GUESSES = [0, 0, 1, 1, 1, 0]


def chances(guesses, sure=0.8):
    table = torch.full((len(guesses), 3), (1 - sure) / 2)
    table[torch.arange(len(guesses)), torch.tensor(guesses)] = sure
    return table


def test_every_metric_equals_its_definition():
    found = report(LABELS, chances(GUESSES), "abc")
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["loss"] == pytest.approx(-(4 * math.log(0.8) + 2 * math.log(0.1)) / 6, rel=1e-6)
    assert found["confusion"] == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    a, b, c = (found["per_class"][name] for name in "abc")
    assert (a["precision"], a["recall"], a["support"]) == pytest.approx((2 / 3, 2 / 3, 3))
    assert (b["precision"], b["recall"], b["f1"]) == pytest.approx((2 / 3, 1, 0.8))
    assert (c["precision"], c["recall"], c["f1"], c["support"]) == (0, 0, 0, 1)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0.8 + 0) / 3)


def test_the_head_is_judged_alone_where_it_is_asked_for():
    assert report(LABELS, chances(GUESSES), "abc", head=2)["accuracy_first_2"] == 1.0
    assert report(LABELS, chances(GUESSES), "abc", head=3)["accuracy_first_3"] == pytest.approx(
        2 / 3
    )
    assert not [key for key in report(LABELS, chances(GUESSES), "abc") if "first" in key]


def test_a_class_without_examples_is_still_listed():
    found = report(torch.tensor([0, 1]), chances([0, 1]), "abc")
    assert found["per_class"]["c"]["support"] == 0
    assert len(found["confusion"]) == 3


def test_rounding_of_float32_probabilities_is_no_matter():
    skewed = chances(GUESSES) * (1 + 3e-6)
    assert report(LABELS, skewed, "abc")["loss"] == pytest.approx(
        report(LABELS, chances(GUESSES), "abc")["loss"], rel=1e-5
    )


@pytest.mark.parametrize("guesses", [[0, 1, 1, 0], [0, 1, 1, 2]])
def test_macro_f1_is_that_of_scikit_learn_where_a_class_has_no_example(guesses):
    from sklearn.metrics import f1_score

    truth = [0, 1, 1, 1]
    found = report(torch.tensor(truth), chances(guesses), "abc")
    wanted = f1_score(truth, guesses, average="macro", zero_division=0.0)
    over_all = f1_score(truth, guesses, average="macro", labels=[0, 1, 2], zero_division=0.0)
    assert found["macro_f1"] == pytest.approx(wanted)
    assert found["macro_f1_all_classes"] == pytest.approx(over_all)
    assert found["classes_without_examples"] == ["c"]
    table, note = show_classes(found, "sentences")
    assert [row[0] for row in table.rows] == ["a", "b", "c"]
    assert "no sentences of c in this part (1 of 3 classes)" in note
    assert f"{wanted:.4f}" in note
    assert f"{over_all:.4f}" in note


def test_nothing_is_said_where_every_class_has_an_example():
    found = report(LABELS, chances(GUESSES), "abc")
    assert not {"macro_f1_all_classes", "classes_without_examples"} & set(found)
    assert len(list(show_classes(found, "sentences"))) == 1
