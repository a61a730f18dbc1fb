"""Installs, starts, watches and stops a Gatehouse instance.

Only the standard library: this package runs on the system's Python before anything is installed.
"""
