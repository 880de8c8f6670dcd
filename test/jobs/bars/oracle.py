"""Bars from the definitions in docs/bars.md alone, in numpy: reads JSON, prints JSON.

Input: {"before": totals or null, "gaps": [[from_ts, to_ts]], "ts", "id", "price", "qty", "sell"}.
Output: {"KIND": [[ts, start_ts, open, high, low, close, volume, buy_volume, sell_volume, notional,
trade_count, vwap, first_trade_id, last_trade_id, reached, threshold], ...]}.
"""

import json
import sys

import numpy as np

DAY_US = 86_400_000_000
PER_DAY, SPAN, RANGE, WARM_UP_US = 1440, 20, 10, 3_600_000_000
ALPHA = 2 / (SPAN + 1)


def totals(ts, weights, sell):
    minute = (ts // 60_000_000).astype(np.int64)
    _, group = np.unique(minute, return_inverse=True)
    signed = np.where(sell, -weights, weights)
    return {
        "bought": weights[~sell].sum(),
        "sold": weights[sell].sum(),
        "minute_imbalance": np.abs(np.bincount(group, signed)).sum(),
    }


def bars(trades, rule, weights, begin, days, before, count):
    ts, ids, price, qty, sell, piece = trades
    bar_count = PER_DAY * days
    start = np.array(
        [
            count / bar_count,
            before["bought"] / count,
            before["sold"] / count,
            (before["minute_imbalance"] or before["bought"] + before["sold"]) / count,
        ]
    )
    average = start.copy()
    found = []
    first = begin
    while first < len(ts):
        if rule == "standard":
            threshold = (before["bought"] + before["sold"]) / bar_count
        elif rule == "imbalance":
            threshold = average[0] * average[3]
        else:
            threshold = average[0] * max(average[1], average[2])
        end_of_piece = int(np.searchsorted(piece, piece[first], "right"))
        hits, size = [], 64
        while len(hits) == 0 and (size == 64 or size < end_of_piece - first):
            size *= 4
            at = slice(first, min(first + size, end_of_piece))
            w, s = weights[at], sell[at]
            bought, sold = np.cumsum(np.where(s, 0, w)), np.cumsum(np.where(s, w, 0))
            reached = {
                "standard": bought + sold,
                "imbalance": np.abs(bought - sold),
                "run": np.maximum(bought, sold),
            }[rule]
            # Sums of doubles differ from exact sums in the last digits only.
            hits = np.nonzero(reached >= threshold * (1 - 1e-13))[0]
        if len(hits) == 0:
            first = end_of_piece
            continue
        n = int(hits[0])
        last = first + n
        at = slice(first, last + 1)
        p, q = price[at], qty[at]
        found.append(
            [ts[last], ts[first], p[0], p.max(), p.min(), p[-1], q.sum(), q[~s[: n + 1]].sum()]
            + [q[s[: n + 1]].sum(), (p * q).sum(), n + 1, (p * q).sum() / q.sum(), ids[first]]
            + [ids[last], reached[n], threshold]
        )
        length = n + 1
        b, o = bought[n] / length, sold[n] / length
        learnt = np.array([length, b, o, abs(bought[n] - sold[n]) / length])
        moved = average + ALPHA * (learnt - average)
        average = np.clip(moved, start / RANGE, start * RANGE)
        first = last + 1
    return found


def main():
    data = json.load(sys.stdin)
    ts, ids = np.array(data["ts"], np.int64), np.array(data["id"], np.int64)
    price, qty = np.array(data["price"]), np.array(data["qty"])
    sell = np.array(data["sell"], bool)
    # A gap begins after its first event and ends with its last: bars do not cross either end.
    piece = np.zeros(len(ts), np.int64)
    for begin, end in data["gaps"]:
        piece += (ts > begin).astype(np.int64) + (ts >= end)
    begin, days = 0, 1
    if data["before"] is None:
        begin, days = int(np.searchsorted(ts, ts[0] + WARM_UP_US)), WARM_UP_US / DAY_US
    answer = {}
    for amount, weights in (("tick", np.ones(len(ts))), ("volume", qty), ("dollar", price * qty)):
        if data["before"] is None:
            before, count = totals(ts[:begin], weights[:begin], sell[:begin]), begin
        else:
            before, count = data["before"]["of"][amount], data["before"]["trade_count"]
        for rule in ("standard", "imbalance", "run"):
            name = amount if rule == "standard" else f"{amount}_{rule}"
            trades = (ts, ids, price, qty, sell, piece)
            rows = bars(trades, rule, weights, begin, days, before, count)
            answer[name] = [[float(value) for value in row] for row in rows]
        answer[f"totals_{amount}"] = {k: float(v) for k, v in totals(ts, weights, sell).items()}
    json.dump(answer, sys.stdout)


main()
