#!/bin/sh
# Run once by the postgres image on an empty volume: the owner of the tables and the application's login.
# `manage.py prepare` makes the roles that row policies name, and their grants.
set -eu
owner=$(cat /run/secrets/owner_password)
login=$(cat /run/secrets/login_password)
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<SQL
CREATE ROLE gatehouse_owner LOGIN CREATEROLE PASSWORD '$owner';
CREATE ROLE gatehouse LOGIN NOINHERIT PASSWORD '$login';
GRANT gatehouse TO gatehouse_owner WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
CREATE DATABASE gatehouse OWNER gatehouse_owner;
REVOKE ALL ON DATABASE gatehouse FROM PUBLIC;
GRANT CONNECT ON DATABASE gatehouse TO gatehouse;
SQL
