"""A stack's file and its configuration: read, checked in full, and the policy that it puts in force."""
