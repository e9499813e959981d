"""The page that shows a run, and the one that compares runs: numbers in, one HTML file out."""

from pipeline.report.comparison import comparison_page
from pipeline.report.known import Known, Standing, Submitted
from pipeline.report.layout import render
from pipeline.report.run_page import run_page

__all__ = ["Known", "Standing", "Submitted", "comparison_page", "render", "run_page"]
