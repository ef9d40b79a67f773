"""Where the files are that pages are made of, in a checkout and where installed alike."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

import plotly

HOUSE: Final = Path(__file__).parent.parent
"""Where `static` and `templates` are."""
PLOTLY: Final = Path(str(files("plotly"))) / "package_data" / "plotly.min.js"
"""Plotly's own JavaScript, from the installed package: no other host is needed, and versions cannot drift."""
PLOTLY_PATH: Final = f"/static/vendor/plotly-{plotly.__version__}.min.js"
"""Where the server has it."""
