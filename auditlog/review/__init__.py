"""What a person who approves a change reads of its preview: from the engine's JSON to a page for a pull request."""
