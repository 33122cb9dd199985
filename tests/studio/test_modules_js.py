"""The modules of the page fit together."""

import json
import subprocess

from node import NODE, WEB, needs_node

IMPORT_ALL = """
const broken = [];
for (const address of JSON.parse(process.argv[1])) {
  await import(address).catch((error) => {
    if (error instanceof SyntaxError) broken.push(`${address}: ${error.message}`);
  });
}
console.log(JSON.stringify(broken));
process.exit();
"""


@needs_node
def test_every_module_finds_what_it_imports():
    """Without a page most fail when they run, but what they name is looked for before."""
    modules = [path.as_uri() for path in sorted(WEB.rglob("*.js"))]
    assert len(modules) > 20
    ran = subprocess.run(
        [NODE, "--input-type=module", "--eval", IMPORT_ALL, json.dumps(modules)],
        stdout=subprocess.PIPE, timeout=120, check=True,
    )  # fmt: skip
    assert json.loads(ran.stdout) == []
