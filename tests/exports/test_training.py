"""The file is what a trainer needs: `datasets` loads it and TRL's DPOTrainer takes two steps on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from exports import export
from tests import factories
from tests.generation import tinymodel
from voting.models import Round, Voter

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(arena: Round, voter: Voter, tmp_path: Path) -> Path:
    factories.cast_many(
        arena, voter, lambda comparison: "left" if comparison.lo_is_left else "right", limit=12
    )
    path = tmp_path / "pairs.jsonl"
    export.run(round=arena, format="dpo", path=path)
    return path


def test_dpo_trainer_trains_on_the_file_as_it_is(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import torch
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    torch.set_num_threads(1)
    model = tmp_path / "model"
    tinymodel.build_tiny_model(model)
    data = load_dataset("json", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(data) == 12 and {"prompt", "chosen", "rejected"} <= set(data.column_names)
    trainer = DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(model),
        args=DPOConfig(
            output_dir=str(tmp_path / "run"), max_steps=2, per_device_train_batch_size=2, learning_rate=1e-3,
            report_to=[], use_cpu=True, save_strategy="no", logging_steps=1,
        ),
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(model),
    )  # fmt: skip
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2 and losses[1] < losses[0] == pytest.approx(0.693, abs=0.01)
