"""How django-allauth keeps second factors here: secrets encrypted, the portal's words, the last required one kept."""

import base64
import hashlib
import logging

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.encoding import force_bytes

from apps.account.models import User
from apps.account.second_factor import keeps_the_last

log = logging.getLogger("barrack.second_factor")


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is untyped
    """Says what is wrong in full sentences, and lets nobody read a secret in the database."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This code does not fit. Type the one that your app shows now; each works once.",
        "cannot_delete_authenticator": "Your role needs a second factor and this is your only one. "
        "Add another one first, then remove this.",
        "cannot_generate_recovery_codes": "Recovery codes belong to a second factor. Set up an app or a passkey first.",
    }

    def encrypt(self, text: str) -> str:
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret; after a change of SECRET_KEY one that fits no code, so that nobody gets in by it."""
        try:
            return _box().decrypt(encrypted_text).decode()
        except InvalidToken:
            log.error("a second factor cannot be read: SECRET_KEY has changed; an admin can reset the person's factors")  # noqa: TRY400
            return base64.b32encode(Fernet.generate_key()).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return not keeps_the_last(authenticator)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        found: dict[str, str] = super().get_public_key_credential_rp_entity()
        return found | {"name": settings.MFA_TOTP_ISSUER}

    def generate_authenticator_name(self, user: User, type: str) -> str:  # noqa: A002 - allauth's name
        count = Authenticator.objects.filter(user=user, type=type).count()
        return f"Passkey {count + 1}" if count else "Passkey"


def _box() -> MultiFernet:
    """Return what locks and unlocks the secrets, with a key made from SECRET_KEY; older keys still unlock."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [hashlib.sha256(b"second-factor:" + force_bytes(key)).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
