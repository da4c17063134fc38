from pathlib import Path

import pytest
import torch

from generation.engine.checkpoints import load
from generation.engine.types import LoadedModel
from tests.generation.tinymodel import build_tiny_model


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_folder, tmp_path_factory) -> LoadedModel:
    return load(source="path", location=str(tiny_folder), cache_dir=tmp_path_factory.mktemp("cache"))
