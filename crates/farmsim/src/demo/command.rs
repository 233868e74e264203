//! What can be asked of a running demo, by line or by key.

use super::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolAction {
    Kill,
    Revive,
    Silence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Wan {
        up: bool,
    },
    Central {
        up: bool,
    },
    /// A pool by its place: A, B, C.
    Pool(PoolAction, usize),
    Block,
    Status,
    /// By key only: a program is ended by a signal.
    Quit,
}

/// What the control socket understands.
pub const HELP: &str =
    "wan down|up, central down|up, pool kill|revive|silence A|B|C, block, status";

/// The keys, as they are printed at the start.
pub const KEYS: &str =
    "w WAN down/up   c central down/up   1 2 3 kill/revive pool A B C   n new block   q quit";

impl Command {
    /// Reads a line of the control socket. The error names the remedy.
    pub fn parse(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["wan", state] => Ok(Self::Wan { up: up(state)? }),
            ["central", state] => Ok(Self::Central { up: up(state)? }),
            ["pool", action, name] => Ok(Self::Pool(self::action(action)?, place(name)?)),
            ["block"] => Ok(Self::Block),
            ["status"] => Ok(Self::Status),
            [] => Err(format!("empty command: use one of {HELP}")),
            _ => Err(format!(
                "unknown command {:?}: use one of {HELP}",
                line.trim()
            )),
        }
    }
}

/// Keys toggle, so they depend on how things are.
pub fn of_key(key: u8, world: &World) -> Option<Command> {
    match key {
        b'w' => Some(Command::Wan {
            up: world.wan_is_down(),
        }),
        b'c' => Some(Command::Central {
            up: world.central_is_down(),
        }),
        b'1'..=b'3' => {
            let place = usize::from(key - b'1');
            let action = if world.is_in_trouble(place) {
                PoolAction::Revive
            } else {
                PoolAction::Kill
            };
            Some(Command::Pool(action, place))
        }
        b'n' => Some(Command::Block),
        b'q' => Some(Command::Quit),
        _ => None,
    }
}

fn up(state: &str) -> Result<bool, String> {
    match state {
        "up" => Ok(true),
        "down" => Ok(false),
        other => Err(format!("{other:?} is neither up nor down")),
    }
}

fn action(word: &str) -> Result<PoolAction, String> {
    match word {
        "kill" => Ok(PoolAction::Kill),
        "revive" => Ok(PoolAction::Revive),
        "silence" => Ok(PoolAction::Silence),
        other => Err(format!("{other:?}: use kill, revive or silence")),
    }
}

fn place(name: &str) -> Result<usize, String> {
    match name {
        "A" | "a" => Ok(0),
        "B" | "b" => Ok(1),
        "C" | "c" => Ok(2),
        other => Err(format!("there is no pool {other:?}: use A, B or C")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_their_remedies() {
        assert_eq!(Command::parse("wan down\n"), Ok(Command::Wan { up: false }));
        assert_eq!(
            Command::parse(" pool  silence b"),
            Ok(Command::Pool(PoolAction::Silence, 1))
        );
        assert_eq!(Command::parse("block"), Ok(Command::Block));
        for (line, remedy) in [
            ("", HELP),
            ("dance", HELP),
            ("wan sideways", "neither up nor down"),
            ("pool kill D", "use A, B or C"),
            ("pool tickle A", "use kill, revive or silence"),
        ] {
            let problem = Command::parse(line).unwrap_err();
            assert!(problem.contains(remedy), "{problem}");
        }
    }
}
