"""The SQLite file of the index: its tables, and the questions that are put to them.

Contents by name and kind; their symbols; names, and which content defines each; what was made from trees; how files looked. Every write is
one transaction, so a process that is killed leaves all of it or nothing. What this module does not do: cope with a file that is damaged
or can't be written: `sqlite3.Error`, `zlib.error` and `msgspec.DecodeError` go to the caller (`index`).
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, TypeVar

import msgspec

from kimicode.repo.kinds import kind_of
from kimicode.repo.looks import Known
from kimicode.repo.made import Made, definitions_of, symbols_of
from kimicode.repo.symbols import Definition, FileSymbols
from kimicode.repo.tree import TreeFile

_T = TypeVar("_T")

SCHEMA: Final = 1
_APPLICATION: Final = 0x6B696D69
_MANY: Final = 500
_FRESH_S: Final = 3_600
_KEPT_DAYS: Final = 30
_PRAGMAS: Final = """
    PRAGMA busy_timeout = 20000;
    PRAGMA trusted_schema = OFF;
    PRAGMA secure_delete = OFF;
    PRAGMA cache_size = -65536;
    PRAGMA temp_store = MEMORY;
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 67108864;
"""
_TABLES: Final = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE contents (id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, kind TEXT NOT NULL, day INTEGER NOT NULL);
    CREATE UNIQUE INDEX contents_key ON contents (key, kind);
    CREATE TABLE symbols (id INTEGER PRIMARY KEY, definitions BLOB NOT NULL, rest BLOB NOT NULL);
    CREATE TABLE names (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
    CREATE TABLE defined (name INTEGER NOT NULL, content INTEGER NOT NULL, PRIMARY KEY (name, content)) WITHOUT ROWID;
    CREATE VIRTUAL TABLE parts USING fts5 (name, content = 'names', content_rowid = 'id', tokenize = 'trigram', columnsize = 0);
    CREATE TABLE made (kind TEXT NOT NULL, name TEXT NOT NULL, used INTEGER NOT NULL, size INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE UNIQUE INDEX made_name ON made (kind, name);
    CREATE INDEX made_used ON made (used, size);
    CREATE TABLE looks (
        root BLOB NOT NULL, path BLOB NOT NULL, day INTEGER NOT NULL, known BLOB NOT NULL, PRIMARY KEY (root, path)
    ) WITHOUT ROWID;
    CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO facts VALUES ('searchable', 0);
    PRAGMA application_id = {_APPLICATION};
    PRAGMA user_version = {SCHEMA};
    COMMIT;
"""
_KNOWN: Final = msgspec.msgpack.Decoder(Known)


class Foreign(sqlite3.DatabaseError):
    """The file is a database, but no index of this version."""


class IndexFile:
    """An open index. `where` is a path, or ":memory:". Not to be used by two threads at once. Raises `sqlite3.Error`."""

    def __init__(self, where: str) -> None:
        self._db = sqlite3.connect(where, isolation_level=None, check_same_thread=False)
        try:
            self._db.executescript(_PRAGMAS)
            if not self._number("PRAGMA application_id") and not self._number("SELECT count(*) FROM sqlite_schema"):
                self._db.executescript(_TABLES)
            if self._number("PRAGMA application_id") != _APPLICATION or self._number("PRAGMA user_version") != SCHEMA:
                raise Foreign("no index of this version")
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def known(self, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Of these keys and kinds, those that are indexed; they count as used today."""
        found: set[tuple[str, str]] = set()
        stale: list[tuple[int]] = []
        today = _today()
        asked = set(keys)
        for some in _pieces({key for key, _ in asked}, _MANY):
            for number, name, kind, day in self._among("SELECT id, key, kind, day FROM contents WHERE key IN", some):
                each = (name.hex(), kind)
                if each in asked:
                    found.add(each)
                    if day != today:
                        stale.append((number,))
        if stale:
            with self._writing():
                self._db.executemany(f"UPDATE contents SET day = {today} WHERE id = ?", stale)
        return found

    def add(self, made: Sequence[Made]) -> None:
        """Store what contents gave. What is stored already stays."""
        today = _today()
        with self._writing():
            new: list[tuple[int, Made]] = []
            for each in made:
                row = self._db.execute(
                    "INSERT OR IGNORE INTO contents (key, kind, day) VALUES (?, ?, ?)", (bytes.fromhex(each.key), each.kind, today)
                )
                if row.rowcount == 1:
                    new.append((row.lastrowid or 0, each))
            self._fill(new)

    def symbols(self, files: Iterable[TreeFile]) -> Iterator[tuple[TreeFile, FileSymbols]]:
        """Those of `files` that are indexed and have symbols, each with them."""
        for some in _pieces(files, _MANY):
            by_key: dict[tuple[str, str], list[TreeFile]] = {}
            for file in some:
                if kind := kind_of(file.path):
                    by_key.setdefault((file.key, kind), []).append(file)
            rows = self._among(
                "SELECT key, kind, definitions, rest FROM contents JOIN symbols USING (id) WHERE key IN", {key for key, _ in by_key}
            )
            for key, kind, definitions, rest in rows:
                wanted = by_key.get((key.hex(), kind), ())
                found = symbols_of(definitions, rest) if wanted else None
                if found is not None:
                    yield from ((file, found) for file in wanted)

    def definitions(self, name: str) -> Iterator[tuple[str, str, list[Definition]]]:
        """Key, kind and definitions of every content that defines `name`."""
        rows = self._db.execute(
            "SELECT key, kind, definitions FROM names JOIN defined ON defined.name = names.id JOIN contents ON contents.id = content"
            " JOIN symbols ON symbols.id = content WHERE names.name = ?",
            (name,),
        )
        for key, kind, data in rows:
            yield key.hex(), kind, [definition for definition in definitions_of(data) if definition.name == name]

    def names(self, part: str) -> list[tuple[int, str]]:
        """Number and name of every name, in any tree, that contains `part`, whatever their case."""
        if len(part) >= 3:
            self.make_searchable()
            quoted = '"' + part.replace('"', '""') + '"'
            return self._db.execute(
                "SELECT id, names.name FROM parts JOIN names ON id = parts.rowid WHERE parts MATCH ?", (quoted,)
            ).fetchall()
        folded = part.casefold()
        if part.isascii():
            return self._db.execute("SELECT id, name FROM names WHERE instr(lower(name), ?)", (folded,)).fetchall()
        return [row for row in self._db.execute("SELECT id, name FROM names") if folded in row[1].casefold()]

    def definers(self, number: int) -> Iterator[tuple[str, str]]:
        """Key and kind of the contents that define the name of this number."""
        for key, kind in self._db.execute("SELECT key, kind FROM defined JOIN contents ON id = content WHERE name = ?", (number,)):
            yield key.hex(), kind

    def kept(self, kind: str, names: Iterable[str]) -> dict[str, bytes]:
        """What `keep` stored under these names; it counts as used now."""
        found: dict[str, bytes] = {}
        stale: list[tuple[int]] = []
        now = int(time.time())
        for some in _pieces(names, _MANY):
            question = f"SELECT rowid, name, used, data FROM made WHERE kind = ? AND name IN ({','.join('?' * len(some))})"
            for row, name, used, data in self._db.execute(question, (kind, *some)):
                found[name] = data
                if used < now - _FRESH_S:
                    stale.append((row,))
        if stale:
            with self._writing():
                self._db.executemany(f"UPDATE made SET used = {now} WHERE rowid = ?", stale)
        return found

    def keep(self, items: Mapping[str, bytes], kind: str) -> None:
        """Store `items` under `kind`, in place of what is there."""
        now = int(time.time())
        with self._writing():
            self._db.executemany(
                "INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?, ?)", [(kind, name, now, len(data), data) for name, data in items.items()]
            )

    def looks(self, root: bytes) -> dict[str, Known]:
        """How the files of the workspace `root` looked."""
        rows = self._db.execute("SELECT path, known FROM looks WHERE root = ?", (root,))
        return {os.fsdecode(path): _KNOWN.decode(known) for path, known in rows}

    def add_looks(self, root: bytes, looks: Mapping[str, Known]) -> None:
        """Store how files of a workspace looked."""
        rows = [(root, os.fsencode(path), _today(), msgspec.msgpack.encode(known)) for path, known in looks.items()]
        with self._writing():
            self._db.executemany("INSERT OR REPLACE INTO looks VALUES (?, ?, ?, ?)", rows)

    def size(self) -> int:
        """How much of the file is used, in bytes."""
        return (self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")) * self._number("PRAGMA page_size")

    def drop_made(self, most: int) -> None:
        """Drop what was kept and not used for longest, until the rest has at most `most` bytes."""
        over = self._number("SELECT sum(size) FROM made") - most
        if over <= 0:
            return
        gone: list[tuple[int]] = []
        for row, size in self._db.execute("SELECT rowid, size FROM made ORDER BY used"):
            gone.append((row,))
            over -= size
            if over <= 0:
                break
        with self._writing():
            self._db.executemany("DELETE FROM made WHERE rowid = ?", gone)

    def drop_old(self, most: int) -> None:
        """Drop contents that were not used for longest until the file is smaller than `most` bytes; none of yesterday or today."""
        if self.size() <= most:
            return
        while self.size() > most and self._drop_some():
            pass
        with self._writing():
            self._db.execute("DELETE FROM looks WHERE day < ?", (_today() - _KEPT_DAYS,))
            self._db.execute("DELETE FROM names WHERE NOT EXISTS (SELECT 1 FROM defined WHERE defined.name = names.id)")
            self._db.execute("INSERT INTO parts (parts) VALUES ('delete-all')")
            self._db.execute("UPDATE facts SET value = 0 WHERE name = 'searchable'")
        self._db.execute("PRAGMA incremental_vacuum").fetchall()

    def _drop_some(self) -> bool:
        rows = self._db.execute(
            "SELECT id, definitions FROM contents JOIN symbols USING (id) WHERE day < ? ORDER BY day LIMIT ?", (_today() - 1, _MANY)
        ).fetchall()
        pairs = [(each.name, number) for number, data in rows for each in definitions_of(data) if _is_text(each.name)]
        with self._writing():
            self._db.executemany("DELETE FROM defined WHERE name = (SELECT id FROM names WHERE names.name = ?) AND content = ?", pairs)
            self._db.executemany("DELETE FROM symbols WHERE id = ?", [(number,) for number, _ in rows])
            self._db.executemany("DELETE FROM contents WHERE id = ?", [(number,) for number, _ in rows])
        return bool(rows)

    def _fill(self, new: Sequence[tuple[int, Made]]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO symbols VALUES (?, ?, ?)", [(number, each.definitions, each.rest) for number, each in new]
        )
        # In their order, a page of the file is touched once and not again and again.
        pairs = sorted((name, number) for number, each in new for name in each.names if _is_text(name))
        self._db.executemany(
            "INSERT OR IGNORE INTO names (name) VALUES (?)", [(name,) for name in dict.fromkeys(name for name, _ in pairs)]
        )
        self._db.executemany("INSERT OR IGNORE INTO defined SELECT id, ?2 FROM names WHERE name = ?1", pairs)

    def make_searchable(self) -> None:
        """Take new names into the index of their parts."""
        upto = self._number("SELECT value FROM facts WHERE name = 'searchable'")
        if self._number("SELECT max(id) FROM names") <= upto:
            return
        with self._writing():
            # Another process may have been faster.
            upto = self._number("SELECT value FROM facts WHERE name = 'searchable'")
            self._db.execute("INSERT INTO parts (rowid, name) SELECT id, name FROM names WHERE id > ?", (upto,))
            self._db.execute("UPDATE facts SET value = (SELECT max(id) FROM names) WHERE name = 'searchable'")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # Some errors have ended the transaction already.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _among(self, question: str, keys: Iterable[str]) -> sqlite3.Cursor:
        values = [bytes.fromhex(key) for key in keys]
        return self._db.execute(f"{question} ({','.join('?' * len(values))})", values)

    def _number(self, question: str) -> int:
        row = self._db.execute(question).fetchone()
        return int(row[0] or 0) if row else 0


def _pieces(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _today() -> int:
    return int(time.time() // 86_400)


def _is_text(name: str) -> bool:
    """SQLite takes no lone surrogates."""
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)
