-- The four databases and their roles, by psql as the superuser, with the passwords in the environment.
-- Run at every start: doing it again changes nothing but passwords. What a role may do is the same as
-- `up` gives it (services/shared/stack/src/provision.rs); tests/contract compares the two.

-- A service's role reaches its own database and no other.
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;

\set service gate
\getenv owner_password GATE_OWNER_PASSWORD
\getenv service_password GATE_SERVICE_PASSWORD
\ir service.sql

\set service customs
\getenv owner_password CUSTOMS_OWNER_PASSWORD
\getenv service_password CUSTOMS_SERVICE_PASSWORD
\ir service.sql

\set service bonded
\getenv owner_password BONDED_OWNER_PASSWORD
\getenv service_password BONDED_SERVICE_PASSWORD
\ir service.sql

\set service release
\getenv owner_password RELEASE_OWNER_PASSWORD
\getenv service_password RELEASE_SERVICE_PASSWORD
\ir service.sql
