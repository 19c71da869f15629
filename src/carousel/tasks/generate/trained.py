"""A trained language model: writes on from a prompt, scores texts, is judged on held-out ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from carousel import scores
from carousel.config import Config, closest
from carousel.data.files.text import read_lines, read_text
from carousel.data.text import (
    END,
    Corpus,
    Part,
    TextParts,
    Vocabulary,
    label_token,
    line_part,
    words,
)
from carousel.data.text_batches import LineBatches, all_of
from carousel.errors import ConfigError, DataError
from carousel.tasks.generate.network import LanguageModel, State
from carousel.tasks.generate.sampling import Sampling, generate
from carousel.tasks.generate.scores import by_frequency, by_label, measures
from carousel.tasks.shared.answers import TextAnswer, Written
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.given import one_text, texts_of
from carousel.tasks.shared.network import evaluating
from carousel.tasks.shared.task import Given, Shown, Table, TrainedModel

_STEPS = 1000
_LOOK = 60  # tokens of a running text that are looked at together


class TrainedLanguageModel(TrainedModel):
    """A language model with its vocabulary.

    kind: "word", "character", or "line" (labelled lines; see `carousel.data.text.Corpus`).

    >>> model = carousel.load("runs/ptb-small-20261124-090000")   # doctest: +SKIP
    >>> "".join(model.generate("the company said", length=20))    # doctest: +SKIP
    """

    model: LanguageModel

    def __init__(
        self, model: LanguageModel, config: Config, kind: str, vocabulary: Vocabulary
    ) -> None:
        super().__init__(model, config)
        self.kind, self.vocabulary = kind, vocabulary

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedLanguageModel:
        vocabulary = Vocabulary(tuple(facts["vocabulary"]))
        return cls(LanguageModel(len(vocabulary), config), config, facts["kind"], vocabulary)

    def facts(self) -> dict[str, Any]:
        return {"kind": self.kind, "vocabulary": list(self.vocabulary.tokens)}

    # ---- answering

    def encode(self, inputs: str) -> tuple[Tensor]:
        """Tokens (T, 1) of a prompt, time first."""
        return (self._read_prompt(one_text(inputs, "prompt"))[0].long().unsqueeze(1),)

    def example_inputs(self) -> tuple[Tensor]:
        """Two tokens."""
        return (torch.zeros(2, 1, dtype=torch.int64),)

    def decode(
        self, drawn: Sequence[Iterable[int]], prompt: str = "", seed: int = 0
    ) -> list[TextAnswer]:
        """The answer to a prompt of tokens that were drawn with the network, a row a sample."""
        texts = enumerate("".join(self._spell(tokens, prompt)) for tokens in drawn)
        samples = tuple(Written(seed + number, text) for number, text in texts)
        return [TextAnswer(prompt, samples, tuple(self.unknown_in(prompt)))]

    def predict(
        self,
        inputs: Sequence[str] | str = "",
        *,
        length: int = 200,
        samples: int = 1,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[TextAnswer]:
        """Generate what follows each prompt, or a single one: see `generate` and `Sampling`.

        samples: how many texts of each; their seeds are `seed` and those after it.
        """
        sampling = Sampling(temperature, top_k, top_p)
        answers: list[TextAnswer] = []
        for prompt in texts_of(inputs, "prompts"):
            drawn = (self._draw(prompt, sampling, seed + n) for n in range(samples))
            answers += self.decode([islice(some, length) for some in drawn], prompt, seed)
        return answers

    def generate(
        self, prompt: str = "", length: int = 200, sampling: Sampling | None = None, seed: int = 0
    ) -> Iterator[str]:
        """The text that follows a prompt, token by token, at most `length` of them.

        Of labelled lines the prompt is "label" or "label:beginning", and the line's end ends it.
        Tokens that the model has not seen are read as <unk>, which is never written. The same
        seed draws the same text. Raises `ConfigError` for an unknown label.
        """
        drawn = self._draw(one_text(prompt, "prompt"), sampling or Sampling(), seed)
        return self._spell(islice(drawn, length), prompt)

    def _draw(self, prompt: str, sampling: Sampling, seed: int) -> Iterator[int]:
        prompt_ids, _ = self._read_prompt(prompt)
        numbers = self.vocabulary.numbers
        banned = [self.vocabulary.unknown]
        if self.kind == "line":
            banned += [number for token, number in numbers.items() if _is_label(token)]
        self.model.eval()
        return generate(self.model, prompt_ids, sampling, banned, seed)

    def _spell(self, drawn: Iterable[int], prompt: str) -> Iterator[str]:
        """The tokens that follow a prompt as text, up to the end of a labelled line."""
        tokens, end = self.vocabulary.tokens, self.vocabulary.numbers.get(END)
        fresh = not prompt or prompt[-1].isspace()
        for token in drawn:
            if token == end:
                if self.kind == "line":
                    return
                yield "\n"
                fresh = True
            elif self.kind == "word":
                yield tokens[token] if fresh else f" {tokens[token]}"
                fresh = False
            else:
                yield tokens[token]

    def unknown_in(self, prompt: str) -> list[str]:
        """The tokens of a prompt that the model has not seen, each once."""
        return self._read_prompt(one_text(prompt, "prompt"))[1]

    def _read_prompt(self, prompt: str) -> tuple[Tensor, list[str]]:
        if self.kind == "word":
            tokens = list(words(prompt))
        elif self.kind == "character":
            tokens = list(prompt)
        else:
            label, _, beginning = prompt.partition(":")
            tokens = [self._label(label.strip()), *beginning.strip()]
        numbers = self.vocabulary.numbers
        if not tokens:  # begin as after a line's end
            tokens = [token for token in (END, "\n") if token in numbers][:1] or [" "]
        unknown = dict.fromkeys(token for token in tokens if token not in numbers)
        return self.vocabulary.encode(tokens), list(unknown)

    def _label(self, label: str) -> str:
        if label_token(label) in self.vocabulary.numbers:
            return label_token(label)
        known = [token[1:-1] for token in self.vocabulary.tokens if _is_label(token)]
        raise ConfigError(
            f"the prompt begins with a label, such as '{known[0]}' or '{known[0]}:A'; got "
            f"'{label}'.{closest(label, known)} Labels: {', '.join(known)}"
        )

    # ---- judging

    def score(self, text: str) -> dict[str, float]:
        """Loss, and perplexity or bits per character, of a text that is not labelled lines.

        Its first token is read, not scored. Unseen tokens count as <unk>; "unknown" is their
        share. Raises `DataError` for a text of fewer than two tokens.
        """
        one_text(text, "text to score")
        if self.kind == "line":
            raise ConfigError(
                "a model of labelled lines scores no running text: give a prompt", "prompt"
            )
        ids = self._ids(text)
        if len(ids) < 2:
            raise DataError(f"a text to score needs at least two tokens, this one has {len(ids)}")
        losses, targets, _ = self._losses(Part(ids))
        share = (targets == self.vocabulary.unknown).double().mean()
        return {**self._measures(losses), "tokens": len(losses), "unknown": float(share)}

    def _judge(self, part: str) -> dict[str, Any]:
        """The metrics on a part read from beginning to end, in one stream.

        Besides: by how often the training part has the token; of labelled lines by label. Of a
        text without a split of its own also `loss_held_out`: on validation and test part together,
        which is what is reported as validation loss where there is no test part.
        """
        corpus = self._corpus()
        self.as_trained(corpus, part)
        held = corpus.part(part)
        losses, targets, labels = self._losses(held)
        report: dict[str, Any] = dict(self._measures(losses))
        if corpus.is_one_text and part == "test":
            both = Part(torch.cat([corpus.part("validation").ids, held.ids]))
            report["loss_held_out"] = float(self._losses(both)[0].mean())
        counts = torch.bincount(corpus.part("train").ids, minlength=len(self.vocabulary))
        report["tokens"] = len(losses)
        report["by_frequency"] = by_frequency(self.kind, losses, counts[targets])
        if labels is not None:
            report["by_label"] = by_label(self.kind, losses, labels, self.vocabulary)
        return report

    def _judge_new(self, path: Path) -> dict[str, Any]:
        """The metrics on a text, read from beginning to end, or of a model of labelled lines on a
        folder of them; "unknown" is the share of its tokens that the model has not seen."""
        if self.kind == "line":
            return self._judge_lines(path)
        if path.is_dir():
            raise DataError(f"{path} is a folder: name a file of running text")
        ids = self._ids(read_text(path))
        if len(ids) < 2:
            raise DataError(f"{path} needs at least two tokens to judge by, and has {len(ids)}")
        return self._report(Part(ids))

    def _judge_lines(self, path: Path) -> dict[str, Any]:
        found, unknown = list[tuple[str, str]](), dict[str, int]()
        for label, items in read_lines(path).items():
            if label_token(label) in self.vocabulary.numbers:
                found += [(label, item) for item in items]
            else:
                unknown[label] = len(items)
        if not found:
            known = [token[1:-1] for token in self.vocabulary.tokens if _is_label(token)]
            raise DataError(
                f"{path} has none of the model's labels ({', '.join(known)}); it has: "
                f"{', '.join(unknown)}"
            )
        part = line_part(self.vocabulary, found)
        return {**self._report(part), "unknown_classes": unknown}

    def _report(self, part: Part) -> dict[str, Any]:
        losses, targets, labels = self._losses(part)
        report: dict[str, Any] = {**self._measures(losses), "tokens": len(losses)}
        report["unknown"] = float((targets == self.vocabulary.unknown).double().mean())
        if labels is not None:
            report["by_label"] = by_label(self.kind, losses, labels, self.vocabulary)
        return report

    def _corpus(self) -> Corpus:
        limit = self.config.data.train_limit if self.parts is None else 0
        return Corpus(self.data(TextParts), self.config.text, limit, self.vocabulary)

    def _losses(self, part: Part) -> tuple[Tensor, Tensor, Tensor | None]:
        """Per predicted token: its loss, its number, and of labelled lines the label's."""
        lines = part.offsets is not None
        batches = LineBatches(part, 64, seed=0).in_order() if lines else all_of(part, 1, _STEPS)
        losses, targets, labels = [], [], []
        state: State = ()
        with evaluating(self.model) as device:
            for x, y in batches:
                batch, last = self.model.losses(x.to(device), y.to(device), state)
                state = () if lines else last
                kept = y >= 0
                losses.append(batch.cpu().double())
                targets.append(y[kept])
                labels.append(x[0].expand_as(y)[kept])
        return torch.cat(losses), torch.cat(targets), torch.cat(labels) if lines else None

    def _measures(self, losses: Tensor) -> dict[str, float]:
        return measures(self.kind, float(losses.mean()))

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        name = "perplexity" if self.kind == "word" else "bits_per_character"
        columns = ("times in training", "share of tokens", "loss", scores.title(name))
        rows: list[tuple[str, ...]] = [
            (band, f"{row['share']:.1%}", f"{row['loss']:.4f}", scores.show(name, row[name]))
            for band, row in report.get("by_frequency", {}).items()
        ]
        if rows:  # of a new text it is not known
            yield Table(columns, rows)
        if "by_label" in report:
            rows = [
                (label, f"{row['loss']:.4f}", scores.show(name, row[name]))
                for label, row in report["by_label"].items()
            ]
            yield Table(("label", "loss", scores.title(name)), rows)

    def example(self, source: str | Given, number: int) -> Example:
        """A line, or `_LOOK` tokens of a running text, read from a state of zeros."""
        if isinstance(source, Given):
            part, origin = self._part(source.inputs[0]), "your own text"
        else:
            corpus = self._corpus()
            part = self.as_trained(corpus, source).part(source)
            origin = f"the {source} part"
        if part.offsets is not None:
            what, starts = "lines", part.offsets.tolist()
        else:
            what, starts = "windows", [*range(0, len(part.ids) - 1, _LOOK), len(part.ids) - 1]
        number = check_number(number, len(starts) - 1, what)
        whole = part.offsets is not None  # the first token of the next window is a target
        ids = (
            part.ids[starts[number] : starts[number + 1] + (0 if whole else 1)].long().unsqueeze(1)
        )
        names = tuple(self.vocabulary.tokens[i] for i in ids[:, 0].tolist())
        return Example(
            f"{what[:-1]} {number} of {origin}, from a state of zeros",
            "the summed log-probability of each next token",
            lambda: -self.model.score(ids[:-1], ids[1:]).loss,
            names[:-1],
        )

    def read(self, path: Path) -> Given:
        """The text in a file, to be scored or looked at."""
        return self.read_texts([read_text(path)])

    def read_texts(self, texts: Sequence[str]) -> Given:
        """A text to be scored or looked at."""
        return Given([*texts], noun="text", alone=True)

    def _part(self, text: str) -> Part:
        """A text to look at. Raises `ConfigError` or `DataError` if there is nothing to see."""
        if self.kind == "line":
            raise ConfigError("a model of labelled lines reads no running text: use part", "part")
        ids = self._ids(text)
        if len(ids) < 2:
            raise DataError(f"a text to look at needs at least two tokens, this one has {len(ids)}")
        return Part(ids)

    def _ids(self, text: str) -> Tensor:
        encode = self.vocabulary.encode_characters
        return self.vocabulary.encode(words(text)) if self.kind == "word" else encode(text)


def _is_label(token: str) -> bool:
    return len(token) > 2 and token not in (END, "<unk>")
