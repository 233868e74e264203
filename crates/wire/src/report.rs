//! What an appliance tells central of itself: reports, kept in its outbox until central has them.
//!
//! A report is sent again until it was answered, so it carries an id that the appliance
//! made; central stores each id once. Several travel in one body, for an outbox is
//! drained after an outage. Counts are since the report before, so that a lost
//! acknowledgement doubles nothing and a restart hides nothing.

use crate::Algorithm;
use crate::release::is_version;
use crate::snapshot::is_name;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The only version of [`Reports`] that this build writes and reads.
pub const VERSION: u32 = 1;
/// Reports in one body.
pub const MAX_REPORTS: usize = 50;
/// Bytes of one body; an appliance that has more to say sends it in parts.
pub const MAX_BODY: usize = 256 * 1024;
const MAX_ID: usize = 64;
const MAX_APPLIANCE: usize = 64;
/// The last second of the year 9999.
pub const MAX_TIME: u64 = 253_402_300_799;
/// Of the words in which an update's outcome is explained.
pub const MAX_REASON: usize = 200;
/// What fits the database's integers, and JSON readers that count in signed ones.
pub const MAX_COUNT: u64 = i64::MAX as u64;
/// Far beyond the hashrate of all miners there are.
pub const MAX_HASHRATE: f64 = 1e30;

/// The body of `POST /api/v1/reports`. Unknown members are tolerated, so that an older
/// central can read a newer appliance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Reports {
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 1))]
    pub version: u32,
    /// Oldest first. An id must not stand twice with different content.
    #[cfg_attr(feature = "schema", schema(min_items = 1, max_items = 50))]
    pub reports: Vec<Report>,
}

/// The appliance at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Report {
    /// Made by the appliance, unique among its reports.
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]{1,64}$")
    )]
    pub id: String,
    /// Unix seconds on the appliance's clock.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 253402300799_i64))]
    pub created_at: u64,
    /// The appliance's version.
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9.+_-]{1,64}$")
    )]
    pub appliance: String,
    /// Seconds since the appliance's process started.
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 0, maximum = 9223372036854775807_i64)
    )]
    pub uptime: u64,
    /// Of the snapshot in force; 0 while it has none.
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 0, maximum = 9223372036854775807_i64)
    )]
    pub sequence: u64,
    pub state: FarmState,
    /// One member for each algorithm that the farm listens for.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(schema_with = schema::algorithms))]
    pub algorithms: BTreeMap<Algorithm, AlgorithmReport>,
    /// Of the last update that this appliance tried; absent if it never did, or cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
}

/// A release that was to be installed, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Update {
    /// Its version.
    #[cfg_attr(
        feature = "schema",
        schema(
            min_length = 1,
            max_length = 63,
            pattern = "^[A-Za-z0-9][A-Za-z0-9.+_-]{0,62}$"
        )
    )]
    pub release: String,
    pub outcome: UpdateOutcome,
    /// For a person: printable characters and spaces.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(max_length = 200, pattern = "^[ -~]*$"))]
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum UpdateOutcome {
    /// It ran, proved itself and stays.
    Kept,
    /// It was started and did not prove itself: the one before it runs again.
    RolledBack,
    /// It was never started.
    Refused,
}

/// How the farm fares as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum FarmState {
    /// On a pool, with a snapshot that central confirmed lately.
    Mining,
    /// On a pool, by a stored snapshot: central cannot be reached.
    MiningFromCache,
    /// Miners are connected and no pool is usable.
    Holding,
    /// Something needs a person.
    Trouble,
}

/// One algorithm's route and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AlgorithmReport {
    /// Absent while no pool is usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// Hashes per second, estimated from accepted shares.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 1e30))]
    pub hashrate: f64,
    pub shares: Shares,
    /// Connected at this moment.
    #[cfg_attr(feature = "schema", schema(format = Int64, minimum = 0, maximum = 4294967295_i64))]
    pub miners: u32,
}

/// Where an algorithm's shares go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Route {
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9._-]{1,63}$")
    )]
    pub pool: String,
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 1, max_length = 63, pattern = "^[A-Za-z0-9._-]{1,63}$")
    )]
    pub coin: String,
    /// Unix seconds on the appliance's clock.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 253402300799_i64))]
    pub since: u64,
}

/// Since the report before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Shares {
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 0, maximum = 9223372036854775807_i64)
    )]
    pub accepted: u64,
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 0, maximum = 9223372036854775807_i64)
    )]
    pub rejected: u64,
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 0, maximum = 9223372036854775807_i64)
    )]
    pub stale: u64,
    /// Sent, and the connection ended before the pool's verdict.
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 0, maximum = 9223372036854775807_i64)
    )]
    pub unknown: u64,
    /// Never sent, for want of a pool.
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 0, maximum = 9223372036854775807_i64)
    )]
    pub lost: u64,
}

/// Why a body cannot be used. The text names the value and what would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    #[error("version {0} of the reports is not known to this build, which reads version {VERSION}")]
    Version(u32),
    #[error("there are {0} reports in the body; send 1 to {MAX_REPORTS}")]
    Number(usize),
    #[error("report {index}: {what}")]
    Report { index: usize, what: &'static str },
}

impl Reports {
    pub fn new(reports: Vec<Report>) -> Self {
        Self {
            version: VERSION,
            reports,
        }
    }

    /// The bytes that travel.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and finite numbers; a number that is not finite becomes `null`, which
        // `check` never sees because it does not parse back.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Every value that is stored is bounded here.
    pub fn check(&self) -> Result<(), ReportError> {
        if self.version != VERSION {
            return Err(ReportError::Version(self.version));
        }
        if self.reports.is_empty() || self.reports.len() > MAX_REPORTS {
            return Err(ReportError::Number(self.reports.len()));
        }
        for (index, report) in self.reports.iter().enumerate() {
            report
                .check()
                .map_err(|what| ReportError::Report { index, what })?;
        }
        Ok(())
    }

    /// The ids that stand more than once.
    pub fn repeated(&self) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let ids = self.reports.iter().map(|report| report.id.as_str());
        ids.filter(|id| !seen.insert(*id)).collect()
    }
}

impl Report {
    fn check(&self) -> Result<(), &'static str> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if self.id.is_empty() || self.id.len() > MAX_ID || !self.id.bytes().all(plain) {
            return Err("id must be 1 to 64 characters of A-Z a-z 0-9 . _ -");
        }
        let version = |b: u8| plain(b) || b == b'+';
        let length = self.appliance.len();
        if length == 0 || length > MAX_APPLIANCE || !self.appliance.bytes().all(version) {
            return Err("appliance must be a version of 1 to 64 characters of A-Z a-z 0-9 . + _ -");
        }
        if self.created_at > MAX_TIME {
            return Err("created_at must be Unix seconds up to the year 9999");
        }
        if self.uptime > MAX_COUNT || self.sequence > MAX_COUNT {
            return Err("uptime and sequence must be below 2^63");
        }
        self.update.as_ref().map_or(Ok(()), Update::check)?;
        self.algorithms
            .values()
            .try_for_each(AlgorithmReport::check)
    }
}

impl Update {
    fn check(&self) -> Result<(), &'static str> {
        if !is_version(&self.release) {
            return Err(
                "an update's release must be 1 to 63 characters of A-Z a-z 0-9 . + _ -, the first of them a letter or digit",
            );
        }
        let plain = |b: u8| b.is_ascii_graphic() || b == b' ';
        if self.reason.len() > MAX_REASON || !self.reason.bytes().all(plain) {
            return Err("an update's reason must be at most 200 printable ASCII characters");
        }
        Ok(())
    }
}

impl UpdateOutcome {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
        }
    }
}

impl AlgorithmReport {
    fn check(&self) -> Result<(), &'static str> {
        if !(0.0..=MAX_HASHRATE).contains(&self.hashrate) {
            return Err("hashrate must be hashes per second from 0 to 1e30");
        }
        let Shares {
            accepted,
            rejected,
            stale,
            unknown,
            lost,
        } = self.shares;
        if [accepted, rejected, stale, unknown, lost]
            .iter()
            .any(|count| *count > MAX_COUNT)
        {
            return Err("counts of shares must be below 2^63");
        }
        let Some(route) = &self.route else {
            return Ok(());
        };
        if !is_name(&route.pool) || !is_name(&route.coin) {
            return Err("a route's pool and coin must be 1 to 63 characters of A-Z a-z 0-9 . _ -");
        }
        if route.since > MAX_TIME {
            return Err("a route's since must be Unix seconds up to the year 9999");
        }
        Ok(())
    }
}

#[cfg(feature = "schema")]
mod schema {
    use super::AlgorithmReport;
    use crate::Algorithm;
    use utoipa::PartialSchema as _;
    use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema};

    /// Its members are named by algorithms and by nothing else.
    pub fn algorithms() -> Schema {
        let names = ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(Algorithm::ALL.map(Algorithm::name)))
            .build();
        ObjectBuilder::new()
            .description(Some(
                "One member for each algorithm that the farm listens for.",
            ))
            .property_names(Some(Schema::Object(names)))
            .additional_properties(Some(AdditionalProperties::RefOr(AlgorithmReport::schema())))
            .into()
    }
}
