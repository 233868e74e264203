//! The shipped binary as a technician calls it.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

pub struct Said {
    pub code: i32,
    pub out: String,
    pub error: String,
}

/// What a command says, without a farm.toml in the folder it is called from.
pub fn say(folder: &Path, arguments: &[&str]) -> Said {
    finished(program(folder).args(arguments).output())
}

pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smart-mining-proxy"));
    command
        .current_dir(folder)
        .env_remove("SMART_MINING_URL")
        .env_remove("NO_COLOR");
    command
}

pub fn finished(output: std::io::Result<Output>) -> Said {
    let output = output.expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said {
        code: output.status.code().expect("it ends by itself"),
        out: text(output.stdout),
        error: text(output.stderr),
    }
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.error))
    }
}
