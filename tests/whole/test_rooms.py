"""The rooms of the library: what each may import, and how large it may be."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from pipeline.codehash import imported_names

ROOT = Path(__file__).parent.parent.parent
LIBRARY = ROOT / "pipeline"
MAY_IMPORT = {  # besides the modules at the root; each room comes after those that it imports
    "images": "",
    "shards": "",
    "operators": "images",
    "run": "images shards",
    "web": "",
    "sources": "images shards web",
    "local": "images shards sources",
    "booru": "images run sources local",
    "packing": "shards operators run",
    "batches": "images shards operators",
    "systems": "",
    "models": "images shards operators run batches systems",
    "training": "shards batches systems models",
    "evaluation": "images shards operators batches systems models",
    "upkeep": "shards operators run sources",
    "studio": "images shards operators run sources packing models evaluation upkeep",
}
ROOT_MODULES = {path.stem for path in LIBRARY.glob("*.py")} - {"__init__"}


def room_imports(path):
    """Return the rooms and root modules that one file imports."""
    names = [name.split(".") for name in imported_names(path)]
    return {name[1] for name in names if name[0] == "pipeline" and len(name) > 1}


def files(room):
    """List the modules of a room; the artist is a room within the booru."""
    return sorted((LIBRARY / room).rglob("*.py"))


def test_the_table_names_every_room():
    assert set(MAY_IMPORT) == {path.parent.name for path in LIBRARY.glob("*/__init__.py")}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_that_it_may(room):
    allowed = {room, *MAY_IMPORT[room].split(), *ROOT_MODULES}
    for path in files(room):
        found = {name for name in room_imports(path) if name in MAY_IMPORT or name in ROOT_MODULES}
        assert found <= allowed, path.relative_to(ROOT)


def test_imports_go_one_way():
    rooms = list(MAY_IMPORT)
    for number, (room, allowed) in enumerate(MAY_IMPORT.items()):
        assert set(allowed.split()) <= set(rooms[:number]), room


@pytest.mark.parametrize("module", sorted(ROOT_MODULES))
def test_a_module_at_the_root_imports_no_room(module):
    assert not room_imports(LIBRARY / f"{module}.py") & set(MAY_IMPORT)


def test_operators_do_without_torch_and_without_shards():
    for path in files("operators"):
        roots = {name.partition(".")[0] for name in imported_names(path)}
        assert "torch" not in roots or path.name == "anime2sketch.py", path


def test_only_stages_open_the_site_on_loopback():
    for path in sorted(LIBRARY.rglob("*.py")):
        assert "booru" not in room_imports(path) or "booru" in path.relative_to(LIBRARY).parts, path


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_has_at_most_a_dozen_files(room):
    for folder in {path.parent for path in files(room)}:
        assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 12


def test_the_library_never_imports_the_commands_nor_dvc_nor_typer():
    for path in sorted(LIBRARY.rglob("*.py")):
        roots = {name.partition(".")[0] for name in imported_names(path)}
        assert not roots & {"stages", "typer", "dvc", "dvclive"}, path


def test_a_name_has_one_home():
    """Each system may name its instance and the weights of its losses as the others do."""
    homes = defaultdict(set)
    for path in [*LIBRARY.rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        for name in defined_names(ast.parse(path.read_text(encoding="utf-8"))):
            homes[name].add("systems" if path.parent.name == "systems" else path.relative_to(ROOT).as_posix())
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def defined_names(module):
    """Yield the names that a module defines at its top level."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (
                each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)
            )
