//! The scheduling daemon; all of it is in the library beside this.

fn main() -> std::process::ExitCode {
    xserver::main()
}
