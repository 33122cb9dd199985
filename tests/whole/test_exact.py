"""An edit reruns what it decides, and nothing else.

Each edit is made in a copy of the code. Then every fingerprint is computed: those of the memo, those of the
checkpoints, and the lists of code by which DVC decides to run a stage.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SYSTEMS = ("pix2pix", "nerk", "liu", "scft", "mask", "wash")
FINGERPRINTS = f"""
import json
from pipeline.operators import clean, cue, sketch, warp
from pipeline.codehash import code_hashes, listing
from pipeline.params import Clean, Cue, Reference, Sketch
from pipeline.run.step import Step
from stages.arguments import read_params
from stages.code import deciding
from pathlib import Path

params = read_params(Path("params.yaml"))
learned = Sketch(method="learned", weights="netG.pth")
steps = {{
    "clean": Step(clean.make_color, clean.PixelParams.of(Clean())),
    "sketch": Step(sketch.make_sketch, Sketch()),
    "learned sketch": Step(sketch.make_sketch, learned, modules=sketch.extra_modules(learned)),
    "cue": Step(cue.make_cue, Cue()),
    "reference": Step(warp.make_reference, Reference()),
}}
found = {{f"memo of {{name}}": step.fingerprint() for name, step in steps.items()}}
for system in {SYSTEMS}:
    found[f"checkpoint of {{system}}"] = code_hashes("pipeline.training.fit", f"pipeline.systems.{{system}}")
    params["model"]["system"] = system
    for stage in ("train", "evaluate"):
        found[f"{{stage}} {{system}}"] = listing(*deciding(params)[stage])
for host in ("sample", "https://danbooru.donmai.us"):
    params["search"]["host"] = host
    for stage in ("search", "fetch"):
        found[f"{{stage}} {{host}}"] = listing(*deciding(params)[stage])
for stage in ("clean", "sketchify-b7", "cue", "reference", "pack"):
    found[stage] = listing(*deciding(params)[stage])
print(json.dumps(found))
"""
SKETCHES = {"memo of sketch", "memo of learned sketch", "sketchify-b7"}
SAMPLE = {"search sample", "fetch sample"}
SITE = {"search https://danbooru.donmai.us", "fetch https://danbooru.donmai.us"}
SCFT = {"train scft", "evaluate scft", "checkpoint of scft"}
TRAIN = {f"train {system}" for system in SYSTEMS}
EVALUATE = {f"evaluate {system}" for system in SYSTEMS}
CHECKPOINTS = {f"checkpoint of {system}" for system in SYSTEMS}
END = "\n"  # of the last line of a file: the edit appends a line
EDITS = {  # file, text, its replacement, what is rerun
    "a level in the pen": ("operators/pen.py", "255", "254", SKETCHES),
    "a reworded reason": ("operators/limits.py", '"too small"', '"tiny"', {"clean"}),
    "the code of a limit": ("operators/limits.py", "round(max(sides)", "round(1 + max(sides)", {"clean"}),
    "a sentence of the dataset's card": ("packing/card.md", "illustrations", "pictures", {"pack"}),
    "a sentence of the model's card": ("models/card.md", "This network", "The network", TRAIN),
    "a space in one system": ("systems/scft.py", END, "\nSPACE = ' '\n", SCFT),
    "a comment in one system": ("systems/scft.py", END, "\n# A comment.\n", set()),
    "a hair of the artist": ("booru/artist/hair.py", END, "\nHAIR = 1\n", SAMPLE),
    "the network of the extractor": (
        "operators/anime2sketch.py", "DEPTH = 8", "DEPTH = 9", {"memo of learned sketch"},
    ),
    "the blur of cues": (  # which training draws too, for systems of several guides
        "operators/cue.py", END, "\nUNIT = 255\n", {"memo of cue", "cue"} | TRAIN | EVALUATE | CHECKPOINTS,
    ),
    "the client of sites": ("web/client.py", END, "\nTRIED = 1\n", SAMPLE | SITE),
    "how work is spread": ("run/processes.py", END, "\nWORKERS = 5\n", set()),
    "a parameter class": ("params.py", END, "\nBOUND = 1\n", set()),
    "the profile of a training step": ("training/profile.py", END, "\nSTEPS = 3\n", set()),
}  # fmt: skip


def fingerprints(root):
    """Compute every fingerprint of the code in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", FINGERPRINTS],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Copy the code; return its folder and the fingerprints before any edit."""
    root = tmp_path_factory.mktemp("copy")
    for folder in ("pipeline", "stages"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "params.yaml", root)
    return root, fingerprints(root)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_reruns_what_it_decides_and_nothing_else(edit, copy):
    root, before = copy
    name, old, new, rerun = EDITS[edit]
    path = root / "pipeline" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(new.join(text.rsplit(old, 1)), encoding="utf-8")
    try:
        after = fingerprints(root)
    finally:
        path.write_text(text, encoding="utf-8")
    assert {name for name in before if after[name] != before[name]} == rerun


@pytest.mark.parametrize("stage", ["clean", "sketch", "cue", "reference"])
def test_a_release_of_torch_reruns_no_picture(stage, copy):
    libraries = (
        "from pipeline.codehash import library_versions; import sys; print(library_versions(*sys.argv[1:]))"
    )
    module = {"reference": "warp"}.get(stage, stage)
    done = subprocess.run(
        [sys.executable, "-c", libraries, f"pipeline.operators.{module}", "pipeline.run.step"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "numpy" in done.stdout
    assert "torch" not in done.stdout
