"""Audit of a table: what in it spoils training or judging, in coded findings, in words.

A check is one function in `checks`; its words stand under its code in a file per language in
`texts`. Nothing of the table is changed here: a finding says what will be done, and how to change
that.
"""

from carousel.data.audit.finding import LANGUAGES, Finding, by_severity
from carousel.data.audit.look import audit, audit_of, look_at, seen_of
from carousel.data.audit.new_checks import audit_data, audit_new
from carousel.data.audit.seen import Seen

__all__ = [
    "LANGUAGES",
    "Finding",
    "Seen",
    "audit",
    "audit_data",
    "audit_new",
    "audit_of",
    "by_severity",
    "look_at",
    "seen_of",
]
