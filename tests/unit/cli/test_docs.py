"""What the code and the docs point at is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
CODE = ("__main__.py", "Pulumi.yaml", "components", "functions", "signalbox", "sandbox", "benchmarks")
NAMED = re.compile(r"\bdocs/[a-z0-9/_-]+(?:\.(?:md|yml))?")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")


def texts() -> dict[Path, str]:
    roots = [ROOT / each for each in CODE]
    files = [file for root in roots for file in (root.rglob("*") if root.is_dir() else [root])]
    wanted = [file for file in files if file.suffix in (".py", ".yaml", ".json") and "__pycache__" not in file.parts]
    return {file: file.read_text(encoding="utf-8") for file in wanted}


def test_every_document_that_the_code_names_is_there() -> None:
    named = {name for text in texts().values() for name in NAMED.findall(text)}
    assert "docs/operations.md" in named
    missing = {name for name in named if not any(ROOT.glob(f"{name}*"))}
    assert missing == set()


def test_every_link_between_documents_leads_somewhere() -> None:
    documents = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [(document, link) for document in documents for link in LINK.findall(document.read_text(encoding="utf-8"))]
    assert len(links) > 20
    assert [(str(document), link) for document, link in links if not (document.parent / link).exists()] == []
