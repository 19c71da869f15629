from importlib.util import find_spec

import pytest
from saved_models import save_model
from served import Served

# The engine and the sessions are tested without the extra 'serve'.
if any(find_spec(package) is None for package in ("msgpack", "starlette", "uvicorn", "httpx2")):
    of_server = ("app", "example", "faults", "hot", "keeper", "kinds", "limits", "logs", "pages",
                 "process", "shared", "tokens", "workers")  # fmt: skip
    collect_ignore = [f"test_{name}.py" for name in of_server]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders of saved models by name."""
    folder = tmp_path_factory.mktemp("served")
    wanted = {
        "frames": ("label_frames", ["model.hidden_size=9", "model.num_layers=2"], {}),
        "changes": (
            "classify_recordings",
            ["model.cell=gru", "model.pooling=mean", "frames.differences=true"],
            {"columns": ["flow", "city"],
             "scaler": {"mean": [0.1, 0.2, 0, 0], "std": [0.5, 0.6, 1, 2]}},
        ),
        "words": ("generate", [], {}),
        "numbers": ("regress", ["model.cell=gru"], {}),
    }  # fmt: skip
    for name, (task, settings, facts) in wanted.items():
        (folder / name).mkdir()
        save_model(folder / name, task, *settings, **facts)
    return {name: folder / name for name in wanted}


@pytest.fixture
def serve(models, tmp_path):
    """Start a server of the frames, or of another model; what still runs is killed."""
    begun = []

    def start(*options, name="frames"):
        state = ("--state", tmp_path / "s.sqlite", "--snapshot", "0.05")
        begun.append(Served(tmp_path / "log", f"{name}={models[name]}", *state, *options))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.kill()
