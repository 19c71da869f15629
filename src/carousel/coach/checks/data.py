"""Do outputs fit the loss, are the parts apart, and are the batches mixed."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import torch
from torch import nn

from carousel.coach.checks.setup import Found, NotApplicableError, Setup
from carousel.coach.words import Said, sentence

# Shares of a part that stand in training too. Short sentences come twice in any language; whole
# recordings do not.
_SENTENCES = (0.05, 0.5)  # a warning, severe
_RECORDINGS = (0.0, 0.01)


@torch.no_grad()
def loss_output_mismatch(setup: Setup) -> Found | None:
    """Check if outputs are probabilities where the loss wants logits, or cannot reach targets."""
    said = setup.spoken
    if said is None or said.dim() < 2:
        raise NotApplicableError("returns_its_loss")
    said = said.double()
    if not torch.isfinite(said).all():
        return {"what": sentence("not_finite")}
    if setup.classes:
        return _as_logits(said)
    targets = setup.subject.wanted(setup.few(8)).double()
    loud = _louder(setup)
    low, high = float(loud.min()), float(loud.max())
    bounded = low >= 0 and high <= 1
    outside = bool((targets < 0).any() or (targets > 1).any())
    if bounded and outside and said.numel() >= 8:
        return {"what": sentence("bounded")}
    if low >= 0 and bool((targets < 0).any()) and said.numel() >= 8:
        return {"what": sentence("never_negative")}
    return None


def _as_logits(said: torch.Tensor) -> Found | None:
    if (said >= 0).all() and torch.allclose(said.sum(-1), torch.ones_like(said[..., 0]), atol=1e-4):
        return {"what": sentence("probabilities")}
    if (said >= 0).all() and (said == 0).any() and said.numel() >= 20:
        return {"what": sentence("cut_off")}
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
    raise NotApplicableError("no_account")


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
        "what": sentence("doubles", count=n, part=part, share=share),
        "share": share,
        "severity": "severe" if share > severe else "warning" if share > warning else "info",
    }


def _shared_names(account: dict[str, Any]) -> Found | None:
    for (one, first), (other, second) in combinations(account.get("recordings", {}).items(), 2):
        if both := set(first) & set(second):
            name = sorted(both)[0]
            return {"what": sentence("shared_name", name=name, one=one, other=other)}
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
            return {"what": sentence("overlap", one=one, other=other, first=first, last=last)}
    return None


def target_leak(setup: Setup) -> Found | None:
    """Inputs that alone tell what is to be found, from the account of the data."""
    if "leaks" not in setup.account:
        raise NotApplicableError("looks_for_no_leak")
    found = setup.account["leaks"]
    if not found:
        return None
    sure = any(leak["how"] != "by range" for leak in found)
    return {
        "what": _leaks_told(found),
        "severity": "severe" if sure else "warning",
    }


def _leaks_told(leaks: list[dict[str, str]]) -> Said:
    columns = ", ".join(f"'{leak['column']}'" for leak in leaks)
    tells = leaks[0]["tells"]  # "class" or "number"
    key = f"column_tells_{tells}" if len(leaks) == 1 else f"columns_tell_{tells}"
    return sentence(key, columns=columns)


def unshuffled_classes(setup: Setup) -> Found | None:
    """Batches of one class where others follow: the order of the data was kept."""
    if not setup.classes or setup.subject.rows(setup.batches[0]) < 4:
        raise NotApplicableError("few_classes_or_rows")
    seen = [torch.unique(setup.subject.wanted(batch)) for batch in setup.batches]
    if len(torch.unique(torch.cat(seen))) < 2:
        return None
    single = sum(len(classes) == 1 for classes in seen)
    return {"batches": single, "looked": len(seen)} if 2 * single > len(seen) else None
