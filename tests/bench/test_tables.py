"""Tables, Markdown and pictures of made-up results."""

from dataclasses import replace

import pytest
from made_up import case, everything, results, row
from PIL import Image

from carousel.bench.plots import write_plots
from carousel.bench.results import OURS, PLAIN_CELL, TORCH
from carousel.bench.tables import END, START, notes, tables, to_markdown, write_markdown
from carousel.errors import DataError


def test_every_suite_has_a_table_and_every_row_a_line():
    found = everything()
    titles = {line[0] for table in tables(found) for line in table.rows}
    assert {row.case.title for row in found.rows} <= titles
    for table in tables(found):
        assert {len(line) for line in table.rows} == {len(table.columns)}


def test_ratio_is_shown_with_its_quartiles():
    samples = {OURS: (1.0, 1.0, 1.0), TORCH: (2.0, 3.0, 5.0), "slow": (9.0, None, None)}
    found = results(replace(row(case()), samples=samples))
    assert tables(found)[0].rows[0][-2:] == ("3.00 (2.50–4.00)", "9.00 (once)")
    assert tables(found, narrow=True)[0].rows[0][-2:] == ("3.00 ±25%", "9.00 (once)")


def test_narrow_tables_leave_out_what_was_not_measured():
    found = results(row(case(), peers={TORCH: 1.0}))
    assert any(line[-1] == "not measured" for line in tables(found)[-1].rows)
    assert all(line[-1] != "not measured" for line in tables(found, narrow=True)[-1].rows)


def test_notes_tell_of_noise_absence_failure_and_interrupts():
    noisy = replace(row(case()), others=1.5, skipped={"keras-jax": "it broke"})
    text = "\n".join(
        notes(
            replace(
                results(noisy),
                missing={"onnxruntime": "not installed"},
                failures={"wide GRU training": "off"},
                complete=False,
            )
        )
    )
    for part in (
        "1.5 CPUs",
        "it broke",
        "onnxruntime did not",
        "wide GRU",
        "interrupted",
        "Abacus",
    ):
        assert part in text
    assert "Other processes" not in "\n".join(notes(results(row(case()))))


def test_markdown_goes_between_the_markers_and_keeps_the_rest(tmp_path):
    path = tmp_path / "docs" / "performance.md"
    write_markdown(everything(), path)
    path.write_text(f"# Mine\n\n{path.read_text()}\nWhy: because.\n")
    write_markdown(results(row(case("wide"), peers={TORCH: 1.0})), path)
    text = path.read_text()
    assert text.startswith(f"# Mine\n\n{START}\n")
    assert text.endswith(f"{END}\n\nWhy: because.\n")
    assert "wide LSTM training" in text
    assert "rows LSTM training" not in text
    assert text.count(START) == text.count(END) == 1


def test_small_rows_are_summed_up_with_what_is_slower():
    fast, slow = (
        row(case(name, suite="small"), 1.0, {TORCH: seconds}, None)
        for name, seconds in (("T=1", 8.0), ("T=5", 0.5))
    )
    line = next(line for line in notes(results(fast, slow)) if "2 small rows, training" in line)
    assert "2.00 × torch.nn; slower than it in 1, T=5 LSTM training the least with 0.50" in line


def test_results_of_small_alone_have_markers_of_their_own(tmp_path):
    path = tmp_path / "small.md"
    write_markdown(results(row(case(suite="small"), peers={TORCH: 1.0})), path)
    assert path.read_text().startswith("<!-- carousel bench --suite small: start -->\n")


def test_results_of_options_alone_have_markers_of_their_own(tmp_path):
    path = tmp_path / "performance.md"
    option = replace(case(option="peephole"), suite="options")
    write_markdown(results(row(option, peers={PLAIN_CELL: 0.009})), path)
    text = path.read_text()
    assert "rows LSTM peephole" in text
    assert START not in text
    with pytest.raises(DataError, match="has no lines"):
        write_markdown(results(row(case(), peers={TORCH: 1.0})), path)
    path.write_text(f"{text}\n{START}\n{END}\n")
    write_markdown(results(row(case("wide"), peers={TORCH: 1.0})), path)
    both = path.read_text()
    assert "rows LSTM peephole" in both
    assert "wide LSTM training" in both


def test_file_without_markers_is_not_overwritten(tmp_path):
    path = tmp_path / "notes.md"
    path.write_text("a year of work")
    with pytest.raises(DataError, match="has no lines"):
        write_markdown(everything(), path)
    assert path.read_text() == "a year of work"


def test_markdown_tables_have_as_many_cells_in_each_line():
    for block in to_markdown(everything()).split("\n\n"):
        bars = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(bars) <= 1


def test_pictures_are_written_for_what_was_measured(tmp_path):
    written = write_plots(everything(), tmp_path / "new")
    assert [path.name for path in written] == ["bench-ratios.png", "bench-scaling.png"]
    for path in written:
        with Image.open(path) as picture:
            assert len(picture.convert("L").getcolors()) > 10
    assert write_plots(results(), tmp_path) == []
