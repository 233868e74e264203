//! `smart-mining-proxy completions` and `man`: written by the program itself, so that
//! they say what this release can do.

use super::print::show;
use super::target::Fault;
use clap::{Command, ValueEnum};
use clap_complete::generate;
use clap_complete::shells::{Bash, Fish, Zsh};
use std::fs;
use std::path::Path;

const NAME: &str = "smart-mining-proxy";

#[derive(Clone, Copy, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub fn completions(mut command: Command, shell: Shell) -> Result<(), Fault> {
    let mut script = Vec::new();
    match shell {
        Shell::Bash => generate(Bash, &mut command, NAME, &mut script),
        Shell::Zsh => generate(Zsh, &mut command, NAME, &mut script),
        Shell::Fish => generate(Fish, &mut command, NAME, &mut script),
    }
    show(&String::from_utf8_lossy(&script));
    Ok(())
}

/// One page for the program and one for each command; without a folder the first one alone.
pub fn man(command: Command, folder: Option<&Path>) -> Result<(), Fault> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(command).render(&mut page);
        rendered.map_err(|error| Fault::failed(error.to_string()))?;
        show(&String::from_utf8_lossy(&page));
        return Ok(());
    };
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(|error| {
        let folder = folder.display();
        Fault::failed(format!(
            "{folder}: the pages cannot be written: {error}; name a folder where this user may write"
        ))
    })
}
