import pytest

from generation.engine import templates
from generation.engine.types import TemplateError
from tests.generation.tinymodel import CHAT_TEMPLATE, build_tokenizer

ASK = [{"role": "user", "content": "Hello"}]
PLAIN = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def render(tokenizer, messages=ASK, *, template=None, system=None, **template_args):
    settled = templates.resolve(template, tokenizer)
    return templates.render(
        messages, system=system, template=settled, tokenizer=tokenizer, template_args=template_args
    )


@pytest.mark.parametrize("written", [0, 1, 2])
def test_exactly_one_bos_leads_however_many_the_template_writes(tokenizer, written):
    ids = templates.encode("<s>" * written + "Hello", tokenizer)
    assert ids[0] == tokenizer.bos_token_id and ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.decode(ids[1:]) == "Hello"


def test_the_bos_of_later_turns_stays(tokenizer):
    ids = templates.encode("<s>one<s>two", tokenizer)
    assert tokenizer.decode(ids) == "<s>one<s>two"


def test_a_tokenizer_that_puts_no_bos_itself_gets_none(tokenizer):
    bare = build_tokenizer()
    bare._tokenizer.post_processor = None
    assert templates.encode("Hello", bare)[0] != bare.bos_token_id
    assert templates.encode("<s><s>Hello", bare).count(bare.bos_token_id) == 1


def test_the_bos_check_tells_what_the_template_wrote(tokenizer):
    twice = templates.Template("<s>" + CHAT_TEMPLATE)
    assert templates.bos_check(twice, tokenizer) == {"token": "<s>", "rendered": 2, "sent": 1}


def test_the_candidates_template_comes_before_the_tokenizers(tokenizer):
    assert render(tokenizer, template=PLAIN) == "Hello"
    assert render(tokenizer) == "<s><|user|>Hello<|end|><|assistant|>"


def test_system_message_and_template_arguments_reach_the_template(tokenizer):
    thinking = PLAIN + "{% if enable_thinking %}<think>{% endif %}"
    assert (
        render(tokenizer, template=thinking, system="Be kind. ", enable_thinking=True)
        == "Be kind. Hello<think>"
    )


def test_without_a_template_it_asks_for_a_preset():
    with pytest.raises(TemplateError, match="preset:gemma-plain"):
        render(build_tokenizer(chat_template=None))


def test_an_unknown_preset_is_refused(tokenizer):
    with pytest.raises(TemplateError, match="known are gemma-plain"):
        render(tokenizer, template="preset:nothing")


@pytest.mark.parametrize(
    "broken", ["{{ raise_exception('no system please') }}", "{% for %}", "{{ missing.name }}"]
)
def test_a_template_that_fails_says_why(tokenizer, broken):
    with pytest.raises(TemplateError, match="cannot render this conversation: .+"):
        render(tokenizer, template=broken)


def test_the_token_after_an_answer_ends_it(tokenizer):
    settled = templates.resolve(None, tokenizer)
    assert templates.turn_end_ids(settled, tokenizer) == {tokenizer.convert_tokens_to_ids("<|end|>")}
    assert templates.turn_end_ids(templates.Template(PLAIN), tokenizer) == frozenset()


@pytest.mark.parametrize("preset", ["preset:gemma-plain", "preset:gemma-three-examples"])
def test_presets_label_each_turn_in_the_language_of_its_question(tokenizer, preset):
    messages = [
        {"role": "user", "content": "首都はどこですか。"},
        {"role": "assistant", "content": "東京です。"},
        {"role": "user", "content": "What does ありがとう mean?"},
    ]
    text = render(tokenizer, messages, template=preset, system="Be brief.")
    assert text.startswith("Be brief.\n\n")
    assert text.endswith(
        "質問：首都はどこですか。\n回答：東京です。\n\nQuestion: What does ありがとう mean?\nAnswer:"
    )


def test_the_three_examples_stand_before_the_first_question(tokenizer):
    text = render(tokenizer, template="preset:gemma-three-examples")
    assert text.count("\n回答：") + text.count("\nAnswer:") == 4
    assert templates.resolve("preset:gemma-three-examples", tokenizer).stop


def test_the_tiny_models_prompt_is_a_prefix_of_prompt_and_answer(tokenizer):
    whole = tokenizer.apply_chat_template([*ASK, {"role": "assistant", "content": "Hi"}], tokenize=False)
    assert whole.startswith(render(tokenizer))
