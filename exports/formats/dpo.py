"""TRL's preference format, conversational, with an explicit prompt: what `DPOTrainer` takes as it is.

`prompt`: system turn if there is one, then the conversation up to the judged answer; `chosen`, `rejected`: one
assistant message each. Our own columns stand beside them.
"""

from __future__ import annotations

import itertools
from typing import Any

from exports.pairs import Pair
from exports.queries import Conversation

Message = dict[str, str]


def history(conversation: Conversation) -> list[Message]:
    """Everything before the judged answer: system turn, given turns, and the candidate's own earlier answers."""
    messages = [{"role": "system", "content": conversation.system}] if conversation.system else []
    own_answers = iter(conversation.texts[:-1])
    for asked, following in itertools.zip_longest(conversation.messages, conversation.messages[1:]):
        messages.append({"role": asked["role"], "content": asked["content"]})
        # A user turn that no given answer follows was answered by the candidate; the last one is being judged.
        if asked["role"] == "user" and following is not None and following["role"] != "assistant":
            messages.append({"role": "assistant", "content": next(own_answers, "")})
    return messages


def row(pair: Pair, chosen: Conversation, rejected: Conversation, round_slug: str) -> dict[str, Any]:
    """One line of the file. `chosen` and `rejected` share their history."""
    for_chosen = pair.wins if pair.chosen == pair.low else pair.losses
    return {
        "prompt": history(chosen),
        "chosen": [{"role": "assistant", "content": chosen.texts[-1]}],
        "rejected": [{"role": "assistant", "content": rejected.texts[-1]}],
        "round": round_slug,
        "prompt_set": chosen.prompt_set,
        "prompt_key": chosen.prompt_key,
        "concept": chosen.concept,
        "language": chosen.language,
        "answer_language": chosen.answer_language,
        "category": chosen.category,
        "chosen_candidate": chosen.candidate,
        "rejected_candidate": rejected.candidate,
        "output_terms": sorted({terms for terms in (chosen.output_terms, rejected.output_terms) if terms}),
        "n_votes": pair.votes,
        "n_voters": pair.n_voters,
        "votes_chosen": for_chosen,
        "votes_rejected": pair.wins + pair.losses - for_chosen,
        "votes_tie": pair.ties,
        "votes_both_bad": pair.both_bad,
        "agreement": round(pair.agreement, 4),
        "propensity": pair.propensity,
        "chosen_chars": len(chosen.texts[-1]),
        "rejected_chars": len(rejected.texts[-1]),
    }
