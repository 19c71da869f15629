"""What --json prints, held to the schema of its verb."""

import json

import jsonschema

from carousel.cli.json_page import schema, verbs


def verb_of(arguments):
    """The verb of a command line, such as "data list"; None where --json is not in it."""
    words = [str(argument) for argument in arguments]
    if "--json" not in words:
        return None
    known = [name for name in verbs() if words[: len(name.split())] == name.split()]
    return known[0] if known else None


def check(arguments, code, out):
    """Assert that a command that ended well or with a finding printed what its schema says."""
    verb = verb_of(arguments)
    if verb is not None and code in (0, 1):
        validator = jsonschema.Draft202012Validator(schema(verb))
        wrong = [
            f"{e.json_path}: {e.message[:300]}" for e in validator.iter_errors(json.loads(out))
        ]
        assert not wrong, f"{verb} --json is not what its schema says: {wrong}"
