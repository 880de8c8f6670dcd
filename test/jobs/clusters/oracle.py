"""Footprint bars computed anew from raw trades, with exact fractions, after docs/clusters.md.

stdin: JSON {"interval_us", "tick", "bin": n | "auto", "trades": [[ts, id, price, qty, taker_sold]]}
with prices and quantities as text. stdout: a JSON list of bars, numbers as reduced fractions.
"""
import json
import sys
from fractions import Fraction as F

DAY = 86_400_000_000
asked = json.load(sys.stdin)
interval, tick = asked["interval_us"], F(asked["tick"])
trades = sorted(
    (ts, int(id), F(price), F(qty), sold) for ts, id, price, qty, sold in asked["trades"]
)

bars = {}
for trade in trades:
    bars.setdefault(trade[0] // interval * interval, []).append(trade)


shapes = {
    ts: (max(t[2] for t in part), min(t[2] for t in part), part[-1][2])
    for ts, part in bars.items()
}


def true_ranges(before):
    """Of (high, low, close) in order; the first has no bar before it, and so no range."""
    return [
        max(high - low, abs(high - close), abs(low - close))
        for (_, _, close), (high, low, _) in zip(before, before[1:])
    ]


def auto_bin(ts):
    ranges = true_ranges([shapes[t] for t in sorted(bars) if ts - 140 * interval <= t < ts])
    if len(ranges) < 14:
        return 1
    atr = sum(ranges[:14]) / 14
    for r in ranges[14:]:
        atr = (13 * atr + r) / 14
    best, decade = 1, 1
    while decade * tick * 20 <= atr:
        for factor in (1, 2, 5):
            if factor * decade * tick * 20 <= atr:
                best = max(best, factor * decade)
        decade *= 10
    return best


def figures(cells, step, high, low):
    prices = sorted(cells)
    volume = {p: cells[p][0] + cells[p][1] for p in prices}
    top = max(volume.values())
    middle = (high + low) / 2
    poc = min((p for p in prices if volume[p] == top), key=lambda p: (abs(p + step / 2 - middle), p))
    i = j = prices.index(poc)
    inside, total = volume[poc], sum(volume.values())
    while inside * 10 < total * 7:
        above, below = prices[j + 1 : j + 3], prices[max(0, i - 2) : i]
        up, down = sum(volume[p] for p in above), sum(volume[p] for p in below)
        if above and (not below or up >= down):
            inside, j = inside + up, j + len(above)
        else:
            inside, i = inside + down, i - len(below)
    zero = (F(0), F(0), 0, 0)
    buys = [
        p for p in prices[1:]
        if cells[p][0] > 0 and cells[p][0] >= 3 * cells.get(p - step, zero)[1]
    ]
    sells = [
        p for p in prices[:-1]
        if cells[p][1] > 0 and cells[p][1] >= 3 * cells.get(p + step, zero)[0]
    ]
    two_sided = lambda p: cells[p][0] > 0 and cells[p][1] > 0
    return poc, prices[i], prices[j], buys, sells, two_sided(prices[-1]), two_sided(prices[0])


out, cum, day = [], F(0), None
for ts in sorted(bars):
    part = bars[ts]
    ticks = auto_bin(ts) if asked["bin"] == "auto" else asked["bin"]
    step = ticks * tick
    cells, delta, least, most = {}, F(0), F(0), F(0)
    for _, _, price, qty, sold in part:
        bin = price // step * step
        buy_qty, sell_qty, buys, sells = cells.get(bin, (F(0), F(0), 0, 0))
        if sold:
            cells[bin] = (buy_qty, sell_qty + qty, buys, sells + 1)
            delta -= qty
        else:
            cells[bin] = (buy_qty + qty, sell_qty, buys + 1, sells)
            delta += qty
        least, most = min(least, delta), max(most, delta)
    if ts // DAY != day:
        day, cum = ts // DAY, F(0)
    cum += delta
    high, low = max(t[2] for t in part), min(t[2] for t in part)
    poc, area_low, area_high, buys, sells, at_high, at_low = figures(cells, step, high, low)
    text = lambda values: [str(v) for v in values]
    out.append({
        "ts": ts, "bin_ticks": ticks,
        "open": str(part[0][2]), "high": str(high), "low": str(low), "close": str(part[-1][2]),
        "volume": str(sum(t[3] for t in part)),
        "buy_volume": str(sum(t[3] for t in part if not t[4])),
        "sell_volume": str(sum(t[3] for t in part if t[4])),
        "trade_count": len(part), "delta": str(delta), "cum_delta": str(cum),
        "min_delta": str(least), "max_delta": str(most),
        "poc": str(poc), "value_area_low": str(area_low), "value_area_high": str(area_high),
        "is_unfinished_high": at_high, "is_unfinished_low": at_low,
        "buy_imbalances": text(buys), "sell_imbalances": text(sells),
        "cells": [[str(p), str(cells[p][0]), str(cells[p][1]), *cells[p][2:]] for p in sorted(cells)],
    })
json.dump(out, sys.stdout)
