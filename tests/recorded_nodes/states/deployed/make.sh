# The released version has turned audit logging on.
