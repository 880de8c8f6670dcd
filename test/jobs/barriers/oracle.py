"""Barrier labels from docs/bars.md alone, in numpy: reads JSON, prints JSON.

Input: {"from": first second [us], "mid": mid at the end of each second or null, "cut": seconds in
which the chain of quotes was cut}. Output: rows of [ts, t1, side, log_return, volatility, barrier,
uniqueness, return_weight, fold, purged_by].
"""

import json
import math
import sys

import numpy as np

SPAN, MIN, CUSUM, HORIZON, WIDTH, FOLDS, EMBARGO = 600, 60, 60, 300, 1, 5, 864
ALPHA = 2 / (SPAN + 1)


def main():
    data = json.load(sys.stdin)
    mid = np.array([np.nan if one is None else one for one in data["mid"]], float)
    cut = np.array(data["cut"], bool)
    r = np.full(len(mid), np.nan)
    # log1p of the difference: ln of a rounded quotient would lose a third of the digits.
    r[1:] = np.log1p((mid[1:] - mid[:-1]) / mid[:-1])
    r[cut] = np.nan
    events = []
    up = down = 0.0
    known = 0
    for t in range(len(r)):
        if np.isnan(r[t]):
            up = down = 0.0
            known = 0
            continue
        known += 1
        up, down = max(0.0, up + r[t]), min(0.0, down + r[t])
        weights = (1 - ALPHA) ** np.arange(known)
        past = r[t - known + 1 : t + 1][::-1]
        sigma = math.sqrt((weights * past**2).sum() / weights.sum())
        if known < MIN or sigma == 0:
            continue
        h = sigma * math.sqrt(CUSUM)
        is_up, is_down = up >= h, down <= -h
        up, down = (0.0 if is_up else up), (0.0 if is_down else down)
        if is_up or is_down:
            events.append((t, sigma))
    labels = []
    for t, sigma in events:
        barrier = WIDTH * sigma * math.sqrt(HORIZON)
        later = r[t + 1 : t + HORIZON + 1]
        gone = np.log1p((mid[t + 1 : t + HORIZON + 1] - mid[t]) / mid[t])
        unknown = np.nonzero(np.isnan(later))[0]
        end = int(unknown[0]) if len(unknown) else len(later)
        hits = np.nonzero(np.abs(gone[:end]) >= barrier)[0]
        if len(hits):
            at = int(hits[0])
            side = 1 if gone[at] > 0 else -1
        elif end == HORIZON:
            at, side = HORIZON - 1, 0
        else:
            continue
        labels.append((t, t + 1 + at, side, gone[at], sigma, barrier))
    count = np.zeros(len(r))
    for t, t1, *_ in labels:
        count[t + 1 : t1 + 1] += 1
    rows = []
    for t, t1, side, gone, sigma, barrier in labels:
        at = slice(t + 1, t1 + 1)
        ts, ts1 = (data["from"] + one * 1_000_000 for one in (t, t1))
        seconds, seconds1 = ts // 1_000_000 % 86_400, ts // 1_000_000 % 86_400 + t1 - t
        fold = seconds * FOLDS // 86_400
        purged = 0
        for k in range(FOLDS):
            start, end = k * 86_400 / FOLDS, (k + 1) * 86_400 / FOLDS
            if k != fold and seconds1 >= start and seconds < end + HORIZON + EMBARGO:
                purged += 2**k
        unique = (1 / count[at]).mean()
        own = abs((r[at] / count[at]).sum())
        rows.append([ts, ts1, side, gone, sigma, barrier, unique, own, fold, purged])
    json.dump([[float(value) for value in row] for row in rows], sys.stdout)


main()
