"""Row-wise features for the hourly rentals of Seoul's public bikes."""

import numpy as np
import pandas as pd


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the hour as a name and as a point on the clock."""
    angle = 2 * np.pi * frame["hour"] / 24
    return frame.assign(
        hour_name=frame["hour"].astype(str),
        hour_sin=np.sin(angle),
        hour_cos=np.cos(angle),
    )
