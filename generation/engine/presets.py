"""Chat templates of our own, for base models that come without one, each with what ends an answer under it.

Questions in Japanese and in English get their labels in their own language: a base model goes on in the
language that it just read, and mixed labels make it drift.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    text: str
    stop: tuple[str, ...]


# A system message stands on top as plain text: a base model knows no roles.
_SYSTEM = """\
{%- set ns = namespace(answer='') -%}
{%- for message in messages if message.role == 'system' -%}
{{- message.content | trim + '\\n\\n' -}}
{%- endfor -%}
"""

# The first characters tell the language of the question: what is to be translated or quoted comes later.
_CONVERSATION = """\
{%- macro is_japanese(text) -%}
{%- for char in (text | trim)[:8] if '\u3000' <= char <= '\u9fff' -%}
{%- if loop.first -%}1{%- endif -%}
{%- endfor -%}
{%- endmacro -%}
{%- for message in messages -%}
{%- if message.role == 'user' -%}
{{- ('質問：' if is_japanese(message.content) else 'Question: ') + message.content | trim + '\\n' -}}
{%- set ns.answer = '回答：' if is_japanese(message.content) else 'Answer:' -%}
{%- elif message.role == 'assistant' -%}
{{- ns.answer + ('' if ns.answer == '回答：' else ' ') + message.content | trim + '\\n\\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- ns.answer -}}{%- endif -%}
"""

# The last one is a token of Gemma's that its GGUF file does not mark as special.
_STOP = ("\n\n", "質問：", "\n回答：", "\nQuestion:", "\nAnswer:", "<start_of_image>")

# Written for this project. Alternating languages, so that neither is the one to go on in.
_EXAMPLES = """\
質問：日本でいちばん高い山は何ですか。
回答：日本でいちばん高い山は富士山です。高さは3776メートルで、静岡県と山梨県にまたがっています。

Question: How can I keep bread fresh for longer?
Answer: Keep it in a paper bag or a bread box at room temperature, away from the sun. \
Slice and freeze what you will not eat within two days; frozen slices can go straight into the toaster.

質問：友だちに本を返すのが遅れました。おわびの一言を考えてください。
回答：「本を返すのが遅くなって、本当にごめんなさい。とてもおもしろかったです。今度お茶をごちそうさせてください。」

"""

PRESETS = {
    "gemma-plain": Preset(_SYSTEM + _CONVERSATION, _STOP),
    "gemma-three-examples": Preset(_SYSTEM + "{{- " + repr(_EXAMPLES) + " -}}\n" + _CONVERSATION, _STOP),
}
