"""A whole AWS on one machine and the real Pulumi engine against it: for development and tests, never for production."""
