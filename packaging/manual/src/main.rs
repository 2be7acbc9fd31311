//! Writes what an installation has in `share` beside its programs: man pages, and completions for bash, zsh and fish.
//!
//! `xsched-manual DIR`; `cargo xtask dist` runs it. It is a program of its own so that the programs that are installed need nothing that
//! only this needs. All texts are those of `--help`.

use anyhow::{Context, Result};
use clap::Command;
use clap_complete::Shell;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A shell, and where under `share` it looks for completions: a folder, and what a program's name is put between.
const SHELLS: &[(Shell, &str, &str, &str)] = &[
    (Shell::Bash, "bash-completion/completions", "", ""),
    (Shell::Zsh, "zsh/site-functions", "_", ""),
    (Shell::Fish, "fish/vendor_completions.d", "", ".fish"),
];

fn main() -> Result<()> {
    let share = std::env::args_os().nth(1).map(PathBuf::from).context("usage: xsched-manual DIR")?;
    write(&share)
}

/// Everything for both programs into the folder `share`.
fn write(share: &Path) -> Result<()> {
    manual(xcli::command(), "1", &share.join("man/man1"))?;
    manual(xserver::command(), "8", &share.join("man/man8"))?;
    for mut command in [xcli::command(), xserver::command()] {
        let name = command.get_name().to_owned();
        for (shell, folder, before, behind) in SHELLS {
            let mut file = create(&share.join(folder).join(format!("{before}{name}{behind}")))?;
            clap_complete::generate(*shell, &mut command, &name, &mut file);
        }
    }
    Ok(())
}

/// A page for a program, and one for each of its commands that are shown.
fn manual(program: Command, section: &str, folder: &Path) -> Result<()> {
    // So that pages of commands name the whole way, as in `xcli run`.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    pages(program, section, folder)
}

fn pages(command: Command, section: &str, folder: &Path) -> Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        pages(inner.clone(), section, folder)?;
    }
    let page = clap_mangen::Man::new(command).section(section);
    let path = folder.join(page.get_filename());
    page.render(&mut create(&path)?).with_context(|| format!("writing {}", path.display()))
}

fn create(path: &Path) -> Result<File> {
    let folder = path.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    File::create(path).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_and_each_shell_a_completion() {
        let share = tempfile::tempdir().unwrap();
        write(share.path()).unwrap();
        let read = |path: &str| std::fs::read_to_string(share.path().join(path)).unwrap();
        for command in xcli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let page = read(&format!("man/man1/xcli-{}.1", command.get_name()));
            assert!(page.contains(&format!("xcli\\-{}", command.get_name())), "{page}");
        }
        assert!(read("man/man1/xcli.1").contains(".SH SUBCOMMANDS"));
        assert!(!share.path().join("man/man1/xcli-probe.1").exists(), "it is nobody's to call");
        assert!(read("man/man8/xserver.8").contains("\\-\\-max\\-suspend"));
        assert!(read("bash-completion/completions/xcli").contains("--critical-priority"));
        assert!(read("zsh/site-functions/_xcli").contains("#compdef xcli"));
        assert!(read("fish/vendor_completions.d/xserver.fish").contains("-l grace"));
    }
}
