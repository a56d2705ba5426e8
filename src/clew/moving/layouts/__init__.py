"""The layouts that need no framework, a file each. Those of frameworks are with their adapters."""
