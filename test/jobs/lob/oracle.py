"""lob_10 from its definition alone, in numpy: reads JSON, prints JSON.

Input: {"from": midnight, "gaps": [[from_ts, to_ts]], "rows": [[kind, ts, id, before, bids, asks]]}.
Output: {"rows": [[ts, id, 40 levels, 5 labels]], "mean": [40], "std": [40]}; null is NaN.
"""

import json
import math
import sys

import numpy as np

HORIZONS = (10, 20, 30, 50, 100)


def main():
    data = json.load(sys.stdin)
    bids, asks, last = {}, {}, None
    rows, runs, run = [], [], 0
    for kind, ts, number, before, new_bids, new_asks in data["rows"]:
        if kind == "snapshot":
            bids, asks = dict(map(tuple, new_bids)), dict(map(tuple, new_asks))
            last = number
            run += 1
            continue
        if last is None or before != last:
            last = None
            run += 1
            continue
        last = number
        for side, changes in ((bids, new_bids), (asks, new_asks)):
            for price, qty in changes:
                side.pop(price, None)
                if qty > 0:
                    side[price] = qty
        in_gap = any(begin < ts <= end for begin, end in data["gaps"])
        if ts < data["from"]:
            continue
        if len(bids) < 10 or len(asks) < 10 or in_gap:
            run += 1
            continue
        if rows and any(rows[-1][0] <= begin < ts for begin, _ in data["gaps"]):
            run += 1
        best_bids, best_asks = sorted(bids, reverse=True)[:10], sorted(asks)[:10]
        levels = [x for a, b in zip(best_asks, best_bids) for x in (a, asks[a], b, bids[b])]
        rows.append([ts, number, *levels])
        runs.append(run)
    table = np.array(rows)
    mid = (table[:, 2] + table[:, 4]) / 2
    for t, row in enumerate(rows):
        for k in HORIZONS:
            known = t + k < len(rows) and runs[t + k] == runs[t]
            row.append((mid[t + 1 : t + k + 1].mean() - mid[t]) / mid[t] if known else math.nan)
    # Differences from the first row are small, so their squares keep their digits.
    first, moved = table[0, 2:], table[:, 2:] - table[0, 2:]
    mean, std = list(first + moved.mean(0)), list(moved.std(0))
    json.dump({"rows": rows, "mean": mean, "std": std}, sys.stdout)


main()
