"""The documents are true: their links lead somewhere, and what is made by scripts is what the scripts make."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from offcut_model import Options, Refused, VirtioNetHdr, segment

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("boards/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(path):
    return str(path.relative_to(ROOT))


def anchors(document):
    """The anchors of a document's headings, as a forge makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_within_the_tree_leads_to_a_file_and_a_heading(document):
    for target in LINK.findall(document.read_text()):
        if target.startswith(("https:", "http:")):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.is_relative_to(ROOT) and file.exists(), f"{name_of(document)} links to {target}"
        assert not anchor or anchor in anchors(file), f"{name_of(document)} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_script_and_make_target_that_is_named_exists(document):
    text = document.read_text()
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.M)[1].split()
    for script in re.findall(r"`scripts/(\w+)", text):
        assert (ROOT / "scripts" / script).exists(), f"scripts/{script}"
    for target in re.findall(r"(?:`|^    |\$ )make ([a-z-]+)", text, flags=re.M):
        assert target in targets, f"make {target}"


def test_every_document_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text()
    for document in (ROOT / "docs").glob("*.md"):
        assert document.name == "README.md" or f"({document.name})" in index, document.name


def test_every_image_is_used():
    text = "".join(document.read_text() for document in DOCUMENTS)
    for image in (ROOT / "docs" / "images").iterdir():
        assert f"images/{image.name})" in text, image.name


def test_runs_tables_and_waveform_are_what_the_gateware_gives_today():
    ran = subprocess.run([sys.executable, ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_the_python_in_the_readme_runs():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    frame = bytes.fromhex("020000000001 020000000002 0800 4500 0bb8 0001 4000 40 06 0000 0a000001 0a000002")
    frame += bytes.fromhex("9c40 0050 00000001 00000001 50 10 0200 0000 0000").ljust(0xBB8 - 20, b"\x55")
    names = {"frame": frame}
    exec(code, names)
    assert names["wire"] == segment(frame, options=Options(auto=True, mtu=1500)) and len(names["wire"]) == 3
    assert names["VirtioNetHdr"] is VirtioNetHdr and names["Refused"] is Refused
