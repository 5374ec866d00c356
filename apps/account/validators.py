"""Rules for names of people and places, in any script."""

import unicodedata

from django.core.exceptions import ValidationError
from django.utils.deconstruct import deconstructible

# Invisible signs that say how letters join, which words of Sinhala, Malayalam and Persian are written with.
JOINERS = "\u200c\u200d"


@deconstructible
class LettersAnd:
    """Accepts letters of any script with their marks, and the characters given; there must be a letter among them."""

    def __init__(self, others: str, sentence: str) -> None:
        self.others = others
        self.sentence = sentence

    def __call__(self, value: str) -> None:
        others = self.others + JOINERS
        fits = all(_is_letter(character) or character in others for character in value)
        if not fits or not any(_is_letter(character) for character in value):
            raise ValidationError(self.sentence, code="invalid")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LettersAnd) and (self.others, self.sentence) == (other.others, other.sentence)

    def __hash__(self) -> int:
        return hash((self.others, self.sentence))


def _is_letter(character: str) -> bool:
    # Vowel signs and accents that follow their letter are marks (M), not letters (L).
    return unicodedata.category(character)[0] in "LM"
