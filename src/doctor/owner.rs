//! Which program has a port, as far as this user may see: the kernel lists sockets by
//! their number, and each process what it has open.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// A socket that listens, in the kernel's own table.
const LISTEN: &str = "0A";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub name: String,
    pub pid: u32,
}

/// `None`: nobody, or somebody whose business is not ours to see.
pub fn of_port(port: u16) -> Option<Owner> {
    let proc = Path::new("/proc");
    let sockets = sockets(proc, port);
    let processes = fs::read_dir(proc).ok()?.filter_map(Result::ok);
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let pid = pids.find(|pid| has_one(proc, *pid, &sockets))?;
    let name = fs::read_to_string(proc.join(pid.to_string()).join("comm")).ok()?;
    Some(Owner {
        name: name.trim().to_owned(),
        pid,
    })
}

fn sockets(proc: &Path, port: u16) -> Vec<String> {
    let tables = ["net/tcp", "net/tcp6"].map(|table| fs::read_to_string(proc.join(table)));
    let tables = tables.into_iter().filter_map(Result::ok);
    tables.flat_map(|table| listening(&table, port)).collect()
}

/// Numbers of the sockets that listen at a port.
fn listening(table: &str, port: u16) -> Vec<String> {
    let wanted = format!(":{port:04X}");
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (local, state) = (words.nth(1)?, words.nth(1)?);
        let inode = words.nth(5)?;
        let fits = local.ends_with(&wanted) && state == LISTEN;
        fits.then(|| format!("socket:[{inode}]"))
    };
    table.lines().skip(1).filter_map(line).collect()
}

fn has_one(proc: &Path, pid: u32, sockets: &[String]) -> bool {
    let Ok(files) = fs::read_dir(proc.join(pid.to_string()).join("fd")) else {
        return false;
    };
    let mut links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    links.any(|link| sockets.iter().any(|socket| link.as_os_str() == &**socket))
}

/// Is this port somebody's who answers there? Asked where binding tells no more.
pub fn is_ours(owner: &Owner) -> bool {
    // The kernel keeps 15 characters of a program's name.
    owner.name == "smart-mining-pr"
}

/// `nginx (pid 812)`.
pub fn words(owner: Option<&Owner>, address: SocketAddr) -> String {
    match owner {
        Some(owner) => format!("{} (pid {})", owner.name, owner.pid),
        None => format!(
            "a program this user may not see (sudo ss -ltnp 'sport = {}')",
            address.port()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn this_program_is_found_by_the_port_it_has() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let owner = of_port(port).expect("this process sees itself");
        assert_eq!(owner.pid, std::process::id());
        drop(listener);
        assert_eq!(of_port(port), None);
    }

    #[test]
    fn only_who_listens_has_a_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             \x20  0: 0100007F:0D05 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n\
             \x20  1: 0100007F:0D05 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1\n";
        assert_eq!(listening(table, 3333), ["socket:[4711]"]);
        assert!(listening(table, 50000).is_empty());
    }
}
