"""Gatehouse's database: a PostgreSQL engine for Django in which every statement carries its tenant."""
