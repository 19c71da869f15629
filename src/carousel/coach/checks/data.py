"""Do outputs fit the loss, are the parts apart, and are the batches mixed."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import torch
from torch import nn

from carousel.coach.checks.setup import Found, NotApplicableError, Setup
from carousel.data.leaks import in_words

# Shares of a part that stand in training too. Short sentences come twice in any language; whole
# recordings do not.
_SENTENCES = (0.05, 0.5)  # a warning, severe
_RECORDINGS = (0.0, 0.01)


@torch.no_grad()
def loss_output_mismatch(setup: Setup) -> Found | None:
    """Whether outputs are probabilities where the loss wants logits, or cannot reach targets."""
    said = setup.spoken
    if said is None or said.dim() < 2:
        raise NotApplicableError(
            "the model returns its loss, not its outputs", "모델이 출력이 아니라 손실을 돌려줍니다"
        )
    said = said.double()
    if not torch.isfinite(said).all():
        return {
            "what": {
                "en": "the outputs are not finite",
                "ko": "출력에 유한하지 않은 값이 있습니다",
            }
        }
    if setup.classes:
        return _as_logits(said)
    targets = setup.task.wanted(setup.few(8)).double()
    loud = _louder(setup)
    low, high = float(loud.min()), float(loud.max())
    bounded = low >= 0 and high <= 1
    outside = bool((targets < 0).any() or (targets > 1).any())
    if bounded and outside and said.numel() >= 8:
        return {
            "what": {
                "en": "the outputs lie between 0 and 1, the targets do not",
                "ko": "출력은 0과 1 사이에 있지만 타깃은 그렇지 않습니다",
            }
        }
    if low >= 0 and bool((targets < 0).any()) and said.numel() >= 8:
        return {
            "what": {
                "en": "the outputs are never negative, some targets are",
                "ko": "출력은 음수가 될 수 없는데 타깃에는 음수가 있습니다",
            }
        }
    return None


def _as_logits(said: torch.Tensor) -> Found | None:
    if (said >= 0).all() and torch.allclose(said.sum(-1), torch.ones_like(said[..., 0]), atol=1e-4):
        return {
            "what": {
                "en": "the outputs are probabilities, and the loss takes a softmax of them again",
                "ko": "출력이 이미 확률인데 손실이 소프트맥스를 한 번 더 적용합니다",
            }
        }
    if (said >= 0).all() and (said == 0).any() and said.numel() >= 20:
        return {
            "what": {
                "en": "the outputs are cut off at zero, and logits must be free to be negative",
                "ko": "출력이 0에서 잘려 있습니다. 로짓은 음수가 될 수 있어야 합니다",
            }
        }
    return None


def _louder(setup: Setup) -> torch.Tensor:
    """The outputs with the last linear layer turned up, and turned round, so that bounds show."""
    said = []
    for factor in (100.0, -100.0):
        model = setup.copy()
        linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
        for parameter in linear[-1].parameters() if linear else ():
            parameter.mul_(factor)
        spoken = Setup(setup.task, model).spoken
        assert spoken is not None
        said.append(spoken.double())
    return torch.cat(said)


def split_leak(setup: Setup) -> Found | None:
    """Doubles and overlaps between the parts, from the account of the data."""
    account = setup.account
    found = _doubles(account) or _shared_names(account) or _overlaps(account)
    if found or account:
        return found
    raise NotApplicableError(
        "the task gives no account of its parts", "과제가 데이터 분할 내역을 알려 주지 않습니다"
    )


def _doubles(account: dict[str, Any]) -> Found | None:
    sizes = account.get("sizes") or {n: len(r) for n, r in account.get("recordings", {}).items()}
    doubled = account.get("also_in_training", {})
    shares = {p: n / sizes[p] for p, n in doubled.items() if n and sizes.get(p)}
    if not shares:
        return None
    part = max(shares, key=shares.__getitem__)
    n, share = doubled[part], shares[part]
    warning, severe = _RECORDINGS if "recordings" in account else _SENTENCES
    return {
        "what": {
            "en": f"{n:,} of the {part} part ({share:.1%}) stand in the training part too",
            "ko": f"{part} 부분의 {n:,}개({share:.1%})가 학습 부분에도 있습니다",
        },
        "share": share,
        "severity": "severe" if share > severe else "warning" if share > warning else "info",
    }


def _shared_names(account: dict[str, Any]) -> Found | None:
    for (one, first), (other, second) in combinations(account.get("recordings", {}).items(), 2):
        if both := set(first) & set(second):
            name = sorted(both)[0]
            return {
                "what": {
                    "en": f"'{name}' is in the {one} part and in the {other} part",
                    "ko": f"'{name}'이(가) {one} 부분과 {other} 부분에 모두 있습니다",
                }
            }
    return None


def _overlaps(account: dict[str, Any]) -> Found | None:
    """Parts of a series that are not one after the other."""
    targets = account.get("targets", {})
    spans = [
        (part, row["first"], row["last"])
        for part, row in targets.items()
        if isinstance(row, dict) and "first" in row
    ]
    for (one, _, last), (other, first, _) in pairwise(spans):
        if first <= last:
            return {
                "what": {
                    "en": f"the {other} part begins at {first}, and the {one} part ends at {last}",
                    "ko": f"{other} 부분이 {one} 부분이 끝나기({last}) 전인 {first}에 시작합니다",
                }
            }
    return None


def target_leak(setup: Setup) -> Found | None:
    """Inputs that alone tell what is to be found, from the account of the data."""
    if "leaks" not in setup.account:
        raise NotApplicableError(
            "the task does not look for columns that tell the answer",
            "이 과제는 답을 알려 주는 열을 찾지 않습니다",
        )
    found = setup.account["leaks"]
    if not found:
        return None
    sure = any(leak["how"] != "by range" for leak in found)
    return {
        "what": {"en": in_words(found), "ko": in_words(found, "ko")},
        "severity": "severe" if sure else "warning",
    }


def unshuffled_classes(setup: Setup) -> Found | None:
    """Batches of one class where others follow: the order of the data was kept."""
    if not setup.classes or setup.task.rows(setup.batches[0]) < 4:
        raise NotApplicableError(
            "there are no classes, or too few rows in a batch",
            "클래스가 없거나 배치의 행이 너무 적습니다",
        )
    seen = [torch.unique(setup.task.wanted(batch)) for batch in setup.batches]
    if len(torch.unique(torch.cat(seen))) < 2:
        return None
    single = sum(len(classes) == 1 for classes in seen)
    return {"batches": single, "looked": len(seen)} if 2 * single > len(seen) else None
