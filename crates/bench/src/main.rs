//! The load driver behind `make bench`: starts the real binary on a fresh folder, drives it over loopback and tells what
//! a request costs the server. CPU per request is the figure that holds on a noisy machine; rates go beside it.
#![expect(clippy::print_stdout, reason = "a report for people is what this program makes")]

mod client;
mod failure;
mod import;
mod measure;
mod realtime;
mod scenarios;
mod search;
mod server;
mod shop;
mod sign_in;
mod talk;

use clap::Parser;

use crate::{failure::Failure, scenarios::Report};

/// Measures a Stoa binary.
#[derive(Parser)]
struct Arguments {
    /// The binary to measure.
    #[arg(long)]
    binary: std::path::PathBuf,
    /// Seconds per figure.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Products in the large shop; the small one has 1,000.
    #[arg(long, default_value_t = 1_000_000)]
    products: u64,
    /// Only scenarios whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    #[command(flatten)]
    realtime: realtime::Sizes,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut report = Report::default();
    let outcome = runtime.block_on(scenarios::run(&arguments, &mut report));
    // What was measured before something failed is worth as much.
    println!("{report}");
    outcome
}
