"""One word for one concept in all that is said in Korean, by pages and by the program."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The word to use, by one that says the same.
WORDS = {
    "에포크": "에폭",
    "훈련": "학습",
    "타깃": "목표",
    "벌점": "페널티",
    "채움 자리": "패딩",
    "퍼플렉서티": "퍼플렉시티",
    "헛경보": "오경보",
    "화소": "픽셀",
    "최적화기": "옵티마이저",
    "파라미터": "매개변수",
    "인자": "인수",
    "베이스라인": "기준 모델",
    "테스트 데이터": "시험 데이터",
    "테스트 부분": "시험 부분",
    "은닉상태": "은닉 상태",
    "신뢰구간": "신뢰 구간",
}
TEXTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *(ROOT / "docs").rglob("*.ko.md"),
        *(ROOT / "src").rglob("*texts/ko.toml"),
        ROOT / "README.ko.md",
    )
)


def test_the_texts_of_coach_audit_init_report_and_board_are_looked_at():
    assert sum(name.endswith("ko.toml") for name in TEXTS) >= 5


@pytest.mark.parametrize("name", TEXTS)
def test_a_concept_has_one_word(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    found = {word: use for word, use in WORDS.items() if word in text}
    assert found == {}, f"{name}: write the second of each pair"
