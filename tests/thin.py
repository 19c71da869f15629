"""`--thin`: what a newcomer runs (`make test`), in minutes; `--rest`: what it leaves out.

Every test is in it but those marked slow, and of a grid of cases so many that each value of each
parameter stands in it once: every cell, option and instruction set. Both together are everything.
"""

from collections import defaultdict


def add_options(parser):
    parser.addoption(
        "--thin", action="store_true", help="the quick part: thinner grids, no slow tests"
    )
    parser.addoption("--rest", action="store_true", help="what --thin leaves out")


def choose(config, items):
    """Deselect what the options leave out."""
    thin, rest = config.getoption("thin"), config.getoption("rest")
    if thin == rest:
        return
    seen = defaultdict(set)
    parts = {True: [], False: []}
    for item in items:
        spec = getattr(item, "callspec", None)
        function = item.nodeid.partition("[")[0]
        # By identity: a value of a decorator is one object in all of its cases.
        values = set() if spec is None else {(k, id(v)) for k, v in spec.params.items()}
        fresh = spec is None or not values <= seen[function]
        seen[function] |= values
        parts[fresh and item.get_closest_marker("slow") is None].append(item)
    config.hook.pytest_deselected(items=parts[not thin])
    items[:] = parts[thin]
