"""Builds the wheel with nothing but Python itself (PEP 517), so that it can be built where no package index is.

A wheel is a zip of the package with three files about it. This one has no code for any machine in it and so fits all. Built twice from the
same files, it is the same to the byte. Deliberately absent: anything that a package with dependencies or extension modules would need.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# The first moment that a zip can name.
EPOCH = (1980, 1, 1, 0, 0, 0)


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Writes the wheel into the folder; answers its file name."""
    project = _project()
    info = f"{project['name']}-{project['version']}.dist-info"
    name = f"{project['name']}-{project['version']}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:

        def add(path: str, content: bytes) -> None:
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            wheel.writestr(entry, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{path},sha256={digest},{len(content)}\n")

        for file in sorted((ROOT / "src").rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                add(file.relative_to(ROOT / "src").as_posix(), file.read_bytes())
        add(f"{info}/METADATA", _metadata(project).encode())
        add(f"{info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: xsched\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        licence = ROOT.parent / "LICENSE"
        if licence.is_file():
            add(f"{info}/licenses/LICENSE", licence.read_bytes())
        record.append(f"{info}/RECORD,,\n")
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD", EPOCH), "".join(record))
    return name


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Writes the sources into the folder; answers the file name."""
    project = _project()
    stem = f"{project['name']}-{project['version']}"
    with tarfile.open(Path(sdist_directory) / f"{stem}.tar.gz", "w:gz") as archive:
        for file in _sources():
            archive.add(file, f"{stem}/{file.relative_to(ROOT).as_posix()}")
        info = Path(sdist_directory) / f".{stem}.PKG-INFO"
        info.write_text(_metadata(project))
        archive.add(info, f"{stem}/PKG-INFO")
        info.unlink()
    return f"{stem}.tar.gz"


def _sources() -> Iterator[Path]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(files):
            yield Path(folder) / name


def _metadata(project: dict[str, Any]) -> str:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        f"License: {project['license']}",
        f"Keywords: {','.join(project['keywords'])}",
        *(f"Classifier: {text}" for text in project["classifiers"]),
        "Description-Content-Type: text/markdown",
        "",
        (ROOT / project["readme"]).read_text(),
    ]
    return "\n".join(lines)


def _project() -> dict[str, Any]:
    """The table ``project`` of pyproject.toml: texts and lists of texts (Python 3.10 has nothing to read TOML with)."""
    text = (ROOT / "pyproject.toml").read_text()
    section = re.search(r"^\[project\]\n(.*?)(?=^\[|\Z)", text, re.M | re.S)
    assert section, "pyproject.toml has a [project]"
    project: dict[str, Any] = {}
    for key, value in re.findall(r"^([\w-]+) = (\[[^\]]*\]|\"[^\n]*\")$", section.group(1), re.M):
        texts = re.findall(r"\"((?:[^\"\\]|\\.)*)\"", value)
        project[key] = texts if value.startswith("[") else texts[0]
    return project
