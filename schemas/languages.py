"""In which language a person is answered: English, or Chinese (simplified), by Accept-Language (RFC 9110, section 12.5.4)."""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["en", "zh-Hans"]
"""As it stands in Content-Language."""

ENGLISH: Language = "en"
CHINESE: Language = "zh-Hans"

_MOST_RANGES = 16
_RANGE = re.compile(r"([a-z]{1,8}|\*)(?:-[a-z0-9]{1,8})*(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?", re.ASCII)


def preferred(accepted: str) -> Language:
    """The language for these ranges, like `zh-CN, zh;q=0.9, en;q=0.5`. English where neither is asked for, or none can be read.

    A language is as good as the best range with its first subtag, whatever script or region follows (zh, zh-CN, zh-Hans), or
    else as `*`. Of two that are as good, the one asked for first is taken. What is not a range is passed over, and so are those
    after the 16th.
    """
    qualities: dict[str, float] = {}
    for item in accepted.split(",")[:_MOST_RANGES]:
        if found := _RANGE.fullmatch(item.strip().lower()):
            language, quality = found[1], float(found[2] or 1)
            qualities[language] = max(quality, qualities.get(language, 0.0))
    order = list(qualities)
    chinese, english = (qualities.get(language, qualities.get("*", 0.0)) for language in ("zh", "en"))
    earlier = "zh" in order and ("en" not in order or order.index("zh") < order.index("en"))
    return CHINESE if chinese > english or (chinese == english > 0 and earlier) else ENGLISH
