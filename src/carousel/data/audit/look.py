"""Run the checks of an audit on a table with its roles."""

from __future__ import annotations

import time
from collections.abc import Mapping

from carousel.config import Config
from carousel.config.own import TABLE
from carousel.data.audit.checks import CHECKS
from carousel.data.audit.finding import Finding, by_severity
from carousel.data.audit.subject import Subject
from carousel.data.profiles import Profile
from carousel.data.table import Table, read_table


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
    subject = Subject(table, config, time.time() if now is None else now, known)
    return by_severity(finding for check in CHECKS for finding in check(subject))


def audit_of(config: Config) -> list[Finding]:
    """The findings on the data of a configuration; none where they are no table with roles. Raises
    `DataError` if the table cannot be read."""
    if config.data.name != TABLE or not config.data.path:
        return []
    return audit(read_table(config.data.path), config)
