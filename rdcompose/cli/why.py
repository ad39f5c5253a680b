"""``rdcompose why``: from lines of lists over dependencies to a module, or why it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.cli.about import one_kernel, told_apart
from rdcompose.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from rdcompose.cli.about import About
    from rdcompose.inspect.explained import Subject


def why(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises UsageError: two forms are asked for at a time.
    """
    if arguments.dot and arguments.json:
        raise UsageError("--dot and --json are two forms: choose one")
    about = told_apart((arguments.word, *arguments.rest))
    subject = _subject(arguments, about)
    from rdcompose.inspect.explain import Explainer

    explainer = Explainer(subject)
    found = [
        explanation
        for word in about.words
        for explanation in explainer.explain(word, every=arguments.all)
    ]
    if arguments.dot:
        from rdcompose.inspect.dot import drawing

        print(drawing(found), end="")
    elif arguments.json:
        import json

        from rdcompose.inspect.explanations import as_data

        print(json.dumps(as_data(subject, found), indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        from rdcompose.inspect.explanations import as_text

        print(as_text(subject, found), end="")
    return int(not all(one.is_known for one in found))


def _subject(arguments: argparse.Namespace, about: About) -> Subject:
    if about.files:
        return _files(arguments, about)
    from rdcompose.compose.spec import DiskMode
    from rdcompose.inspect.subjects import kernel_subject, load_lists

    # A list that is wrong is told before a kernel is read.
    lists = load_lists(
        arguments.profile or "minivm", arguments.feature, DiskMode(arguments.disk or "remaining")
    )
    return kernel_subject(one_kernel(arguments, about.kernel), lists)


def _files(arguments: argparse.Namespace, about: About) -> Subject:
    for option in ("feature", "disk", "arch"):
        if getattr(arguments, option):
            raise UsageError(
                f"--{option} has no meaning for files: they are what they are",
                hint="to ask what would be, name a kernel",
            )
    from rdcompose.inspect.holdings import read_holdings
    from rdcompose.inspect.subjects import files_subject

    return files_subject(read_holdings(about.files, arguments.release), arguments.profile)
