//! A PostgreSQL server of a test's own: started in an empty folder, reached through a
//! socket in that folder only, gone afterwards.
//!
//! Everything here blocks and panics with a clear message; it is for tests. It works
//! from plain and from async tests, and for several test threads at once.
//!
//! A keeper process waits on a pipe from this one and ends the server when the pipe
//! closes. So nothing is left behind however a test ends: passed, panicked in a
//! static, or killed.

use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tempfile::TempDir;

const USER: &str = "postgres";
/// Only names the socket: nothing listens on TCP.
const PORT: u16 = 5432;

pub struct PrivatePostgres {
    folder: TempDir,
    binaries: PathBuf,
    keeper: Child,
}

impl PrivatePostgres {
    /// Start a server with no databases but its own.
    pub fn start() -> Self {
        let binaries = find_binaries();
        let folder = tempfile::Builder::new()
            .prefix("smart-mining-pg-")
            .tempdir()
            .expect("a temporary folder");
        if is_root() {
            // The server refuses to run as root.
            chown(folder.path(), Some(postgres_uid()), None).expect("chown");
        }
        let keeper = keeper(&binaries, folder.path());
        let server = Self {
            folder,
            binaries,
            keeper,
        };
        server.run("initdb", |command| {
            command
                .arg("-D")
                .arg(server.data())
                .args(["--username", USER, "--auth", "trust", "--encoding", "UTF8"])
                .args(["--locale", "C", "--no-sync"])
        });
        server.start_again();
        server
    }

    /// One server for all the tests that run at the moment; the last one out ends it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<PrivatePostgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// What `--database-url` takes.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("postgres://{USER}@localhost:{PORT}/{database}?host={folder}")
    }

    /// An empty database; answers its URL.
    pub fn create_db(&self, name: &str) -> String {
        self.run("createdb", |command| self.client(command).arg(name));
        self.url(name)
    }

    /// Run SQL as the superuser; answers the rows, columns separated by `|`.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        self.run("psql", |command| {
            self.client(command)
                .args([
                    "--no-psqlrc",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-At",
                    "-d",
                    database,
                ])
                .args(["-c", statement])
        })
    }

    /// Stop the server and keep its data: an outage.
    pub fn stop(&self) {
        self.run("pg_ctl", |command| {
            command
                .args(["stop", "-w", "-s", "-m", "fast", "-D"])
                .arg(self.data())
        });
    }

    /// End the outage.
    pub fn start_again(&self) {
        let folder = self.folder.path().display();
        let options = format!(
            "-k {folder} -p {PORT} -c listen_addresses='' -c fsync=off \
             -c synchronous_commit=off -c full_page_writes=off"
        );
        self.run("pg_ctl", |command| {
            command
                .args(["start", "-w", "-s", "-D"])
                .arg(self.data())
                .arg("-l")
                .arg(self.folder.path().join("log"))
                .args(["-o", &options])
        });
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn client<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .arg("-h")
            .arg(self.folder.path())
            .args(["-p", &PORT.to_string(), "-U", USER])
    }

    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command) -> &mut Command) -> String {
        let mut command = as_postgres(self.binaries.join(program));
        // Files, not pipes: the server that pg_ctl leaves running would keep a pipe open.
        let (out, err) = (capture(), capture());
        let status = arguments(&mut command)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(out.reopen().expect("file"))
            .stderr(err.reopen().expect("file"))
            .status();
        let read = |file: &tempfile::NamedTempFile| {
            std::fs::read_to_string(file.path()).unwrap_or_default()
        };
        match status {
            Ok(status) if status.success() => read(&out).trim_end().to_owned(),
            other => panic!(
                "{program} failed: {other:?}\n{}\n{}",
                read(&err),
                std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            ),
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // Closing the pipe is the keeper's sign to end the server.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn capture() -> tempfile::NamedTempFile {
    tempfile::NamedTempFile::new().expect("a temporary file")
}

/// Immune to Ctrl-C, which the terminal sends to it as well.
fn keeper(binaries: &Path, folder: &Path) -> Child {
    let script = "trap '' INT TERM HUP; read -r _; \
                  \"$@\" stop -s -w -m immediate -D \"$FOLDER/data\" 2>&-; rm -rf \"$FOLDER\"";
    let pg_ctl = as_postgres(binaries.join("pg_ctl"));
    Command::new("sh")
        .args(["-c", script, "keeper"])
        .arg(pg_ctl.get_program())
        .args(pg_ctl.get_args())
        .env("FOLDER", folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh can be started")
}

fn as_postgres(program: impl AsRef<OsStr>) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", USER, "--regid", USER, "--init-groups", "--"])
        .arg(program);
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn postgres_uid() -> u32 {
    let output = Command::new("id").args(["-u", USER]).output();
    output
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or_else(|| panic!("there is no user {USER:?} to run PostgreSQL as; run ./dev test, which installs PostgreSQL"))
}

/// The newest version below the folder where Debian puts them, else the search path's.
fn find_binaries() -> PathBuf {
    let has_all = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "postgres", "createdb", "psql"]
            .iter()
            .all(|program| folder.join(program).exists())
    };
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    versions.sort();
    let packaged = versions.into_iter().rev().map(|(_, path)| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    packaged
        .chain(std::env::split_paths(&path))
        .find(has_all)
        .unwrap_or_else(|| {
            panic!(
                "PostgreSQL's server programs (initdb, pg_ctl, postgres) are not installed; \
                 run ./dev test, which installs them (Debian: apt-get install postgresql)"
            )
        })
}
