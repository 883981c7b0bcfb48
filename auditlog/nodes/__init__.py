"""Control-plane nodes over SSH: what they say of themselves, and the scripts that change them."""
