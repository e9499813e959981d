"""Plain code that exported scripts are made of: public packages alone, hardly anything of this one.

What a script needs of it is copied as it stands here, so it is written to be read there. It does
what the package does, with what a run has settled long ago left out; `tests/test_exporting.py`
compares the submissions of both.
"""

# From each function or class that a script may ask for to the module that has it.
HOMES = {
    name: f"pipeline.exporting.pieces.{module}"
    for module, names in {
        "files": "find_folder read_cells read_images typed with_features Rows clean",
        "windows": "told_rows Windows LastValue apart",
        "columns": "numeric text named by_column",
        "boosting": "Boosting stop_lightgbm stop_xgboost stop_catboost stop_hist "
        "log_loss_of_codes minus_area",
        "fitting": "Seeds Model Problem cross_fit fit_networks",
        "answers": "mix save",
        "progress": "emit",
    }.items()
    for name in names.split()
}
