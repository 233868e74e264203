//! A look at the stored snapshots from another program than the one that has the store.

use super::open::{CANDIDATES, connect_to_read, sqlite};
use super::{StoreError, StoredSnapshot, rows};
use std::path::Path;

/// The newest few, newest first; none if there is no store yet.
pub fn stored_snapshots(path: &Path) -> Result<Vec<StoredSnapshot>, StoreError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let connection = connect_to_read(path)?;
    rows::snapshots(&connection, CANDIDATES).map_err(|source| sqlite(path, "read it", source))
}
