"""A Python file that a command adds to: what is in it stays as it is."""

import ast
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tasker_mp.errors import EngineError, InvalidInputError

Imports = Mapping[str, Sequence[str]]
"""The names that are needed from each module."""


_LONGEST_LINE = 100


class Source:
    """`file` with the text that it is to have."""

    def __init__(self, file: Path, text: str, *, is_new: bool) -> None:
        self.file = file
        self.is_new = is_new
        self._text = text

    @classmethod
    def read(cls, file: Path) -> Self:
        """The file as it is, or one to make; `InvalidInputError` where it cannot be added to."""
        try:
            with file.open(encoding="utf-8", newline="") as found:
                source = cls(file, found.read(), is_new=False)
        except FileNotFoundError:
            return cls(file, "", is_new=True)
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{file} cannot be read: {error}; correct that first") from None
        source._tree()
        return source

    def require_free(self, name: str) -> None:
        """`InvalidInputError` where the file binds that name."""
        if name in self._names():
            raise InvalidInputError(
                f"{self.file} has a {name} already: nothing was written; choose another name"
            )

    def add(self, code: str, imports: Imports) -> None:
        """Put `code` at the end, and below the imports those that are missing."""
        newline = "\r\n" if "\r\n" in self._text else "\n"
        bound = self._names()
        lines = self._text.split(newline)
        fresh = []
        for module, names in imports.items():
            lacking = [name for name in names if name not in bound]
            if lacking and not self._extend_import(lines, module, lacking):
                fresh.append(f"from {module} import {', '.join(lacking)}")
        place, below_docstring = self._end_of_imports()
        lines[place:place] = ["", *fresh] if fresh and below_docstring else fresh
        while lines and not lines[-1].strip():
            lines.pop()
        lines += ["", "", *code.splitlines()] if lines else code.splitlines()
        self._text = newline.join([*lines, ""])
        self._tree()

    def _extend_import(self, lines: list[str], module: str, names: list[str]) -> bool:
        """Import the names in the line that imports from the module, if there is a plain one."""
        for node in self._tree().body:
            if isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
                known = [alias.name for alias in node.names]
                line = f"from {module} import {', '.join(sorted({*known, *names}))}"
                plain = f"from {module} import {', '.join(known)}"
                if lines[node.lineno - 1] == plain and len(line) <= _LONGEST_LINE:
                    lines[node.lineno - 1] = line
                    return True
        return False

    def write(self) -> None:
        """At once: whoever reads the file sees the old text or the new one."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if self.is_new:
            with self.file.open("x", encoding="utf-8", newline="") as file:
                file.write(self._text)
            return
        target = self.file.resolve()
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text(self._text, encoding="utf-8", newline="")
        draft.chmod(target.stat().st_mode)
        draft.replace(target)

    def _tree(self) -> ast.Module:
        try:
            return ast.parse(self._text)
        except (SyntaxError, ValueError) as error:
            raise InvalidInputError(
                f"{self.file} is not Python that can be added to: {error}; correct it first"
            ) from None

    def _names(self) -> set[str]:
        """What the module binds at its top level."""
        names = set()
        for node in self._tree().body:
            match node:
                case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                    names.add(node.name)
                case ast.Import() | ast.ImportFrom():
                    names |= {(a.asname or a.name).partition(".")[0] for a in node.names}
                case ast.Assign() | ast.AnnAssign():
                    found = (n for n in ast.walk(node) if isinstance(n, ast.Name))
                    names |= {n.id for n in found if isinstance(n.ctx, ast.Store)}
        return names

    def _end_of_imports(self) -> tuple[int, bool]:
        """The number of lines down to the last import, or else to the module's docstring; and
        whether it is that."""
        end, is_docstring = 0, False
        for index, node in enumerate(self._tree().body):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                end, is_docstring = node.end_lineno or 0, False
            elif index == 0 and isinstance(node, ast.Expr):
                end, is_docstring = node.end_lineno or 0, True
        return end, is_docstring


def write_sources(sources: Sequence[Source]) -> None:
    """`EngineError` names the file that cannot be written."""
    for source in sources:
        try:
            source.write()
        except OSError as error:
            raise EngineError(f"cannot write {source.file}: {error.strerror}") from error
