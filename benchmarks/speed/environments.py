"""What each side runs in. The peers' environment is made on first use, and kept for later ones.

Making it needs Python 3.12.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from iterate_core.storage.cache import cache_folder

REQUIREMENTS = Path(__file__).parent / "peers/requirements.txt"
SHARED = ("torch", "timm")  # the same arithmetic on every side

# No network, no GPU, no drawn progress.
COMMON: dict[str, str | None] = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "TERM": "dumb"}
# Ours must not be imported there; the peer keeps MLflow's runs in files, which is to be allowed.
THEIRS: dict[str, str | None] = {
    **COMMON,
    "PYTHONPATH": None,
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "GEOBENCH_V1_NO_HF_DOWNLOAD": "1",
}


def ours(cache: Path) -> dict[str, str | None]:
    """The environment of our commands, with what they derive kept in a folder.

    How many threads each process has they decide themselves, within the cores that they may use.
    """
    return {**COMMON, "OMP_NUM_THREADS": None, "ITERATE_CACHE": str(cache)}


def peers(folder: Path | None, python: str) -> Path:
    """The folder of the programs of an environment that holds the peers, byte-compiled.

    Args:
        folder: Of the environment; None takes one in the cache folder.
        python: What uv makes it with: a version, or the path of an interpreter.
    """
    folder = folder or cache_folder() / "speed/peers"
    pins = [f"{name}=={metadata.version(name).partition('+')[0]}" for name in SHARED]
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + " ".join(pins).encode()).hexdigest()
    ready = folder / "installed"
    if not ready.is_file() or ready.read_text(encoding="ascii") != wanted:
        print(f"Installing the peers into {folder}", file=sys.stderr)
        _uv("venv", "--allow-existing", "--python", python, str(folder))
        of_it = ("--python", str(folder / "bin/python"), "--compile-bytecode")
        _uv("pip", "install", *of_it, "--requirement", str(REQUIREMENTS), *pins)
        ready.write_text(wanted, encoding="ascii")
    return folder / "bin"


def _uv(*words: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-m", "uv", "--quiet", *words], check=True, env=environment)
