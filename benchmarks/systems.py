"""Train every system on a packed dataset, each on as many samples, and compare them.

The networks are narrower than the published ones and learn faster, so that two cores train all of them in
minutes; `--published` takes the published sizes and rates, for a GPU. A killed run goes on. The exit code is
1 if a system does not beat the best of its own baselines.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

MODELS = Path(".bench", "models")
SMALL_SYSTEMS = {  # width, learning rate
    "pix2pix": (24, 1e-3),
    "nerk": (8, 1e-3),
    "liu": (16, 5e-4),
    "liu-finetune": (16, 2e-4),
    "scft": (4, 2e-4),
    "mask": (8, 2e-3),  # wider ones gained nothing on validation pictures
}


def systems_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("pairs", type=Path, help="the folder of the packed dataset")
    add("dest", type=Path, help=f"the folder for table and contact sheet; models go to {MODELS}")
    add("--systems", default="pix2pix,nerk,liu,scft,mask", help="also liu-finetune, after liu")
    add("--samples", type=int, default=2400, help="how many samples each sees")
    add("--batch", type=int, default=4)
    add("--ema", type=float, default=0.99, help="as train.ema")
    add("--depth", type=int, default=6, help="of pix2pix; 8 is published, for sides of 256")
    add("--published", action="store_true", help="published sizes and learning rates")
    add("--vgg", default="none", help="as train.vgg")
    add("--unseen", default="ink", help="as evaluate.unseen")
    add("--rows", type=int, default=6, help="rows of the contact sheet")
    add("--device", default="auto", help="cpu, cuda or auto")
    add("--workers", type=int, default=1, help="processes that load for a GPU")
    add("--seed", type=int, default=0)
    return parser


def prep(command: str, *places: Path, **options: object) -> None:
    words = [word for name, value in options.items() if value != "" for word in (f"--{name}", value)]
    run = subprocess.run([sys.executable, "-m", "stages.prep", command, *map(str, (*places, *words))])
    if run.returncode:
        sys.exit(run.returncode)


def train_system(name: str, given: argparse.Namespace) -> Path:
    """Train a system, unless that was done, and return the folder of the model."""
    system, _, variant = name.partition("-")
    width, lr = (0, 0.0) if given.published else SMALL_SYSTEMS[name]
    steps, start = given.samples // given.batch, MODELS / system if variant else ""
    prep(
        "train", given.pairs, MODELS / name, system=system, variant=variant, start=start, width=width, lr=lr,
        depth=given.depth, steps=steps, validate=max(1, steps // 8), batch=given.batch, decay="linear",
        ema=given.ema, vgg=given.vgg, seed=given.seed, device=given.device, workers=given.workers,
    )  # fmt: skip
    return MODELS / name


def main() -> None:
    given = systems_parser().parse_args()
    models = [train_system(name, given) for name in given.systems.split(",")]
    compared = {"rows": given.rows, "unseen": given.unseen, "seed": given.seed, "device": given.device}
    prep("compare", given.pairs, *models, to=given.dest, **compared)
    print((given.dest / "table.md").read_text(encoding="utf-8"))
    rows = json.loads((given.dest / "table.json").read_bytes())["rows"]
    behind = [row["model"] for row in rows if row["gain"] <= 0]
    sys.exit(f"below its own baseline: {', '.join(behind)}" if behind else 0)


if __name__ == "__main__":
    main()
