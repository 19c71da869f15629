"""Particles of Korean sentences follow the sound before them."""

import pytest

from carousel.coach.rules import RULES
from carousel.particles import with_particles


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("정확도이(가) 오릅니다", "정확도가 오릅니다"),
        ("손실이(가) 오릅니다", "손실이 오릅니다"),
        ("손실(으)로, 기록(으)로, 정확도(으)로", "손실로, 기록으로, 정확도로"),
        ("0.1을(를) 0.2을(를) 0.3을(를) 0.4을(를) 5을(를)", "0.1을 0.2를 0.3을 0.4를 5를"),
        ("6은(는) 7은(는) 8은(는) 9은(는) 10은(는)", "6은 7은 8은 9는 10은"),
        ("1(으)로 3(으)로 7(으)로 8(으)로 9(으)로 0(으)로", "1로 3으로 7로 8로 9로 0으로"),
        ("57%이(가) 1e-05과(와)", "57%가 1e-05와"),
        ("'유량'과(와) '압력'은(는)", "'유량'과 '압력'은"),
        ("3(이)라서 2(이)라서 12%(이)었습니다", "3이라서 2라서 12%였습니다"),
        ("'flow'이(가) 변합니다", "'flow'이(가) 변합니다"),
        ("the flow (l/min) is high", "the flow (l/min) is high"),
    ],
)
def test_a_particle_follows_the_sound_before_it(text, said):
    assert with_particles(text) == said


@pytest.mark.parametrize(("rate", "said"), [(0.3, "0.3은 adam"), (0.02, "0.02는 adam")])
def test_a_finding_says_a_number_with_its_particle(rate, said):
    found = RULES["learning-rate-range"].finding({"rate": rate, "optimizer": "adam"}, "ko")
    assert f"학습률 {said}" in found.title
