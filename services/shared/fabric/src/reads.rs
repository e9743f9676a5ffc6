//! Connections for what callers read. Each is lent for one reader, and the database lets through to it what that
//! reader may see (`migrations/0007_readers.sql`), behind the filters of the service's own queries: either alone is
//! enough. The loop has connections of its own, and sees all.

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use crate::store::lent;

/// What bounds the reading of a service.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Connections at once.
    pub connections_max: u32,
    /// The longest statement.
    pub statement_timeout_ms: u64,
    /// The longest wait for a lock.
    pub lock_timeout_ms: u64,
    /// The longest pause within a transaction.
    pub idle_in_transaction_timeout_ms: u64,
}

impl ReadLimits {
    /// Of a command that reads beside the service, or a test.
    pub const FEW: Self = Self {
        connections_max: 4,
        statement_timeout_ms: 60_000,
        lock_timeout_ms: 5_000,
        idle_in_transaction_timeout_ms: 60_000,
    };
}

/// What a reader may see. Which rows these are the policies of the service's tables say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights<'a> {
    /// Everything: an authority's, and what the service reads for itself.
    Everything,
    /// What is a party's, in the roles and at the sites in which it reads.
    Own {
        /// The party.
        party: &'a str,
        /// Its roles, as tokens name them, as far as the service's policies know them.
        roles: Vec<&'a str>,
        /// The sites at which it reads.
        sites: Vec<&'a str>,
    },
}

/// Connections for what callers read.
#[derive(Clone, Debug)]
pub struct Reads {
    pool: PgPool,
}

impl Reads {
    /// Opened when the first asks. They cannot write.
    ///
    /// # Errors
    /// The address is none.
    pub fn open(service: &str, url: &str, limits: ReadLimits) -> Result<Self, sqlx::Error> {
        let options: PgConnectOptions = url.parse()?;
        let millis = |millis: u64| format!("{millis}ms");
        let options = options
            .application_name(&format!("greenlane-{service}-reads"))
            .options([
                ("default_transaction_read_only", "on".to_owned()),
                ("statement_timeout", millis(limits.statement_timeout_ms)),
                ("lock_timeout", millis(limits.lock_timeout_ms)),
                (
                    "idle_in_transaction_session_timeout",
                    millis(limits.idle_in_transaction_timeout_ms),
                ),
            ]);
        Ok(Self {
            pool: lent(limits.connections_max).connect_lazy_with(options),
        })
    }

    /// A connection for this reader.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn of(&self, rights: &Rights<'_>) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let mut db = self.pool.acquire().await?;
        restrict(&mut db, rights).await?;
        Ok(db)
    }

    /// A connection for this reader on which all that is read is of one instant.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn snapshot(
        &self,
        rights: &Rights<'_>,
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let mut db = self
            .pool
            .begin_with("begin isolation level repeatable read read only")
            .await?;
        restrict(&mut db, rights).await?;
        Ok(db)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// From now on this connection reads for this reader.
///
/// # Errors
/// The database does not answer.
pub async fn restrict(db: &mut PgConnection, rights: &Rights<'_>) -> Result<(), sqlx::Error> {
    match rights {
        Rights::Everything => {
            sqlx::query!("select fabric.read_all()").execute(db).await?;
        }
        Rights::Own {
            party,
            roles,
            sites,
        } => {
            // Of borrowed texts, which the macro does not know for an array.
            let (roles, sites) = (roles.as_slice(), sites.as_slice());
            sqlx::query!(
                "select fabric.read_as($1, $2, $3)",
                party,
                roles as _,
                sites as _
            )
            .execute(db)
            .await?;
        }
    }
    Ok(())
}
