"""Run the checks of an audit on a table with its roles."""

from __future__ import annotations

import time
from collections.abc import Mapping

from carousel.config import Config
from carousel.config.columns import FORECASTS, STEPS
from carousel.config.own import TABLE
from carousel.data.audit.checks import CHECKS
from carousel.data.audit.finding import Finding, by_severity
from carousel.data.audit.seen import Seen
from carousel.data.audit.subject import Subject
from carousel.data.profiles import Profile
from carousel.data.store.opened import beginning
from carousel.data.table import Table, read_table
from carousel.data.token_lists import in_words
from carousel.data.wide import in_rows


def audit(
    table: Table,
    config: Config,
    now: float | None = None,
    known: Mapping[str, Profile] | None = None,
) -> list[Finding]:
    """The findings on a table that is read as a configuration says, the severe ones first.

    now: seconds since 1970, to know stamps in the future; this moment if None. known: the profiles
    of the columns, where they have been made.
    """
    asked = table
    if config.columns.wide:
        table, config = in_rows(table, config)
    if config.task == "label_words":
        table, config = in_words(table, config)
    known = known if table is asked else None
    subject = Subject(table, config, time.time() if now is None else now, known)
    return by_severity(finding for check in CHECKS for finding in check(subject))


def audit_of(config: Config) -> list[Finding]:
    """The findings on the data of a configuration; none where they are no table with roles. Raises
    `DataError` if the table cannot be read."""
    return look_at(config)[0]


def look_at(config: Config, table: Table | None = None) -> tuple[list[Finding], Seen | None]:
    """The findings on the data of a configuration, and the statistics that a new table is held
    against later; none where they are no table with roles. table: where it has been read. Raises
    `DataError`."""
    if config.data.name != TABLE or not (config.data.path or table is not None):
        return [], None
    table = beginning(read_table(config.data.path) if table is None else table)
    return audit(table, config), seen_of(table, config)


def seen_of(table: Table, config: Config) -> Seen | None:
    """Statistics of a table that is trained on; None of texts and files."""
    if config.columns.wide:
        table, config = in_rows(table, config)
    subject = Subject(table, config, 0.0)
    kept = (*STEPS, *FORECASTS, "anomaly")
    return None if config.task not in kept or config.columns.file else Seen.of(subject)
