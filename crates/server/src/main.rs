//! The program `stoa`: the library's command line, and the allocator it runs on.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    stoa_server::commands::run()
}
