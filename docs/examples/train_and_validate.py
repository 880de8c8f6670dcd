"""Train on yesterday, validate on today: does order flow say where the mid goes in 5 seconds?

    apt install python3-pandas python3-sklearn python3-matplotlib
    cp edge-api/python/booktape.py .
    BOOKTAPE_URL=http://127.0.0.1:8787 python3 train_and_validate.py BTCUSDT yesterday today

It prints the correlation of prediction and outcome per model, and writes train_and_validate.png.
"""

import sys

import booktape
import numpy as np
from matplotlib import pyplot as plt
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

plt.switch_backend("Agg")

TARGET = "forward_log_return_5s"
FEATURES = ["i1", "i5", "i10", "ofi", "mlofi_norm_5", "mlofi_norm_10", "trade_imbalance", "volume"]


def day(symbol: str, date: str):
    """Features and labels of a day, joined by their second. Rows without a label are left out."""
    key = ["ts"]
    x = booktape.load("features_1s", date, symbols=[symbol], columns=key + FEATURES + ["mid_close"])
    y = booktape.load("labels_1s", date, symbols=[symbol], columns=key + [TARGET])
    rows = x.merge(y, on=key).dropna(subset=[TARGET])
    rows[["trade_imbalance", "volume"]] = rows[["trade_imbalance", "volume"]].fillna(0)
    return rows.dropna(subset=FEATURES)


def main(symbol: str, train_on: str, validate_on: str) -> None:
    for lack in booktape.missing("features_1s", [train_on, validate_on], symbols=[symbol]):
        print(f"missing: {lack}")
    train, test = day(symbol, train_on), day(symbol, validate_on)
    print(f"{len(train)} rows to train on, {len(test)} to validate on")
    # The last 5 s of training see prices of validation if the days touch: leave them out (purge).
    train = train[train.ts < test.ts.min() - np.timedelta64(5, "s")]
    models = {
        "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))),
        "trees": HistGradientBoostingRegressor(max_depth=4, max_iter=100, learning_rate=0.05),
    }
    figure, axes = plt.subplots(1, len(models), figsize=(10, 4), sharey=True)
    for axis, (name, model) in zip(axes, models.items()):
        model.fit(train[FEATURES], train[TARGET])
        guess, truth = model.predict(test[FEATURES]), test[TARGET].to_numpy()
        print(f"{name}: out-of-sample correlation {np.corrcoef(guess, truth)[0, 1]:.3f}")
        groups = np.array_split(np.argsort(guess), 20)
        axis.plot(*([of[g].mean() * 1e4 for g in groups] for of in (guess, truth)), "o")
        axis.set(title=f"{symbol}, {name}", xlabel="predicted return over 5 s [bp]")
    axes[0].set_ylabel("mean return that followed [bp]")
    figure.savefig("train_and_validate.png", dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["BTCUSDT", "yesterday", "today"]))
