"""Versions of what is installed, without a stumble over what is not."""

import re

from pipeline.packages import package_versions


def test_packages_that_are_not_installed_are_left_out():
    found = package_versions(["numpy", "no-such-package-as-this"])
    assert list(found) == ["numpy"]
    assert re.match(r"\d+\.\d+", found["numpy"])
