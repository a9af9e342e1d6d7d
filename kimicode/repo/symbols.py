"""What one source file says about names: definitions, references, imports. Values, the same whatever the language.

They belong to a content, not to a path: the index keeps them by blob name. What this module does not do: find them (`extract`), keep them
(`index`), or connect files (`rank`, `neighbours`).
"""

from typing import Literal, TypeAlias

import msgspec

DefinitionKind: TypeAlias = Literal[
    "module", "namespace", "class", "interface", "trait", "protocol", "struct", "enum", "union", "type", "object", "extension",
    "function", "method", "constructor", "macro", "property", "field", "constant", "variable",
]  # fmt: skip
"""As the language calls it; what a language does not have does not occur there."""

ReferenceKind: TypeAlias = Literal["call", "base", "type", "decorator", "import", "name"]
"""How a name is used: called or constructed; inherited from or implemented; in an annotation or a type's place; as a decorator, attribute
or macro on a definition; imported; and, where nothing else fits, named."""

Problem: TypeAlias = Literal["", "syntax errors", "too large", "too slow", "binary", "generated", "minified"]
"""Why a file's symbols may be incomplete, or missing. With syntax errors all is there that could be read."""


class Definition(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One definition. Lines count from 1 and include decorators and body. `parent` is the place of the enclosing definition in the file's
    tuple, -1 at the top. `signature` is what introduces it, on one line and at most 200 characters: `def run(self, n: int) -> str`."""

    name: str
    kind: DefinitionKind
    line: int
    end_line: int
    parent: int
    signature: str


class Reference(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One use of a name. `within` is the place of the innermost definition around it, -1 at the top."""

    name: str
    kind: ReferenceKind
    line: int
    within: int


class Import(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One import. `module` as written, without quotes: `a.b`, `.sibling`, `./x.js`, `stdio.h`; `names` what is taken out of it."""

    module: str
    names: tuple[str, ...]
    line: int


class FileSymbols(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Everything about one content. Definitions in the order of the text, each after the one that encloses it."""

    language: str
    definitions: tuple[Definition, ...] = ()
    references: tuple[Reference, ...] = ()
    imports: tuple[Import, ...] = ()
    problem: Problem = ""
