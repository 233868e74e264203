//! `smart-mining-proxy guide`: the page while there is no farm.toml in force.

use smart_mining_proxy::{journal, status};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::net::TcpListener;

pub fn run(data: PathBuf, bind: SocketAddr) -> ExitCode {
    journal::install();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let listener = TcpListener::bind(bind).await?;
            println!("the page is at http://{}/", listener.local_addr()?);
            status::serve_guide(listener, data).await;
            Ok(())
        })
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the page cannot be served at {bind}: {error}; is the port taken?");
            ExitCode::FAILURE
        }
    }
}
