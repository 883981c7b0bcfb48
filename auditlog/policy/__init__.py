"""Audit policies of group audit.k8s.io/v1: reading, validation, evaluation, presets and overlays."""
