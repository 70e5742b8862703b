"""Write the reference pages that come from the code: command lines, settings, public interface.

    python .ci/reference.py    # writes docs/reference/{commands,settings,api}.md, adr/README.md

A test says when they are stale. Flags come from the parsers, so a page does not depend on how a
Python draws `--help`; settings and names come from docstrings, which griffe reads.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "reference"
WIDTH = 100
NOTE = "<!-- Written by `make reference` from {}; do not edit. -->"
TABLES = {
    "RunConfig": ("Top of the file", "Above all tables."),
    "SourceConfig": (
        "[source]",
        "One stream. Several are `[[source]]` tables, each with a `name` of its own.",
    ),
    "WindowConfig": ("[window]", ""),
    "EventSpec": (
        "[events]",
        "What is not set is the bundle's; the defaults here are of a bundle that says nothing. "
        "`python run_stream.py --source demo --print-config` prints what holds. A new `on` or "
        "`off` holds for all labels, and puts the bundle's own `per_label` aside.",
    ),
    "PublisherConfig": ("[publisher]", "`publisher = false` at the top opens no socket."),
    "RecordConfig": ("[record]", "Without `directory` nothing is recorded."),
    "MqttConfig": ("[mqtt]", "Without `host` no broker is told."),
    "HistoryConfig": (
        "[history]",
        "With recordings `file` is `history.db` in their folder. `history = false` at the top "
        "keeps none.",
    ),
    "WebConfig": ("[web]", "Without `bind` there is no page."),
    "RulesConfig": ("[rules]", "What all rules share."),
    "RuleConfig": ("[[rule]]", "One a rule; see [rules.md](../guide/rules.md)."),
    "ProfileConfig": ("[[profile]]", "One a profile that has times of its own."),
}
NOT_IN_A_FILE = {
    "RunConfig": {
        "source",
        "more_sources",
        "window",
        "publisher",
        "record",
        "history",
        "mqtt",
        "web",
        "rules",
        "events",
    },
    "RulesConfig": {"rules", "profiles"},
    "EventSpec": {"background"},
}


def main() -> int:
    """Write all pages."""
    for name, text in pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")
    return 0


def pages() -> dict[str, str]:
    """Return each page's text by its name in `docs/reference`."""
    sys.path.insert(0, str(ROOT))
    package = griffe.load("realtime", search_paths=[ROOT])
    events = griffe.load("weights", search_paths=[ROOT])["event_spec.EventSpec"]
    written = {
        "commands.md": _commands(),
        "settings.md": _settings(package, events),
        "api.md": _interface(package),
        "../design/adr/README.md": _decisions(),
    }
    return {
        name: re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"
        for name, lines in written.items()
    }


def _decisions() -> Iterator[str]:
    yield from _head("Decisions", "the decisions' titles")
    yield from _wrapped("What is hard to undo, and why it is so. The newest is the last.")
    yield ""
    for path in sorted((PAGES.parent / "design" / "adr").glob("0*.md")):
        number, _, title = (
            path.read_text("utf-8").partition("\n")[0].removeprefix("# ").partition(". ")
        )
        yield from _item(f"{number}. [{title}]({path.name})", "")


def _commands() -> Iterator[str]:
    import export.__main__
    import extractors.__main__
    import mafnet.__main__
    import realtime.client.history
    import realtime.client.keys
    import realtime.client.rules
    import realtime.client.subscribe
    import realtime.cluster.edge.command
    import realtime.cluster.pool.command
    import realtime.command_line.flags
    import realtime.completion
    import weights.__main__

    yield from _head("Command lines", "the parsers")
    yield from _wrapped(
        "`mafnet-live`, `python -m realtime` and, in a checkout, `python run_stream.py` are one "
        "command; so are `mafnet-train` and `python -m mafnet train`. Each has `--help`. A flag "
        "wins over a settings file."
    )
    live = realtime.command_line.flags.make_parser()
    yield from _command("mafnet-live", live.description or "", live)
    subscribe = realtime.client.subscribe.make_parser()
    yield from _command("mafnet-subscribe", subscribe.description or "", subscribe)
    completion = realtime.completion.make_parser()
    yield from _command("mafnet-completion", completion.description or "", completion)
    for name, parser, scripts in (
        ("mafnet-keys", realtime.client.keys.make_parser(), {}),
        ("mafnet-history", realtime.client.history.make_parser(), {}),
        ("mafnet-rules", realtime.client.rules.make_parser(), {}),
        ("python -m realtime.edge", realtime.cluster.edge.command.make_parser(), {}),
        ("python -m realtime.pool", realtime.cluster.pool.command.make_parser(), {}),
        ("mafnet-weights", weights.__main__.make_parser(), {}),
        ("python -m mafnet", mafnet.__main__.make_parser(), {"train": "mafnet-train"}),
        ("python -m extractors", extractors.__main__.make_parser(), {}),
        ("mafnet-export", export.__main__.make_parser(), {}),
    ):
        yield from ("", f"## {name}", "")
        yield from _wrapped(parser.description or "")
        yield from _flags(parser)
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                told = {choice.dest: choice.help or "" for choice in action._choices_actions}
                for word, sub in action.choices.items():
                    title = f"{name} {word}"
                    also = f" It is also called `{scripts[word]}`." if word in scripts else ""
                    yield from _command(title, f"{_sentence(told[word])}{also}", sub, "###")


def _command(
    title: str, text: str, parser: argparse.ArgumentParser, level: str = "##"
) -> Iterator[str]:
    yield from ("", f"{level} {title}", "")
    yield from _wrapped(text)
    yield from _flags(parser)


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    for group in parser._action_groups:
        actions = [
            action
            for action in group._group_actions
            if not isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
            and action.help != argparse.SUPPRESS
        ]
        if not actions:
            continue
        yield ""
        if group.title not in ("options", "positional arguments"):
            yield from (f"*{(group.title or '').capitalize()}*", "")
        for action in actions:
            yield from _item(_called(action), _told(action))


def _called(action: argparse.Action) -> str:
    metavar = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    value = "" if action.nargs == 0 else f" {metavar}" + (" …" if action.nargs == "+" else "")
    names = "`, `".join(action.option_strings)
    return f"`{names}{value}`" + (" (required)" if action.required else "")


def _told(action: argparse.Action) -> str:
    text = (action.help or "").replace("%(default)s", str(action.default))
    silent = (None, False, argparse.SUPPRESS)
    if action.default in silent or isinstance(action.default, list) or "default" in text:
        return text
    shown = f"{action.default:g}" if isinstance(action.default, float) else str(action.default)
    if f"({shown})" in text:
        return text
    return f"{text} (default: {shown})".strip()


def _settings(package: griffe.Module, events: griffe.Class) -> Iterator[str]:
    import realtime.config
    from weights.event_spec import EventSpec

    yield from _head("Settings", "the settings' dataclasses")
    yield from _wrapped(
        "A settings file is TOML: `--config FILE.toml`, or `config=` in a program. Defaults give "
        "way to the file, the file to flags and keywords. `--print-config` prints what holds. "
        "A name that there is not, or a value that cannot work, is one sentence and exit code 2."
    )
    for name, (title, text) in TABLES.items():
        yield from ("", f"## {title}", "")
        if text:
            yield from (*_wrapped(text), "")
        owner = events if name == "EventSpec" else package[f"config.{name}"]
        kind = EventSpec if name == "EventSpec" else getattr(realtime.config, name)
        told = _attributes(owner)
        for field in dataclasses.fields(kind):
            if field.name in NOT_IN_A_FILE.get(name, ()):
                continue
            yield from _item(f"`{field.name}`{_default(field)}", told[field.name])


def _default(field: dataclasses.Field[object]) -> str:
    if field.name == "confirm":
        return ", in a file `confirm_n = 2` and `confirm_m = 3`"
    if field.default_factory is not dataclasses.MISSING:
        return ""
    if field.default is dataclasses.MISSING:
        return ""
    if field.default is None:
        return ", not set"
    value = field.default
    text = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
    if isinstance(value, tuple):
        text = str(list(value))
    return f" = `{text or repr(value).replace(chr(39), chr(34))}`"


def _attributes(owner: griffe.Class) -> dict[str, str]:
    for section in _sections(owner):
        if section.kind is griffe.DocstringSectionKind.attributes:
            return {each.name: each.description for each in section.value}
    return {}


def _interface(package: griffe.Module) -> Iterator[str]:
    import realtime

    yield from _head("Public interface", "the docstrings of what `realtime` exports")
    yield from _wrapped(
        "`from realtime import …`. Each name is loaded when it is first asked for. "
        "[ADR 18](../design/adr/0018-public-interface.md) says what is promised of them."
    )
    public = [name for name in realtime.__all__ if name != "__version__"]
    yield ""
    for name in sorted(public, key=str.casefold):
        yield f"- [{name}](#{name.lower()})"
    for name in sorted(public, key=str.casefold):
        alias = package[name]
        found = alias.final_target if alias.is_alias else alias
        yield from ("", f"## {name}")
        yield from _described(found)
        if isinstance(found, griffe.Class):
            yield from _members(found)


def _members(owner: griffe.Class) -> Iterator[str]:
    kinds = [str(base) for base in owner.bases if not str(base).startswith("Protocol")]
    if kinds:
        yield from ("", f"Kind of: `{'`, `'.join(kinds)}`.")
    if any("Enum" in kind for kind in kinds):
        yield ""
        for name, member in owner.members.items():
            yield f"- `{name} = {member.value}`"
        return
    for name, member in owner.members.items():
        if name.startswith("_") or member.is_alias or member.docstring is None:
            continue
        yield from ("", f"### {owner.name}.{name}")
        yield from _described(member)


def _described(found: griffe.Object | griffe.Alias) -> Iterator[str]:
    yield from _signature(found)
    for section in _sections(found):
        yield ""
        if section.kind is griffe.DocstringSectionKind.attributes and found.name in TABLES:
            yield "Its fields are told among the [settings](settings.md)."
            continue
        if section.kind is griffe.DocstringSectionKind.text:
            for paragraph in section.value.split("\n\n"):
                yield from (*_paragraph(paragraph), "")
            continue
        yield from (f"*{section.kind.value.capitalize()}*", "")
        for each in section.value:
            name = getattr(each, "name", "") or ""
            if section.kind is griffe.DocstringSectionKind.raises:
                name = str(each.annotation)
            yield from _item(f"`{name}`" if name else "", each.description)


def _sections(found: griffe.Object | griffe.Alias) -> list[griffe.DocstringSection]:
    if found.docstring is None:
        return []
    return found.docstring.parse("google", returns_multiple_items=False, warnings=False)


def _paragraph(text: str) -> list[str]:
    if text.startswith("    "):
        return ["```python", *textwrap.dedent(text).splitlines(), "```"]
    return _wrapped(_plain(text))


def _signature(found: griffe.Object | griffe.Alias) -> Iterator[str]:
    call = found
    if isinstance(found, griffe.Class):
        if "__init__" not in found.members or "exception" in found.labels:
            return
        call = found.members["__init__"]
        if any(str(base).endswith(("Error", "Missing", "Enum")) for base in found.bases):
            return
    if not isinstance(call, griffe.Function):
        annotation = getattr(found, "annotation", None)
        yield from ("", f"`{found.name}: {annotation}`" if annotation else "")
        return
    parameters = [_parameter(each) for each in call.parameters if each.name not in ("self", "cls")]
    named = list(call.parameters)
    for k, each in enumerate(p for p in named if p.name not in ("self", "cls")):
        if each.kind is griffe.ParameterKind.keyword_only:
            parameters.insert(k, "*")
            break
    returns = f" -> {call.returns}" if call.returns and call is found else ""
    line = f"{found.name}({', '.join(parameters)}){returns}"
    yield from ("", "```python")
    if len(line) <= WIDTH:
        yield line
    else:
        yield f"{found.name}("
        yield from (f"    {each}," for each in parameters)
        yield f"){returns}"
    yield "```"


def _parameter(parameter: griffe.Parameter) -> str:
    annotation = f": {parameter.annotation}" if parameter.annotation else ""
    if parameter.default is None or parameter.kind in (
        griffe.ParameterKind.var_positional,
        griffe.ParameterKind.var_keyword,
    ):
        return f"{parameter.name}{annotation}"
    return f"{parameter.name}{annotation} = {parameter.default}"


def _head(title: str, source: str) -> Iterator[str]:
    yield from (f"# {title}", "", NOTE.format(source), "")


def _item(name: str, text: str) -> list[str]:
    joined = f"{name}: {_plain(text)}" if name and text else name or _plain(text)
    return textwrap.wrap(
        f"- {joined}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


if __name__ == "__main__":
    sys.exit(main())
