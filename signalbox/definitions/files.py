"""Folders of definitions."""

from pathlib import Path

from signalbox.problems import Problem


def entries(folder: Path, problems: list[Problem]) -> list[Path]:
    """What is in `folder`, in order; nothing where there is no such folder.

    A folder that cannot be read, or a name that is not UTF-8 and so could not even be shown, is added to `problems`.
    """
    if not folder.is_dir():
        return []
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        what = f"the folder cannot be read: {error.strerror}"
        problems.append(Problem(code="folder-unreadable", what=what, file=str(folder)))
        return []
    named = []
    for path in found:
        try:
            path.name.encode()
        except UnicodeEncodeError:
            problems.append(
                Problem(
                    code="file-name",
                    what="the name of a file here is not UTF-8",
                    got=ascii(path.name),
                    file=str(folder),
                    fix="rename it",
                )
            )
        else:
            named.append(path)
    return named
