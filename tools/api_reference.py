"""The API reference from the docstrings: ``python tools/api_reference.py DIR``."""

import sys
import warnings
from pathlib import Path

import pdoc

import sweep


def main() -> None:
    """Write one page for each module."""
    for name in sweep.__all__:  # imported when used; pdoc looks for what is there
        vars(sweep)[name] = getattr(sweep, name)
    pdoc.render.configure(docformat="google")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="pdoc")
        pdoc.pdoc("sweep", "artifacts_sim", "mrimodels", output_directory=Path(sys.argv[1]))


if __name__ == "__main__":
    main()
