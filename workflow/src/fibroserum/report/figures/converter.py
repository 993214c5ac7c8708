"""vl-convert, which takes letters from the fonts that it brings before those of the machine."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

#: Where Linux keeps fonts.
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
NO_FONTS = "<fontconfig><dir>/nowhere</dir></fontconfig>"


@cache
def converter() -> ModuleType:
    """Return vl-convert with its own fonts, then those of the machine for letters they lack.

    vl-convert holds its own fonts in memory. It opens a file of the machine's again for every
    letter that it measures or draws: a third of the time of all figures.
    """
    import vl_convert

    with tempfile.TemporaryDirectory() as folder:
        none = Path(folder, "fonts.conf")
        none.write_text(NO_FONTS, encoding="utf-8")
        asked = os.environ.get("FONTCONFIG_FILE")
        os.environ["FONTCONFIG_FILE"] = str(none)
        # the first use of fonts reads those that this file names: none
        vl_convert.register_font_directory(folder)
        if asked is None:
            del os.environ["FONTCONFIG_FILE"]
        else:
            os.environ["FONTCONFIG_FILE"] = asked
    for place in map(Path, map(os.path.expanduser, FOLDERS)):
        if place.is_dir():
            vl_convert.register_font_directory(str(place))
    return vl_convert
