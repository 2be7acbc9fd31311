//! xcli; all of it is in the library beside this.

fn main() -> std::process::ExitCode {
    xcli::main()
}
