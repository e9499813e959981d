"""Invented prices in the shape of a Korean broker's export: no row comes from a market.

A price wanders from 45,000 won for three years of weekdays. The newest day stands first, numbers
have commas, ▲ and ▼ stand beside signed changes, and in the middle a share is split into fifty, as
in the real file.
"""

import numpy as np
import pandas as pd

DAYS = 780
SPLIT_AT, SHARES = 390, 50  # fifty shares for one, after three days without trade
FLAT = " "


def make_sample(seed: int = 42) -> dict[str, pd.DataFrame]:
    """Return the one file of the export as a frame of text, keyed by its name."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2016-01-04", periods=DAYS)
    split = np.where(np.arange(DAYS) < SPLIT_AT, SHARES, 1)
    rests = (np.arange(DAYS) < SPLIT_AT) & (np.arange(DAYS) >= SPLIT_AT - 3)
    moves = np.where(rests, 0.0, 0.0003 + 0.016 * rng.standard_t(5, DAYS) / np.sqrt(5 / 3))
    close = _ticks(45_000 * np.exp(np.cumsum(moves)), 100)
    change = np.diff(close, prepend=close[0])
    bought = {name: rng.normal(0, 8e5, DAYS) for name in ("개인", "기관", "외인(수량)")}
    traded = np.where(rests, 0, 1.2e7 * np.exp(0.35 * rng.normal(size=DAYS) + 9 * np.abs(moves)))
    spread = np.where(rests, 0.0, 0.012)
    frame = pd.DataFrame(
        {
            "일자": days.strftime("%Y/%m/%d"),
            "시가": _text(_ticks(close * (1 + spread * rng.normal(0, 0.4, DAYS)), 100) * split),
            "고가": _text(_ticks(close * (1 + spread * rng.uniform(0.9, 1.6, DAYS)), 100) * split),
            "저가": _text(_ticks(close * (1 - spread * rng.uniform(0.9, 1.6, DAYS)), 100) * split),
            "종가": _text(close * split),
            "전일비": np.select([change > 0, change < 0], ["▲", "▼"], FLAT),
            "": _text(change * split),
            "등락률": [f"{rate:+.2f}" if rate else "0" for rate in 100 * change / (close - change)],
            "거래량": np.where(rests, "", _text(traded / split)),
            "금액(백만)": np.where(rests, "", _text(traded * close / 1e6)),
            "신용비": [f"{share:.2f}" for share in rng.uniform(0, 0.2, DAYS)],
            **{name: _text(amount * ~rests / split) for name, amount in bought.items()},
            "외국계": _text(bought["외인(수량)"] * 0.6 * ~rests / split),
            "프로그램": _text(bought["외인(수량)"] * 0.4 * ~rests / split),
            "외인비": [f"{share:.2f}" for share in 50 + np.cumsum(rng.normal(0, 0.02, DAYS))],
        }
    )
    return {"삼성전자.csv": frame.iloc[::-1]}


def _ticks(prices: np.ndarray, tick: int) -> np.ndarray:
    """Return prices in steps of so many won."""
    return np.asarray(np.round(prices / tick) * tick)


def _text(numbers: np.ndarray) -> list[str]:
    """Return whole numbers with commas."""
    return [f"{number:,.0f}" for number in numbers + 0.0]
