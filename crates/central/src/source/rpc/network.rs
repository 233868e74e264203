//! Which network a node must be on.
//!
//! A test network's figures under a coin's name would be worth money, so a node
//! that says it is on another network than the main one is refused. An operator
//! can name a private chain for an own node; then that one counts and every other
//! is refused, the main network too: whoever tries something out must not be
//! answered by the node that earns.
//!
//! A private chain is quiet: its tip is as old as its last experiment, it has no
//! peers and nobody to catch up with. What the public can only be trusted with
//! because of those is not asked of it, and the time of its tip says nothing of how
//! current an answer is ([`Network::undated`]).

use crate::source::answer::excerpt;
use crate::source::chain;
use crate::source::{Coin, Parsed, Request, SourceError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network<'a> {
    Main,
    /// By the name that its node gives it: `regtest`, `signet`, `fakechain`.
    Private(&'a str),
}

/// As the families of nodes call their main network.
const MAIN: &[&str] = &["main", "mainnet", "kaspa-mainnet"];

impl<'a> Network<'a> {
    pub fn of(request: &'a Request) -> Self {
        match request.network.as_deref() {
            None => Self::Main,
            Some(name) if MAIN.contains(&name) => Self::Main,
            Some(name) => Self::Private(name),
        }
    }

    pub const fn is_private(self) -> bool {
        match self {
            Self::Main => false,
            Self::Private(_) => true,
        }
    }

    /// The answer that names the network. Old nodes of the main network do not;
    /// a private chain is only taken by its name.
    pub fn named(self, said: &str) -> Result<(), SourceError> {
        match self {
            Self::Private(_) if said.is_empty() => Err(self.refused("an unnamed one")),
            Self::Main | Self::Private(_) => self.if_named(said),
        }
    }

    /// An answer that may leave the name out, beside one that is [`Self::named`].
    pub fn if_named(self, said: &str) -> Result<(), SourceError> {
        let right = match self {
            Self::Main => MAIN.contains(&said),
            Self::Private(name) => said == name,
        };
        if right || said.is_empty() {
            return Ok(());
        }
        Err(self.refused(&format!("{:?}", excerpt(said))))
    }

    fn refused(self, said: &str) -> SourceError {
        SourceError::NotFound(match self {
            Self::Main => format!("the main network; this one is on {said}"),
            Self::Private(name) => format!("the network {name:?}; this one is on {said}"),
        })
    }

    /// [`chain::fresh`], where blocks are expected to come.
    pub fn fresh(self, tip: Option<u64>, coin: &Coin, now: u64) -> Result<(), SourceError> {
        match self {
            Self::Main => chain::fresh(tip, coin, now),
            Self::Private(_) => Ok(()),
        }
    }

    /// What a private chain says is true when it says so: by the time of a tip that
    /// is days old it would pass for old news.
    pub fn undated(self, mut parsed: Parsed) -> Parsed {
        if self.is_private() {
            parsed.observations.iter_mut().for_each(|one| one.at = None);
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_refuses_every_other_and_says_both() {
        for (network, good) in [
            (Network::Main, ["main", "mainnet", "kaspa-mainnet"]),
            (Network::Private("regtest"), ["regtest"; 3]),
        ] {
            for said in ["main", "mainnet", "kaspa-mainnet", "regtest", "REGTEST"] {
                let answer = network.named(said);
                assert_eq!(answer, network.if_named(said));
                assert_eq!(answer.is_ok(), good.contains(&said), "{network:?} {said}");
            }
        }
        let words = Network::Private("regtest")
            .named("main")
            .map_err(|error| error.to_string());
        assert_eq!(
            words,
            Err(r#"not served here: the network "regtest"; this one is on "main""#.to_owned())
        );
    }

    #[test]
    fn a_private_chain_is_only_taken_by_its_name() {
        assert_eq!(Network::Main.named(""), Ok(()));
        assert!(Network::Private("regtest").named("").is_err());
        assert_eq!(Network::Private("regtest").if_named(""), Ok(()));
    }
}
