"""The site is put together from the repository, and what is wrong with it is found."""

import doctest
import re

import pytest

GOOD = '<html><body><h1 id="top">a</h1><a href="b.html#here">b</a></body></html>'


SCRIPTS = ["assemble", "docstrings", "performance", "speed_picture", "tutorials"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_examples_of_the_scripts_hold(name, script):
    outcome = doctest.testmod(script(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def made(folder, **pages):
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


def test_a_sound_site_has_no_problems(script, tmp_path):
    made(tmp_path, a=GOOD, b='<p id="here">see <a href="https://example.org">there</a></p>')
    assert script("check").problems(tmp_path) == []


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ('<a href="nowhere.html">x</a>', "b.html: no file for nowhere.html"),
        ('<a href="a.html#bottom">x</a>', "b.html: no element for a.html#bottom"),
        ('<img src="x.png">', "b.html: no file for x.png"),
        ('<script src="https://cdn.example.org/x.js"></script>', "b.html loads https://cdn"),
        ('<link rel="stylesheet" href="//fonts.example.org/x.css">', "b.html loads //fonts"),
    ],
)
def test_a_broken_link_and_what_is_fetched_from_elsewhere_are_found(
    script, tmp_path, page, problem
):
    made(tmp_path, a=GOOD, b=f'<p id="here"></p>{page}')
    (found,) = script("check").problems(tmp_path)
    assert found.startswith(problem)


def test_a_style_that_fetches_a_font_is_found(script, tmp_path):
    (tmp_path / "x.css").write_text("@font-face { src: url('https://example.org/f.woff2') }")
    (tmp_path / "y.css").write_text("p { background: url(data:image/png;base64,AA==) }")
    assert script("check").problems(tmp_path) == ["x.css loads https://example.org/f.woff2"]


def test_every_relative_link_of_the_assembled_pages_leads_to_a_page_or_a_file(assembly, tmp_path):
    assembly.write(tmp_path)
    links = 0
    for page in tmp_path.rglob("*.md"):
        if "source" in page.parts:
            continue
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)\s#]+)", text):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"
                links += 1
    assert links > 200


def test_a_link_out_of_the_documentation_leads_to_a_page_with_the_file(assembly):
    text = assembly.pages["source/tests/compatibility/test_onnx-py.md"]
    assert "exclude: true" in text
    assert "def test_" in text


def test_code_is_left_as_it_is(script):
    text = "[a](b.md)\n```\n[a](b.md)\n```\n[c](d.md#e)\n"
    changed = script("assemble").with_links(text, lambda target, anchor: "x" + anchor)
    assert changed == "[a](x)\n```\n[a](b.md)\n```\n[c](x#e)\n"
