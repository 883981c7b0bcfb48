"""What can be wrong with audit logging on control-plane nodes: one module for each kind of thing, each function pure.

``findings`` puts them together: for a node as it is (``auditlog inspect``) and for a node as a plan would
leave it (``pulumi preview``).
"""
