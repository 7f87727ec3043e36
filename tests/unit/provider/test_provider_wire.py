"""Pulumi's values and archives, as they come and go."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.provider.archives import ArchiveError, zip_bytes
from sandbox.provider.resource import camel, pascal
from sandbox.provider.schema import array, block, integer, mapping, text
from sandbox.provider.wire import ARCHIVE, ASSET, SIGNATURE, UNKNOWN, from_struct, has_unknown, to_struct

keys = st.text(max_size=8).filter(lambda key: key != SIGNATURE)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.just(UNKNOWN)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(keys, values, max_size=4))
def test_what_is_sent_is_what_arrives(props: dict[str, Any]) -> None:
    assert from_struct(to_struct(props)) == without_nulls(props)


def test_an_unknown_is_found_at_any_depth() -> None:
    assert has_unknown({"a": [{"b": UNKNOWN}]})
    assert not has_unknown({"a": [{"b": "UNKNOWN"}]})


def archive(**content: Any) -> dict[str, Any]:
    return {SIGNATURE: ARCHIVE, **content}


def asset(**content: Any) -> dict[str, Any]:
    return {SIGNATURE: ASSET, **content}


def names(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return {info.filename: package.read(info).decode() for info in package.infolist()}


def test_an_archive_of_parts_is_one_zip_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.py").write_text("a")
    (folder / "run.sh").write_text("#!/bin/sh")
    (folder / "run.sh").chmod(0o755)
    parts = {
        "lib": archive(path=str(folder)),
        ".": archive(assets={"top.txt": asset(text="top")}),
        "one.sh": asset(path=str(folder / "run.sh")),
    }
    first = zip_bytes(archive(assets=parts))
    assert names(first) == {"lib/sub/a.py": "a", "lib/run.sh": "#!/bin/sh", "top.txt": "top", "one.sh": "#!/bin/sh"}
    (folder / "sub" / "a.py").touch()
    assert zip_bytes(archive(assets=dict(reversed(parts.items())))) == first
    with zipfile.ZipFile(io.BytesIO(first)) as package:
        assert package.getinfo("lib/run.sh").external_attr >> 16 & 0o777 == 0o755
        assert package.getinfo("lib/sub/a.py").external_attr >> 16 & 0o777 == 0o644
    file = tmp_path / "x.zip"
    file.write_bytes(first)
    assert zip_bytes(archive(path=str(file))) == first
    nested = zip_bytes(archive(assets={"in": archive(path=str(file))}))
    assert set(names(nested)) == {f"in/{name}" for name in names(first)}


@pytest.mark.parametrize(
    "content", [{"path": "/nowhere"}, {"uri": "https://example.com/x.zip"}, {}, {"assets": {"a": asset()}}]
)
def test_an_archive_that_cannot_be_read_is_an_error(content: dict[str, Any]) -> None:
    with pytest.raises(ArchiveError):
        zip_bytes(archive(**content))


def test_what_a_user_named_keeps_its_name_on_the_way_to_aws_and_back() -> None:
    fields = {
        "inputTransformer": block({"inputPaths": mapping(), "inputTemplate": text()}),
        "filters": array(block({"sizeLimit": integer()})),
        "okActions": array(text()),
    }
    props = {
        "inputTransformer": {"inputPaths": {"ride": "$.ride", "Wait": "$.w"}, "inputTemplate": "<ride>"},
        "filters": [{"sizeLimit": 1}],
        "okActions": ["a"],
    }
    sent = pascal(fields, props, inputPaths="InputPathsMap", okActions="OKActions")
    assert sent == {
        "InputTransformer": {"InputPathsMap": {"ride": "$.ride", "Wait": "$.w"}, "InputTemplate": "<ride>"},
        "Filters": [{"SizeLimit": 1}],
        "OKActions": ["a"],
    }
    assert camel(fields, {**sent, "New": 1}, inputPaths="InputPathsMap", okActions="OKActions") == props
