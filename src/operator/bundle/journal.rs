//! The newest lines of the log, from the system's journal, in a few seconds or not at all.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

const UNIT: &str = "smart-mining-proxy.service";
const WITHIN: Duration = Duration::from_secs(5);

/// Blocks for a few seconds at most. The error stands in the text.
pub fn read(most: usize) -> String {
    let mut ask = Command::new("journalctl");
    ask.args([
        "--no-pager",
        "--quiet",
        "-o",
        "short-iso",
        "-n",
        "2000",
        "-u",
        UNIT,
    ]);
    match output(&mut ask, most) {
        Ok(text) if text.trim().is_empty() => {
            format!("The journal has no line of {UNIT}, or this user may not read it.\n")
        }
        Ok(text) => text,
        Err(why) => format!("The journal cannot be read: {why}\n"),
    }
}

fn output(command: &mut Command, most: usize) -> Result<String, String> {
    let command = command.stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = (command.stdout(Stdio::piped()).spawn()).map_err(|error| error.to_string())?;
    let (done, read) = sync_channel(1);
    let output = child.stdout.take();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        let outcome = output.map(|output| output.take(limit).read_to_end(&mut bytes));
        // Nobody waits for it any more if it took too long.
        let _ = done.send(outcome.unwrap_or(Ok(0)).map(|_| bytes));
    });
    let bytes = read.recv_timeout(WITHIN);
    // It may have more to say than was wanted, or hang.
    let _ = child.kill();
    let _ = child.wait();
    match bytes {
        Ok(Ok(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_bounded_and_what_cannot_be_asked_is_said() {
        let mut yes = Command::new("yes");
        assert_eq!(output(&mut yes, 9).as_deref(), Ok("y\ny\ny\ny\ny"));
        assert!(output(&mut Command::new("/no/such/program"), 9).is_err());
    }
}
