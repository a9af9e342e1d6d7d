"""`python -m engine.nano corpus|train|export`: make kimi-nano again from nothing.

    python -m engine.nano corpus --count 12000     generate projects, run pytest on them, write conversations
    python -m engine.nano train --minutes 90       train; resumes from the folder's checkpoint; makes a corpus first if there is none
    python -m engine.nano export                   write the checkpoint as engine/nano/kimi-nano.gguf

All work on one folder (`--folder`, default `checkpoints/nano`). It needs the `train` extra: PyTorch, regex, pytest.
"""

import argparse
import os
from pathlib import Path

import torch

from engine.nano import corpus
from engine.nano.export import export
from engine.nano.train import Plan, load_model, train, vocabulary_of

SHIPPED = Path(__file__).with_name("kimi-nano.gguf")


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.nano", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", choices=("corpus", "train", "export"))
    parser.add_argument("--folder", type=Path, default=Path("checkpoints/nano"))
    parser.add_argument("--count", type=int, default=12_000, help="conversations in the corpus")
    parser.add_argument("--minutes", type=float, default=90.0, help="how long to train, all runs together")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where export writes")
    options = parser.parse_args()
    conversations = options.folder / "conversations.jsonl"
    if options.job == "corpus" or not conversations.exists():
        corpus.grow(conversations, options.count, workers=os.cpu_count() or 1)
    if options.job == "train":
        torch.set_num_threads(os.cpu_count() or 1)
        train(options.folder, Plan(minutes=options.minutes))
    if options.job == "export":
        model, _ = load_model(options.folder / "checkpoint.pt")
        ranks, control = vocabulary_of(options.folder, model.shape.vocab)
        export(model, ranks, control, options.out)


if __name__ == "__main__":
    main()
