"""manage.py register_candidate LABEL --checkpoint NAME --hub ORG/MODEL | --path FOLDER [--sampler KEY=VALUE …]"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from generation import candidates
from generation.errors import GenerationError
from generation.models import Checkpoint


class Command(BaseCommand):
    help = (
        "Name a candidate: a checkpoint with its template, system prompt and sampler. Twice changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("label")
        parser.add_argument("--checkpoint", required=True, metavar="NAME")
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--hub", metavar="ORG/MODEL", help="a model on the Hugging Face hub")
        where.add_argument("--path", help="a folder of transformers' files, or a GGUF file, on the GPU box")
        parser.add_argument("--revision", default="")
        parser.add_argument(
            "--dtype", default="", help="bf16, fp16 or float32; left out: what the device does best"
        )
        parser.add_argument("--template", help="preset:NAME or Jinja; left out: the tokenizer's own")
        parser.add_argument("--system", default="")
        parser.add_argument(
            "--sampler",
            nargs="*",
            default=[],
            metavar="KEY=VALUE",
            help="temperature=0.5 top_p=0.95 min_p=0.1 …",
        )

    @transaction.atomic
    def handle(self, *args: Any, label: str, checkpoint: str, **options: Any) -> None:
        try:
            made = candidates.register(
                checkpoint=_checkpoint(checkpoint, **options),
                label=label,
                template=options["template"],
                system=options["system"],
                sampler=dict(_setting(one) for one in options["sampler"]),
            )
        except GenerationError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Candidate {made.label!r} on checkpoint {made.checkpoint.name!r}.")


def _checkpoint(
    name: str, *, hub: str | None, path: str | None, revision: str, dtype: str, **_: Any
) -> Checkpoint:
    found = Checkpoint.objects.filter(name=name).first()
    wanted = {
        "source": "hub" if hub else "path",
        "location": hub or path or "",
        "revision": revision,
        "dtype": dtype,
    }
    if found is None:
        if not (hub or path):
            raise CommandError(
                f"Checkpoint {name!r} is new: say where it is with --hub ORG/MODEL or --path FOLDER."
            )
        return Checkpoint.objects.create(name=name, **wanted)
    if (hub or path) and any(getattr(found, field) != value for field, value in wanted.items()):
        raise CommandError(
            f"Checkpoint {name!r} is there already, as {found.source} {found.location} {found.revision}".rstrip()
            + ". Other weights are another checkpoint: take another name."
        )
    return found


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"--sampler {text!r} is not KEY=VALUE, such as temperature=0.5.")
    try:
        return key, json.loads(value.lower())
    except json.JSONDecodeError:
        return key, value
