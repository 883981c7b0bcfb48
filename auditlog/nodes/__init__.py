"""Control-plane nodes over SSH: what they say about themselves, and the scripts that change them."""
