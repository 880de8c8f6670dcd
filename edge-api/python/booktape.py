"""booktape for Python: published datasets and the live stream, in one file.

    import booktape
    df = booktape.load("features_1s", "yesterday", symbols=["BTCUSDT"], columns=["ts", "ofi"])

Copy this file beside your program. Listing, downloading, completeness and the live stream need
only the standard library of Python 3.9 or newer. `load` gives pandas, Polars or Arrow, whichever
is installed; for pandas it reads Parquet itself, so neither pyarrow nor fastparquet is needed.
`scan` is lazy and needs Polars or DuckDB.

The address and token of the edge API come from BOOKTAPE_URL and BOOKTAPE_TOKEN, or from
`Client(url, token)`, which has the same methods as this module. Files are kept in BOOKTAPE_CACHE
(default ~/.cache/booktape). Days are UTC. docs/python.md describes everything.

    python3 booktape.py list
    python3 booktape.py missing features_1s yesterday
    python3 booktape.py download features_1s 2026-11-20..2026-11-25 --to data
    python3 booktape.py live trades BTCUSDT
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import ctypes.util
import datetime as dt
import difflib
import hashlib
import http.client
import importlib
import importlib.util
import json
import os
import random
import shutil
import socket
import struct
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    IO,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

__version__ = "1.0.0"
__all__ = [
    "ApiError",
    "BooktapeError",
    "ChecksumError",
    "Client",
    "Dataset",
    "DownloadError",
    "Gap",
    "IncompleteError",
    "LiveStream",
    "Missing",
    "MissingPackage",
    "NotPublished",
    "Progress",
    "StreamError",
    "datasets",
    "dates",
    "download",
    "load",
    "manifest",
    "missing",
    "normalisers",
    "scan",
    "stream",
]

Json = Dict[str, Any]
Day = Union[str, dt.date]
"""A day, "yesterday" (the newest complete day), "today", "latest" (the newest day, complete or
not), or a range "2026-11-20..2026-11-25", both included."""
Days = Union[Day, Sequence[Day]]

_DAY_S = 86_400
_CHUNK_BYTES = 1 << 18
_RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class BooktapeError(Exception):
    """Base class of all errors of this module."""


class ApiError(BooktapeError):
    """The API refused a request. `code` is the end of the problem document's type."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{detail} ({status} {code})")
        self.status = status
        self.code = code
        self.detail = detail


class NotPublished(BooktapeError):
    """No day that was asked for is published."""


class IncompleteError(BooktapeError):
    """`require_complete=True`, and something is missing. `missing` says what."""

    def __init__(self, missing: Sequence["Missing"]) -> None:
        shown = [str(one) for one in missing[:20]]
        if len(missing) > 20:
            shown.append(f"… and {len(missing) - 20} more")
        super().__init__("The data is not complete:\n  " + "\n  ".join(shown))
        self.missing = tuple(missing)


class DownloadError(BooktapeError):
    """A file could not be downloaded. The part that arrived is kept; a new call continues it."""


class ChecksumError(DownloadError):
    """The store served bytes whose sha256 is not the manifest's, twice. Nothing was kept."""


class MissingPackage(BooktapeError):
    """A package that this call needs is not installed. The message says what to install."""


class StreamError(BooktapeError):
    """The live stream cannot continue without a gap, or asking again would not help."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code


@dataclass(frozen=True)
class Dataset:
    """A published dataset. Figures are those of its newest schema version."""

    name: str
    schema_version: int
    date_count: int
    first_date: str
    last_date: str


@dataclass(frozen=True)
class Gap:
    """A hole in one stream of a symbol. `to_ts` is None if it had not ended."""

    channel: str
    from_ts: str
    to_ts: Optional[str]
    cause: str


@dataclass(frozen=True)
class Missing:
    """Something that a day lacks. `symbol` is None if it concerns the whole day."""

    dataset: str
    date: str
    reason: str
    exchange: Optional[str] = None
    symbol: Optional[str] = None
    missing_s: int = 0
    """Seconds of the day without known values (quotes, or trades in datasets of trades)."""
    gaps: Tuple[Gap, ...] = ()
    """At most the first 100; coverage.parquet has all."""

    def __str__(self) -> str:
        of = "".join(f" {name}" for name in (self.exchange, self.symbol) if name)
        text = f"{self.dataset} {self.date}{of}: {self.reason}"
        for gap in self.gaps[:3]:
            text += f"; {gap.channel} {gap.from_ts} to {gap.to_ts or 'the end'} ({gap.cause})"
        if len(self.gaps) > 3:
            text += f"; {len(self.gaps) - 3} more gaps"
        return text


@dataclass(frozen=True)
class Progress:
    """Bytes of a download: all files together, and the file that just grew."""

    file: str
    file_bytes: int
    file_total: int
    bytes: int
    total: int


ProgressCallback = Callable[[Progress], None]

_CHANNELS: Mapping[str, Tuple[str, ...]] = {
    "trades": ("trades",),
    "candles": ("trades",),
    "clusters": ("trades",),
    "quotes": ("book_ticker",),
    "labels_1s": ("book_ticker",),
    "labels_barrier": ("book_ticker",),
    "bars": ("trades",),
    "lob_10": ("depth_events",),
    "depth": ("depth_events",),
}
"""Streams that a dataset is made from; all others use every stream."""


class Client:
    """Access to one edge API.

    url, token: of the edge API; default BOOKTAPE_URL and BOOKTAPE_TOKEN. cache: folder for
    downloaded files. connections: files that are downloaded at once. timeout_s: longest silence of
    a server before a retry. retries: failures in a row, without a byte in between, before it gives
    up.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        token: Optional[str] = None,
        *,
        cache: Union[str, "os.PathLike[str]", None] = None,
        connections: int = 4,
        timeout_s: float = 30.0,
        retries: int = 6,
    ) -> None:
        found = url or os.environ.get("BOOKTAPE_URL")
        if not found:
            raise BooktapeError("Name the edge API: set BOOKTAPE_URL, or use Client(url).")
        if not found.lower().startswith(("http://", "https://")):
            raise BooktapeError(f"{found!r} is no address of an edge API: it begins with https://.")
        if connections < 1 or retries < 0 or timeout_s <= 0:
            raise ValueError("connections >= 1, retries >= 0 and timeout_s > 0 are needed")
        self.url = found.rstrip("/")
        self.token = token or os.environ.get("BOOKTAPE_TOKEN") or None
        default = os.environ.get("BOOKTAPE_CACHE") or Path.home() / ".cache" / "booktape"
        self.cache = Path(cache if cache is not None else default)
        self.connections = connections
        self.timeout_s = timeout_s
        self.retries = retries
        self._opener = urllib.request.build_opener(_SameOriginToken())

    # Listing

    def datasets(self) -> List[Dataset]:
        """The published datasets, by name."""
        return [
            Dataset(**{name: one[name] for name in Dataset.__dataclass_fields__})
            for one in self._get("/v1/datasets")["datasets"]
        ]

    def dates(self, dataset: str) -> List[str]:
        """The published days of a dataset, in order."""
        return [one["date"] for one in self._listing(dataset)["dates"]]

    def manifest(self, dataset: str, day: Day = "yesterday") -> Json:
        """The manifest of one day: files with sha256, columns, coverage, inputs; each file has a
        signed `url`, good until `expires_at`. Raises NotPublished."""
        (date,) = self._dates_of(dataset, [day])
        found = self._manifest(dataset, date)
        if found is None:
            raise NotPublished(self._not_published(dataset, date))
        return found

    # Completeness

    def missing(
        self,
        dataset: str,
        days: Days = "yesterday",
        *,
        symbols: Optional[Sequence[str]] = None,
        exchange: Optional[str] = None,
    ) -> List[Missing]:
        """What the days lack; empty if they are complete. symbols, exchange: only these."""
        _check_names("symbols", symbols)
        wanted = _listed(days)
        found: List[Missing] = []
        for date in self._dates_of(dataset, wanted):
            made = self._manifest(dataset, date)
            if made is None:
                found.append(Missing(dataset, date, "not published"))
            else:
                found += _missing_in(made, symbols, exchange)
        return self._stale(dataset, wanted) + found

    # Files

    def download(
        self,
        dataset: str,
        days: Days = "yesterday",
        *,
        to: Union[str, "os.PathLike[str]", None] = None,
        files: Optional[Sequence[str]] = None,
        formats: Sequence[str] = ("parquet",),
        require_complete: bool = False,
        progress: Union[bool, ProgressCallback] = False,
    ) -> List[Path]:
        """Downloads files of the days, several at once, and returns their paths.

        files: names as in the manifest; default is every file of `formats` ("parquet", "arrow",
        "csv.gz", "npz", "tar"). to: a folder, which gets DATASET/DATE/FILE; default is the cache. A file that is
        there already is kept. A download that was cut off continues where it stopped, also in a
        later call. A file gets its name only when its sha256 is the manifest's. progress: True
        writes to stderr.
        """
        _check_names("formats", formats)
        if files is not None:
            _check_names("files", files)
        manifests = self._manifests(dataset, days, None, None, require_complete)
        plan: List[_Task] = []
        for made in manifests:
            if files is None:
                _require_formats(made, formats)
            names = [one["name"] for one in made["files"]]
            for name in files or ():
                if name not in names:
                    raise BooktapeError(f"{made['date']} has no file {name}. It has {names}.")
            for one in made["files"]:
                is_wanted = one["format"] in formats if files is None else one["name"] in files
                if is_wanted:
                    plan.append(_Task(made, one, self._path_of(made, one, to)))
        self._fetch(plan, progress)
        return [task.path for task in plan]

    def load(
        self,
        dataset: str,
        days: Days = "yesterday",
        *,
        symbols: Optional[Sequence[str]] = None,
        columns: Optional[Sequence[str]] = None,
        exchange: Optional[str] = None,
        into: Optional[str] = None,
        require_complete: bool = False,
        progress: Union[bool, ProgressCallback] = False,
    ) -> Any:
        """Rows of a dataset, sorted by day, exchange, symbol and time.

        into: "pandas" (DataFrame), "polars" (DataFrame) or "arrow" (Table); default is the first
        that is installed. symbols, exchange, columns: only these; columns in this order.
        require_complete: raises IncompleteError, which says what is missing, before it downloads.

        In pandas, times are UTC timestamps, names are categories, and a whole number that can be
        null is a float64 with NaN. Raises MissingPackage, NotPublished, DownloadError.
        """
        kind = _choose(into)
        _check_names("symbols", symbols)
        _check_names("columns", columns)
        manifests = self._manifests(dataset, days, symbols, exchange, require_complete)
        chosen = _columns(manifests, columns)
        _require_symbols(manifests, symbols, exchange)
        plan = [
            _Task(made, one, self._path_of(made, one, None))
            for made in manifests
            for one in made["files"]
            if one["name"] == f"{dataset}.parquet"
        ]
        self._fetch(plan, progress)
        paths = [str(task.path) for task in plan]
        if kind == "polars":
            return _polars_scan(paths, symbols, exchange, chosen).collect()
        if kind == "arrow":
            return _read_arrow(paths, symbols, exchange, chosen)
        return _read_pandas(paths, symbols, exchange, chosen)

    def normalisers(
        self, day: Day = "yesterday", *, symbol: str, exchange: Optional[str] = None
    ) -> Dict[str, Tuple[float, float]]:
        """Mean and standard deviation of each of the 40 columns of `lob_10` on the day before
        `day`, by column, in the order of FI-2010. Empty if the day before was not built.

        x = (frame[list(n)] - [m for m, _ in n.values()]) / [s or 1 for _, s in n.values()]
        """
        made = self.manifest("lob_10", day)
        one = next(file for file in made["files"] if file["name"] == "normalisers.parquet")
        task = _Task(made, one, self._path_of(made, one, None))
        self._fetch([task], False)
        file = _ParquetFile(str(task.path))
        found: Dict[str, Tuple[float, float]] = {}
        for group in file.groups(None, None):
            columns = {name: file.read(group, name) for name in file.names}
            texts = ("exchange", "symbol", "column_name")
            names = [[columns[t][1][code] for code in columns[t][0]] for t in texts]
            for place, of, name, mean, std in zip(*names, columns["mean"], columns["std"]):
                if of == symbol and exchange in (None, place):
                    found[name] = (float(mean), float(std))
        return found

    def scan(
        self,
        dataset: str,
        days: Days = "yesterday",
        *,
        symbols: Optional[Sequence[str]] = None,
        columns: Optional[Sequence[str]] = None,
        exchange: Optional[str] = None,
        engine: Optional[str] = None,
        connection: Any = None,
        require_complete: bool = False,
    ) -> Any:
        """A lazy query on signed URLs: only the columns and row groups that it needs are read.

        engine: "polars" (LazyFrame) or "duckdb" (relation on `connection`, or on a new one);
        default is the first that is installed. DuckDB needs its extension httpfs. The URLs expire
        (SIGNED_URL_TTL_S of the edge, ten minutes by default): collect before.
        """
        kind = _choose(engine, _LAZY)
        _check_names("symbols", symbols)
        _check_names("columns", columns)
        manifests = self._manifests(dataset, days, symbols, exchange, require_complete)
        chosen = _columns(manifests, columns)
        _require_symbols(manifests, symbols, exchange)
        urls = [
            one["url"]
            for made in manifests
            for one in made["files"]
            if one["name"] == f"{dataset}.parquet"
        ]
        if kind == "polars":
            return _polars_scan(urls, symbols, exchange, chosen)
        return _duckdb_scan(urls, symbols, exchange, chosen, connection)

    # Live

    def stream(
        self,
        channels: Union[str, Sequence[str]],
        symbols: Union[str, Sequence[str]],
        *,
        exchange: Optional[str] = None,
        resume: Optional[str] = None,
    ) -> "LiveStream":
        """Messages of the live server as dictionaries, without gaps: a lost connection is resumed
        after the newest message. docs/live.md lists channels and messages. resume: `cursor` of an
        earlier stream of the same channels, symbols and exchange, to continue after it."""
        return LiveStream(self, _texts(channels), _texts(symbols), exchange, resume)

    # Requests

    def _request(self, path: str, headers: Optional[Mapping[str, str]] = None) -> Any:
        request = urllib.request.Request(self.url + path, headers=dict(headers or {}))
        request.add_header("User-Agent", f"booktape-python/{__version__}")
        if self.token is not None:
            request.add_header("Authorization", f"Bearer {self.token}")
        return self._opener.open(request, timeout=self.timeout_s)

    def _get(self, path: str) -> Json:
        failures = 0
        while True:
            try:
                with self._request(path, {"Accept": "application/json"}) as answer:
                    body = json.loads(answer.read())
                    assert isinstance(body, dict)
                    return body
            except urllib.error.HTTPError as error:
                problem = _problem(error)
                if error.code not in _RETRY_STATUSES or failures >= self.retries:
                    raise problem from None
                wait_s = _retry_after(error)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if failures >= self.retries:
                    raise BooktapeError(f"{self.url}{path} does not answer: {error}") from error
                wait_s = None
            failures += 1
            time.sleep(_backoff(failures) if wait_s is None else wait_s)

    def _manifest(self, dataset: str, date: str) -> Optional[Json]:
        try:
            return self._get(f"/v1/datasets/{_quote(dataset)}/{date}")
        except ApiError as error:
            if error.code == "unknown_date":
                return None
            if error.code == "unknown_dataset":
                raise NotPublished(self._not_published(dataset, date)) from None
            raise

    def _manifests(
        self,
        dataset: str,
        days: Days,
        symbols: Optional[Sequence[str]],
        exchange: Optional[str],
        require_complete: bool,
    ) -> List[Json]:
        wanted = _listed(days)
        dates = self._dates_of(dataset, wanted)
        found = [self._manifest(dataset, date) for date in dates]
        made = [one for one in found if one is not None]
        absent = [date for date, one in zip(dates, found) if one is None]
        if require_complete:
            missing = self._stale(dataset, wanted)
            missing += [Missing(dataset, date, "not published") for date in absent]
            for one in made:
                missing += _missing_in(one, symbols, exchange)
            if missing:
                raise IncompleteError(missing)
        is_range = any(isinstance(day, str) and ".." in day for day in wanted)
        if not made or (absent and not is_range):
            raise NotPublished(self._not_published(dataset, absent[0]))
        if absent:
            _warn(f"{dataset} is not published for {', '.join(absent)}.")
        return made

    def _dates_of(self, dataset: str, days: Sequence[Day]) -> List[str]:
        dates: List[str] = []
        for day in days:
            if isinstance(day, dt.datetime):
                day = day.date()
            text = day.isoformat() if isinstance(day, dt.date) else day
            first, is_range, last = text.partition("..")
            at = self._day_of(dataset, first)
            end = self._day_of(dataset, last) if is_range else at
            if end < at:
                raise ValueError(f"{text!r} ends before it begins")
            while at <= end:
                dates.append(at.isoformat())
                at += dt.timedelta(days=1)
        return list(dict.fromkeys(dates))

    def _day_of(self, dataset: str, text: str) -> dt.date:
        if text == "today":
            return _utc_today()
        return _parse_day(self._newest(dataset, text) if text in ("yesterday", "latest") else text)

    def _newest(self, dataset: str, word: str) -> str:
        listed = self._listing(dataset)
        newest = listed["latest_date"] if word == "yesterday" else None
        return str(newest or listed["dates"][-1]["date"])

    def _listing(self, dataset: str) -> Json:
        try:
            return self._get(f"/v1/datasets/{_quote(dataset)}")
        except ApiError as error:
            if error.code != "unknown_dataset":
                raise
            raise NotPublished(self._not_published(dataset, None)) from None

    def _stale(self, dataset: str, days: Sequence[Day]) -> List[Missing]:
        """ "yesterday" is the newest complete day, which can be older than the day before today."""
        if not any(isinstance(day, str) and "yesterday" in day.split("..") for day in days):
            return []
        found = self._newest(dataset, "yesterday")
        expected = (_utc_today() - dt.timedelta(days=1)).isoformat()
        if found >= expected:
            return []
        return [Missing(dataset, expected, f"not published; the newest complete day is {found}")]

    def _not_published(self, dataset: str, date: Optional[str]) -> str:
        names = [one.name for one in self.datasets()]
        if dataset not in names:
            return f"No dataset {dataset!r} is published.{_nearest(dataset, names)}"
        dates = self.dates(dataset)
        return (
            f"{dataset} is not published for {date}. "
            f"It has {len(dates)} days, from {dates[0]} to {dates[-1]}."
        )

    # Downloads

    def _path_of(
        self, made: Json, one: Json, to: Union[str, "os.PathLike[str]", None]
    ) -> Path:
        name = one["name"]
        if os.path.basename(name) != name or name in ("", ".", ".."):
            raise DownloadError(f"The manifest names a file {name!r} outside of its folder.")
        if to is not None:
            return Path(to, made["dataset"], made["date"], name)
        host = urllib.parse.urlsplit(self.url).netloc.replace(":", "_")
        build = made.get("build") or one["sha256"][:16]
        return Path(self.cache, host, made["dataset"], made["date"], build, name)

    def _fetch(self, plan: Sequence["_Task"], progress: Union[bool, ProgressCallback]) -> None:
        report = _Report(plan, progress)
        waiting = [task for task in plan if not task.is_there(report)]
        if not waiting:
            return
        stop = threading.Event()
        _run_all([_Transfer(self, task, report, stop) for task in waiting], self.connections, stop)
        report.finish()
        for folder in {task.path.parent for task in plan}:
            _drop_older_builds(folder, self.cache)


def _missing_in(
    made: Json, symbols: Optional[Sequence[str]], exchange: Optional[str]
) -> List[Missing]:
    dataset, date = made["dataset"], made["date"]
    found: List[Missing] = []
    if not made["complete"]:
        found.append(Missing(dataset, date, "the day was not over when it was built"))
    channels = _CHANNELS.get(dataset)
    covered = [
        one
        for one in made["coverage"]
        if (symbols is None or one["symbol"] in symbols)
        and (exchange is None or one["exchange"] == exchange)
    ]
    for symbol in symbols or ():
        if not any(one["symbol"] == symbol for one in covered):
            found.append(Missing(dataset, date, "not in the dataset", exchange, symbol))
    if symbols is None and not covered:
        found.append(Missing(dataset, date, "not in the dataset", exchange))
    for one in covered:
        gaps = tuple(
            Gap(gap["channel"], gap["from_ts"], gap["to_ts"], gap["cause"])
            for gap in one["gaps"]
            if not gap["repaired"] and (channels is None or gap["channel"] in channels)
        )
        if one["missing_s"] == 0 and not gaps:
            continue
        reason = f"{one['missing_s']} of {_DAY_S} s missing"
        if one["gap_count"] > len(one["gaps"]):
            reason += f", {one['gap_count']} gaps of which {len(one['gaps'])} are listed"
        found.append(
            Missing(dataset, date, reason, one["exchange"], one["symbol"], one["missing_s"], gaps)
        )
    return found


def _require_symbols(
    manifests: Sequence[Json], symbols: Optional[Sequence[str]], exchange: Optional[str]
) -> None:
    exchanges = sorted({one["exchange"] for made in manifests for one in made["coverage"]})
    if exchange is not None and exchange not in exchanges:
        raise BooktapeError(
            f"No exchange {exchange!r} in these days.{_nearest(exchange, exchanges)}"
        )
    known = {
        one["symbol"]
        for made in manifests
        for one in made["coverage"]
        if exchange is None or one["exchange"] == exchange
    }
    for symbol in symbols or ():
        if symbol not in known:
            where = "" if exchange is None else f" of {exchange}"
            raise BooktapeError(
                f"No symbol {symbol!r}{where} in these days.{_nearest(symbol, sorted(known))}"
            )


def _columns(
    manifests: Sequence[Json], columns: Optional[Sequence[str]]
) -> Optional[List[str]]:
    if columns is None:
        return None
    for made in manifests:
        known = [one["name"] for one in made["columns"]]
        for name in columns:
            if name not in known:
                raise BooktapeError(
                    f"{made['dataset']} has no column {name!r}.{_nearest(name, known)}"
                )
    return list(columns)


def _check_names(what: str, names: Optional[Sequence[str]]) -> None:
    """An empty list is most likely a mistake: all and nothing are both a wrong guess."""
    if names is None:
        return
    if isinstance(names, str):
        raise TypeError(f"{what} is a list: {what}=[{names!r}]")
    if len(names) == 0:
        raise ValueError(f"{what} is empty: name at least one, or leave it out")
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{what} has {twice!r} twice")


def _require_formats(made: Json, formats: Sequence[str]) -> None:
    known = sorted({one["format"] for one in made["files"]})
    for name in formats:
        if name not in known:
            raise BooktapeError(
                f"{made['dataset']} of {made['date']} has no file of the format {name!r}. "
                f"It has {', '.join(known)}."
            )


def _warn(text: str) -> None:
    """Names the caller's line, at whatever depth in this file."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, stacklevel=level)


# Downloading one file


@dataclass(frozen=True)
class _Task:
    made: Json
    file: Json
    path: Path

    @property
    def size(self) -> int:
        return int(self.file["bytes"])

    def is_there(self, report: "_Report") -> bool:
        """In the cache a file is under its build, so a name and a size mean its content. In a
        folder of the caller's, it can be of another build."""
        try:
            if self.path.stat().st_size != self.size:
                return False
        except OSError:
            return False
        in_build = self.path.parent.name in (self.made.get("build"), self.file["sha256"][:16])
        if not in_build and _sha256_of(self.path) != self.file["sha256"]:
            return False
        report.add(self, self.size)
        return True


class _Expired(Exception):
    """The signed URL does not work any more."""


class _NotWritten(Exception):
    """The local disk refused. Asking the store again would not help."""


def _run_all(transfers: Sequence["_Transfer"], at_once: int, stop: threading.Event) -> None:
    """Runs some at once. The first error, or Ctrl-C, ends all of them at once: the threads do not
    keep a program alive while a silent server lets them wait."""
    waiting = list(reversed(transfers))
    failed: List[BaseException] = []

    def end() -> None:
        stop.set()
        for one in transfers:
            one.shut()

    def work() -> None:
        while waiting and not stop.is_set():
            try:
                waiting.pop().run()
            except IndexError:
                return
            except BaseException as error:
                failed.append(error)
                end()

    count = min(at_once, len(transfers))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        end()
        for thread in threads:
            thread.join(1.0)
        raise
    if failed:
        raise failed[0]


class _Transfer:
    """Downloads one file, and continues after every failure, until its sha256 is right."""

    def __init__(
        self, client: Client, task: _Task, report: "_Report", stop: threading.Event
    ) -> None:
        self.client = client
        self.task = task
        self.report = report
        self.stop = stop
        self.url = str(task.file["url"])
        self.sha256: str = task.file["sha256"]
        self.digest = hashlib.sha256()
        self.have = 0
        self._answer: Any = None

    def shut(self) -> None:
        """Wakes a thread that waits for the store."""
        answer = self._answer
        if answer is not None:
            _shut(answer)

    def run(self) -> None:
        try:
            self._run()
        except (OSError, _NotWritten) as error:
            raise DownloadError(
                f"{self.task.path} cannot be written: {error}. "
                f"{self.have} of {self.task.size} bytes are there; a new call continues."
            ) from error

    def _run(self) -> None:
        path = self.task.path
        path.parent.mkdir(parents=True, exist_ok=True)
        # Named after the content, so a part of another build is never continued.
        part = path.with_name(f"{path.name}.{self.sha256[:12]}.part")
        with _locked(part, self.stop) as out:
            if self.stop.is_set():
                return
            # Another process may have finished it while this one waited.
            if self.task.is_there(self.report):
                part.unlink()
                return
            self._begin(out)
            failures = damaged = 0
            while not self.stop.is_set():
                if self.have == self.task.size:
                    found = self.digest.hexdigest()
                    if found == self.sha256:
                        os.fsync(out.fileno())
                        os.replace(part, path)
                        return
                    damaged += 1
                    self._restart(out)
                    if damaged == 2:
                        out.close()
                        part.unlink()
                        raise ChecksumError(
                            f"{path.name} of {self.task.made['date']}: the store served bytes "
                            f"with sha256 {found}, the manifest has {self.sha256}."
                        )
                before = self.have
                try:
                    self._append(out)
                    if self.have == self.task.size:
                        continue
                    cause: Exception = ConnectionError("the connection was cut")
                except _Expired as error:
                    cause = error
                    self._sign_again()
                except (OSError, http.client.HTTPException) as error:
                    cause = error
                failures = 0 if self.have > before else failures + 1
                if failures > self.client.retries:
                    raise DownloadError(
                        f"{path.name} of {self.task.made['date']} stopped at {self.have} of "
                        f"{self.task.size} bytes: {cause}"
                    ) from cause
                self.stop.wait(_backoff(failures))

    def _begin(self, out: IO[bytes]) -> None:
        out.seek(0)
        for block in iter(lambda: out.read(1 << 20), b""):
            self.digest.update(block)
            self.have += len(block)
        if self.have > self.task.size:
            self._restart(out)
        else:
            self.report.add(self.task, self.have)

    def _restart(self, out: IO[bytes]) -> None:
        self.report.add(self.task, -min(self.have, self.task.size))
        out.truncate(0)
        out.seek(0)
        self.digest = hashlib.sha256()
        self.have = 0

    def _append(self, out: IO[bytes]) -> None:
        request = urllib.request.Request(self.url, headers={"Accept-Encoding": "identity"})
        if self.have > 0:
            request.add_header("Range", f"bytes={self.have}-")
        try:
            answer = self.client._opener.open(request, timeout=self.client.timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (401, 403, 404, 410):
                    raise _Expired(f"the store answered {error.code}") from None
                if error.code == 416:
                    self._restart(out)
                raise ConnectionError(f"the store answered {error.code}") from None
        self._answer = answer
        with answer:
            if self.have > 0:
                start = str(answer.headers.get("Content-Range", "")).partition("-")[0]
                if answer.status != 206 or start != f"bytes {self.have}":
                    # The store does not serve ranges: this is the whole file.
                    self._restart(out)
                    if answer.status == 206:
                        raise ConnectionError(f"the store served another range: {start}")
            while self.have < self.task.size and not self.stop.is_set():
                block = answer.read1(min(_CHUNK_BYTES, self.task.size - self.have))
                if not block:
                    return
                self._write(out, block)
                self.digest.update(block)
                self.have += len(block)
                self.report.add(self.task, len(block))

    def _write(self, out: IO[bytes], block: bytes) -> None:
        """All of the block or, if the disk is full, nothing of it: the part must hold what the
        digest holds."""
        try:
            left = memoryview(block)
            while left:
                left = left[out.write(left) :]
        except OSError as error:
            out.truncate(self.have)
            raise _NotWritten(error) from error

    def _sign_again(self) -> None:
        made = self.client._manifest(self.task.made["dataset"], self.task.made["date"])
        for one in (made or {"files": []})["files"]:
            if one["name"] == self.task.file["name"] and one["sha256"] == self.sha256:
                self.url = one["url"]
                return
        raise DownloadError(
            f"{self.task.file['name']} of {self.task.made['date']} was replaced by a newer build "
            "while it was downloaded. Call again."
        )


class _Report:
    """Adds up the progress of all files; one thread at a time calls back."""

    def __init__(self, plan: Sequence[_Task], progress: Union[bool, ProgressCallback]) -> None:
        self._lock = threading.Lock()
        self._total = sum(task.size for task in plan)
        self._bytes = 0
        self._of_file: Dict[Path, int] = {}
        self._line = _ProgressLine() if progress is True else None
        self._callback = self._line or (progress if callable(progress) else None)

    def add(self, task: _Task, count: int) -> None:
        if self._callback is None or count == 0:
            return
        with self._lock:
            self._bytes += count
            file_bytes = self._of_file.get(task.path, 0) + count
            self._of_file[task.path] = file_bytes
            self._callback(
                Progress(task.file["name"], file_bytes, task.size, self._bytes, self._total)
            )

    def finish(self) -> None:
        if self._line is not None:
            self._line.end()


class _ProgressLine:
    def __init__(self) -> None:
        self._shown = 0.0
        self._text = ""

    def __call__(self, now: Progress) -> None:
        self._text = f"\r{now.bytes / 1e6:.1f} of {now.total / 1e6:.1f} MB  {now.file[:60]:<60}"
        if time.monotonic() - self._shown >= 0.1:
            self._shown = time.monotonic()
            print(self._text, end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        print(self._text, file=sys.stderr, flush=True)


def _locked(part: Path, stop: threading.Event) -> IO[bytes]:
    """The part, opened so that no other process writes it until it is closed; after `stop`, without
    that. Unbuffered, so that nothing is written later than the caller thinks."""
    while True:
        file: IO[bytes] = open(part, "a+b", buffering=0)
        if importlib.util.find_spec("fcntl") is None:
            return file
        fcntl = importlib.import_module("fcntl")
        while not stop.is_set():
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                stop.wait(0.1)
        # While this process waited, another may have renamed or deleted what was opened.
        with contextlib.suppress(FileNotFoundError):
            if stop.is_set() or os.path.samestat(os.fstat(file.fileno()), os.stat(part)):
                return file
        file.close()


def _drop_older_builds(folder: Path, cache: Path) -> None:
    """Only in the cache, where the folders of a day are its builds."""
    if cache not in folder.parents:
        return
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def _sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


# Reading into pandas, Polars and Arrow

_FRAMES = (("pandas", "pandas"), ("polars", "polars"), ("arrow", "pyarrow"))
_LAZY = (("polars", "polars"), ("duckdb", "duckdb"))


def _choose(kind: Optional[str], among: Sequence[Tuple[str, str]] = _FRAMES) -> str:
    packages = dict(among)
    if kind is None:
        for name, package in among:
            if importlib.util.find_spec(package) is not None:
                return name
        raise MissingPackage(
            f"Install one of {', '.join(packages.values())}, for example: "
            + " or ".join(_install(package) for package in packages.values())
        )
    if kind not in packages:
        raise ValueError(f"{kind!r} is none of {', '.join(packages)}")
    _require(packages[kind])
    return kind


_DEBIAN = {"pandas": "python3-pandas", "numpy": "python3-numpy", "zstandard": "python3-zstandard"}


def _install(package: str) -> str:
    debian = _DEBIAN.get(package)
    return f"`pip install {package}`" + (f" (Debian: `apt install {debian}`)" if debian else "")


def _require(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingPackage(f"{package} is not installed: {_install(package)}") from error


def _read_pandas(
    paths: Sequence[str],
    symbols: Optional[Sequence[str]],
    exchange: Optional[str],
    columns: Optional[Sequence[str]],
) -> Any:
    pd = _require("pandas")
    np = _require("numpy")
    files = [_ParquetFile(path) for path in paths]
    names = list(columns) if columns is not None else files[0].names
    series: Dict[str, Any] = {}
    groups = [(one, group) for one in files for group in one.groups(symbols, exchange)]
    for name in names:
        leaf = files[0].leaf(name)
        parts = [one.read(group, name) for one, group in groups]
        if leaf.is_text:
            words = list(dict.fromkeys(word for _, part in parts for word in part))
            index = {word: code for code, word in enumerate(words)}
            codes = [np.array([index[w] for w in part] or [0])[values] for values, part in parts]
            joined = np.concatenate(codes) if codes else np.zeros(0, np.int64)
            series[name] = pd.Categorical.from_codes(joined, words)
            continue
        joined = np.concatenate(parts) if parts else np.zeros(0, leaf.dtype(np))
        if leaf.is_time:
            nanos = joined.astype("datetime64[us]").astype("datetime64[ns]")
            joined = pd.DatetimeIndex(nanos, tz="UTC")
        series[name] = joined
    return pd.DataFrame(series)


def _polars_scan(
    sources: Sequence[str],
    symbols: Optional[Sequence[str]],
    exchange: Optional[str],
    columns: Optional[Sequence[str]],
) -> Any:
    pl = _require("polars")
    frame = pl.scan_parquet(list(sources), hive_partitioning=False)
    if symbols is not None:
        frame = frame.filter(pl.col("symbol").is_in(list(symbols)))
    if exchange is not None:
        frame = frame.filter(pl.col("exchange") == exchange)
    return frame if columns is None else frame.select(list(columns))


def _duckdb_scan(
    urls: Sequence[str],
    symbols: Optional[Sequence[str]],
    exchange: Optional[str],
    columns: Optional[Sequence[str]],
    connection: Any,
) -> Any:
    duckdb = _require("duckdb")
    own = connection if connection is not None else duckdb.connect()
    try:
        rows = own.read_parquet(list(urls), hive_partitioning=False)
    except duckdb.Error as error:
        if "httpfs" not in str(error):
            raise
        raise MissingPackage(
            "DuckDB reads signed URLs with its extension httpfs: run `install httpfs` in DuckDB "
            "once, with access to its repository, or use engine='polars'."
        ) from error
    if symbols is not None:
        rows = rows.filter(f"symbol in ({', '.join(map(_sql_text, symbols))})")
    if exchange is not None:
        rows = rows.filter(f"exchange = {_sql_text(exchange)}")
    if columns is None:
        return rows
    return rows.project(", ".join('"' + name.replace('"', '""') + '"' for name in columns))


def _sql_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _read_arrow(
    paths: Sequence[str],
    symbols: Optional[Sequence[str]],
    exchange: Optional[str],
    columns: Optional[Sequence[str]],
) -> Any:
    _require("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    filters: List[Tuple[str, str, Any]] = []
    if symbols is not None:
        filters.append(("symbol", "in", list(symbols)))
    if exchange is not None:
        filters.append(("exchange", "=", exchange))
    chosen = None if columns is None else list(columns)
    tables = [
        # `partitioning=None`: the folders of the cache are no columns.
        parquet.read_table(path, columns=chosen, filters=filters or None, partitioning=None)
        for path in paths
    ]
    return importlib.import_module("pyarrow").concat_tables(tables)


# A Parquet reader for what booktape writes: flat columns and the encodings PLAIN, RLE_DICTIONARY
# and DELTA_BINARY_PACKED. Needs numpy, and zstd from one of four places.

_Struct = Dict[int, Any]
_BOOLEAN, _INT32, _INT64, _FLOAT, _DOUBLE, _BYTE_ARRAY = 0, 1, 2, 4, 5, 6
_PLAIN, _PLAIN_DICTIONARY, _DELTA, _RLE_DICTIONARY = 0, 2, 5, 8
_DICTIONARY_PAGE, _DATA_PAGE_V2 = 2, 3


@dataclass(frozen=True)
class _Leaf:
    name: str
    type: int
    is_optional: bool
    is_text: bool
    is_time: bool

    def dtype(self, np: Any) -> Any:
        of_type = {_BOOLEAN: np.bool_, _INT32: np.int32, _INT64: np.int64, _FLOAT: np.float32}
        if self.is_optional and self.type in (_INT32, _INT64) and not self.is_time:
            return np.float64
        return of_type.get(self.type, np.float64)


class _ParquetFile:
    def __init__(self, path: str) -> None:
        self.path = path
        self._np = _require("numpy")
        self._unzstd = _zstd()
        with open(path, "rb") as file:
            file.seek(-8, os.SEEK_END)
            length, magic = struct.unpack("<I4s", file.read(8))
            if magic != b"PAR1":
                raise BooktapeError(f"{path} is not a Parquet file.")
            file.seek(-8 - length, os.SEEK_END)
            footer, _ = _Thrift(file.read(length)).struct()
        self._groups: List[_Struct] = footer[4]
        elements = footer[2][1:]
        self._leaves: Dict[str, Tuple[int, _Leaf]] = {}
        for index, element in enumerate(elements):
            name = element[4].decode()
            if 5 in element:
                raise BooktapeError(f"{path}: {name} is nested; read it with pyarrow or Polars.")
            is_text = element[1] == _BYTE_ARRAY
            is_time = element.get(6) == 10  # TIMESTAMP_MICROS
            is_optional = element.get(3) == 1
            leaf = _Leaf(name, element[1], is_optional, is_text, is_time)
            self._leaves[name] = (index, leaf)

    @property
    def names(self) -> List[str]:
        return list(self._leaves)

    def leaf(self, name: str) -> _Leaf:
        return self._leaves[name][1]

    def groups(
        self, symbols: Optional[Sequence[str]], exchange: Optional[str]
    ) -> List[_Struct]:
        """Row groups of these symbols. A row group holds one symbol, so its statistics name it."""
        wanted = None if symbols is None else {symbol.encode() for symbol in symbols}
        place = None if exchange is None else {exchange.encode()}
        return [
            group
            for group in self._groups
            if self._holds(group, "symbol", wanted) and self._holds(group, "exchange", place)
        ]

    def _holds(self, group: _Struct, name: str, wanted: Optional[Set[bytes]]) -> bool:
        if wanted is None:
            return True
        statistics = group[1][self._leaves[name][0]][3].get(12, {})
        low, high = statistics.get(6), statistics.get(5)
        if low is None or low != high:
            raise BooktapeError(f"{self.path}: a row group holds several values of {name}.")
        return low in wanted

    def read(self, group: _Struct, name: str) -> Any:
        """Values of a column: an array, or (codes, words) of a text. Null is NaN."""
        np = self._np
        index, leaf = self._leaves[name]
        meta = group[1][index][3]
        start = meta.get(11, meta[9])
        with open(self.path, "rb") as file:
            file.seek(start)
            data = file.read(meta[7])
        words: List[str] = []
        parts: List[Any] = []
        at = 0
        while at < len(data):
            header, at = _Thrift(data, at).struct()
            page, at = data[at : at + header[3]], at + header[3]
            if header[1] == _DICTIONARY_PAGE:
                words = _plain_texts(self._inflate(meta[4], page, header[2]))
                continue
            levels, body, count, encoding = self._split(leaf, header, page, meta[4])
            if leaf.is_text and encoding == _PLAIN:
                # A word of its own for every row.
                first, words = len(words), words + _plain_texts(body)
                parts.append(np.arange(first, len(words)))
                continue
            parts.append(self._page(leaf, levels, body, count, encoding))
        values = np.concatenate(parts) if len(parts) != 1 else parts[0]
        return (values, words) if leaf.is_text else values

    def _split(
        self, leaf: _Leaf, header: _Struct, page: bytes, codec: int
    ) -> Tuple[Optional[bytes], bytes, int, int]:
        """Definition levels, values, number of rows, and encoding of a data page."""
        if header[1] == _DATA_PAGE_V2:
            of_page = header[8]
            length = of_page[5]
            body = page[length:]
            if of_page.get(7, True):
                body = self._inflate(codec, body, header[2] - length)
            return page[:length] if leaf.is_optional else None, body, of_page[1], of_page[4]
        body = self._inflate(codec, page, header[2])
        count, encoding = header[5][1], header[5][2]
        if not leaf.is_optional:
            return None, body, count, encoding
        (length,) = struct.unpack_from("<I", body)
        return body[4 : 4 + length], body[4 + length :], count, encoding

    def _page(
        self, leaf: _Leaf, levels: Optional[bytes], body: bytes, count: int, encoding: int
    ) -> Any:
        np = self._np
        present = None
        if levels is not None:
            present = _hybrid(np, levels, 1, count).astype(bool)
        known = count if present is None else int(present.sum())
        values = self._values(leaf, body, known, encoding)
        if present is None or known == count:
            return values.astype(leaf.dtype(np), copy=False) if not leaf.is_text else values
        if leaf.is_text or leaf.is_time:
            raise BooktapeError(f"{self.path}: {leaf.name} has nulls; read it with pyarrow.")
        full = np.full(count, np.nan, leaf.dtype(np))
        full[present] = values
        return full

    def _values(self, leaf: _Leaf, body: bytes, known: int, encoding: int) -> Any:
        np = self._np
        if encoding in (_RLE_DICTIONARY, _PLAIN_DICTIONARY):
            if not leaf.is_text:
                raise BooktapeError(f"{self.path}: {leaf.name} has an unknown encoding.")
            return _hybrid(np, body[1:], body[0], known) if known else np.zeros(0, np.int64)
        if encoding == _DELTA:
            return _delta(np, body)
        if encoding != _PLAIN or leaf.is_text:
            raise BooktapeError(f"{self.path}: {leaf.name} has an unknown encoding ({encoding}).")
        if leaf.type == _BOOLEAN:
            bits = np.unpackbits(np.frombuffer(body, np.uint8), bitorder="little")
            return bits[:known].astype(bool)
        stored = {_INT32: "<i4", _INT64: "<i8", _FLOAT: "<f4", _DOUBLE: "<f8"}[leaf.type]
        return np.frombuffer(body, stored, known)

    def _inflate(self, codec: int, data: bytes, size: int) -> bytes:
        if codec == 0:
            return data
        if codec == 2:
            return zlib.decompress(data, 31)
        if codec == 6:
            return self._unzstd(data, size)
        raise BooktapeError(f"{self.path} uses a compression that this reader does not have.")


def _plain_texts(body: bytes) -> List[str]:
    words: List[str] = []
    at = 0
    while at < len(body):
        (length,) = struct.unpack_from("<I", body, at)
        words.append(body[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return words


def _hybrid(np: Any, body: bytes, width: int, count: int) -> Any:
    """Runs of one value, and groups of eight packed values."""
    out = np.zeros(count, np.int64)
    at = filled = 0
    while filled < count:
        head, at = _varint(body, at)
        if head & 1:
            packed = (head >> 1) * 8
            size = packed * width // 8
            taken = min(packed, count - filled)
            bits = np.unpackbits(np.frombuffer(body, np.uint8, size, at), bitorder="little")
            out[filled : filled + taken] = _numbers(np, bits, width)[:taken]
            at += size
        else:
            size = (width + 7) // 8
            taken = min(head >> 1, count - filled)
            out[filled : filled + taken] = int.from_bytes(body[at : at + size], "little")
            at += size
        filled += taken
    return out


def _numbers(np: Any, bits: Any, width: int) -> Any:
    powers = np.left_shift(np.uint64(1), np.arange(width, dtype=np.uint64))
    return (bits.reshape(-1, width) * powers).sum(axis=1, dtype=np.uint64).view(np.int64)


def _delta(np: Any, body: bytes) -> Any:
    """Differences of neighbours in blocks, bit-packed with one width per miniblock."""
    block, at = _varint(body, 0)
    miniblocks, at = _varint(body, at)
    count, at = _varint(body, at)
    first, at = _zigzag(body, at)
    size = block // miniblocks
    deltas = np.zeros(max(count, 1) + block, np.int64)
    deltas[0] = first
    by_width: Dict[int, List[Tuple[int, int]]] = {}
    filled = 1
    while filled < count:
        smallest, at = _zigzag(body, at)
        deltas[filled : filled + block] = smallest
        widths = body[at : at + miniblocks]
        at += miniblocks
        for number, width in enumerate(widths):
            start = filled + number * size
            if start >= count:
                break
            if width:
                by_width.setdefault(width, []).append((start, at))
                at += width * size // 8
        filled += block
    data = np.frombuffer(body, np.uint8)
    for width, places in by_width.items():
        # A few thousand at once: unpacked bits take eight times the room of packed ones.
        for i in range(0, len(places), 4_096):
            starts, offsets = (np.array(one) for one in zip(*places[i : i + 4_096]))
            packed = data[offsets[:, None] + np.arange(width * size // 8)]
            values = _numbers(np, np.unpackbits(packed, axis=1, bitorder="little"), width)
            deltas[starts[:, None] + np.arange(size)] += values.reshape(-1, size)
    return np.cumsum(deltas[:count])


def _varint(body: bytes, at: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _zigzag(body: bytes, at: int) -> Tuple[int, int]:
    value, at = _varint(body, at)
    return (value >> 1) ^ -(value & 1), at


class _Thrift:
    """Thrift's compact protocol: a struct becomes a dictionary by field number."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    def struct(self) -> Tuple[Dict[int, Any], int]:
        fields: Dict[int, Any] = {}
        number = 0
        while True:
            head = self._data[self._at]
            self._at += 1
            if head == 0:
                return fields, self._at
            if head >> 4:
                number += head >> 4
            else:
                number = self._int()
            fields[number] = self._value(head & 15)

    def _int(self) -> int:
        value, self._at = _zigzag(self._data, self._at)
        return value

    def _value(self, kind: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            self._at += 1
            return self._data[self._at - 1]
        if kind in (4, 5, 6):
            return self._int()
        if kind == 7:
            self._at += 8
            return struct.unpack_from("<d", self._data, self._at - 8)[0]
        if kind == 8:
            length, self._at = _varint(self._data, self._at)
            self._at += length
            return self._data[self._at - length : self._at]
        if kind in (9, 10):
            head = self._data[self._at]
            self._at += 1
            size = head >> 4
            if size == 15:
                size, self._at = _varint(self._data, self._at)
            if head & 15 in (1, 2):
                self._at += size
                return [byte == 1 for byte in self._data[self._at - size : self._at]]
            return [self._value(head & 15) for _ in range(size)]
        if kind == 12:
            return self.struct()[0]
        raise BooktapeError("A Parquet file has an unreadable footer.")


def _zstd() -> Callable[[bytes, int], bytes]:
    """From Python 3.14, the packages zstandard or pyzstd, or the system's libzstd."""
    if importlib.util.find_spec("compression") is not None:
        with contextlib.suppress(ImportError):
            stdlib = importlib.import_module("compression.zstd")
            return lambda data, size: bytes(stdlib.decompress(data))
    if importlib.util.find_spec("zstandard") is not None:
        zstandard = importlib.import_module("zstandard")
        return lambda data, size: bytes(
            zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
        )
    if importlib.util.find_spec("pyzstd") is not None:
        pyzstd = importlib.import_module("pyzstd")
        return lambda data, size: bytes(pyzstd.decompress(data))
    for name in (ctypes.util.find_library("zstd"), "libzstd.so.1"):
        with contextlib.suppress(OSError):
            if name is not None:
                return _library_zstd(ctypes.CDLL(name))
    raise MissingPackage(f"zstd is not installed: {_install('zstandard')}")


def _library_zstd(library: Any) -> Callable[[bytes, int], bytes]:
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_decompress.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_char_p,
        ctypes.c_size_t,
    ]

    def decompress(data: bytes, size: int) -> bytes:
        out = ctypes.create_string_buffer(max(size, 1))
        if library.ZSTD_decompress(out, size, data, len(data)) != size:
            raise BooktapeError("A page is not valid zstd.")
        return out.raw[:size]

    return decompress


# The live stream

_FINAL_CODES = frozenset(
    "bad_cursor future_cursor outdated_cursor unknown_channel unknown_symbol ambiguous_symbol "
    "bad_message too_many_subscriptions message_too_large no_live_server".split()
)
_SILENT_S = 20.0
"""Longer than a server is silent: it sends heartbeats."""
_KEPT_ROWS = 5_000
_ROW_KEYS: Mapping[str, Tuple[str, ...]] = {
    "trades": ("ts_exchange", "agg_trade_id"),
    "quotes": ("ts_exchange", "update_id"),
    "mark_price": ("ts_exchange",),
    "liquidations": ("ts_exchange", "side", "price", "qty"),
    "gaps": ("channel", "from_ts", "to_ts", "from_id", "to_id", "cause"),
    "signals": ("id",),
}


@dataclass
class _Place:
    """Up to where one stream was delivered."""

    seq: int
    expects_state: bool
    rows: Dict[Tuple[Any, ...], None] = field(default_factory=dict)


class LiveStream:
    """An iterator over the messages of the live server, each a dictionary with `type` ("rows",
    "book" or "skipped"), `channel`, `exchange`, `symbol`, `epoch`, `seq` and its rows.

    It reconnects and resumes, and delivers no message twice. `cursor` stands after the message that
    was delivered last. A caller that reads slowly loses nothing: the server disconnects it, and the
    stream resumes. Use it as a context manager, or call close().
    """

    def __init__(
        self,
        client: Client,
        channels: Sequence[str],
        symbols: Sequence[str],
        exchange: Optional[str],
        resume: Optional[str],
    ) -> None:
        if not channels or not symbols:
            raise ValueError("name at least one channel and one symbol")
        self._client = client
        names = {"channel": ",".join(channels), "symbol": ",".join(symbols)}
        self._query = {**names, **({} if exchange is None else {"exchange": exchange})}
        self._cursor = resume
        self._begun: Dict[Tuple[str, str, str], Json] = {}
        self._places: Dict[Tuple[str, str, str], _Place] = {}
        self._answer: Any = None
        self._is_closed = False
        self._messages = self._read()

    @property
    def cursor(self) -> Optional[str]:
        """Store it, and give it to `stream` as `resume` to continue in another process. None
        before the first message."""
        return self._cursor

    def __iter__(self) -> "LiveStream":
        return self

    def __next__(self) -> Json:
        return next(self._messages)

    def __enter__(self) -> "LiveStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the iteration; may be called from another thread."""
        self._is_closed = True
        answer = self._answer
        if answer is not None:
            _shut(answer)

    def _read(self) -> Iterator[Json]:
        failures = 0
        while not self._is_closed:
            try:
                for event_id, message in self._events():
                    failures = 0
                    fresh = self._take(message)
                    if event_id is not None:
                        self._cursor = event_id
                    if fresh is not None:
                        yield fresh
            except urllib.error.HTTPError as error:
                problem = _problem(error)
                is_final = 400 <= error.code < 500 and error.code not in _RETRY_STATUSES
                if problem.code in _FINAL_CODES or is_final:
                    raise StreamError(problem.code, problem.detail) from None
                wait_s = _retry_after(error)
            except (OSError, http.client.HTTPException, ValueError):
                wait_s = None
            else:
                wait_s = None
            failures += 1
            if not self._is_closed:
                time.sleep(min(5.0, _backoff(failures) if wait_s is None else wait_s))

    def _events(self) -> Iterator[Tuple[Optional[str], Json]]:
        """The events of one connection: (id, data)."""
        query = dict(self._query)
        headers = {"Accept": "text/event-stream"}
        if self._cursor is not None:
            headers["Last-Event-ID"] = self._cursor
        elif self._begun:
            # Nothing was delivered yet: begin where the first connection began.
            first = min(self._begun.values(), key=lambda one: int(one["seq"]))
            query["resume"] = f"{first['epoch']}:{first['seq']}"
        with self._client._request(f"/v1/live?{urllib.parse.urlencode(query)}", headers) as answer:
            self._answer = answer
            _set_timeout(answer, _SILENT_S)
            event_id: Optional[str] = None
            data: List[str] = []
            while not self._is_closed:
                raw = answer.readline()
                if not raw:
                    return
                if not raw.endswith(b"\n"):
                    raise ConnectionError("an event was cut off")
                line = raw.decode().rstrip("\r\n")
                if line == "":
                    if data:
                        yield event_id, json.loads("\n".join(data))
                    event_id, data = None, []
                elif line.startswith("data:"):
                    data.append(line[5:].lstrip(" "))
                elif line.startswith("id:"):
                    event_id = line[3:].strip()

    def _take(self, message: Json) -> Optional[Json]:
        """The message without rows that were delivered before; None if nothing of it is new."""
        kind = message.get("type")
        if kind in ("error", "closing"):
            if message.get("code") in _FINAL_CODES:
                raise StreamError(message["code"], message.get("message", "The stream ended."))
            if kind == "closing":
                raise ConnectionError("the server closes the stream")
            return None
        if kind not in ("subscribed", "rows", "book", "skipped"):
            return None
        key = (message["channel"], message["exchange"], message["symbol"])
        if kind == "subscribed":
            self._begun.setdefault(key, message)
            place = self._places.setdefault(key, _Place(message["seq"], True))
            place.expects_state = message.get("recovered") is not True
            return None
        place = self._places.setdefault(key, _Place(0, True))
        is_state = place.expects_state or message.get("snapshot") is not None
        seq = message["seq"]
        if seq < place.seq or (seq == place.seq and not is_state):
            return None
        place.expects_state = False
        place.seq = seq
        names = _ROW_KEYS.get(message["channel"])
        if kind != "rows" or names is None:
            return message
        rows = [row for row in message["rows"] if _is_new(place, names, row)]
        return {**message, "rows": rows} if rows else None


def _is_new(place: _Place, names: Sequence[str], row: Json) -> bool:
    key = tuple(str(row.get(name)) for name in names)
    if key in place.rows:
        return False
    place.rows[key] = None
    if len(place.rows) > _KEPT_ROWS:
        del place.rows[next(iter(place.rows))]
    return True


def _socket_of(answer: Any) -> Optional[socket.socket]:
    found = getattr(getattr(getattr(answer, "fp", None), "raw", None), "_sock", None)
    return found if isinstance(found, socket.socket) else None


def _set_timeout(answer: Any, seconds: float) -> None:
    found = _socket_of(answer)
    if found is not None:
        found.settimeout(seconds)


def _shut(answer: Any) -> None:
    """Wakes a thread that reads."""
    found = _socket_of(answer)
    if found is not None:
        with contextlib.suppress(OSError):
            found.shutdown(socket.SHUT_RDWR)


# Small parts


class _SameOriginToken(urllib.request.HTTPRedirectHandler):
    """urllib sends all headers to the target of a redirect; the token is for the edge alone."""

    def redirect_request(
        self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any
    ) -> Any:
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None:
            before, after = (urllib.parse.urlsplit(url) for url in (req.full_url, newurl))
            if (before.scheme, before.netloc) != (after.scheme, after.netloc):
                request.remove_header("Authorization")
        return request


def _problem(error: urllib.error.HTTPError) -> ApiError:
    with error:
        try:
            body = json.loads(error.read())
            code = str(body["type"]).rpartition(":")[2]
            return ApiError(error.code, code, str(body.get("detail") or body["title"]))
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
            code, detail = f"status_{error.code}", f"The server answered {error.code}."
            return ApiError(error.code, code, detail)


def _retry_after(error: urllib.error.HTTPError) -> Optional[float]:
    text = error.headers.get("Retry-After", "") if error.headers is not None else ""
    return min(float(text), 60.0) if text.isdigit() else None


def _backoff(failures: int) -> float:
    """Seconds: 0 after progress, then doubling to 5."""
    if failures == 0:
        return 0.0
    return float(min(5.0, 0.1 * 2 ** min(failures, 10)) * (0.5 + random.random() / 2))


def _listed(days: Days) -> List[Day]:
    listed: List[Day] = [days] if isinstance(days, (str, dt.date)) else list(days)
    for day in listed:
        if not isinstance(day, (str, dt.date)):
            raise TypeError(f"{day!r} is no day: use a date or a text like '2026-11-20'")
    if not listed:
        raise ValueError("days is empty: name at least one")
    return listed


def _texts(value: Union[str, Sequence[str]]) -> List[str]:
    return [value] if isinstance(value, str) else list(value)


def _parse_day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        words = '"yesterday", "today", "latest"'
        raise ValueError(f"{text!r} is no day: use YYYY-MM-DD, A..B, or {words}") from None


def _utc_today() -> dt.date:
    return dt.datetime.now(dt.timezone.utc).date()


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 3, 0.5)
    if near:
        return f" Did you mean {' or '.join(near)}?"
    return f" There are {', '.join(known[:8])}{' …' if len(known) > 8 else ''}." if known else ""


_default: Optional[Client] = None


def _client() -> Client:
    global _default
    if _default is None:
        _default = Client()
    return _default


def datasets() -> List[Dataset]:
    """See Client.datasets."""
    return _client().datasets()


def dates(dataset: str) -> List[str]:
    """See Client.dates."""
    return _client().dates(dataset)


def manifest(dataset: str, day: Day = "yesterday") -> Json:
    """See Client.manifest."""
    return _client().manifest(dataset, day)


def missing(dataset: str, days: Days = "yesterday", **options: Any) -> List[Missing]:
    """See Client.missing."""
    return _client().missing(dataset, days, **options)


def download(dataset: str, days: Days = "yesterday", **options: Any) -> List[Path]:
    """See Client.download."""
    return _client().download(dataset, days, **options)


def load(dataset: str, days: Days = "yesterday", **options: Any) -> Any:
    """See Client.load."""
    return _client().load(dataset, days, **options)


def normalisers(day: Day = "yesterday", **options: Any) -> Dict[str, Tuple[float, float]]:
    """See Client.normalisers."""
    return _client().normalisers(day, **options)


def scan(dataset: str, days: Days = "yesterday", **options: Any) -> Any:
    """See Client.scan."""
    return _client().scan(dataset, days, **options)


def stream(
    channels: Union[str, Sequence[str]], symbols: Union[str, Sequence[str]], **options: Any
) -> LiveStream:
    """See Client.stream."""
    return _client().stream(channels, symbols, **options)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command line. Returns the exit code: 0, 1 if something is missing, 2 for an error."""
    parser = argparse.ArgumentParser(prog="booktape.py", description="Datasets of booktape.")
    parser.add_argument("--url", help="address of the edge API; default BOOKTAPE_URL")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="datasets, or the days of one")
    listing.add_argument("dataset", nargs="?")
    for name, text in (("missing", "what days lack"), ("download", "files of days")):
        command = commands.add_parser(name, help=text)
        command.add_argument("dataset")
        command.add_argument("days", nargs="*", default=["yesterday"])
        if name == "missing":
            command.add_argument("--symbols", type=lambda text: text.split(","))
            continue
        command.add_argument("--to", help="folder; default is the cache")
        command.add_argument("--formats", type=lambda text: text.split(","), default=["parquet"])
        command.add_argument("--require-complete", action="store_true")
    live = commands.add_parser("live", help="messages of the live server, one JSON a line")
    live.add_argument("channels", type=lambda text: text.split(","))
    live.add_argument("symbols", type=lambda text: text.split(","))
    live.add_argument("--exchange")
    live.add_argument("--resume")
    wanted = parser.parse_args(arguments)
    try:
        return _run(Client(wanted.url), wanted)
    except (BooktapeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1 if isinstance(error, IncompleteError) else 2
    except KeyboardInterrupt:
        return 130


def _run(client: Client, wanted: argparse.Namespace) -> int:
    if wanted.command == "list":
        if wanted.dataset is not None:
            print("\n".join(client.dates(wanted.dataset)))
            return 0
        for one in client.datasets():
            print(f"{one.name:<24} {one.first_date} to {one.last_date}, {one.date_count} days")
        return 0
    if wanted.command == "missing":
        found = client.missing(wanted.dataset, wanted.days, symbols=wanted.symbols)
        print("\n".join(map(str, found)) if found else "Nothing is missing.")
        return 1 if found else 0
    if wanted.command == "download":
        paths = client.download(
            wanted.dataset,
            wanted.days,
            to=wanted.to,
            formats=wanted.formats,
            require_complete=wanted.require_complete,
            progress=sys.stderr.isatty(),
        )
        print("\n".join(map(str, paths)))
        return 0
    with client.stream(
        wanted.channels, wanted.symbols, exchange=wanted.exchange, resume=wanted.resume
    ) as messages:
        for message in messages:
            print(json.dumps(message), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
