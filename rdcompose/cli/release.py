"""``rdcompose release``: from builds to what can be published."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from rdcompose.cli.environment import source_date_epoch
from rdcompose.cli.terminal import progress, size_text, table, warn
from rdcompose.release.gns3 import check_url
from rdcompose.release.provenance import UNNAMED, check_builder
from rdcompose.release.records import read_record
from rdcompose.release.signer import parse_command
from rdcompose.release.writing import ReleaseSpec, write_release

if TYPE_CHECKING:
    import argparse

    from rdcompose.release.writing import Released


def release(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    spec = ReleaseSpec(
        directories=tuple(arguments.directories),
        output=arguments.output,
        name=arguments.name or "",
        timestamp=source_date_epoch(),
        previous=None if arguments.previous is None else read_record(arguments.previous),
        md5=arguments.md5,
        sbom=arguments.sbom,
        signer=None if arguments.sign_command is None else parse_command(arguments.sign_command),
        gns3a=arguments.gns3a,
        gns3a_images=arguments.gns3a_images,
        url=None if arguments.download_url is None else check_url(arguments.download_url),
        builder=UNNAMED if arguments.builder_id is None else check_builder(arguments.builder_id),
    )
    # A signer may ask for a password: a bar would draw over that.
    silent = arguments.quiet or arguments.no_progress or spec.signer is not None
    with progress("releasing", shown=not silent):
        released = write_release(spec)
    for path in released.left_out:
        warn(f"rdcompose: warning: {path} is a directory, and no part of the release")
    if arguments.json:
        print(json.dumps(_summary(released), indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        print(table([(file.name, size_text(file.size)) for file in released.files]))
    return 0


def _summary(released: Released) -> dict[str, object]:
    return {
        "directory": str(released.directory),
        "name": released.name,
        "builds": [build.name for build in released.builds],
        "files": [dataclasses.asdict(file) for file in released.files],
    }
