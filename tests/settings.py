"""The settings as the tests need them: the sandbox, short time limits, nothing cached for longer than a test says."""

import atexit
import os

for name in (
    "BARRACK_API_KEY",
    "BARRACK_API_URL",
    "BARRACK_API_OVERRIDES",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "DEBUG",
    "HTTPS",
    "CACHE_URL",
):
    os.environ.pop(name, None)
os.environ["SECRET_KEY"] = "the-tests-use-no-secret-worth-keeping-0123456789"

from barrack_web.settings import *  # noqa: E402, F403
from barrack_web.settings import BASE_DIR, DATABASES  # noqa: E402

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# A file, since threads share it; one for each run, so that two runs at once do not empty each other's.
DATABASES["default"].setdefault("TEST", {})
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"]["NAME"] = str(BASE_DIR / "out" / f"test-{os.getpid()}.sqlite3")


def _tidy() -> None:
    for file in (BASE_DIR / "out").glob(f"test-{os.getpid()}.sqlite3*"):
        file.unlink(missing_ok=True)


atexit.register(_tidy)
STATIC_ROOT = BASE_DIR / "out" / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

# Patient, so that a busy machine makes no call fail; a test that arms a fault which takes time gets short ones.
API_CONNECT_SECONDS = API_READ_SECONDS = API_WRITE_SECONDS = 4.0
API_LOOK_UP_SECONDS = 0.4
FRESH_STATUS_SECONDS = 0.0
FRESH_STOCK_SECONDS = 0.0
FRESH_BALANCE_SECONDS = 0.0
FRESH_CATALOG_SECONDS = 0.0
SENT_TWICE_WAIT_SECONDS = 3.0
# Only the tests of it let lists be compared: it writes to the database from threads of its own.
WATCH_OUTSIDE = False
