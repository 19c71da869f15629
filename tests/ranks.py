"""Program that the tests run under torchrun, and alone: trains what a file of jobs says.

python ranks.py JOBS: in JSON, [[config, file for the weights, in float64?]]. In float64 torch
computes the layers, else the native kernels; there only the training is done, and what would judge
the network is left out, for it knows float32 alone.
"""

import json
import sys
from pathlib import Path

import safetensors.torch
import torch

from carousel import tasks
from carousel.config import Config
from carousel.training.display import Display
from carousel.training.loop import Trainer
from carousel.training.together import join
from carousel.training.unsaved import Nowhere, Unsaved

_SEED = 3


def _wider(value):
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.double() if floating else value


def _trained(config, fabric, team, double):
    task = tasks.find(config.task)(config, _SEED)
    if double:
        build = task.build_model

        def doubled():
            net = build().double()
            net.register_forward_pre_hook(lambda _, given: tuple(map(_wider, given)))
            return net

        task.build_model = doubled
        task.validate = lambda model: dict.fromkeys(task.validation_metrics, 1.0)
    trainer = Trainer(task, Unsaved(config, _SEED), Nowhere(), Display(), fabric, team)
    trainer.fit()
    return trainer.net.state_dict()


def main(jobs):
    torch.set_num_threads(1)
    fabric, team = join()
    for config, file, double in json.loads(Path(jobs).read_text("utf-8")):
        weights = _trained(Config.from_dict(config), fabric, team, double)
        of_all = team.gather(weights)
        if team.leads:
            safetensors.torch.save_file(weights, file)
            for others in of_all:  # bit for bit
                assert all(torch.equal(others[name], weights[name]) for name in weights)


if __name__ == "__main__":
    main(sys.argv[1])
