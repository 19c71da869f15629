"""`carousel doctor`."""

from __future__ import annotations

from carousel.cli.output import JsonOption, print_json, print_out, table_of


def doctor(as_json: JsonOption = False) -> None:
    """Report what Carousel runs on here: versions, instruction set, threads, paths, folders.

    Example: carousel doctor
    """
    from carousel.doctor import examine

    found = examine()
    if as_json:
        print_json(found)
        return
    for title, rows in found.items():
        table = table_of(title, "", title=None)
        for name, value in rows.items():
            table.add_row(name, value)
        print_out(table)
