"""Adds sets to a boot folder that exists, whoever made it: only what must change is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.boards.bootconfig import assign, own_lines
from rdcompose.boards.cmdline import ROOTS, checked_line, root_words
from rdcompose.boards.cmdlinetxt import CommandLine
from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.firmware_view import view
from rdcompose.boards.folder import new_config
from rdcompose.boards.lead import lead
from rdcompose.boards.switch import parsed_config
from rdcompose.compose.inputs import Input, InputFile, file_input, read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rdcompose.boards.bootconfig import Placed
    from rdcompose.boards.models import Model
    from rdcompose.boards.present import Present

# The role in manifests of a cmdline.txt that a set's own was made from.
CMDLINE_ROLE = "cmdline"


def edited_config(present: Present, placed: Sequence[Placed], models: Sequence[Model]) -> bytes:
    """Return the folder's config.txt, leading boards to sets.

    :raises UsageError: there is none.
    :raises SpecError: it cannot be changed so.
    """
    config = parsed_config(present)
    lead(config, assign(placed, models), present.exists, present.read)
    return config.to_bytes()


def renewed_config(
    present: Present, placed: Sequence[Placed], models: Sequence[Model]
) -> bytes | None:
    """Return a new config.txt with the lines in the present one that are a user's own.

    ``None``: there is none yet.

    :raises UsageError: no kernel runs on a board.
    :raises SpecError: one of these lines leads a board elsewhere.
    """
    if present.config is None:
        return None
    config = ConfigTxt.parse(new_config(placed, models, own_lines(present.config) or b""))
    lead(config, assign(placed, models), present.exists, present.read)
    return config.to_bytes()


def edited_line(
    present: Present, models: Iterable[Model], *, root: str | None, words: str
) -> tuple[str, Input] | None:
    """Return the command line that boards have, changed as asked for, and what it is made from.

    ``None``: there is none yet.

    :raises SpecError: it is no line that a kernel can be given.
    """
    config = parsed_config(present)
    seen = (view(config, model, present.exists).cmdline for model in models)
    name = next((file for file in seen if file is not None), None)
    if name is None:
        return None
    path = present.directory / name
    data = read_file(path, "command line")
    line = CommandLine.parse(data)
    if root is not None:
        wanted = [word.partition("=") for word in root_words(root, f"{line} {words}")]
        for key in sorted(ROOTS - {key for key, _, _ in wanted}):
            line.remove(key)
        for key, _, value in wanted:
            line.set(key, value or None)
    text = " ".join([str(line), *words.split()])
    return checked_line(text), file_input(CMDLINE_ROLE, InputFile(path=path), data)
