"""People, and the one billing profile that they share."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django_countries.fields import CountryField

from apps.account.currency import currency_of
from apps.account.roles import Can, Role, allowed
from apps.account.validators import LettersAnd


class UserManager(BaseUserManager["User"]):
    """Makes people whose name is their email address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Return the new person. Raises ValueError without an email address."""
        if not email:
            raise ValueError("A person needs an email address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """A person who signs in with an email address, and whose role says what they may do."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100, blank=True)
    phone = models.CharField(max_length=30, blank=True)
    sms_alerts = models.BooleanField(default=False)
    marketing = models.BooleanField(default=False)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    is_active = models.BooleanField(default=True)
    # Made by the sandbox's seed; the portal does not start against the real API while one of these is active.
    is_demo = models.BooleanField(default=False)
    date_joined = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"

    def __str__(self) -> str:
        return self.email

    def can(self, capability: Can) -> bool:
        return allowed(self.role, capability)

    @property
    def short_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    @property
    def initials(self) -> str:
        words = self.short_name.replace(".", " ").split()
        return "".join(word[0] for word in words[:2]).upper() if len(words) > 1 else self.short_name[:2].upper()


class Invitation(models.Model):
    """A place that an admin keeps for somebody: the link in the mail is signed, and works once within seven days."""

    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="invitations_sent")
    invited_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_by = models.OneToOneField(User, on_delete=models.PROTECT, null=True, related_name="invitation")
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-invited_at"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="one_open_invitation_per_address",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"


class SignInRules(models.Model):
    """What an admin asks of everybody who signs in: one record for the whole portal."""

    # The roles that must have a second factor.
    second_factor_roles = models.JSONField(default=list)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return "Sign-in rules"

    @classmethod
    def load(cls) -> "SignInRules":
        """Return the one record, unsaved and without rules when nobody has set any."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)


class BillingProfile(models.Model):
    """The address that bills and taxes follow: one record for the whole portal, since it is one Barrack account."""

    address_line = models.CharField("Address line", max_length=255, blank=True)
    city = models.CharField(
        "City",
        max_length=100,
        blank=True,
        validators=[LettersAnd(" -.'", "Use letters, spaces, hyphens, periods and apostrophes.")],
    )
    state = models.CharField(
        "State / Province",
        max_length=100,
        blank=True,
        validators=[LettersAnd(" -", "Use letters, spaces and hyphens.")],
    )
    postal_code = models.CharField(
        "Postal code",
        max_length=20,
        blank=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9 -]*\Z", "Use letters, digits, hyphens and spaces.")],
    )
    country = CountryField("Country", blank=True)
    tax_number = models.CharField(
        "GST / VAT number",
        max_length=30,
        blank=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9 ./-]*\Z", "Use letters, digits, spaces and . / -")],
    )
    changed_at = models.DateTimeField(auto_now=True)

    REQUIRED = ("address_line", "postal_code", "country")

    def __str__(self) -> str:
        return "Billing profile"

    @classmethod
    def load(cls) -> "BillingProfile":
        """Return the one record, unsaved and empty when nobody has filled it in yet."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)

    @property
    def missing(self) -> list[str]:
        """The labels of the required fields that are empty."""
        labels = {column.name: str(column.verbose_name) for column in self._meta.concrete_fields}
        return [labels[name] for name in self.REQUIRED if not getattr(self, name)]

    @property
    def complete(self) -> bool:
        return not self.missing

    @property
    def currency(self) -> str:
        """The currency that the country predicts: INR, EUR or USD."""
        return currency_of(str(self.country))
