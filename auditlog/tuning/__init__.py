"""Which change of a policy makes its log fit a space for a time, and what is no longer known then.

`marks` says which recorded events must not be lost, `steps` which changes may be tried, `knowledge` what a changed
policy blinds, and `search` chooses. All of it decides by the project's own evaluator, and reads nothing.
"""
