"""Train every system on a packed dataset with the same augmentation, and compare them.

Once each sees as many samples, once each trains for as much processor time: a short run measures the time of
a sample of each, and the number of steps follows from it. That time is kept in the folder of the models, so
that a killed benchmark goes on with equal steps. The networks are narrower than the published ones and learn
faster, so that two cores train all of them; `--published` takes the published sizes and rates, for a GPU.
`--plan` prints how long all will take. The exit code is 1 if a system does not beat its own best baseline.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import curves
import seeds
import speeds
from tables import print_head, print_row

from pipeline import files
from pipeline.codehash import code_hashes
from pipeline.params import Model, Train

MODELS = Path(".bench", "models")
SMALL_SYSTEMS = {  # width, learning rate
    "pix2pix": (24, 1e-3),
    "nerk": (8, 1e-3),
    "liu": (16, 5e-4),
    "liu-finetune": (16, 2e-4),
    "scft": (4, 2e-4),
    "mask": (8, 2e-3),  # wider ones gained nothing on validation pictures
    "wash": (16, 1e-2),
}
SPECIAL = {"wash": {"decay": "cosine"}, "pix2pix": {"drop": 0.1}}  # wash also sees a tenth without a guide
GUIDES = "cue 0.3, reference 0.3, strokes 0.1, points 0.1, palette 0.05, gray 0.05, none 0.1"  # of wash
RECORDS = 12  # validations of each run


@dataclass(frozen=True)
class Job:
    """A system to train under a budget: samples, or seconds of the processor."""

    budget: str
    seed: int
    name: str
    model: Model
    train: Train

    @property
    def folder(self) -> Path:
        return MODELS / self.budget / f"seed{self.seed}" / self.name


def systems_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("pairs", type=Path, help="the folder of the packed dataset")
    add("dest", type=Path, help=f"the folder for tables, curves and pictures; models go to {MODELS}")
    add("--systems", default="pix2pix,nerk,liu,scft,mask,wash", help="also liu-finetune, after liu")
    add("--samples", type=int, default=2400, help="how many samples each sees; 0 to leave this out")
    add("--seconds", type=float, default=0, help="processor time of each; 0 to leave this out")
    add("--seeds", default="0", help="seeds, such as 0,1,2")
    add("--seeded", default="wash,pix2pix,scft", help="systems that are trained with all seeds")
    add("--jobs", type=int, default=1, help="trainings at a time, each on one core")
    add("--batch", type=int, default=4)
    add("--ema", type=float, default=0.99, help="as train.ema")
    add("--sketch", default="b7,b11,xdog", help="as model.sketch")
    add("--flip", type=float, default=0.5, help="as train.flip")
    add("--permute", type=float, default=0.3, help="as train.permute; never where the guide is gray")
    add("--guides", default=GUIDES, help="as train.guides")
    add("--depth", type=int, default=6, help="of pix2pix; 8 is published, for sides of 256")
    add("--published", action="store_true", help="published sizes and learning rates")
    add("--vgg", default="none", help="as train.vgg")
    add("--unseen", default="ink", help="as evaluate.unseen")
    add("--rows", type=int, default=3, help="rows of the contact sheet for each guide")
    add("--device", default="cpu", help="cpu, cuda or auto")
    add("--workers", type=int, default=1, help="processes that load for a GPU")
    add("--plan", action="store_true", help="only measure, and print how long all will take")
    return parser


def prep(command: str, *places: Path, **options: object) -> None:
    words = [word for name, value in options.items() if value != "" for word in (f"--{name}", value)]
    defaults = os.environ | {"PREP_PARAMS": "none"}  # for what is not on the line, whatever params.yaml says
    line = [sys.executable, "-m", "inkwash", command, *map(str, (*places, *words))]
    run = subprocess.run(line, env=defaults)
    if run.returncode:
        sys.exit(run.returncode)


def plan_job(name: str, budget: str, seed: int, steps: int, given: argparse.Namespace) -> Job:
    system, _, variant = name.partition("-")
    width, lr = (0, 0.0) if given.published else SMALL_SYSTEMS[name]
    start = str(MODELS / budget / f"seed{seed}" / system) if variant else ""
    model = Model(
        system=system, width=width, depth=given.depth, sketch=given.sketch, variant=variant or "main"
    )
    shared = {"decay": "linear", "ema": given.ema, "vgg": given.vgg, "guides": given.guides}
    shared |= {"flip": given.flip, "permute": given.permute, "batch": given.batch} | SPECIAL.get(system, {})
    train = Train(steps=steps, validate=max(1, steps // RECORDS), lr=lr, start=start, seed=seed, **shared)
    return Job(budget, seed, name, model, train)


def plan_jobs(given: argparse.Namespace, times: dict[str, float]) -> list[Job]:
    """List the trainings; `times` has the milliseconds of the processor per sample of each system."""
    jobs, numbers = [], [int(seed) for seed in given.seeds.split(",")]
    for budget in ("samples", "seconds"):
        for seed in numbers if getattr(given, budget) else []:
            for name in given.systems.split(","):
                samples = given.samples if budget == "samples" else 1000 * given.seconds / times[name]
                if seed == numbers[0] or name in given.seeded.split(","):
                    jobs.append(plan_job(name, budget, seed, max(1, int(samples) // given.batch), given))
    return jobs


def train_job(job: Job, given: argparse.Namespace) -> None:
    """Train a system, or go on with it, or do nothing if that was done."""
    machine = {"device": given.device, "workers": given.workers, "curves": curves.folder_of(job.folder)}
    prep("train", given.pairs, job.folder, **asdict(job.model), **asdict(job.train), **machine)


def measure_speeds(given: argparse.Namespace) -> dict[str, float]:
    """Return the milliseconds of the processor per sample of each system, measured once and then kept."""
    file, known = MODELS / "speeds.json", {}
    if file.is_file():
        known = json.loads(file.read_bytes())
    jobs = {name: plan_job(name.partition("-")[0], "", 0, 1, given) for name in given.systems.split(",")}
    runs = {name: hash_run(job, given) for name, job in jobs.items()}
    if lacking := [name for name, run in runs.items() if run not in known]:
        planned = [(jobs[name].model, jobs[name].train) for name in lacking]
        found = speeds.sample_times(given.pairs, planned, given.device)
        known |= {runs[name]: time for name, time in zip(lacking, found, strict=True)}
        files.write_json(file, known)
    return {name: known[run] for name, run in runs.items()}


def hash_run(job: Job, given: argparse.Namespace) -> str:
    """Hash what the time of a sample depends on, and the code, after a change of which all train again."""
    what = [str(given.pairs.resolve()), job.name, asdict(job.model), asdict(job.train), given.device]
    what += [code_hashes("pipeline.training.fit", f"pipeline.systems.{job.model.system}")]
    return hashlib.sha256(files.dumps(what)).hexdigest()


def print_plan(jobs: list[Job], times: dict[str, float]) -> None:
    print_head("budget", "system", "seed", "steps", "samples", "ms/sample", "CPU minutes")
    for job in jobs:
        samples, time = job.train.steps * job.train.batch, times[job.name]
        minutes = f"{samples * time / 60000:.1f}"
        print_row(job.budget, job.name, job.seed, job.train.steps, samples, f"{time:.1f}", minutes)
    total = sum(job.train.steps * job.train.batch * times[job.name] for job in jobs)
    print(f"\n{total / 3.6e6:.1f} hours of one core, and about a fifth more to validate and compare.")


def compare_budget(jobs: list[Job], given: argparse.Namespace, times: dict[str, float]) -> list[str]:
    """Compare the models of one budget; return those that are below their own best baseline."""
    dest, found = given.dest / jobs[0].budget, {}
    compared = {"rows": given.rows, "unseen": given.unseen, "device": given.device}
    for seed in dict.fromkeys(job.seed for job in jobs):
        models = [job.folder for job in jobs if job.seed == seed]
        prep("compare", given.pairs, *models, to=dest / f"seed{seed}", **compared)
        found[seed] = json.loads((dest / f"seed{seed}" / "table.json").read_bytes())["found"]
    steps = {job.name: job.train.steps for job in jobs}
    files.write(dest / "table.md", seeds.seed_table(found, steps, given.batch, times).encode())
    runs = [curves.read_run(job.name, job.seed, job.folder, times[job.name] * given.batch) for job in jobs]
    curves.write_curves(runs, dest)
    print((dest / "table.md").read_text(encoding="utf-8"))
    return [name for name, gain in seeds.mean_gains(found).items() if gain <= 0]


def main() -> None:
    given = systems_parser().parse_args()
    if given.device == "cpu":
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the trainings, whose processor time counts
    times = measure_speeds(given)
    jobs = plan_jobs(given, times)
    print_plan(jobs, times)
    if given.plan:
        return
    first, later = ([job for job in jobs if bool(job.train.start) is fine] for fine in (False, True))
    for some in (first, later):  # what is fine-tuned begins with a trained model
        with ThreadPoolExecutor(given.jobs) as pool:
            list(pool.map(partial(train_job, given=given), some))
    behind = []
    for budget in dict.fromkeys(job.budget for job in jobs):
        behind += compare_budget([job for job in jobs if job.budget == budget], given, times)
    sys.exit(f"below its own baseline: {', '.join(behind)}" if behind else 0)


if __name__ == "__main__":
    main()
