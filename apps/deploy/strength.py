"""How hard a Jupyter password is to guess."""

from dataclasses import dataclass
from typing import Final

from zxcvbn import zxcvbn

# source: user documentation.
LEAST: Final = 8
# The estimate looks at so many characters; longer passwords are strong by their beginning or not at all.
LOOKED_AT: Final = 72
# By zxcvbn's score from 0, guessed at once, to 4.
LEVELS: Final = ("weak", "weak", "medium", "strong", "strong")


@dataclass(frozen=True)
class Strength:
    """`level` is weak, medium or strong; `bar` 1 to 3; `advice` what would make it better, "" for nothing."""

    level: str
    advice: str

    @property
    def bar(self) -> int:
        return ("weak", "medium", "strong").index(self.level) + 1


def strength_of(password: str, *known: str) -> Strength | None:
    """Return how strong a password is, None for an empty one; `known` are words that somebody would try first."""
    if not password:
        return None
    found = zxcvbn(password[:LOOKED_AT], user_inputs=[word for word in known if word])
    level = "weak" if len(password) < LEAST else LEVELS[found["score"]]
    feedback = found["feedback"]
    advice = feedback["warning"] or next(iter(feedback["suggestions"]), "")
    return Strength(level, "" if level == "strong" else advice)
