"""vl-convert, which takes letters from the fonts that it brings before those of the machine."""

from __future__ import annotations

import os
import re
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

#: Where fontconfig keeps its settings, and fonts are where it has none.
SETTINGS = "/etc/fonts/fonts.conf"
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
#: A folder of fonts in these settings.
FOLDER = re.compile(r'<dir(?P<xdg> prefix="xdg")?[^>]*>(?P<name>[^<]+)</dir>')
NO_FONTS = "<fontconfig><dir>/nowhere</dir></fontconfig>"


@cache
def converter() -> ModuleType:
    """Return vl-convert with its own fonts, then those of the machine for letters they lack.

    vl-convert holds its own fonts in memory. It opens a file of the machine's again for every
    letter that it measures or draws: a third of the time of all figures.
    """
    import vl_convert

    places = folders()
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
    for place in places:
        vl_convert.register_font_directory(place)
    return vl_convert


def folders() -> list[str]:
    """Return the machine's folders of fonts, those that fontconfig names if it is there."""
    try:
        text = Path(os.environ.get("FONTCONFIG_FILE", SETTINGS)).read_text(encoding="utf-8")
    except OSError:
        names = list(FOLDERS)
    else:
        own = os.environ.get("XDG_DATA_HOME", "~/.local/share")
        names = [
            os.path.join(own, found["name"]) if found["xdg"] else found["name"]
            for found in FOLDER.finditer(text)
        ]
    places = map(os.path.expanduser, names)
    # a folder that must not be read is none
    return [place for place in dict.fromkeys(places) if os.path.isdir(place)]
