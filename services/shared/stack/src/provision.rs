//! One database and three roles per service: the owner migrates, the service
//! serves, and as the reader it reads what a caller may see. It must not know
//! what is in the databases.

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::error::StackError;
use crate::postgres::{connect, hex};

/// Leaves room for what is put around it in PostgreSQL's 63 characters.
pub(crate) const SERVICE_NAME_CHARACTERS_MAX: usize = 16;
/// Roles are shared by the whole cluster: whoever creates or alters them holds
/// this advisory lock of the admin database ("green" in ASCII).
const PROVISIONING_LOCK: i64 = 0x67_72_65_65_6e;

/// A service's database and how to reach it.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceDatabase {
    /// The database's name.
    pub name: String,
    /// For migrations: the role that owns the database and all that is in it.
    pub owner_url: String,
    /// For serving: a role that owns nothing, is no superuser, is bound by row
    /// level security and can reach no other service's database.
    pub service_url: String,
}

// The URLs carry passwords.
impl std::fmt::Debug for ServiceDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceDatabase")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Creates the database and the roles of a service, or brings them up to date;
/// doing it again, or twice at once, changes nothing. The passwords follow from
/// `passwords_seed` and the role's name. The database is `greenlane_<service>`.
///
/// # Errors
/// The service's name does not fit, or the database refuses.
pub async fn provision(
    admin_url: &str,
    service: &str,
    passwords_seed: &str,
) -> Result<ServiceDatabase, StackError> {
    let roles = Roles::of(service, passwords_seed)?;
    let database = format!("greenlane_{service}");
    provision_named(admin_url, &roles, &database).await
}

/// As [`provision`], for a database of another name.
pub(crate) async fn provision_named(
    admin_url: &str,
    roles: &Roles,
    database: &str,
) -> Result<ServiceDatabase, StackError> {
    let doing = format!("provisioning database {database}");
    let mut admin = connect(admin_url)
        .await
        .map_err(StackError::database(&doing))?;
    locked(&mut admin, &doing, async |admin| {
        roles.create(admin).await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(database)
            .fetch_one(&mut *admin)
            .await?;
        if !exists {
            // The database's privileges come from the roles, its encoding not from whoever set up the cluster.
            let sql = format!(
                "CREATE DATABASE {database} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
                roles.owner
            );
            execute(admin, sql).await?;
        }
        restrict(admin, roles, database).await
    })
    .await?;
    let inside_url = address(admin_url, None, database)?;
    let mut inside = connect(&inside_url)
        .await
        .map_err(StackError::database(&doing))?;
    roles
        .grant_inside(&mut inside)
        .await
        .map_err(StackError::database(&doing))?;
    inside.close().await.map_err(StackError::database(&doing))?;
    admin.close().await.map_err(StackError::database(&doing))?;
    roles.database(admin_url, database)
}

/// A database with the content of `template`, which nobody may be connected to.
pub(crate) async fn copy(
    admin_url: &str,
    roles: &Roles,
    template: &str,
    database: &str,
) -> Result<ServiceDatabase, StackError> {
    let doing = format!("copying database {template} to {database}");
    let mut admin = connect(admin_url)
        .await
        .map_err(StackError::database(&doing))?;
    let copied = async {
        let sql = format!(
            "CREATE DATABASE {database} OWNER {} TEMPLATE {template}",
            roles.owner
        );
        execute(&mut admin, sql).await?;
        // A copy has the template's content, but not who may connect.
        restrict(&mut admin, roles, database).await
    };
    copied.await.map_err(StackError::database(&doing))?;
    admin.close().await.map_err(StackError::database(&doing))?;
    roles.database(admin_url, database)
}

/// Closes a database to all connections, so that it can be copied.
pub(crate) async fn seal(admin_url: &str, database: &str) -> Result<(), StackError> {
    let doing = format!("sealing database {database}");
    let mut admin = connect(admin_url)
        .await
        .map_err(StackError::database(&doing))?;
    let sealed = async {
        execute(
            &mut admin,
            format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false"),
        )
        .await?;
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
            .bind(database)
            .execute(&mut admin)
            .await?;
        Ok(())
    };
    sealed.await.map_err(StackError::database(&doing))?;
    admin.close().await.map_err(StackError::database(&doing))
}

/// Only the owner, and the service, may connect.
async fn restrict(
    admin: &mut PgConnection,
    roles: &Roles,
    database: &str,
) -> Result<(), sqlx::Error> {
    execute(
        admin,
        format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
    )
    .await?;
    execute(
        admin,
        format!("GRANT CONNECT ON DATABASE {database} TO {}", roles.service),
    )
    .await
}

/// The roles of a service.
#[derive(Clone)]
pub(crate) struct Roles {
    owner: String,
    service: String,
    /// Nobody connects as it. The service takes its place to read for a caller;
    /// what it may read, and which rows, the migrations say.
    reader: String,
    owner_password: String,
    service_password: String,
}

impl Roles {
    /// Names are checked here; after that they are safe in SQL without quotes.
    pub fn of(service: &str, passwords_seed: &str) -> Result<Roles, StackError> {
        let fits = service.len() <= SERVICE_NAME_CHARACTERS_MAX
            && service.starts_with(|c: char| c.is_ascii_lowercase())
            && service
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !fits {
            return Err(StackError::ServiceName(service.to_owned()));
        }
        let owner = format!("greenlane_{service}_owner");
        let reader = format!("greenlane_{service}_reader");
        let service = format!("greenlane_{service}_service");
        let (owner_password, service_password) = (
            password(passwords_seed, &owner),
            password(passwords_seed, &service),
        );
        Ok(Roles {
            owner,
            service,
            reader,
            owner_password,
            service_password,
        })
    }

    async fn create(&self, admin: &mut PgConnection) -> Result<(), sqlx::Error> {
        let login = |password: &str| format!("LOGIN PASSWORD '{password}'");
        for (role, enters) in [
            (&self.owner, login(&self.owner_password)),
            (&self.service, login(&self.service_password)),
            (&self.reader, "NOLOGIN".to_owned()),
        ] {
            let exists: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
                    .bind(role)
                    .fetch_one(&mut *admin)
                    .await?;
            let verb = if exists { "ALTER" } else { "CREATE" };
            execute(
                admin,
                format!("{verb} ROLE {role} NOCREATEDB NOCREATEROLE INHERIT {enters}"),
            )
            .await?;
        }
        let superuser: bool =
            sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
                .fetch_one(&mut *admin)
                .await?;
        if superuser {
            // Only a superuser may say so; whom anybody else creates is neither.
            for role in [&self.owner, &self.service, &self.reader] {
                execute(
                    admin,
                    format!("ALTER ROLE {role} NOSUPERUSER NOREPLICATION NOBYPASSRLS"),
                )
                .await?;
            }
        } else {
            execute(admin, format!("GRANT {} TO current_user", self.owner)).await?;
        }
        execute(admin, format!("GRANT {} TO {}", self.reader, self.service)).await?;
        // Plans made on empty tables would be kept when the tables are full.
        execute(
            admin,
            format!(
                "ALTER ROLE {} SET plan_cache_mode = force_custom_plan",
                self.service
            ),
        )
        .await
    }

    /// What the owner creates, now or later and in whichever schema, the service may use; what the reader may
    /// read the owner says for each table.
    async fn grant_inside(&self, inside: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (owner, service, reader) = (&self.owner, &self.service, &self.reader);
        for sql in [
            "REVOKE ALL ON SCHEMA public FROM PUBLIC".to_owned(),
            format!("ALTER SCHEMA public OWNER TO {owner}"),
            format!("GRANT USAGE ON SCHEMA public TO {service}, {reader}"),
            format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT USAGE ON SCHEMAS TO {service}"
            ),
            format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {service}"
            ),
            format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT USAGE ON SEQUENCES TO {service}"
            ),
        ] {
            execute(inside, sql).await?;
        }
        Ok(())
    }

    /// The database's addresses, on the server of `admin_url`.
    fn database(&self, admin_url: &str, name: &str) -> Result<ServiceDatabase, StackError> {
        Ok(ServiceDatabase {
            name: name.to_owned(),
            owner_url: address(admin_url, Some((&self.owner, &self.owner_password)), name)?,
            service_url: address(
                admin_url,
                Some((&self.service, &self.service_password)),
                name,
            )?,
        })
    }
}

fn password(seed: &str, role: &str) -> String {
    let mut digest = Sha256::new();
    digest.update((seed.len() as u64).to_be_bytes());
    digest.update(seed);
    digest.update(role);
    hex(digest.finalize().as_slice())
}

/// `url` with another user, where given, and another database; host, port and
/// options stay.
fn address(url: &str, user: Option<(&str, &str)>, database: &str) -> Result<String, StackError> {
    let wrong = || StackError::DatabaseUrl(without_password(url));
    url.parse::<PgConnectOptions>().map_err(|_| wrong())?;
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    if !["postgres", "postgresql"].contains(&scheme) {
        return Err(wrong());
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, server) = authority.rsplit_once('@').unwrap_or(("", authority));
    if server.is_empty() {
        return Err(wrong());
    }
    let options = path
        .split_once('?')
        .map(|(_, options)| format!("?{options}"))
        .unwrap_or_default();
    let credentials = match user {
        Some((user, password)) => format!("{user}:{password}@"),
        None if credentials.is_empty() => String::new(),
        None => format!("{credentials}@"),
    };
    Ok(format!(
        "{scheme}://{credentials}{server}/{database}{options}"
    ))
}

fn without_password(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, server)) => format!("...@{server}"),
        None => url.to_owned(),
    }
}

/// Does something while holding the provisioning lock.
async fn locked(
    admin: &mut PgConnection,
    doing: &str,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<(), sqlx::Error>,
) -> Result<(), StackError> {
    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(PROVISIONING_LOCK);
    lock.execute(&mut *admin)
        .await
        .map_err(StackError::database(doing))?;
    // An error ends the connection, and the lock with it.
    work(admin).await.map_err(StackError::database(doing))?;
    let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(PROVISIONING_LOCK);
    unlock
        .execute(&mut *admin)
        .await
        .map_err(StackError::database(doing))?;
    Ok(())
}

/// For statements that take no parameters; every name in them was checked by
/// [`Roles::of`] or made here.
async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_part_of_sql() {
        for good in ["gate", "customs", "fabric_2"] {
            assert!(Roles::of(good, "seed").is_ok(), "{good}");
        }
        for bad in [
            "",
            "Gate",
            "2gate",
            "gate; DROP ROLE x",
            "gate-in",
            "quite_a_long_name",
            "gäte",
        ] {
            assert!(
                matches!(Roles::of(bad, "seed"), Err(StackError::ServiceName(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn passwords_differ_by_role_and_by_seed_and_repeat() {
        let roles = Roles::of("gate", "seed").unwrap();
        assert_ne!(roles.owner_password, roles.service_password);
        assert_ne!(
            roles.owner_password,
            Roles::of("gate", "other").unwrap().owner_password
        );
        assert_eq!(
            roles.owner_password,
            Roles::of("gate", "seed").unwrap().owner_password
        );
    }

    #[test]
    fn an_address_keeps_server_and_options_and_changes_user_and_database() {
        let url = "postgres://admin:pa%40ss@db.example:5433/postgres?sslmode=require";
        assert_eq!(
            address(url, Some(("u", "p")), "d").unwrap(),
            "postgres://u:p@db.example:5433/d?sslmode=require"
        );
        assert_eq!(
            address(url, None, "d").unwrap(),
            "postgres://admin:pa%40ss@db.example:5433/d?sslmode=require"
        );
        assert_eq!(
            address("postgres://127.0.0.1", None, "d").unwrap(),
            "postgres://127.0.0.1/d"
        );
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_its_password() {
        let error = address("mysql://admin:secret@host/db", None, "d").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
