"""Train every system on a packed dataset, each on as many samples, and compare them.

The networks are narrower than the published ones and learn faster, so that two cores train all of them in
minutes; `--published` takes the published sizes and rates, for a GPU. A run that was killed goes on. The exit
code is 1 if a system does not beat the best of its own baselines.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from pipeline.evaluation import compare
from pipeline.models.card import model_card
from pipeline.params import Evaluate, Model, Train
from pipeline.training import checkpoint, fit
from pipeline.training.hardware import Hardware

SMALL_SYSTEMS = {  # width, learning rate
    "pix2pix": (24, 1e-3),
    "nerk": (8, 1e-3),
    "liu": (16, 5e-4),
    "liu-finetune": (16, 2e-4),
    "scft": (4, 2e-4),
    "mask": (8, 2e-3),  # wider ones gained nothing on pictures that they had not seen
}


def main() -> None:
    """Train, compare, print the table."""
    given = systems_parser().parse_args()
    folders = [trained(name, given) for name in given.systems.split(",")]
    params = Evaluate(rows=given.rows, unseen=given.unseen, seed=given.seed)
    results = compare.compare_models(given.pairs, folders, params, device=given.device)
    compare.write_comparison(results, given.dest)
    print((given.dest / compare.TABLE_FILE).read_text())
    behind = [result.name for result in results if result.evaluation.summary["gain"]["mean"] <= 0]
    sys.exit(f"below its own baseline: {', '.join(behind)}" if behind else 0)


def systems_parser() -> argparse.ArgumentParser:
    """Declare the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pairs", type=Path, help="the folder of the packed dataset")
    parser.add_argument("dest", type=Path, help="the folder for table and picture; models lie in .bench/")
    parser.add_argument(
        "--systems", default="pix2pix,nerk,liu,scft,mask", help="also liu-finetune, after liu"
    )
    parser.add_argument("--samples", type=int, default=2400, help="how many samples each sees")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--ema", type=float, default=0.99, help="as train.ema")
    parser.add_argument("--depth", type=int, default=6, help="of pix2pix; 8 is published, for sides of 256")
    parser.add_argument("--published", action="store_true", help="published sizes and learning rates")
    parser.add_argument("--vgg", default="none", help="as train.vgg")
    parser.add_argument("--unseen", default="ink", help="as evaluate.unseen")
    parser.add_argument("--rows", type=int, default=6, help="rows of the picture")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--workers", type=int, default=0, help="processes that load for a GPU")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def trained(name: str, given: argparse.Namespace) -> Path:
    """Train a system, unless that was done, and return the folder of the model."""
    system, _, variant = name.partition("-")
    width, lr = (0, 0.0) if given.published else SMALL_SYSTEMS[name]
    model = Model(system=system, width=width, depth=given.depth, variant=variant or "main")
    steps = given.samples // given.batch
    train = Train(
        steps=steps,
        batch=given.batch,
        lr=lr,
        decay="linear",
        ema=given.ema,
        validate=max(1, steps // 8),
        vgg=given.vgg,
        start=str(trained(system, given)) if variant else "",
        seed=given.seed,
    )
    file = checkpoint.checkpoint_path(Path(".bench"), given.pairs, model, train)
    folder = file.with_suffix("") / name
    if not folder.exists():
        with tqdm(desc=name, unit="step", total=steps, dynamic_ncols=True) as bar:

            def tick(done: int, total: int) -> None:
                bar.update(done - bar.n)

            hardware = Hardware(given.device, workers=given.workers)
            for record in fit.train_model(
                given.pairs, model, train, checkpoint=file, hardware=hardware, tick=tick
            ):
                bar.set_postfix_str(f"validation {record['val_psnr']:.2f} dB")
        checkpoint.release_model(file, folder, model_card)
    return folder


if __name__ == "__main__":
    main()
