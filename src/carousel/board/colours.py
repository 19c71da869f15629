"""Colours that every chart of the board shares, for light paper and for dark."""

from __future__ import annotations

from typing import Any

# Distinct also to eyes that tell red from green badly, and readable on white and on black.
PALETTE = (
    "#0f8fd0", "#e07b00", "#14a37f", "#d0518f", "#8f7ae5",
    "#b08d00", "#d2493a", "#5f9e2f", "#3fb5c4", "#a0785a",
)  # fmt: skip
INK = {False: "#333b45", True: "#d5dbe3"}
RULE = {False: "#dde2e8", True: "#39414c"}
PAPER = {False: "#ffffff", True: "#22272e"}
FAINT = {False: "#9aa4af", True: "#6d7783"}  # of what is in the background


def axis_style(dark: bool) -> dict[str, Any]:
    """Colours of an axis, its labels and the lines across from it."""
    return {
        "axisLine": {"lineStyle": {"color": RULE[dark]}},
        "axisLabel": {"color": INK[dark], "hideOverlap": True},
        "splitLine": {"lineStyle": {"color": RULE[dark]}},
        "nameTextStyle": {"color": INK[dark]},
    }


def tooltip_style(dark: bool) -> dict[str, Any]:
    """A note at the pointer, which stays within its chart."""
    return {
        "confine": True,
        "backgroundColor": PAPER[dark],
        "borderColor": RULE[dark],
        "textStyle": {"color": INK[dark]},
    }
