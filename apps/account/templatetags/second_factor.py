"""What somebody has for a second factor, for My account and the member pages."""

from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from django import template

from apps.account.models import User
from apps.account.second_factor import factors_of, must_have_one

register = template.Library()


@dataclass(frozen=True)
class Factors:
    app: bool
    passkeys: int
    required: bool

    @property
    def any(self) -> bool:
        return self.app or bool(self.passkeys)

    @property
    def words(self) -> str:
        """Return what there is: "Authenticator app, 2 passkeys"."""
        passkeys = f"{self.passkeys} passkey{'' if self.passkeys == 1 else 's'}" if self.passkeys else ""
        found = [word for word in ("authenticator app" if self.app else "", passkeys) if word]
        return ", ".join(found).capitalize() or "None: the password alone signs in"


@register.simple_tag
def second_factors(user: User) -> Factors:
    types = list(factors_of(user).values_list("type", flat=True))
    return Factors(
        app=Authenticator.Type.TOTP in types,
        passkeys=types.count(Authenticator.Type.WEBAUTHN),
        required=must_have_one(user),
    )
