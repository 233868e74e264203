//! Files that are there whole or not at all, also after a power cut.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Result, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// No file that is read here is longer.
const MAX_BYTES: u64 = 1 << 20;

/// Put this in the place of whatever stands there. `mode`: who may read it.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    put(path, bytes, mode, None)
}

/// The same, for whoever owns the folder. By the open file: its owner may exchange
/// what stands under a name.
pub fn replace_for_owner(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = fs::metadata(folder_of(path))?;
    put(path, bytes, mode, Some((folder.uid(), folder.gid())))
}

fn put(path: &Path, bytes: &[u8], mode: u32, owner: Option<(u32, u32)>) -> Result<()> {
    let new = beside(path);
    // One that was left behind may have another mode.
    remove(&new)?;
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&new)?;
    if let Some((user, group)) = owner {
        fchown(&file, Some(user), Some(group))?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    // The rename itself has to survive a power cut too.
    File::open(folder_of(path))?.sync_all()
}

/// Where the new content stands until it is whole.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    }
}

/// What is not there need not be removed.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        // Somebody's empty folder stands in the way.
        Err(_) if path.is_dir() && !path.is_symlink() => fs::remove_dir(path),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// `None`: it is not there, or is no plain file of a sensible size. Root reads in
/// folders of others: neither a pipe nor a link elsewhere may hold it up.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    read_at_most(path, MAX_BYTES)
}

/// The same for a file of at most so many bytes.
pub fn read_at_most(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let mut options = OpenOptions::new();
    let file = match options.read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(_) if fs::symlink_metadata(path).is_ok_and(|it| !it.is_file()) => return Ok(None),
        Err(error) => return Err(error),
    };
    let about = file.metadata()?;
    if !about.is_file() || about.len() > most {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
