"""The files of `depth` as their readers see them, against a plain replay: prints what is wrong.

Input: {"dir": folder, "name": "binance-futures_KIND_DATE_SYMBOL", "from": midnight, "gaps":
[[from_ts, to_ts]], "rows": [[kind, ts, arrived, id, before, bids, asks]], "trades": [[ts, arrived,
price, qty, sold]], "deltas": [rows of the catalogue]}. Times in microseconds.
"""

import csv
import gzip
import json
import os
import sys

import numpy as np

EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
DTYPE = np.dtype(
    [(n, t) for n, t in zip(
        ("ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval"),
        ("u8", "i8", "i8", "f8", "f8", "u8", "i8", "f8"))],
    align=True,
)
wrong = []


def check(is_right, sentence):
    if not is_right and len(wrong) < 20:
        wrong.append(sentence)


def replay(data):
    """[(ts, arrived, id, bids, asks)] of the known book, after each update."""
    bids, asks, last, found, arrived = {}, {}, None, [], 0
    for kind, ts, came, number, before, new_bids, new_asks in data["rows"]:
        if kind == "snapshot":
            bids, asks = dict(map(tuple, new_bids)), dict(map(tuple, new_asks))
            last = number
            continue
        arrived = max(arrived, came)
        if last is None or before != last:
            last = None
            continue
        last = number
        for side, changes in ((bids, new_bids), (asks, new_asks)):
            for price, qty in changes:
                put(side, price, qty)
        if ts < data["from"] or any(a < ts <= b for a, b in data["gaps"]):
            continue
        found.append((ts, arrived, number, dict(bids), dict(asks)))
    return found


def put(side, price, qty):
    side.pop(price, None)
    if qty > 0:
        side[price] = qty


def lines(data, kind):
    path = os.path.join(data["dir"], data["name"].replace("KIND", kind) + ".csv.gz")
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))


def books_of_csv(data):
    """After each update, from incremental_book_L2."""
    bids, asks, books, before, was_snapshot = {}, {}, [], None, False
    for line in lines(data, "incremental_book_L2"):
        key = (int(line["timestamp"]), int(line["local_timestamp"]))
        check(before is None or key[1] >= before[1], f"incremental_book_L2 goes back at {key}")
        is_snapshot = line["is_snapshot"] == "true"
        if before is not None and key != before:
            books.append((*before, dict(bids), dict(asks)))
        if is_snapshot and (key != before or not was_snapshot):
            bids, asks = {}, {}
        put(bids if line["side"] == "bid" else asks, float(line["price"]), float(line["amount"]))
        before, was_snapshot = key, is_snapshot
    books.append((*before, dict(bids), dict(asks)))
    return books


def check_top(data, expected):
    by_time = {(ts, arrived): (bids, asks) for ts, arrived, _, bids, asks in expected}
    before, last = None, None
    for line in lines(data, "book_snapshot_25"):
        key = (int(line["timestamp"]), int(line["local_timestamp"]))
        check(before is None or key[1] >= before, f"book_snapshot_25 goes back at {key}")
        before = key[1]
        bids, asks = by_time[key]
        for name, side, order in (("bids", bids, -1), ("asks", asks, 1)):
            best = sorted(side, key=lambda price: order * price)[:25]
            for rank in range(25):
                price, qty = line[f"{name}[{rank}].price"], line[f"{name}[{rank}].amount"]
                want = (best[rank], side[best[rank]]) if rank < len(best) else None
                have = (float(price), float(qty)) if price else None
                check(have == want, f"book_snapshot_25 {key} {name}[{rank}]: {have}, not {want}")
        last = line
    check(last is not None, "book_snapshot_25 is empty")


def check_events(data, expected):
    path = os.path.join(data["dir"], data["name"].replace("KIND", "hftbacktest") + ".npz")
    with np.load(path) as file:
        check(file.files == ["data"], f"the arrays are {file.files}")
        events = file["data"]
    check(events.dtype == DTYPE, f"the type is {events.dtype}")
    ev = events["ev"]
    exch, local = events[ev & EXCH == EXCH], events[ev & LOCAL == LOCAL]
    check((np.diff(exch["exch_ts"]) >= 0).all(), "the exchange's events go back")
    check((np.diff(local["local_ts"]) >= 0).all(), "arrivals go back")
    check((events["local_ts"] >= events["exch_ts"]).all(), "an arrival before its event")
    check(((ev & (EXCH | LOCAL)) != 0).all(), "an event for nobody")
    plain = [np.sort(part[["exch_ts", "local_ts", "px", "qty"]]) for part in (exch, local)]
    check((plain[0] == plain[1]).all(), "the two orders have other events")
    check(len(exch) == len(local), "the two orders have other lengths")
    check(len(events) > len(exch), "no event was overtaken")
    offset = -min([0, *(t[1] - t[0] for t in data["trades"]), *(r[2] - r[1] for r in data["rows"])])
    check(offset > 0, "no arrival was before its event")
    for order, part in (("exchange", exch), ("arrival", local)):
        trades = part[part["ev"] & 255 == TRADE]
        key = (lambda t: t[0]) if order == "exchange" else (lambda t: t[1])
        wanted = [
            (ts * 1000, (came + offset) * 1000, price, qty, SELL if sold else BUY)
            for ts, came, price, qty, sold in sorted(data["trades"], key=key)
        ]
        found = [
            (int(t["exch_ts"]), int(t["local_ts"]), t["px"], t["qty"], int(t["ev"]) & (BUY | SELL))
            for t in trades
        ]
        check(found == wanted, f"trades in the order of {order} differ")
        check_books(part, expected, offset, order)


def check_books(part, expected, offset, order):
    books = {(ts * 1000, (came + offset) * 1000): (b, a) for ts, came, _, b, a in expected}
    bids, asks, count = {}, {}, 0
    for n, event in enumerate(part):
        kind, is_bid = int(event["ev"]) & 255, bool(int(event["ev"]) & BUY)
        if kind == TRADE:
            continue
        side = bids if is_bid else asks
        if kind == CLEAR:
            worst = event["px"]
            for price in [p for p in side if (p >= worst if is_bid else p <= worst)]:
                del side[price]
            # Levels beyond the snapshot are no longer known.
            side.clear()
        else:
            put(side, float(event["px"]), float(event["qty"]))
        key = (int(event["exch_ts"]), int(event["local_ts"]))
        following = part[n + 1 :]
        following = following[following["ev"] & 255 != TRADE][:1]
        ends = len(following) == 0 or (
            int(following["exch_ts"][0]), int(following["local_ts"][0])) != key
        if ends:
            count += 1
            check((bids, asks) == books[key], f"hftbacktest, {order}: another book at {key}")
    check(count == len(books), f"hftbacktest, {order}: {count} books, not {len(books)}")


def check_deltas(data, expected):
    bids, asks, books, before = {}, {}, [], 0
    for action, side, price, size, flags, sequence, ts_event, ts_init in data["deltas"]:
        check(ts_init >= before, f"ts_init goes back at {ts_init}")
        before = ts_init
        price, size = int(price) / 10**16, int(size) / 10**16
        if action == 4:
            check(flags == 32 and side == 0, f"a clear with flags {flags}")
            bids, asks = {}, {}
            continue
        check(action == (3 if size == 0 else 1 if flags & 32 else 2), f"action {action}, {size}")
        put(bids if side == 1 else asks, price, size)
        if flags & 128:
            key = (ts_event // 1000, ts_init // 1000, sequence)
            books.append((*key, dict(bids), dict(asks)))
    check(books == expected, "the catalogue's books differ")


def main():
    data = json.load(sys.stdin)
    expected = replay(data)
    from_csv = books_of_csv(data)
    check(
        from_csv == [(ts, came, bids, asks) for ts, came, _, bids, asks in expected],
        "incremental_book_L2 gives other books",
    )
    check_top(data, expected)
    check_events(data, expected)
    check_deltas(data, expected)
    json.dump({"wrong": wrong, "count": len(expected)}, sys.stdout)


main()
