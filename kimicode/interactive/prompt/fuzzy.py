"""Which of very many paths fit a few typed characters, best first: the characters must occur in this order, anywhere.

What ranks high: matches at the start of a name, after separators and in camelCase, in one piece, in the last part of a path; short paths,
shallow ones, and those used lately. Case does not count. All work is done on whole arrays: the characters of all paths lie in one, with
the places of each character remembered. For every path that may still fit, the place behind its earliest match is known, so one more
character costs one look-up each; the best few thousand are scored exactly by dynamic programming.
What this module does not do: know files; more than one search at a time (a search that is overtaken gives up when asked to).
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from kimicode.interactive.prompt.found import Found

Ints: TypeAlias = NDArray[np.int32]
Scores: TypeAlias = NDArray[np.int16]
Codes: TypeAlias = NDArray[np.uint8] | NDArray[np.uint32]

_SCORED: Final = 2_000
"""So many are scored exactly."""

_WINDOW: Final = 192
"""Exact scores look at so many characters at the end of a path."""

_LONGEST_QUERY: Final = 64
_MATCH: Final = 16
_START_OF_NAME: Final = 12
_AFTER_SEPARATOR: Final = 9
_CAMEL: Final = 7
_IN_A_ROW: Final = 8
_IN_NAME: Final = 3
_GAP: Final = 4
_NEVER: Final = -(1 << 14)
"""Fits 16 bits, as all scores do, and stays low whatever a character adds."""

_RECENT: Final = 12
_FINE: Final = 256
"""Of equal scores the shorter path is better: lengths below this are told apart."""


class _Fitting(msgspec.Struct, frozen=True):
    """What fits a query: indexes of paths, and for each the place behind its earliest match; likewise within last parts of paths."""

    query: str
    ids: Ints
    behind: Ints
    in_name: Ints
    behind_name: Ints


class Finder:
    """Searches `paths`, folders with "/" behind them. `recent` are paths that were used or changed lately, the latest first."""

    def __init__(self, paths: Sequence[str], recent: Sequence[str] = ()) -> None:
        self.paths = tuple(paths)
        self.recent = tuple(recent)
        lengths = np.fromiter(map(len, self.paths), np.int32, len(self.paths))
        text = "".join(self.paths)
        ends = np.cumsum(lengths, dtype=np.int32)
        self._ends: Ints = ends
        self._starts: Ints = ends - lengths
        self._codes = _codes(_lowered(text))
        original = _codes(text)
        self._names: Ints = self._name_starts(original)
        self._bonus = self._bonuses(original)
        self._extra: Ints = self._extras(original)
        self._places: dict[int, Ints] = {}
        every: Ints = np.arange(len(self.paths), dtype=np.int32)
        self._all = _Fitting("", every, self._starts, every, self._names)
        self._known: tuple[_Fitting, ...] = (self._all,)

    def search(self, query: str, limit: int = 50, overtaken: Callable[[], bool] = lambda: False) -> tuple[Found, ...] | None:
        """The best `limit` paths. None where `overtaken` said so on the way."""
        query = _lowered(query[:_LONGEST_QUERY])
        fitting = self._fitting(query, overtaken)
        if fitting is None:
            return None
        if not query:
            best = _top(self._extra, limit)
            return tuple(Found(self.paths[each], int(self._extra[each]), ()) for each in best.tolist())
        candidates = fitting.ids
        if len(candidates) > _SCORED:
            better = np.zeros(len(self.paths), np.int32)
            if len(query) > 1:
                better[self._whole(query)] = 100
            better[fitting.in_name] += 60
            rough = self._extra[candidates] + better[candidates]
            candidates = candidates[_top(rough, _SCORED)]
        if overtaken():
            return None
        scores = self._table(query, candidates)[-1].max(axis=1, initial=_NEVER).astype(np.int32) + self._extra[candidates]
        order = _top(scores * _FINE - np.minimum(self._ends[candidates] - self._starts[candidates], _FINE - 1), limit)
        return self._traced(query, candidates[order], scores[order])

    def _fitting(self, query: str, overtaken: Callable[[], bool]) -> _Fitting | None:
        # What is known of a beginning of the query holds, so a key that is added or taken back costs little; and what a search
        # that is given up has found out is kept for the next one.
        known = [each for each in self._known if query.startswith(each.query)]
        for char in query[len(known[-1].query) :]:
            if overtaken():
                break
            last, places = known[-1], self._of(ord(char))
            ids, behind = _step(places, last.ids, last.behind, self._ends)
            in_name, behind_name = _step(places, last.in_name, last.behind_name, self._ends)
            known.append(_Fitting(last.query + char, ids, behind, in_name, behind_name))
        if not self._known[-1].query.startswith(known[-1].query):
            self._known = tuple(known)
        return known[-1] if known[-1].query == query else None

    def _of(self, code: int) -> Ints:
        """Where a character is, in all paths."""
        places = self._places.get(code)
        if places is None:
            # A uint8 array holds nothing above 255; asking for that would wrap.
            none = self._codes.dtype == np.uint8 and code > 255
            places = np.empty(0, np.int32) if none else np.flatnonzero(self._codes == self._codes.dtype.type(code)).astype(np.int32)
            self._places[code] = places
        return places

    def _whole(self, query: str) -> Ints:
        """The paths that contain the query in one piece, some of them more than once."""
        places = self._of(ord(query[0]))
        places = places[places + len(query) <= len(self._codes)]
        for offset, char in enumerate(query[1:], 1):
            places = places[self._codes[places + offset] == ord(char)]
        owners = np.searchsorted(self._ends, places, side="right").astype(np.int32)
        return owners[places + len(query) <= self._ends[owners]]

    def _table(self, query: str, rows: Ints) -> list[Scores]:
        """For each character of the query: the score of the best match that ends at each place of each path; `_NEVER` where none does."""
        codes, bonus = self._window(rows)
        best: list[Scores] = []
        never = np.int16(_NEVER)
        for number, char in enumerate(query):
            here = codes == ord(char)
            if not number:
                best.append(np.where(here, _MATCH + 2 * bonus, never))
                continue
            before = _shifted(best[-1], 1)
            # A gap costs the same for every length, so the best end further left is what counts.
            gap = np.maximum.accumulate(_shifted(before, 1), axis=1) - _GAP
            reached = np.maximum(before + np.maximum(bonus, _IN_A_ROW), gap + bonus) + _MATCH
            best.append(np.where(here & (reached > _NEVER // 2), reached, never))
        return best

    def _window(self, rows: Ints) -> tuple[Codes, Scores]:
        """The last characters of some paths and what a match there is worth, as one row each, aligned at the end; 0 before the start."""
        ends, starts = self._ends[rows], self._starts[rows]
        width = int(min(_WINDOW, (ends - starts).max(initial=1)))
        at = ends[:, None] + np.arange(-width, 0, dtype=np.int32)
        inside = at >= starts[:, None]
        at = np.maximum(at, 0)
        return np.where(inside, self._codes[at], 0), self._bonus[at].astype(np.int16)

    def _traced(self, query: str, rows: Ints, scores: Ints) -> tuple[Found, ...]:
        """With the places of the matches, found by going back through the table."""
        table = self._table(query, rows)
        width = table[0].shape[1]
        _, bonus = self._window(rows)
        found: list[Found] = []
        for row, index in enumerate(rows.tolist()):
            path = self.paths[index]
            layers = [layer[row].tolist() for layer in table]
            if max(layers[-1], default=_NEVER) <= _NEVER // 2:
                # Longer than the window, and not in it.
                found.append(Found(path, int(scores[row]), _earliest(_lowered(path), query)))
                continue
            matched = tuple(place + len(path) - width for place in _back(layers, bonus[row].tolist()))
            found.append(Found(path, int(scores[row]), matched))
        return tuple(found)

    def _name_starts(self, codes: Codes) -> Ints:
        """Where the last part of each path begins; a folder's slash is not looked at."""
        slashes = np.flatnonzero(codes == ord("/")).astype(np.int32)
        if not len(slashes):
            return self._starts
        at = np.searchsorted(slashes, self._ends - 1) - 1
        last = np.where(at >= 0, slashes[np.maximum(at, 0)] + 1, 0)
        return np.maximum(last, self._starts).astype(np.int32)

    def _bonuses(self, codes: Codes) -> NDArray[np.int8]:
        """What a match is worth at each place, beside that it is one."""
        bonus = np.zeros(len(codes), np.int8)
        if not len(codes):
            return bonus
        before = np.empty_like(codes)
        before[0], before[1:] = ord("/"), codes[:-1]
        upper = (codes >= 65) & (codes <= 90)
        lower_before = (before >= 97) & (before <= 122)
        digit = (codes >= 48) & (codes <= 57)
        digit_before = (before >= 48) & (before <= 57)
        bonus[(upper & lower_before) | (digit & ~digit_before)] = _CAMEL
        letter = (codes > 127) | upper | digit | ((codes >= 97) & (codes <= 122))
        apart = ~((before > 127) | lower_before | digit_before | ((before >= 65) & (before <= 90)))
        bonus[letter & apart] = _AFTER_SEPARATOR
        bonus[self._starts[self._starts < len(codes)]] = _AFTER_SEPARATOR
        # Within last parts: +1 at each first character, -1 behind each end, summed up.
        edges = np.zeros(len(codes) + 1, np.int32)
        np.add.at(edges, self._names, 1)
        np.add.at(edges, self._ends, -1)
        bonus[np.cumsum(edges[:-1]) > 0] += _IN_NAME
        bonus[self._names[self._names < len(codes)]] = _START_OF_NAME + _IN_NAME
        return bonus

    def _extras(self, codes: Codes) -> Ints:
        """What a path is worth without any match: short, shallow, used lately."""
        sums = np.concatenate([[0], np.cumsum(codes == ord("/"), dtype=np.int32)])
        depths = sums[self._ends] - sums[self._starts]
        extra: Ints = (-(self._ends - self._starts) // 8 - 2 * depths).astype(np.int32)
        if self.recent:
            where = {path: at for at, path in enumerate(self.recent)}
            for index, path in enumerate(self.paths):
                if (at := where.get(path)) is not None:
                    extra[index] += max(0, _RECENT - at) + 6
        return extra


def _step(places: Ints, ids: Ints, behind: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Those of `ids` that have one of `places` at `behind` or later, and the place behind the first such."""
    if not len(places):
        return ids[:0], behind[:0]
    at = np.searchsorted(places, behind)
    place = places[np.minimum(at, len(places) - 1)]
    fits = (at < len(places)) & (place < ends[ids])
    return ids[fits], place[fits] + np.int32(1)


def _shifted(rows: Scores, by: int) -> Scores:
    """Each row moved to the right."""
    moved = np.full_like(rows, _NEVER)
    moved[:, by:] = rows[:, :-by]
    return moved


def _top(scores: Ints, limit: int) -> Ints:
    """The indexes of the highest scores, in order; equal ones as they stand."""
    if len(scores) <= limit:
        return np.argsort(-scores, kind="stable").astype(np.int32)
    # The index, as the last digits, keeps the order of equal scores the same in every run.
    keyed = scores.astype(np.int64) * (len(scores) + 1) - np.arange(len(scores))
    best = np.argpartition(-keyed, limit - 1)[:limit]
    return best[np.argsort(-keyed[best])].astype(np.int32)


def _back(layers: list[list[int]], bonus: list[int]) -> list[int]:
    """The places of one best match, from the scores of its ends."""
    place = max(range(len(layers[-1])), key=lambda at: layers[-1][at])
    places = [place]
    for number in range(len(layers) - 1, 0, -1):
        above = layers[number - 1]
        gained = layers[number][place] - _MATCH
        in_row = place and above[place - 1] + max(bonus[place], _IN_A_ROW) == gained
        place = place - 1 if in_row else above.index(gained - bonus[place] + _GAP, 0, max(place - 1, 0))
        places.append(place)
    return places[::-1]


def _earliest(text: str, query: str) -> tuple[int, ...]:
    places: list[int] = []
    for char in query:
        places.append(text.index(char, places[-1] + 1 if places else 0))
    return tuple(places)


def _lowered(text: str) -> str:
    """In small letters, of the same length."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(small if len(small := char.lower()) == 1 else char for char in text)


def _codes(text: str) -> Codes:
    """The code points. Latin ones fit in bytes, which are five times as quick to look through."""
    try:
        return np.frombuffer(text.encode("latin-1"), np.uint8)
    except UnicodeEncodeError:
        return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
