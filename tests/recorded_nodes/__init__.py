"""Twelve control-plane nodes, as their own scripts reported them, for previews by the first release and by today's.

Each folder below ``states/`` is a node of a real lab. ``make.sh`` made it so; ``released.facts`` and ``today.facts``
are what the scripts of both versions printed there.
"""
