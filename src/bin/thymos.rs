//! The `thymos` command.

fn main() -> std::process::ExitCode {
    openthymos::cli::main()
}
