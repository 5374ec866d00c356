"""The one-time token of a write form: signed, bound to person, kind and target; stored only when used."""

import secrets

from django.core import signing

SALT = "operation-token"
# As long as a form may stay open in a tab.
MAX_AGE_SECONDS = 7 * 24 * 3600


def new_token(user_id: int, kind: str, target_id: str) -> str:
    """Return a fresh token for one form."""
    return signing.dumps([secrets.token_urlsafe(18), user_id, kind, target_id], salt=SALT)


def read_token(token: str, user_id: int, kind: str, target_id: str) -> str | None:
    """Return the token's one-time part, or None when it is forged, too old, or made for something else."""
    try:
        nonce, *bound = signing.loads(token, salt=SALT, max_age=MAX_AGE_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return str(nonce) if bound == [user_id, kind, target_id] else None
