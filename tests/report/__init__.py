"""The page of `auditlog report` in a real browser: `make test-report` installs Chromium."""
