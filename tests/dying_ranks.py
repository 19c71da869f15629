"""Program that the tests run under torchrun: trains in a folder, and one process may be killed.

python dying_ranks.py FOLDER TASK STEP [RUN]: at STEP the last process kills itself, unless torchrun
has started the processes anew; 0: nobody is killed. RUN: is resumed, where it is named. It says how
often they were started anew, and what happened.
"""

import json
import os
import signal
import sys
from pathlib import Path

from carousel.config import Config
from carousel.errors import CarouselError
from carousel.optim.step import OptimizerStep
from carousel.training import resume, train

_FIRST = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
_IS_LAST = int(os.environ["RANK"]) + 1 == int(os.environ["WORLD_SIZE"])


def _die_at(step):
    take, taken = OptimizerStep.take, 0

    def counted(self, compute):
        nonlocal taken
        taken += 1
        if taken == step and _FIRST and _IS_LAST:
            os.kill(os.getpid(), signal.SIGKILL)
        return take(self, compute)

    OptimizerStep.take = counted


def main(folder, step, run=""):
    _die_at(int(step))
    config = Config.from_dict(json.loads((Path(folder) / "config.json").read_text("utf-8")))
    os.chdir(folder)
    try:
        trained = resume(run) if run else train(config, seed=5, threads=1)
        print("trained", os.environ["RANK"], trained.path)
    except CarouselError as error:
        print(type(error).__name__, error, flush=True)
        sys.exit(2)


if __name__ == "__main__":
    main(*sys.argv[1:])
