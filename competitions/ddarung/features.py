"""Row-wise features for the hourly rentals of Seoul's public bikes."""

import numpy as np
import pandas as pd

WARM = 24  # degrees Celsius at which most people ride


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the hour as a point on the clock, and what the weather is like to ride in.

    The measurements are those of the hour before.
    """
    hour, temperature = frame["hour"], frame["hour_bef_temperature"]
    humidity, ozone = frame["hour_bef_humidity"], frame["hour_bef_ozone"]
    coarse, fine = frame["hour_bef_pm10"], frame["hour_bef_pm2.5"]
    angle = 2 * np.pi * hour / 24
    sin, cos = np.sin(angle), np.cos(angle)
    evening = hour.between(17, 22).astype(int)
    return frame.assign(
        hour_name=hour.astype(str),
        hour_sin=sin,
        hour_cos=cos,
        hours_since_4=(hour - 4) % 24,  # the day of the riders begins at four
        discomfort=(temperature - WARM) ** 2,
        temperature_humidity=temperature * humidity,
        dew_point=temperature - (100 - humidity) / 5,
        temperature_sin=temperature * sin,
        temperature_cos=temperature * cos,
        temperature_morning=temperature * hour.between(7, 9),
        temperature_day=temperature * hour.between(10, 16),
        temperature_evening=temperature * evening,
        humidity_evening=humidity * evening,
        wind_temperature=frame["hour_bef_windspeed"] * temperature,
        ozone_temperature=ozone * temperature,
        ozone_dryness=ozone * (100 - humidity),
        fine_share=fine / coarse,
        log_coarse=np.log1p(coarse),
        log_fine=np.log1p(fine),
    )
