"""Storage of who works on which trial: a journal file, or a database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from carousel.errors import ConfigError, RunError, require_extra

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

_URL = re.compile(r"^[a-z][a-z0-9+]*://")
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]*@")


def is_url(storage: str | Path) -> bool:
    """True for the address of a database."""
    return bool(_URL.match(str(storage)))


def shown(storage: str | Path) -> str:
    """A file, or an address without its password.

    >>> shown("postgresql://me:secret@db/sweeps")
    'postgresql://me:…@db/sweeps'
    """
    return _PASSWORD.sub(r"\1:…@", str(storage))


def open_storage(storage: str | Path) -> BaseStorage:
    """The journal of that name, or the database at that address. Raises `ConfigError` where a
    package is missing, and `RunError` where it cannot be reached."""
    require_extra("a sweep", "sweep", "optuna")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if not is_url(storage):
        from carousel.sweep.journal import open_journal

        with named_errors(storage):
            return open_journal(Path(storage))
    address = str(storage)
    if address.startswith(("postgresql://", "postgres://")):
        require_extra("a sweep in PostgreSQL", "sweep", "psycopg")
        address = "postgresql+psycopg://" + address.partition("://")[2]
    from sqlalchemy.pool import NullPool

    # A connection for each question: they are few, and one that was kept would not outlive a
    # restart of the database.
    with named_errors(storage):
        return optuna.storages.RDBStorage(address, engine_kwargs={"poolclass": NullPool})


@contextmanager
def named_errors(storage: str | Path) -> Iterator[None]:
    """Turn what databases and files raise into a `RunError` that names the storage."""
    import optuna
    import sqlalchemy.exc

    try:
        yield
    except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        said = str(error.__cause__ or error).strip().partition("\n")[0]
        raise RunError(
            f"the storage {shown(storage)} cannot be used ({shown(said)}): mend that, then give "
            f"the same command again"
        ) from None
    except (ModuleNotFoundError, ImportError) as error:
        raise ConfigError(
            f"the storage {shown(storage)} needs a driver that is not installed ({error})"
        ) from None
    except OSError as error:
        raise RunError(f"the journal {storage} cannot be used: {error.strerror}") from None
    except ValueError as error:
        raise RunError(f"the storage {shown(storage)} cannot be read: {error}") from None
