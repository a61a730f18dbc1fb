"""The file tools as clients see them."""

from __future__ import annotations

import base64
import os
from typing import Annotated, Literal

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from gatehouse_workspace.files import arrange, look, text, write
from gatehouse_workspace.files.content import search
from gatehouse_workspace.root import Root

Path = Annotated[str, Field(description="Path in the workspace, relative to its root", min_length=1)]
Folder = Annotated[str, Field(description="Directory in the workspace; the root when left out", min_length=1)]
MAX_BYTES = 256 * 1024


class Part(BaseModel):
    """Bytes of a file."""

    size: int = Field(description="bytes in the whole file")
    offset: int
    data: str = Field(description="base64")
    encoding: Literal["base64"] = "base64"


class FileTools:
    """Methods are tools; each returns text or a model, and raises ToolError for what the caller can mend."""

    def __init__(self, root: Root) -> None:
        self._root = root

    def read_file(
        self,
        path: Path,
        start_line: Annotated[int, Field(ge=1, description="First line wanted, counted from 1")] = 1,
        max_lines: Annotated[int, Field(ge=1, le=10_000)] = 2000,
    ) -> str:
        """Read a text file, or a range of its lines. Long answers are cut with a note that says how to go on.
        Binary files are refused: use read_file_bytes."""
        return text.read_lines(self._root, path, start_line, max_lines)

    def read_file_bytes(
        self,
        path: Path,
        offset: Annotated[int, Field(ge=0, description="First byte wanted")] = 0,
        length: Annotated[int, Field(ge=1, le=MAX_BYTES)] = 64 * 1024,
    ) -> Part:
        """Read a range of bytes of any file, in base64, with the size of the whole."""
        with self._root.open(path) as fd:
            size = text.regular(fd, path).st_size
            data = os.pread(fd, length, offset)
        return Part(size=size, offset=offset, data=base64.b64encode(data).decode())

    def write_file(
        self,
        path: Path,
        content: Annotated[str, Field(description="The whole new content", max_length=text.MAX_WHOLE)],
        overwrite: Annotated[bool, Field(description="False refuses to replace an existing file")] = True,
    ) -> str:
        """Write a text file, making missing directories. An existing file is replaced as a whole; to change a part
        of it use edit_file."""
        data = _encoded(content)
        new = write.replace(self._root, path, data, overwrite=overwrite)
        return f"{'Made' if new else 'Replaced'} {path} ({len(data)} bytes)"

    def edit_file(
        self,
        path: Path,
        old_text: Annotated[
            str, Field(description="Text that is in the file, exactly, white space included")
        ],
        new_text: Annotated[str, Field(description="What takes its place")],
        replace_all: Annotated[
            bool, Field(description="Replace every place and not just the only one")
        ] = False,
    ) -> str:
        """Replace text in a file by exact match. Fails where old_text is missing, or found more than once without
        replace_all. Answers with a diff."""
        _encoded(old_text + new_text)
        count, diff = write.edit(self._root, path, old_text, new_text, replace_all)
        return f"Replaced {count} place{'s' if count > 1 else ''} in {path}\n{diff}"

    def list_directory(
        self,
        path: Folder = ".",
        limit: Annotated[int, Field(ge=1, le=look.MAX_ENTRIES)] = look.MAX_ENTRIES,
    ) -> look.Listing:
        """List a directory: name, type, size and time of each entry, directories first."""
        return look.listing(self._root, path, limit)

    def directory_tree(
        self,
        path: Folder = ".",
        depth: Annotated[int, Field(ge=1, le=20)] = 3,
        limit: Annotated[int, Field(ge=1, le=5000)] = look.MAX_ENTRIES,
    ) -> str:
        """Show the directories and files below a directory, indented."""
        return look.tree(self._root, path, depth, limit)

    def search_files(
        self,
        pattern: Annotated[
            str, Field(description="Glob: *.py for names, src/**/*.py for whole paths", min_length=1)
        ],
        path: Folder = ".",
        limit: Annotated[int, Field(ge=1, le=5000)] = 500,
    ) -> look.Found:
        """Find files and directories by name."""
        return look.find(self._root, path, pattern, limit)

    async def search_content(
        self,
        pattern: Annotated[str, Field(description="Text to look for", min_length=1, max_length=1000)],
        path: Folder = ".",
        regex: Annotated[
            bool, Field(description="The pattern is a POSIX extended regular expression")
        ] = False,
        ignore_case: bool = False,
        glob: Annotated[str | None, Field(description="Only files whose name fits, as *.py")] = None,
        context: Annotated[int, Field(ge=0, le=10, description="Lines shown around each match")] = 0,
        limit: Annotated[int, Field(ge=1, le=5000, description="Lines of the answer")] = 500,
    ) -> str:
        """Search the content of text files, as path:line:text. Ignored files (.gitignore) and .git are left out."""
        return await search(
            self._root,
            path,
            pattern,
            regex=regex,
            ignore_case=ignore_case,
            glob=glob,
            context=context,
            limit=limit,
        )

    def move_file(
        self,
        source: Path,
        destination: Annotated[str, Field(description="The new path, not just a directory", min_length=1)],
        overwrite: Annotated[bool, Field(description="Replace a file that is there")] = False,
    ) -> str:
        """Move or rename a file or directory, making missing directories on the way."""
        arrange.move(self._root, source, destination, overwrite)
        return f"Moved {source} to {destination}"

    def copy_file(
        self,
        source: Path,
        destination: Annotated[str, Field(description="The new path, not just a directory", min_length=1)],
        overwrite: Annotated[bool, Field(description="Replace a file that is there")] = False,
    ) -> str:
        """Copy a file, or a directory with all in it; symbolic links are copied as links."""
        count = arrange.copy(self._root, source, destination, overwrite)
        return f"Copied {source} to {destination} ({count} entr{'ies' if count > 1 else 'y'})"

    def delete_file(
        self,
        path: Path,
        recursive: Annotated[bool, Field(description="Delete a directory with all in it")] = False,
    ) -> str:
        """Delete a file, a symbolic link, an empty directory, or with recursive a whole directory. Cannot be undone."""
        arrange.delete(self._root, path, recursive)
        return f"Deleted {path}"

    def create_directory(self, path: Path) -> str:
        """Make a directory and those that it lies in."""
        write.make_directory(self._root, path)
        return f"Made {path}"

    def get_file_info(self, path: Path) -> look.Info:
        """Type, size, time and permissions of one path. Of a symbolic link: its own, with where it leads."""
        return look.info(self._root, path)


def _encoded(content: str) -> bytes:
    try:
        return content.encode()
    except UnicodeEncodeError as error:
        raise ToolError("The text has characters that no file can hold (lone surrogates)") from error
