"""Rules for names of people and places, in any script."""

import unicodedata

from django.core.exceptions import ValidationError
from django.utils.deconstruct import deconstructible

# Invisible signs that say how letters join, which words of Sinhala, Malayalam and Persian are written with.
JOINERS = "\u200c\u200d"
# What phones and word processors write in place of the straight apostrophe.
CURLY_APOSTROPHES = "\u2018\u2019"


@deconstructible
class LettersAnd:
    """Accepts letters of any script with their marks, and the characters given; there must be a letter among them."""

    def __init__(self, others: str, sentence: str) -> None:
        self.others = others
        self.sentence = sentence

    def __call__(self, value: str) -> None:
        others = self.others + JOINERS + (CURLY_APOSTROPHES if "'" in self.others else "")
        fits = all(unicodedata.category(character)[0] in "LM" or character in others for character in value)
        # Vowel signs and accents are marks (M) that follow their letter (L): alone they are no word.
        if not fits or not any(unicodedata.category(character)[0] == "L" for character in value):
            raise ValidationError(self.sentence, code="invalid")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LettersAnd) and (self.others, self.sentence) == (other.others, other.sentence)

    def __hash__(self) -> int:
        return hash((self.others, self.sentence))
