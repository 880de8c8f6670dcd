"""Signals of a tape, from the definitions in docs/signals.md alone, with exact fractions.

Reads {"tick": text, "gaps": [[from, to]], "trades": [[ts, price, qty, is_buyer_maker, id]],
"samples": [[ts, [[price, qty]], [[price, qty]]]]} from stdin, numbers as decimal text, and writes
a list of rows. It shares nothing with core/signals.
"""
import json
import sys
from collections import OrderedDict, defaultdict
from fractions import Fraction as F

DAY = 86_400_000_000
SECOND = 1_000_000


def median(values):
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def blind_end(gaps, before):
    return max([to for start, to in gaps if start < before], default=float("-inf"))


def bars_of(trades, interval):
    bars = OrderedDict()
    for ts, price, qty, maker, _ in trades:
        bars.setdefault(ts - ts % interval, []).append((price, qty, maker))
    return bars


def footprint(trades, step):
    cells = defaultdict(lambda: [F(0), F(0)])
    for price, qty, maker in trades:
        cells[price // step * step][1 if maker else 0] += qty
    return dict(sorted(cells.items()))


def bin_ticks(past_range, tick):
    best, decade = 1, 1
    while decade * tick * 20 <= past_range:
        for factor in (1, 2, 5):
            if factor * decade * tick * 20 <= past_range:
                best = factor * decade
        decade *= 10
    return best


def stacked(cells, step, volume):
    prices = list(cells)
    low, high = prices[0], prices[-1]
    zero = [F(0), F(0)]
    for side in (0, 1):
        marked = []
        for price in prices:
            other = price - step if side == 0 else price + step
            if other < low or other > high:
                continue
            mine, theirs = cells[price][side], cells.get(other, zero)[1 - side]
            if mine > 0 and mine >= 3 * theirs:
                marked.append(price)
        while marked:
            run = [marked.pop(0)]
            while marked and marked[0] == run[-1] + step:
                run.append(marked.pop(0))
            qty = sum(cells[price][side] for price in run)
            if len(run) >= 3 and qty * 10 >= volume:
                yield ("buy", "sell")[side], run, qty


def bar_signals(trades, gaps, tick, seconds):
    interval = seconds * SECOND
    bars = bars_of(trades, interval)
    rows = []
    for ts, bar in bars.items():
        end = ts + interval
        blind = blind_end(gaps, end)
        if ts <= blind:
            continue
        past = [
            other
            for start, other in bars.items()
            if max(ts - 20 * interval, ts - ts % DAY) <= start < ts and start > blind
        ]
        if len(past) < 3:
            continue
        highs = [max(p for p, _, _ in other) for other in past]
        lows = [min(p for p, _, _ in other) for other in past]
        ticks = bin_ticks(median([h - l for h, l in zip(highs, lows)]), tick)
        step = ticks * tick
        cells = footprint(bar, step)
        exact = footprint(bar, tick)
        volume = sum(q for _, q, _ in bar)
        delta = sum(-q if maker else q for _, q, maker in bar)
        first, last = bar[0][0], bar[-1][0]
        high, low = max(exact), min(exact)

        def add(kind, side, p_low, p_high, strength, details):
            rows.append([end, kind, seconds, ts, side, p_low, p_high, strength, details])

        for side, run, qty in stacked(cells, step, volume):
            details = {"bin_ticks": ticks, "qty": qty, "volume": volume}
            add("stacked_imbalance", side, run[0], run[-1] + step - tick, len(run), details)
        middle = median([sum(q for _, q, _ in other) for other in past])
        if volume >= middle * 3 / 2 and abs(delta) * 4 >= volume:
            side = "buy" if delta < 0 and last >= first else "sell" if delta > 0 and last <= first else None
            if side:
                of = 1 if delta < 0 else 0
                most = max(cell[of] for cell in cells.values())
                price = min(p for p, cell in cells.items() if cell[of] == most)
                details = {"bin_ticks": ticks, "volume": volume, "reference_qty": middle, "delta": delta}
                add("absorption", side, price, price + step - tick, abs(delta) / volume, details)
        prices = list(cells)
        for side, is_new, ends, of, direction in (
            ("sell", high > max(highs), prices[::-1][:3], 0, -1),
            ("buy", low < min(lows), prices[:3], 1, 1),
        ):
            if not is_new or len(ends) < 3:
                continue
            outer, second, third = ends
            left = last < outer if direction < 0 else last >= outer + step
            near = second == outer + direction * step and third == second + direction * step
            a, b, c = (cells[p][of] for p in ends)
            if left and near and a < b < c and a * 5 <= c:
                details = {"bin_ticks": ticks, "qty": a, "reference_qty": c}
                add("exhaustion", side, outer, outer + step - tick, 1 - a / c, details)
        if abs(delta) * 10 >= volume:
            for side, is_new, price, reference in (
                ("sell", high > max(highs) and delta < 0, high, max(highs)),
                ("buy", low < min(lows) and delta > 0, low, min(lows)),
            ):
                if is_new:
                    details = {"volume": volume, "delta": delta, "reference_price": reference}
                    add("delta_divergence", side, price, price, abs(delta) / volume, details)
        for side, is_new, price, reference in (
            ("buy", high > max(highs), high, max(highs)),
            ("sell", low < min(lows), low, min(lows)),
        ):
            bought, sold = exact[price]
            if is_new and bought > 0 and sold > 0:
                details = {"buy_qty": bought, "sell_qty": sold, "reference_price": reference}
                strength = min(bought, sold) / max(bought, sold)
                add("unfinished_auction", side, price, price, strength, details)
    return rows


def large_trades(trades, gaps):
    minute = 60 * SECOND
    minutes = bars_of(trades, minute)
    sums = {ts: (sum(q for _, q, _ in of), len(of)) for ts, of in minutes.items()}
    rows = []
    for ts, price, qty, maker, trade_id in trades:
        own = ts - ts % minute
        blind = blind_end(gaps, ts + 1)
        if ts <= blind:
            continue
        first = max(own - 20 * minute, ts - ts % DAY)
        past = [sums[at] for at in range(first, own, minute) if at in sums and at > blind]
        count = sum(n for _, n in past)
        if len(past) < 3 or count < 100:
            continue
        mean = sum(v for v, _ in past) / count
        if qty >= 100 * mean:
            details = {"qty": qty, "reference_qty": mean, "trade_id": trade_id}
            side = "sell" if maker else "buy"
            rows.append([ts, "large_trade", None, None, side, price, price, qty / mean, details])
    return rows


def wall_signals(trades, samples, gaps):
    books = {ts: (bids, asks) for ts, bids, asks in samples}
    traded = defaultdict(F)
    for ts, price, qty, maker, _ in trades:
        traded[(-(-ts // SECOND) * SECOND, 1 if maker else 0, price)] += qty
    walls, medians, worst = {}, {}, {}
    for ts, sides in books.items():
        for side, levels in enumerate(sides):
            if len(levels) == 10:
                medians[ts, side] = median([q for _, q in levels])
                worst[ts, side] = levels[-1][0]
                walls[ts, side] = {p: q for p, q in levels if q >= 10 * medians[ts, side]}

    def follows(ts):
        return ts % DAY != 0 and ts - SECOND in books

    def held(ts, side, price, count):
        """Whether it was a wall at `count` seconds in a row, up to ts."""
        for i in range(count):
            at = ts - i * SECOND
            if price not in walls.get((at, side), {}):
                return False
            if i + 1 < count and not follows(at):
                return False
        return True

    def seen_in_chain(ts, side, price, seconds):
        """Whether it was a wall in the seconds before ts, without a break of the chain."""
        at = ts
        for _ in range(seconds):
            if not follows(at):
                return False
            at -= SECOND
            if price in walls.get((at, side), {}):
                return True
        return False

    def in_view(ts, side, price):
        edge = worst.get((ts, side))
        return edge is not None and (price >= edge if side == 0 else price <= edge)

    rows = []
    for ts in books:
        if ts % DAY >= DAY - 60 * SECOND:
            continue
        for side in (0, 1):
            if follows(ts) and ts - SECOND > blind_end(gaps, ts + 1):
                before = ts - SECOND
                now = dict(books[ts][side])
                for price, qty in walls.get((before, side), {}).items():
                    if not held(before, side, price, 5) or not in_view(ts, side, price):
                        continue
                    after = now.get(price, F(0))
                    loss = qty - after
                    taken = traded[(ts, 1 - side, price)]
                    if loss * 2 >= qty and taken * 2 <= loss:
                        details = {
                            "qty": qty,
                            "reference_qty": medians[before, side],
                            "qty_after": after,
                            "traded_qty": taken,
                        }
                        name = ("sell", "buy")[side]
                        rows.append([None, "wall_pulled", None, ts, name, price, price, loss / qty, details])
            for price, qty in walls.get((ts, side), {}).items():
                begin = ts - 4 * SECOND
                if not held(ts, side, price, 5) or not follows(begin):
                    continue
                if price in walls.get((begin - SECOND, side), {}):
                    continue
                if not in_view(begin - SECOND, side, price) or seen_in_chain(begin, side, price, 60):
                    continue
                middle = medians[ts, side]
                details = {"qty": qty, "reference_qty": middle}
                name = ("buy", "sell")[side]
                rows.append([None, "wall_appeared", None, ts, name, price, price, qty / middle, details])
    return rows


def main():
    tape = json.load(sys.stdin)
    tick = F(tape["tick"])
    gaps = [(start, float("inf") if end is None else end) for start, end in tape["gaps"]]
    trades = [(ts, F(p), F(q), maker, tid) for ts, p, q, maker, tid in tape["trades"]]
    level = lambda levels: [(F(p), F(q)) for p, q in levels]
    samples = [(ts, level(bids), level(asks)) for ts, bids, asks in tape["samples"]]
    rows = bar_signals(trades, gaps, tick, 60) + bar_signals(trades, gaps, tick, 300)
    rows += large_trades(trades, gaps) + wall_signals(trades, samples, gaps)
    number = lambda value: float(value) if isinstance(value, F) else value
    out = []
    for *head, low, high, strength, details in rows:
        named = {name: number(value) for name, value in details.items()}
        out.append(head + [number(low), number(high), number(strength), named])
    json.dump(out, sys.stdout)


main()
