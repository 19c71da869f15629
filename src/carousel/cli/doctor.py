"""`carousel doctor`."""

from __future__ import annotations

from carousel.cli.output import print_out, table_of


def doctor() -> None:
    """Report what Carousel runs on here: versions, instruction set, threads, paths, folders.

    Example: carousel doctor
    """
    from carousel.doctor import examine

    for title, rows in examine().items():
        table = table_of(title, "", title=None)
        for name, value in rows.items():
            table.add_row(name, value)
        print_out(table)
