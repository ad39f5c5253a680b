"""The options of ``rdcompose release``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_release(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "release",
        help="make builds a release: checksums, one manifest, SBOM, provenance, notes",
        description="Check what was built, and put it into one directory with SHA256SUMS, "
        "manifest.json, sbom.cdx.json, provenance-R.json and NOTES.md; all of it or nothing. "
        "Files of the same name that differ get the names of their builds' directories.",
    )
    parser.add_argument(
        "directories",
        metavar="DIR",
        nargs="+",
        type=Path,
        help="directories that rdcompose build wrote to, or one above them",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help="where copies of the files go (default: the release is made in the one DIR)",
    )
    parser.add_argument(
        "--name", metavar="TEXT", help="what the release is called (default: the kernels' releases)"
    )
    parser.add_argument(
        "--previous",
        metavar="MANIFEST",
        type=Path,
        help="manifest.json of an earlier release, or manifest-R.json of a build: the notes say "
        "what changed since",
    )
    parser.add_argument("--md5", action="store_true", help="write MD5SUMS, too")
    parser.add_argument(
        "--no-sbom", dest="sbom", action="store_false", help="write no bill of materials"
    )
    parser.add_argument(
        "--builder-id",
        metavar="URI",
        help="who or what built the files, for the statements on where they come from",
    )
    parser.add_argument(
        "--gns3a",
        metavar="TEMPLATE",
        type=Path,
        help="an appliance of GNS3, which gets a version of this release and its images",
    )
    parser.add_argument(
        "--gns3a-images",
        action="store_true",
        help="write gns3a-images.json, the entries of images and versions for appliances",
    )
    parser.add_argument(
        "--download-url",
        metavar="URL",
        help="where the files will be found, for the entries of GNS3",
    )
    parser.add_argument(
        "--sign-command",
        metavar="COMMAND",
        help="program and arguments that sign SHA256SUMS and write the signature beside it; {} is "
        "the file (default: the last argument)",
    )
    group = parser.add_argument_group("how it runs")
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("--no-progress", action="store_true", help="show no progress")
    group.add_argument("--json", action="store_true", help="print the result as JSON")
