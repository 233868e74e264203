//! Opening: one process a store, a check after every power cut, and a fresh file
//! in place of a damaged one.
//!
//! A damaged store must never keep a farm from mining. It is moved aside whole
//! (database, write-ahead log and its index belong together), nothing is
//! overwritten, and what can still be read of its snapshots is carried over:
//! they are signed, so the gate finds out whether they are intact.

use super::error::is_damage;
use super::{Limits, Opened, Recovered, StoreError, StoredSnapshot, rows, runs, schema, step_back};
use nix::fcntl::{Flock, FlockArg};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The files of one database; the last two belong to a log and to a creation cut short.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// How many stored snapshots are offered to the gate at start.
pub(super) const CANDIDATES: usize = 5;
/// Only a technician's own sqlite3 shell competes for the store.
const BUSY: Duration = Duration::from_millis(250);

const PAGE: u32 = 1024;
/// The log's size between two checkpoints.
const LOG: u32 = 8 << 20;

pub(super) type Lock = Flock<File>;

/// What the writer starts with.
pub(super) struct Ready {
    pub connection: Connection,
    pub lock: Lock,
    pub opened: Opened,
}

pub(super) fn open(path: &Path, limits: &Limits) -> Result<Ready, StoreError> {
    let lock = lock(path)?;
    let damage = match inspect(path)? {
        Finding::Damaged(reason) => reason,
        Finding::Newer(found) => return from_newer(path, limits, lock, found),
        Finding::Sound => match begin(path, limits) {
            Ok((connection, candidates)) => return Ok(ready(connection, lock, candidates, None)),
            Err(StoreError::Sqlite { source, .. }) if is_damage(&source) => source.to_string(),
            Err(other) => return Err(other),
        },
    };
    let salvaged = salvage(path);
    let recovered = Recovered {
        moved_to: move_aside(path, "corrupt")?,
        reason: damage,
        salvaged: salvaged.len(),
    };
    let (mut connection, _) = begin(path, limits)?;
    let text = format!(
        "the store was damaged ({}); it was moved to {} and a new one was made, with {} snapshots of the old one",
        recovered.reason,
        recovered.moved_to.display(),
        recovered.salvaged,
    );
    carry_over(path, &mut connection, &text, &salvaged)?;
    Ok(ready(connection, lock, salvaged, Some(recovered)))
}

/// The release that wrote it was gone back from, or somebody installed an older one by hand.
fn from_newer(path: &Path, limits: &Limits, lock: Lock, found: i64) -> Result<Ready, StoreError> {
    // Signed, so the gate judges them whoever stored them.
    let salvaged = salvage(path);
    let aside = |path: &Path| move_aside(path, "newer");
    let Some(mut recovered) = step_back::to_copy(path, found, aside)? else {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: schema::VERSION,
        });
    };
    recovered.salvaged = salvaged.len();
    let (mut connection, _) = begin(path, limits)?;
    let text = format!(
        "{}; moved to {}",
        recovered.reason,
        recovered.moved_to.display()
    );
    carry_over(path, &mut connection, &text, &salvaged)?;
    let candidates = rows::snapshots(&connection, CANDIDATES)
        .map_err(|source| sqlite(path, "read it", source))?;
    Ok(ready(connection, lock, candidates, Some(recovered)))
}

fn carry_over(
    path: &Path,
    connection: &mut Connection,
    text: &str,
    salvaged: &[StoredSnapshot],
) -> Result<(), StoreError> {
    rows::carry_over(connection, text, salvaged, unix_now())
        .map_err(|source| sqlite(path, "write the first rows", source))
}

fn ready(
    mut connection: Connection,
    lock: Lock,
    candidates: Vec<StoredSnapshot>,
    recovered: Option<Recovered>,
) -> Ready {
    let power_cuts = runs::begin(&mut connection, unix_now()).unwrap_or_else(|error| {
        // A farm mines without that count, too.
        log::warn!("the start could not be written down: {error}");
        runs::PowerCuts::default()
    });
    Ready {
        connection,
        lock,
        opened: Opened {
            newest: candidates.first().cloned(),
            candidates,
            recovered,
            power_cuts,
        },
    }
}

/// Open for writing, in this release's schema, and read what a start needs.
fn begin(path: &Path, limits: &Limits) -> Result<(Connection, Vec<StoredSnapshot>), StoreError> {
    if let Err(error) = copy_if_older(path) {
        // A farm mines without a way back, too.
        log::warn!("{error}");
    }
    let mut connection = connect(path, limits)?;
    schema::migrate(&mut connection, path)?;
    if let Err(error) = shrink(&connection, limits) {
        log::warn!("the store keeps its size: {error}");
    }
    let fault = |source| sqlite(path, "read it", source);
    // Every table and column that the writer will name is there.
    rows::Statements::prepare(&connection).map_err(fault)?;
    let candidates = rows::snapshots(&connection, CANDIDATES).map_err(fault)?;
    Ok((connection, candidates))
}

fn copy_if_older(path: &Path) -> Result<(), StoreError> {
    match fs::metadata(path) {
        Ok(file) if file.len() > 0 => step_back::keep_copy(path),
        Ok(_) | Err(_) => Ok(()),
    }
}

pub(super) fn sqlite(path: &Path, what: &'static str, source: rusqlite::Error) -> StoreError {
    StoreError::Sqlite {
        path: path.to_owned(),
        what,
        source,
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Two appliances on one store would each lose what the other writes.
fn lock(path: &Path) -> Result<Lock, StoreError> {
    let unusable = |source| StoreError::Folder {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(folder(path)).map_err(unusable)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(with_suffix(path, ".lock"))
        .map_err(unusable)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            // Who holds it is a courtesy to whoever is refused: not worth a failure.
            let _ = lock
                .set_len(0)
                .and_then(|()| write!(lock, "{}", std::process::id()));
            Ok(lock)
        }
        Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
            let mut pid = String::new();
            let read = file.read_to_string(&mut pid).is_ok() && !pid.is_empty();
            Err(StoreError::Locked {
                path: path.to_owned(),
                owner: match read {
                    true => format!("process {}", pid.trim()),
                    false => "another process".to_owned(),
                },
            })
        }
        Err((_, errno)) => Err(unusable(io::Error::from(errno))),
    }
}

/// Look at every page of the file, and say what is wrong with it, if anything.
///
/// On a connection that can only read: one that writes would already delete a
/// log that it does not understand.
fn inspect(path: &Path) -> Result<Finding, StoreError> {
    if fs::metadata(path).map_or(true, |file| file.is_file() && file.len() == 0) {
        return Ok(Finding::Sound);
    }
    match connect_to_read(path).map(|connection| examine(&connection)) {
        Ok(Ok(finding)) => Ok(finding),
        Ok(Err(source)) if is_damage(&source) => Ok(Finding::Damaged(source.to_string())),
        // What a reader cannot judge (a creation cut short), the writer will.
        Ok(Err(_)) | Err(_) => Ok(Finding::Sound),
    }
}

enum Finding {
    Sound,
    Damaged(String),
    Newer(i64),
}

fn examine(connection: &Connection) -> rusqlite::Result<Finding> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    if verdict != "ok" {
        return Ok(Finding::Damaged(verdict));
    }
    if !schema::is_ours(connection)? {
        let reason = "it is some other program's database";
        return Ok(Finding::Damaged(reason.to_owned()));
    }
    let version = schema::version(connection)?;
    if !(0..=schema::PLAUSIBLE).contains(&version) {
        return Ok(Finding::Damaged(format!("its schema version is {version}")));
    }
    if version > schema::VERSION {
        return Ok(Finding::Newer(version));
    }
    Ok(Finding::Sound)
}

fn connect(path: &Path, limits: &Limits) -> Result<Connection, StoreError> {
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        // Of a new file: most transactions change a few bytes of some tables, and the card
        // is worn by whole pages.
        connection.pragma_update(None, "page_size", PAGE)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // FULL: a commit that was answered survives the power cut of the next instant.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let log = i64::from(LOG) / pragma(&connection, "page_size")?;
        connection.pragma_update_and_check(None, "wal_autocheckpoint", log, |_| Ok(()))?;
        connection.pragma_update_and_check(None, "journal_size_limit", LOG, |_| Ok(()))?;
        let pages = match schema::is_older(&connection)? {
            // A step to the next schema has both forms in the file for a moment.
            true => 2 * most_pages(&connection, limits)?.max(pragma(&connection, "page_count")?),
            false => most_pages(&connection, limits)?,
        };
        limit_pages(&connection, pages)?;
        Ok(connection)
    };
    open().map_err(|source| sqlite(path, "open it", source))
}

/// Of the size that the file has.
fn most_pages(connection: &Connection, limits: &Limits) -> rusqlite::Result<i64> {
    Ok(i64::from(limits.max_pages) * 4096 / pragma(connection, "page_size")?)
}

fn limit_pages(connection: &Connection, pages: i64) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA {name}"), (), |row| row.get(0))
}

/// What an earlier release's history took is given back to the disk, if it is more than
/// a store may have.
fn shrink(connection: &Connection, limits: &Limits) -> rusqlite::Result<()> {
    let most = most_pages(connection, limits)?;
    if pragma(connection, "page_count")? > most {
        connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
    }
    limit_pages(connection, most)
}

/// The reader's own connection; it can never write.
pub(super) fn connect_to_read(path: &Path) -> Result<Connection, StoreError> {
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        Ok(connection)
    };
    open().map_err(|source| sqlite(path, "open it for reading", source))
}

/// Whatever snapshots a damaged file still gives away.
fn salvage(path: &Path) -> Vec<StoredSnapshot> {
    connect_to_read(path)
        .ok()
        .map(|connection| rows::salvage(&connection, CANDIDATES))
        .unwrap_or_default()
}

/// Give the three files a name that no file has.
fn move_aside(path: &Path, what: &str) -> Result<PathBuf, StoreError> {
    let now = unix_now();
    let target = (0_u32..)
        .map(|n| match n {
            0 => with_suffix(path, &format!(".{what}-{now}")),
            n => with_suffix(path, &format!(".{what}-{now}-{n}")),
        })
        .find(|target| {
            let free = |suffix: &str| fs::symlink_metadata(with_suffix(target, suffix)).is_err();
            SUFFIXES.iter().all(|suffix| free(suffix))
        })
        .unwrap_or_else(|| with_suffix(path, &format!(".{what}")));
    let aside = |source| StoreError::Aside {
        path: path.to_owned(),
        source,
    };
    // The log and its index first: alone, an old log must never meet a new database.
    for suffix in SUFFIXES.iter().rev() {
        match fs::rename(with_suffix(path, suffix), with_suffix(&target, suffix)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(aside(error)),
        }
    }
    sync_folder(path).map_err(aside)?;
    Ok(target)
}

pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
