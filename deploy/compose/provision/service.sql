-- One service's database and its roles: the owner migrates, the service serves, and as the reader it reads what
-- a caller may see. Included by all.sql, which sets `service`, `owner_password` and `service_password`.

\set owner greenlane_ :service _owner
\set role greenlane_ :service _service
\set reader greenlane_ :service _reader
\set database greenlane_ :service

\connect postgres
SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY[:'owner', :'role', :'reader']) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT NOREPLICATION NOBYPASSRLS
    PASSWORD :'owner_password';
ALTER ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT NOREPLICATION NOBYPASSRLS
    PASSWORD :'service_password';
ALTER ROLE :"reader" NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT NOREPLICATION NOBYPASSRLS;
GRANT :"reader" TO :"role";
-- The next service's come from its own variables or not at all.
\unset owner_password
\unset service_password
-- Plans made on empty tables would be kept when the tables are full.
ALTER ROLE :"role" SET plan_cache_mode = force_custom_plan;

SELECT format(
    'CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8'' LC_COLLATE ''C'' LC_CTYPE ''C''',
    :'database', :'owner'
)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"role";

-- What the owner creates, now or later and in whichever schema, the service may use; what the reader may read
-- the owner says for each table.
\connect :"database"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO :"owner";
GRANT USAGE ON SCHEMA public TO :"role", :"reader";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" GRANT USAGE ON SCHEMAS TO :"role";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"role";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" GRANT USAGE ON SEQUENCES TO :"role";
