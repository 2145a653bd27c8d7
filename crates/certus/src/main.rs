//! The program `certus`: what it does is in the library beside it, so that tests can compose the same authority.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    certus::run(std::env::args_os(), certus::Hooks::default())
}
