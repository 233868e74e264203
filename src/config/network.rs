//! Which addresses may connect.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address range such as `192.168.0.0/16`. Bits after the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    addr: IpAddr,
    prefix: u8,
}

/// Why a text is not a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError {
    NotANetwork,
    /// More bits than the address has; how many it has.
    Prefix(u8),
    /// The address has bits after the prefix; the network that was meant.
    HostBits(Network),
}

impl NetworkError {
    pub(super) fn what(self) -> String {
        match self {
            Self::NotANetwork => "is not a network".to_owned(),
            Self::Prefix(most) => format!("has a prefix beyond /{most}"),
            Self::HostBits(_) => "has bits after its prefix".to_owned(),
        }
    }

    pub(super) fn remedy(self) -> String {
        match self {
            Self::NotANetwork | Self::Prefix(_) => "write it as \"192.168.0.0/16\"".to_owned(),
            Self::HostBits(meant) => format!("write it as \"{meant}\""),
        }
    }
}

impl Network {
    /// `address/prefix`, or one address alone.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (addr, prefix) = match text.split_once('/') {
            Some((addr, prefix)) => (addr, Some(prefix)),
            None => (text, None),
        };
        let addr: IpAddr = addr.parse().map_err(|_| NetworkError::NotANetwork)?;
        let most = bits(addr);
        let prefix = match prefix {
            None => most,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() => {
                digits.parse().map_err(|_| NetworkError::Prefix(most))?
            }
            Some(_) => return Err(NetworkError::NotANetwork),
        };
        if prefix > most {
            return Err(NetworkError::Prefix(most));
        }
        let meant = Self {
            addr: masked(addr, prefix),
            prefix,
        };
        if meant.addr == addr {
            Ok(meant.canonical())
        } else {
            Err(NetworkError::HostBits(meant))
        }
    }

    /// An IPv4 network written in its IPv6 form is the IPv4 network.
    fn canonical(self) -> Self {
        match self.addr {
            IpAddr::V6(v6) if self.prefix >= 96 => match v6.to_ipv4_mapped() {
                Some(v4) => Self {
                    addr: IpAddr::V4(v4),
                    prefix: self.prefix - 96,
                },
                None => self,
            },
            IpAddr::V6(_) | IpAddr::V4(_) => self,
        }
    }

    /// A dual-stack socket shows IPv4 peers as `::ffff:a.b.c.d`; they count as IPv4.
    pub fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        bits(peer) == bits(self.addr) && masked(peer, self.prefix) == self.addr
    }

    /// This machine and every private or link-local range: a farm's LAN, not the internet.
    pub fn private() -> Vec<Self> {
        let v4 = |a, b, c, d, prefix| Self {
            addr: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            prefix,
        };
        let v6 = |first, last, prefix| Self {
            addr: IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last)),
            prefix,
        };
        vec![
            v4(127, 0, 0, 0, 8),
            v4(10, 0, 0, 0, 8),
            v4(172, 16, 0, 0, 12),
            v4(192, 168, 0, 0, 16),
            v4(169, 254, 0, 0, 16),
            v6(0, 1, 128),
            v6(0xfe80, 0, 10),
            v6(0xfc00, 0, 7),
        ]
    }
}

const fn bits(addr: IpAddr) -> u8 {
    match addr {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn masked(addr: IpAddr, prefix: u8) -> IpAddr {
    let host = u32::from(bits(addr).saturating_sub(prefix));
    match addr {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(host).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(host).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}
