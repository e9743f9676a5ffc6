//! The clocks of the four databases, from which the services take the time: all step together, an hour forward or back,
//! and after a while they are right again. It must not know what is played meanwhile.

use std::time::Duration;

use anyhow::Context as _;
use chrono::Utc;
use sqlx::postgres::PgConnectOptions;
use tokio::time::{Instant, sleep};

use crate::evidence::{SERVICES, Step};
use crate::site::Site;

/// By so much they step.
pub const STEP_SECONDS: i64 = 3_600;
/// A database that was just away is asked again for so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How soon it is asked again.
const POLL: Duration = Duration::from_millis(100);

/// The clocks, and how they stepped.
pub struct Clocks {
    databases: Vec<PgConnectOptions>,
    steps: Vec<Step>,
}

impl Clocks {
    /// Those of a site that runs; whoever is connected to its databases must connect again.
    ///
    /// # Errors
    /// A database refuses.
    pub async fn of(site: &Site) -> anyhow::Result<Clocks> {
        let databases = SERVICES.map(|service| site.superuser_of(service));
        let databases: Vec<_> = databases.into_iter().collect::<anyhow::Result<_>>()?;
        for database in &databases {
            stack::let_clock_step(database).await?;
        }
        Ok(Clocks {
            databases,
            steps: Vec::new(),
        })
    }

    /// Steps, stays so for a while, and is right again.
    ///
    /// # Errors
    /// A database does not answer for long.
    pub async fn step(&mut self, seconds: i64, time: Duration) -> anyhow::Result<()> {
        let from = Utc::now();
        self.set(seconds).await?;
        sleep(time).await;
        self.set(0).await?;
        self.steps.push(Step {
            from,
            until: Utc::now(),
            seconds,
        });
        Ok(())
    }

    /// How they stepped until now.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    async fn set(&self, seconds: i64) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        for database in &self.databases {
            while let Err(error) = stack::step_clock(database, seconds).await {
                if Instant::now() >= end {
                    return Err(error).context("a clock cannot be stepped");
                }
                sleep(POLL).await;
            }
        }
        Ok(())
    }
}
