"""A command or option that cannot be used, said in one line as every other error is: what is wrong, and the way out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer
from typer._click.exceptions import NoArgsIsHelpError, NoSuchOption, UsageError
from typer.core import TyperGroup

from onstudy.errors import OnstudyError, nearest

if TYPE_CHECKING:
    from typer._click.core import Context

_NO_COMMAND = re.compile(r"No such command '(.*)'\.", re.DOTALL)
_NO_NUMBER = re.compile(r"is not a valid int( range)?\.")


def run(app: typer.Typer) -> int:
    """Run the command line; the exit code. Raises `OnstudyError` for what it was wrongly given."""
    try:
        return int(app(standalone_mode=False) or 0)
    except NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except UsageError as error:
        raise OnstudyError(_said(error)) from None


def _said(error: UsageError) -> str:
    found, context = _what(error), error.ctx
    words = found[:300]  # what was typed may be long; its line breaks are escaped already
    if context is None:
        return words
    return f"{words}{' See' if words.endswith('?') else '; see'} `onstudy {_named(context)}--help`"


def _what(error: UsageError) -> str:
    """What is wrong, with the nearest right name."""
    if isinstance(error, NoSuchOption):
        name = error.option_name
        return f"there is no option {name}{nearest(name, _options(error.ctx)) if name.startswith('--') else ''}"
    message = error.format_message()
    unknown = _NO_COMMAND.match(message)
    if unknown:
        return f"there is no command {unknown[1]!r}{nearest(unknown[1], _commands(error.ctx))}"
    message = _NO_NUMBER.sub("is not a whole number", message).rstrip(".")
    return message[:1].lower() + message[1:]


def _options(context: Context | None) -> list[str]:
    """The long options of a command."""
    params = context.command.params if context is not None else ()
    return [name for param in params for name in param.opts if name.startswith("--")]


def _commands(context: Context | None) -> list[str]:
    return list(context.command.commands) if context is not None and isinstance(context.command, TyperGroup) else []


def _named(context: Context) -> str:
    """The command as it is typed after `onstudy`, with a space behind each word."""
    own = f"{context.info_name} " if context.parent is not None else ""
    return (_named(context.parent) if context.parent is not None else "") + own
