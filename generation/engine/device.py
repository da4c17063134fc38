"""All that depends on the device: where to compute, how precisely, what running out of memory looks like."""

import os

import torch

_DTYPES = {
    "float32": torch.float32, "fp32": torch.float32,
    "bfloat16": torch.bfloat16, "bf16": torch.bfloat16,
    "float16": torch.float16, "fp16": torch.float16,
}  # fmt: skip


def pick_device() -> torch.device:
    """CUDA (or ROCm, which torch shows as CUDA), then Apple's GPU, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The precision that `name` asks for; "auto" (or "") is bfloat16 where a GPU has it, float32 on a CPU."""
    if name not in ("", "auto"):
        if name not in _DTYPES:
            raise ValueError(f"Unknown dtype {name!r}; known are auto, {', '.join(_DTYPES)}.")
        return _DTYPES[name]
    if device.type == "cpu":
        return torch.float32  # bfloat16 gains nothing on most CPUs
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def limit_threads(threads: int | None = None) -> int:
    """Bound the CPU threads of torch; by default what TORCH_THREADS says, else one.

    One thread with batching is steadier than several on a machine that also serves the site.
    """
    wanted = threads or int(os.environ.get("TORCH_THREADS") or 1)
    torch.set_num_threads(wanted)
    return wanted


def device_kind(device: torch.device | str) -> str:
    """The kind of hardware, for the manifest: two cards of one kind give the same name."""
    device = torch.device(device)
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return {"mps": "apple-gpu", "cpu": f"cpu ({torch.backends.cpu.get_cpu_capability()})"}.get(
        device.type, device.type
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch might help. The CPU's allocator and Apple's raise a bare RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def free_cached_memory(device: torch.device | str) -> None:
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.empty_cache()
    elif kind == "mps":
        torch.mps.empty_cache()
