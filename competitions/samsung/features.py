"""What a day of trade says whatever the level of prices: ratios, and logarithms of volumes."""

import numpy as np
import pandas as pd

PRICES = {"open": "시가", "high": "고가", "low": "저가"}
BUYERS = {
    "people": "개인", "institutions": "기관", "foreigners": "외인(수량)", "houses": "외국계",
    "programs": "프로그램",
}  # fmt: skip


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the day's prices by its last one, its volume, and who bought what share of it."""
    close, volume = frame["종가"], frame["거래량"]
    traded = volume.where(volume > 0)  # none on a day without trade
    prices = {name: frame[column] / close - 1 for name, column in PRICES.items()}
    buyers = {name: frame[column] / traded for name, column in BUYERS.items()}
    return frame.assign(**prices, volume=np.log(traded), **buyers)
