"""Every setting of the portal, read from the environment. docs/configuration.md lists them for those who run it."""

import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from barrack_web import env

BASE_DIR = Path(__file__).resolve().parent.parent

# --- The Barrack API -------------------------------------------------------------------------------------------------
BARRACK_API_KEY = env.matching("BARRACK_API_KEY", "", r"[ -~]*", "letters, digits and signs of ASCII")
SANDBOX = not BARRACK_API_KEY
if SANDBOX and env.text("BARRACK_API_URL", "sandbox://") != "sandbox://":
    raise ImproperlyConfigured(
        "BARRACK_API_URL is set, but BARRACK_API_KEY is not: set both, or neither for the sandbox."
    )
BARRACK_API_URL = env.matching(
    "BARRACK_API_URL",
    "sandbox://" if SANDBOX else "https://barrack.ai/api",
    r"sandbox://" if SANDBOX else r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:[1-9]\d{0,4})?(/[^\s?#]*)?",
    "http(s)://host/path, without user, query or fragment",
)
BARRACK_API_AUTH_HEADER = env.matching(
    "BARRACK_API_AUTH_HEADER", "X-API-Key", r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "the name of a header, such as X-API-Key"
)
BARRACK_API_AUTH_PREFIX = env.matching("BARRACK_API_AUTH_PREFIX", "", r"[ -~]*", "a word such as Bearer")
BARRACK_API_OVERRIDES = env.overrides("BARRACK_API_OVERRIDES")
if SANDBOX and env.text("BARRACK_API_OVERRIDES"):
    raise ImproperlyConfigured(
        "BARRACK_API_OVERRIDES is set, but BARRACK_API_KEY is not: the sandbox inside the portal needs no overrides."
    )
SANDBOX_SPEED = env.number("SANDBOX_SPEED", 20, low=0, high=10_000)
SANDBOX_LATENCY = env.number("SANDBOX_LATENCY", 0, low=0, high=60)

# Seconds that the client waits: to connect, for a read, for a write, for a whole answer of the assistant, and to look
# up what a broken-off write did.
API_CONNECT_SECONDS = env.number("API_CONNECT_SECONDS", 2, low=0.05, high=10)
API_READ_SECONDS = env.number("API_READ_SECONDS", 6, low=0.05, high=10)
API_WRITE_SECONDS = env.number("API_WRITE_SECONDS", 5, low=0.05, high=10)
API_STREAM_SECONDS = env.number("API_STREAM_SECONDS", 60, low=1, high=600)
API_LOOK_UP_SECONDS = env.number("API_LOOK_UP_SECONDS", 3, low=0.05, high=5)

# Seconds for which an answer of the API is shown without asking again.
FRESH_STATUS_SECONDS = env.number("FRESH_STATUS_SECONDS", 2, low=0, high=60)
FRESH_BALANCE_SECONDS = env.number("FRESH_BALANCE_SECONDS", 15, low=0, high=600)
FRESH_STOCK_SECONDS = env.number("FRESH_STOCK_SECONDS", 10, low=0, high=600)
FRESH_CATALOG_SECONDS = env.number("FRESH_CATALOG_SECONDS", 60, low=0, high=3600)

# Seconds between two looks of an open list: while a row is changing, and otherwise.
POLL_CHANGING_SECONDS = env.integer("POLL_CHANGING_SECONDS", 5, low=1, high=600)
POLL_SECONDS = env.integer("POLL_SECONDS", 8, low=1, high=600)

# Seconds that a form sent twice waits for its first sending, and for which a broken-off write is looked for.
SENT_TWICE_WAIT_SECONDS = env.number("SENT_TWICE_WAIT_SECONDS", 8, low=0, high=9)
LOOK_FOR_SECONDS = env.integer("LOOK_FOR_SECONDS", 600, low=1, high=86_400)

# Whether changes that were not made here are written down, and for how many seconds an operation explains a change.
WATCH_OUTSIDE = env.boolean("WATCH_OUTSIDE", default=True)
OUTSIDE_WINDOW_SECONDS = env.integer("OUTSIDE_WINDOW_SECONDS", 1800, low=60, high=86_400)

# The largest volume that the forms let through, in GB; the API may refuse it all the same.
VOLUME_MAX_GB = env.integer("VOLUME_MAX_GB", 1_048_576, low=100, high=1_048_576_000)
SUPPORT_EMAIL = env.text("SUPPORT_EMAIL", "support@barrack.ai")

# --- Django ----------------------------------------------------------------------------------------------------------
DEBUG = env.boolean("DEBUG", default=False)
HTTPS = env.boolean("HTTPS", default=not SANDBOX and not DEBUG)


def _secret_key() -> str:
    """Return SECRET_KEY; in the sandbox one is made and kept in a file, so that a restart signs nobody out."""
    given = env.text("SECRET_KEY")
    if given:
        return given
    if not SANDBOX:
        raise ImproperlyConfigured("SECRET_KEY is not set; give it 50 random characters that stay the same.")
    file = BASE_DIR / ".sandbox-secret-key"
    if not file.exists():
        file.write_text(secrets.token_urlsafe(50), encoding="utf-8")
        file.chmod(0o600)
    return file.read_text(encoding="utf-8").strip()


SECRET_KEY = _secret_key()
# Earlier keys: what they signed and locked is still good.
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS") or (["localhost", "127.0.0.1", "[::1]"] if SANDBOX or DEBUG else [])
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS is not set; name the host names under which the portal is reached.")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXY_COUNT", 0, low=0, high=10)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "template_partials",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "barrack_web",
    "apps.account",
    "apps.activity",
    "apps.vms",
    "apps.snapshots",
    "apps.scripts",
    "apps.storage",
    "apps.images",
    "apps.deploy",
    "apps.security",
]
MIDDLEWARE = [
    "barrack_web.middleware.request_id",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "barrack_web.middleware.security_headers",
    # Adds random bytes to each answer, so that its length tells nothing about the tokens in it.
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.account.limits.SessionLimits",
    "barrack_web.middleware.expired_sign_in",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "apps.account.second_factor.required",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "barrack_web.middleware.ApiErrors",
]
ROOT_URLCONF = "barrack_web.urls"
WSGI_APPLICATION = "barrack_web.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["template_partials.templatetags.partials", "barrack_web.templatetags.ui"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "barrack_web.shell.context",
            ],
        },
    }
]
FORM_RENDERER = "barrack_web.forms.Renderer"
DATABASES = {"default": env.database("DATABASE_URL", BASE_DIR / ("demo.sqlite3" if SANDBOX else "barrack.sqlite3"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": env.cache("CACHE_URL")}
CACHE_IS_SHARED = bool(env.text("CACHE_URL"))

# --- People ----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "apps.account.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "apps.account.signin_forms.LoginForm",
    "request_login_code": "apps.account.signin_forms.RequestLoginCodeForm",
    "confirm_login_code": "apps.account.signin_forms.ConfirmLoginCodeForm",
    "reset_password": "apps.account.signin_forms.ResetPasswordForm",
    "reset_password_from_key": "apps.account.signin_forms.ResetPasswordKeyForm",
    "user_token": "apps.account.signin_forms.UserTokenForm",
    "change_password": "apps.account.signin_forms.ChangePasswordForm",
    "reauthenticate": "apps.account.signin_forms.ReauthenticateForm",
    "signup": "apps.account.signin_forms.SignupForm",
}
# Links in mails are absolute.
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
# Whoever signs up by themselves proves the address; whoever is invited has proved it by opening the link.
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 3
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Barrack] "
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 3
ACCOUNT_LOGIN_BY_CODE_FORMAT = {"numeric": True, "length": 6, "dashed": False}
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
# Seconds for which a link to a new password works.
PASSWORD_RESET_TIMEOUT = 3600
# The box "Remember me" decides; whoever comes in by code or provider stays until the browser closes.
ACCOUNT_SESSION_REMEMBER = None
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
# All over 5 minutes, which is what the pages say. "login_failed" counts wrong passwords and wrong codes.
ACCOUNT_RATE_LIMITS = {
    "login_failed": "5/5m/key,20/5m/ip",
    "login": "60/5m/ip",
    "request_login_code": "5/5m/key,20/5m/ip",
    "reset_password": "20/5m/ip,5/5m/key",
    "reset_password_from_key": "20/5m/ip",
    "reauthenticate": "10/5m/user",
    "change_password": "20/5m/user",
    "signup": "20/5m/ip",
    "confirm_email": "1/3m/key",
}
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
# Domains whose people may sign up by themselves, as viewers; none: only by invitation.
SIGNUP_DOMAINS = [domain.lower() for domain in env.words("SIGNUP_DOMAINS")]
MFA_ADAPTER = "apps.account.mfa_adapter.SecondFactorAdapter"
MFA_FORMS = {
    "activate_totp": "apps.account.mfa_forms.ActivateForm",
    "authenticate": "apps.account.mfa_forms.AuthenticateForm",
    "authenticate_webauthn": "apps.account.mfa_forms.AuthenticatePasskeyForm",
    "reauthenticate": "apps.account.mfa_forms.ReauthenticateForm",
    "reauthenticate_webauthn": "apps.account.mfa_forms.ReauthenticatePasskeyForm",
    "add_webauthn": "apps.account.mfa_forms.AddPasskeyForm",
    "edit_webauthn": "apps.account.mfa_forms.EditPasskeyForm",
    "login_webauthn": "apps.account.mfa_forms.LoginPasskeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Barrack"
# A code fits half a minute longer, and earlier, than the app shows it: clocks differ, and people type slowly.
MFA_TOTP_TOLERANCE = 1
MFA_RECOVERY_CODES_SHOW_ONCE = True
# Sign-ins with a passkey alone; a whole office may stand behind one address.
MFA_RATE_LIMITS = {"webauthn_login": "60/5m/ip"}
# A passkey needs a name and TLS; only the sandbox is reached at http://localhost.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = SANDBOX or DEBUG
SOCIALACCOUNT_ADAPTER = "apps.account.social.SocialAdapter"
SOCIALACCOUNT_PROVIDERS = env.identity_providers()
# Where forms may lead to: the browser refuses the way to any other host.
IDENTITY_ORIGINS = env.identity_origins()
# Seconds for one of the three calls of a sign-in.
SOCIALACCOUNT_REQUESTS_TIMEOUT = 3
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_QUERY_EMAIL = True
# Seconds after which a sign-in ends: without use, and in any case.
SESSION_IDLE_SECONDS = env.integer("SESSION_IDLE_SECONDS", 12 * 3600, low=60, high=31 * 86_400)
SESSION_MOST_SECONDS = env.integer("SESSION_MOST_SECONDS", 7 * 86_400, low=300, high=31 * 86_400)
SESSION_COOKIE_AGE = SESSION_MOST_SECONDS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
MAIL = env.mail("EMAIL_URL")
EMAIL_BACKEND = MAIL.backend
EMAIL_HOST, EMAIL_PORT = MAIL.host, MAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL.user, MAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL.starttls, MAIL.tls
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "portal@localhost")

# --- The browser's side ----------------------------------------------------------------------------------------------
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "barrack_web.errors.csrf_failure"
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
# Health checks reach the process directly, without the proxy that speaks TLS.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 300

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request": {"()": "barrack_web.logs.RequestFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # The client reports a failing API in its own words; these two would add a line for each call.
    "loggers": {
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        # Refused and mistyped requests are everyday; a fault of ours is still logged with its traceback.
        "django.request": {"level": "ERROR"},
    },
}
