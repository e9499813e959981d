"""Features that are learned from a fold's training rows, and added before its other steps."""

from pipeline.generating.text import TextFeatures
from pipeline.generating.together import FAMILIES, GeneratedFeatures, check_families

__all__ = ["FAMILIES", "GeneratedFeatures", "TextFeatures", "check_families"]
