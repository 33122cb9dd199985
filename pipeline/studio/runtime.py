"""The three files of ONNX Runtime Web that compute a network in the browser: one version, by its hashes."""

import hashlib
import io
import shutil
import subprocess
import tarfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline import files
from pipeline.errors import Halt
from pipeline.untrusted import safe_text

PACKAGE, PACKAGE_VERSION = "onnxruntime-web", "1.30.0"
RUNTIME_SUMS = {  # SHA-256 by name in the package
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
RUNTIME_NAMES = {  # on a page: some static servers do not know .mjs
    "ort.wasm.min.mjs": "ort.js",
    "ort-wasm-simd-threaded.mjs": "ort-loader.js",
    "ort-wasm-simd-threaded.wasm": "ort.wasm",
}
FOLDERS = ("", "dist", "package/dist")  # of an unpacked package, where the files may be
MOST_FILE_BYTES = 64 * 2**20  # of a file in the package
NPM_SECONDS = 600


def find_runtime(runtime: str | None, cache: Path) -> dict[str, bytes]:
    """Return the files by their names on a page.

    `runtime` is a folder that has them, "npm" to take the package from npm into the cache, or None for those
    in the cache. Raise Halt if a file is missing or another one.
    """
    kept = cache / f"{PACKAGE}-{PACKAGE_VERSION}"
    if runtime == "npm":
        keep_package(kept)
    elif runtime is None and not all((kept / name).is_file() for name in RUNTIME_SUMS):
        raise Halt(
            f"{kept} is missing: add --runtime npm, which takes {PACKAGE} {PACKAGE_VERSION} from npm, or"
            " --runtime with the folder of that package"
        )
    folder = kept if runtime in ("npm", None) else Path(runtime)
    return {RUNTIME_NAMES[name]: read_checked(folder, name) for name in RUNTIME_SUMS}


def read_checked(folder: Path, name: str) -> bytes:
    """Read a file of the package from its folder. Raise Halt if it is missing or another one."""
    found = next((path for each in FOLDERS if (path := folder / each / name).is_file()), None)
    if found is None:
        raise Halt(f"{folder} has no {name}: name the folder of {PACKAGE} {PACKAGE_VERSION}")
    data = found.read_bytes()
    check_sum(name, data, str(found))
    return data


def check_sum(name: str, data: bytes, place: str) -> None:
    if hashlib.sha256(data).hexdigest() != RUNTIME_SUMS[name]:
        raise Halt(f"{place} is not that of {PACKAGE} {PACKAGE_VERSION}: remove it, and add --runtime npm")


def keep_package(folder: Path) -> None:
    """Take the package from npm, and keep its files in a folder, unless they are there."""
    if all((folder / name).is_file() for name in RUNTIME_SUMS):
        return
    for name, data in unpack_runtime(download_package()).items():
        files.write(folder / name, data)


def download_package() -> bytes:
    """Return the package as npm packs it. Raise Halt if npm is missing or fails."""
    npm = shutil.which("npm")
    if npm is None:
        raise Halt("npm is missing: install Node.js, or name the folder of the package by --runtime")
    with TemporaryDirectory(prefix="prep-") as folder:
        wanted = f"{PACKAGE}@{PACKAGE_VERSION}"
        words = [npm, "pack", wanted, "--ignore-scripts", "--pack-destination", folder]
        try:
            done = subprocess.run(words, cwd=folder, capture_output=True, timeout=NPM_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise Halt(f"npm did not answer in {NPM_SECONDS} seconds: try again") from None
        packed = sorted(Path(folder).glob("*.tgz"))
        if done.returncode or not packed:
            said = safe_text(done.stderr.decode("utf-8", "replace").strip()[-300:])
            raise Halt(f"npm cannot take {PACKAGE} {PACKAGE_VERSION} ({said}): see that npm works here")
        return packed[0].read_bytes()


def unpack_runtime(package: bytes) -> dict[str, bytes]:
    """Return the files of a package by name; no other is read. Raise Halt if one is missing or wrong."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(package)) as archive:
            for member in archive:
                name = member.name.removeprefix("package/dist/")
                stream = archive.extractfile(member) if name in RUNTIME_SUMS else None
                if stream and member.size <= MOST_FILE_BYTES:
                    found[name] = stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise Halt(f"the package of npm is damaged ({error}): try again") from None
    for name in RUNTIME_SUMS:
        check_sum(name, found.get(name, b""), f"{name} of npm's package")
    return found
