"""Running a command: its settings, its event loop, and its end, which is told in one sentence and by an exit code."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TypeVar

import typer
from rich.text import Text

from ..errors import ClewError, DeniedError, FullError, InvalidError
from ..limits import check_id
from ..settings import Settings
from .exits import INTERRUPTED, INVALID, OK, UNEXPECTED, exit_code
from .screen import clean, err

T = TypeVar("T")

_USAGE = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""The base of what is wrong with a command line; typer has it from a click of its own, or from the one installed."""


def start(app: typer.Typer, words: Sequence[str]) -> int:
    """Run the command that the words name, and return its exit code. Nothing is raised but what ends a process."""
    as_json = "--json" in words
    # Text that the terminal's encoding does not have is shown by its number.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        ended = typer.main.get_command(app).main(args=list(words) or ["--help"], prog_name="clew", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        if sys.stderr.isatty():
            sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone: there is nobody left to tell, and nothing to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return OK
    except ClewError as error:
        return tell(type(error).__name__, str(error), exit_code(error), as_json)
    except Exception as error:
        if isinstance(error, _USAGE):
            return tell("InvalidError", _usage(error), INVALID, as_json)
        return tell(type(error).__name__, _place(error), UNEXPECTED, as_json)
    return ended if isinstance(ended, int) else OK


def tell(kind: str, message: str, code: int, as_json: bool) -> int:
    """Write an error to standard error: a sentence for people, a JSON object for programs. Return its exit code."""
    if as_json:
        sys.stderr.write(json.dumps({"error": kind, "message": message, "exit_code": code}) + "\n")
    else:
        err().print(Text(f"clew: {clean(message)}", style="red"))
    return code


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run what a command does in an event loop of its own."""
    return asyncio.run(work)


def settings_of(url: str | None, owner: str | None) -> Settings:
    """Return the settings, an option before the environment; the default file's folder is made.

    Raises:
        InvalidError: a setting that cannot be used.
        DeniedError, UnavailableError: the default file's folder cannot be made.
    """
    settings = Settings.from_env(url=url)
    if owner is not None:
        settings = replace(settings, owner=check_id(owner, "--owner"), owner_named=True)
    settings.make_folder()
    return settings


def open_file(file: str, mode: str) -> IO[bytes]:
    """Open a file that a person named.

    Raises:
        InvalidError, DeniedError, FullError: it cannot be opened.
    """
    try:
        return open(file, mode)
    except PermissionError as error:
        raise DeniedError(f"{file} may not be opened by this user") from error
    except OSError as error:
        kind = FullError if error.errno in (28, 30) else InvalidError
        raise kind(f"{file} cannot be opened: {error.strerror}") from error


def is_there(path: Path) -> bool:
    """Tell whether a file or folder is there.

    Raises:
        DeniedError, InvalidError: this user may not know, or it can be the name of nothing.
    """
    try:
        return path.exists()
    except PermissionError as error:
        raise DeniedError(f"{path} may not be looked at by this user: mend the rights of its folder") from error
    except OSError as error:
        raise InvalidError(f"{path} cannot be looked at: {error.strerror}") from error


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
        # Its message is the whole of the help.
        return f"a command of {context.command_path} is missing: {context.command_path} --help lists them"
    text = error.format_message().rstrip(".")
    return f"{text}: {context.command_path} --help shows how it is used" if context is not None else text


def _place(error: BaseException) -> str:
    """Return what is known of a fault in clew itself, without the text of the error: that may hold what people wrote."""
    where = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        where = f" in {Path(code.co_filename).name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return f"a fault in clew itself ({type(error).__name__}{where}): please report it"
