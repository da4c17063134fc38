"""What made a response: everything that all responses of one candidate in one run share."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from generation.engine import templates
from generation.engine.device import device_kind
from generation.engine.types import LoadedModel, Sampler

# Raise it when the loop or the sampling changes what a seed gives.
ENGINE_VERSION = 1
_LIBRARIES = ("torch", "transformers", "tokenizers")


def manifest(
    loaded: LoadedModel,
    *,
    template: str | None,
    sampler: Sampler,
    system: str | None = None,
    template_args: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """JSON-able. Where the weights lie is left out: the revision names them, wherever a worker keeps them."""
    settled = templates.resolve(template, loaded.tokenizer)
    return {
        "engine": ENGINE_VERSION,
        "revision": loaded.revision,
        "dtype": loaded.dtype,
        "device": device_kind(loaded.device),
        "template": {"sha256": settled.sha256, "args": dict(template_args or {}), "stop": list(settled.stop)},
        "system": system,
        "sampler": sampler.to_json(),
        "bos": templates.bos_check(settled, loaded.tokenizer, template_args),
        "eos": sorted(loaded.eos_ids | templates.turn_end_ids(settled, loaded.tokenizer, template_args)),
        "versions": {library: _version(library) for library in _LIBRARIES},
    }


def canonical(body: Mapping[str, Any]) -> bytes:
    """The one spelling of a manifest that is hashed."""
    return json.dumps(
        body, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def sha256(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(body)).hexdigest()


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
